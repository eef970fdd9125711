//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// execute is ALTER TABLE table EXECUTE action. Like Trino's it answers what was done as
// metric_name and metric_value; a dry run of remove_orphan_files has a path for each file.
func (g *Gate) execute(ctx context.Context, r Request, stmt string) (*Result, error) {
	x, err := sqltext.ParseExecute(stmt)
	if err != nil {
		return nil, err
	}
	if g.o.Upkeep == nil {
		return nil, fault.New(fault.Unavailable, "there is no lake to look after", "ask the Tarn that holds it")
	}
	id, err := g.alterable(ctx, r, x.Table)
	if err != nil {
		return nil, placed(err, stmt, x.Table.Offset)
	}
	leave, err := g.enter(ctx, g.upkeep, r.Principal.User)
	if err != nil {
		return nil, err
	}
	defer leave()
	order := catalog.Order{Action: catalog.Action(x.Action), DryRun: x.DryRun, Retention: x.Age, FileBytes: x.Bytes}
	done, err := g.o.Upkeep.Execute(ctx, id, order)
	if errors.Is(err, table.ErrNotFound) { // dropped a moment ago
		return nil, placed(fault.Newf(fault.NotFound, "see SHOW TABLES", "there is no table %s", x.Table), stmt, x.Table.Offset)
	}
	if err != nil {
		return nil, err
	}
	return g.report(order, done)
}

// alterable finds the table that a name means, as a query would, that the principal may alter.
func (g *Gate) alterable(ctx context.Context, r Request, t sqltext.Table) (table.Ident, error) {
	s := &session{gate: g, who: r.Principal, schemasOf: r.Schemas} // no connection: nothing is run
	candidates, err := s.candidates(t)
	if err != nil {
		return table.Ident{}, err
	}
	denied := false
	for _, id := range candidates {
		lower := table.Ident{Namespace: strings.ToLower(id.Namespace), Name: strings.ToLower(id.Name)}
		err := s.alterable(ctx, id)
		if errors.Is(err, table.ErrNotFound) && lower != id {
			id, err = lower, s.alterable(ctx, lower)
		}
		switch {
		case err == nil:
			return id, nil
		case errors.Is(err, errNotReadable):
			denied = true
		case !errors.Is(err, table.ErrNotFound):
			return table.Ident{}, err
		}
	}
	if denied {
		return table.Ident{}, fault.Newf(fault.Denied, "ask for a grant", "you may not alter %s", t)
	}
	return table.Ident{}, s.notFound(ctx, t)
}

// alterable asks the guard before the catalog, so that a name is refused in the same words
// whether it exists or not, and again with the table's id.
func (s *session) alterable(ctx context.Context, id table.Ident) error {
	if !s.may(guard.Alter, id, "").Allow {
		return errNotReadable
	}
	if _, live := s.live(id); live {
		return fault.Newf(fault.Invalid, "name a table of the lake", "%s is made anew for each query: it has no files", id)
	}
	scan, err := s.gate.o.Catalog.Scan(ctx, id, catalog.At{})
	if errors.Is(err, table.ErrNotFound) {
		if _, viewErr := s.gate.o.Catalog.View(ctx, id); viewErr == nil {
			return fault.Newf(fault.Invalid, "name one of the tables that it reads", "%s is a view: it has no files", id)
		}
	}
	if err != nil {
		return err
	}
	if scan.Release != nil {
		scan.Release() // a lease would keep what upkeep is to remove
	}
	if !s.may(guard.Alter, id, scan.TableID).Allow {
		return errNotReadable
	}
	return nil
}

// report is what was done. An action tells the numbers that it can change.
func (g *Gate) report(o catalog.Order, d catalog.Done) (*Result, error) {
	type metric struct {
		name  string
		value int64
	}
	metrics := []metric{{"files_removed", d.FilesRemoved}, {"bytes_removed", d.BytesRemoved}}
	switch o.Action {
	case catalog.Compact:
		metrics = append(metrics, metric{"files_added", d.FilesAdded}, metric{"bytes_added", d.BytesAdded}, metric{"deletes_applied", d.DeletesApplied})
	case catalog.ExpireSnapshots: // whose files the sweep removes, later
		metrics = []metric{{"snapshots_expired", d.Snapshots}}
	case catalog.RemoveOrphanFiles:
	}
	columns := []SystemColumn{{"metric_name", record.String}, {"metric_value", record.Long}}
	rows := make([][]any, 0, len(metrics)+len(d.Paths))
	for _, m := range metrics {
		rows = append(rows, []any{m.name, m.value})
	}
	if o.DryRun && o.Action == catalog.RemoveOrphanFiles {
		columns = append(columns, SystemColumn{"path", record.String})
		for i := range rows {
			rows[i] = append(rows[i], nil)
		}
		for _, p := range d.Paths {
			rows = append(rows, []any{"orphan_file", nil, g.shownPath(p)})
		}
	}
	return Rows("ALTER TABLE", columns, rows)
}

// shownPath is a file within the warehouse: the folders above it are nobody's business.
func (g *Gate) shownPath(path string) string {
	for _, folder := range g.o.Folders {
		if within, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(within) {
			return filepath.ToSlash(within)
		}
	}
	return filepath.Base(path)
}
