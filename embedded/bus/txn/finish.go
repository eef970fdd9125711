package txn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// coordinator is the epoch of the only coordinator there is.
const coordinator = 0

// admit lets a transaction's partitions take its batches.
func (c *Coordinator) admit(t *Transaction) {
	for topic, numbers := range t.Partitions {
		for _, n := range numbers {
			if p := c.partition(topic, n); p != nil {
				p.Admit(t.Producer, t.Epoch)
			}
		}
	}
}

// partition returns a partition; nil when the topic was deleted.
func (c *Coordinator) partition(topic string, n int32) *bus.Partition {
	t, err := c.o.Bus.Topic(topic)
	if err != nil || int(n) >= len(t.Partitions()) {
		return nil
	}
	return t.Partitions()[n]
}

// finish ends a transaction of which is written what becomes of it, however often that must be tried. What it returns is closed
// when it has.
func (c *Coordinator) finish(h *holder, t Transaction) <-chan struct{} {
	ended := make(chan struct{})
	h.mu.Lock()
	h.ended = ended
	h.mu.Unlock()
	c.running.Go(func() {
		if !c.mark(t) {
			return
		}
		fault.Point("txn.marked")
		commit := t.State == PrepareCommit
		done := t
		if done.State = CompleteAbort; commit {
			done.State = CompleteCommit
		}
		done.Epoch = max(done.Epoch, done.then)
		if t.NextProducer > 0 {
			done.LastProducer, done.Producer, done.Epoch, done.NextProducer = t.Producer, t.NextProducer, 0, 0
		}
		done.Partitions, done.Groups, done.Started, done.Updated = nil, nil, 0, c.steady.Stamp().UnixMilli()
		for {
			e, err := done.entry()
			if err == nil {
				err = c.o.Groups.Finish(c.live, t.Producer, commit, e)
			}
			if err == nil {
				break
			}
			c.o.Log.Warn("end of a transaction is not written yet", "transactional_id", t.ID, "error", err)
			if !c.pause() {
				return
			}
		}
		fault.Point("txn.completed")
		h.mu.Lock()
		h.now = done
		h.mu.Unlock()
		close(ended)
	})
	return ended
}

// mark writes the markers; false when the coordinator stops first.
func (c *Coordinator) mark(t Transaction) bool {
	m := record.Marker{Producer: t.Producer, Epoch: t.Epoch, Coordinator: coordinator, Commit: t.State == PrepareCommit}
	slots := make(chan struct{}, markersMax)
	var all sync.WaitGroup
	for topic, numbers := range t.Partitions {
		for _, n := range numbers {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				c.markOne(topic, n, m)
			})
		}
	}
	all.Wait()
	return c.live.Err() == nil
}

func (c *Coordinator) markOne(topic string, n int32, m record.Marker) {
	for {
		p := c.partition(topic, n)
		if p == nil {
			return
		}
		_, err := p.AppendMarker(c.live, m)
		switch {
		case err == nil:
			fault.Point("txn.marker")
			return
		case errors.Is(err, bus.ErrNoTopic):
			return
		case errors.Is(err, bus.ErrEpoch), errors.Is(err, bus.ErrCoordinator):
			c.o.Log.Error("marker of a transaction is refused", "topic", topic, "partition", n, "producer", m.Producer, "error", err)
			known, open := openIn(p, m.Producer)
			if !open {
				return
			}
			// Somebody else has written a marker or a batch in its name. What is open is this transaction's still.
			m.Epoch, m.Coordinator = max(m.Epoch, known.Epoch), max(m.Coordinator, known.Coordinator)
		}
		c.o.Log.Debug("marker of a transaction is not written yet", "topic", topic, "partition", n, "error", err)
		if !c.pause() {
			return
		}
	}
}

// openIn is what a partition knows of a producer that has a transaction open in it.
func openIn(p *bus.Partition, producer int64) (bus.ProducerState, bool) {
	for _, one := range p.Producers() {
		if one.ID == producer {
			return one, one.Open >= 0
		}
	}
	return bus.ProducerState{}, false
}

// pause waits before another try; false when the coordinator stops first.
func (c *Coordinator) pause() bool {
	select {
	case <-time.After(retryEvery):
		return true
	case <-c.live.Done():
		return false
	}
}

// keep aborts transactions whose time is over, and forgets ids that nobody uses, until ctx ends.
func (c *Coordinator) keep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.sweep(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (c *Coordinator) sweep(ctx context.Context) {
	now := c.steady.Now()
	over := func(t *Transaction) bool {
		return t.State == Ongoing && now.Sub(time.UnixMilli(t.Started)) >= t.Timeout
	}
	old := func(t *Transaction) bool {
		return t.State != Ongoing && !t.ending() && t.Epoch >= 0 && c.steady.Old(time.UnixMilli(t.Updated), idsKept)
	}
	c.mu.Lock()
	due := map[string]*holder{}
	for id, h := range c.ids {
		h.mu.Lock()
		if over(&h.now) || old(&h.now) {
			due[id] = h
		}
		h.mu.Unlock()
	}
	c.mu.Unlock()
	for id, h := range due {
		select {
		case h.turn <- struct{}{}:
		default:
			continue // somebody uses it just now
		}
		switch t := h.get(); {
		case over(&t):
			c.o.Log.Info("transaction is aborted, its time is over", "transactional_id", id, "timeout", t.Timeout)
			t.Epoch, t.LastEpoch, t.State, t.Second = min(t.Epoch, math.MaxInt16-1)+1, -1, PrepareAbort, false
			if err := c.write(ctx, h, t); err == nil {
				c.finish(h, t)
			}
		case old(&t):
			if err := c.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Transactions, Key: id}); err == nil {
				c.forget(id, h)
			}
		}
		<-h.turn
	}
}

// forget takes an id out of memory; its turn is the caller's.
func (c *Coordinator) forget(id string, h *holder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids[id] == h {
		delete(c.ids, id)
	}
}

// makeRoom forgets the ids that nobody has used for longest, where there are as many as there may be.
func (c *Coordinator) makeRoom(ctx context.Context) error {
	c.room.Lock()
	defer c.room.Unlock()
	idle := map[string]int64{} // since when, in ms
	c.mu.Lock()
	full := len(c.ids) >= c.o.IDsMax
	for id, h := range c.ids {
		if since, ok := c.idle(h); full && ok {
			idle[id] = since
		}
	}
	c.mu.Unlock()
	if !full {
		return nil // somebody else has made it
	}
	oldest := slices.SortedFunc(maps.Keys(idle), func(a, b string) int { return cmp.Compare(idle[a], idle[b]) })
	gone := map[string]*holder{}
	defer func() {
		for _, h := range gone {
			<-h.turn
		}
	}()
	var entries []meta.Entry
	for _, id := range oldest[:min(len(oldest), max(c.o.IDsMax/8, 1), idsRoom)] {
		if h := c.unused(id); h != nil {
			gone[id] = h
			entries = append(entries, meta.Entry{Bucket: meta.Transactions, Key: id})
		}
	}
	if len(gone) == 0 {
		return fmt.Errorf("%w: there are %d transactional ids", ErrUnavailable, c.o.IDsMax)
	}
	if err := c.o.Meta.Put(ctx, entries...); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	c.o.Log.Info("transactional ids that nobody uses are forgotten", "ids", len(gone))
	for id, h := range gone {
		c.forget(id, h)
	}
	return nil
}

// unused takes the turn of an id that is idle still; nil when somebody uses it.
func (c *Coordinator) unused(id string) *holder {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.ids[id]
	if h == nil {
		return nil
	}
	select {
	case h.turn <- struct{}{}:
	default:
		return nil
	}
	if _, ok := c.idle(h); !ok {
		<-h.turn
		return nil
	}
	return h
}

// idle tells since when an id has nothing under way, if that is long enough to forget it.
func (c *Coordinator) idle(h *holder) (since int64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := &h.now
	return t.Updated, t.State != Ongoing && !t.ending() && (t.Epoch < 0 || c.steady.Old(time.UnixMilli(t.Updated), idsIdle))
}
