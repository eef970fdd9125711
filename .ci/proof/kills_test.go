package proof_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// points are the named hand-overs at which the process kills itself. lake.rewritten is compaction's
// own, which comes to lake.written and lake.committed as other commits do; lake.removed is the sweep's, at
// which only a hasty program arrives.
func points(hasty bool) []string {
	out := []string{"source.chunk", "source.acked", "bus.published", "lake.written", "lake.committed", "landing.committed", "lake.rewritten"}
	if hasty {
		out = append(out, "lake.removed")
	}
	return out
}

// Within these a running Tarn under load must come to an armed point, and a kill at
// random falls.
const (
	pointWithin = 6 * time.Minute
	killWithin  = 2500 * time.Millisecond
)

// seed makes a run's chance reproducible: -args -seed repeats one.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	s := *flagSeed
	if s == 0 {
		s = uint64(time.Now().UnixNano() & 0xffffff)
	}
	t.Logf("-args -seed %d", s)
	return rand.New(rand.NewPCG(s, s))
}

// plan is the named kills, the snapshot's first, then each point at several passes, with
// kills at random moments (an empty name) in between.
func plan(rnd *rand.Rand, kills int, hasty bool) []string {
	// A second kill before the first one's chunk is saved as appended is a case of its own.
	out := []string{"source.chunk:1", "source.chunk:2", "bus.published:1", "source.acked:1", "source.chunk:3"}
	var rest []string
	for _, pass := range []int{1, 3, 8} {
		for _, p := range points(hasty)[1:] {
			rest = append(rest, fmt.Sprintf("%s:%d", p, pass))
		}
	}
	for len(out)+len(rest) < kills {
		rest = append(rest, "")
	}
	rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return append(out, rest...)[:max(kills, len(out))]
}

func TestKills(t *testing.T) {
	kills := *flagKills
	for i, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) { killed(t, mode, (kills+i)/2, mode == "DELETE") })
	}
}

// killed ends a Tarn kills times while an outside process writes and another one orders upkeep. Others
// read for a minute, but from one that is hasty, which has files to remove instead.
func killed(t *testing.T, mode string, kills int, hasty bool) {
	rnd := seed(t)
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), program(t, hasty), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), mode)
	must(t, err)
	t.Cleanup(s.Abandon)
	must(t, s.Write())
	armed, within := map[string]int{}, newTally()
	read := newReaders(t, rnd, hasty)
	for n, point := range plan(rnd, kills, hasty) {
		u := killOnce(t, s, rnd, point)
		armed[name(point)]++
		within.add(u)
		within.fell(u.Under())
		t.Logf("kill %d: %s, within %s", n, point, cmp.Or(u.Under(), "no order"))
		if n%5 == 4 {
			settle(t, s, read)
		}
	}
	settle(t, s, read)
	read.finish()
	within.tell(t, "killed")
	if hasty && within.did["remove_orphan_files.files_removed"] == 0 {
		t.Log("no sweep got as far as a removal between the kills: this run says nothing of them")
	}
	must(t, s.StopWriting())
	hits, err := s.CrashHits()
	must(t, err)
	for _, p := range points(hasty) {
		if armed[p] > hits[p] || armed[p] == 0 && kills >= 30 {
			t.Errorf("point %s was armed %d times and hit %d times", p, armed[p], hits[p])
		}
	}
}

// killOnce runs a Tarn until it kills itself at a point, or is killed at a random moment,
// which may be before it is ready. It returns the orders that were given meanwhile.
func killOnce(t *testing.T, s *proof.Scene, rnd *rand.Rand, point string) *proof.Upkeep {
	t.Helper()
	env := []string{"TARN_LANDING_COMMIT_INTERVAL=" + []string{"50ms", "200ms", "1s"}[rnd.IntN(3)]}
	within := pointWithin
	if point == "" {
		within = time.Duration(rnd.Int64N(int64(killWithin)))
	} else {
		env = append(env, "TARN_CRASH="+point)
	}
	p, err := s.House.Start(env...)
	must(t, err)
	u := s.Upkeep(p)
	defer u.Stop()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-p.Done():
		if point == "" || !p.Killed() {
			t.Fatalf("tarn ended by itself on the way to %q\n%s", point, s.House.Tail())
		}
	case <-late.C:
		if point != "" {
			p.Kill()
			u.Stop()
			t.Fatalf("tarn did not come to %s within %s; orders done %v, wrong %v\n%s", point, within, u.Orders, u.Wrong, s.House.Tail())
		}
	}
	p.Kill()
	u.Stop()
	if u.Wrong != nil {
		t.Fatalf("an order of upkeep on the way to %q: %v\n%s", point, u.Wrong, s.House.Tail())
	}
	return u
}

// tally counts orders of upkeep: those that were done, what they did, and those that something
// fell into.
type tally struct {
	done, cut map[string]int
	did       map[string]int64
}

func newTally() *tally {
	return &tally{done: map[string]int{}, cut: map[string]int{}, did: map[string]int64{}}
}

func (c *tally) add(u *proof.Upkeep) {
	for action, n := range u.Orders {
		c.done[action] += n
	}
	for metric, n := range u.Did {
		c.did[metric] += n
	}
}

func (c *tally) fell(under string) {
	if under != "" {
		c.cut[under]++
	}
}

func (c *tally) tell(t *testing.T, what string) {
	t.Logf("orders done %v, %s within %v; they did %v", c.done, what, c.cut, c.did)
}

func name(point string) string {
	i := slices.Index([]byte(point), ':')
	return point[:max(i, 0)]
}

// settle starts a Tarn, lets it catch up, and checks everything. Then readers begin.
func settle(t *testing.T, s *proof.Scene, read ...*readers) {
	t.Helper()
	p, err := s.House.Up(t.Context())
	must(t, err)
	defer p.Kill()
	must(t, s.Settle(t.Context(), p))
	for _, r := range read {
		r.start(p)
	}
}

// TestRestoredDatabase puts a database back from a copy: a new snapshot makes the mirrors
// equal again, and bronze keeps what there was.
func TestRestoredDatabase(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("running=%v", running), func(t *testing.T) { restored(t, running) })
	}
}

func restored(t *testing.T, running bool) {
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "DELETE")
	must(t, err)
	t.Cleanup(s.Abandon)
	p, err := s.House.Up(t.Context())
	must(t, err)
	defer func() { p.Kill() }()
	write := func() {
		before := s.Listed()
		must(t, s.Write())
		must(t, proof.Until(t.Context(), func() (bool, error) { return s.Listed() > before+200, nil }))
		// What the database loses by being put back must have been captured by then.
		must(t, s.StopWriting())
		must(t, s.Quiet(t.Context(), p, s.Database, -1))
	}
	write()
	copied := filepath.Join(dir, "backup.db")
	must(t, proof.CopyDatabase(s.Database, copied))
	write()
	if !running {
		_, err = p.Stop(stopWithin)
		must(t, err)
	}
	must(t, proof.CopyDatabase(copied, s.Database))
	if !running {
		p, err = s.House.Up(t.Context())
		must(t, err)
	}
	s.Snapshots++
	must(t, s.Quiet(t.Context(), p, s.Database, -1))
	write()
}
