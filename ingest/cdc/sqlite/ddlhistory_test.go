package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/embedded/bus"
	"tarn/embedded/disk/disktest"
	"tarn/ingest/cdc/sqlite"
)

// altered is an application that changes its tables as freely as its rows. What it says may fail, as in life: on a
// captured table SQLite refuses to drop a column.
type altered struct {
	*rig
	t *rapid.T
	n int // names are never used twice, but for tables
}

// The tables that come and go.
var alteredTables = []string{"t1", "t2", "t3", "Tab4"}

// The ways in which a table is made: every sort of key, of rows and of columns.
var alteredDDL = []string{
	"CREATE TABLE %s (id INTEGER PRIMARY KEY, a, b INT)",
	"CREATE TABLE %s (a TEXT PRIMARY KEY, b REAL, id INT UNIQUE)",
	"CREATE TABLE %s (a INT, id INT, b TEXT DEFAULT 'd', PRIMARY KEY (id, a)) WITHOUT ROWID",
	"CREATE TABLE %s (id TEXT PRIMARY KEY, a ANY, b INT) STRICT, WITHOUT ROWID",
	"CREATE TABLE %s (id INTEGER PRIMARY KEY, a ANY, b BLOB, g INT AS (id + 1) STORED) STRICT",
	"CREATE TABLE %s (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, b DECIMAL, g AS (a || '!') VIRTUAL, UNIQUE (g))",
	"CREATE TABLE %s (a INT PRIMARY KEY DESC, id INT, b NUMERIC)",
}

func (a *altered) pick(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(a.t, what)
}

func (a *altered) fresh(prefix string) string {
	a.n++
	return fmt.Sprintf("%s%d", prefix, a.n)
}

// strings are what a query of one column answers.
func (a *altered) strings(query string, args ...any) (out []string) {
	rows, err := a.app.Query(query, args...)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			a.t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		a.t.Fatal(err)
	}
	return out
}

// tables are those that there are.
func (a *altered) tables() []string {
	return a.strings("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_tarn\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY name")
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// alter is one change of the schema.
func (a *altered) alter(tables []string) string {
	free := slices.DeleteFunc(slices.Clone(alteredTables), func(t string) bool { return slices.Contains(tables, t) })
	kind := rapid.IntRange(0, 10).Draw(a.t, "alter")
	if len(free) > 0 && (len(tables) == 0 || kind == 0) {
		return fmt.Sprintf(a.pick("made", alteredDDL...), quoted(a.pick("table", free...)))
	}
	table := a.pick("table", tables...)
	columns := a.strings("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", table)
	q, column := quoted(table), func() string { return quoted(a.pick("column", columns...)) }
	switch kind {
	case 1:
		return "DROP TABLE " + q
	case 2:
		return "ALTER TABLE " + q + " ADD COLUMN " + a.fresh("c") + a.pick("type", "", " INT", " TEXT DEFAULT 'x'", " REAL NOT NULL DEFAULT 1.5", " BLOB", " INT AS (1 + 1)", " TEXT CHECK (1)")
	case 3:
		return "ALTER TABLE " + q + " RENAME COLUMN " + column() + " TO " + a.fresh("r")
	case 4:
		return "ALTER TABLE " + q + " DROP COLUMN " + column()
	case 5:
		if len(free) > 0 {
			return "ALTER TABLE " + q + " RENAME TO " + quoted(a.pick("to", free...))
		}
	case 6:
		return "CREATE UNIQUE INDEX " + a.fresh("u") + " ON " + q + " (" + column() + a.pick("order", "", " DESC", " COLLATE NOCASE") + ")" + a.pick("where", "", " WHERE rowid IS NOT NULL", " WHERE 2 > 1")
	case 7:
		if indexes := a.strings("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"); len(indexes) > 0 {
			return "DROP INDEX " + a.pick("index", indexes...)
		}
	case 8:
		// The way in which applications do what ALTER TABLE cannot: made anew, filled, and put in its place.
		return fmt.Sprintf("CREATE TABLE rebuilt (id INTEGER PRIMARY KEY, a, b, z TEXT DEFAULT 'new'); INSERT OR REPLACE INTO rebuilt (a, b) SELECT %s, %s FROM %s; DROP TABLE %s; ALTER TABLE rebuilt RENAME TO %s",
			column(), column(), q, q, q)
	case 9:
		return "CREATE TRIGGER " + a.fresh("g") + " AFTER UPDATE ON " + q + " WHEN NEW.rowid > 0 BEGIN UPDATE " + q + " SET " + column() + " = " + column() + " WHERE rowid = NEW.rowid + 1; END"
	}
	return "REINDEX"
}

// write is one change of rows.
func (a *altered) write(tables []string) string {
	table := a.pick("table", tables...)
	columns := a.strings("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", table)
	column := func() string { return quoted(a.pick("column", columns...)) }
	var names, values []string
	for _, c := range columns {
		names, values = append(names, quoted(c)), append(values, anyValue(a.t))
	}
	q := quoted(table)
	switch rapid.IntRange(0, 5).Draw(a.t, "write") {
	case 0, 1, 2:
		return "INSERT " + a.pick("or", "", "OR REPLACE ", "OR IGNORE ") + "INTO " + q + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
	case 3, 4:
		return "UPDATE " + a.pick("or", "", "OR REPLACE ", "OR IGNORE ") + q + " SET " + column() + " = " + anyValue(a.t) + " WHERE " + column() + " = " + anyValue(a.t)
	}
	return "DELETE FROM " + q + " WHERE " + column() + " = " + anyValue(a.t)
}

// transaction alters and writes, by the application's connection or by one that has the database attached to another, and
// takes back some of it.
func (a *altered) transaction() {
	if rapid.IntRange(0, 9).Draw(a.t, "vacuum") == 0 {
		_, _ = a.app.Exec("VACUUM")
		return
	}
	app := a.app
	if rapid.IntRange(0, 4).Draw(a.t, "attached") == 0 {
		other := openApp(a.rig.t, filepath.Join(filepath.Dir(a.path), "other.db"), true)
		defer func() { _ = other.Close() }()
		if _, err := other.Exec("ATTACH ? AS port", a.path); err != nil {
			a.t.Fatal(err)
		}
		app = other
	}
	var script []string
	tables := a.tables()
	for range rapid.IntRange(1, 4).Draw(a.t, "statements") {
		if app == a.app && (len(tables) == 0 || rapid.IntRange(0, 2).Draw(a.t, "what") == 0) {
			script = append(script, a.alter(tables))
			break // what follows would have to know what it did
		}
		if len(tables) > 0 {
			script = append(script, a.write(tables))
		}
	}
	tx, err := app.Begin()
	if err != nil {
		a.t.Fatal(err)
	}
	for i, s := range script {
		save := fmt.Sprintf("s%d", i)
		_, _ = tx.Exec("SAVEPOINT " + save)
		if _, err := tx.Exec(s); err != nil {
			_, _ = tx.Exec("ROLLBACK TO " + save) // of a script that failed in the middle
		}
	}
	if rapid.IntRange(0, 5).Draw(a.t, "end") == 0 {
		_ = tx.Rollback()
	} else {
		_ = tx.Commit() // a deferred rule may fail
	}
}

// TestTablesThatAreAlteredFoldToTheDatabase runs random changes of schemas and rows while the source is stopped, started,
// crashed and refused: in the end each table that there is equals what its topic folds to.
func TestTablesThatAreAlteredFoldToTheDatabase(t *testing.T) {
	t.Parallel()
	base := disktest.Memory(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "") //nolint:usetesting // one folder for each history
		if err != nil {
			rt.Fatal(err)
		}
		a := &altered{rig: newRig(rt, dir, rapid.SampledFrom(journals).Draw(rt, "journal")), t: rt}
		defer a.close()
		if cut := rapid.IntRange(0, 4).Draw(rt, "drain"); cut > 0 {
			a.kind = sqlite.KindCutAt(cut)
		}
		plan := make(chan func() (bool, error), 100)
		a.log.Refuse = func(string) (bool, error) {
			select {
			case f := <-plan:
				return f()
			default:
				return false, nil
			}
		}
		started := false
		for range rapid.IntRange(4, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0, 1:
				if started {
					a.stop()
				} else {
					a.start()
				}
				started = !started
			case 2:
				landed, err := rapid.Bool().Draw(rt, "landed"), rapid.SampledFrom([]error{errCrash, bus.ErrRetry}).Draw(rt, "refusal")
				select {
				case plan <- func() (bool, error) { return landed, err }:
				default:
				}
			case 3:
				if started {
					a.equal(a.tables()...)
				}
			default:
				a.transaction()
			}
		}
		if !started {
			a.start()
		}
		a.equal(a.tables()...)
	})
}
