package proof_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// readersAtOnce is how many long readers there are beside a run of kills or cuts.
const readersAtOnce = 2

// readers are programs that read snapshots slowly, whatever happens to Tarn meanwhile.
type readers struct {
	t           *testing.T
	rnd         *rand.Rand
	interpreter string // "" where there is no PyIceberg
	out         string
	running     []*proof.Reader
	ended, long int // how many were right; and have read for the whole time
}

// newReaders are readers of what a program keeps; of a hasty one there are none.
func newReaders(t *testing.T, rnd *rand.Rand, hasty bool) *readers {
	if hasty {
		return &readers{t: t}
	}
	path, missing := pyiceberg(t)
	if missing != "" {
		if os.Getenv("TARN_REQUIRE_PEERS") == "1" {
			t.Fatalf("TARN_REQUIRE_PEERS=1, and %s", missing)
		}
		t.Log("no long readers: " + missing)
		path = ""
	}
	r := &readers{t: t, rnd: rnd, interpreter: path, out: t.TempDir()}
	t.Cleanup(func() {
		for _, one := range r.running {
			one.Kill()
		}
	})
	return r
}

// start fills up the number of readers; p is a Tarn at which nobody expires snapshots just now.
func (r *readers) start(p *proof.Process) {
	r.t.Helper()
	r.collect(false)
	if r.interpreter == "" || len(r.running) >= readersAtOnce {
		return
	}
	there, err := p.SQL(r.t.Context(), "SELECT layer || '.' || name FROM system.tables WHERE layer IN ('bronze', 'silver') AND rows > 0")
	must(r.t, err)
	for len(r.running) < readersAtOnce && len(there.Rows) > 0 {
		table := fmt.Sprint(there.Rows[r.rnd.IntN(len(there.Rows))][0])
		one, err := p.Read(r.t.Context(), r.interpreter, table, []string{"files", "scans"}[r.rnd.IntN(2)], r.out)
		must(r.t, err)
		r.running = append(r.running, one)
	}
}

// collect takes in those who have ended, or all of them.
func (r *readers) collect(all bool) {
	r.t.Helper()
	var left []*proof.Reader
	for i, one := range r.running {
		if !all && !one.Done() {
			left = append(left, one)
			continue
		}
		took, err := one.Finish()
		if err != nil {
			r.running = append(left, r.running[i+1:]...)
			r.t.Fatal(err)
		}
		r.ended++
		if took >= proof.ReadsFor {
			r.long++
		}
	}
	r.running = left
}

// finish lets those who still read go on without their pauses, and waits for them.
func (r *readers) finish() {
	r.t.Helper()
	for _, one := range r.running {
		one.Hurry()
	}
	r.collect(true)
	if r.interpreter == "" {
		return
	}
	r.t.Logf("%d slow readers were right, %d of them after a minute", r.ended, r.long)
}

// TestLongReaders reads snapshots for a minute, with PyIceberg and by Tarn's own SQL, while the
// tables are written, compacted, expired and swept without a pause.
func TestLongReaders(t *testing.T) {
	t.Parallel() // it waits more than it works
	interpreter := python(t)
	s, p := busy(t)
	must(t, proof.Until(t.Context(), func() (bool, error) { return s.Listed() > 500, nil }))
	must(t, s.Settle(t.Context(), p))
	var list []*proof.Reader
	for _, how := range []string{"files", "scans"} {
		for _, table := range []string{"silver.pairs", "silver.mess", "bronze.src_main_ints"} {
			r, err := p.Read(t.Context(), interpreter, table, how, t.TempDir())
			must(t, err)
			t.Cleanup(r.Kill)
			list = append(list, r)
		}
	}
	armed := arms(t, p, "silver.big")
	// From here on Tarn knows nothing of what PyIceberg reads.
	for _, r := range list {
		must(t, expired(t.Context(), p, r.Table, r.Snapshot))
	}
	u := s.Upkeep(p)
	for _, r := range list {
		took, err := r.Finish()
		must(t, err)
		t.Logf("%s, %s, %d files: right after %s", r.Table, r.How, r.Files, took.Round(time.Second))
	}
	must(t, armed())
	u.Stop()
	must(t, u.Wrong)
	t.Logf("orders %v did %v", u.Orders, u.Did)
	must(t, s.Settle(t.Context(), p))
}

// expired orders the snapshots of a table to be expired until one of them is.
func expired(ctx context.Context, p *proof.Process, table, snapshot string) error {
	ctx, cancel := context.WithTimeout(ctx, proof.QuietWithin)
	defer cancel()
	return proof.Until(ctx, func() (bool, error) {
		if _, err := p.SQL(ctx, "ALTER TABLE "+table+" EXECUTE expire_snapshots(retention_threshold => '1s')"); err != nil {
			return true, err
		}
		_, err := p.SQL(ctx, fmt.Sprintf("SELECT 1 FROM %s AT (VERSION => %s)", table, snapshot))
		if r := new(proof.Refusal); errors.As(err, &r) && r.Code == "not_found" {
			return true, nil
		}
		return err != nil, errors.Join(err, fmt.Errorf("%s still has snapshot %s", table, snapshot))
	})
}

// busy is a scene that is written to, and the Tarn on it.
func busy(t *testing.T) (*proof.Scene, *proof.Process) {
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "WAL")
	must(t, err)
	t.Cleanup(s.Abandon)
	p := up(t, s.House, "TARN_LANDING_COMMIT_INTERVAL=200ms")
	must(t, s.Quiet(t.Context(), p, s.Database, -1))
	must(t, s.Write())
	return s, p
}

// armsMax keeps the answer below sql.result_rows_max.
const armsMax = 30

// arms begins to read a table's current snapshot slowly by SQL; the function it returns waits for
// the end.
func arms(t *testing.T, p *proof.Process, table string) (wait func() error) {
	t.Helper()
	now, err := p.SQL(t.Context(), fmt.Sprintf("SELECT snapshot_id FROM system.tables WHERE layer || '.' || name = '%s'", table))
	must(t, err)
	snapshot := fmt.Sprint(now.Rows[0][0])
	want, err := p.Digest(t.Context(), fmt.Sprintf("SELECT * FROM %s AT (VERSION => %s)", table, snapshot))
	must(t, err)
	begun, ended := make(chan struct{}), make(chan error, 1)
	began := time.Now()
	go func() {
		got, err := p.ReadArms(t.Context(), table, snapshot, armsMax, func() { close(begun) })
		for i, d := range got {
			if differ := want.Differ(d); differ != "" {
				err = errors.Join(err, fmt.Errorf("arm %d of %s: %s", i, table, differ))
			}
		}
		ended <- err
	}()
	select {
	case <-begun:
	case err := <-ended:
		t.Fatalf("read %s by SQL: %v", table, err)
	}
	return func() error {
		err := <-ended
		t.Logf("%s by SQL, %d times: %s", table, armsMax, time.Since(began).Round(time.Second))
		return err
	}
}
