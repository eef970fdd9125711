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
