//go:build duckdb_arrow

// Package lake is where rows rest: Iceberg tables on local disk and their catalog.
//
// In come changes from stream (table.Change: rows, keys, offsets). Out go snapshots for
// sql (catalog.Scan: which files make a table) and the offsets that the bus must not fall
// behind. It promises that a commit is on disk, whole, when it returns, and that PyIceberg,
// DuckDB, Spark and Trino read the same rows. It never runs a user's query and never
// decides what comes in.
package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/iceberg"
	"tarn/lake/table"
)

// Options of a lake.
type Options struct {
	Dir         string // DATA/lake
	Disk        *disk.FS
	Clock       life.Clock
	Log         *slog.Logger
	Metrics     prometheus.Registerer // nil: not registered
	MemoryBytes int64                 // of the DuckDB that looks keys up
	Threads     int                   // of the same
	TempDir     string                // where it may spill; "" = nowhere
	// Committed is told of each commit after it is on disk (system.commits); nil: nobody.
	// It runs in the committer's goroutine and must not commit to the same table.
	Committed func(table.Committed)
	// Upkeep compacts tables and removes orphans by itself, beside commits, until Close.
	Upkeep      bool
	DiskReserve uint64 // bytes that stay free; upkeep goes on down to a quarter of it
}

// Lake is the room. Safe for concurrent use.
type Lake struct {
	store *iceberg.Store
	clock life.Clock

	stop    context.CancelFunc // of upkeep
	stopped chan struct{}

	mu    sync.Mutex
	since map[string]time.Time // line of Report -> when it came
}

// Open opens the lake or makes a new one with the namespaces bronze, silver, gold and
// system. A damaged catalog is a fault with a hint, and is never written to.
func Open(ctx context.Context, o Options) (*Lake, error) {
	store, err := iceberg.Open(ctx, iceberg.Options{
		Dir: o.Dir, Disk: o.Disk, Clock: o.Clock, Log: o.Log.With("part", "lake"), Metrics: o.Metrics,
		MemoryBytes: o.MemoryBytes, Threads: o.Threads, TempDir: o.TempDir, Committed: o.Committed,
		DiskReserve: o.DiskReserve,
	})
	if err != nil {
		return nil, fmt.Errorf("open the lake: %w", err)
	}
	l := &Lake{store: store, clock: o.Clock, since: map[string]time.Time{}, stop: func() {}, stopped: make(chan struct{})}
	if !o.Upkeep {
		close(l.stopped)
		return l, nil
	}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(l.stopped)
		store.Maintain(ctx)
	}()
	return l, nil
}

// Close ends upkeep and closes the lake, after whoever commits and reads has stopped.
func (l *Lake) Close() error {
	l.stop()
	<-l.stopped
	return l.store.Close()
}

// Tables makes and opens tables for those who write.
func (l *Lake) Tables() table.Tables { return l.store }

// Catalog shows tables, views and snapshots to those who read.
func (l *Lake) Catalog() catalog.Catalog { return l.store }

// Upkeep does to tables on demand what the lake does by itself.
func (l *Lake) Upkeep() catalog.Upkeep { return l.store }

// Sweep looks once at what no table names, as Maintain does every few minutes, and removes what
// has been so for long enough.
func (l *Lake) Sweep(ctx context.Context) error { return l.store.Sweep(ctx) }

// Recorded tells how far any table has recorded a partition, from memory; the zero
// value where none has. It is bus.Recorded. A damaged table tells nothing here: the log's
// own end is then what the next offset comes from.
func (l *Lake) Recorded(_ context.Context, topic string, partition int32) (record.PartitionOffsets, error) {
	return l.store.Recorded(topic, partition), nil
}

// Report implements life.Reporter: one line for the lake and one for each damaged table.
func (l *Lake) Report() []life.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	lines := map[string]time.Time{}
	line := func(name string, state life.State, err error) life.Status {
		began, ok := l.since[name+string(state)]
		if !ok {
			began = now
		}
		lines[name+string(state)] = began
		s := life.Status{Name: name, State: state, Since: began}
		if err != nil {
			s.Error, s.Hint = err.Error(), fault.HintOf(err)
		}
		return s
	}
	var out []life.Status
	damaged := l.store.Damaged()
	state, summary := life.Ready, error(nil)
	if len(damaged) > 0 {
		state, summary = life.Degraded, errors.New("tables that cannot be read: see their own lines")
	}
	out = append(out, line("lake", state, summary))
	for id, err := range damaged {
		out = append(out, line("table:"+id.String(), life.Failed, err))
	}
	slices.SortFunc(out[1:], func(a, b life.Status) int { return strings.Compare(a.Name, b.Name) })
	l.since = lines
	return out
}
