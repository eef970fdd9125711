//go:build duckdb_arrow

package oracle_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/duck"
)

var (
	flagCases = flag.Int("cases", 48, "how many cases TestOracle runs")
	flagSeed  = flag.Uint64("seed", 0, "repeats a run's chance; 0 takes a new one")
	flagOnly  = flag.String("kinds", "", "only cases of these kinds, between commas")
	flagKeep  = flag.Bool("keep", false, "keep the folder of a world that failed")
)

// childDir makes the test binary the process that is killed.
const childDir = "TARN_ORACLE_DIR"

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

const (
	casesPerWorld = 16
	triesMax      = 3 // runs of a world until its last windows are flushed
)

// TestOracle runs random worlds.
func TestOracle(t *testing.T) {
	seed := *flagSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) //nolint:gosec // any
	}
	only := kinds
	if *flagOnly != "" {
		only = strings.Split(*flagOnly, ",")
	}
	for n := 0; n < *flagCases; n += casesPerWorld {
		w := newWorld(seed+uint64(n), only, min(casesPerWorld, *flagCases-n)) //nolint:gosec // not negative
		t.Logf("world of seed %d", w.Seed)
		for _, f := range w.check(t) {
			t.Errorf("seed %d: %s", w.Seed, f)
		}
	}
}

// newWorld makes a world of so many cases.
func newWorld(seed uint64, only []string, cases int) *World {
	r := newChance(seed)
	w := &World{Seed: seed}
	m := maker{chance: r}
	typ := pick(r, "TIMESTAMP", "TIMESTAMPTZ")
	for i := range 4 {
		keyed := i >= 2
		w.Sources = append(w.Sources, r.source(fmt.Sprintf("s%d", i), typ, keyed, 60+r.IntN(200)))
		if keyed {
			m.logs = append(m.logs, i)
		} else {
			m.streams = append(m.streams, i)
		}
	}
	m.sources = w.Sources
	for i := range cases {
		if c := m.make(only[(int(seed%1000)+i)%len(only)], i); c != nil { //nolint:gosec // small
			w.Cases = append(w.Cases, c)
		}
	}
	w.Steps = r.steps(w.Sources)
	return w
}

// steps cut the logs into batches, in one order for all.
func (r chance) steps(sources []*Source) (out []Step) {
	type feed struct{ source, partition, left int }
	var feeds []feed
	for i, s := range sources {
		for p := range s.Records {
			if n := len(s.Records[p]); n > 0 {
				feeds = append(feeds, feed{i, p, n})
			}
		}
	}
	for len(feeds) > 0 {
		at := r.IntN(len(feeds))
		f := &feeds[at]
		n := min(f.left, 1+r.IntN(pick(r, 3, 15, 60)))
		s := Step{Source: f.source, Partition: int32(f.partition), Count: n} //nolint:gosec // few
		switch {
		case r.percent(3):
			s.Pause = timeout + 3*pulse // partitions go idle meanwhile
		case r.percent(40):
			s.Pause = time.Duration(r.IntN(120)) * time.Millisecond
		}
		out = append(out, s)
		if f.left -= n; f.left == 0 {
			feeds = slices.Delete(feeds, at, at+1)
		}
	}
	return out
}

// run runs the world's process until it ends by itself.
func (w *World) run(ctx context.Context, dir string) (*Answer, error) {
	if err := w.write(filepath.Join(dir, "world.json")); err != nil {
		return nil, err
	}
	kills := w.Kills
	for {
		_ = os.Remove(filepath.Join(dir, "answer.json"))
		env := []string{childDir + "=" + dir}
		if len(kills) > 0 {
			env = append(env, fmt.Sprintf("TARN_CRASH=%s:%d", kills[0].Point, kills[0].Nth))
			kills = kills[1:]
		}
		said, err := start(ctx, env)
		if killed(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the process: %w\n%s", err, said)
		}
		text, err := os.ReadFile(filepath.Join(dir, "answer.json"))
		if err != nil {
			return nil, err
		}
		a := &Answer{}
		if err := json.Unmarshal(text, a); err != nil {
			return nil, err
		}
		if a.Failed != "" || a.Refused != "" {
			return a, fmt.Errorf("refused %q, failed %q\n%s", a.Refused, a.Failed, said)
		}
		return a, nil
	}
}

func start(ctx context.Context, env []string) (string, error) {
	cmd := exec.CommandContext(ctx, os.Args[0]) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), env...)
	said, err := cmd.CombinedOutput()
	return string(said[max(0, len(said)-4000):]), err
}

func killed(err error) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// check runs a world and compares.
func (w *World) check(t *testing.T) (failures []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "tarn-oracle-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if len(failures) > 0 && *flagKeep {
			t.Logf("kept %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	}()
	for try := 1; ; try++ {
		a, err := w.run(ctx, dir)
		if err != nil {
			return []string{err.Error()}
		}
		unsettled := false
		if failures, unsettled, err = w.compare(ctx, a); err != nil {
			return []string{err.Error()}
		}
		if len(failures) == 0 || try == triesMax || !unsettled && try > 1 {
			if len(failures) > 0 {
				t.Log(strings.Join(a.Statuses, "\n"))
			}
			return failures
		}
	}
}

func (w *World) compare(ctx context.Context, a *Answer) (failures []string, unsettled bool, err error) {
	in, err := duck.Open(ctx, duck.Options{MemoryBytes: 512 << 20, Threads: 1})
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = in.Close() }()
	conn, err := in.Conn(ctx)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = conn.Close() }()
	for _, c := range w.Cases {
		want, err := w.want(ctx, conn, c, a)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w\n%s", c.Name, err, c.Statement)
		}
		var wrong []string
		if want.unsettled != "" {
			unsettled = true
			wrong = append(wrong, want.unsettled)
		}
		got := a.Tables[c.Name]
		if d := differ(got.Columns, got.Rows, want.rows); d != "" {
			wrong = append(wrong, d)
		}
		if d := bags("late", a.lateOf(c), want.late); d != "" {
			wrong = append(wrong, d)
		}
		if d := bags("dead", a.deadOf(w, c), want.dead); d != "" {
			wrong = append(wrong, d)
		}
		if len(wrong) > 0 {
			failures = append(failures, fmt.Sprintf("%s (%s) is wrong\n%s\nbatch: %s\n%s", c.Name, c.Kind, c.Statement, want.text, strings.Join(wrong, "\n")))
		}
	}
	return failures, unsettled, nil
}

// lateOf are the late rows that a pipeline told of.
func (a *Answer) lateOf(c *Case) map[string]int {
	out := map[string]int{}
	for _, l := range a.Late {
		if strings.TrimPrefix(l.Pipeline, "gold.") == c.Name {
			out[fmt.Sprintf("%s %d %d %d %d", l.Topic, l.Partition, l.Offset, l.Begin.UnixMicro(), l.End.UnixMicro())]++
		}
	}
	return out
}

// deadOf are its dead letters.
func (a *Answer) deadOf(_ *World, c *Case) map[string]int {
	out := map[string]int{}
	for _, d := range a.Dead {
		if strings.Contains(d.Reader, a.IDs[c.Name]) {
			out[fmt.Sprintf("%s %d %d", d.Topic, d.Partition, d.Offset)]++
		}
	}
	return out
}

// bags compares two bags of words.
func bags(what string, got, want map[string]int) string {
	var out []string
	for k, n := range got {
		if want[k] != n {
			out = append(out, fmt.Sprintf("%s: %d times, and not %d", k, n, want[k]))
		}
	}
	for k, n := range want {
		if got[k] == 0 {
			out = append(out, fmt.Sprintf("%s: never, and not %d", k, n))
		}
	}
	if len(out) == 0 {
		return ""
	}
	slices.Sort(out)
	return fmt.Sprintf("%s: %d of %d wrong: %s", what, len(out), len(want), strings.Join(out[:min(len(out), 5)], "; "))
}
