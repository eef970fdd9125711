//go:build duckdb_arrow

package oracle_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/fault"
)

var (
	flagCases  = flag.Int("cases", 48, "how many cases TestOracle runs")
	flagSide   = flag.Int("side", 4, "how many worlds run side by side: they wait more than they work")
	flagSoFar  = flag.String("progress", "", "the file in which runs with the same -cases keep what they did: each goes on where the last ended, with its seed")
	flagSeed   = flag.Uint64("seed", 0, "repeats a run's chance; 0 takes a new one")
	flagOnly   = flag.String("kinds", "", "only cases of these kinds, between commas")
	flagShrink = flag.Duration("shrink", 3*time.Minute, "how long a world that failed is made smaller; 0 = not at all, faults that are planted neither")
	flagKilled = flag.Int("killed", 10, "how often each operator has to be killed within a tick or its publication")
	flagUpdate = flag.Bool("update", false, "write down anew what planted faults are shrunk to")
	flagKeep   = flag.Bool("keep", false, "keep the folder of a world that failed")
)

// childDir makes the test binary the process that is killed; childSteps is how many steps it takes, all by default.
const (
	childDir   = "TARN_ORACLE_DIR"
	childSteps = "TARN_ORACLE_STEPS"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

const casesPerWorld = 16

// draft is a world to be made.
type draft struct {
	seed  uint64
	kinds []string
}

func (d draft) world() *World { return newWorld(d.seed, d.kinds) }

// drafts are the worlds of a run. Kinds take turns.
func drafts(seed uint64, only []string, cases int) (out []draft) {
	for n := 0; n < cases; n += casesPerWorld {
		d := draft{seed: seed + uint64(n/casesPerWorld)} //nolint:gosec // not negative
		for i := n; i < min(n+casesPerWorld, cases); i++ {
			d.kinds = append(d.kinds, only[i%len(only)])
		}
		out = append(out, d)
	}
	return out
}

func chosen(t *testing.T) (seed uint64, only []string) {
	t.Helper()
	if seed = *flagSeed; seed == 0 {
		seed = uint64(time.Now().UnixNano()) //nolint:gosec // any
	}
	only = kinds
	if *flagOnly != "" {
		only = strings.Split(*flagOnly, ",")
	}
	return seed, only
}

// side does things side by side, and ends early where one of them says so.
func side[T any](things []T, do func(T) (more bool)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, ended := 0, false
	for range *flagSide {
		wg.Go(func() {
			for {
				mu.Lock()
				if ended || next == len(things) {
					mu.Unlock()
					return
				}
				one := things[next]
				next++
				mu.Unlock()
				if !do(one) {
					mu.Lock()
					ended = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

// TestFixtures runs what failed once. Those that failed by a fault that was planted have to fail with it still: so
// the oracle keeps seeing what it saw.
func TestFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	side(files, func(path string) bool {
		w, err := readWorld(path)
		if err != nil {
			t.Error(err)
			return true
		}
		if fault.Plantable && w.Plant != "" && w.fails(t) == "" {
			t.Errorf("%s: the fault %q is not seen", path, w.Plant)
		}
		w.Plant = ""
		if v := w.check(t.Context(), *flagKeep); !v.ok() {
			t.Errorf("%s: %s", path, v)
		}
		return true
	})
}

// fails says how a world fails, "" for not at all. It is run again where it does not: which ticks there are depends
// on the machine's pace.
func (w *World) fails(t *testing.T) string {
	t.Helper()
	for range triesMax {
		if v := w.check(t.Context(), false); len(v.Failures) > 0 {
			return v.String()
		}
	}
	return ""
}

// TestOracle runs random worlds. The first that fails is shrunk and written down; then the run ends.
func TestOracle(t *testing.T) {
	seed, only := chosen(t)
	p, err := resumed(*flagSoFar, seed)
	if err != nil {
		t.Fatal(err)
	}
	var failed []string // told last, where a log that is cut has its end
	var mu sync.Mutex
	side(p.left(drafts(p.Seed, only, *flagCases)), func(d draft) bool {
		began, w := time.Now(), d.world()
		v := w.check(t.Context(), *flagKeep)
		mu.Lock()
		defer mu.Unlock()
		t.Logf("world of seed %d: %d cases, %d of %d kills, %.1f s", w.Seed, len(w.Cases), v.Kills, len(w.Kills), time.Since(began).Seconds())
		if v.ok() {
			if err := p.note(w, v); err != nil {
				t.Error(err)
			}
			return true
		}
		failed = append(failed, fmt.Sprintf("seed %d: %s", w.Seed, v))
		if *flagShrink > 0 {
			small, why := w.shrink(t, v)
			path := filepath.Join("testdata", fmt.Sprintf("%d.json", w.Seed))
			failed = append(failed, fmt.Sprintf("shrunk into %s: %s", path, why))
			if err := small.write(path); err != nil {
				t.Error(err)
			}
		}
		return false
	})
	p.Coverage.print(t)
	t.Logf("%d worlds from seed %d on, %d kills", len(p.Done), p.Seed, p.Kills)
	if *flagOnly == "" && *flagCases >= 300 && len(failed) == 0 {
		p.Coverage.check(t)
	}
	for _, one := range failed {
		t.Error(one)
	}
}

// smallest is what a fault that was planted has to be shrunk to: one pipeline over a few records.
var smallest = size{cases: 1, sources: 1, records: 16, kills: 2, words: 60}

// TestPlantedFaults holds the oracle itself: each fault that is made on purpose is found within the cases of a run, and
// shrunk to a world that a person can look at, which fails with the fault alone.
func TestPlantedFaults(t *testing.T) {
	if !fault.Plantable {
		t.Skip("built without -tags planted")
	}
	for _, plant := range []string{"retraction", "late", "epoch"} {
		t.Run(plant, func(t *testing.T) { planted(t, plant) })
	}
}

func planted(t *testing.T, plant string) {
	t.Helper()
	seed, _ := chosen(t)
	var found *World
	var how *Verdict
	var mu sync.Mutex
	cases := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	side(drafts(seed, kinds, 300), func(d draft) bool {
		w := d.world()
		w.Plant = plant
		v := w.check(ctx, false)
		mu.Lock()
		defer mu.Unlock()
		cases += len(w.Cases)
		if len(v.Failures) > 0 && found == nil {
			found, how = w, v
			cancel() // the others
		}
		return found == nil
	})
	if found == nil {
		t.Fatalf("the fault is not found in %d cases", cases)
	}
	if *flagShrink == 0 {
		t.Logf("found within %d cases", cases)
		return
	}
	small, _ := found.shrink(t, how)
	why, n := small.fails(t), small.size()
	t.Logf("found within %d cases, and shrunk to %s\n%s", cases, n, why)
	if n.cases > smallest.cases || n.sources > smallest.sources || n.records > smallest.records || n.kills > smallest.kills || n.words > smallest.words {
		t.Errorf("it is shrunk to %s, which is more than %s", n, smallest)
	}
	if why == "" {
		t.Error("shrunk it does not fail again")
	}
	without := *small
	without.Plant = ""
	if v := without.check(t.Context(), false); !v.ok() {
		t.Errorf("shrunk it fails without the fault: %s", v)
	}
	if *flagUpdate && !t.Failed() {
		if err := small.write(filepath.Join("testdata", "planted-"+plant+".json")); err != nil {
			t.Error(err)
		}
	}
}
