package group

import (
	"context"
	"maps"
	"slices"

	"tarn/embedded/meta"
)

// CommitPending stores offsets as part of a producer's open transaction: they are on disk when it returns,
// and nobody's until Finish. Errors are Commit's, but that a rebalance does not refuse them. The caller has checked
// the transaction, and ends it after its commits have returned.
func (c *Coordinator) CommitPending(ctx context.Context, producer int64, r Commit) (errs []error, err error) {
	return c.commit(ctx, r, &producer)
}

// Finish ends a producer's transaction for all groups: in ONE synced transaction of meta.db it
// applies (or, for an abort, drops) its pending offsets and writes the caller's own entries, such as the
// record of the transaction's end. An error means that nothing was written, and that it may be tried again.
func (c *Coordinator) Finish(_ context.Context, producer int64, commit bool, own ...meta.Entry) error {
	w, with := write{entries: own}, c.having(producer)
	if len(with) > 0 {
		w.late = func() []meta.Entry { return finishing(producer, commit, with) }
	} else if len(own) == 0 {
		return nil
	}
	wait := make(chan error, 1)
	w.done = func(err error) {
		for _, g := range with {
			g.mu.Lock()
			for p, o := range g.open[producer] {
				if err == nil && commit && g.applies(p, o) {
					g.offsets[p] = o
				}
			}
			if err == nil {
				delete(g.open, producer)
			}
			g.queued--
			g.mu.Unlock()
		}
		wait <- err
	}
	c.store.put(w)
	return <-wait
}

// having returns the groups of which a producer's open transaction has offsets. Each counts a write that
// will come.
func (c *Coordinator) having(producer int64) (with []*group) {
	for _, g := range c.all() {
		g.mu.Lock()
		if len(g.open[producer]) > 0 {
			g.queued++
			with = append(with, g)
		}
		g.mu.Unlock()
	}
	return with
}

// finishing is what the end of a transaction writes.
func finishing(producer int64, commit bool, with []*group) (entries []meta.Entry) {
	for _, g := range with {
		g.mu.Lock()
		for p, o := range g.open[producer] {
			entries = append(entries, pendingEntry(producer, g.name, p, nil))
			if commit && g.applies(p, o) {
				entries = append(entries, offsetEntry(g.name, p, &o))
			}
		}
		g.mu.Unlock()
	}
	return entries
}

// applies tells whether a pending offset is newer than what was committed beside the transaction.
func (g *group) applies(p Partition, o Committed) bool { return o.Seq > g.offsets[p].Seq }

// Pending lists the producers whose transactions have offsets that wait, for whoever recovers transactions
// after a crash: it finishes those that it does not know with an abort.
func (c *Coordinator) Pending() []int64 {
	producers := map[int64]bool{}
	for _, g := range c.all() {
		g.mu.Lock()
		for producer := range g.open {
			producers[producer] = true
		}
		g.mu.Unlock()
	}
	return slices.Sorted(maps.Keys(producers))
}

// pend notes an offset of an open transaction.
func (g *group) pend(producer int64, p Partition, o Committed) {
	if g.open[producer] == nil {
		g.open[producer] = map[Partition]Committed{}
	}
	g.open[producer][p] = o
}

// unsettled tells whether an open transaction would change an offset.
func (g *group) unsettled(p Partition) bool {
	for _, offsets := range g.open {
		if _, ok := offsets[p]; ok {
			return true
		}
	}
	return false
}

// settle forgets what open transactions would set an offset to.
func (g *group) settle(p Partition) {
	for producer, offsets := range g.open {
		if delete(offsets, p); len(offsets) == 0 {
			delete(g.open, producer)
		}
	}
}
