package ingest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
)

// examined are the columns of CHECK CONNECTOR. What mends a finding is a statement for the source, not for Tarn.
var examined = []record.Column{
	{Name: "level", Type: record.String},
	{Name: "table_name", Type: record.String, Nullable: true},
	{Name: "key", Type: record.String, Nullable: true},
	{Name: "finding", Type: record.String},
	{Name: "hint", Type: record.String, Nullable: true},
	{Name: "mend", Type: record.String, Nullable: true},
}

// examine is CHECK CONNECTOR name, of one that there is, and CHECK CONNECTOR name WITH ('key' = 'value', …), of one that
// there might be: it looks at the source and says what is wrong and what else to know. It changes nothing.
func (g *Ingest) examine(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Take("CHECK", "CONNECTOR")
	var c connector
	if _, err := in.Name(); err == nil && in.Peek().Is("WITH") {
		a, err := readCreate(statement)
		if err != nil {
			return Answer{}, err
		}
		if c = a.connector; g.o.Dir != "" {
			c.config.Folder = g.project()
		}
		if err := g.may(who, guard.Create, c.config.Name); err != nil {
			return Answer{}, err
		}
	} else if c, err = g.there(who, statement); err != nil {
		return Answer{}, err
	}
	answer := Answer{tag: "CHECK CONNECTOR", columns: examined}
	for _, f := range c.examine(ctx, g.others(false)) {
		level := "warning"
		if f.Fatal {
			level = "error"
		}
		answer.rows = append(answer.rows, []any{level, textOrNull(f.Table), textOrNull(f.Key), f.Message, textOrNull(f.Hint), textOrNull(f.SQL)})
	}
	return answer, nil
}

// there is the connector that CHECK CONNECTOR name names.
func (g *Ingest) there(who guard.Principal, statement string) (connector, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return connector{}, err
	}
	in.Take("CHECK", "CONNECTOR")
	name, err := g.one(in, who, guard.Read)
	if err != nil {
		return connector{}, err
	}
	if c, ok := g.conn(name); ok {
		return c, nil
	}
	return connector{}, fault.Newf(fault.Invalid, "see FROM system.sources", "the file of connector %s is not understood", name)
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// examine says what is wrong with a connector, beside others, and its source, errors first. It writes nothing.
func (c *connector) examine(ctx context.Context, others []connector) []source.Finding {
	if err := c.settle(); err != nil {
		return []source.Finding{source.FindingOf(err, true, "connector.class")}
	}
	found := append(slices.Clone(c.findings), takenFinding(c, others)...)
	missing := false
	for _, f := range c.kind.Fields {
		if f.Required && c.config.Keys[f.Key] == "" {
			missing = true
			found = append(found, source.Finding{Fatal: true, Key: f.Key, Message: f.Key + " is missing", Hint: "say '" + f.Key + "' = '…'"})
		}
	}
	if !missing {
		found = append(found, c.kind.Check(ctx, c.config)...)
	}
	slices.SortStableFunc(found, func(a, b source.Finding) int {
		switch {
		case a.Fatal == b.Fatal:
			return strings.Compare(a.Table, b.Table)
		case a.Fatal:
			return -1
		}
		return 1
	})
	return found
}

// CheckFile looks at the source of one connector file, whose relative paths start at the folder project. It changes nothing.
func CheckFile(ctx context.Context, path, project string) []Found {
	c, err := readConnector(path, project, Kinds())
	if err != nil {
		return []Found{fatal(filepath.Base(path), err)}
	}
	var out []Found
	for _, f := range c.examine(ctx, nil) {
		out = append(out, Found{c.file, f})
	}
	return out
}
