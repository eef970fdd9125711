package sqlite_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"tarn/embedded/meta"
	"tarn/ingest/cdc/sqlite"
)

// TestADatabaseThatLostItsEnd: a power cut took the last commits of a database that does not
// sync each of them. The numbers of their lines come again with other changes.
func TestADatabaseThatLostItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		unsaved bool // the position of what was appended was not saved
		lost    int  // so many of the log's last appends are gone too
	}{
		"position saved": {}, "position not saved": {unsaved: true}, "log lost its end too": {lost: 1},
		"log lost its end before the position was saved": {unsaved: true, lost: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, t.TempDir(), "delete", callsDDL, "INSERT INTO calls VALUES (1, 'A', 1), (2, 'B', 2)")
			defer r.close()
			r.ackDelay = time.Hour
			r.start()
			r.equal("calls")
			r.exec("UPDATE calls SET teu = 3 WHERE id = 1")
			r.equal("calls")
			r.stop()
			before := r.file()
			saved, err := r.meta.List(t.Context(), meta.Positions)
			if err != nil {
				t.Fatal(err)
			}
			r.start()
			r.exec("INSERT INTO calls VALUES (3, 'C', 3)")
			r.equal("calls")
			r.exec("UPDATE calls SET teu = 10 WHERE id = 1")
			r.equal("calls")
			r.stop()

			r.log.Cut(t, "p.main.calls", c.lost)
			if c.unsaved {
				if err := r.meta.Put(t.Context(), saved...); err != nil {
					t.Fatal(err)
				}
			}
			r.putBack(before)
			r.exec("UPDATE calls SET teu = 20 WHERE id = 2", "DELETE FROM calls WHERE id = 1", "INSERT INTO calls VALUES (4, 'D', 4)", "UPDATE calls SET teu = 5 WHERE id = 4")
			r.start()
			r.equal("calls")
			r.exec("UPDATE calls SET teu = teu + 1")
			r.equal("calls")
		})
	}
}

// TestTarnsDataPutBack: what was captured after the backup was pruned in the database.
func TestTarnsDataPutBack(t *testing.T) {
	for _, read := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d lines read before", read), func(t *testing.T) {
			r := running(t)
			for range read {
				r.exec("UPDATE calls SET teu = 3 WHERE id = 1")
			}
			r.equal("calls")
			r.stop()
			saved, err := r.meta.List(t.Context(), meta.Positions)
			if err != nil {
				t.Fatal(err)
			}
			batches := len(r.log.Batches("p.main.calls"))
			r.start()
			r.exec("INSERT INTO calls VALUES (7, 'G', 7)", "DELETE FROM calls WHERE id = 1", "UPDATE calls SET teu = 4 WHERE id = 2")
			r.equal("calls")
			r.pruned("calls")
			r.stop()
			r.log.Cut(t, "p.main.calls", len(r.log.Batches("p.main.calls"))-batches)
			if err := r.meta.Put(t.Context(), saved...); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.equal("calls")
		})
	}
}

// file reads the database, which nobody has open.
func (r *rig) file() []byte {
	r.t.Helper()
	_ = r.app.Close()
	content, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.app = openApp(r.t, r.path, false)
	return content
}

// putBack makes the database what it was.
func (r *rig) putBack(content []byte) {
	r.t.Helper()
	_ = r.app.Close()
	if err := os.WriteFile(r.path, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.app = openApp(r.t, r.path, false)
}

// TestAReplacedRowBehindACut: what a row's replacement does to other rows comes between the
// conflict and the line that decides it, and a drain may end there.
func TestAReplacedRowBehindACut(t *testing.T) {
	for _, cut := range []int{1, 2, 3} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("cut at %d, crash %v", cut, crash), func(t *testing.T) {
				r := newRig(t, t.TempDir(), "wal",
					"CREATE TABLE tree (id INTEGER PRIMARY KEY, code TEXT UNIQUE, parent INT REFERENCES tree (id) ON DELETE CASCADE)",
					"INSERT INTO tree VALUES (1, 'a', NULL), (2, 'b', 1), (3, 'c', 1), (4, 'd', 2)")
				defer r.close()
				r.kind = sqlite.KindCutAt(cut)
				r.start()
				r.equal("tree")
				if crash {
					r.log.Refuse = func(string) (bool, error) { return true, errCrash }
				}
				r.exec("INSERT OR REPLACE INTO tree VALUES (5, 'a', NULL)", "INSERT OR IGNORE INTO tree VALUES (6, 'a', NULL)", "UPDATE tree SET parent = 5")
				r.equal("tree")
			})
		}
	}
}

// TestWideRowsThatAreReplaced: one row takes the place of two, each as large as a drain.
func TestWideRowsThatAreReplaced(t *testing.T) {
	r := newRig(t, t.TempDir(), "wal", "CREATE TABLE wide (id INTEGER PRIMARY KEY, code TEXT UNIQUE, v BLOB)",
		"INSERT INTO wide VALUES (1, 'a', zeroblob(2500000)), (2, 'b', zeroblob(2500000))")
	defer r.close()
	r.start()
	r.equal("wide")
	r.exec("INSERT OR REPLACE INTO wide VALUES (1, 'b', zeroblob(2500000))")
	r.equal("wide")
}

// TestATriggerThatComesBack: a trigger made after Tarn's, which changes the row by way of
// another table, would let Tarn see the second change first.
func TestATriggerThatComesBack(t *testing.T) {
	r := newRig(t, t.TempDir(), "wal", callsDDL, "CREATE TABLE audit (n INTEGER PRIMARY KEY, call INT)")
	defer r.close()
	r.start()
	r.equal("calls", "audit")
	r.exec(
		"CREATE TRIGGER back AFTER INSERT ON audit BEGIN UPDATE calls SET teu = teu + 100 WHERE id = NEW.call; END",
		"CREATE TRIGGER forth AFTER INSERT ON calls BEGIN INSERT INTO audit (call) VALUES (NEW.id); END",
	)
	r.until("a capture after the trigger", func() bool {
		return r.number("SELECT min(rowid) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'calls' AND name LIKE '_tarn_%'") >
			r.number("SELECT rowid FROM sqlite_schema WHERE name = 'forth'")
	})
	r.exec("INSERT INTO calls VALUES (7, 'G', 7)", "INSERT INTO calls VALUES (8, 'H', 8)")
	r.equal("calls", "audit")
}
