//go:build duckdb_arrow

// Tarn is a production data platform in one executable: sources, a log, Iceberg
// tables, SQL and a live page. This file is the floor plan: the commands, and in up the
// parts in the order in which they start.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"

	"tarn/embedded"
	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/ingest"
	"tarn/ingest/source"
	"tarn/lake"
	"tarn/lake/table"
	sampledata "tarn/sample-data"
	"tarn/sql"
	"tarn/sql/client"
	"tarn/sql/engine"
	"tarn/sql/system"
	"tarn/stream"
	"tarn/ui"
)

// version is set by the build (-ldflags -X main.version=…).
var version = "0.1.0-dev"

type cli struct {
	config.Flags

	Up      up                 `cmd:"" default:"withargs" help:"Run everything (the default command)."`
	SQL     client.Query       `cmd:"" name:"sql" help:"Query a running Tarn; without a statement it reads stdin, or prompts."`
	Topics  client.List        `cmd:"" help:"List the topics of a running Tarn."`
	Tables  client.List        `cmd:"" help:"List the tables of a running Tarn."`
	Sources client.List        `cmd:"" help:"List the sources of a running Tarn."`
	Repair  lake.RepairCommand `cmd:"" help:"Say what is damaged in a stopped data folder, and mend it with --yes."`
	Config  config.Show        `cmd:"" help:"Show each setting in force and where it came from."`
	Version config.ShowVersion `cmd:"" help:"Show the version."`
}

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(fault.OnSignals(context.Background(), signals), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	parser := kong.Must(&c, kong.Name("tarn"), kong.Description("A production data platform in one executable."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Writers(stdout, stderr))
	k, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "tarn: %v\nhint: see tarn --help\n", err)
		return fault.ExitUsage
	}
	k.BindTo(ctx, (*context.Context)(nil))
	k.BindTo(stdout, (*io.Writer)(nil))
	err = k.Run(&c.Flags, k.Selected().Name, lake.Resnapshot(source.WishIn), config.Version(version))
	return fault.Tell(stderr, err, context.Cause(ctx))
}

// up runs every part.
type up struct {
	Sample bool              `help:"Load the sample port and let it work."`
	Seed   uint64            `name:"sample-seed" default:"42" help:"What happens in the sample port; counts for a new data folder."`
	Speed  float64           `name:"sample-speed" default:"60" help:"How many times as fast as ours the sample port's clock runs."`
	Faults sampledata.Faults `name:"sample-fault" enum:"late,duplicates,poison,schema,wind" help:"What goes wrong in the sample port: ${enum}. DATA/sample/faults switches it while it works."`
	Listen string            `help:"auto takes free ports for every door." placeholder:"auto"`
}

func (u *up) Run(ctx context.Context, flags *config.Flags, out io.Writer) error {
	cfg, err := flags.Read(config.Flag{Key: "listen", Value: u.Listen})
	if err != nil {
		return err
	}
	f, err := embedded.Open(cfg, version, os.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := &house{Floor: f, project: cfg.Project}
	parts := []life.Part{
		f.HTTP(), f.Room(), f.Memory(), h.lakePart(), life.Made("bus", func() life.Part { return f.BusPart(h.lake.Recorded) }),
		h.streamPart(), life.Made("pipelines", func() life.Part { return h.stream.Pipelines() }), h.ingestPart(),
		sql.Part(h.gateOptions, f.Front.Mount, h.sqlOpened), h.uiPart(u.Sample),
	}
	if u.Sample {
		part, err := h.samplePart(u)
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	if h.project != "" {
		parts = append(parts, sql.Project(func() *sql.SQL { return h.sql }, h.project, f.Clock, f.Log))
	}
	return f.House.Run(ctx, append(parts, f.Announce(out))...)
}

// samplePart is the sample port at work. It is a project where no other is named.
func (h *house) samplePart(u *up) (life.Part, error) {
	folder := h.Dir.Path("sample")
	h.project = cmp.Or(h.project, filepath.Join(folder, sampledata.ProjectName))
	return life.Func("sample", func(ctx context.Context, ready func()) error {
		ready()
		return sampledata.Run(ctx, folder, sampledata.Options{
			Seed: u.Seed, Speed: u.Speed, Faults: u.Faults, Log: h.Log.With("part", "sample"),
			Tarn: func() string { return "http://" + h.Ports()["http"] },
		})
	}), sampledata.Prepare(folder, u.Seed)
}

// house is the rooms on their floor: each field is set by the part that opens it, before
// the parts after it start.
type house struct {
	*embedded.Floor
	project string

	lake   *lake.Lake
	stream *stream.Stream
	ingest *ingest.Ingest
	sql    *sql.SQL
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

// committed hands what the lake knows to the room before it in the way.
func (h *house) committed(c table.Committed) {
	if h.stream != nil {
		h.stream.Committed(c)
	}
}

func (h *house) streamPart() life.Part {
	return life.Made("landing", func() life.Part {
		h.stream = stream.New(stream.Options{
			Bus: h.Bus, Meta: h.Meta, Schemas: h.Schemas, Tables: h.lake.Tables(), CommitInterval: h.Config.LandingInterval,
			MemoryBytes: h.Config.Shares().Landing, StateDir: h.Dir.Path("state"), StateBytes: h.Config.Shares().Pipelines,
			Guard: h.Guard, Clock: h.Clock, Log: h.Log, Metrics: h.Metrics,
		})
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
			Bus: h.Bus, Meta: h.Meta, Schemas: h.Schemas, Guard: h.Guard, Mount: h.Front.Mount, Dir: folder, Version: version,
			AckDelay: h.AckDelay(), Dead: h.dead, Clock: h.Clock, Log: h.Log, Metrics: h.Metrics,
		})
		return h.ingest
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
		Catalog: h.lake.Catalog(), Upkeep: h.lake.Upkeep(), Guard: h.Guard, Drop: h.stream.DropTable, Folders: []string{h.Dir.Path("lake", "warehouse")},
		MemoryBytes: h.Config.Shares().Query, Threads: runtime.GOMAXPROCS(0), TempDir: h.Dir.Path("state"),
		RowsMax: h.Config.SQLResultRowsMax, Timeout: h.Config.SQLTimeout, Clock: h.Clock, Log: h.Log.With("part", "sql"), Metrics: h.Metrics,
		System: []engine.SystemTable{
			system.Parts(h.House.Statuses), system.Topics(h.Bus.Stats), system.Tables(h.lake.Catalog()), system.Files(h.lake.Catalog()), system.Health(h.lake.Catalog()),
			system.Table("pipelines", stream.PipelineColumns, h.stream.PipelineRows),
			system.Table("replays", stream.ReplayColumns, h.stream.ReplayRows),
			system.Table("sources", source.StatusColumns, func(context.Context) ([][]any, error) { return source.StatusRows(h.ingest.Statuses()), nil }),
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

func (h *house) uiPart(sample bool) life.Part {
	return life.Made("ui", func() life.Part {
		page := ui.New(ui.Options{
			Parts: h.House.Statuses, Sources: h.ingest.Statuses, Kinds: ingest.Kinds(), Topics: h.Bus.Stats, Topic: h.Bus.Topic,
			Landings: h.stream.Landings, Pipelines: h.stream.PipelineStatuses,
			Catalog: h.lake.Catalog(), Ports: h.Ports, Usage: h.Usage, Lines: h.Lines, Version: version, Project: h.projectPath(), Sample: sample, Clock: h.Clock, Log: h.Log,
		})
		h.Front.Mount("/", page.Handler())
		return page
	})
}
