//go:build duckdb_arrow

// Package stream is the room of work: topics come in, tables go out. It promises
// that each record of a topic that lands is in its table once, whatever stops in between, and
// that a mirror equals its source table. It never takes a record from a client and never answers
// a query. Landing is its first kind of work; pipelines in SQL are the other.
package stream

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/bus"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/command"
	"tarn/stream/landing"
	"tarn/stream/own"
	"tarn/stream/pipeline"
	"tarn/stream/provenance"
	"tarn/stream/replay"
)

// Options of the room. The engines belong to the caller, who closes them after Run.
type Options struct {
	Bus            *bus.Bus
	Meta           *meta.Store // for pipelines; landing keeps nothing in it
	Schemas        *schemas.Store
	Tables         table.Tables
	CommitInterval time.Duration // landing.commit_interval; 0 = 1 s
	MemoryBytes    int64         // landing's share of the memory budget; 0 = no bound but its own constants
	StateDir       string        // of the pipelines' state files
	StateBytes     int64         // the pipelines' share of the memory budget
	Guard          guard.Guard
	Clock          life.Clock
	Log            *slog.Logger
	Metrics        prometheus.Registerer // nil: none
}

// Stream is the room: the part "landing", and beside it the part "pipelines".
type Stream struct {
	o         Options
	landing   *landing.Landing
	pipelines *command.Pipelines
	replays   *replay.Replays
}

// New returns a stream that has not started.
func New(o Options) *Stream {
	return &Stream{
		o,
		landing.New(landing.Options{
			Bus: o.Bus, Schemas: o.Schemas, Tables: o.Tables, CommitInterval: o.CommitInterval,
			MemoryBytes: o.MemoryBytes, Clock: o.Clock, Log: o.Log.With("part", "landing"), Metrics: o.Metrics,
		}),
		command.New(command.Options{
			Bus: o.Bus, Meta: o.Meta, Schemas: o.Schemas, Tables: o.Tables, Guard: o.Guard, Dir: o.StateDir, CommitInterval: o.CommitInterval,
			MemoryBytes: o.StateBytes, Clock: o.Clock, Log: o.Log.With("part", "pipelines"), Metrics: o.Metrics,
		}),
		replay.New(replay.Options{Bus: o.Bus, Meta: o.Meta, Guard: o.Guard, Clock: o.Clock}),
	}
}

// Find is a piece of a source that became no record.
type Find = own.Find

// Found appends what a source, by its id and its name, found to be no record of a topic to the dead letters, each once by its place.
func (s *Stream) Found(ctx context.Context, topic, source, name, incarnation string, finds []Find) error {
	topics, err := own.Create(ctx, s.o.Bus, s.o.Schemas)
	if err != nil {
		return err
	}
	return topics.Found(ctx, topic, source, name, incarnation, finds, s.o.Clock.Now())
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

// Pipelines is the part that runs pipelines.
func (s *Stream) Pipelines() life.Part { return s.pipelines }

// Commands are the statements that make, show and end pipelines, and the one that sends a dead letter again.
func (s *Stream) Commands() []pipeline.Command {
	return append(s.pipelines.Commands(), s.replays.Command())
}

// ReplayColumns are the columns of ReplayRows.
const ReplayColumns = replay.Columns

// ReplayRows are the rows of system.replays.
func (s *Stream) ReplayRows(ctx context.Context) ([][]any, error) { return s.replays.Rows(ctx) }

// RowCommand is the statement that tells where a row comes from; ask runs its queries.
func (s *Stream) RowCommand(ask provenance.Ask) pipeline.Command {
	return provenance.New(provenance.Options{Pipelines: s.pipelines, Tables: s.o.Tables, Bus: s.o.Bus, Guard: s.o.Guard, Ask: ask}).Command()
}

// DropTable drops a table that nobody fills and no pipeline reads.
func (s *Stream) DropTable(ctx context.Context, id table.Ident) error {
	return s.pipelines.DropTable(ctx, id)
}

// PipelineStatuses tells of every pipeline, in order of name.
func (s *Stream) PipelineStatuses() []pipeline.Status { return s.pipelines.Statuses() }

// PipelineColumns are the columns of PipelineRows.
const PipelineColumns = command.StatusColumns

// PipelineRows are the rows of system.pipelines.
func (s *Stream) PipelineRows(ctx context.Context) ([][]any, error) {
	return s.pipelines.StatusRows(ctx)
}

// Rehearse looks at statements that declare sources and make pipelines without a Tarn that runs; see command.Rehearse.
func Rehearse(ctx context.Context, statements []string) []error {
	return command.Rehearse(ctx, statements)
}
