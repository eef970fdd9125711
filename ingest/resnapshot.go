package ingest

import (
	"context"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
)

// resnapshot is RESNAPSHOT CONNECTOR name [TABLE table, …]: new snapshots of tables of a connector, all by default, after which
// the mirrors equal the tables again. Tables that are quarantined are read again. One that is paused begins when it is resumed.
func (g *Ingest) resnapshot(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return Answer{}, err
	}
	in.Take("RESNAPSHOT", "CONNECTOR")
	names, err := readNames(in)
	if err != nil {
		return Answer{}, err
	}
	name := names[0].text
	if err := g.known(in, names[0], who, guard.Alter); err != nil {
		return Answer{}, err
	}
	known := g.tables(name)
	tables := make([]string, 0, len(known))
	for _, n := range names[1:] {
		table, err := tableOf(in, n, name, known)
		if err != nil {
			return Answer{}, err
		}
		tables = append(tables, table)
	}
	if len(names) == 1 {
		for _, t := range known {
			tables = append(tables, t.Table)
		}
	}
	if len(tables) == 0 {
		return Answer{}, fault.Newf(fault.Conflict, "see FROM system.sources; a source that has never run is snapshotted when it starts", "connector %s has told of no table yet", name)
	}
	if err := source.Resnapshot(ctx, g.o.Meta, name, tables, "RESNAPSHOT CONNECTOR was said by "+who.User); err != nil {
		return Answer{}, err
	}
	g.reopen(name)
	answer := Answer{tag: "RESNAPSHOT CONNECTOR", columns: []record.Column{{Name: "table_name", Type: record.String}}}
	for _, t := range tables {
		answer.rows = append(answer.rows, []any{t})
	}
	return answer, nil
}

// spoken is a name in a statement, with its place.
type spoken struct {
	text string
	at   int
}

// readNames reads the name of a connector, those of its tables behind TABLE, and the end.
func readNames(in *sqltext.Reader) (list []spoken, err error) {
	for more := true; more; more = len(list) == 1 && in.Take("TABLE") || len(list) > 1 && in.Take(",") {
		at := in.Offset()
		parts, err := in.Name()
		if err != nil {
			return nil, err
		}
		list = append(list, spoken{strings.Join(parts, "."), at})
	}
	return list, in.Done()
}

// one reads the name of a connector, which ends the statement.
func (g *Ingest) one(in *sqltext.Reader, who guard.Principal, what guard.Action) (string, error) {
	at := in.Offset()
	parts, err := in.Name()
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return "", err
	}
	n := spoken{strings.Join(parts, "."), at}
	return n.text, g.known(in, n, who, what)
}

// known refuses the name of a connector that is not there, or to which who may not do something.
func (g *Ingest) known(in *sqltext.Reader, n spoken, who guard.Principal, what guard.Action) error {
	if err := g.may(who, what, n.text); err != nil {
		return err
	}
	if f := g.unknown(n.text); f != nil {
		return in.At(f, n.at)
	}
	return nil
}

// tableOf is the table of a connector that a name means: its last part is enough where it is the only one.
func tableOf(in *sqltext.Reader, n spoken, connector string, known []source.TableState) (string, error) {
	name, at := n.text, n.at
	var names, meant []string
	for _, t := range known {
		last := t.Table[strings.LastIndexByte(t.Table, '.')+1:]
		switch {
		case t.Table == name:
			return name, nil
		case strings.EqualFold(t.Table, strings.TrimPrefix(name, "main.")), strings.EqualFold(last, name):
			meant = append(meant, t.Table)
		}
		names = append(names, t.Table)
	}
	switch {
	case len(meant) == 1:
		return meant[0], nil
	case len(meant) > 1:
		return "", in.At(fault.Newf(fault.Invalid, "write one of "+strings.Join(meant, ", "), "more than one table of connector %s is called %s", connector, name), at)
	}
	hint := "see FROM system.source_tables"
	if near := sqltext.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return "", in.At(fault.Newf(fault.NotFound, hint, "connector %s has no table %s", connector, name), at)
}

// tables are those of a connector, as it told of them last.
func (g *Ingest) tables(name string) []source.TableState {
	list := g.Statuses()
	at := slices.IndexFunc(list, func(s source.Status) bool { return s.Name == name })
	if at < 0 {
		return nil
	}
	return list[at].Tables
}

// reopen has a connector that runs look at what was wished for.
func (g *Ingest) reopen(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.entries {
		if e.conn.config.Name == name && e.runner != nil {
			e.runner.Reopen()
		}
	}
}

// may refuses what a principal may not do to a connector.
func (g *Ingest) may(who guard.Principal, what guard.Action, name string) error {
	if g.o.Guard != nil && !g.o.Guard.Decide(who, what, guard.Resource{Kind: guard.Source, Path: []string{name}}).Allow {
		return fault.Newf(fault.Denied, "ask for a grant", "you may not %s the source %s", what, name)
	}
	return nil
}
