//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// describe is DESCRIBE table. DuckDB answers it for any query, but knows nothing of a
// table's key and of which of its columns are required.
func (g *Gate) describe(ctx context.Context, r Request, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Next() // the verb
	in.Take("TABLE")
	t, err := in.Table()
	if err != nil || in.Peek().Kind != sqltext.End {
		return g.query(ctx, r, stmt)
	}
	_, columns, err := g.columnsOf(ctx, r, stmt, t)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, c := range columns {
		rows = append(rows, []any{c.name, c.typ, c.null(), c.keyword(), nil, nil})
	}
	return Rows("DESCRIBE", texts("column_name", "column_type", "null", "key", "default", "extra"), rows)
}

// showColumns is SHOW COLUMNS FROM table.
func (g *Gate) showColumns(ctx context.Context, who guard.Principal, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("SHOW", "COLUMNS")
	if !in.Take("FROM") && !in.Take("IN") {
		return nil, in.Fault("FROM and a table")
	}
	t, err := in.Table()
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return nil, err
	}
	id, columns, err := g.columnsOf(ctx, Request{Principal: who}, stmt, t)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, c := range columns {
		rows = append(rows, []any{id.Namespace, id.Name, c.name, c.typ, c.null(), c.keyword()})
	}
	return Rows("SHOW COLUMNS", texts("schema", "table", "column", "type", "null", "key"), rows)
}

// columnsOf describes the table or view of a name as the principal sees it.
func (g *Gate) columnsOf(ctx context.Context, r Request, stmt string, t sqltext.Table) (table.Ident, []column, error) {
	s, err := g.open(ctx, r.Principal, stmt)
	if err != nil {
		return table.Ident{}, nil, err
	}
	defer s.close()
	if err := s.speak(ctx, r); err != nil {
		return table.Ident{}, nil, err
	}
	of, err := s.resolve(ctx, t)
	if err != nil {
		return table.Ident{}, nil, s.translate(placed(err, stmt, t.Offset))
	}
	columns, err := s.describe(ctx, of.Text)
	if err != nil {
		return table.Ident{}, nil, s.translate(err)
	}
	id := table.ParseIdent(of.Name)
	if scan := s.scans[scanKey{Ident: id}]; scan != nil {
		s.constrain(columns, scan)
	}
	return id, columns, nil
}

// placed puts the place of a name on what was said of it, unless that has one.
func placed(err error, stmt string, at int) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Line > 0 {
		return err
	}
	told := *f
	return sqltext.At(&told, stmt, at)
}

// constrain tells of columns what the table's schema tells. A masked one is another value.
func (s *session) constrain(columns []column, scan *catalog.Scan) {
	masks := s.may(guard.Read, scan.Ident, scan.TableID).Masks
	for i := range columns {
		c := &columns[i]
		masked := false
		for m := range masks {
			masked = masked || strings.EqualFold(m, c.name)
		}
		for _, known := range scan.Columns {
			if known.Name == c.name && !masked {
				c.nullable, c.key = !known.Required, known.Key
			}
		}
	}
}

// null is what information_schema and DESCRIBE say of whether a column may be null.
func (c column) null() string {
	if c.nullable {
		return "YES"
	}
	return "NO"
}

func (c column) keyword() any {
	if c.key {
		return "PRI"
	}
	return nil
}
