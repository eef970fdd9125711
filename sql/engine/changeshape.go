//go:build duckdb_arrow

package engine

import (
	"context"

	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
)

// shapeOfChange tells the types of the parameters of a DELETE, UPDATE, MERGE or INSERT … ON CONFLICT, and what it returns.
func (s *session) shapeOfChange(ctx context.Context, r Request, stmt string, in *sqltext.Insert, types []string) (Shape, error) {
	var c sqltext.Change
	var err error
	if in != nil {
		c.Table = in.Table
	} else if c, err = sqltext.ParseChange(stmt); err != nil {
		return Shape{}, err
	}
	x, err := s.changingOf(ctx, r, c)
	if err != nil {
		return Shape{}, placed(err, stmt, c.Table.Offset)
	}
	if in != nil {
		if err := x.conflict(ctx, r, *in, stmt); err != nil {
			return Shape{}, err
		}
	}
	n, err := sqltext.Parameters(stmt)
	if err != nil {
		return Shape{}, err
	}
	out := Shape{Verb: x.verb()}
	if out.Columns, err = x.returning(stmt).shape(ctx, s); err != nil {
		return Shape{}, err
	}
	text, _, err := x.query(stmt)
	out.Parameters = told(n, types, x.types)
	if err != nil || n == 0 {
		return out, err
	}
	s.changes = x
	return out, elsewhere(s.parameters(ctx, text, out.Parameters[:n]))
}

// changingOf is a change that is asked about alone.
func (s *session) changingOf(ctx context.Context, r Request, c sqltext.Change) (*changing, error) {
	if made, ok := s.temps.table(c.Table); ok {
		return s.changingTemp(made, c), nil
	}
	t, err := s.changeable(ctx, r, c.Table)
	if err != nil {
		return nil, err
	}
	x := s.changing(t, c)
	x.read = func(ctx context.Context) (*catalog.Scan, guard.Decision, error) {
		scan, err := s.scan(ctx, t.Ident(), catalog.At{})
		if err != nil {
			return nil, guard.Decision{}, err
		}
		return scan, s.may(guard.Read, t.Ident(), scan.TableID), nil
	}
	return x, nil
}
