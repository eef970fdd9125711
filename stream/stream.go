// Package stream is the room of work: topics come in, tables go out. It promises
// that each record of a topic that lands is in its table once, whatever stops in between, and
// that a mirror equals its source table. It never takes a record from a client and never answers
// a query. Landing is its first kind of work; pipelines in SQL come beside it.
package stream

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/landing"
	"tarn/stream/pipeline"
)

// Options of the room. The engines belong to the caller, who closes them after Run.
type Options struct {
	Bus            *bus.Bus
	Meta           *meta.Store // for pipelines; landing keeps nothing in it
	Schemas        *schemas.Store
	Tables         table.Tables
	CommitInterval time.Duration // landing.commit_interval; 0 = 1 s
	MemoryBytes    int64         // the room's share of the memory budget; 0 = no bound but its own constants
	Clock          life.Clock
	Log            *slog.Logger
	Metrics        prometheus.Registerer // nil: none
}

// Stream is the room's one part, named "landing" as long as that is all its work.
type Stream struct{ landing *landing.Landing }

// New returns a stream that has not started.
func New(o Options) *Stream {
	return &Stream{landing.New(landing.Options{
		Bus: o.Bus, Schemas: o.Schemas, Tables: o.Tables, CommitInterval: o.CommitInterval,
		MemoryBytes: o.MemoryBytes, Clock: o.Clock, Log: o.Log.With("part", "landing"), Metrics: o.Metrics,
	})}
}

// Name is the part's name.
func (s *Stream) Name() string { return s.landing.Name() }

// Run lands until ctx ends, then commits what is durable on the bus, within 2 s.
func (s *Stream) Run(ctx context.Context, ready func()) error { return s.landing.Run(ctx, ready) }

// Report is the part's line, and one for each topic that does not land.
func (s *Stream) Report() []life.Status { return s.landing.Report() }

// Landings tells of every topic that lands, in order of name.
func (s *Stream) Landings() []pipeline.Landing { return s.landing.Landings() }

// Committed tells of a commit of the lake, which becomes a record of tarn.commits. It
// never blocks, and may be called before Run.
func (s *Stream) Committed(c table.Committed) { s.landing.Committed(c) }
