package life

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"tarn/embedded/fault"
)

// StopLimit is how long all parts together may take to land what is in flight.
const StopLimit = 5 * time.Second

// startAgain is the pause before a part is started again.
const startAgain = 500 * time.Millisecond

// House runs parts and knows their states. Make one with NewHouse and call Run once.
type House struct {
	// Blocked tells why nothing can be written now, nil when it can: a part that fails
	// before it is ready is started again after that. It may be nil.
	Blocked func() error

	clock Clock
	log   *slog.Logger

	mu    sync.Mutex
	lines []*line
}

// line is one part with its state; House.mu guards the state.
type line struct {
	part   Part
	status Status
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set before done is closed
}

// NewHouse returns a house without parts.
func NewHouse(clock Clock, log *slog.Logger) *House {
	return &House{clock: clock, log: log}
}

// Run starts the parts in order, each when the one before is ready, and blocks until
// ctx ends or a part fails; then it stops them in reverse, each when the one after it has
// stopped, within StopLimit in all. The error names the part that failed.
func (h *House) Run(ctx context.Context, parts ...Part) error {
	for _, p := range parts {
		h.lines = append(h.lines, &line{part: p, status: Status{Name: p.Name(), State: Starting, Since: h.clock.Now()}})
	}
	failed := make(chan *line, len(parts))
	err := h.start(ctx, failed)
	if err == nil {
		select {
		case <-ctx.Done():
		case l := <-failed:
			err = l.fault()
		}
	}
	return errors.Join(err, h.stop())
}

func (h *House) start(ctx context.Context, failed chan<- *line) error {
	for _, l := range h.lines {
		ready := h.launch(ctx, l, failed)
		select {
		case <-ready:
			h.log.Debug("part ready", "part", l.part.Name())
		case <-l.done:
			if ctx.Err() != nil {
				return nil //nolint:nilerr // a stop while starting is no failure
			}
			return l.fault()
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// launch runs a part under a context of its own, which ends when its turn to stop comes.
func (h *House) launch(ctx context.Context, l *line, failed chan<- *line) <-chan struct{} {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan struct{})
	h.mu.Lock()
	l.cancel, l.done = cancel, make(chan struct{})
	h.mu.Unlock()
	go func() {
		defer close(l.done)
		l.err = h.patiently(own, l, sync.OnceFunc(func() {
			h.set(l, Ready, nil)
			close(ready)
		}))
		if own.Err() == nil {
			if l.err == nil {
				l.err = errors.New("ended by itself")
			}
			h.set(l, Failed, l.err)
			failed <- l
			return
		}
		h.set(l, Stopped, l.err)
	}()
	return ready
}

// patiently runs a part. Where a disk that takes no writes keeps it from starting, it waits
// and tries again.
func (h *House) patiently(ctx context.Context, l *line, ready func()) error {
	for told := ""; ; {
		err := Guarded(h.log.With("part", l.part.Name()), func() error { return l.part.Run(ctx, ready) })
		if err == nil || ctx.Err() != nil || h.state(l) == Ready || h.Blocked == nil {
			return err
		}
		why := h.Blocked()
		if why == nil && !fault.Full(err) {
			return err
		}
		if why != nil {
			err = fault.Wrap(err, fault.NoSpace, "waits, for "+why.Error(), fault.HintOf(why))
		}
		h.set(l, Degraded, err)
		if err.Error() != told {
			told = err.Error()
			h.log.Warn("part waits until the disk takes writes", "part", l.part.Name(), "error", err, "hint", fault.HintOf(err))
		}
		for blocked := true; blocked; blocked = h.Blocked() != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(startAgain):
			}
		}
		h.set(l, Starting, nil)
	}
}

func (l *line) fault() error {
	if l.err == nil {
		return fmt.Errorf("%s: ended before it was ready", l.part.Name())
	}
	return fmt.Errorf("%s: %w", l.part.Name(), l.err)
}

func (h *House) stop() error {
	limit := time.NewTimer(StopLimit)
	defer limit.Stop()
	var errs []error
	late := false
	for _, l := range slices.Backward(h.lines) {
		if l.cancel == nil {
			continue
		}
		l.cancel()
		if late {
			continue
		}
		select {
		case <-l.done:
			if h.state(l) != Failed && l.err != nil && !errors.Is(l.err, context.Canceled) {
				errs = append(errs, fmt.Errorf("stop %s: %w", l.part.Name(), l.err))
			}
		case <-limit.C:
			late = true
			errs = append(errs, fmt.Errorf("stop %s: not done within %s; nothing acknowledged is lost, the next start goes on from there", l.part.Name(), StopLimit))
		}
	}
	return errors.Join(errs...)
}

func (h *House) set(l *line, s State, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.status.State, l.status.Since = s, h.clock.Now()
	l.status.Error, l.status.Hint = "", ""
	if err != nil {
		l.status.Error, l.status.Hint = err.Error(), fault.HintOf(err)
	}
}

func (h *House) state(l *line) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return l.status.State
}

// Ready tells whether every part is ready.
func (h *House) Ready() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lines {
		if l.status.State != Ready {
			return false
		}
	}
	return len(h.lines) > 0
}

// Statuses lists the parts and what they report of themselves, floor first. A part
// that is ready and reports a line of its own name shows that line's state.
func (h *House) Statuses() []Status {
	h.mu.Lock()
	lines := make([]Status, len(h.lines))
	for i, l := range h.lines {
		lines[i] = l.status
	}
	h.mu.Unlock()
	var out []Status
	for i, own := range lines {
		r, ok := h.lines[i].part.(Reporter)
		if !ok || own.State != Ready {
			out = append(out, own)
			continue
		}
		reported := r.Report()
		for j := range reported {
			if reported[j].Name == own.Name {
				own = reported[j]
			}
		}
		out = append(out, own)
		for _, s := range reported {
			if s.Name != own.Name {
				out = append(out, s)
			}
		}
	}
	return out
}

// Overall is the worst of the lines: "ok", "degraded" or "failed".
func Overall(lines []Status) string {
	worst := "ok"
	for _, s := range lines {
		switch s.State {
		case Failed:
			return "failed"
		case Degraded:
			worst = "degraded"
		}
	}
	return worst
}
