package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// TestClock sets the clock of a Tarn an hour ahead and an hour back, again and again, while it works, just
// before it is killed and while it is down. Everything arrives once and in order all the same, also
// under orders of upkeep, and nothing is let go before its time has really passed: no record, no
// snapshot, no file.
func TestClock(t *testing.T) {
	t.Parallel() // it waits more than it works
	k := newClocked(t)
	k.up()
	must(t, k.scene.Write())
	k.settle()
	slow := k.readers()
	for _, jump := range []struct {
		ahead time.Duration
		when  string
	}{
		{time.Hour, "running"},
		{0, "running"},
		{-time.Hour, "running"},
		{0, "killed"},
		{time.Hour, "killed"},
		{0, "down"},
		{-time.Hour, "killed"},
		{time.Hour, "down"},
		{0, "running"},
	} {
		began := time.Now()
		k.jump(jump.ahead, jump.when)
		t.Logf("to %s, %s: right after %s", jump.ahead, jump.when, time.Since(began).Round(time.Millisecond))
	}
	k.flutter()
	slow.finish()
	k.rest()
	must(t, k.scene.StopWriting())
	k.nothingEarly()
	k.within.tell(t, "set")
	snapshots, gone, files := k.history.Size()
	t.Logf("%d snapshots, %d of them thinned; %d files", snapshots, gone, files)
}

// clocked is a Tarn whose clock is set, with everybody who works with it.
type clocked struct {
	t       *testing.T
	scene   *proof.Scene
	clock   *proof.Clock
	history *proof.History
	p       *proof.Process
	upkeep  *proof.Upkeep
	within  *tally
}

func newClocked(t *testing.T) *clocked {
	path, err := proof.BuildClocked(t.Context(), buildDir)
	must(t, err)
	dir := t.TempDir()
	k := &clocked{t: t, history: proof.NewHistory(filepath.Join(dir, "data", "lake")), within: newTally()}
	k.clock, err = proof.NewClock(filepath.Join(dir, "clock"))
	must(t, err)
	k.scene, err = proof.NewScene(t.Context(), path, dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "WAL")
	must(t, err)
	k.scene.House.Env = append(k.scene.House.Env, k.clock.Env())
	k.scene.Age = "30m"
	t.Cleanup(func() {
		k.scene.Abandon()
		if k.p != nil {
			k.p.Kill()
		}
		if k.upkeep != nil {
			k.upkeep.Stop()
		}
	})
	return k
}

func (k *clocked) up() {
	k.t.Helper()
	var err error
	k.p, err = k.scene.House.Up(k.t.Context(), "TARN_LANDING_COMMIT_INTERVAL=200ms")
	must(k.t, err)
	k.upkeep = k.scene.Upkeep(k.p)
}

// rest ends the orders of upkeep.
func (k *clocked) rest() {
	k.t.Helper()
	k.upkeep.Stop()
	if k.upkeep.Wrong != nil {
		k.t.Fatalf("an order of upkeep: %v\n%s", k.upkeep.Wrong, k.scene.House.Tail())
	}
	k.within.add(k.upkeep)
}

// readers are slow programs that read two snapshots from before the first jump to the end, if there is PyIceberg.
func (k *clocked) readers() *readers {
	k.rest() // nobody may expire what they begin to read
	r := newReaders(k.t, seed(k.t), false)
	r.start(k.p)
	k.upkeep = k.scene.Upkeep(k.p)
	return r
}

// jump sets the clock and proves that all goes on.
func (k *clocked) jump(ahead time.Duration, when string) {
	k.t.Helper()
	if when == "down" {
		k.p.Kill()
	}
	must(k.t, k.clock.Set(ahead))
	if when == "killed" {
		k.p.Kill()
	}
	if when != "running" {
		k.rest()
		k.up()
	}
	k.settle()
}

// flutter sets the clock back every other second, so that some of it falls into the midst of a commit.
func (k *clocked) flutter() {
	k.t.Helper()
	for i := range 8 {
		must(k.t, k.clock.Set(time.Duration(i%2)*time.Hour))
		time.Sleep(time.Second) // that is the pace
	}
	must(k.t, k.clock.Set(0))
	k.settle()
}

// settle lets the writer go on for a while and holds all that there is then against what it wrote.
func (k *clocked) settle() {
	k.t.Helper()
	ctx := k.t.Context()
	from := k.scene.Listed()
	must(k.t, proof.Until(ctx, func() (bool, error) {
		return k.scene.Listed() > from+80, k.history.Look(ctx)
	}))
	must(k.t, k.scene.Settle(ctx, k.p))
	must(k.t, k.history.Look(ctx))
	must(k.t, k.history.LookAtFiles(ctx, k.p))
	k.nothingEarly()

	last, err := k.p.Numbers(ctx, "SELECT max(epoch_ms(committed_at)) FROM system.tables WHERE layer = 'silver' AND name = 'ints'")
	must(k.t, err)
	if off := k.clock.Now().Sub(time.UnixMilli(last[0])); off.Abs() > 10*time.Minute {
		k.t.Errorf("the clock is %s ahead, and the last commit %s off", k.clock.Ahead, off)
	}
	short, cancel := context.WithTimeout(ctx, proof.SQLWithin)
	defer cancel()
	must(k.t, proof.Until(short, func() (bool, error) { return k.healthy(short) }))
}

// healthy tells whether Tarn has nothing to complain of, and what it has.
func (k *clocked) healthy(ctx context.Context) (bool, error) {
	_, body, err := k.p.Get(ctx, "/health")
	if err != nil {
		return false, err
	}
	var health struct{ Status string }
	if err := json.Unmarshal(body, &health); err != nil {
		return true, err
	}
	if health.Status == "ok" {
		return true, nil
	}
	return false, errors.New(string(body))
}

// nothingEarly holds what there is against what there was.
func (k *clocked) nothingEarly() {
	k.t.Helper()
	found, err := k.history.Early()
	must(k.t, err)
	logs, err := k.p.SQL(k.t.Context(), "SELECT name, log_start FROM system.topics WHERE log_start > 0")
	must(k.t, err)
	for _, row := range logs.Rows {
		found = append(found, fmt.Sprintf("records of %v below offset %v", row[0], row[1]))
	}
	if len(found) > 0 {
		k.t.Fatalf("with the clock %s ahead:\n%s", k.clock.Ahead, strings.Join(found, "\n"))
	}
}
