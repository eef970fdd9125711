package txn

import (
	"context"
	"math"
)

// EndAndBump is End by the second protocol of KIP-890. The producer goes on as whom it returns, in the next epoch or, where there is
// none left, with a new id; markers have that epoch, so that nothing which it has sent before gets into a partition after
// them. An end that is asked for again is answered alike. To abort nothing is right, and bumps the epoch, too.
func (c *Coordinator) EndAndBump(ctx context.Context, id string, p Producer, commit bool) (Producer, error) {
	if id == "" {
		return Producer{}, ErrRequest
	}
	h, done, err := c.take(ctx, id, false)
	if err != nil {
		return Producer{}, err
	}
	defer done()
	t := h.get()
	again := t.bumped(p)
	if err := t.owner(p); err != nil && !again {
		return Producer{}, err
	}
	switch same := commit == (t.State == PrepareCommit || t.State == CompleteCommit); {
	case t.ending() && (same || !again):
		return Producer{}, ErrConcurrent
	case again && same:
		return t.next(), nil
	case again, commit && t.State != Ongoing:
		return Producer{}, ErrState
	}
	t.LastEpoch, t.Second = t.Epoch, true
	if t.Epoch >= exhausted {
		fresh, err := c.NewProducer(ctx)
		if err != nil {
			return Producer{}, err
		}
		t.NextProducer = fresh.ID
	}
	t.Epoch = min(t.Epoch, math.MaxInt16-1) + 1
	if t.State != Ongoing {
		t.Partitions, t.Groups, t.Started = nil, nil, c.steady.Now().UnixMilli()
	}
	if err := c.prepare(ctx, h, t, commit); err != nil {
		return Producer{}, err
	}
	return t.next(), nil
}

// next is the producer once the end under way is complete.
func (t *Transaction) next() Producer {
	if t.NextProducer > 0 {
		return Producer{ID: t.NextProducer}
	}
	return Producer{t.Producer, t.Epoch}
}

// bumped tells whether a producer is who it was before an EndAndBump.
func (t *Transaction) bumped(p Producer) bool {
	return t.Second && t.State != Ongoing && p.Epoch == t.LastEpoch && (p.ID == t.Producer && p.Epoch != t.Epoch || t.usedUp() && p.ID == t.LastProducer)
}

// usedUp tells whether the last end has used up the epochs of a producer id.
func (t *Transaction) usedUp() bool { return t.Second && t.Epoch == 0 && t.LastEpoch >= exhausted }

// transacted is the epoch of the batches of the last transaction that has ended.
func (t *Transaction) transacted() int16 {
	if t.Second {
		return t.LastEpoch
	}
	return t.Epoch
}

// takes tells whether a producer that recovers may be one of this id.
func (t *Transaction) takes(p Producer) bool {
	return t.Epoch < 0 || p.ID == t.Producer || p.ID == t.LastProducer && p.Epoch >= exhausted
}

// bump gives the next epoch, or a new producer id when there is none. Who asks again for the answer that was lost gets
// it again.
func (c *Coordinator) bump(ctx context.Context, t *Transaction, want *Producer) error {
	switch {
	case want != nil && t.Epoch >= 0 && want.ID == t.Producer && want.Epoch != t.Epoch && want.Epoch == t.LastEpoch,
		want != nil && t.Epoch >= 0 && want.ID != t.Producer && want.Epoch == t.LastEpoch:
		return nil
	case want != nil && t.Epoch >= 0 && (want.ID != t.Producer || want.Epoch != t.Epoch):
		return ErrFenced
	}
	last := int16(-1)
	if want != nil {
		last = t.Epoch
	}
	if t.Epoch >= 0 && t.Epoch < exhausted {
		t.Epoch, t.LastEpoch = t.Epoch+1, last
		return nil
	}
	p, err := c.NewProducer(ctx)
	if err != nil {
		return err
	}
	t.LastProducer, t.LastEpoch = t.Producer, last
	t.Producer, t.Epoch = p.ID, p.Epoch
	return nil
}
