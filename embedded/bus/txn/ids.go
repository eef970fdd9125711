package txn

import (
	"context"
	"fmt"

	"tarn/embedded/bus"
)

// above keeps new producer ids above one that the log knows. Those of the upper half are any client's word, and are not
// followed: one batch would use up all ids.
func (c *Coordinator) above(id int64) {
	if id < bus.ProducersEnd/2 {
		c.floor = max(c.floor, id+1)
	}
}

// NewProducer gives a producer id that nobody had, for an idempotent producer without transactions.
func (c *Coordinator) NewProducer(ctx context.Context) (Producer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == c.top {
		n, err := c.o.Meta.NextFrom(ctx, counter, c.floor/idBlock+1)
		if err != nil {
			return Producer{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		c.top = n * idBlock
		c.next = max(c.top-idBlock, c.floor)
	}
	c.next++
	return Producer{ID: c.next - 1}, nil
}
