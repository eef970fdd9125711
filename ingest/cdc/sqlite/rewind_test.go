package sqlite_test

import (
	"maps"
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

// TestAnotherPrefixBeginsWithASnapshot: the new topic holds the table whole.
func TestAnotherPrefixBeginsWithASnapshot(t *testing.T) {
	r := running(t)
	r.equal("calls")
	r.stop()
	r.exec("INSERT INTO calls VALUES (7, 'G', 7)")
	r.config["topic.prefix"] = "q"
	r.start()
	r.exec("INSERT INTO calls VALUES (8, 'H', 8)")
	r.until("the table in the new topic", func() bool {
		return r.ended("q.main.calls") && maps.Equal(sourcetest.Fold(t, r.log.Events(t, "q.main.calls")), r.truth("calls"))
	})
	r.stop()
	r.start()
	r.exec("INSERT INTO calls VALUES (9, 'I', 9)")
	r.until("the change after a restart", func() bool { return strings.Contains(r.text("q.main.calls"), `"id":9`) })
	if n := len(generations(r, "q.main.calls")); n != 1 {
		t.Fatalf("%d generations in the new topic", n)
	}
}

// TestALostEndOfTheLogIsReadAgain: with lines that wait for their acknowledgment no snapshot
// is needed.
func TestALostEndOfTheLogIsReadAgain(t *testing.T) {
	for name, delay := range map[string]time.Duration{"kept lines": time.Hour, "pruned lines": 0} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, t.TempDir(), "wal", callsDDL, "INSERT INTO calls VALUES (1, 'A', 1)")
			defer r.close()
			r.ackDelay = delay
			r.start()
			r.equal("calls")
			batches := len(r.log.Batches("p.main.calls"))
			for _, s := range []string{
				"INSERT INTO calls VALUES (2, 'B', 2)", "INSERT OR REPLACE INTO calls VALUES (2, 'C', 2)", "UPDATE calls SET teu = 9 WHERE id = 1",
				"INSERT OR IGNORE INTO calls VALUES (1, 'Z', 1)",
			} {
				r.exec(s)
				r.equal("calls")
			}
			if delay == 0 {
				r.pruned("calls")
			}
			r.stop()
			r.log.Cut(t, "p.main.calls", len(r.log.Batches("p.main.calls"))-batches-1)
			r.start()
			r.equal("calls")
			want := 1
			if delay == 0 {
				want = 2
			}
			if n := len(generations(r, "p.main.calls")); n != want {
				t.Fatalf("%d generations, want %d", n, want)
			}
		})
	}
}

// TestALostTopicIsSnapshottedAnew: nothing of what was acknowledged is there.
func TestALostTopicIsSnapshottedAnew(t *testing.T) {
	r := running(t)
	r.exec("UPDATE calls SET teu = 5")
	r.equal("calls")
	r.stop()
	r.log = sourcetest.NewLog()
	r.start()
	r.equal("calls")
}

// TestIgnoredRowsAtTheEndAreNoLoss: their lines make no change, so the topic ends before them.
func TestIgnoredRowsAtTheEndAreNoLoss(t *testing.T) {
	r := running(t)
	r.exec("UPDATE calls SET teu = 5", "INSERT OR IGNORE INTO calls VALUES (1, 'Z', 1)")
	r.equal("calls")
	r.stop()
	for range 2 {
		r.start()
		r.exec("UPDATE calls SET teu = teu + 1", "INSERT OR IGNORE INTO calls VALUES (1, 'Z', 1)")
		r.equal("calls")
		r.stop()
	}
	if n := len(generations(r, "p.main.calls")); n != 1 {
		t.Fatalf("%d generations", n)
	}
}

// TestAPositionOlderThanASnapshotMakesAnother: the snapshot that the position does not know
// of has a newer generation than the one it would go on with.
func TestAPositionOlderThanASnapshotMakesAnother(t *testing.T) {
	r := running(t)
	r.equal("calls")
	r.stop()
	old, err := r.meta.List(t.Context(), meta.Positions)
	if err != nil {
		t.Fatal(err)
	}
	r.config["snapshot.mode"] = "always"
	r.start()
	r.until("a second snapshot", func() bool { return len(generations(r, "p.main.calls")) == 2 && r.ended("p.main.calls") })
	r.stop()
	if err := r.meta.Put(t.Context(), old...); err != nil {
		t.Fatal(err)
	}
	r.config["snapshot.mode"] = "initial"
	r.clock = shifted{by: time.Hour}
	r.start()
	r.until("a third snapshot", func() bool { return len(generations(r, "p.main.calls")) == 3 })
	r.exec("DELETE FROM calls WHERE id = 1")
	r.equal("calls")
	rising(r, "p.main.calls")
}

// rising checks that generations never go back in a topic.
func rising(r *rig, topic string) {
	r.t.Helper()
	var last int64
	for _, e := range r.log.Events(r.t, topic) {
		if e.Gen < last {
			r.t.Fatalf("generation %d comes after %d at offset %d", e.Gen, last, e.Offset)
		}
		last = e.Gen
		if e.Mark != nil && e.Mark.Kind == record.SnapshotBegin {
			r.t.Logf("generation %d begins at offset %d", e.Gen, e.Offset)
		}
	}
}

// shifted is a clock that is wrong by so much.
type shifted struct {
	life.SystemClock
	by time.Duration
}

func (c shifted) Now() time.Time { return c.SystemClock.Now().Add(c.by) }

// TestAGenerationNeverGoesBack: a connector that was removed and made again, by a clock that
// was set back meanwhile, is above its older snapshot.
func TestAGenerationNeverGoesBack(t *testing.T) {
	r := running(t)
	r.equal("calls")
	r.stop()
	if err := source.End(t.Context(), r.meta, "port"); err != nil {
		t.Fatal(err)
	}
	if err := source.Clear(t.Context(), r.meta, []source.Kind{sqlite.Kind}, func(source.Config) bool { return false }); err != nil {
		t.Fatal(err)
	}
	r.exec("DELETE FROM calls WHERE id = 1")
	r.clock = shifted{by: -1000 * time.Hour}
	r.start()
	r.until("a second snapshot", func() bool { return len(generations(r, "p.main.calls")) == 2 && r.ended("p.main.calls") })
	rising(r, "p.main.calls")
	r.stop()
	r.config["table.exclude.list"] = "calls"
	r.exec("CREATE TABLE other (id INTEGER PRIMARY KEY)")
	r.start()
	r.equal("other")
	r.stop()
	delete(r.config, "table.exclude.list")
	r.start()
	r.until("a third snapshot", func() bool { return len(generations(r, "p.main.calls")) == 3 && r.ended("p.main.calls") })
	rising(r, "p.main.calls")
}

// TestALostHalfOfAChangeOfKey: the delete of the old key is in the log, the create of the
// new one was in the append that got lost. Both are too large for one batch.
func TestALostHalfOfAChangeOfKey(t *testing.T) {
	r := newRig(t, t.TempDir(), "wal", "CREATE TABLE calls (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO calls VALUES (1, printf('%.*c', 13000000, 'x'))")
	defer r.close()
	r.ackDelay = time.Hour
	r.start()
	r.equal("calls")
	r.exec("UPDATE calls SET id = 2")
	r.equal("calls")
	r.stop()
	r.log.Cut(t, "p.main.calls", 1)
	if got := sourcetest.Fold(t, r.log.Events(t, "p.main.calls")); len(got) != 0 {
		t.Fatal("the change of key went in one append")
	}
	r.start()
	r.equal("calls")
	if n := len(generations(r, "p.main.calls")); n != 1 {
		t.Fatalf("%d generations", n)
	}
}
