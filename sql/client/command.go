package client

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tarn/embedded/config"
	"tarn/embedded/terminal"
)

// Query is `tarn sql`. The tags are kong's.
type Query struct {
	Format  string `enum:"table,csv,json,arrow" default:"table" help:"table, csv, json (one object a row) or arrow."`
	Command string `short:"c" help:"The statement, as psql takes it." placeholder:"STATEMENT"`
	Address
	Statement []string `arg:"" optional:"" help:"The statement."`
}

// Help is what --help says below the line of usage.
func (Query) Help() string {
	return `Several statements are run one after the other. Without one it reads stdin, and on a terminal it prompts: with a history, with Tab for names, and with \d, \d TABLE and \? as in psql.

    tarn sql 'FROM gold.truck_turn_time LIMIT 5'
    tarn sql --format csv 'FROM silver.calls' > calls.csv
    tarn sql < sql/berths.sql
    tarn sql '\d silver.calls'`
}

// Run sends the statements, or what stdin holds.
func (q *Query) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	o := Options{URL: q.URL, Format: q.Format, Out: out, History: historyPath()}
	if q.Format != "table" && !terminal.Is(out) {
		o.Bar = terminal.NewBar(os.Stderr)
		defer o.Bar.Clear()
	}
	c, err := Connect(f, o)
	if err != nil {
		return err
	}
	if len(q.Statement) == 0 && q.Command == "" {
		return c.Input(ctx, os.Stdin)
	}
	return c.Script(ctx, strings.TrimSpace(q.Command+" "+strings.Join(q.Statement, " ")))
}

// historyPath is where the prompt's history is kept; "" where there is no home.
func historyPath() string {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "tarn", "history")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "tarn", "history")
}

// Connect finds the running Tarn of the flags.
func Connect(f *config.Flags, o Options) (*Client, error) {
	cfg, err := f.Read()
	if err != nil {
		return nil, err
	}
	o.Data = cfg.Data
	return New(o)
}
