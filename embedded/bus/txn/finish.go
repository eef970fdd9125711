package txn

import (
	"context"
	"errors"
	"math"
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
			t.Epoch, t.LastEpoch, t.State = min(t.Epoch, math.MaxInt16-1)+1, -1, PrepareAbort
			if err := c.write(ctx, h, t); err == nil {
				c.finish(h, t)
			}
		case old(&t):
			if err := c.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Transactions, Key: id}); err == nil {
				c.mu.Lock()
				delete(c.ids, id)
				c.mu.Unlock()
			}
		}
		<-h.turn
	}
}
