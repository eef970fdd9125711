package source_test

import (
	"bytes"
	"errors"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/ingest/source"
)

// TestReadingGoesAhead: a source that bears it is read on while the log is busy, and what it asks about its topics is answered when all
// that it has handed over is there.
func TestReadingGoesAhead(t *testing.T) {
	second := make(chan struct{})
	var placed string
	s := newStage(t,
		batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))),
		func(env source.Env) (source.Batch, error) {
			close(second)
			return batch(`"2"`, "calls", change(2, source.Create, nil, row(2, "b")))(env)
		},
		func(env source.Env) (source.Batch, error) {
			placed = env.Place("p.main.calls").Place
			return batch(`"3"`, "calls", change(3, source.Create, nil, row(3, "c")))(env)
		})
	s.ahead = true
	s.log.Refuse = func(string) (bool, error) {
		select {
		case <-second: // or the first append never ends
			return false, nil
		case <-time.After(patience):
			return false, errors.New("nothing was read meanwhile")
		}
	}
	s.run(0)
	s.acked(`"3"`)
	if want := change(2, source.Create, nil, nil).Place; placed != want {
		t.Fatalf("the place behind two batches is %q, want %q", placed, want)
	}
	if got := s.script.list(&s.script.acked); !slices.Equal(got, []string{`"1"`, `"2"`, `"3"`}) {
		t.Fatalf("acknowledged %q", got)
	}
}

// TestReadingWaits for the log where a source does not bear it otherwise, and where a position is to be saved first.
func TestReadingWaits(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		var early []string
		s := newStage(t)
		after := func(mark string, f func(source.Env) (source.Batch, error)) func(source.Env) (source.Batch, error) {
			return func(env source.Env) (source.Batch, error) {
				if !slices.Contains(s.script.list(&s.script.acked), mark) {
					early = append(early, mark)
				}
				return f(env)
			}
		}
		first := batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a")))
		if ahead {
			first = func(source.Env) (source.Batch, error) { return source.Batch{Mark: source.Position(`"1"`)}, nil }
		}
		s.script.batches = append(s.script.batches, first, after(`"1"`, batch(`"2"`, "calls", change(2, source.Create, nil, row(2, "b")))))
		s.ahead = ahead
		s.run(0)
		s.acked(`"2"`)
		if len(early) > 0 {
			t.Errorf("ahead %t: read on before the acknowledgment of %q", ahead, early)
		}
	}
}

// TestAnAppendThatFailsEndsTheReading, also where the source waits for a change that does not come.
func TestAnAppendThatFailsEndsTheReading(t *testing.T) {
	s := newStage(t, batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))))
	s.ahead = true
	s.log.Refuse = func(string) (bool, error) { return false, errors.New("gone") }
	s.run(0)
	s.until("it is opened anew", func() bool { return len(s.script.list(&s.script.opened)) == 2 })
	if got := s.script.list(&s.script.acked); len(got) > 0 {
		t.Fatalf("acknowledged %q", got)
	}
}

// TestAnOpeningThatPanicsLeavesNothingRunning, however often it is tried.
func TestAnOpeningThatPanicsLeavesNothingRunning(t *testing.T) {
	s := newStage(t, batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))))
	s.panics = 2
	s.run(0)
	s.acked(`"1"`)
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(stacks.String(), "tarn/ingest/source.newLane.func1()"); n != 1 {
		t.Fatalf("%d lanes, want the one of the session\n%s", n, &stacks)
	}
}
