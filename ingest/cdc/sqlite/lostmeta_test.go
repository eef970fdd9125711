package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/embedded/disk/disktest"
	"tarn/embedded/meta"
)

// metaFiles reads meta.db as it is on the disk; the store is closed.
func metaFiles(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "meta.db*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, path := range files {
		if out[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// putMeta puts other files in the place of meta.db, or none.
func (r *rig) putMeta(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for path := range metaFiles(t, dir) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if r.meta, err = meta.Open(context.Background(), filepath.Join(dir, "meta.db")); err != nil {
		t.Fatal(err)
	}
}

// once checks that no change is in the topic twice, and that one source filled it.
func (r *rig) once(t testing.TB, topic string) {
	t.Helper()
	seen := map[string]int64{}
	sources := map[string]bool{}
	for _, e := range r.log.Events(r.t, topic) {
		id, _, _ := strings.Cut(e.Pos, "/")
		sources[id] = true
		if e.Mark != nil || strings.Contains(e.Pos, ".") {
			continue // the rows of a chunk have one place
		}
		if other, twice := seen[e.Pos]; twice {
			t.Fatalf("%s is at offsets %d and %d", e.Pos, other, e.Offset)
		}
		seen[e.Pos] = e.Offset
	}
	if len(sources) > 1 {
		t.Fatalf("sources %v", sources)
	}
}

// TestAConnectorWhoseMetaIsLostFindsItselfInTheLog: it goes on in its topics, and changes made
// meanwhile arrive.
func TestAConnectorWhoseMetaIsLostFindsItselfInTheLog(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir, "wal", callsDDL, "INSERT INTO calls VALUES (1, 'A', 1), (2, 'B', 2)")
	defer r.close()
	r.start()
	r.equal("calls")
	r.exec("UPDATE calls SET teu = 5 WHERE id = 1", "DELETE FROM calls WHERE id = 2")
	r.equal("calls")
	r.stop()
	r.exec("INSERT INTO calls VALUES (3, 'C', 3)", "DELETE FROM calls WHERE id = 1")
	if err := r.meta.Close(); err != nil {
		t.Fatal(err)
	}
	r.putMeta(t, dir, nil)
	r.start()
	r.equal("calls")
	r.exec("INSERT INTO calls VALUES (4, 'D', 4)")
	r.equal("calls")
	r.once(t, "p.main.calls")
	rising(r, "p.main.calls")
	r.stop()
	r.start()
	r.exec("INSERT INTO calls VALUES (5, 'E', 4)")
	r.equal("calls")
}

// TestAnotherConnectorDoesNotTakeTopicsOver: the source that fills them is known.
func TestAnotherConnectorDoesNotTakeTopicsOver(t *testing.T) {
	r := running(t)
	r.equal("calls")
	r.stop()
	r.name = "other"
	r.start()
	r.until("the refusal", func() bool { return strings.Contains(r.runner.Status().Error, "filled by somebody else") })
	r.once(t, "p.main.calls")
}

// TestAMetaPutBackFromBeforeLosesAndDoublesNothing: with older positions, identities and
// generations than the log.
func TestAMetaPutBackFromBeforeLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	base, turn := disktest.Memory(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		turn++
		dir := filepath.Join(base, fmt.Sprint(turn))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		r := newRig(rt, dir, "wal", callsDDL)
		defer r.close()
		next := 0
		work := func() {
			for range rapid.IntRange(0, 3).Draw(rt, "changes") {
				next++
				switch rapid.IntRange(0, 3).Draw(rt, "change") {
				case 0:
					r.exec("UPDATE calls SET teu = teu + 1")
				case 1:
					r.exec("DELETE FROM calls WHERE id = (SELECT min(id) FROM calls)")
				default:
					r.exec(fmt.Sprintf("INSERT INTO calls VALUES (%d, '%d', 0)", next, next))
				}
			}
		}
		backup := map[string][]byte{}
		for range rapid.IntRange(2, 3).Draw(rt, "lives") {
			r.start()
			work()
			r.equal("calls")
			work()
			r.stop()
			work()
			if err := r.meta.Close(); err != nil {
				t.Fatal(err)
			}
			switch rapid.IntRange(0, 2).Draw(rt, "meta") {
			case 0:
				backup = metaFiles(t, dir)
				r.putMeta(t, dir, backup)
			case 1:
				r.putMeta(t, dir, backup)
			default:
				r.putMeta(t, dir, metaFiles(t, dir))
			}
		}
		r.start()
		r.equal("calls")
		r.once(t, "p.main.calls")
		rising(r, "p.main.calls")
	})
}
