//go:build duckdb_arrow

package pipelines_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/sql/engine"
)

// TestRowsAreReturned: RETURNING answers what is written, or was there, as it is in the table, and nothing where nothing was written.
func TestRowsAreReturned(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id BIGINT PRIMARY KEY, n SMALLINT, price DECIMAL(10, 2), name VARCHAR)")
	for _, step := range []struct{ statement, told string }{
		{"INSERT INTO gold.t VALUES (1, 7, 1.255, 'a'), (2, DEFAULT, DEFAULT, DEFAULT) RETURNING *", "1|7|1.26|a\n2|(null)|(null)|(null)"},
		{"INSERT INTO gold.t AS x (name, id) SELECT 'n' || i, i FROM range(3, 6) r(i) RETURNING x.id * 10 AS ten, upper(name), (SELECT count(*) FROM gold.t)", "30|N3|2\n40|N4|2\n50|N5|2"},
		{"INSERT INTO gold.t (id) SELECT id FROM gold.t WHERE false RETURNING id", ""},
		{"UPDATE gold.t SET n = coalesce(n, 0) + 1, name = s.w FROM (VALUES (1, 'w'), (3, 'v')) s(i, w) WHERE t.id = s.i RETURNING gold.t.id, n, name", "1|8|w\n3|1|v"},
		{"UPDATE gold.t SET n = 0 WHERE id > 100 RETURNING id", ""},
		{"DELETE FROM gold.t AS d USING (VALUES (4), (4)) s(i) WHERE d.id = s.i RETURNING d.id, d.name", "4|n4"},
		{"MERGE INTO gold.t USING (VALUES (5), (6)) s(i) ON t.id = s.i WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.i, 6) RETURNING id, n, name", "5|(null)|n5\n6|6|(null)"},
		{"DELETE FROM gold.t RETURNING count(*)", "4"},
		{"SELECT count(*) FROM gold.t", "0"},
	} {
		if got, err := s.run(step.statement); err != nil || strings.Join(got, "\n") != step.told {
			t.Errorf("%s: %q, %v, want %q", step.statement, got, err, step.told)
		}
	}
	s.refusedAs(map[string]fault.Code{
		"INSERT INTO gold.t VALUES (1, 7, 1, 'a') RETURNING nope":                                     fault.NotFound,
		"INSERT INTO gold.t (n) VALUES (DEFAULT) RETURNING id":                                        fault.Invalid, // null in id
		"INSERT INTO gold.t DEFAULT VALUES":                                                           fault.Invalid,
		"INSERT INTO gold.t (id, name) SELECT i, 'x' FROM range(200000) r(i) RETURNING id":            fault.TooLarge,
		"INSERT INTO gold.t (id, name) SELECT i, repeat('x', 9000) FROM range(4000) r(i) RETURNING *": fault.TooLarge,
		"INSERT INTO gold.t VALUES (1, 7, 1, 'a') RETURNING (SELECT * FROM read_text('/etc/passwd'))": fault.Denied,
		"INSERT INTO gold.t VALUES (1, 7, 1, 'a') RETURNING CAST(name AS INT)":                        fault.Invalid,
	})
	if got, err := s.run("SELECT count(*) FROM gold.t"); err != nil || strings.Join(got, "") != "0" {
		t.Errorf("refused statements wrote %q, %v", got, err)
	}
}

// TestUpserts: ON CONFLICT means what it does in PostgreSQL.
func TestUpserts(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id INT PRIMARY KEY, n INT, name VARCHAR)", "CREATE TABLE gold.two (a INT, b INT, n INT, PRIMARY KEY (a, b))", "CREATE TABLE gold.none (id INT)")
	for _, step := range []struct{ statement, told, rows string }{
		{"INSERT INTO gold.t VALUES (1, 1, 'a'), (2, 2, 'b') ON CONFLICT (id) DO NOTHING", "INSERT 2", "1 1 a, 2 2 b"},
		{"INSERT INTO gold.t VALUES (2, 9, 'z'), (3, 3, 'c'), (3, 4, 'd') ON CONFLICT (id) DO NOTHING", "INSERT 1", "1 1 a, 2 2 b, 3 3 c"},
		{"INSERT INTO gold.t (id, n) VALUES (1, 10), (4, 40) ON CONFLICT (id) DO UPDATE SET n = n + excluded.n, name = excluded.name", "INSERT 2", "1 11 -, 2 2 b, 3 3 c, 4 40 -"},
		{"INSERT INTO gold.t AS x (name, id) VALUES ('q', 2), ('r', 3) ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET name = x.name || EXCLUDED.\"name\" WHERE x.n < 3", "INSERT 1", "1 11 -, 2 2 bq, 3 3 c, 4 40 -"},
		{"INSERT INTO gold.t SELECT id, n, 'again' FROM gold.t WHERE id > 2 ON CONFLICT (id) DO UPDATE SET name = excluded.name", "INSERT 2", "1 11 -, 2 2 bq, 3 3 again, 4 40 again"},
		{"INSERT INTO gold.t VALUES (1, 0, 'x') ON CONFLICT (id) DO UPDATE SET n = gold.t.n + 1, name = (SELECT max(name) FROM gold.t) RETURNING id, n, name", "1|12|bq", "1 12 bq, 2 2 bq, 3 3 again, 4 40 again"},
		{"INSERT INTO gold.t VALUES (1, 0, 'x') ON CONFLICT DO NOTHING", "INSERT 0", "1 12 bq, 2 2 bq, 3 3 again, 4 40 again"},
	} {
		got, err := s.run(step.statement)
		if err != nil || strings.Join(got, "\n") != step.told {
			t.Fatalf("%s: %q, %v, want %s", step.statement, got, err, step.told)
		}
		if got, err := s.run("SELECT string_agg(id || ' ' || n || ' ' || coalesce(name, '-'), ', ' ORDER BY id) FROM gold.t"); err != nil || strings.Join(got, "") != step.rows {
			t.Fatalf("after %s: %q, %v, want %s", step.statement, got, err, step.rows)
		}
	}
	s.exec("INSERT INTO gold.two VALUES (1, 1, 1), (1, 2, 2) ON CONFLICT (b, a) DO NOTHING", "INSERT INTO gold.two VALUES (1, 2, 20) ON CONFLICT (b, a) DO UPDATE SET n = excluded.n", "INSERT INTO gold.none VALUES (1), (1) ON CONFLICT DO NOTHING")
	if got, err := s.run("SELECT sum(n), (SELECT count(*) FROM gold.none) FROM gold.two"); err != nil || strings.Join(got, "") != "21|2" {
		t.Errorf("%q, %v", got, err)
	}
	s.refusedAs(map[string]fault.Code{
		"INSERT INTO gold.t VALUES (7, 1, 'a'), (7, 1, 'b') ON CONFLICT (id) DO UPDATE SET n = 1": fault.Invalid,
		"INSERT INTO gold.t VALUES (1, 1, 'a'), (1, 1, 'b') ON CONFLICT (id) DO UPDATE SET n = 1": fault.Invalid,
		"INSERT INTO gold.t VALUES (1, 1, 'a') ON CONFLICT (n) DO NOTHING":                        fault.Invalid,
		"INSERT INTO gold.none VALUES (1) ON CONFLICT (id) DO NOTHING":                            fault.Invalid,
		"INSERT INTO gold.t VALUES (1, 1, 'a') ON CONFLICT DO UPDATE SET n = 1":                   fault.Syntax,
		"INSERT INTO gold.t VALUES (1, 1, 'a') ON CONFLICT (id) DO UPDATE SET n = excluded.nope":  fault.NotFound,
		"INSERT INTO gold.t VALUES (NULL, 1, 'a') ON CONFLICT (id) DO NOTHING":                    fault.Invalid,
		"INSERT INTO gold.t VALUES (1, 1) ON CONFLICT (id) DO NOTHING":                            fault.Invalid,
	})
}

// TestUpsertsOfFloats: NaN is a key as any, and so is zero, whatever its sign.
func TestUpsertsOfFloats(t *testing.T) {
	s := newSite(t)
	for _, typ := range []string{"DOUBLE", "FLOAT"} {
		s.exec(
			"CREATE OR REPLACE TABLE gold.t (k "+typ+" PRIMARY KEY, n INT)", "INSERT INTO gold.t VALUES ('NaN'::DOUBLE, 1), (1.5, 1), (0, 1)",
			"INSERT INTO gold.t VALUES ('NaN'::DOUBLE, 2) ON CONFLICT (k) DO UPDATE SET n = excluded.n",
			"INSERT INTO gold.t VALUES (-0.0::DOUBLE, 2), (7, 2) ON CONFLICT (k) DO UPDATE SET n = excluded.n",
			"INSERT INTO gold.t VALUES ('NaN'::DOUBLE, 3), (7, 3) ON CONFLICT DO NOTHING",
		)
		if got, err := s.run("SELECT k, n FROM gold.t ORDER BY k"); err != nil || strings.Join(got, " ") != "0|2 1.5|1 7|2 NaN|2" {
			t.Errorf("%s: %q, %v", typ, got, err)
		}
	}
}

// TestUpsertsOfWhoReadsSome: a row that one may not see may have the key.
func TestUpsertsOfWhoReadsSome(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id INT PRIMARY KEY, n INT)", "INSERT INTO gold.t VALUES (1, 1)")
	s.stop()
	g := &decided{}
	g.is.Store(&guard.Decision{Allow: true, Filter: "id > 1"})
	s.guard = g
	s.start()
	s.refusedAs(map[string]fault.Code{
		"INSERT INTO gold.t VALUES (1, 2) ON CONFLICT DO NOTHING": fault.Denied,
		"ALTER TABLE gold.t RENAME COLUMN id TO key":              fault.Denied,
	})
	g.is.Store(&guard.Decision{Allow: true, Masks: map[string]string{"n": "NULL"}})
	s.refusedAs(map[string]fault.Code{
		"ALTER TABLE gold.t RENAME COLUMN n TO m": fault.Denied, // and be read by that name
		"ALTER TABLE gold.t DROP COLUMN n":        fault.Denied,
	})
}

// TestRowsOfOtherColumns: rows that were made before a column went, and another one came in its place, are no rows of the table, though their types are.
func TestRowsOfOtherColumns(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id INT, a INT, b INT)")
	tab, err := s.lake.Tables().Open(s.ctx, table.Ident{Namespace: "gold", Name: "t"})
	s.must(err)
	appender, err := s.gate.Appender(s.ctx, engine.Request{Text: "COPY", Principal: guard.Principal{User: "tarn"}}, sqltext.Table{Schema: "gold", Name: "t"}, nil)
	s.must(err)
	made := s.batch(tab.Columns(), `{"id":1,"a":2,"b":3}`)[0]
	rows := func(yield func(arrow.RecordBatch, error) bool) { yield(made, nil) }
	for _, step := range []string{"ALTER TABLE gold.t DROP COLUMN a, ADD COLUMN c INT", "ALTER TABLE gold.t DROP COLUMN c"} {
		s.exec(step)
		if files, err := tab.Write(s.ctx, rows); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("after %s: %v, %v", step, files, err)
		}
		if n, err := appender.Append(s.ctx, rows); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("after %s %d rows are appended, %v", step, n, err)
		}
	}
	if got, err := s.run("SELECT count(*) FROM gold.t"); err != nil || strings.Join(got, "") != "0" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestColumnsOfViewsStay: what a view reads without naming it stays, too.
func TestColumnsOfViewsStay(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id INT, a INT, b INT)", "CREATE TABLE gold.u (id INT, b INT)")
	for _, body := range []string{
		"FROM gold.t", "SELECT t.id FROM gold.t NATURAL JOIN gold.u", "SELECT id FROM gold.u UNION ALL SELECT id FROM (FROM gold.t)", "SELECT COLUMNS('a|b') FROM gold.t", "SELECT b + 1 AS more FROM gold.t",
	} {
		s.exec("CREATE VIEW gold.v AS " + body)
		s.refusedAs(map[string]fault.Code{"ALTER TABLE gold.t DROP COLUMN b": fault.Invalid, "ALTER TABLE gold.t RENAME COLUMN b TO c": fault.Invalid})
		s.exec("DROP VIEW gold.v")
	}
	s.exec("CREATE VIEW gold.v AS SELECT t.a FROM gold.t JOIN gold.u USING (id)", "ALTER TABLE gold.t DROP COLUMN b")
}

// TestUpsertsAtOnce: whatever clients upsert at once, beside commits of others, each key is there once and each answered statement counts once.
func TestUpsertsAtOnce(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id INT PRIMARY KEY, n INT NOT NULL)")
	tab, err := s.lake.Tables().Open(s.ctx, table.Ident{Namespace: "gold", Name: "t"})
	s.must(err)
	const clients, rounds, keys = 4, 8, 5
	var counted [keys]atomic.Int64
	var nothing atomic.Int64 // rows that DO NOTHING wrote
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for round := range rounds {
				k := (client + round) % keys
				_, err := s.run(fmt.Sprintf("INSERT INTO gold.t VALUES (%d, 1), (%d, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + excluded.n", k, (k+1)%keys))
				switch {
				case err == nil:
					counted[k].Add(1)
					counted[(k+1)%keys].Add(1)
				case fault.CodeOf(err) != fault.Conflict:
					t.Error(err)
				}
				got, err := s.run(fmt.Sprintf("INSERT INTO gold.t VALUES (%d, 0) ON CONFLICT DO NOTHING RETURNING id", 100+round))
				if nothing.Add(int64(len(got))); err != nil && fault.CodeOf(err) != fault.Conflict {
					t.Error(err)
				}
				if client == 0 { // as another engine, which waits for no turn
					if _, err := tab.Commit(s.ctx, table.Change{Owner: "statements", Rows: s.batch(tab.Columns(), fmt.Sprintf(`{"id":%d,"n":0}`, 1000+round))}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	var want []string
	for k := range counted {
		want = append(want, fmt.Sprintf("%d|%d", k, counted[k].Load()))
	}
	if got, err := s.run("SELECT id, n FROM gold.t WHERE id < 100 ORDER BY id"); err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the rows are %q, %v, want %q", got, err, want)
	}
	if got, err := s.run("SELECT count(*), count(DISTINCT id) FROM gold.t WHERE id BETWEEN 100 AND 999"); err != nil || strings.Join(got, "") != fmt.Sprintf("%d|%d", nothing.Load(), nothing.Load()) {
		t.Errorf("rows that came once: %q, %v, want %d", got, err, nothing.Load())
	}
	if got, err := s.run("SELECT count(*) FROM gold.t WHERE id >= 1000"); err != nil || strings.Join(got, "") != fmt.Sprint(rounds) {
		t.Errorf("appended rows: %q, %v", got, err)
	}
}

// TestColumnsGoAndAreRenamed: what a column held goes with it, also where one of its name comes again, and follows another name, over a restart.
func TestColumnsGoAndAreRenamed(t *testing.T) {
	s := newSite(t)
	s.exec(
		"CREATE TABLE gold.t (id INT PRIMARY KEY, a INT, b VARCHAR NOT NULL, c INT)", "INSERT INTO gold.t VALUES (1, 10, 'x', 100)",
		"ALTER TABLE gold.t RENAME COLUMN a TO n", "INSERT INTO gold.t VALUES (2, 20, 'y', 200)",
		"ALTER TABLE gold.t DROP COLUMN c, DROP COLUMN IF EXISTS nope", "ALTER TABLE gold.t ADD COLUMN c INT", "ALTER TABLE gold.t RENAME id TO key", "ALTER TABLE gold.t RENAME b TO id",
		"INSERT INTO gold.t VALUES (3, 30, 'z', 300)", "UPDATE gold.t SET c = 1 WHERE key = 1", "ALTER TABLE gold.t ALTER COLUMN id DROP NOT NULL",
		"INSERT INTO gold.t VALUES (2, 21, NULL, 7) ON CONFLICT (key) DO UPDATE SET n = excluded.n, id = excluded.id",
		"CREATE VIEW gold.v AS SELECT n FROM gold.t",
	)
	s.refusedAs(map[string]fault.Code{
		"ALTER TABLE gold.t RENAME COLUMN n TO c":         fault.Exists,
		"ALTER TABLE gold.t DROP COLUMN key":              fault.Invalid,
		"ALTER TABLE gold.t DROP COLUMN nope":             fault.NotFound,
		"ALTER TABLE gold.t RENAME nope TO x":             fault.NotFound,
		"ALTER TABLE gold.t RENAME c TO c":                fault.Exists,
		"ALTER TABLE gold.t RENAME c TO X, ADD x INT":     fault.Exists, // which no statement could tell apart
		"ALTER TABLE gold.t RENAME c TO X, RENAME n TO x": fault.Exists,
		"ALTER TABLE gold.t RENAME c TO x, RENAME c TO y": fault.Invalid,
		"ALTER TABLE gold.t ADD x INT, DROP x":            fault.Invalid,
		"ALTER TABLE gold.t DROP COLUMN n":                fault.Invalid, // the view reads it
		"ALTER TABLE gold.t RENAME COLUMN n TO n2":        fault.Invalid,
	})
	for range 2 {
		if got, err := s.run("SELECT * FROM gold.t ORDER BY key"); err != nil || strings.Join(got, " ") != "1|10|x|1 2|21|(null)|(null) 3|30|z|300" {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := s.run("SELECT key FROM gold.t WHERE c = 200 OR key = 2"); err != nil || strings.Join(got, " ") != "2" {
			t.Errorf("%q, %v", got, err)
		}
		s.stop()
		s.start()
	}
	s.exec("DROP VIEW gold.v", "ALTER TABLE gold.t DROP n", "ALTER TABLE gold.t DROP id, DROP c")
	if got, err := s.run("SELECT * FROM gold.t ORDER BY ALL"); err != nil || strings.Join(got, " ") != "1 2 3" {
		t.Errorf("%q, %v", got, err)
	}
}
