package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/ingest/cdc/sqlite"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

const callsDDL = "CREATE TABLE calls (id INTEGER PRIMARY KEY, berth TEXT UNIQUE, teu INT)"

// running is a rig whose source has taken its first snapshot of calls, with three rows.
func running(t *testing.T, ddl ...string) *rig {
	t.Helper()
	r := newRig(t, t.TempDir(), "wal", append([]string{callsDDL, "INSERT INTO calls VALUES (1, 'A', 1), (2, 'B', 2), (3, 'C', 3)"}, ddl...)...)
	t.Cleanup(r.close)
	r.start()
	r.equal("calls")
	return r
}

func TestTheSchemaChangesInMidStream(t *testing.T) {
	t.Parallel()
	change := []string{"UPDATE calls SET teu = teu + 1", "INSERT INTO calls (id, berth) VALUES (9, 'Z')"}
	for name, statements := range map[string][]string{
		"add a column":             {"ALTER TABLE calls ADD COLUMN note TEXT DEFAULT 'n'"},
		"rename a column":          {"ALTER TABLE calls RENAME COLUMN teu TO boxes", "UPDATE calls SET boxes = 0"},
		"drop and make again":      {"DROP TABLE calls", "CREATE TABLE calls (id TEXT PRIMARY KEY, other REAL)", "INSERT INTO calls VALUES ('x', 1)"},
		"the same table again":     {"DROP TABLE calls", callsDDL, "INSERT INTO calls VALUES (1, 'A', 7)"},
		"rebuild":                  {"CREATE TABLE new (id INTEGER PRIMARY KEY, berth TEXT)", "INSERT INTO new SELECT id, berth FROM calls", "DROP TABLE calls", "ALTER TABLE new RENAME TO calls", "UPDATE calls SET berth = 'Q' WHERE id = 1"},
		"rename away, make again":  {"ALTER TABLE calls RENAME TO old_calls", callsDDL, "INSERT INTO calls VALUES (5, 'E', 5)", "UPDATE old_calls SET teu = 0"},
		"a unique index":           {"CREATE UNIQUE INDEX u ON calls (teu)", "REPLACE INTO calls VALUES (7, 'G', 2)"},
		"no unique index":          {"DROP TABLE calls", "CREATE TABLE calls (id INTEGER PRIMARY KEY, berth TEXT, teu INT)", "INSERT INTO calls VALUES (7, 'G', 2)"},
		"a trigger on the table":   {"CREATE TRIGGER touch AFTER UPDATE OF berth ON calls BEGIN UPDATE calls SET teu = teu + 100 WHERE id = NEW.id; END", "UPDATE calls SET berth = 'T' WHERE id = 2"},
		"vacuum":                   {"DELETE FROM calls WHERE id = 2", "VACUUM", "REPLACE INTO calls VALUES (3, 'H', 2)"},
		"Tarn's tables are lost":   {"DROP TABLE _tarn_meta", "UPDATE calls SET teu = 50"},
		"a name that needs quotes": {`ALTER TABLE calls ADD COLUMN "a ""b'c" INT`, `UPDATE calls SET "a ""b'c" = 3`},
		"a generated column":       {"ALTER TABLE calls ADD COLUMN twice INT AS (teu * 2)", "UPDATE calls SET teu = 8"},
		"strict":                   {"DROP TABLE calls", "CREATE TABLE calls (id TEXT PRIMARY KEY, a ANY, b INT) STRICT", "INSERT INTO calls VALUES ('x', 1.5, 2)", "UPDATE calls SET a = 'y'"},
	} {
		for _, when := range []string{"while it runs", "while it is stopped"} {
			t.Run(name+" "+when, func(t *testing.T) {
				r := running(t)
				if when == "while it is stopped" {
					r.stop()
				}
				r.exec(change...)
				r.exec(statements...)
				if when == "while it is stopped" {
					r.start()
				}
				r.equal("calls")
				r.exec("DELETE FROM calls WHERE rowid = 1")
				r.equal("calls")
			})
		}
	}
}

// TestChangesBeforeAnAlterKeepTheirColumns drains a log after the table was altered.
func TestChangesBeforeAnAlterKeepTheirColumns(t *testing.T) {
	r := running(t)
	r.stop()
	r.exec("UPDATE calls SET teu = 42 WHERE id = 1", "ALTER TABLE calls ADD COLUMN note TEXT", "ALTER TABLE calls RENAME COLUMN teu TO boxes")
	r.start()
	r.equal("calls")
	for _, e := range r.log.Events(t, "p.main.calls") {
		if strings.Contains(string(e.Value), `"after":{"id":1,"berth":"A","teu":42}`) {
			return
		}
	}
	t.Fatal("the change made before is not in the log with its own columns")
}

func TestTablesComeAndGo(t *testing.T) {
	r := running(t)
	r.exec("CREATE TABLE later (id INTEGER PRIMARY KEY, v)", "INSERT INTO later VALUES (1, 2)")
	r.equal("calls", "later")
	r.exec("INSERT INTO later VALUES (5, 5)", "DROP TABLE later", "UPDATE calls SET teu = 0")
	r.equal("calls")
	r.until("a finding about the dropped table", func() bool {
		for _, f := range r.runner.Status().Findings {
			if f.Table == "later" && strings.Contains(f.Message, "dropped") {
				return true
			}
		}
		return false
	})
	if !strings.Contains(r.text("p.main.later"), `"after":{"id":5`) {
		t.Fatal("the last change before the drop is lost")
	}
	r.exec("CREATE TABLE later (id INTEGER PRIMARY KEY, v)", "INSERT INTO later VALUES (3, 3)")
	r.equal("calls", "later")
}

// text is everything in a topic.
func (r *rig) text(topic string) string {
	var b strings.Builder
	for _, e := range r.log.Events(r.t, topic) {
		b.Write(e.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestADatabaseIsPutBackFromABackup(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(r *rig, backup []byte){
		"over the file": func(r *rig, backup []byte) {
			r.exec("PRAGMA wal_checkpoint(TRUNCATE)")
			r.overwrite(backup)
		},
		"over the file, and written on past the position": func(r *rig, backup []byte) {
			r.overwrite(backup)
			for range 30 {
				r.exec("UPDATE calls SET teu = teu + 1 WHERE id = 3")
			}
		},
		"as another file": func(r *rig, backup []byte) {
			_ = r.app.Close()
			if err := os.WriteFile(r.path+".new", backup, 0o600); err != nil {
				r.t.Fatal(err)
			}
			for _, old := range []string{"-wal", "-shm", "-journal"} {
				_ = os.Remove(r.path + old)
			}
			if err := os.Rename(r.path+".new", r.path); err != nil {
				r.t.Fatal(err)
			}
			r.app = openApp(r.t, r.path, false)
		},
		"from before Tarn": func(r *rig, _ []byte) {
			_ = r.app.Close()
			for _, old := range []string{"", "-wal", "-shm", "-journal"} {
				_ = os.Remove(r.path + old)
			}
			r.app = openApp(r.t, r.path, true)
			r.exec(callsDDL, "INSERT INTO calls VALUES (1, 'old', 0)")
		},
	} {
		for _, stopped := range []bool{true, false} {
			if !stopped && strings.HasPrefix(name, "over") {
				continue // SQLite itself forbids to overwrite an open database
			}
			t.Run(name, func(t *testing.T) {
				r := newRig(t, t.TempDir(), "delete", callsDDL, "INSERT INTO calls VALUES (1, 'A', 1), (2, 'B', 2), (3, 'C', 3)")
				defer r.close()
				r.start()
				r.equal("calls")
				r.exec("UPDATE calls SET teu = 5")
				r.equal("calls")
				backup, err := os.ReadFile(r.path)
				if err != nil {
					t.Fatal(err)
				}
				for range 5 {
					r.exec("INSERT INTO calls (teu) VALUES (7)", "DELETE FROM calls WHERE id = 1")
				}
				r.equal("calls")
				if stopped {
					r.stop()
				}
				back(r, backup)
				if stopped {
					r.start()
				}
				r.equal("calls")
				r.exec("UPDATE calls SET berth = 'new'  WHERE id = 1")
				r.equal("calls")
			})
		}
	}
}

func (r *rig) overwrite(backup []byte) {
	r.t.Helper()
	_ = r.app.Close()
	if err := os.WriteFile(r.path, backup, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.app = openApp(r.t, r.path, false)
}

func TestWhatIsNotCapturedIsSaid(t *testing.T) {
	r := running(t,
		"CREATE VIRTUAL TABLE search USING fts5 (body)",
		"CREATE TABLE bad (id INTEGER PRIMARY KEY, _EXTRA TEXT)",
		"CREATE TABLE keyless (a, b TEXT)",
		`CREATE TABLE "a b" (id INTEGER PRIMARY KEY)`, `CREATE TABLE a_b (id INTEGER PRIMARY KEY)`,
		"CREATE TABLE hidden (rowid, _rowid_, oid)")
	want := map[string]string{
		"search": "virtual", "bad": "_extra", "keyless": "no primary key", "a_b": "its topic", "hidden": "rowid",
	}
	for _, f := range sqlite.Kind.Check(t.Context(), source.Config{Name: "port", Keys: r.config}) {
		if f.Fatal {
			t.Errorf("fatal: %+v", f)
		}
		if w, ok := want[f.Table]; ok && strings.Contains(f.Message, w) && f.Hint != "" {
			delete(want, f.Table)
		}
	}
	if len(want) > 0 {
		t.Fatalf("no finding for %v", want)
	}
	r.exec("INSERT INTO keyless VALUES (1, 'x'), (1, 'x')", "DELETE FROM keyless", "INSERT INTO bad VALUES (1, 'a')", "INSERT INTO search VALUES ('b')")
	r.until("the keyless rows", func() bool { return strings.Count(r.text("p.main.keyless"), `"op":"d"`) == 2 })
	for _, e := range r.log.Events(t, "p.main.keyless") {
		if e.Key != nil || e.Mark == nil && e.Value == nil {
			t.Fatalf("a table without a key has the key %s or a tombstone", e.Key)
		}
	}
	for _, topic := range r.log.Topics() {
		if topic == "p.main.bad" || topic == "p.main.search" || strings.Contains(topic, "_tarn_") {
			t.Fatalf("topic %s was made", topic)
		}
	}
}

func TestTypes(t *testing.T) {
	r := running(t, `CREATE TABLE types (a INTEGER PRIMARY KEY, b BIGINT, c REAL, d DOUBLE PRECISION, e TEXT NOT NULL, f VARCHAR(20), g BLOB, h, i DECIMAL(10,2), j NUMERIC, k BOOLEAN, l DATE, m "STRING")`)
	want := map[string]record.Type{
		"a": record.Long, "b": record.Long, "c": record.Double, "d": record.Double, "e": record.String, "f": record.String,
		"g": record.Binary, "h": record.String, "i": record.String, "j": record.String, "k": record.Long, "l": record.String, "m": record.String,
	}
	s := r.schema("types")
	for _, c := range s.Columns {
		if c.Type != want[c.Name] || c.Nullable != (c.Name != "a" && c.Name != "e") {
			t.Errorf("column %+v, want %s", c, want[c.Name])
		}
	}
	r.exec(
		`INSERT INTO types VALUES (-9223372036854775808, 9223372036854775807, 0.1, 1e300, '', 'ü😀"\', x'00ff', 5, '12.50', 0.1, TRUE, '2026-01-02', '007')`,
		`INSERT INTO types VALUES (2, 'abc', 'abc', x'01', x'ff', cast(x'fe41' as text), 1.5, 'text', 9007199254740993, 1e20, 'yes', 20260102, x'00')`,
		`INSERT INTO types VALUES (3, 1.5, 9e999, -9e999, 'a'||char(0)||'b', char(10)||char(1), x'', '', 'abc', -0.0, 2, 3.25, NULL)`)
	r.equal("types")
	text := r.text("p.main.types")
	for _, want := range []string{
		`"a":-9223372036854775808,"b":9223372036854775807,"c":0.1,"d":1e+300,"e":"","f":"ü😀\"\\","g":"AP8=","h":null,"i":"12.5","j":"0.1","k":1,"l":"2026-01-02","m":"7","_extra":{"h":{"type":"integer","value":5}}`,
		`"i":"9007199254740993"`, `"f":{"type":"text","value":"/kE=","encoding":"base64"}`, `"c":"Infinity","d":"-Infinity","e":"a\u0000b"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestIncludeAndExclude(t *testing.T) {
	r := newRig(t, t.TempDir(), "delete", callsDDL, "CREATE TABLE call (id INTEGER PRIMARY KEY)", "CREATE TABLE ports (id INTEGER PRIMARY KEY)", "CREATE TABLE ports_old (id INTEGER PRIMARY KEY)")
	defer r.close()
	r.config["table.include.list"], r.config["table.exclude.list"] = "main.call, PORTS.*,moves", "main\\.ports_old"
	tables, err := sqlite.Kind.Discover(context.Background(), source.Config{Name: "port", Keys: r.config})
	if err != nil || len(tables) != 2 || tables[0].Topic != "p.main.call" || tables[1].Topic != "p.main.ports" {
		t.Fatalf("%+v, %v", tables, err)
	}
	found := sqlite.Kind.Check(t.Context(), source.Config{Name: "port", Keys: r.config})
	if len(found) == 0 || !strings.Contains(found[0].Message, `"moves"`) {
		t.Fatalf("got %+v", found)
	}
	r.start()
	r.equal("call", "ports")
	r.stop()
	// A table that is no longer wanted loses its triggers, so that its log does not grow.
	r.config["table.include.list"] = "call"
	r.start()
	r.until("no triggers on ports", func() bool {
		return r.number("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'ports'") == 0
	})
}

func (r *rig) number(query string) (n int) {
	r.t.Helper()
	if err := r.app.QueryRow(query).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func TestBadSettings(t *testing.T) {
	for key, value := range map[string]string{
		"database.path": "", "topic.prefix": "a/b", "snapshot.mode": "often", "poll.interval.ms": "0", "table.include.list": "(",
	} {
		keys := map[string]string{"database.path": "x.db", "topic.prefix": "p", key: value}
		found := sqlite.Kind.Check(t.Context(), source.Config{Name: "port", Keys: keys})
		if len(found) != 1 || !found[0].Fatal || !strings.Contains(found[0].Message, key) || found[0].Hint == "" {
			t.Errorf("%s=%q: got %+v", key, value, found)
		}
	}
}

// TestAnIdleSourceIsNotAbandoned: the last line that a living source keeps may be old.
func TestAnIdleSourceIsNotAbandoned(t *testing.T) {
	r := running(t)
	r.exec("UPDATE calls SET teu = 1")
	r.equal("calls")
	log := r.pruned("calls")
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	other := &rig{t: t, path: r.path, app: r.app, meta: m, log: sourcetest.NewLog(), config: r.config, kind: sqlite.Kind, clock: shifted{by: 8 * 24 * time.Hour}}
	t.Cleanup(func() { other.stop(); _ = m.Close() })
	other.start()
	other.equal("calls")
	if r.number("SELECT count(*) FROM sqlite_schema WHERE name = '"+log+"'") == 0 {
		t.Fatal("the log of a living source was removed")
	}
}

func TestTwoSourcesOnOneDatabase(t *testing.T) {
	r := running(t)
	other := &rig{t: t, kind: sqlite.Kind, clock: life.SystemClock{}, path: r.path, app: r.app, log: sourcetest.NewLog(), config: r.config}
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	other.meta = m
	t.Cleanup(func() { other.stop(); _ = m.Close() })
	other.start()
	other.equal("calls")
	r.exec("REPLACE INTO calls VALUES (7, 'B', 2)")
	r.equal("calls")
	other.equal("calls")
	other.until("a finding", func() bool {
		for _, f := range other.runner.Status().Findings {
			if strings.Contains(f.Message, "another source") {
				return true
			}
		}
		return false
	})
	// The first one goes away for good. Its log is removed when it has grown old.
	r.stop()
	r.exec("UPDATE calls SET teu = 1")
	var log string
	if err := r.app.QueryRow("SELECT log FROM _tarn_meta ORDER BY n LIMIT 1").Scan(&log); err != nil {
		t.Fatal(err)
	}
	r.exec(`UPDATE "`+log+`" SET ts = ts - 8`, "CREATE TABLE another (id INTEGER PRIMARY KEY)")
	other.until("the old log removed", func() bool {
		return r.number("SELECT count(*) FROM sqlite_schema WHERE name = '"+log+"'") == 0
	})
	other.equal("calls")
	// It comes back after all.
	r.start()
	r.equal("calls")
}

// TestALineThatNobodyOfOursWroteIsNotTaken: the shadow table is open to everybody.
func TestALineThatNobodyOfOursWroteIsNotTaken(t *testing.T) {
	for _, set := range []string{"op = 'zz'", "op = ''", "op = 'x', u = 99", "op = 'x', u = -1"} {
		r := running(t)
		r.equal("calls")
		r.stop()
		r.exec("UPDATE calls SET teu = 5")
		log := r.shadow("calls")
		r.exec(`UPDATE "` + log + `" SET ` + set + ` WHERE seq = (SELECT max(seq) FROM "` + log + `")`)
		r.start()
		r.equal("calls")
		if n := len(generations(r, "p.main.calls")); n != 2 {
			t.Fatalf("%s: %d generations, want 2", set, n)
		}
	}
}

// TestABacklogOfManyTablesGoesInSeveralLooks: more waits than one look takes.
func TestABacklogOfManyTablesGoesInSeveralLooks(t *testing.T) {
	t.Parallel()
	var ddl, names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("t%d", i))
		ddl = append(ddl, "CREATE TABLE "+names[i]+" (id INTEGER PRIMARY KEY, v TEXT)")
	}
	r := newRig(t, t.TempDir(), "wal", ddl...)
	defer r.close()
	r.start()
	r.equal(names...)
	r.stop()
	for _, name := range names {
		r.exec("INSERT INTO " + name + " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, printf('%.*c', 100000, 'x') FROM n")
	}
	r.start()
	r.equal(names...)
}

// TestTablesAreReleasedForAMigration: what SQLite refuses on a captured table goes when Tarn's triggers are out of the way, and
// what was not read before is in the log all the same.
func TestTablesAreReleasedForAMigration(t *testing.T) {
	r := running(t)
	const drop = "ALTER TABLE calls DROP COLUMN teu"
	if _, err := r.app.Exec(drop); err == nil {
		t.Fatal("SQLite drops a column that a trigger names")
	}
	r.stop()
	r.exec("UPDATE calls SET teu = 42 WHERE id = 1")
	config := source.Config{Name: r.name, Keys: r.config}
	for range 2 {
		if err := source.Release(t.Context(), r.meta, r.kind, config); err != nil {
			t.Fatal(err)
		}
	}
	r.exec(drop, "INSERT INTO calls VALUES (7, 'G')", "DELETE FROM calls WHERE id = 2")
	r.start()
	r.equal("calls")
	if !strings.Contains(r.text("p.main.calls"), `"after":{"id":1,"berth":"A","teu":42}`) {
		t.Fatal("the last change before the release is lost")
	}
	r.exec("UPDATE calls SET berth = 'Z' WHERE id = 7")
	r.equal("calls")
}
