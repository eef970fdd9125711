//go:build duckdb_arrow

package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// alter is ALTER TABLE or VIEW … RENAME TO name, … SET SCHEMA name, and what becomes of columns of a table; false for another ALTER TABLE. Views
// that read a table by its name read what has that name then.
func (g *Gate) alter(ctx context.Context, r Request, stmt string) (*Result, bool, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, true, err
	}
	in.Take("ALTER")
	kind := strings.ToUpper(in.Next().Text)
	quiet := in.Take("IF", "EXISTS")
	t, err := in.Table()
	if err != nil {
		return nil, kind == "VIEW", err
	}
	rename := in.Take("RENAME", "TO")
	move := !rename && in.Take("SET", "SCHEMA")
	if !rename && !move {
		if kind == "VIEW" {
			return nil, true, in.Fault("RENAME TO and a name")
		}
		changes, err := in.ColumnChanges(r.Dialect != nil)
		if len(changes) == 0 || err != nil {
			return nil, err != nil, err
		}
		return g.alterColumns(ctx, r, stmt, t, quiet, changes)
	}
	to, err := in.Table()
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return nil, true, err
	}
	s := g.asking(r)
	_, e, found, err := s.target(ctx, r, t)
	if err == nil && !found {
		if quiet {
			return Status("ALTER " + kind), true, nil
		}
		err = s.notFound(ctx, t)
	}
	if err != nil {
		return nil, true, placed(err, stmt, t.Offset)
	}
	id := table.Ident{Namespace: cmp.Or(strings.ToLower(to.Schema), e.Namespace), Name: strings.ToLower(to.Name)}
	if move {
		id = table.Ident{Namespace: strings.ToLower(to.Name), Name: e.Name}
	}
	if err = g.makeable(r.Principal, id); err != nil {
		return nil, true, placed(err, stmt, to.Offset)
	}
	err = s.rename(ctx, e, id, t)
	switch {
	case errors.Is(err, table.ErrExists):
		err = sqltext.At(fault.Newf(fault.Exists, "take another name", "%s exists already", id), stmt, to.Offset)
	case errors.Is(err, table.ErrNotFound):
		err = fault.Newf(fault.NotFound, "see SHOW TABLES", "there is no table %s", t)
	}
	if err != nil {
		return nil, true, placed(err, stmt, t.Offset)
	}
	return Status("ALTER " + kind), true, nil
}

// rename gives a table or a view, which the statement calls t, another name.
func (s *session) rename(ctx context.Context, e catalog.Entry, id table.Ident, t sqltext.Table) error {
	if e.View {
		if !s.may(guard.Alter, e.Ident, "").Allow {
			return fault.Newf(fault.Denied, "ask for a grant", "you may not alter %s", t)
		}
		return s.gate.o.Tables.RenameView(ctx, e.Ident, id)
	}
	if _, err := s.writable(ctx, e, guard.Alter); err != nil {
		return err
	}
	return s.gate.renameTable(ctx, e.Ident, id)
}

func (g *Gate) renameTable(ctx context.Context, from, to table.Ident) error {
	spaces, err := g.o.Catalog.Namespaces(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(spaces, to.Namespace) {
		return g.o.Tables.Rename(ctx, from, to)
	}
	return fault.Newf(fault.NotFound, "write CREATE SCHEMA "+to.Namespace+" first", "there is no schema %s", to.Namespace)
}
