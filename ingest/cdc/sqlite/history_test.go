package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/embedded/bus"
	"tarn/embedded/disk/disktest"
	"tarn/embedded/fault"
	"tarn/ingest/cdc/sqlite"
)

// The tables of the histories: every way to have a key, unique indexes of every kind, and
// an application that has triggers of its own.
var historyDDL = []string{
	`CREATE TABLE alias (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b INT, n DECIMAL(10,2))`,
	`CREATE UNIQUE INDEX alias_b ON alias (b, lower(a)) WHERE b > 1`,
	`CREATE TABLE pair (k1 TEXT, k2 INT, v, PRIMARY KEY (k2, k1)) WITHOUT ROWID`,
	`CREATE TABLE texts (k TEXT PRIMARY KEY, v REAL, w BLOB, u INT, UNIQUE (u))`,
	`CREATE TABLE tree (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT COLLATE NOCASE UNIQUE, parent INT REFERENCES tree (id) ON DELETE CASCADE, twice INT AS (id * 2))`,
	`CREATE TABLE touched (id INTEGER PRIMARY KEY, a INT UNIQUE, stamp INT DEFAULT 0)`,
	`CREATE TRIGGER touch_insert AFTER INSERT ON touched BEGIN UPDATE touched SET stamp = stamp + 1 WHERE id = NEW.id; END`,
	`CREATE TRIGGER touch_update BEFORE UPDATE OF a ON touched BEGIN UPDATE touched SET stamp = stamp + 10 WHERE id = OLD.id + 1; END`,
}

var historyTables = []string{"alias", "pair", "texts", "tree", "touched"}

var columnsOf = map[string][]string{
	"alias": {"id", "a", "b", "n"}, "pair": {"k1", "k2", "v"}, "texts": {"k", "v", "w", "u"},
	"tree": {"id", "code", "parent"}, "touched": {"id", "a"},
}

// anyValue is from so few that rows meet often; mostly it is a number that fits every column.
func anyValue(t *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(t, "plain") > 0 {
		return rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "number")
	}
	return rapid.SampledFrom([]string{
		"1", "2", "3", "4", "'a'", "'A'", "'b'", "NULL", "1.5", "2.0", "x'00ff'", "'12'", "9223372036854775807", "''", "cast(x'ff61' as text)", "-9e999",
	}).Draw(t, "value")
}

func anyStatement(t *rapid.T) string {
	table := rapid.SampledFrom(historyTables).Draw(t, "table")
	columns := columnsOf[table]
	column := func() string { return rapid.SampledFrom(columns).Draw(t, "column") }
	values := func() string {
		var out []string
		for range columns {
			out = append(out, anyValue(t))
		}
		return strings.Join(out, ", ")
	}
	into := fmt.Sprintf("INTO %s (%s)", table, strings.Join(columns, ", "))
	where := func() string {
		return rapid.SampledFrom([]string{column() + " = " + anyValue(t), column() + " IS NULL", column() + " > " + anyValue(t)}).Draw(t, "where")
	}
	set := func() string { return column() + " = " + anyValue(t) }
	switch rapid.IntRange(0, 9).Draw(t, "statement") {
	case 0, 1:
		return "INSERT " + into + " VALUES (" + values() + ")"
	case 2, 3:
		return "INSERT OR REPLACE " + into + " VALUES (" + values() + "), (" + values() + ")"
	case 4:
		return "INSERT OR IGNORE " + into + " VALUES (" + values() + "), (" + values() + ")"
	case 5:
		return "INSERT " + into + " VALUES (" + values() + ") ON CONFLICT DO UPDATE SET " + set()
	case 6:
		return "UPDATE " + table + " SET " + set() + " WHERE " + where()
	case 7:
		return "UPDATE OR REPLACE " + table + " SET " + set() + ", " + set() + " WHERE " + where()
	case 8:
		return "DELETE FROM " + table + " WHERE " + where()
	}
	return "UPDATE OR " + rapid.SampledFrom([]string{"IGNORE", "FAIL"}).Draw(t, "or") + " " + table + " SET " + set()
}

// transaction runs some statements; those that break a rule of the database fail, as they may.
func (r *rig) transaction(t *rapid.T) {
	tx, err := r.app.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(1, 5).Draw(t, "statements") {
		if rapid.Bool().Draw(t, "recursive") {
			_, _ = tx.Exec("PRAGMA recursive_triggers = " + rapid.SampledFrom([]string{"0", "1"}).Draw(t, "on"))
		}
		_, _ = tx.Exec(anyStatement(t))
	}
	if rapid.IntRange(0, 4).Draw(t, "end") == 0 {
		err = tx.Rollback()
	} else {
		err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHistoriesFoldToTheDatabase runs random histories by a connection of its own, while
// the source is stopped, started, crashed before and after an append, and refused.
func TestHistoriesFoldToTheDatabase(t *testing.T) {
	t.Parallel()
	base := disktest.Memory(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "") //nolint:usetesting // one folder for each history
		if err != nil {
			rt.Fatal(err)
		}
		r := newRig(rt, dir, rapid.SampledFrom(journals).Draw(rt, "journal"), historyDDL...)
		defer r.close()
		if cut := rapid.IntRange(0, 4).Draw(rt, "drain"); cut > 0 {
			r.kind = sqlite.KindCutAt(cut)
		}
		plan := make(chan func() (bool, error), 100)
		r.log.Refuse = func(string) (bool, error) {
			select {
			case f := <-plan:
				return f()
			default:
				return false, nil
			}
		}
		started := rapid.IntRange(0, 3).Draw(rt, "started") > 0
		if started {
			r.start()
			r.equal(historyTables...)
		}
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				if started {
					r.stop()
				} else {
					r.start()
				}
				started = !started
			case 1:
				landed := rapid.Bool().Draw(rt, "landed")
				err := rapid.SampledFrom([]error{errCrash, bus.ErrRetry, fault.New(fault.NoSpace, "full", "")}).Draw(rt, "refusal")
				select {
				case plan <- func() (bool, error) { return landed, err }:
				default:
				}
			default:
				r.transaction(rt)
			}
		}
		if !started {
			r.start()
		}
		r.equal(historyTables...)
	})
}

// TestARowThatATriggerTouchedIsReplaced: between Tarn's look at what a statement may replace and its replacement, a trigger of
// the application updates the row, or makes room for the one that is written.
func TestARowThatATriggerTouchedIsReplaced(t *testing.T) {
	const table, update = "CREATE TABLE touched (id INTEGER PRIMARY KEY, a INT UNIQUE, stamp INT DEFAULT 0)", "CREATE TRIGGER touch BEFORE UPDATE OF a ON touched BEGIN UPDATE touched SET "
	for name, touch := range map[string]string{
		"and is in the way":    update + "stamp = stamp + 10 WHERE id = OLD.id + 1; END",
		"and goes out of it":   update + "a = a + 100 WHERE id = OLD.id + 1; END",
		"and has another key":  update + "id = id + 100 WHERE id = OLD.id + 1; END",
		"twice":                update + "stamp = 1 WHERE id = OLD.id + 1; UPDATE touched SET stamp = 2 WHERE id = OLD.id + 1; END",
		"and deletes it first": "CREATE TRIGGER touch BEFORE UPDATE OF a ON touched BEGIN UPDATE touched SET stamp = 1 WHERE id = OLD.id + 1; DELETE FROM touched WHERE id = OLD.id + 1; END",
	} {
		t.Run(name, func(t *testing.T) {
			r := running(t, table, "INSERT INTO touched VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0)", touch)
			r.exec("PRAGMA recursive_triggers = 0", "UPDATE OR REPLACE touched SET a = 2 WHERE id = 1")
			r.equal("touched")
			r.exec("INSERT INTO touched VALUES (9, 9, 0) ON CONFLICT DO UPDATE SET stamp = 5", "INSERT INTO touched VALUES (9, 8, 0) ON CONFLICT DO UPDATE SET stamp = 6")
			r.equal("touched")
		})
	}
}
