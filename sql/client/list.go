package client

import (
	"context"
	"fmt"
	"io"
	"strings"

	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/embedded/terminal"
)

// List is `tarn topics`, `tarn tables`, `tarn pipelines`, `tarn sources`, `tarn groups`: a system table by its name.
type List struct {
	Name string `arg:"" optional:"" help:"One of them, with all that is known of it."`
	JSON bool   `name:"json" help:"One JSON object a line, with all columns."`
	Address
}

// Help is what --help says below the line of usage.
func (List) Help() string {
	return `It shows what system.topics, system.tables, system.pipelines, system.sources and system.groups hold, which SQL can ask, too.

    tarn topics port.main.calls
    tarn pipelines
    tarn pipelines gold.truck_turn_time
    tarn tables silver.calls
    tarn sources --json | jq -r 'select(.error != null) | .name'`
}

// listed is how a system table is listed.
type listed struct {
	what    string // one row of it
	key     string // by which a row is named
	columns string // that the list has; all has SELECT *
	order   string
	noted   string // columns that are told below the list, as lines
}

var lists = map[string]listed{
	"topics":    {"topic", "name", "name, count(*) AS partitions, sum(next_offset - log_start)::BIGINT AS records, sum(bytes)::BIGINT AS bytes, bool_and(land) AS lands", "GROUP BY name ORDER BY name", ""},
	"tables":    {"table", "layer || '.' || name", "layer || '.' || name AS name, rows, files, bytes, committed_at", "ORDER BY ALL", ""},
	"pipelines": {"pipeline", "name", "name, state, rows, emitted, lag, late, dead, watermark", "ORDER BY name", "error, hint"},
	"groups":    {"group", "name", "name, any_value(state) AS state, any_value(members) AS members, count(DISTINCT topic) AS topics, sum(lag)::BIGINT AS lag", "GROUP BY name ORDER BY name", ""},
	"sources":   {"source", "name", "name, kind, state, rows, lag_ms", "ORDER BY name", "error, hint, findings"},
}

// Run shows the system table of a name.
func (l *List) Run(ctx context.Context, f *config.Flags, command string, out io.Writer) error {
	format := "table"
	if l.JSON {
		format = "json"
	}
	c, err := Connect(f, Options{URL: l.URL, Format: format, Out: out})
	if err != nil {
		return err
	}
	list, from := lists[command], " FROM system."+command
	switch {
	case l.Name != "":
		return c.one(ctx, list, from, l.Name)
	case l.JSON:
		return c.Run(ctx, "SELECT *"+from+" ORDER BY ALL")
	}
	if err := c.Run(ctx, "SELECT "+list.columns+from+" "+list.order); err != nil || list.noted == "" {
		return err
	}
	notes, err := c.Records(ctx, "SELECT name, "+list.noted+from+" WHERE coalesce("+list.noted+") IS NOT NULL "+list.order)
	if err != nil {
		return err
	}
	return tell(out, notes)
}

// tell writes what is to know of some rows, a line each.
func tell(out io.Writer, notes []Record) error {
	paint := terminal.PaintOn(out)
	for _, n := range notes {
		line := paint.Bold(n.Text("name"))
		if text := n.Text("error"); text != "" {
			line += "  " + paint.Red(oneLine(text))
		}
		if text := n.Text("findings"); text != "" {
			line += "  " + oneLine(text)
		}
		if text := n.Text("hint"); text != "" {
			line += "\n  " + paint.Yellow("hint:") + " " + oneLine(text)
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

// one shows all of one of the rows; of a topic, all its partitions.
func (c *Client) one(ctx context.Context, list listed, from, name string) error {
	all, err := c.Records(ctx, "SELECT DISTINCT "+list.key+" AS name"+from)
	if err != nil {
		return err
	}
	var names, meant []string
	for _, r := range all {
		full := r.Text("name")
		names = append(names, full)
		_, last, schema := strings.Cut(full, ".")
		if schema = schema && list.what != "topic"; schema {
			names = append(names, last)
		}
		if strings.EqualFold(full, name) || schema && strings.EqualFold(last, name) {
			meant = append(meant, full)
		}
	}
	switch len(meant) {
	case 0:
		hint := fmt.Sprintf("`tarn %ss` lists them", list.what)
		if near := sqltext.Nearest(name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return fault.Newf(fault.NotFound, hint, "there is no %s %s", list.what, name)
	case 1:
	default:
		return fault.Newf(fault.Invalid, "write "+strings.Join(meant, " or "), "more than one %s is called %s", list.what, name)
	}
	c.upright = true
	return c.Run(ctx, "SELECT *"+from+" WHERE "+list.key+" = "+literal(meant[0])+" ORDER BY ALL")
}
