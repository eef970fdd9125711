// Package reader brings the partitions of a pipeline's topics to its one goroutine: a pump for
// each reads ahead by one fetch, so what a tick does not take stays on the bus. What a log has no more comes first, from
// the topic's history.
package reader

import (
	"context"
	"fmt"
	"sync"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/stream/history"
)

// fetchBytes is what one fetch reads at most, unless one batch is larger.
const fetchBytes = 1 << 20

// Fetch is what came from one partition of a scan, or why nothing more will.
type Fetch struct {
	Scan, Partition int32
	bus.Fetched
	Past  []record.Record // in place of batches, of what the log has no more
	Ended int64           // the generation of the snapshot that has ended by the end of the past; 0 for none
	Err   error
}

// Feed is one partition of a scan and where to begin.
type Feed struct {
	Scan      int32
	Partition *bus.Partition
	Next      int64
}

// Past is what the log of some feeds of a scan has no more: they begin when it has been read.
type Past struct {
	Scan  int32
	Of    *history.History
	Spans history.Spans
	Feeds []Feed
}

// Reader reads feeds side by side. Close it.
type Reader struct {
	out    chan Fetch
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open starts to read.
func Open(ctx context.Context, feeds []Feed, pasts []Past) *Reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{out: make(chan Fetch), cancel: cancel}
	for _, f := range feeds {
		r.wg.Go(func() { f.pump(ctx, r.out) })
	}
	for _, past := range pasts {
		r.wg.Go(func() { r.past(ctx, past) })
	}
	return r
}

// past reads a past, then starts its feeds.
func (r *Reader) past(ctx context.Context, p Past) {
	err := p.Of.Read(ctx, p.Spans, func(partition int32, records []record.Record, next int64) error {
		return r.give(ctx, Fetch{Scan: p.Scan, Partition: partition, Fetched: bus.Fetched{Next: next}, Past: records})
	})
	last := Fetch{Scan: p.Scan, Partition: p.Feeds[0].Partition.Number(), Fetched: bus.Fetched{Next: p.Feeds[0].Next}, Ended: p.Of.Ended()}
	if err != nil {
		last.Err = fmt.Errorf("read the history of topic %s: %w", p.Of.Topic.Name(), err)
	}
	if r.give(ctx, last) != nil || err != nil {
		return
	}
	for _, f := range p.Feeds {
		r.wg.Go(func() { f.pump(ctx, r.out) })
	}
}

// give hands a fetch over, unless ctx ends.
func (r *Reader) give(ctx context.Context, f Fetch) error {
	select {
	case r.out <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fetches are what comes, of each partition in order.
func (r *Reader) Fetches() <-chan Fetch { return r.out }

// Close ends the pumps.
func (r *Reader) Close() {
	r.cancel()
	r.wg.Wait()
}

func (f Feed) pump(ctx context.Context, out chan<- Fetch) {
	in := f.Partition.Reader(f.Next)
	defer in.Close()
	for {
		got, err := in.Next(ctx, fetchBytes)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err = fmt.Errorf("read topic %s partition %d: %w", f.Partition.Topic().Name(), f.Partition.Number(), err)
		}
		select {
		case out <- Fetch{Scan: f.Scan, Partition: f.Partition.Number(), Fetched: got, Err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
