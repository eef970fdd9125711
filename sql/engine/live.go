//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// live finds a table that is made anew for each statement: system.* of the room's others,
// information_schema of the Gate.
func (s *session) live(id table.Ident) (SystemTable, bool) {
	switch strings.ToLower(id.Namespace) {
	case systemSchema:
		if strings.EqualFold(id.Name, queriesTable) {
			return s.gate.queriesOf(s.who), true
		}
		s.gate.mu.RLock()
		defer s.gate.mu.RUnlock()
		t, ok := s.gate.system[strings.ToLower(id.Name)]
		return t, ok
	case informationSchema:
		t, ok := s.information()[strings.ToLower(id.Name)]
		return t, ok
	}
	return SystemTable{}, false
}

// load brings a live table's rows onto the connection.
func (s *session) load(ctx context.Context, id table.Ident, t SystemTable) (sqltext.Relation, error) {
	d := s.may(guard.Read, id, "")
	rows, err := t.Rows(ctx)
	if err != nil {
		return sqltext.Relation{}, fault.Wrap(err, fault.Unavailable, "read "+id.String(), "try again")
	}
	schema, batch, err := arrowRows(t.Columns, rows)
	if err != nil {
		return sqltext.Relation{}, err
	}
	defer batch.Release()
	name := s.name("t")
	s.loaded = append(s.loaded, name)
	if err := s.conn.Load(ctx, name, schema, []arrow.RecordBatch{batch}); err != nil {
		return sqltext.Relation{}, err
	}
	columns, types := make([]string, len(t.Columns)), make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = c.Name
		types[i], _ = duck.TypeOf(c.Type)
	}
	r := s.guarded(id, columns, "SELECT "+duck.List(columns)+" FROM temp."+duck.Ident(name), d)
	if len(d.Masks) == 0 {
		r.Types = types
	}
	r.Form = fmt.Sprintf("%v %q", t.Columns, d.Masks)
	return r, nil
}

// arrowRows makes one batch of rows.
func arrowRows(columns []SystemColumn, rows [][]any) (*arrow.Schema, arrow.RecordBatch, error) {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range rows {
		if len(row) != len(columns) {
			return nil, nil, errors.New("a live table answered a row of another width")
		}
		for i, v := range row {
			if err := appendValue(b.Field(i), v); err != nil {
				return nil, nil, err
			}
		}
	}
	return schema, b.NewRecordBatch(), nil
}

func appendValue(b array.Builder, v any) error {
	switch v := v.(type) {
	case nil:
		b.AppendNull()
		return nil
	case bool:
		if b, ok := b.(*array.BooleanBuilder); ok {
			b.Append(v)
			return nil
		}
	case string:
		if b, ok := b.(*array.StringBuilder); ok {
			b.Append(v)
			return nil
		}
	case float64:
		if b, ok := b.(*array.Float64Builder); ok {
			b.Append(v)
			return nil
		}
	case int64:
		switch b := b.(type) {
		case *array.Int64Builder:
			b.Append(v)
			return nil
		case *array.Int32Builder:
			b.Append(int32(v)) //nolint:gosec // a column of type int is told int64 values that fit
			return nil
		}
	case time.Time:
		switch b := b.(type) {
		case *array.TimestampBuilder:
			b.Append(arrow.Timestamp(v.UnixMicro()))
			return nil
		case *array.Date32Builder:
			b.Append(arrow.Date32FromTime(v))
			return nil
		}
	}
	return errors.New("a live table answered a value of another type than its column's")
}

// entry is a table or view that the principal may read.
type entry struct {
	table.Ident
	kind string // as information_schema calls it
}

// entries lists what the principal may read: lake tables, views, live tables.
func (s *session) entries(ctx context.Context) ([]entry, error) {
	var out []entry
	namespaces, err := s.gate.o.Catalog.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, ns := range namespaces {
		all, err := s.gate.o.Catalog.Entries(ctx, ns)
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			kind := "BASE TABLE"
			if e.View {
				kind = "VIEW"
			}
			if s.may(guard.Read, e.Ident, "").Allow {
				out = append(out, entry{e.Ident, kind})
			}
		}
	}
	s.gate.mu.RLock()
	defer s.gate.mu.RUnlock()
	for _, name := range append(slices.Collect(maps.Keys(s.gate.system)), queriesTable) {
		id := table.Ident{Namespace: systemSchema, Name: name}
		known := slices.ContainsFunc(out, func(e entry) bool { return e.Ident == id })
		if !known && s.may(guard.Read, id, "").Allow {
			out = append(out, entry{id, "BASE TABLE"})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// column is a column of an entry.
type column struct {
	name, typ string
	nullable  bool
	key       bool
	doc       string
}

// columns describes an entry; none where it cannot be told, as for a view whose table went.
func (s *session) columns(ctx context.Context, e entry) ([]column, error) {
	var out []column
	if t, ok := s.live(e.Ident); ok {
		for _, c := range t.Columns {
			typ, _ := duck.TypeOf(c.Type)
			out = append(out, column{name: c.Name, typ: typ, nullable: true})
		}
		return out, nil
	}
	var columns []table.Column
	if e.kind == "VIEW" {
		v, err := s.gate.o.Catalog.View(ctx, e.Ident)
		if err != nil {
			return nil, err
		}
		columns = v.Columns
	} else {
		scan, err := s.gate.o.Catalog.Scan(ctx, e.Ident, catalog.At{})
		if err != nil {
			return nil, err
		}
		if scan.Release != nil {
			scan.Release()
		}
		columns = scan.Columns
	}
	for _, c := range columns {
		typ, ok := duck.TypeOf(c.Type)
		if !ok {
			typ = string(c.Type)
		}
		out = append(out, column{c.Name, typ, !c.Required, c.Key, c.Doc})
	}
	return out, nil
}

func liveTable(name string, columns []SystemColumn, rows func(ctx context.Context) ([][]any, error)) SystemTable {
	return SystemTable{Name: name, Columns: columns, Rows: rows}
}

func texts(names ...string) (out []SystemColumn) {
	for _, n := range names {
		out = append(out, SystemColumn{n, record.String})
	}
	return out
}
