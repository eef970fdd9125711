package embedded

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How far the heap may grow between two collections.
const (
	// gcPercent lets it grow by half: a small site has more time to spare than memory.
	gcPercent = 50
	// gcOften is how many collections a second that may cost. With more than that the heap may grow by gcSpareMax instead, for as
	// long as so much is allocated: each collection looks at all that lives, and drops the buffers that are kept for the next request.
	gcOften    = 5
	gcSpareMax = 64 << 20
	// gcSpareShare is the part of Go's memory that gcSpareMax may be.
	gcSpareShare = 16
	gcLookEvery  = time.Second
)

// collector sets how far the heap may grow by what is allocated.
type collector struct {
	spare   int64 // bytes
	percent int64 // in force
	done    chan struct{}
	stopped chan struct{}
}

// pace keeps the collector's pace until stop is called. The limit is of Go's memory, in bytes.
func pace(limit int64) (stop func()) {
	debug.SetMemoryLimit(limit)
	c := &collector{spare: min(gcSpareMax, limit/gcSpareShare), percent: gcPercent, done: make(chan struct{}), stopped: make(chan struct{})}
	debug.SetGCPercent(gcPercent)
	go c.run()
	return func() {
		close(c.done)
		<-c.stopped
	}
}

func (c *collector) run() {
	defer close(c.stopped)
	look := time.NewTicker(gcLookEvery)
	defer look.Stop()
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	for before := int64(0); ; {
		select {
		case <-c.done:
			return
		case <-look.C:
		}
		metrics.Read(samples)
		live, allocated := int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64()) //nolint:gosec // bytes of this process
		c.set(growth(live, allocated-before, c.spare))
		before = allocated
	}
}

// set changes the pace where it is worth it: the world stops for it.
func (c *collector) set(percent int64) {
	if change := percent - c.percent; percent == gcPercent && change != 0 || max(change, -change) > c.percent/4 {
		debug.SetGCPercent(int(percent))
		c.percent = percent
	}
}

// growth is how far the heap may grow, in percent of what lives, where so many bytes were allocated since the last look.
func growth(live, allocated, spare int64) int64 {
	live = max(live, 1<<20)
	if allocated < gcOften*int64(gcLookEvery/time.Second)*live*gcPercent/100 {
		return gcPercent
	}
	return max(gcPercent, spare*100/live)
}
