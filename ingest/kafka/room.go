package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// listBytesMax bounds an answer that tells what there is, of which no request says how much it will be. Those that are not
	// bounded by it have an element of few bytes for each of the request's, or for each partition of the log, or are what a group's leader needs.
	listBytesMax = 32 << 20
	// listsBytesMax bounds the memory of all such answers that clients have not taken yet, but for small ones (freeBytesMax).
	listsBytesMax = 128 << 20
	// listWeight is how much memory a byte of such an answer takes while it is made.
	listWeight = 2
	// elementBytes is more than the fields of a fixed size take of any element.
	elementBytes = 64
)

// takes takes room for n more bytes of the answer under way, or says why there is none: the answer would be too large, or clients
// that are slow to read have all of it.
func (c *conn) takes(ctx context.Context, n int) *refusal {
	if c.roomless != nil {
		return c.roomless
	}
	listed := c.listed + int64(n)
	if listed > listBytesMax {
		return refuse(kerr.InvalidRequest, "the answer would have more than %d MiB: ask for less at once", listBytesMax>>20)
	}
	if lacks := listed*listWeight - c.lent; listed > freeBytesMax && lacks > 0 {
		ctx, cancel := context.WithTimeout(ctx, fetchRoomMax)
		defer cancel()
		if c.door.lists.Acquire(ctx, lacks) != nil {
			c.roomless = refuse(kerr.CoordinatorLoadInProgress, "clients that are slow to read hold what answers may take: try again")
			return c.roomless
		}
		c.lent += lacks
	}
	c.listed = listed
	return nil
}
