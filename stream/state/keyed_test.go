//go:build duckdb_arrow

package state_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/plan"
	"tarn/stream/state"
)

// note is a row of a changelog in which several may have one null in the key; own is "" where the key has none.
type note struct {
	code, own string // code is "" for null
	n, gen    int64
}

// TestANullKeyIsOfSeveralRows: whatever comes and goes of rows with a null in their key, in whatever ticks, of the very same columns too, and
// with snapshots that end: the table has the rows that are there, and its groups count them.
func TestANullKeyIsOfSeveralRows(t *testing.T) {
	p, err := plan.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	of := &plan.Source{Name: "notes", Key: []string{"code", "_key"}, Columns: []plan.Column{
		{Name: "code", Type: record.String}, {Name: "n", Type: record.Long}, {Name: "_key", Type: record.String},
	}}
	made := func(body string) *plan.Plan {
		out, err := p.Plan(t.Context(), plan.Request{Body: body}, func(context.Context, sqltext.Table) (*plan.Source, error) { return of, nil })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	rows, groups := made("SELECT _key, code, n FROM notes WHERE n < 3"), made("SELECT code, count(*)::VARCHAR AS c, sum(n)::BIGINT AS s FROM (SELECT code, n FROM notes) GROUP BY code")
	rapid.Check(t, func(r *rapid.T) {
		ticks := []*notes{begun(t, rows), begun(t, groups)}
		defer ticks[0].close()
		defer ticks[1].close()
		there, offset, gen := map[[2]string]note{}, int64(0), int64(1)
		for range rapid.IntRange(1, 6).Draw(r, "ticks") {
			var batch []change
			for range rapid.IntRange(1, 10).Draw(r, "records") {
				one := note{rapid.SampledFrom([]string{"a", "b", ""}).Draw(r, "code"), "", rapid.Int64Range(0, 3).Draw(r, "n"), gen}
				if one.code == "" {
					one.own = rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "own")
				}
				key, gone := [2]string{one.code, one.own}, rapid.IntRange(0, 2).Draw(r, "gone") == 0
				if delete(there, key); !gone {
					there[key] = one
				}
				offset++
				batch = append(batch, change{one, offset, gone})
			}
			sweep := rapid.IntRange(0, 5).Draw(r, "sweep") == 0
			if sweep {
				maps.DeleteFunc(there, func(_ [2]string, n note) bool { return n.gen < gen })
			}
			for _, one := range ticks {
				one.tick(r, batch, sweep, gen)
			}
			gen += int64(rapid.IntRange(0, 1).Draw(r, "snapshot"))
			var wantRows, wantGroups []string
			counted := map[string][2]int64{}
			for _, n := range there {
				if n.n < 3 {
					wantRows = append(wantRows, fmt.Sprintf("%s|%s|%d", n.own, n.code, n.n))
				}
				c := counted[n.code]
				counted[n.code] = [2]int64{c[0] + 1, c[1] + n.n}
			}
			for code, c := range counted {
				wantGroups = append(wantGroups, fmt.Sprintf("%s|%d|%d", code, c[0], c[1]))
			}
			for i, want := range [][]string{wantRows, wantGroups} {
				slices.Sort(want)
				if got := slices.Sorted(maps.Values(ticks[i].table)); !slices.Equal(got, want) {
					r.Fatalf("%v: %q, want %q", ticks[i].plan.Columns, got, want)
				}
			}
		}
	})
}

// change is a record of a changelog.
type change struct {
	note
	offset int64
	gone   bool
}

// notes is a pipeline over a changelog, with the table that its outbox makes: rows by their keys.
type notes struct {
	*state.State
	plan  *plan.Plan
	table map[string]string
	close func()
}

func begun(t *testing.T, p *plan.Plan) *notes {
	s, err := state.Open(t.Context(), state.Options{Name: "p", MemoryBytes: 64 << 20}, p)
	if err != nil {
		t.Fatal(err)
	}
	return &notes{s, p, map[string]string{}, func() { _ = s.Close() }}
}

// tick applies records, then the end of a snapshot, and puts what came out into the table as a commit does.
func (s *notes) tick(t *rapid.T, batch []change, sweep bool, gen int64) {
	scan, from := s.plan.Scans[0], s.Progress.Epoch
	var fields []arrow.Field
	for _, c := range slices.Concat(scan.Columns, scan.Hidden()) {
		fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	text := func(i int, v string) {
		if f := b.Field(i).(*array.StringBuilder); v == "" {
			f.AppendNull()
		} else {
			f.Append(v)
		}
	}
	for _, c := range batch {
		text(0, c.code)
		b.Field(1).(*array.Int64Builder).Append(c.n)
		text(2, c.own)
		b.Field(3).(*array.Int64Builder).Append(c.offset)
		b.Field(4).(*array.BooleanBuilder).Append(c.gone)
		b.Field(5).(*array.Int64Builder).Append(c.gen)
	}
	came := b.NewRecordBatch()
	defer came.Release()
	list := []state.Tick{{Rows: map[string]state.Rows{scan.Relation: {Schema: schema, Batches: []arrow.RecordBatch{came}}}}}
	if sweep {
		list = append(list, state.Tick{Sweeps: map[string]int64{scan.Relation: gen}})
	}
	for _, one := range list {
		one.Progress = s.Progress.Clone()
		if _, err := s.Apply(context.Background(), one); err != nil {
			t.Fatal(err)
		}
	}
	cells := func(do func(key, row string)) func(arrow.RecordBatch) error {
		return func(b arrow.RecordBatch) error {
			for i := range int(b.NumRows()) {
				list, key := make([]string, b.NumCols()), ""
				for c := range list {
					if !b.Column(c).IsNull(i) {
						list[c] = b.Column(c).ValueStr(i)
					}
				}
				for _, name := range s.plan.Key { // the two have their columns in orders of their own
					key += "|" + list[b.Schema().FieldIndices(name)[0]]
				}
				do(key, strings.Join(list, "|"))
			}
			return nil
		}
	}
	rows := map[string]string{}
	err := s.Rows(context.Background(), from, s.Progress.Epoch, cells(func(key, row string) {
		if _, twice := rows[key]; twice {
			t.Fatalf("two rows of the key %s", key)
		}
		rows[key] = row
	}), cells(func(key, _ string) { delete(s.table, key) }))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(s.table, rows)
}
