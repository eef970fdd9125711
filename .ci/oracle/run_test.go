//go:build duckdb_arrow

package oracle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"tarn/embedded/duck"
)

const triesMax = 3 // runs of a world until its last windows are flushed

// Verdict is what a world came to.
type Verdict struct {
	Error    string            // it could not be held against anything
	Failures map[string]string // by case
	Wants    map[string]*wanted
	Killed   map[string]int // by case
	Kills    int
	Statuses []string
}

func (v *Verdict) ok() bool { return v.Error == "" && len(v.Failures) == 0 }

// run runs the world's process until it ends by itself. Each of the first runs has a part of the log for itself, so that
// first, middle and last ticks are killed, and may be killed at one point more; to what it did not come later ones
// may, in the end with all of the log and at the first time.
func (w *World) run(ctx context.Context, dir string, kills []Kill, v *Verdict) (*Answer, error) {
	if err := w.write(filepath.Join(dir, "world.json")); err != nil {
		return nil, err
	}
	answer, hits := filepath.Join(dir, "answer.json"), filepath.Join(dir, "hits")
	turns, left := len(kills), slices.Clone(kills)
	for n := 1; ; n++ {
		_, _ = os.Remove(answer), os.Remove(hits)
		for i := range left {
			if n > turns {
				left[i].Nth = 1
			}
		}
		due := left[:max(0, min(len(left), n-(turns-len(left))))]
		env := []string{childDir + "=" + dir, "TARN_PLANT=" + w.Plant, "TARN_CRASH=" + specs(due), "TARN_CRASH_LOG=" + hits}
		if n <= turns {
			env = append(env, fmt.Sprintf("%s=%d", childSteps, len(w.Steps)*n/(turns+1)))
		}
		said, err := start(ctx, env)
		if killed(err) {
			if at := slices.IndexFunc(due, func(k Kill) bool { return k.hit(hits) }); at >= 0 {
				v.Kills++
				v.Killed[left[at].Case]++
				left = slices.Delete(left, at, at+1)
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the process: %w\n%s", err, said)
		}
		if n > turns {
			return told(answer, said)
		}
	}
}

// told reads what the process came to.
func told(answer, said string) (*Answer, error) {
	text, err := os.ReadFile(answer) //nolint:gosec // ours
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

// scratch is where worlds are run: in memory, where there is room, for what is killed is a process, and never the
// machine. TMPDIR says otherwise.
func scratch() string {
	const memory, roomMin = "/dev/shm", 2 << 30 // a world has some 20 MB, and many files
	var room syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &room) != nil || room.Bavail*uint64(room.Bsize) < roomMin { //nolint:gosec // not negative
		return ""
	}
	return memory
}

// check runs a world in a folder of its own and compares. keep leaves the folder of one that failed.
func (w *World) check(ctx context.Context, keep bool) (v *Verdict) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	v = &Verdict{Killed: map[string]int{}}
	dir, err := os.MkdirTemp(scratch(), "tarn-oracle-")
	if err != nil {
		v.Error = err.Error()
		return v
	}
	defer func() {
		if !v.ok() && keep {
			v.Statuses = append(v.Statuses, "kept "+dir)
			return
		}
		_ = os.RemoveAll(dir)
	}()
	kills := w.Kills
	for try := 1; ; try++ {
		a, err := w.run(ctx, dir, kills, v)
		if err != nil {
			v.Error = err.Error()
			return v
		}
		kills = nil
		unsettled, err := w.compare(ctx, a, v)
		if err != nil {
			v.Error = err.Error()
			return v
		}
		v.Statuses = a.Statuses
		if v.ok() || try == triesMax || !unsettled && try > 1 {
			return v
		}
	}
}

// compare holds each case against its batch query.
func (w *World) compare(ctx context.Context, a *Answer, v *Verdict) (unsettled bool, err error) {
	v.Failures, v.Wants = map[string]string{}, map[string]*wanted{}
	in, err := duck.Open(ctx, duck.Options{MemoryBytes: 512 << 20, Threads: 1})
	if err != nil {
		return false, err
	}
	defer func() { _ = in.Close() }()
	conn, err := in.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	for _, c := range w.Cases {
		want, err := w.want(ctx, conn, c, a)
		if err != nil {
			return false, fmt.Errorf("%s: %w\n%s", c.Name, err, c.Statement)
		}
		v.Wants[c.Name] = want
		if stopped := a.Stopped[c.Name]; stopped != "" || want.refused != "" {
			if stopped == "" || !w.huge(c) || !strings.Contains(stopped, "cannot compute") {
				v.Failures[c.Name] = fmt.Sprintf("%s (%s) is %q, the batch query %q\n%s", c.Name, c.Kind, stopped, want.refused, c.Statement)
			}
			continue
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
		if d := bags("dead", a.deadOf(c), want.dead); d != "" {
			wrong = append(wrong, d)
		}
		if len(wrong) > 0 {
			v.Failures[c.Name] = fmt.Sprintf("%s (%s) is wrong\n%s\nbatch: %s\n%s", c.Name, c.Kind, c.Statement, want.text, strings.Join(wrong, "\n"))
		}
	}
	return unsettled, nil
}

// lateOf are the late rows that a pipeline told of.
func (a *Answer) lateOf(c *Case) map[string]int {
	out := map[string]int{}
	for _, l := range a.Late {
		if strings.Contains(l.Reader, a.IDs[c.Name]) {
			out[fmt.Sprintf("%s %d %d %d %d", l.Topic, l.Partition, l.Offset, l.Begin.UnixMicro(), l.End.UnixMicro())]++
		}
	}
	return out
}

// deadOf are its dead letters.
func (a *Answer) deadOf(c *Case) map[string]int {
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
