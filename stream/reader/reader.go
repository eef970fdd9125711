// Package reader brings the partitions of a pipeline's topics to its one goroutine: a pump for
// each reads ahead by one fetch, so what a tick does not take stays on the bus.
package reader

import (
	"context"
	"fmt"
	"sync"

	"tarn/embedded/bus"
)

// fetchBytes is what one fetch reads at most, unless one batch is larger.
const fetchBytes = 1 << 20

// Fetch is what came from one partition of a scan, or why nothing more will.
type Fetch struct {
	Scan, Partition int32
	bus.Fetched
	Err error
}

// Feed is one partition of a scan and where to begin.
type Feed struct {
	Scan      int32
	Partition *bus.Partition
	Next      int64
}

// Reader reads feeds side by side. Close it.
type Reader struct {
	out    chan Fetch
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open starts to read.
func Open(ctx context.Context, feeds []Feed) *Reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &Reader{out: make(chan Fetch), cancel: cancel}
	for _, f := range feeds {
		r.wg.Go(func() { f.pump(ctx, r.out) })
	}
	return r
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
		case out <- Fetch{f.Scan, f.Partition.Number(), got, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
