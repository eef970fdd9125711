//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

const (
	systemSchema      = table.SystemNamespace
	informationSchema = "information_schema"
)

// resolve answers a table reference of a statement: the first of the tables it may mean
// that exists and that the principal may read. A name is refused in the same words whether
// it exists or not where the principal may not read it.
func (s *session) resolve(ctx context.Context, t sqltext.Table) (sqltext.Relation, error) {
	s.names++
	if s.changes != nil && t.Schema == "" && (t.Name == s.changes.name || s.changes.deletes != "" && t.Name == s.changes.deletes) {
		return s.changes.relation(ctx, t.Name)
	}
	if s.written != nil && t.Schema == "" && t.Name == s.written.name {
		return s.written.is, nil
	}
	if r, ok, err := s.temporary(t); ok {
		return r, err
	}
	candidates, err := s.candidates(t)
	if err != nil {
		return sqltext.Relation{}, err
	}
	at, err := s.moment(ctx, t.At)
	if err != nil {
		return sqltext.Relation{}, err
	}
	denied := false
	for _, id := range candidates {
		r, err := s.relation(ctx, id, at, t.Where)
		switch {
		case err == nil:
			return r, nil
		case errors.Is(err, errNotReadable):
			denied = true
		case !errors.Is(err, table.ErrNotFound):
			return sqltext.Relation{}, err
		}
	}
	if denied {
		return sqltext.Relation{}, fault.Newf(fault.Denied, "ask for a grant, or see SHOW TABLES", "you may not read %s", t)
	}
	return sqltext.Relation{}, s.notFound(ctx, t)
}

var errNotReadable = errors.New("not readable")

// candidates lists the tables that a name may mean. a.b is schema a, then catalog a; a bare
// name is looked for in the default schemas.
func (s *session) candidates(t sqltext.Table) ([]table.Ident, error) {
	bare := func() (all []table.Ident) {
		schemas := s.gate.o.Schemas
		if len(s.views) > 0 { // the text of a view means the same to all
			if s.viewed.schemas != nil {
				schemas = s.viewed.schemas
			}
		} else {
			if s.dialect != nil {
				for _, schema := range s.dialect.First {
					all = append(all, table.Ident{Namespace: schema, Name: t.Name})
				}
			}
			if s.schemasOf != nil {
				schemas = s.schemasOf
			}
		}
		if len(schemas) > 0 { // a path of none finds nothing
			schemas = searched(schemas)
		}
		for _, schema := range schemas {
			all = append(all, table.Ident{Namespace: schema, Name: t.Name})
		}
		return all
	}
	inLake := strings.EqualFold(t.Catalog, catalog.Name)
	switch {
	case t.Catalog != "" && !inLake:
		return nil, fault.Newf(fault.NotFound, "the catalog is "+catalog.Name, "there is no catalog %s", t.Catalog)
	case t.Schema == "":
		return bare(), nil
	case t.Catalog == "" && strings.EqualFold(t.Schema, catalog.Name):
		return append([]table.Ident{{Namespace: t.Schema, Name: t.Name}}, bare()...), nil
	}
	return []table.Ident{{Namespace: t.Schema, Name: t.Name}}, nil
}

// relation makes what stands in a table's place: once per statement, so that two names of a
// table read one snapshot; of that each may read other files.
func (s *session) relation(ctx context.Context, id table.Ident, at catalog.At, where []sqltext.Condition) (sqltext.Relation, error) {
	if t, ok, err := s.dialectTable(id); ok {
		if err != nil {
			return sqltext.Relation{}, err
		}
		return s.loadDialect(ctx, id, t)
	}
	key := scanKey{id, at}
	if r, ok := s.relations[key]; ok {
		return r, nil
	}
	r, whole, err := s.build(ctx, id, at, where)
	if lower := (table.Ident{Namespace: strings.ToLower(id.Namespace), Name: strings.ToLower(id.Name)}); errors.Is(err, table.ErrNotFound) && lower != id {
		r, whole, err = s.build(ctx, lower, at, where)
	}
	if err == nil && whole {
		s.relations[key] = r
	}
	return r, err
}

// build also tells whether the relation has all rows, whatever the statement asks of them.
func (s *session) build(ctx context.Context, id table.Ident, at catalog.At, where []sqltext.Condition) (_ sqltext.Relation, whole bool, _ error) {
	// information_schema is everybody's: its rows are of what the principal may read.
	if !strings.EqualFold(id.Namespace, informationSchema) && !s.may(guard.Read, id, "").Allow {
		return sqltext.Relation{}, false, errNotReadable
	}
	if rows, ok := s.live(id); ok {
		if at != (catalog.At{}) {
			return sqltext.Relation{}, false, fault.Newf(fault.Invalid, "name a table of the lake", "AT cannot be used on %s, which has no snapshots", id)
		}
		r, err := s.load(ctx, id, rows)
		return r, true, err
	}
	scan, err := s.scan(ctx, id, at)
	if errors.Is(err, table.ErrNotFound) {
		r, err := s.view(ctx, id, at)
		return r, true, err
	}
	if err != nil {
		return sqltext.Relation{}, false, err
	}
	d := s.may(guard.Read, id, scan.TableID)
	if !d.Allow {
		return sqltext.Relation{}, false, errNotReadable
	}
	files, rows := s.files(scan, where, d)
	s.rows += rows
	types, unread := wordsOf(scan.Columns)
	if unread >= 0 {
		c := scan.Columns[unread]
		return sqltext.Relation{}, false, fault.Newf(fault.Invalid, "read the table with another engine", "column %s of %s has type %s, which Tarn does not read", c.Name, scan.Ident, c.Type)
	}
	text, call, err := s.scanText(ctx, scan, types, files)
	if err != nil {
		return sqltext.Relation{}, false, err
	}
	r := s.guarded(id, namesOfColumns(scan.Columns), text, d)
	if len(d.Masks) == 0 {
		r.Types = types
	} else {
		r.Form = fmt.Sprintf("%q %q", types, d.Masks)
	}
	if r.Text == text { // no filter and no mask stands before the rows
		r.Call, r.Hidden = call, hiddenOfAny
	}
	return r, len(files) == len(scan.Files), nil
}

// may asks the guard.
func (s *session) may(a guard.Action, id table.Ident, tableID string) guard.Decision {
	return s.gate.o.Guard.Decide(s.who, a, guard.Resource{Kind: guard.Table, ID: tableID, Path: []string{id.Namespace, id.Name}})
}

// scan leases a snapshot.
func (s *session) scan(ctx context.Context, id table.Ident, at catalog.At) (*catalog.Scan, error) {
	key := scanKey{id, at}
	if scan, ok := s.scans[key]; ok {
		return scan, nil
	}
	scan, err := s.gate.o.Catalog.Scan(ctx, id, at)
	if err != nil {
		return nil, err
	}
	s.scans[key] = scan
	name := id.String()
	if known, ok := s.snapshots[name]; ok && known != scan.SnapshotID {
		name += "@" + scan.CommittedAt.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	s.snapshots[name] = scan.SnapshotID
	return scan, nil
}

// guarded applies a decision to a query: the filter sees the rows as they are, the masks
// stand above it, so that nothing a principal writes can look below them.
func (s *session) guarded(id table.Ident, columns []string, text string, d guard.Decision) sqltext.Relation {
	if d.Filter != "" {
		text = "SELECT * FROM (" + text + ") WHERE (" + d.Filter + ")"
		s.policies = append(s.policies, d.Filter)
	}
	if len(d.Masks) > 0 {
		items := make([]string, len(columns))
		for i, c := range columns {
			items[i] = ident(c)
			for masked, mask := range d.Masks {
				if strings.EqualFold(masked, c) {
					items[i] = "(" + mask + ") AS " + ident(c)
					s.policies = append(s.policies, mask)
				}
			}
		}
		text = "SELECT " + strings.Join(items, ", ") + " FROM (" + text + ")"
	}
	return sqltext.Relation{Text: text, Name: id.String(), Columns: columns}
}

// notFound names what is most like the unknown table.
func (s *session) notFound(ctx context.Context, t sqltext.Table) error {
	names := s.readable(ctx)
	near := sqltext.Nearest(t.String(), names)
	if near == "" {
		for _, n := range names {
			if _, bare, _ := strings.Cut(n, "."); strings.EqualFold(bare, t.Name) || sqltext.Nearest(t.Name, []string{bare}) != "" {
				near = n
				break
			}
		}
	}
	hint := "see SHOW TABLES"
	if near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.Newf(fault.NotFound, hint, "there is no table %s", t)
}

// readable lists schema.name of all tables and views that the principal may read.
func (s *session) readable(ctx context.Context) []string {
	entries, err := s.entries(ctx)
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.String()
	}
	slices.Sort(names)
	return names
}

// moment turns AT into the catalog's terms. Its time is an expression of the statement,
// walked already, without columns.
func (s *session) moment(ctx context.Context, m sqltext.Moment) (catalog.At, error) {
	at := catalog.At{SnapshotID: m.Version, Ref: m.Tag}
	if m.Time == "" {
		return at, nil
	}
	var micros *int64
	if err := s.conn.QueryRowContext(ctx, "SELECT epoch_us(("+m.Time+")::TIMESTAMPTZ)").Scan(&micros); err != nil {
		return at, err
	}
	if micros == nil {
		return at, fault.New(fault.Invalid, "AT (TIMESTAMP => …) is null", "write a time")
	}
	at.Time = timeOfMicros(*micros)
	return at, nil
}
