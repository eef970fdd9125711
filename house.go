//go:build duckdb_arrow

package main

import (
	"context"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"tarn/embedded"
	"tarn/embedded/bus/group"
	"tarn/embedded/life"
	"tarn/embedded/sqltext"
	"tarn/ingest"
	"tarn/ingest/connect"
	"tarn/ingest/kafka"
	"tarn/ingest/source"
	"tarn/lake"
	"tarn/lake/table"
	sampledata "tarn/sample-data"
	"tarn/sql"
	"tarn/sql/engine"
	"tarn/sql/flight"
	"tarn/sql/postgres"
	"tarn/sql/system"
	"tarn/sql/trino"
	"tarn/stream"
	"tarn/ui"
)

// house is the rooms on their floor: each field is set by the part that opens it, before
// the parts after it start.
type house struct {
	*embedded.Floor
	project string
	started time.Time

	lake   *lake.Lake
	stream *stream.Stream
	ingest *ingest.Ingest
	sql    *sql.SQL

	// Who hears of commits. The lake begins before they are there, and its upkeep commits by itself.
	landing   atomic.Pointer[stream.Stream]
	listeners atomic.Pointer[postgres.Door]
}

func (h *house) lakePart() life.Part {
	return life.Opened("lake", func(ctx context.Context) (_ func(context.Context) error, err error) {
		h.lake, err = lake.Open(ctx, lake.Options{
			Dir: h.Dir.Path("lake"), Disk: h.Disk, Clock: h.Clock, Log: h.Log, Metrics: h.Metrics,
			MemoryBytes: h.Config.Shares().Lake, Threads: 2, TempDir: h.Dir.Path("state"), Committed: h.committed,
			Upkeep: true, DiskReserve: uint64(h.Config.DiskReserve), //nolint:gosec // not negative
		})
		return func(context.Context) error { return h.lake.Close() }, err
	}, func() []life.Status { return h.lake.Report() })
}

// committed hands what the lake knows to the room before it in the way, and to who listens.
func (h *house) committed(c table.Committed) {
	if landing := h.landing.Load(); landing != nil {
		landing.Committed(c)
	}
	if door := h.listeners.Load(); door != nil {
		door.Committed(c)
	}
}

func (h *house) streamPart() life.Part {
	return life.Made("landing", func() life.Part {
		h.stream = stream.New(stream.Options{
			Bus: h.Bus, Meta: h.Meta, Schemas: h.Schemas, Tables: h.lake.Tables(), CommitInterval: h.Config.LandingInterval,
			MemoryBytes: h.Config.Shares().Landing, StateDir: h.Dir.Path("state"), StateBytes: h.Config.Shares().Pipelines,
			Guard: h.Guard, Clock: h.Clock, Log: h.Log, Metrics: h.Metrics,
		})
		h.landing.Store(h.stream)
		return h.stream
	})
}

// sqlOpened gives the Gate the statements that the rooms before it run.
func (h *house) sqlOpened(s *sql.SQL) {
	h.sql = s
	for _, c := range append(h.stream.Commands(), h.stream.RowCommand(s.Gate.Whole)) {
		s.Gate.Register(engine.Answering(c.Verbs, c.Run))
	}
	for _, c := range h.ingest.Commands() {
		s.Gate.Register(engine.Answering(c.Verbs, c.Run))
	}
}

func (h *house) ingestPart() life.Part {
	return life.Made("ingest", func() life.Part {
		folder := ""
		if h.project != "" {
			folder = filepath.Join(h.project, "connectors")
		}
		h.ingest = ingest.New(ingest.Options{
			Bus: h.Bus, Groups: h.Groups, Meta: h.Meta, Schemas: h.Schemas, Guard: h.Guard, Mount: h.Front.Mount, Dir: folder, Version: version, Spool: source.Spool{Dir: h.Dir.Path("spool"), Disk: h.Disk},
			AckDelay: h.AckDelay(), Dead: h.dead, Clock: h.Clock, Log: h.Log, Metrics: h.Metrics,
		})
		return h.ingest
	})
}

func (h *house) kafkaPart() life.Part {
	return life.Made("kafka", func() life.Part {
		return kafka.New(kafka.Options{
			Listener: h.Listener("kafka"), Bus: h.Bus, Groups: h.Groups, Transactions: h.Transactions, Meta: h.Meta,
			Guard: h.Guard, Clock: h.Clock, Log: h.Log.With("part", "kafka"), Metrics: h.Metrics,
		})
	})
}

func (h *house) connectPart() life.Part {
	return life.Made("connect", func() life.Part {
		return connect.New(connect.Options{
			Listener: h.Listener("connect"), Hosts: h.Config.HTTPHosts, Room: h.ingest,
			Cluster: func(ctx context.Context) (string, error) { return kafka.ClusterID(ctx, h.Meta) },
			Level:   h.Config.LogLevel, Guard: h.Guard, Log: h.Log.With("part", "connect"), Version: version,
		})
	})
}

func (h *house) postgresPart() life.Part {
	return life.Made("postgres", func() life.Part {
		o := postgres.Options{
			Listener: h.Listener("postgres"), Gate: h.sql.Gate, Guard: h.Guard, TLS: postgres.TLS{Cert: h.Config.PostgresCert, Key: h.Config.PostgresKey},
			Log: h.Log.With("part", "postgres"), Metrics: h.Metrics,
		}
		if h.Config.PostgresUsers != "" {
			o.Users = postgres.UsersFile(h.Config.PostgresUsers)
		}
		door := postgres.New(o)
		h.listeners.Store(door)
		return door
	})
}

func (h *house) trinoPart() life.Part {
	return life.Made("trino", func() life.Part {
		return trino.New(trino.Options{
			Listener: h.Listener("trino"), Hosts: h.Config.HTTPHosts, Gate: h.sql.Gate, Guard: h.Guard, Log: h.Log.With("part", "trino"), Metrics: h.Metrics,
		})
	})
}

func (h *house) flightPart() life.Part {
	return life.Made("flight", func() life.Part {
		return flight.New(flight.Options{
			Listener: h.Listener("flight"), Gate: h.sql.Gate, Guard: h.Guard, Version: version, Log: h.Log.With("part", "flight"), Metrics: h.Metrics,
		})
	})
}

// dead hands what a source found to be no record to the room behind it.
func (h *house) dead(ctx context.Context, of source.Burial, letters []source.Dead) error {
	finds := make([]stream.Find, len(letters))
	for i, d := range letters {
		finds[i] = stream.Find{Place: d.Place, Where: d.Key, Value: d.Value, Why: d.Why}
	}
	return h.stream.Found(ctx, of.Topic, of.SourceID, of.Source, of.Incarnation, finds)
}

func (h *house) gateOptions() engine.Options {
	return engine.Options{
		Catalog: h.lake.Catalog(), Tables: h.lake.Tables(), Upkeep: h.lake.Upkeep(), Guard: h.Guard, Drop: h.stream.DropTable, Views: map[string]*sqltext.Dialect{postgres.ViewDialect: postgres.Words(), trino.ViewDialect: trino.Words()},
		Folders:     []string{h.Dir.Path("lake", "warehouse")},
		MemoryBytes: h.Config.Shares().Query, Threads: runtime.GOMAXPROCS(0), TempDir: h.Dir.Path("state"),
		RowsMax: h.Config.SQLResultRowsMax, Timeout: h.Config.SQLTimeout, Clock: h.Clock, Log: h.Log.With("part", "sql"), Metrics: h.Metrics,
		System: []engine.SystemTable{
			system.Parts(h.House.Statuses), system.Topics(h.Bus.Stats), system.Tables(h.lake.Catalog()), system.Files(h.lake.Catalog()), system.Health(h.lake.Catalog()),
			system.Snapshots(h.lake.Catalog()), system.Schemas(h.lake.Catalog()),
			system.Table("pipelines", stream.PipelineColumns, h.stream.PipelineRows),
			system.Table("groups", group.Columns, h.Groups.Rows(group.NextOffset(h.Bus))),
			system.Table("topic_settings", ingest.SettingColumns, func(ctx context.Context) ([][]any, error) { return h.ingest.SettingRows(ctx) }),
			system.Table("replays", stream.ReplayColumns, h.stream.ReplayRows),
			system.Table("sources", source.StatusColumns, func(context.Context) ([][]any, error) { return source.StatusRows(h.ingest.Statuses()), nil }),
			system.Table("source_tables", source.TableColumns, func(context.Context) ([][]any, error) { return source.TableRows(h.ingest.Statuses()), nil }),
		},
	}
}

// projectPath is the project's folder for somebody who is in another.
func (h *house) projectPath() string {
	if path, err := filepath.Abs(h.project); err == nil && h.project != "" {
		return path
	}
	return h.project
}

func (h *house) uiPart(up *up) life.Part {
	return life.Made("ui", func() life.Part {
		o := ui.Options{
			Parts: h.House.Statuses, Sources: h.ingest.Statuses, Kinds: ingest.Kinds(), Topics: h.Bus.Stats, Topic: h.Bus.Topic,
			Groups:   func() []group.Line { return h.Groups.Lines(group.NextOffset(h.Bus)) },
			Landings: h.stream.Landings, Pipelines: h.stream.PipelineStatuses,
			Catalog: h.lake.Catalog(), Ports: h.Ports, Usage: h.Usage, Lines: h.Lines, Version: version, Project: h.projectPath(), Sample: up.Sample, Clock: h.Clock, Log: h.Log,
			Lab: ui.Lab{Gate: h.sql.Gate.Run, Guard: h.Guard, Started: h.started},
		}
		if up.Sample {
			folder := h.Dir.Path("sample")
			o.Lab.Database = filepath.Join(folder, sampledata.DatabaseName)
			o.Lab.Faults = func() (map[string]bool, error) { return up.Faults.Switches(folder) }
			o.Lab.Switch = func(name string, on bool) error { return up.Faults.Switch(folder, name, on) }
		}
		page := ui.New(o)
		h.Front.Mount("/", page.Handler())
		return page
	})
}
