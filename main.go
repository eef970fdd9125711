//go:build duckdb_arrow

// Tarn is a production data platform in one executable: sources, a log, Iceberg
// tables, SQL and a live page. This file is the floor plan: the commands, and in up the
// parts in the order in which they start; house.go has what each is given.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"tarn/docs"
	"tarn/embedded"
	"tarn/embedded/completion"
	"tarn/embedded/config"
	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/ingest"
	"tarn/ingest/console"
	"tarn/ingest/source"
	"tarn/lake"
	sampledata "tarn/sample-data"
	"tarn/sql"
	"tarn/sql/client"
	"tarn/sql/postgres"
	"tarn/sql/project"
	"tarn/stream"
)

// version is set by the build (-ldflags -X main.version=…).
var version = "0.1.0-dev"

type cli struct {
	config.Flags

	Up         up                   `cmd:"" default:"withargs" help:"Run everything (the default command)."`
	SQL        client.Query         `cmd:"" name:"sql" help:"Query a running Tarn; without a statement it reads stdin, or prompts."`
	Topics     topics               `cmd:"" help:"List the topics of a running Tarn, make and change them, read and write their records."`
	Tables     client.List          `cmd:"" help:"List the tables of a running Tarn."`
	Pipelines  client.List          `cmd:"" help:"List the pipelines of a running Tarn."`
	Sources    sources              `cmd:"" help:"List the sources of a running Tarn, and check, pause, resume, snapshot anew and delete them."`
	Groups     client.List          `cmd:"" help:"List the consumer groups of a running Tarn, with their lag."`
	Check      project.CheckCommand `cmd:"" help:"Say what is wrong in a project folder, where, and what to write."`
	Apply      project.ApplyCommand `cmd:"" help:"Apply a project folder to a running Tarn, showing the plan first."`
	Repair     lake.RepairCommand   `cmd:"" help:"Say what is damaged in a stopped data folder, and mend it with --yes."`
	Config     config.Show          `cmd:"" help:"Show each setting in force and where it came from."`
	Password   postgres.Password    `cmd:"" help:"Print the line that lets a user log in by PostgreSQL's protocol."`
	Completion completion.Command   `cmd:"" help:"Write a script that completes the command line in a shell."`
	Version    config.ShowVersion   `cmd:"" help:"Show the version."`
	Docs       docs.Command         `cmd:"" hidden:"" help:"Write the reference pages of docs/."`
}

// sources is `tarn sources`.
type sources struct {
	List       client.List         `cmd:"" default:"withargs" help:"List the sources, or show all that is known of one."`
	Check      project.CheckSource `cmd:"" help:"Say what is wrong with a connector's file and the database that it names, and what mends it."`
	Pause      client.PauseSource  `cmd:"" help:"Stop a source, which goes on where it stood when it is resumed; its database keeps what changes meanwhile."`
	Resume     client.OnSource     `cmd:"" help:"Let a source go on that is paused, or try one again at once that could not start."`
	Resnapshot client.Resnapshot   `cmd:"" help:"Take new snapshots of tables of a source."`
	Delete     client.OnSource     `cmd:"" help:"End a source, with its file; its topics and tables stay."`
}

// called is the name of a command: a list is called as what it lists.
func called(n *kong.Node) string {
	if n.Name == "list" {
		return n.Parent.Name
	}
	return n.Name
}

// topics is `tarn topics`.
type topics struct {
	List     client.List          `cmd:"" default:"withargs" help:"List the topics, or show one: tarn topics NAME."`
	Create   client.CreateTopic   `cmd:"" help:"Make a topic."`
	Describe client.DescribeTopic `cmd:"" help:"Show a topic's partitions and settings."`
	Alter    client.AlterTopic    `cmd:"" help:"Change a topic's settings, or give it more partitions."`
	Delete   client.DeleteTopics  `cmd:"" help:"Delete topics with their records."`
	Produce  console.Produce      `cmd:"" help:"Append records: the values given, or the lines of stdin."`
	Consume  console.Consume      `cmd:"" help:"Write a topic's records as lines."`
	Groups   client.List          `cmd:"" help:"List the consumer groups, as tarn groups does."`
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
	err = k.Run(&c.Flags, called(k.Selected()), lake.Resnapshot(source.WishIn), config.Version(version),
		project.Rooms{Connectors: connectors, Connector: connector, Rehearse: stream.Rehearse})
	return fault.Tell(stderr, err, context.Cause(ctx))
}

// connectors looks at a connectors folder for `tarn check`.
func connectors(ctx context.Context, dir string) (out []project.Finding) {
	for _, f := range ingest.Check(ctx, dir) {
		out = append(out, project.Found(f.Fatal, filepath.Join("connectors", f.File), f.Message, f.Hint, f.SQL))
	}
	return out
}

// connector looks at a connector's file for `tarn sources check`.
func connector(ctx context.Context, path, folder string) []project.Finding {
	out := []project.Finding{}
	for _, f := range ingest.CheckFile(ctx, path, folder) {
		out = append(out, project.Found(f.Fatal, path, f.Message, f.Hint, f.SQL))
	}
	return out
}

// up runs every part.
type up struct {
	Sample bool              `help:"Load the sample port and let it work."`
	Seed   uint64            `name:"sample-seed" default:"42" help:"What happens in the sample port; counts for a new data folder."`
	Speed  float64           `name:"sample-speed" default:"60" help:"How many times as fast as ours the sample port's clock runs."`
	Faults sampledata.Faults `name:"sample-fault" enum:"late,duplicates,poison,schema,wind" help:"What goes wrong in the sample port: ${enum}. DATA/sample/faults switches it while it works."`
	Listen string            `help:"auto takes free ports for the doors whose address is not set." placeholder:"auto"`
}

// Help is what --help says below the line of usage.
func (*up) Help() string {
	return `Starts everything on this machine's loopback alone, and prints the address of the page. Ctrl-C stops it.

    tarn up --sample
    tarn up --project shop --data /var/lib/shop
    tarn up --set memory=2GB`
}

// The process may pass the memory by a part of it, or by so many bytes where that is more, before large values are refused: what is held
// to the budget is so by its parts, whose sum swings, and many pipelines have more than their share of a small one (docs/decisions/0014).
const (
	memorySlack      = 4
	memorySlackBytes = 256 << 20
)

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
	duck.Limit(cfg.Memory + max(cfg.Memory/memorySlack, memorySlackBytes))
	h := &house{Floor: f, project: cfg.Project, started: f.Clock.Now()}
	parts := []life.Part{
		f.HTTP(), f.Room(), f.Memory(), h.lakePart(), life.Made("bus", func() life.Part { return f.BusPart(h.lake.Recorded) }), f.GroupsPart(), f.TransactionsPart(),
		h.streamPart(), life.Made("pipelines", func() life.Part { return h.stream.Pipelines() }), h.ingestPart(), h.kafkaPart(), h.connectPart(),
		sql.Part(h.gateOptions, f.Front.Mount, h.sqlOpened), h.postgresPart(), h.trinoPart(), h.flightPart(), h.uiPart(u),
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
