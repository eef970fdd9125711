package sqlite_test

import (
	"testing"

	"tarn/embedded/record"
	"tarn/ingest/source"
)

func TestStatesOfTables(t *testing.T) {
	r := newRig(t, t.TempDir(), "wal", "CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT)", "CREATE TABLE small (id INT PRIMARY KEY) WITHOUT ROWID",
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO big SELECT i, printf('%.*c', 20000, 'x') FROM n`, "INSERT INTO small VALUES (1)")
	defer r.close()
	var seen []float64
	again := false
	r.log.Refuse = func(string) (bool, error) {
		if st := r.state("big"); st.State == source.Snapshotting && !again {
			seen = append(seen, st.Done)
			if small := r.state("small"); small.State != source.Waiting {
				t.Errorf("beside a snapshot stands %+v", small)
			}
		}
		return true, nil
	}
	r.start()
	r.equal("big", "small")
	r.until("both streaming", func() bool {
		return r.state("big").State == source.Streaming && r.state("small").State == source.Streaming
	})
	if len(seen) < 7 || seen[0] != 0 || seen[len(seen)-1] < .8 {
		t.Fatalf("the snapshot stood at %v", seen)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] < seen[i-1] {
			t.Fatalf("the snapshot went back: %v", seen)
		}
	}
	if st := r.state("big"); st.Rows != 400 || st.Topic != "p.main.big" {
		t.Fatalf("got %+v", st)
	}

	r.exec("DELETE FROM big WHERE id > 5")
	if err := source.Resnapshot(t.Context(), r.meta, r.name, []string{"big"}, "somebody asked"); err != nil {
		t.Fatal(err)
	}
	again = true
	before := len(r.log.Events(t, "p.main.small"))
	r.runner.Reopen()
	r.until("a second snapshot", func() bool { return r.snapshots("p.main.big") == 2 })
	r.equal("big", "small")
	if got := len(r.log.Events(t, "p.main.small")); got != before {
		t.Fatalf("the other table got %d more events", got-before)
	}

	r.exec("DROP TABLE small")
	r.until("it is gone", func() bool { return r.state("small").State == source.Gone && r.state("small").Error != "" })
}

func (r *rig) state(table string) source.TableState {
	for _, t := range r.runner.Status().Tables {
		if t.Table == table {
			return t
		}
	}
	return source.TableState{}
}

// snapshots counts the snapshots that a topic has the end of.
func (r *rig) snapshots(topic string) (n int) {
	for _, e := range r.log.Events(r.t, topic) {
		if e.Mark != nil && e.Mark.Kind == record.SnapshotEnd {
			n++
		}
	}
	return n
}
