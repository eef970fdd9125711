//go:build duckdb_arrow

package pipelines_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/landing"
)

// shapes is the topic of a source's table shapes, whose columns come and go.
type shapes struct {
	*changes
	columns []record.Column
}

func (s *site) shapes(columns ...record.Column) *shapes {
	s.Helper()
	t, err := s.bus.CreateTopic(s.ctx, "port.main.shapes", bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"})
	s.must(err)
	c := &shapes{changes: &changes{site: s, topic: t}}
	c.declare(append([]record.Column{{Name: "id", Type: record.Long, Key: 1}}, columns...)...)
	return c
}

// declare is the table as it is from now on.
func (c *shapes) declare(columns ...record.Column) {
	c.Helper()
	c.columns = columns
	var err error
	c.schema, err = schemas.New(c.meta).Put(c.ctx, record.Schema{Source: "src", Database: "port.db", Schema: "main", Table: "shapes", Columns: columns})
	c.must(err)
}

// row appends that a row came or was changed; its columns but id have the value.
func (c *shapes) row(op byte, id int, value int64) {
	c.Helper()
	after := map[string]any{"id": id}
	for _, column := range c.columns[1:] {
		after[column.Name] = value
	}
	c.event(op, id, nil, after)
}

// gone appends that a row was deleted.
func (c *shapes) gone(id int) {
	c.Helper()
	c.event('d', id, map[string]any{"id": id}, nil)
}

func (c *shapes) event(op byte, id int, before, after map[string]any) {
	c.Helper()
	value, err := json.Marshal(map[string]any{"op": string(op), "before": before, "after": after, "source": map[string]any{}})
	c.must(err)
	_, err = c.topic.Partitions()[0].Append(c.ctx, record.Encode([]record.Record{{
		Timestamp: time.Now().UnixMilli(), Key: fmt.Appendf(nil, `{"id":%d}`, id), Value: value,
		Headers: []record.Header{
			{Key: record.HeaderPos, Value: []byte(c.pos())},
			{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, c.schema, 10)},
			{Key: record.HeaderGen, Value: strconv.AppendInt(nil, c.gen, 10)},
		},
	}}))
	c.must(err)
}

func number(name string) record.Column {
	return record.Column{Name: name, Type: record.Long, Nullable: true}
}

// restart stops all, does something to the folder, and starts again.
func (c *shapes) restart(meanwhile func()) {
	c.Helper()
	c.stop()
	meanwhile()
	c.start()
	c.must(c.again())
}

// older makes the definitions of pipelines what a version wrote that did not note columns.
func (s *site) older() {
	s.Helper()
	store, err := meta.Open(s.ctx, s.dir+"/meta.db")
	s.must(err)
	all, err := store.List(s.ctx, meta.Pipelines)
	s.must(err)
	for _, e := range all {
		var d map[string]any
		s.must(json.Unmarshal(e.Value, &d))
		for _, r := range d["reads"].([]any) {
			delete(r.(map[string]any), "columns")
		}
		e.Value, err = json.Marshal(d)
		s.must(err)
		s.must(store.Put(s.ctx, e))
	}
	s.must(store.Close())
}

// starred are bodies whose stars mean what the mirror had when the pipeline was made, with the same as a query of the mirror
// that names its columns.
var starred = []struct{ body, query string }{
	{"SELECT * FROM silver.shapes", "SELECT {all} FROM silver.shapes"},
	{"SELECT * EXCLUDE (id), id FROM silver.shapes", "SELECT {rest}id FROM silver.shapes"},
	{"SELECT * FROM silver.shapes AS s(number) WHERE number > 3", "SELECT {all} FROM silver.shapes WHERE id > 3"},
	{"SELECT id % 3 AS part, count(*) AS n FROM (SELECT * FROM silver.shapes) GROUP BY part", "SELECT id % 3 AS part, count(*) FROM silver.shapes GROUP BY part"},
	{"SELECT count(*) AS n FROM silver.shapes", "SELECT count(*) FROM silver.shapes"},
}

// made is a pipeline with the query that it is held against.
type made struct{ name, query string }

// pipelines makes a pipeline of each of starred, over the columns that the mirror has now.
func (c *shapes) pipelines(round int) (out []made) {
	c.Helper()
	c.landed() // or its columns are others a moment later
	got, err := c.run("DESCRIBE silver.shapes")
	c.must(err)
	all := ""
	for _, line := range got {
		if name, _, _ := strings.Cut(line, "|"); name != "id" && !strings.HasPrefix(name, "_") {
			all += ", " + name
		}
	}
	fill := strings.NewReplacer("{all}", "id"+all, "{rest}", strings.TrimPrefix(all+", ", ", "))
	for i, one := range starred {
		name := fmt.Sprintf("gold.p%d_%d", round, i)
		c.exec("CREATE MATERIALIZED VIEW " + name + " AS " + one.body)
		out = append(out, made{name, fill.Replace(one.query)})
	}
	return out
}

// hold waits until every pipeline has what its query of the mirror has.
func (c *shapes) hold(all []made) {
	c.Helper()
	for _, p := range all {
		c.wait(func() (bool, string) {
			want, err := c.run("SELECT * FROM (" + p.query + ") ORDER BY ALL")
			c.must(err)
			got, err := c.run("SELECT * FROM " + p.name + " ORDER BY ALL")
			return err == nil && slices.Equal(got, want), fmt.Sprintf("%s is %q, %v, want %q of %s; pipelines: %s", p.name, got, err, want, p.query, c.site.pipelines())
		})
	}
}

// TestAStarMeansTheColumnsOfItsMaking: the source's table gets a column, loses one and has one renamed; a pipeline with a star goes on with the
// columns that there were, also after restarts and with a definition of a version that did not note them, until it is made anew.
func TestAStarMeansTheColumnsOfItsMaking(t *testing.T) {
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprintf("older=%t", older), func(t *testing.T) {
			s := newSite(t)
			c := s.shapes(number("a"), number("b"))
			c.row('c', 1, 10)
			c.row('c', 5, 50)
			s.until("SELECT count(*) FROM silver.shapes", "2")
			all := c.pipelines(0)
			c.hold(all)
			c.declare(append(slices.Clone(c.columns), number("c"))...)
			c.row('c', 2, 20)
			s.until("SELECT count(c) FROM silver.shapes", "1")
			c.hold(all)
			c.restart(func() {
				if older {
					s.older()
				}
			})
			c.row('u', 1, 11)
			c.gone(5)
			s.until("SELECT count(c) FROM silver.shapes", "2")
			c.hold(all)
			s.caughtUp()
			c.declare(c.columns[0], number("b2"), number("c")) // b was renamed, a dropped
			c.row('c', 3, 30)
			s.until("SELECT count(b2) FROM silver.shapes", "1")
			c.restart(func() {})
			c.row('u', 2, 21)
			s.until("SELECT count(b2) FROM silver.shapes", "2")
			c.hold(all)
			s.caughtUp()
			s.until("SELECT id, a, b FROM gold.p0_0 ORDER BY id", "1|11|11", "2|(null)|(null)", "3|(null)|(null)")

			s.exec("ALTER PIPELINE gold.p0_0 REBUILD")
			s.until("SELECT id, a, b, c, b2 FROM gold.p0_0 ORDER BY id", "1|11|11|11|(null)", "2|(null)|(null)|21|21", "3|(null)|(null)|30|30")
		})
	}
}

// TestColumnsComeAndGo: random histories of a table whose columns are added, dropped, renamed and come again, with restarts, and
// pipelines that are made meanwhile.
func TestColumnsComeAndGo(t *testing.T) {
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any will do
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
	s := newSite(t)
	c := s.shapes(number("c0"))
	c.row('c', 0, 1)
	s.until("SELECT count(*) FROM silver.shapes", "1")
	all := c.pipelines(0)
	ids, fresh := map[int]bool{0: true}, 1
	name := func() string { // often one that there was before
		if fresh > 1 && chance.IntN(3) == 0 {
			if old := "c" + strconv.Itoa(chance.IntN(fresh)); !slices.ContainsFunc(c.columns, func(c record.Column) bool { return c.Name == old }) {
				return old
			}
		}
		fresh++
		return "c" + strconv.Itoa(fresh-1)
	}
	for step := range 45 {
		columns := slices.Clone(c.columns)
		switch at := 1 + chance.IntN(max(1, len(columns)-1)); chance.IntN(10) {
		case 0:
			c.declare(append(columns, number(name()))...)
		case 1:
			if len(columns) > 1 {
				c.declare(slices.Delete(columns, at, at+1)...)
			}
		case 2:
			if len(columns) > 1 {
				columns[at] = number(name())
				c.declare(columns...)
			}
		case 3:
			c.restart(func() {
				if chance.IntN(3) == 0 {
					s.older()
				}
			})
		case 4:
			if known := slices.Sorted(maps.Keys(ids)); len(known) > 0 {
				id := known[chance.IntN(len(known))]
				c.gone(id)
				delete(ids, id)
			}
		case 5:
			if len(all) < 3*len(starred) {
				all = append(all, c.pipelines(step)...)
			}
		default:
			id, op := chance.IntN(12), byte('u')
			if !ids[id] {
				op = 'c'
			}
			ids[id] = true
			c.row(op, id, chance.Int64N(1000))
		}
		if step%15 == 14 {
			c.landed()
			c.hold(all)
		}
	}
	c.restart(func() {})
	c.row('c', 100, 100)
	c.landed()
	c.hold(all)
	s.caughtUp()
}

// landed waits until the mirror has all of its topic.
func (c *shapes) landed() {
	c.Helper()
	end := c.topic.Partitions()[0].Stable()
	c.wait(func() (bool, string) {
		mirror, err := landing.MirrorOf(c.ctx, c.lake.Tables(), c.topic.Name())
		c.must(err)
		if mirror == nil {
			return false, "there is no mirror"
		}
		text, _ := mirror.Property(table.PropOffsets + landing.Reader)
		o := record.Offsets{}
		c.must(json.Unmarshal([]byte(text), &o))
		return o.At(c.topic.Name(), 0).Next >= end, text
	})
}
