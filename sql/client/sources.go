package client

import (
	"context"
	"io"
	"strings"

	"tarn/embedded/config"
	"tarn/embedded/sqltext"
)

// PauseSource is `tarn sources pause`.
type PauseSource struct {
	Name    string `arg:"" help:"The source."`
	Release bool   `help:"Take what keeps its tables from being altered out of its database, for a migration; they are snapshotted anew when it is resumed."`
	URL     string `help:"Address of the Tarn, such as http://127.0.0.1:7700; found by the data folder otherwise." placeholder:"URL"`
}

// Run says PAUSE CONNECTOR.
func (s *PauseSource) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	statement := "PAUSE CONNECTOR " + sqltext.Name(s.Name)
	if s.Release {
		statement += " RELEASE TABLES"
	}
	return say(ctx, f, s.URL, statement, out)
}

// OnSource is `tarn sources resume` and `delete`: a statement about one source.
type OnSource struct {
	Name string `arg:"" help:"The source."`
	Address
}

// sourceVerbs are the statements by the command that says them.
var sourceVerbs = map[string]string{"resume": "RESUME CONNECTOR ", "delete": "DROP CONNECTOR "}

// Run says the statement of the command.
func (s *OnSource) Run(ctx context.Context, f *config.Flags, command string, out io.Writer) error {
	return say(ctx, f, s.URL, sourceVerbs[command]+sqltext.Name(s.Name), out)
}

// Resnapshot is `tarn sources resnapshot`.
type Resnapshot struct {
	Name  string   `arg:"" help:"The source."`
	Table []string `arg:"" optional:"" help:"Its tables; all by default."`
	Address
}

// Help is what --help says below the line of usage.
func (Resnapshot) Help() string {
	return `Reads the tables again from the beginning, beside what goes on, after which their mirrors equal them: rows that are gone leave the mirrors. A table that was quarantined is read again. It returns when the snapshots are asked for; system.source_tables tells how far they are.

    tarn sources resnapshot shop orders
    tarn sql "FROM system.source_tables WHERE source = 'shop'"`
}

// Run says RESNAPSHOT CONNECTOR.
func (s *Resnapshot) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	statement := "RESNAPSHOT CONNECTOR " + sqltext.Name(s.Name)
	tables := make([]string, len(s.Table))
	for i, t := range s.Table {
		parts := strings.Split(t, ".")
		for j := range parts {
			parts[j] = sqltext.Name(parts[j])
		}
		tables[i] = strings.Join(parts, ".")
	}
	if len(tables) > 0 {
		statement += " TABLE " + strings.Join(tables, ", ")
	}
	return say(ctx, f, s.URL, statement, out)
}

// say sends one statement, and shows its answer.
func say(ctx context.Context, f *config.Flags, url, statement string, out io.Writer) error {
	c, err := Connect(f, Options{URL: url, Format: "table", Out: out})
	if err != nil {
		return err
	}
	return c.Run(ctx, statement)
}
