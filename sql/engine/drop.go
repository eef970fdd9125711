//go:build duckdb_arrow

package engine

import (
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

// dropTable is DROP TABLE [IF EXISTS] table [CASCADE]. A table that a view reads stays, but for a dialect of LateViews; whether anybody fills it, or reads it
// for ever, the room that does so is asked.
func (g *Gate) dropTable(ctx context.Context, r Request, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("DROP", "TABLE")
	quiet := in.Take("IF", "EXISTS")
	cascade := false
	t, err := in.Table()
	if err == nil {
		cascade = in.Take("CASCADE")
		in.Take("RESTRICT") // as it is in any other case
		err = in.Done()
	}
	if err != nil {
		return nil, err
	}
	if g.o.Drop == nil {
		return nil, fault.New(fault.Unavailable, "there is no lake to drop a table of", "ask the Tarn that holds it")
	}
	var views []table.Ident
	id, err := g.droppable(ctx, r, t)
	if late := r.Dialect != nil && r.Dialect.LateViews; err == nil && !late {
		views, err = g.unread(ctx, r.Principal, id, cascade)
	}
	if err == nil {
		if err = g.o.Drop(ctx, id); errors.Is(err, table.ErrNotFound) { // dropped a moment ago
			err = fault.Newf(fault.NotFound, "see SHOW TABLES", "there is no table %s", t)
		}
	}
	if err == nil {
		err = g.dropViews(ctx, views)
	}
	if quiet && fault.CodeOf(err) == fault.NotFound {
		err = nil
	}
	if err != nil {
		return nil, placed(err, stmt, t.Offset)
	}
	return Status("DROP TABLE"), nil
}

// droppable finds the table that a name means, as a query would, and refuses what is no table that may go.
func (g *Gate) droppable(ctx context.Context, r Request, t sqltext.Table) (table.Ident, error) {
	s := &session{gate: g, who: r.Principal, schemasOf: r.Schemas} // no connection: nothing is run
	candidates, err := s.candidates(t)
	if err != nil {
		return table.Ident{}, err
	}
	for _, id := range candidates {
		entry, found, err := g.entry(ctx, id)
		if err != nil {
			return id, err
		}
		if _, live := s.live(id); live && !found {
			return id, fault.Newf(fault.Invalid, "name a table of the lake", "%s is made anew for each query: there is nothing to drop", id)
		}
		if !found {
			continue
		}
		id = entry.Ident
		switch {
		case !s.may(guard.Drop, id, "").Allow:
			return id, fault.Newf(fault.Denied, "ask for a grant", "you may not drop %s", t)
		case entry.View:
			return id, fault.Newf(fault.Invalid, "write DROP VIEW "+id.String(), "%s is a view", id)
		}
		return id, nil
	}
	return table.Ident{}, s.notFound(ctx, t)
}

// entry finds a table or view by a name in any case of letters, also one that is damaged.
func (g *Gate) entry(ctx context.Context, id table.Ident) (catalog.Entry, bool, error) {
	for _, namespace := range slices.Compact([]string{id.Namespace, strings.ToLower(id.Namespace)}) {
		all, err := g.o.Catalog.Entries(ctx, namespace)
		if err != nil && !errors.Is(err, table.ErrNotFound) {
			return catalog.Entry{}, false, err
		}
		for _, e := range all {
			if strings.EqualFold(e.Name, id.Name) {
				return e, true, nil
			}
		}
	}
	return catalog.Entry{}, false, nil
}

// unread refuses a table that views read, for they would fail from then on. With cascade it returns those that go with it: they, and
// those that read them, each of which who may drop.
func (g *Gate) unread(ctx context.Context, who guard.Principal, id table.Ident, cascade bool) (views []table.Ident, err error) {
	all, err := g.views(ctx)
	if err != nil {
		return nil, err
	}
	readers := func(of table.Ident) (by []table.Ident) {
		for _, v := range all {
			if slices.Contains(v.Inputs, catalog.Name+"."+of.String()) {
				by = append(by, v.Ident)
			}
		}
		return by
	}
	by := readers(id)
	if !cascade && len(by) > 0 {
		var names []string
		for _, v := range by {
			names = append(names, v.String())
		}
		return nil, fault.Newf(fault.Invalid, "write DROP VIEW "+names[0]+" first", "%s is read by the view %s", id, strings.Join(names, ", "))
	}
	for ; len(by) > 0; by = by[1:] {
		v := by[0]
		if slices.Contains(views, v) {
			continue
		}
		if !g.o.Guard.Decide(who, guard.Drop, resource(v)).Allow {
			return nil, fault.Newf(fault.Denied, "ask for a grant", "you may not drop the view %s, which reads it", v)
		}
		views = append(views, v)
		by = append(by, readers(v)...)
	}
	return views, nil
}

// views are all that can be read.
func (g *Gate) views(ctx context.Context) (out []catalog.View, _ error) {
	namespaces, err := g.o.Catalog.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, namespace := range namespaces {
		all, err := g.o.Catalog.Entries(ctx, namespace)
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			if !e.View {
				continue
			}
			if v, err := g.o.Catalog.View(ctx, e.Ident); err == nil {
				v.Ident = e.Ident
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// dropViews drops those that read what has just gone.
func (g *Gate) dropViews(ctx context.Context, views []table.Ident) error {
	for _, v := range views {
		if err := g.o.Catalog.DropView(ctx, v); err != nil && !errors.Is(err, table.ErrNotFound) {
			return err
		}
	}
	return nil
}
