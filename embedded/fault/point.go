package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Crash points prove recovery: with TARN_CRASH=name:n the process kills itself
// with SIGKILL when it reaches point name for the n-th time; with name@whose:n, when
// whose reaches it; of several between commas, at the first that it comes to. With
// TARN_CRASH_LOG=file it first appends "name", or "name@whose", to that file, so that a proof can
// tell a run that hit its point from one that did not. With TARN_CRASH_STOP=1 it stops itself
// there with SIGSTOP, and goes on with SIGCONT. In production all are
// unset and a point costs one comparison.
var armed = arm(os.Getenv("TARN_CRASH"))

type trap struct {
	set      string // as it was set, without its number
	name, of string
	left     atomic.Int64
}

func arm(specs string) (traps []*trap) {
	for spec := range strings.SplitSeq(specs, ",") {
		set, nth, ok := strings.Cut(spec, ":")
		if set == "" {
			continue
		}
		t := &trap{set: set}
		t.name, t.of, _ = strings.Cut(set, "@")
		n, err := strconv.ParseInt(nth, 10, 64)
		if !ok || err != nil {
			n = 1
		}
		t.left.Store(n)
		traps = append(traps, t)
	}
	return traps
}

// Point marks a hand-over at which a crash is worth proving. Names are
// "room.moment", for instance "bus.acked".
func Point(name string) { PointOf(name, "") }

// PointOf is Point where several come by: of says which of them does.
func PointOf(name, of string) {
	for _, t := range armed {
		if t.name == name && (t.of == "" || t.of == of) && t.left.Add(-1) == 0 {
			crash(t.set)
		}
	}
}

func crash(set string) {
	if path := os.Getenv("TARN_CRASH_LOG"); path != "" {
		if f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, _ = fmt.Fprintln(f, set)
			_ = f.Sync()
			_ = f.Close()
		}
	}
	if os.Getenv("TARN_CRASH_STOP") != "" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // SIGKILL is on its way; do not run one line more
}
