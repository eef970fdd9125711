//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
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

// Dialect is what a door's statements may say beyond the Gate's own. A door makes it once; nothing changes it.
type Dialect struct {
	// Name is what the views are marked with that are made in it, of Options.Views; "" for none.
	Name string
	// Words are its functions, casts and spellings; nil: DuckDB's.
	Words *sqltext.Dialect
	// Schemas are the door's own, by name in lower case: they stand before the lake's, and hold nothing but these tables.
	Schemas map[string]map[string]DialectTable
	// FewerValues says that an INSERT without a list of columns may give values for the first ones alone.
	FewerValues bool
	// Texts say what a text means that an INSERT puts into a column of such a type, of $1; of others DuckDB casts it.
	Texts map[string]string
	// Lengths says that a column of varchar(n) takes no longer texts.
	Lengths bool
	// LateViews says that a view finds its tables when it is read, and not before: a table that one reads may be dropped.
	LateViews bool
	// First are those of Schemas in which a name without a schema is looked for before the lake's.
	First []string
}

// DialectTable is a table of a dialect: what its rows are goes by who asks. Each may read it: its rows are of what that
// principal may read, for they are made of nothing but the listing and what the door knows of ctx.
type DialectTable struct {
	Columns []DialectColumn
	// Rows are made once per statement. Values are as those of a SystemTable; nil: none.
	Rows func(ctx context.Context, l *Listing) ([][]any, error)
}

// DialectColumn is a column of it. Type is in DuckDB's words; what is no BOOLEAN, INTEGER, BIGINT, DOUBLE or TIMESTAMP
// is told as a text that can be cast to it, such as [1,2] for INTEGER[].
type DialectColumn struct {
	Name, Type string
	Hidden     bool // the last, which is there only where the statement names it
}

// Listing is what one principal may read, as it is while one statement runs.
type Listing struct {
	s       *session
	entries []Entry                          // nil until they are asked for
	made    map[table.Ident]sqltext.Relation // tables of the dialect that are on the connection
}

// Entry is a table or view of it.
type Entry struct {
	table.Ident
	ID      string // that never changes, "" for a view and for a live table
	View    bool
	Live    bool   // made anew for each statement: system.*
	Text    string // of a view
	Comment string
	Bytes   int64 // of the data files
	Columns []EntryColumn
}

// EntryColumn is a column of it; Type is in DuckDB's words.
type EntryColumn struct {
	Name, Type string
	ID         int // its field's, or its place
	Nullable   bool
	Key        bool
	Doc        string
	Length     int    // of a text that has no more characters; 0 for any
	Default    string // in DuckDB's SQL; "" for null
}

// Who is the principal.
func (l *Listing) Who() guard.Principal { return l.s.who }

// Schemas are the lake's in which the principal sees anything, and the layers, in order. information_schema is among them.
func (l *Listing) Schemas(ctx context.Context) ([]string, error) { return l.s.schemas(ctx) }

// Entries are all tables and views, in order of schema and name. They are asked for once per statement.
func (l *Listing) Entries(ctx context.Context) ([]Entry, error) {
	if l.entries != nil {
		return l.entries, nil
	}
	all, err := l.s.entries(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(all))
	for _, e := range all {
		of, err := l.s.entry(ctx, e)
		if errors.Is(err, table.ErrNotFound) {
			continue // dropped a moment ago
		}
		if err != nil {
			return nil, err
		}
		out = append(out, of)
	}
	l.entries = out
	return out, nil
}

// entry tells all of a table or view.
func (s *session) entry(ctx context.Context, e entry) (Entry, error) {
	out := Entry{Ident: e.Ident, View: e.kind == "VIEW"}
	if t, ok := s.live(e.Ident); ok {
		out.Live = true
		for i, c := range t.Columns {
			typ, _ := duck.TypeOf(c.Type)
			out.Columns = append(out.Columns, EntryColumn{Name: c.Name, Type: typ, ID: i + 1, Nullable: true})
		}
		return out, nil
	}
	var columns []table.Column
	if out.View {
		v, err := s.gate.o.Catalog.View(ctx, e.Ident)
		if err != nil {
			return out, err
		}
		out.Text, out.Comment, columns = v.Text, v.Comment, v.Columns
	} else {
		scan, err := s.gate.o.Catalog.Scan(ctx, e.Ident, catalog.At{})
		if err != nil {
			return out, err
		}
		if scan.Release != nil {
			scan.Release()
		}
		out.ID, out.Comment, columns = scan.TableID, scan.Comment, scan.Columns
		for _, f := range scan.Files {
			out.Bytes += f.Bytes
		}
	}
	masks := s.may(guard.Read, e.Ident, out.ID).Masks
	for _, c := range columns {
		typ, ok := duck.TypeOf(c.Type)
		if !ok {
			typ = string(c.Type)
		}
		of := EntryColumn{Name: c.Name, Type: typ, ID: c.ID, Nullable: !c.Required, Key: c.Key, Doc: c.Doc, Length: c.Length, Default: c.Default}
		for masked := range masks { // another value, which need be neither required nor a key
			if strings.EqualFold(masked, c.Name) {
				of.Nullable, of.Key = true, false
			}
		}
		out.Columns = append(out.Columns, of)
	}
	return out, nil
}

// dialectTable finds a table of the dialect of the statement; false where it has no such schema.
func (s *session) dialectTable(id table.Ident) (DialectTable, bool, error) {
	if s.dialect == nil || len(s.views) > 0 {
		return DialectTable{}, false, nil
	}
	tables, ok := s.dialect.Schemas[strings.ToLower(id.Namespace)]
	if !ok {
		return DialectTable{}, false, nil
	}
	t, ok := tables[strings.ToLower(id.Name)]
	if !ok {
		return DialectTable{}, true, table.ErrNotFound
	}
	return t, true, nil
}

// loadDialect brings a table of the dialect onto the connection.
func (s *session) loadDialect(ctx context.Context, id table.Ident, t DialectTable) (sqltext.Relation, error) {
	if s.listing == nil {
		s.listing = &Listing{s: s, made: map[table.Ident]sqltext.Relation{}}
	}
	id = table.Ident{Namespace: strings.ToLower(id.Namespace), Name: strings.ToLower(id.Name)}
	if r, ok := s.listing.made[id]; ok {
		return r, nil
	}
	r, err := s.makeDialect(ctx, id, t)
	if err == nil {
		s.listing.made[id] = r
	}
	return r, err
}

func (s *session) makeDialect(ctx context.Context, id table.Ident, t DialectTable) (sqltext.Relation, error) {
	var rows [][]any
	if t.Rows != nil {
		var err error
		if rows, err = t.Rows(ctx, s.listing); err != nil {
			return sqltext.Relation{}, fault.Wrap(err, fault.Unavailable, "read "+id.String(), "try again")
		}
	}
	r := sqltext.Relation{Name: id.String()}
	said := t.Columns
	if last := len(said) - 1; last >= 0 && said[last].Hidden && !strings.Contains(strings.ToLower(s.source), said[last].Name) {
		said = said[:last]
		for i := range rows {
			rows[i] = rows[i][:last]
		}
	}
	columns, items, nothing := make([]SystemColumn, len(said)), make([]string, len(said)), make([]string, len(said))
	for i, c := range said {
		r.Columns, r.Types = append(r.Columns, c.Name), append(r.Types, c.Type)
		columns[i] = SystemColumn{c.Name, loadedAs(c.Type)}
		items[i] = duck.Ident(c.Name)
		if columns[i].Type == record.String && c.Type != "VARCHAR" {
			items[i] = "CAST(" + items[i] + " AS " + c.Type + ") AS " + items[i]
		}
		nothing[i] = "CAST(NULL AS " + c.Type + ") AS " + duck.Ident(c.Name)
	}
	if len(rows) == 0 {
		r.Text = "SELECT " + strings.Join(nothing, ", ") + " LIMIT 0"
		return r, nil
	}
	schema, batch, err := arrowRows(columns, rows)
	if err != nil {
		return r, err
	}
	defer batch.Release()
	name := s.name("t")
	s.loaded = append(s.loaded, name)
	if err := s.conn.Load(ctx, name, schema, []arrow.RecordBatch{batch}); err != nil {
		return r, err
	}
	r.Text = "SELECT " + strings.Join(items, ", ") + " FROM temp." + duck.Ident(name)
	return r, nil
}

// loadedAs is the type in which a column's values are told.
func loadedAs(t string) record.Type {
	switch t {
	case "BOOLEAN":
		return record.Boolean
	case "INTEGER":
		return record.Int
	case "BIGINT":
		return record.Long
	case "DOUBLE":
		return record.Double
	case "TIMESTAMP":
		return record.Timestamp
	}
	return record.String
}
