package txn

import (
	"math"
	"slices"
)

// open is a transaction that a partition has open.
type open struct {
	topic     string
	partition int32
	epoch     int16
}

// seen is what the log knows of a producer.
type seen struct {
	epoch int16 // the highest of all partitions
	open  []open
}

// seen asks all partitions for their producers.
func (c *Coordinator) seen() map[int64]*seen {
	out := map[int64]*seen{}
	for _, topic := range c.o.Bus.Topics() {
		for _, p := range topic.Partitions() {
			for _, one := range p.Producers() {
				c.above(one.ID)
				s := out[one.ID]
				if s == nil {
					s = &seen{epoch: one.Epoch}
					out[one.ID] = s
				}
				s.epoch = max(s.epoch, one.Epoch)
				if one.Open >= 0 {
					s.open = append(s.open, open{topic.Name(), p.Number(), one.Epoch})
				}
			}
		}
	}
	return out
}

// settle brings a transactional id in line with what the log knows of its producer: the end of a log may be lost behind what meta
// knows, a marker be damaged, or meta.db be an older one. What is open and not of the transaction under way would be
// ended by nobody, hold up all readers, and be taken into the id's next transaction. It is committed if that is what the
// id did last, else aborted; nobody uses the id before. Who may think that it is still under way is fenced, as after a timeout.
func (c *Coordinator) settle(h *holder, s *seen) {
	t := &h.now
	var lost, again []open
	fence := s.epoch > t.Epoch
	for _, o := range s.open {
		switch {
		case slices.Contains(t.Partitions[o.topic], o.partition): // of the transaction under way
		case t.State == CompleteCommit && o.epoch == t.transacted():
			again = append(again, o)
		default:
			lost = append(lost, o)
			fence = fence || o.epoch == t.Epoch || t.State == Ongoing
		}
	}
	epoch := max(t.Epoch, s.epoch)
	if fence {
		epoch = min(epoch, math.MaxInt16-1) + 1
	}
	if len(again) > 0 {
		t.State, t.Partitions = PrepareCommit, partitions(again)
	}
	if fence {
		switch t.LastEpoch, t.Second = -1, false; t.State {
		case PrepareCommit: // with the epoch that it has
			t.then = epoch
		case Ongoing, PrepareAbort:
			t.State, t.Epoch = PrepareAbort, epoch
		default:
			t.State, t.Epoch = Empty, epoch
		}
	}
	if len(lost) > 0 {
		h.turn <- struct{}{}
		c.abandon(Transaction{ID: t.ID, Producer: t.Producer, Epoch: epoch, Partitions: partitions(lost)}, func() { <-h.turn })
	}
}

// settleUsedUp ends what is left of an id's last producer, which has used up its epochs and is no longer the id's.
func (c *Coordinator) settleUsedUp(t *Transaction, s *seen) {
	if len(s.open) == 0 {
		return
	}
	was := Transaction{ID: t.ID, Producer: t.LastProducer, Epoch: math.MaxInt16, Partitions: partitions(s.open), State: PrepareAbort}
	if t.State == CompleteCommit {
		was.State = PrepareCommit
	}
	c.running.Go(func() { c.mark(was) })
}

// abandon aborts what partitions have open, then calls done.
func (c *Coordinator) abandon(t Transaction, done func()) {
	c.o.Log.Warn("transaction that nobody would end is aborted", "transactional_id", t.ID, "producer", t.Producer, "partitions", t.Partitions)
	t.State = PrepareAbort
	c.running.Go(func() {
		defer done()
		c.mark(t)
	})
}

func partitions(of []open) map[string][]int32 {
	out := map[string][]int32{}
	for _, o := range of {
		out[o.topic] = append(out[o.topic], o.partition)
	}
	return out
}
