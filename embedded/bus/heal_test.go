package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record"
)

// insist appends a batch again and again until it is acknowledged.
func (h *house) insist(p *bus.Partition, b []byte) bus.Appended {
	h.t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		a, err := p.Append(context.Background(), b)
		if err == nil {
			return a
		}
		if !errors.Is(err, bus.ErrRetry) || time.Now().After(deadline) {
			h.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAFailedPublishIsRefusedAndTheLogGoesOnWithoutAGap(t *testing.T) {
	for _, c := range []struct {
		kind mishap
		in   bool // the failed append is in the log
	}{{lost, false}, {broken, false}, {muted, true}, {slow, true}, {intruded, false}, {twice, true}, {stuck, false}} {
		t.Run(string(c.kind), func(t *testing.T) {
			f := &faults{}
			h := open(t, f.options)
			p := h.partition("t", bus.TopicConfig{})
			h.append(p, batch("a"))
			f.plan(c.kind)
			_, err := p.Append(t.Context(), batch("b"))
			if !errors.Is(err, bus.ErrRetry) {
				t.Fatalf("got %v", err)
			}
			if fault.CodeOf(err) != fault.Unavailable {
				t.Fatalf("code %s", fault.CodeOf(err))
			}
			h.insist(p, batch("c"))
			want := "[0:a 1:c]"
			if c.in {
				want = "[0:a 1:b 2:c]"
			}
			if got := fmt.Sprint(h.read(p, 0, 1)); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
			h.restart()
			if got := fmt.Sprint(h.read(h.partition("t", bus.TopicConfig{}), 0, 1)); got != want {
				t.Fatalf("after a restart: got %s, want %s", got, want)
			}
			if f.hits[c.kind] != 1 {
				t.Fatal("the fault did not happen")
			}
		})
	}
}

func TestALatePublishIsTakenInBeforeAnotherOffsetIsGiven(t *testing.T) {
	f := &faults{}
	h := open(t, f.options)
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, batch("a"))
	f.plan(late)
	if _, err := p.Append(t.Context(), batch("b")); !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("got %v", err)
	}
	h.insist(p, batch("")) // waits for the recovery
	f.deliver()
	h.insist(p, batch("c"))
	got := fmt.Sprint(h.read(p, 0, 1<<20))
	if got != "[0:a 1: 2:c]" {
		t.Fatalf("a publish that was refused, and overtaken, got in: %s", got)
	}
}

func TestASourceLooksAtItsPlaceAfterALatePublish(t *testing.T) {
	f := &faults{}
	h := open(t, f.options)
	p := h.partition("t", bus.TopicConfig{Source: "s"})
	h.append(p, placed("s/i/0001"))
	f.plan(late)
	if _, err := p.Append(t.Context(), placed("s/i/0002")); !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("got %v", err)
	}
	waitFor(t, "recovery", func() bool { return len(h.bus.Report()) == 0 })
	if pos, ok := p.Place("s"); !ok || pos.Place != "0001" {
		t.Fatalf("place is %v", pos)
	}
	f.deliver() // now the refused one is in
	if _, err := p.Append(t.Context(), placed("s/i/0002")); !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("the same place got in twice: %v", err)
	}
	waitFor(t, "recovery", func() bool { return len(h.bus.Report()) == 0 })
	if _, err := p.Append(t.Context(), placed("s/i/0002")); !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("the same place got in twice: %v", err)
	}
	if pos, _ := p.Place("s"); pos.Place != "0002" {
		t.Fatalf("place is %v", pos)
	}
	h.append(p, placed("s/i/0003"))
	if p.Next() != 3 {
		t.Fatalf("next is %d", p.Next())
	}
}

// TestARepeatGetsInWhenTheFirstTryDied: the first try is in flight while its source, which
// was started anew, appends the same again.
func TestARepeatGetsInWhenTheFirstTryDied(t *testing.T) {
	for kind, in := range map[mishap]bool{lost: false, broken: false, stuck: false, muted: true, slow: true} {
		t.Run(string(kind), func(t *testing.T) {
			f := &faults{}
			h := open(t, f.options)
			p := h.partition("tarn.t", bus.TopicConfig{})
			f.plan(kind)
			first := make(chan error, 1)
			go func() { _, err := p.Append(context.Background(), placed("s/i/0001")); first <- err }()
			waitFor(t, "the first try", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.hits[kind] == 1 })
			if in { // who has looked at its place since has nothing to append
				waitFor(t, "the place", func() bool {
					_, err := p.Append(t.Context(), placed("s/i/0001"))
					if !errors.Is(err, bus.ErrRetry) {
						t.Fatalf("the same place got in twice: %v", err)
					}
					_, ok := p.Place("s")
					return ok
				})
			} else {
				h.insist(p, placed("s/i/0001"))
			}
			if err := <-first; !errors.Is(err, bus.ErrRetry) {
				t.Fatalf("the first try got %v", err)
			}
			h.insist(p, placed("s/i/0002"))
			h.restart()
			if got := fmt.Sprint(h.read(h.partition("tarn.t", bus.TopicConfig{}), 0, 1)); got != "[0:x 1:x]" {
				t.Fatalf("got %s", got)
			}
		})
	}
}

// placed is a batch whose only record carries a place.
func placed(pos string) record.Batch {
	return record.Encode([]record.Record{{Timestamp: 1, Value: []byte("x"), Headers: []record.Header{{Key: record.HeaderPos, Value: []byte(pos)}}}})
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitLimit); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAFullDiskRefusesAndAStuckServerIsRestartedOnceThereIsRoom(t *testing.T) {
	f := &faults{}
	var free atomic.Uint64
	free.Store(1 << 40)
	h := open(t, func(o *bus.Options) {
		f.options(o)
		o.DiskReserve = 1 << 30
		o.WithFree(func(string) (uint64, error) { return free.Load(), nil })
	})
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, batch("a"))
	free.Store(1 << 30)
	_, err := p.Append(t.Context(), batch("b"))
	if !errors.Is(err, bus.ErrRetry) || fault.CodeOf(err) != fault.NoSpace || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
	if r := h.bus.Report(); len(r) != 1 || r[0].State != life.Degraded || r[0].Hint == "" {
		t.Fatalf("report is %v", r)
	}
	if got := fmt.Sprint(h.read(p, 0, 1)); got != "[0:a]" {
		t.Fatalf("readers do not go on: %s", got)
	}
	free.Store(1 << 40)
	h.append(p, batch("b"))

	f.plan(stuck)
	if _, err := p.Append(t.Context(), batch("c")); !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("got %v", err)
	}
	free.Store(0)
	for range 5 {
		if _, err := p.Append(t.Context(), batch("c")); !errors.Is(err, bus.ErrRetry) {
			t.Fatalf("got %v", err)
		}
	}
	free.Store(1 << 40)
	h.insist(p, batch("c"))
	if got := fmt.Sprint(h.read(p, 0, 1)); got != "[0:a 1:b 2:c]" {
		t.Fatalf("got %s", got)
	}
	waitFor(t, "all well", func() bool { return len(h.bus.Report()) == 0 })
}

func TestReadersAndOtherPartitionsOutliveARestartOfTheServer(t *testing.T) {
	f := &faults{}
	h := open(t, func(o *bus.Options) { f.options(o); o.CacheBytes = 0 })
	p, q := h.partition("p", bus.TopicConfig{}), h.partition("q", bus.TopicConfig{})
	h.append(p, batch("a"))
	h.append(q, batch("a"))
	r := q.Reader(0)
	defer r.Close()
	if _, err := r.Next(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f.plan(stuck)
	_, _ = p.Append(t.Context(), batch("b"))
	h.insist(p, batch("b"))
	h.insist(q, batch("b"))
	got, err := r.Next(t.Context(), 1)
	if err != nil || got.Next != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestManyProducersEachSeeTheirRecordsOnceInOrder(t *testing.T) {
	f := &faults{}
	h := open(t, f.options)
	p := h.partition("t", bus.TopicConfig{})
	const producers, each = 16, 60
	var mu sync.Mutex
	acked := map[int64]string{}
	var all sync.WaitGroup
	for n := range producers {
		all.Go(func() {
			for i := range each {
				if i == 20 && n%4 == 0 {
					f.plan(muted, fine, lost)
				}
				v := fmt.Sprintf("%d-%d", n, i)
				a, err := p.Append(context.Background(), batch(v))
				if err != nil && !errors.Is(err, bus.ErrRetry) {
					t.Error(err)
				}
				for err != nil && len(h.bus.Report()) > 0 {
					time.Sleep(time.Millisecond)
				}
				if err == nil {
					mu.Lock()
					acked[a.Base] = v
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	f.plan()
	h.insist(p, batch("last"))
	seen, at := map[string]bool{}, map[string]int64{}
	for i, line := range h.read(p, 0, 1<<16) {
		var offset int64
		var v string
		if _, err := fmt.Sscanf(line, "%d:%s", &offset, &v); err != nil || offset != int64(i) {
			t.Fatalf("line %d is %s", i, line)
		}
		if seen[v] {
			t.Fatalf("%s is there twice", v)
		}
		seen[v], at[v] = true, offset
	}
	for offset, v := range acked {
		if got, ok := at[v]; !ok || got != offset {
			t.Fatalf("%s was acknowledged at %d and is at %d, %t", v, offset, got, ok)
		}
	}
	if len(acked) < producers*each/2 {
		t.Fatalf("only %d acknowledged", len(acked))
	}
}
