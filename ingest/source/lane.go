package source

import (
	"context"
	"log/slog"
	"sync"

	"tarn/embedded/life"
)

// lane runs steps one after the other, beside the goroutine that gives them, until one fails: what is read next is read and
// rendered while the log syncs what was read before.
type lane struct {
	steps  chan func(ctx context.Context) error
	failed chan struct{} // closed when a step has failed
	err    error         // why; for who has seen failed closed
	ended  sync.WaitGroup
	closes sync.Once
}

// stepsAhead is how many steps wait behind the one that runs, beside the one that is being made. A step is an append or a few.
const stepsAhead = 1

// newLane starts a lane whose steps get ctx, and that calls stop when one fails. A panic of a step is its error.
func newLane(ctx context.Context, stop func(), log *slog.Logger) *lane {
	l := &lane{steps: make(chan func(context.Context) error, stepsAhead), failed: make(chan struct{})}
	l.ended.Go(func() {
		for step := range l.steps {
			if l.err != nil {
				continue // given before its giver knew
			}
			if l.err = life.Guarded(log, func() error { return step(ctx) }); l.err != nil {
				close(l.failed)
				stop()
			}
		}
	})
	return l
}

// put gives a step. It waits while too many are given, and returns the error of one that has failed.
func (l *lane) put(step func(ctx context.Context) error) error {
	select {
	case l.steps <- step:
		return nil
	case <-l.failed:
		return l.err
	}
}

// wait waits until all steps that were given have run, or one has failed, whose error it returns.
func (l *lane) wait() error {
	done := make(chan struct{})
	if err := l.put(func(context.Context) error { close(done); return nil }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-l.failed:
		return l.err
	}
}

// close lets the steps that were given run, and ends the lane. It returns the error of one that has failed. It may be called again.
func (l *lane) close() error {
	l.closes.Do(func() { close(l.steps) })
	l.ended.Wait()
	return l.err
}
