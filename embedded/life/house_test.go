package life_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tarn/embedded/life"
)

type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, s)
}

func (n *notes) part(name string) life.Part {
	return life.Func(name, func(ctx context.Context, ready func()) error {
		n.add("start " + name)
		ready()
		<-ctx.Done()
		n.add("stop " + name)
		return nil
	})
}

func house() *life.House {
	return life.NewHouse(life.SystemClock{}, slog.New(slog.DiscardHandler))
}

func TestPartsStartInOrderAndStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n, h := &notes{}, house()
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, n.part("floor"), n.part("roof")) }()
		synctest.Wait()
		if !h.Ready() {
			t.Fatal("not ready")
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := []string{"start floor", "start roof", "stop roof", "stop floor"}
		if !slices.Equal(n.lines, want) {
			t.Fatalf("got %v, want %v", n.lines, want)
		}
		if h.Ready() {
			t.Fatal("ready after the stop")
		}
	})
}

func TestAFailingPartIsNamedAndStopsTheOthers(t *testing.T) {
	cause := errors.New("disk gone")
	for name, fails := range map[string]func(context.Context, func()) error{
		"before it is ready": func(context.Context, func()) error { return cause },
		"later":              func(_ context.Context, ready func()) error { ready(); return cause },
		"by a panic":         func(context.Context, func()) error { panic(cause) },
	} {
		t.Run(name, func(t *testing.T) {
			n, h := &notes{}, house()
			err := h.Run(t.Context(), n.part("floor"), life.Func("roof", fails))
			if err == nil || !strings.HasPrefix(err.Error(), "roof: ") || !strings.Contains(err.Error(), "disk gone") {
				t.Fatalf("got %v", err)
			}
			if got := life.Overall(h.Statuses()); got != "failed" {
				t.Fatalf("overall is %q", got)
			}
			if n.lines[len(n.lines)-1] != "stop floor" {
				t.Fatalf("the floor was not stopped: %v", n.lines)
			}
		})
	}
}

func TestAPartThatDoesNotStopIsNamedAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		stuck := life.Func("stuck", func(_ context.Context, ready func()) error { ready(); <-release; return nil })
		done := make(chan error, 1)
		go func() { done <- house().Run(ctx, stuck) }()
		synctest.Wait()
		start := time.Now()
		cancel()
		err := <-done
		if err == nil || !strings.Contains(err.Error(), "stuck") || time.Since(start) != life.StopLimit {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
		close(release)
	})
}

// An engine that waits for an answer that never comes is told so in time to end in order.
func TestAnEngineThatWaitsInVainStillEndsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		closed := false
		engine := life.Opened("engine", func(context.Context) (func(context.Context) error, error) {
			return func(last context.Context) error {
				<-last.Done()
				time.Sleep(life.StopLimit / 4) // what ending takes
				closed = true
				return nil
			}, nil
		}, nil)
		done := make(chan error, 1)
		go func() { done <- house().Run(ctx, engine) }()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil || !closed {
			t.Fatalf("closed %v: %v", closed, err)
		}
	})
}

// A part that a full disk keeps from starting is started again when there is room; one that
// fails for another reason ends the house.
func TestAPartWaitsForADiskThatTakesNoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		full, h := true, house()
		var mu sync.Mutex
		h.Blocked = func() error {
			mu.Lock()
			defer mu.Unlock()
			if full {
				return errors.New("no room")
			}
			return nil
		}
		tries := 0
		part := life.Func("meta", func(ctx context.Context, ready func()) error {
			if tries++; tries == 1 {
				return errors.New("cannot write")
			}
			ready()
			<-ctx.Done()
			return nil
		})
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, part) }()
		time.Sleep(time.Minute)
		if s := h.Statuses()[0]; h.Ready() || s.State != life.Degraded || !strings.HasSuffix(s.Error, "cannot write") {
			t.Errorf("while the disk is full the part is %+v", s)
		}
		mu.Lock()
		full = false
		mu.Unlock()
		time.Sleep(time.Minute)
		if s := h.Statuses()[0]; !h.Ready() || s.Error != "" {
			t.Errorf("when there is room the part is %+v", s)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		broken := errors.New("broken")
		again := house()
		again.Blocked = h.Blocked
		err := again.Run(t.Context(), life.Func("bus", func(context.Context, func()) error { return broken }))
		if !errors.Is(err, broken) {
			t.Errorf("a part that is broken: %v", err)
		}
	})
}
