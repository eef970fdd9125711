// Package landing brings every topic that is to land into its tables: each record
// into bronze, keyed changes into a silver mirror. It keeps no state: how far a table
// has come is a property of that table, committed with the rows (DESIGN rule 8), and the
// bus is the outbox. A mirror that a repair has emptied is made again of its bronze table, before it
// goes on with the log. It reads no door and opens no file.
//
// Each topic has up to two ways, to bronze and to silver, that progress each for
// itself. A way that waits holds a goroutine or two and at most one small fetch; rows
// are read only when their commit is due, and only so many commits are built at once, so
// memory is bounded however many topics there are.
package landing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/own"
)

// Reader is the name under which offsets are kept in a table's properties.
const Reader = "landing"

// The bounds of landing.
const (
	// Workers is how many commits are built at once, over all topics.
	Workers = 4
	// commitRowsMax and commitBytesMax end a collection early; so one commit is short and its memory known.
	commitRowsMax  = 100_000
	commitBytesMax = 32 << 20
	commitBytesMin = 1 << 20
	// memoryPerByte is how much memory one byte of the log takes while its rows are built.
	memoryPerByte = 6
	// wakeBytes is the fetch that an idle way waits with; fetchBytes those of a collection.
	wakeBytes  = 64 << 10
	fetchBytes = 1 << 20
	// stopLimit is how long a stop may take to land what is in flight.
	stopLimit = 2 * time.Second
	// DefaultCommitInterval is how often a table with new rows is committed.
	DefaultCommitInterval = time.Second
	// systemEvery makes Tarn's own tables commit this many times less often.
	systemEvery = 5
	// The backoff of a way that failed, and of one that only a person can free.
	backoffMin        = 100 * time.Millisecond
	backoffMax        = 10 * time.Second
	quarantineRecheck = 30 * time.Second
)

// Options of landing.
type Options struct {
	Bus            *bus.Bus
	Schemas        *schemas.Store
	Tables         table.Tables
	CommitInterval time.Duration // 0 = DefaultCommitInterval
	MemoryBytes    int64         // that all commits being built may take together; 0 = no bound but commitBytesMax
	Clock          life.Clock
	Log            *slog.Logger
	Metrics        prometheus.Registerer // nil: none
}

// Landing is the part. Make it with New; Run it once.
type Landing struct {
	o           Options
	commitBytes int
	slots       chan struct{} // a slot is the right to build one commit
	commits     *own.Log
	own         own.Topics
	mirrors     mirrors

	mu      sync.Mutex
	ways    map[wayKey]*way
	leaving map[wayKey]*way // told to end; a successor waits for it
	since   time.Time
}

// New returns a landing that has not started.
func New(o Options) *Landing {
	if o.CommitInterval <= 0 {
		o.CommitInterval = DefaultCommitInterval
	}
	l := &Landing{
		o: o, slots: make(chan struct{}, Workers), ways: map[wayKey]*way{}, leaving: map[wayKey]*way{},
		commitBytes: commitBytesMax, since: o.Clock.Now(),
	}
	if o.MemoryBytes > 0 {
		l.commitBytes = int(min(commitBytesMax, max(commitBytesMin, o.MemoryBytes/(Workers*memoryPerByte))))
	}
	l.commits, l.mirrors.tables = own.NewLog(own.Commits), o.Tables
	if o.Metrics != nil {
		o.Metrics.MustRegister(&collector{l})
	}
	return l
}

// Name is the part's name.
func (l *Landing) Name() string { return "landing" }

// Committed tells landing of a commit of the lake, which becomes a record of
// tarn.commits. It never blocks; commits of the namespace system are left out, or it
// would never end.
func (l *Landing) Committed(c table.Committed) { l.tellCommit(c) }

// Run lands until ctx ends, then commits what is in flight.
func (l *Landing) Run(ctx context.Context, ready func()) (err error) {
	if l.own, err = own.Create(ctx, l.o.Bus, l.o.Schemas); err != nil {
		return fmt.Errorf("make Tarn's own topics: %w", err)
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopLimit, cancel) })()
	var wg sync.WaitGroup
	logged := make(chan struct{})
	go func() { defer close(logged); l.commits.Run(ctx, work, l.own, l.o.Log) }()
	l.follow(ctx, work, &wg, ready)
	wg.Wait()
	<-logged
	return nil
}

// follow starts and ends ways as topics come and go.
func (l *Landing) follow(ctx, work context.Context, wg *sync.WaitGroup, ready func()) {
	for first := true; ; first = false {
		changed := l.o.Bus.Changed()
		l.match(ctx, work, wg)
		if first {
			ready()
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// match makes the running ways those that the topics want. A way whose topic has
// another configuration ends, and its successor starts after it.
func (l *Landing) match(ctx, work context.Context, wg *sync.WaitGroup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := map[wayKey]bool{}
	for _, t := range l.o.Bus.Topics() {
		for _, w := range l.waysOf(t) {
			wanted[w.key] = true
			old := l.ways[w.key]
			if old != nil && old.same(w) {
				continue
			}
			if old == nil {
				old = l.leaving[w.key]
			}
			l.start(ctx, work, wg, w, old)
		}
	}
	for key, w := range l.ways {
		if !wanted[key] {
			w.cancel()
			delete(l.ways, key)
			l.leaving[key] = w
		}
	}
}

func (l *Landing) start(ctx, work context.Context, wg *sync.WaitGroup, w, old *way) {
	stop, cancel := context.WithCancel(ctx)
	w.cancel = cancel
	if old != nil {
		old.cancel()
	}
	l.ways[w.key] = w
	wg.Go(func() {
		defer close(w.done)
		defer cancel()
		if old != nil {
			<-old.done
		}
		w.run(stop, work)
		l.left(w)
	})
}

func (l *Landing) left(w *way) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving[w.key] == w {
		delete(l.leaving, w.key)
	}
}

// waysOf lists the ways that a topic wants.
func (l *Landing) waysOf(t *bus.Topic) []*way {
	c := t.Config()
	if !c.Land {
		return nil
	}
	bronze := l.newWay(t, bronzeReader)
	switch {
	case own.Is(t.Name()):
		bronze.interval *= systemEvery
		bronze.sink = func() sink { return newSystemSink(bronze) }
	case isCDC(c):
		bronze.sink = func() sink { return newBronzeSink(bronze) }
	default:
		bronze.sink = func() sink { return newPlainSink(bronze) }
	}
	ways := []*way{bronze}
	if c.Keyed {
		silver := l.newWay(t, silverReader)
		silver.sink = func() sink { return newMirrorSink(silver) }
		ways = append(ways, silver)
	}
	return ways
}

// isCDC tells whether a topic's records are change events of a source.
func isCDC(c bus.TopicConfig) bool { return (c.Source != "" || c.Keyed) && !c.Plain }

// errReopen ends a session that shall begin again at once, from its table.
var errReopen = errors.New("begin again")
