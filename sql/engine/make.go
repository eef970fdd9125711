//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// createTable is CREATE TABLE of columns, or of what a query answers once; false for one that declares a stream.
func (g *Gate) createTable(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	if sqltext.OfStream(stmt) {
		return nil, false, nil
	}
	m, err := sqltext.ParseMaking(stmt, r.Dialect != nil)
	if err != nil {
		return nil, true, err
	}
	s := &session{gate: g, who: r.Principal}
	id, e, found, err := s.target(ctx, r, m.Table)
	if err == nil && (!found || !m.IfNotExists || m.Replace) {
		err = g.makeable(r.Principal, id)
	}
	switch {
	case err != nil:
	case found && m.IfNotExists && !m.Replace:
		return Status("CREATE TABLE"), true, nil
	case found && !m.Replace:
		err = fault.Newf(fault.Exists, "write CREATE OR REPLACE TABLE, or take another name", "%s exists already", e.Ident)
	case found:
		_, err = s.writable(ctx, e, guard.Drop)
	}
	if err != nil {
		return nil, true, placed(err, stmt, m.Table.Offset)
	}
	spec := table.Spec{Ident: id, Properties: map[string]string{table.PropOwner: Owner}}
	if m.Comment != "" {
		spec.Properties["comment"] = m.Comment
	}
	if m.Body == "" {
		if spec.Columns, err = madeColumns(m.Columns, stmt); err != nil {
			return nil, true, err
		}
		for i, c := range m.Columns {
			if spec.Columns[i].Default = c.Default; r.Dialect != nil && r.Dialect.Lengths {
				spec.Columns[i].Length = c.Length
			}
		}
		_, _, err = g.o.Tables.Create(ctx, spec, m.Replace, nil)
		return made(err, m, stmt, Status("CREATE TABLE"))
	}
	var rows int64
	err = g.statement(ctx, r, stmt, m.Offset, func(ctx context.Context, s *session) (err error) {
		s.source = s.source[:m.Offset+len(m.Body)]
		rows, err = s.createAs(ctx, spec, m)
		return err
	})
	return made(err, m, stmt, Changed("CREATE TABLE", rows))
}

// made is the answer of a CREATE TABLE. Somebody else may have been there a moment ago.
func made(err error, m sqltext.Making, stmt string, done *Result) (*Result, bool, error) {
	switch {
	case errors.Is(err, table.ErrExists) && m.IfNotExists:
		return Status("CREATE TABLE"), true, nil
	case errors.Is(err, table.ErrExists):
		err = fault.Newf(fault.Exists, "take another name", "%s exists already", m.Table)
	case errors.Is(err, table.ErrNotFound):
		err = fault.Newf(fault.NotFound, "write CREATE SCHEMA "+m.Table.Schema+" first, or make the table in "+home, "there is no schema %s", m.Table.Schema)
	case err == nil:
		return done, true, nil
	}
	return nil, true, placed(err, stmt, m.Table.Offset)
}

func madeColumns(columns []sqltext.MadeColumn, stmt string) ([]table.Column, error) {
	var out []table.Column
	for _, c := range columns {
		word := c.Type
		if word == "TIMESTAMPTZ" {
			word = "TIMESTAMP WITH TIME ZONE"
		}
		typ, _, ok := duck.Stored(word)
		if !ok {
			return nil, sqltext.At(fault.Newf(fault.Invalid, "take another type", "column %s cannot be a %s", c.Name, c.Type), stmt, c.Offset)
		}
		out = append(out, table.Column{Name: c.Name, Type: typ, Required: c.Required, Key: c.Key, Doc: c.Comment})
	}
	return out, nil
}

// createAs makes a table of what the session's source answers.
func (s *session) createAs(ctx context.Context, spec table.Spec, m sqltext.Making) (int64, error) {
	var end func()
	defer func() {
		if end != nil {
			end()
		}
	}()
	_, n, err := s.gate.o.Tables.Create(ctx, spec, m.Replace, func(ctx context.Context) (columns []table.Column, rows iter.Seq2[arrow.RecordBatch, error], err error) {
		columns, query, err := s.selected(ctx, m)
		if err == nil && !m.Empty {
			rows, end, err = s.batches(ctx, query, table.ArrowSchema(columns))
		}
		return columns, rows, err
	})
	return n, err
}

// selected is the query of the session's source with columns that a table can have.
func (s *session) selected(ctx context.Context, m sqltext.Making) (made []table.Column, query string, _ error) {
	out, err := s.rewrite(ctx, s.source, 0)
	if err != nil {
		return nil, "", err
	}
	columns, err := s.describe(ctx, out.Text)
	if err != nil {
		return nil, "", err
	}
	if len(m.Columns) > len(columns) {
		return nil, "", fault.Newf(fault.Invalid, "name as many", "there are %d names for %d columns", len(m.Columns), len(columns))
	}
	for i, c := range m.Columns {
		columns[i].name = c.Name
	}
	made, items, err := stored(columns)
	aliases := make([]string, len(columns))
	for i := range aliases {
		aliases[i] = "c" + strconv.Itoa(i)
	}
	return made, "SELECT " + items + " FROM (" + out.Text + ") q(" + strings.Join(aliases, ", ") + ")", err
}

// stored are columns that a table can have for those of an answer, and what makes their values of columns c0, c1 and so on.
func stored(columns []column) (made []table.Column, items string, _ error) {
	all, names := make([]string, len(columns)), map[string]bool{}
	for i, c := range columns {
		if c.typ == `"NULL"` || c.typ == "NULL" {
			c.typ = "VARCHAR"
		}
		typ, cast, ok := duck.Stored(c.typ)
		switch {
		case !ok:
			return nil, "", fault.Newf(fault.Invalid, "cast it, such as to VARCHAR or JSON, or take its parts", "column %s is a %s, which a table of the lake cannot hold", c.name, c.typ)
		case names[strings.ToLower(c.name)]:
			return nil, "", fault.Newf(fault.Invalid, "give one of them another name with AS", "the table would have two columns %s", c.name)
		}
		names[strings.ToLower(c.name)] = true
		if len(made) >= columnsMax {
			return nil, "", fault.Newf(fault.TooLarge, "take fewer", "the table would have more than %d columns", columnsMax)
		}
		if strings.EqualFold(c.typ, "UUID") {
			typ = record.UUID
		}
		made = append(made, table.Column{Name: c.name, Type: typ})
		all[i] = "CAST(c" + strconv.Itoa(i) + " AS " + cast + ") AS " + ident(c.name)
	}
	return made, strings.Join(all, ", "), nil
}

// columnsMax bounds a table that a query makes.
const columnsMax = 1000

// schemaName reads [lake.]schema.
func schemaName(in *sqltext.Reader) (string, error) {
	parts, err := in.Name()
	if err != nil {
		return "", err
	}
	name := strings.ToLower(parts[len(parts)-1])
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || name == "" || len(parts) > 2 {
		return "", fault.Newf(fault.Invalid, "use letters, digits and _", "%q is no name for a schema", strings.Join(parts, "."))
	}
	return name, nil
}

// createSchema is CREATE SCHEMA [IF NOT EXISTS] name [AUTHORIZATION …].
func (g *Gate) createSchema(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, true, err
	}
	in.Take("CREATE", "SCHEMA")
	quiet := in.Take("IF", "NOT", "EXISTS")
	at := in.Offset()
	name, err := schemaName(in)
	if err == nil && in.Take("AUTHORIZATION") {
		_, err = in.Name()
	}
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return nil, true, err
	}
	switch {
	case !g.o.Guard.Decide(r.Principal, guard.Create, guard.Resource{Kind: guard.Schema, Path: []string{name}}).Allow:
		err = fault.Newf(fault.Denied, "ask for a grant", "you may not create the schema %s", name)
	case name == informationSchema || strings.HasPrefix(name, "pg_") || r.Dialect != nil && r.Dialect.Schemas[name] != nil:
		if !quiet {
			err = fault.Newf(fault.Exists, "take another name", "there is a schema %s already", name)
		}
	default:
		if err = g.o.Tables.CreateNamespace(ctx, name); errors.Is(err, table.ErrExists) {
			err = nil
			if !quiet {
				err = fault.Newf(fault.Exists, "write CREATE SCHEMA IF NOT EXISTS, or take another name", "there is a schema %s already", name)
			}
		}
	}
	if err != nil {
		return nil, true, placed(err, stmt, at)
	}
	return Status("CREATE SCHEMA"), true, nil
}

// dropSchema is DROP SCHEMA [IF EXISTS] name [CASCADE]. Of what is in it each table is dropped as DROP TABLE does.
func (g *Gate) dropSchema(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, true, err
	}
	in.Take("DROP", "SCHEMA")
	quiet := in.Take("IF", "EXISTS")
	at := in.Offset()
	name, err := schemaName(in)
	cascade := err == nil && in.Take("CASCADE")
	if err == nil {
		in.Take("RESTRICT")
		err = in.Done()
	}
	if err != nil {
		return nil, true, err
	}
	if !g.o.Guard.Decide(r.Principal, guard.Drop, guard.Resource{Kind: guard.Schema, Path: []string{name}}).Allow {
		err = fault.Newf(fault.Denied, "ask for a grant", "you may not drop the schema %s", name)
	}
	if err == nil && cascade && !slices.Contains(append([]string{home}, layers...), name) {
		err = g.empty(ctx, r, name)
	}
	if err == nil {
		if err = g.o.Tables.DropNamespace(ctx, name); errors.Is(err, table.ErrNotFound) {
			err = nil
			if !quiet {
				err = fault.Newf(fault.NotFound, "see SHOW SCHEMAS", "there is no schema %s", name)
			}
		}
	}
	if err != nil {
		return nil, true, placed(err, stmt, at)
	}
	return Status("DROP SCHEMA"), true, nil
}

// empty drops all that is in a schema: first the tables, each of which may be refused, then the views. Before that it is looked
// whether all of it may go, and whether views that stay read it.
func (g *Gate) empty(ctx context.Context, r Request, name string) error {
	entries, err := g.o.Catalog.Entries(ctx, name)
	if err != nil {
		return err
	}
	if g.o.Drop == nil && slices.ContainsFunc(entries, func(e catalog.Entry) bool { return !e.View }) {
		return fault.New(fault.Unavailable, "there is no lake to drop a table of", "ask the Tarn that holds it")
	}
	all, err := g.views(ctx)
	if err != nil {
		return err
	}
	var views []table.Ident
	for _, e := range entries {
		if !g.o.Guard.Decide(r.Principal, guard.Drop, resource(e.Ident)).Allow {
			return fault.Newf(fault.Denied, "ask for a grant", "you may not drop %s", e.Ident)
		}
		if e.View {
			views = append(views, e.Ident)
			continue
		}
		for _, v := range all {
			if v.Namespace != name && slices.Contains(v.Inputs, catalog.Name+"."+e.String()) {
				return fault.Newf(fault.Invalid, "write DROP VIEW "+v.String()+" first", "%s is read by the view %s", e.Ident, v.Ident)
			}
		}
	}
	for _, e := range entries {
		if e.View {
			continue
		}
		if err := g.o.Drop(ctx, e.Ident); err != nil && !errors.Is(err, table.ErrNotFound) {
			return err
		}
	}
	return g.dropViews(ctx, views)
}
