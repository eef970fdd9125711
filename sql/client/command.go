package client

import (
	"context"
	"io"
	"os"
	"strings"

	"tarn/embedded/config"
)

// Query is `tarn sql`. The tags are kong's.
type Query struct {
	Format    string   `enum:"table,csv,json,arrow" default:"table" help:"table, csv, json (one object a row) or arrow."`
	Command   string   `short:"c" help:"The statement, as psql takes it." placeholder:"STATEMENT"`
	URL       string   `help:"Address of the Tarn, such as http://127.0.0.1:7700; found by the data folder otherwise." placeholder:"URL"`
	Statement []string `arg:"" optional:"" help:"The statement."`
}

// Run sends the statements, or what stdin holds.
func (q *Query) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	c, err := connect(f, Options{URL: q.URL, Format: q.Format, Out: out})
	if err != nil {
		return err
	}
	if len(q.Statement) == 0 && q.Command == "" {
		return c.Input(ctx, os.Stdin)
	}
	return c.Script(ctx, strings.TrimSpace(q.Command+" "+strings.Join(q.Statement, " ")))
}

// List is `tarn topics`, `tarn tables`, `tarn sources`: a system table by its name.
type List struct {
	JSON bool   `name:"json" help:"One JSON object a line."`
	URL  string `help:"Address of the Tarn." placeholder:"URL"`
}

// Run shows the system table of a name.
func (l *List) Run(ctx context.Context, f *config.Flags, name string, out io.Writer) error {
	format := "table"
	if l.JSON {
		format = "json"
	}
	c, err := connect(f, Options{URL: l.URL, Format: format, Out: out})
	if err != nil {
		return err
	}
	return c.Run(ctx, "SELECT * FROM system."+name)
}

func connect(f *config.Flags, o Options) (*Client, error) {
	cfg, err := f.Read()
	if err != nil {
		return nil, err
	}
	o.Data = cfg.Data
	return New(o)
}
