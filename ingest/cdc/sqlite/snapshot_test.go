package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

// TestASnapshotInChunksUnderWrites takes a snapshot of many chunks while a writer goes on,
// crashing before and after every chunk: each row is in the log once as a row of the
// snapshot, and the fold equals the table.
func TestASnapshotInChunksUnderWrites(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"delete", "wal"} {
		for name, ddl := range map[string]string{
			"a number": "CREATE TABLE wide (id INTEGER PRIMARY KEY, v TEXT)",
			"a text":   "CREATE TABLE wide (id TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID",
			"a pair":   "CREATE TABLE wide (v TEXT, x INT DEFAULT 1, id INT, PRIMARY KEY (x, id)) WITHOUT ROWID",
		} {
			t.Run(journal+", "+name, func(t *testing.T) {
				r := newRig(t, t.TempDir(), journal, ddl,
					`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO wide (id, v) SELECT i, printf('%.*c', 20000, 'x') FROM n`)
				defer r.close()
				appends := 0
				r.log.Refuse = func(string) (bool, error) {
					appends++
					switch appends % 7 {
					case 0: // a chunk or changes that got in, and changes before the restart
						r.exec(fmt.Sprintf("UPDATE wide SET v = v || 'z' WHERE id = %d", 100+appends))
						return true, errCrash
					case 1: // a second crash about the same chunk
						return true, errCrash
					case 3:
						return false, errCrash
					}
					return false, nil
				}
				r.start()
				for i := range 60 {
					r.exec(fmt.Sprintf("UPDATE wide SET v = v || 'y' WHERE id = %d", 1+i*7%400), fmt.Sprintf("DELETE FROM wide WHERE id = %d", 400-i))
				}
				r.equal("wide")
				seen := map[string]int{}
				chunks := map[string]int{}
				for _, e := range r.log.Events(t, "p.main.wide") {
					if strings.Contains(string(e.Value), `"op":"r"`) {
						seen[string(e.Key)]++
						chunks[e.Pos] += len(e.Value)
					}
				}
				for key, n := range seen {
					if n != 1 {
						t.Fatalf("row %s is %d times in the snapshot", key, n)
					}
				}
				for pos, bytes := range chunks {
					if bytes > source.ChunkBytesMax {
						t.Fatalf("chunk %s has %d bytes", pos, bytes)
					}
				}
				if len(chunks) < 7 {
					t.Fatalf("only %d chunks", len(chunks))
				}
			})
		}
	}
}

func TestVacuumUnderTheSnapshotOfAKeylessTable(t *testing.T) {
	r := newRig(t, t.TempDir(), "delete", "CREATE TABLE keyless (n INT, v TEXT)",
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO keyless SELECT i, printf('%.*c', 20000, 'x') FROM n`,
		"DELETE FROM keyless WHERE n % 3 = 0")
	defer r.close()
	vacuumed := false
	r.log.Refuse = func(string) (bool, error) {
		if !vacuumed {
			vacuumed = true
			r.exec("VACUUM")
		}
		return false, nil
	}
	r.start()
	r.until("the snapshot's end", func() bool { return r.ended("p.main.keyless") })
	rows, last := map[string]int{}, int64(0)
	for _, e := range r.log.Events(t, "p.main.keyless") {
		if e.Gen != last {
			clear(rows)
			last = e.Gen
		}
		if e.Mark == nil {
			rows[string(e.Value[:40])]++
		}
	}
	if len(rows) != 200 {
		t.Fatalf("%d rows in the last snapshot, want 200", len(rows))
	}
}

func TestSnapshotModes(t *testing.T) {
	r := newRig(t, t.TempDir(), "wal", callsDDL, "INSERT INTO calls VALUES (1, 'A', 1)")
	defer r.close()
	r.config["snapshot.mode"] = "no_data"
	r.start()
	r.until("streaming", func() bool { return r.runner.Status().State == source.Streaming })
	r.exec("INSERT INTO calls VALUES (2, 'B', 2)")
	r.until("the change", func() bool { return strings.Contains(r.text("p.main.calls"), `"id":2`) })
	if text := r.text("p.main.calls"); strings.Contains(text, `"id":1`) || r.ended("p.main.calls") {
		t.Fatalf("a snapshot was made: %s", text)
	}
	missed := func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool { return strings.Contains(f.Message, "were missed") })
	}
	if missed() {
		t.Fatal("nothing was missed yet")
	}
	r.exec("ALTER TABLE calls ADD COLUMN late")
	r.until("a finding of what was missed", missed)
	r.stop()
	r.start()
	r.until("the finding after a restart", missed)
	r.stop()
	r.config["snapshot.mode"] = "always"
	snapshots := func() int {
		gens := map[int64]bool{}
		for _, e := range r.log.Events(t, "p.main.calls") {
			if e.Mark != nil && e.Mark.Kind == record.SnapshotEnd {
				gens[e.Gen] = true
			}
		}
		return len(gens)
	}
	for i := range 3 {
		r.start()
		r.until("a snapshot of this start", func() bool { return snapshots() == i+1 })
		r.equal("calls")
		r.until("no finding", func() bool { return !missed() })
		r.stop()
	}
}

func TestTheLogIsPruned(t *testing.T) {
	r := running(t)
	for range 30 {
		r.exec("UPDATE calls SET teu = teu + 1")
	}
	r.equal("calls")
	r.pruned("calls")
	r.stop()
	r.exec("UPDATE calls SET teu = 0 WHERE id = 2")
	r.start()
	r.equal("calls")
	if n := len(generations(r, "p.main.calls")); n != 1 {
		t.Fatalf("%d generations: a restart made a new snapshot", n)
	}
}

func generations(r *rig, topic string) map[int64]bool {
	out := map[int64]bool{}
	for _, e := range r.log.Events(r.t, topic) {
		out[e.Gen] = true
	}
	return out
}

func TestALockedDatabaseIsWaitedFor(t *testing.T) {
	r := newRig(t, t.TempDir(), "delete", callsDDL, "INSERT INTO calls VALUES (1, 'A', 1)")
	defer r.close()
	conn, err := r.app.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	exec := func(s string) {
		t.Helper()
		if _, err := conn.ExecContext(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	exec("BEGIN EXCLUSIVE")
	r.start()
	r.until("a clear error", func() bool {
		s := r.runner.Status()
		return s.State == source.Retrying && strings.Contains(s.Error, "locked") && strings.Contains(s.Hint, "another program")
	})
	exec("COMMIT")
	_ = conn.Close()
	r.equal("calls")
	r.until("streaming", func() bool { s := r.runner.Status(); return s.State == source.Streaming && s.Error == "" })
}

func TestARecordThatIsTooLargeQuarantinesItsTable(t *testing.T) {
	r := running(t, "CREATE TABLE big (id INTEGER PRIMARY KEY, v)")
	r.equal("calls", "big")
	r.exec("INSERT INTO big VALUES (1, zeroblob(25000000))", "INSERT INTO calls VALUES (4, 'D', 4)")
	r.equal("calls")
	r.until("a finding", func() bool {
		for _, f := range r.runner.Status().Findings {
			if f.Table == "big" && strings.Contains(f.Message, "quarantined") && f.Hint != "" {
				return true
			}
		}
		return false
	})
	r.exec("UPDATE calls SET teu = 9")
	r.equal("calls")
	r.stop()
	r.exec("DELETE FROM big", "INSERT INTO big VALUES (2, 'small')")
	r.start()
	r.equal("calls", "big")
}

// TestASnapshotLetsOtherTablesGoOn has a table that changes by more lines at a time than are left
// for a rest to prune, while the table before it is in its snapshot.
func TestASnapshotLetsOtherTablesGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, t.TempDir(), "wal", "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)", "CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT)",
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO a SELECT i, printf('%.*c', 20000, 'x') FROM n`)
	defer r.close()
	appends := 0
	r.log.Refuse = func(string) (bool, error) {
		if appends++; appends == 2 {
			r.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15000) INSERT INTO b SELECT i, 'x' FROM n")
		}
		return false, nil
	}
	r.start()
	r.equal("a", "b")
	for _, topic := range []string{"p.main.a", "p.main.b"} {
		if n := len(generations(r, topic)); n != 1 {
			t.Errorf("%s has %d generations: a new snapshot was made", topic, n)
		}
	}
	if n := strings.Count(r.text("p.main.b"), `"op":"c"`); n != 15000 {
		t.Errorf("%d of 15000 changes are in the log", n)
	}
}
