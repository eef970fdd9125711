package kafka

import (
	"context"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// The bounds of what connections read ahead.
const (
	readingsMax  = 64       // partitions of one connection
	heldBytesMax = 32 << 20 // that all connections keep of what they have read
	aheadMax     = 32       // readers of all connections that read ahead from the disk, each with some MiB on its way
)

// reading is a connection's way through a partition, kept from one fetch to the next.
type reading struct {
	reader *bus.Reader
	log    int64          // the log's number when it was begun: bus.Partition.Rewritten
	at     int64          // offset of what comes next: held, then the reader's
	held   []record.Batch // read, and not given yet
	got    int64          // bytes of which held is the rest
	counts int64          // of them, while there are some in held
	ahead  bool           // it is counted as one that reads from the disk
	used   int            // number of the fetch that used it last
}

// reading returns the way that goes on at an offset.
func (c *conn) reading(p *bus.Partition, offset int64) *reading {
	r := c.readings[p]
	if r == nil && len(c.readings) >= readingsMax {
		c.dropOldest()
	}
	if r == nil {
		r = &reading{at: -1}
		if c.readings == nil {
			c.readings = map[*bus.Partition]*reading{}
		}
		c.readings[p] = r
	}
	if log := p.Rewritten(); r.at != offset || r.log != log {
		c.rewind(r)
		r.reader, r.at, r.log = p.ReaderOfAll(offset), offset, log
	}
	r.used = c.fetches
	return r
}

func (c *conn) rewind(r *reading) {
	if r.reader != nil {
		r.reader.Close()
		r.reader = nil
	}
	r.held, r.at = nil, -1
	c.count(r)
}

// count keeps the number of those that read ahead, and of the bytes that are kept, and rewinds one that is too many.
func (c *conn) count(r *reading) {
	keeps := int64(0)
	if len(r.held) > 0 {
		keeps = r.got
	}
	all := c.door.held.Add(keeps - r.counts)
	if r.counts = keeps; keeps > 0 && all > heldBytesMax {
		c.rewind(r)
		return
	}
	ahead := r.reader != nil && r.reader.Ahead()
	switch {
	case ahead && !r.ahead:
		r.ahead = true
		if c.door.ahead.Add(1) > aheadMax {
			c.rewind(r)
		}
	case !ahead && r.ahead:
		r.ahead = false
		c.door.ahead.Add(-1)
	}
}

func (c *conn) dropOldest() {
	var oldest *bus.Partition
	for p, r := range c.readings {
		if oldest == nil || r.used < c.readings[oldest].used {
			oldest = p
		}
	}
	c.rewind(c.readings[oldest])
	delete(c.readings, oldest)
}

// take returns whole batches from the reading's offset on, below an end: of bytesMax together, but for a first one if
// that is to be given whatever its size.
func (c *conn) take(ctx context.Context, r *reading, before int64, bytesMax int, first bool) ([]record.Batch, error) {
	var out []record.Batch
	size := 0
	for {
		for len(r.held) > 0 {
			b := r.held[0]
			if b.Base() >= before || size+len(b) > bytesMax && (!first || len(out) > 0) {
				return out, nil
			}
			out, size, r.held, r.at = append(out, b), size+len(b), r.held[1:], b.Next()
		}
		if r.at >= before || size >= bytesMax && len(out) > 0 || bytesMax <= 0 && !first {
			return out, nil
		}
		got, err := r.reader.Next(ctx, max(bytesMax-size, 1))
		if err != nil {
			c.rewind(r)
			if len(out) > 0 {
				return out, nil // the next fetch says it
			}
			return nil, err
		}
		r.held, r.got = got.Batches, 0
		for _, b := range got.Batches {
			r.got += int64(len(b))
		}
	}
}
