package client

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/embedded/terminal"
)

// Address is the flag by which commands find a Tarn. The tags are kong's.
type Address struct {
	URL string `help:"Address of the Tarn, such as http://127.0.0.1:7700; found by the data folder otherwise." placeholder:"URL"`
}

// CreateTopic is `tarn topics create`: CREATE TOPIC. The tags are kong's.
type CreateTopic struct {
	Name        string            `arg:"" help:"What it is to be called."`
	Partitions  int32             `short:"p" default:"1" help:"How many partitions it is to have."`
	Config      map[string]string `short:"c" help:"A setting, by Kafka's name or Tarn's." placeholder:"KEY=VALUE"`
	IfNotExists bool              `help:"Leave one that is there as it is."`
	Address
}

// Help is what --help says below the line of usage.
func (CreateTopic) Help() string {
	return `tarn topics describe NAME --all lists the settings that there are.

    tarn topics create orders --partitions 3
    tarn topics create prices -c cleanup.policy=compact -c tarn.land=true`
}

// Run makes the topic.
func (t *CreateTopic) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	statement := "CREATE TOPIC " + when(t.IfNotExists, "IF NOT EXISTS ") + sqltext.Name(t.Name) + " PARTITIONS " + strconv.Itoa(int(t.Partitions))
	if len(t.Config) > 0 {
		statement += " WITH (" + settings(t.Config) + ")"
	}
	return t.say(ctx, f, out, "created   topic "+t.Name, statement)
}

// AlterTopic is `tarn topics alter`: ALTER TOPIC. The tags are kong's.
type AlterTopic struct {
	Name       string            `arg:"" help:"The topic."`
	Config     map[string]string `short:"c" help:"A setting, by Kafka's name or Tarn's." placeholder:"KEY=VALUE"`
	Reset      []string          `help:"A setting whose default is to be in force again." placeholder:"KEY"`
	Partitions int32             `short:"p" help:"How many partitions it is to have: more than now."`
	IfExists   bool              `help:"Do nothing where it is not there."`
	Address
}

// Help is what --help says below the line of usage.
func (AlterTopic) Help() string {
	return `Settings that are named together are changed together, or none of them.

    tarn topics alter orders -c retention.ms=86400000 -c max.message.bytes=4194304
    tarn topics alter orders --reset retention.ms
    tarn topics alter orders --partitions 6`
}

// Run changes the topic, settings first.
func (t *AlterTopic) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	alter := "ALTER TOPIC " + when(t.IfExists, "IF EXISTS ") + sqltext.Name(t.Name)
	var statements []string
	if len(t.Config) > 0 {
		statements = append(statements, alter+" SET ("+settings(t.Config)+")")
	}
	if len(t.Reset) > 0 {
		quoted := make([]string, len(t.Reset))
		for i, key := range t.Reset {
			quoted[i] = literal(key)
		}
		statements = append(statements, alter+" RESET ("+strings.Join(quoted, ", ")+")")
	}
	if t.Partitions != 0 {
		statements = append(statements, alter+" SET PARTITIONS "+strconv.Itoa(int(t.Partitions)))
	}
	if len(statements) == 0 {
		return fault.New(fault.Invalid, "nothing is to be altered", "say --config KEY=VALUE, --reset KEY or --partitions N")
	}
	return t.say(ctx, f, out, "altered   topic "+t.Name, statements...)
}

// DeleteTopics is `tarn topics delete`: DROP TOPIC. The tags are kong's.
type DeleteTopics struct {
	Names    []string `arg:"" name:"name" help:"Topics."`
	Yes      bool     `short:"y" help:"Do not ask."`
	IfExists bool     `help:"Pass over those that are not there."`
	Address
}

// Help is what --help says below the line of usage.
func (DeleteTopics) Help() string {
	return `Their records go with them, and what consumer groups have committed of them. The tables that they landed in stay.

    tarn topics delete orders
    tarn topics delete --yes --if-exists orders prices`
}

// Run asks, and deletes.
func (t *DeleteTopics) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	if !t.Yes {
		yes, asked := terminal.Ask(ctx, out, "delete "+strings.Join(t.Names, ", ")+" with all records?")
		switch {
		case !asked:
			return fault.New(fault.Invalid, "nothing was deleted: nobody is here to ask", "add --yes")
		case ctx.Err() != nil:
			return ctx.Err()
		case !yes:
			return fault.New(fault.Canceled, "nothing was deleted", "")
		}
	}
	for _, name := range t.Names {
		if err := t.say(ctx, f, out, "deleted   topic "+name, "DROP TOPIC "+when(t.IfExists, "IF EXISTS ")+sqltext.Name(name)); err != nil {
			return err
		}
	}
	return nil
}

// DescribeTopic is `tarn topics describe`. The tags are kong's.
type DescribeTopic struct {
	Name string `arg:"" help:"The topic."`
	All  bool   `help:"All settings, also those that nobody has changed."`
	JSON bool   `name:"json" help:"One JSON object a line for each setting, with all that is known of it."`
	Address
}

// Help is what --help says below the line of usage.
func (DescribeTopic) Help() string {
	return `It shows the topic's partitions, and the settings that are not as they were made.

    tarn topics describe orders
    tarn topics describe orders --json | jq -r 'select(.in_force) | "\(.name)=\(.value)  \(.doc)"'`
}

// Run shows the partitions and the settings.
func (t *DescribeTopic) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	format := "table"
	if t.JSON {
		format = "json"
	}
	c, err := Connect(f, Options{URL: t.URL, Format: format, Out: out})
	if err != nil {
		return err
	}
	describe := "DESCRIBE TOPIC " + sqltext.Name(t.Name)
	if t.JSON {
		return c.Run(ctx, describe)
	}
	if _, err := c.Records(ctx, describe); err != nil {
		return err
	}
	of := literal(t.Name)
	if err := c.Run(ctx, "SELECT partition, log_start, next_offset, next_offset - log_start AS records, bytes FROM system.topics WHERE name = "+of+" ORDER BY partition"); err != nil {
		return err
	}
	return c.Run(ctx, "SELECT name, value, default_value FROM system.topic_settings WHERE topic = "+of+when(!t.All, " AND changed")+" ORDER BY name")
}

// say runs statements, and tells what came of it: a line, then one for each setting that was named.
func (a *Address) say(ctx context.Context, f *config.Flags, out io.Writer, done string, statements ...string) error {
	c, err := Connect(f, Options{URL: a.URL, Out: out})
	if err != nil {
		return err
	}
	for i, statement := range statements {
		rows, err := c.Records(ctx, statement)
		if err != nil {
			return err
		}
		if i == 0 {
			_, _ = fmt.Fprintln(out, done)
		}
		for _, r := range rows {
			if r["setting"] == nil { // a tag alone
				continue
			}
			_, _ = fmt.Fprintf(out, "  %s  %s -> %s\n", r.Text("setting"), r.Text("before"), r.Text("value"))
		}
	}
	return nil
}

// settings writes a list of a statement, in order of names.
func settings(of map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		out = append(out, literal(key)+" = "+literal(of[key]))
	}
	return strings.Join(out, ", ")
}

// literal is a text in a statement.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func when(on bool, text string) string {
	if on {
		return text
	}
	return ""
}
