package sqlite_test

import (
	"testing"
)

var journals = []string{"delete", "truncate", "persist", "wal"}

func TestSnapshotAndChangesInEveryJournalMode(t *testing.T) {
	for _, journal := range journals {
		t.Run(journal, func(t *testing.T) {
			r := newRig(t, t.TempDir(), journal,
				"CREATE TABLE calls (id INTEGER PRIMARY KEY, berth TEXT, teu INT, weight REAL)",
				"CREATE TABLE empty (id INTEGER PRIMARY KEY)",
				"INSERT INTO calls VALUES (1, 'A', 10, 1.5), (2, NULL, 'many', 2)")
			defer r.close()
			r.start()
			r.equal("calls", "empty")
			r.exec("INSERT INTO calls VALUES (3, 'B', 1, 1)", "UPDATE calls SET berth = 'C' WHERE id = 1", "DELETE FROM calls WHERE id = 2")
			r.equal("calls", "empty")
			r.stop()
			r.exec("UPDATE calls SET id = 7 WHERE id = 1", "REPLACE INTO calls VALUES (3, 'D', 0, 0)")
			r.start()
			r.equal("calls", "empty")
		})
	}
}
