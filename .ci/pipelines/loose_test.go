//go:build duckdb_arrow

package pipelines_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/landing"
)

// notes is the topic of a source's table notes (code, n), whose key is code.
func (s *site) notes(nullable bool) *changes {
	s.Helper()
	t, err := s.bus.CreateTopic(s.ctx, "port.main.notes", bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"})
	s.must(err)
	c := &changes{site: s, topic: t}
	c.declare(nullable, 1, 0)
	return c
}

// declare is the table as it is from now on: the places of its columns in the key, from 1.
func (c *changes) declare(nullable bool, code, n int) {
	c.Helper()
	var err error
	c.schema, err = schemas.New(c.meta).Put(c.ctx, record.Schema{Source: "src", Database: "port.db", Schema: "main", Table: "notes", Columns: []record.Column{
		{Name: "code", Type: record.String, Key: code, Nullable: nullable}, {Name: "n", Type: record.Long, Key: n, Nullable: true},
	}})
	c.must(err)
}

// again finds the topic after a restart.
func (c *changes) again() (err error) {
	c.topic, err = c.bus.Topic(c.topic.Name())
	return err
}

// note appends what happened to a row, which is null where it is not there; the row with the number id has a null in its key.
func (c *changes) note(op byte, id int, before, after string) {
	c.Helper()
	key := fmt.Sprintf(`{"code":null,"_rowid":%d}`, id)
	if id == 0 {
		key = `{"code":"a"}`
	}
	_, err := c.topic.Partitions()[0].Append(c.ctx, record.Encode([]record.Record{{
		Timestamp: time.Now().UnixMilli(), Key: []byte(key), Value: fmt.Appendf(nil, `{"before":%s,"after":%s,"source":{},"op":"%c"}`, before, after, op),
		Headers: []record.Header{
			{Key: record.HeaderPos, Value: []byte(c.pos())},
			{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, c.schema, 10)},
			{Key: record.HeaderGen, Value: strconv.AppendInt(nil, c.gen, 10)},
		},
	}}))
	c.must(err)
}

// row is a row of notes whose key is null.
func row(n int) string { return fmt.Sprintf(`{"code":null,"n":%d}`, n) }

// TestAMirrorWhoseKeyMayBeNull: several rows have one null key, and a pipeline tells them apart as the mirror does: of what was there when
// it began, of what came, after a restart, and after a snapshot that lacks some.
func TestAMirrorWhoseKeyMayBeNull(t *testing.T) {
	s := newSite(t)
	c := s.notes(true)
	c.mark(record.SnapshotBegin)
	c.note('r', 0, "null", `{"code":"a","n":1}`)
	c.note('r', 1, "null", row(1))
	c.note('r', 2, "null", row(1))
	c.mark(record.SnapshotEnd)
	s.until("SELECT count(*) FROM silver.notes", "3")
	for _, body := range []string{"SELECT code, n FROM silver.notes", "SELECT * EXCLUDE (_key) FROM silver.notes", "SELECT _key, n FROM silver.notes"} {
		s.refused("CREATE MATERIALIZED VIEW x AS "+body, "nothing tells the rows", "code, _key of silver.notes")
	}
	s.exec("CREATE MATERIALIZED VIEW whole AS SELECT * FROM silver.notes",
		"CREATE MATERIALIZED VIEW some AS SELECT _key AS k, code, n * 10 AS m FROM silver.notes WHERE n > 1",
		"CREATE MATERIALIZED VIEW sums AS SELECT code, count(*) AS c, sum(n)::BIGINT AS s FROM silver.notes GROUP BY code")
	holds := func(whole, some, sums []string) {
		t.Helper()
		s.until("SELECT code, n, _key FROM gold.whole ORDER BY ALL", whole...)
		s.until("SELECT code, m, k FROM gold.some ORDER BY ALL", some...)
		s.until("SELECT code, c, s FROM gold.sums ORDER BY ALL", sums...)
		s.until("SELECT code, n, _key FROM silver.notes ORDER BY ALL", whole...)
	}
	const first, second, third = `{"code":null,"_rowid":1}`, `{"code":null,"_rowid":2}`, `{"code":null,"_rowid":3}`
	holds([]string{"a|1|(null)", "(null)|1|" + first, "(null)|1|" + second}, nil, []string{"a|1|1", "(null)|2|2"})

	c.note('c', 3, "null", row(3))
	c.note('u', 1, row(1), row(2))
	holds([]string{"a|1|(null)", "(null)|1|" + second, "(null)|2|" + first, "(null)|3|" + third},
		[]string{"(null)|20|" + first, "(null)|30|" + third}, []string{"a|1|1", "(null)|3|6"})
	s.stop()
	s.start()
	s.must(c.again())
	c.note('d', 2, row(1), "null")
	c.note('d', 3, row(3), "null") // the row gets a key
	c.note('u', 0, `{"code":"a","n":1}`, `{"code":"a","n":5}`)
	holds([]string{"a|5|(null)", "(null)|2|" + first}, []string{"a|50|(null)", "(null)|20|" + first}, []string{"a|1|5", "(null)|1|2"})

	c.mark(record.SnapshotBegin)
	c.note('r', 2, "null", row(7))
	c.note('r', 3, "null", row(1))
	c.mark(record.SnapshotEnd)
	holds([]string{"(null)|1|" + third, "(null)|7|" + second}, []string{"(null)|70|" + second}, []string{"(null)|2|8"})
	s.exec("ALTER PIPELINE gold.whole REBUILD")
	s.wait(func() (bool, string) { return len(s.part.Statuses()) == 3, s.pipelines() })
	holds([]string{"(null)|1|" + third, "(null)|7|" + second}, []string{"(null)|70|" + second}, []string{"(null)|2|8"})
	if made, _ := s.events(`gold.whole WHERE _key LIKE '%:2}'`, "made of 1 event"); len(made) != 1 {
		t.Errorf("a row is made of %v", made)
	}

	// A version before did not note which columns the key has.
	mirror, err := s.lake.Tables().Open(s.ctx, table.Ident{Namespace: "silver", Name: "notes"})
	s.must(err)
	_, err = mirror.Commit(s.ctx, table.Change{Owner: landing.Reader, Properties: map[string]string{"tarn.key": ""}})
	s.must(err)
	s.refused("CREATE MATERIALIZED VIEW more AS SELECT * FROM silver.notes", "is not noted there", "change any row")
	c.note('d', 3, row(1), "null")
	s.until("SELECT n FROM gold.whole", "7")
	s.until("SELECT n FROM silver.notes", "7")
	s.exec("CREATE MATERIALIZED VIEW more AS SELECT * FROM silver.notes")
	s.until("SELECT n FROM gold.more", "7")
}

// TestAKeyThatComesToBeNull: a mirror's key, which was never null, comes to be so: its pipelines are made anew, where their SELECT tells such rows
// apart. A record that the mirror does not take, for its table's key is declared never to be null, is a dead letter of the pipelines, too.
func TestAKeyThatComesToBeNull(t *testing.T) {
	s := newSite(t)
	c := s.notes(false)
	c.note('c', 0, "null", `{"code":"a","n":1}`)
	s.until("SELECT count(*) FROM silver.notes", "1")
	s.exec("CREATE MATERIALIZED VIEW whole AS SELECT * FROM silver.notes",
		"CREATE MATERIALIZED VIEW bare AS SELECT code, n FROM silver.notes",
		"CREATE MATERIALIZED VIEW sums AS SELECT code, count(*) AS c FROM silver.notes GROUP BY code")
	s.until("SELECT * FROM gold.whole", "a|1")
	s.until("SELECT * FROM gold.bare", "a|1")
	s.until("SELECT * FROM gold.sums", "a|1")
	c.note('c', 1, "null", row(1))
	c.note('u', 0, `{"code":"a","n":1}`, `{"code":"a","n":2}`)
	s.until("SELECT * FROM gold.whole", "a|2")
	s.until("SELECT * FROM gold.sums", "a|1")
	s.wait(func() (bool, string) {
		letters := s.letters("port.main.notes")
		return len(letters) == 4, fmt.Sprint(letters) // of landing, and of each pipeline
	})

	c.declare(true, 1, 0)
	c.note('c', 1, "null", row(1))
	c.note('c', 2, "null", row(1))
	s.until("SELECT code, n, _key FROM gold.whole ORDER BY ALL", "a|2|(null)", `(null)|1|{"code":null,"_rowid":1}`, `(null)|1|{"code":null,"_rowid":2}`)
	s.until("SELECT * FROM gold.sums ORDER BY ALL", "a|1", "(null)|2")
	s.fails("gold.bare", "is null now", "_key")
	s.until("SELECT * FROM gold.bare", "a|2")
	s.exec("ALTER PIPELINE gold.bare AS SELECT _key, code, n FROM silver.notes")
	s.until("SELECT code, n FROM gold.bare ORDER BY ALL", "a|2", "(null)|1", "(null)|1")
}

// TestAnotherKeyOfAMirror: a table gets another key, which is noted in the mirror; from the snapshot on that it comes with, its pipelines
// are made anew by that.
func TestAnotherKeyOfAMirror(t *testing.T) {
	s := newSite(t)
	c := s.notes(true)
	c.note('c', 0, "null", `{"code":"a","n":1}`)
	c.note('c', 1, "null", row(1))
	s.until("SELECT count(*) FROM silver.notes", "2")
	s.exec("CREATE MATERIALIZED VIEW whole AS SELECT * FROM silver.notes", "CREATE MATERIALIZED VIEW sums AS SELECT code, count(*) AS c FROM silver.notes GROUP BY code")
	s.until("SELECT * FROM gold.sums ORDER BY ALL", "a|1", "(null)|1")
	s.until("SELECT count(*) FROM gold.whole", "2")
	c.declare(true, 0, 1)
	c.mark(record.SnapshotBegin)
	c.note('r', 0, "null", `{"code":"a","n":1}`)
	c.note('r', 0, "null", `{"code":"a","n":2}`)
	c.note('r', 0, "null", `{"code":"b","n":3}`)
	c.mark(record.SnapshotEnd)
	s.until("SELECT code, n FROM silver.notes ORDER BY ALL", "a|1", "a|2", "b|3")
	s.until("SELECT code, n FROM gold.whole ORDER BY ALL", "a|1", "a|2", "b|3")
	s.until("SELECT * FROM gold.sums ORDER BY ALL", "a|2", "b|1")
	c.note('d', 0, `{"code":"a","n":1}`, "null")
	s.until("SELECT code, n FROM gold.whole ORDER BY ALL", "a|2", "b|3")
	s.until("SELECT * FROM gold.sums ORDER BY ALL", "a|1", "b|1")
}
