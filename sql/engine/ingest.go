//go:build duckdb_arrow

package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
)

// Ingest is where rows in bulk go, and what becomes of a table that is there, or is not. With none of the three both are errors.
type Ingest struct {
	Table   sqltext.Table
	Schema  *arrow.Schema // of the rows, whose columns are the table's of these names
	Create  bool          // make a table that is not there
	Append  bool          // to one that is there
	Replace bool          // put another in its place
}

// Ingest writes all rows in one commit, with the table where one is made, or none and nothing. Who says Append may leave columns out. It is otherwise as
// Appender.Append.
func (g *Gate) Ingest(ctx context.Context, r Request, in Ingest, rows iter.Seq2[arrow.RecordBatch, error]) (int64, error) {
	if g.o.Tables == nil {
		return 0, fault.New(fault.Unavailable, "there is no lake to write to", "ask the Tarn that holds it")
	}
	s := g.asking(r)
	id, e, found, err := s.target(ctx, r, in.Table)
	switch {
	case err != nil:
	case found && in.Append:
		var names []string
		for _, f := range in.Schema.Fields() {
			names = append(names, f.Name)
		}
		a, err := g.Appender(ctx, r, in.Table, names)
		if err != nil {
			return 0, err
		}
		return a.Append(ctx, rows)
	case found && in.Replace:
		_, err = s.writable(ctx, e, guard.Drop)
	case found:
		err = fault.Newf(fault.Exists, "append to it, replace it, or take another name", "%s exists already", e.Ident)
	case !in.Create:
		err = s.notFound(ctx, in.Table)
	}
	if err == nil {
		err = g.makeable(r.Principal, id)
	}
	if err != nil {
		return 0, g.presentable(ctx, ctx, r, err)
	}
	return g.bulk(ctx, r, func(ctx context.Context, s *session) (int64, error) {
		n, err := s.makeOf(ctx, table.Spec{Ident: id, Properties: map[string]string{table.PropOwner: Owner}}, in, rows)
		switch {
		case errors.Is(err, table.ErrExists):
			err = fault.Newf(fault.Exists, "send the rows again", "somebody else has just made %s", id)
		case errors.Is(err, table.ErrNotFound):
			err = fault.Newf(fault.NotFound, "write CREATE SCHEMA "+id.Namespace+" first, or make the table in "+home, "there is no schema %s", id.Namespace)
		}
		return n, err
	})
}

// makeOf makes a table of rows.
func (s *session) makeOf(ctx context.Context, spec table.Spec, in Ingest, rows iter.Seq2[arrow.RecordBatch, error]) (int64, error) {
	name, err := s.loadRows(ctx, in.Schema)
	if err != nil {
		return 0, err
	}
	columns, err := s.describe(ctx, "SELECT * FROM "+name)
	if err != nil {
		return 0, err
	}
	if len(columns) == 0 || len(columns) != in.Schema.NumFields() {
		return 0, fault.New(fault.Invalid, "the rows have no columns", "send a schema with columns")
	}
	for i, f := range in.Schema.Fields() {
		columns[i].name = f.Name
	}
	made, items, err := stored(columns)
	if err != nil {
		return 0, err
	}
	schema := table.ArrowSchema(made)
	_, n, err := s.gate.o.Tables.Create(ctx, spec, in.Replace, func(ctx context.Context) ([]table.Column, iter.Seq2[arrow.RecordBatch, error], error) {
		return made, func(yield func(arrow.RecordBatch, error) bool) {
			for b, err := range rows {
				if err != nil {
					yield(nil, err)
					return
				}
				if int(b.NumCols()) != len(made) {
					yield(nil, fmt.Errorf("a batch has %d columns, its schema %d", b.NumCols(), len(made)))
					return
				}
				if !s.through(ctx, b, "SELECT "+items+" FROM ", schema, yield) {
					return
				}
			}
		}, nil
	})
	return n, err
}

// Inserting is an Appender for an INSERT of one row whose values are its parameters, each once: rows of them are that statement's, many times,
// in one commit. False for any other statement.
func (g *Gate) Inserting(ctx context.Context, r Request) (*Appender, bool, error) {
	one, err := sqltext.One(r.Text)
	if err != nil {
		return nil, false, err
	}
	x, ours, err := g.insertOf(ctx, r, one.Text)
	if !ours || err != nil {
		return nil, false, err
	}
	order, ok := x.Row()
	if !ok {
		return nil, false, nil
	}
	all, err := g.Appender(ctx, r, x.Table, namesOf(x.Columns))
	if err != nil {
		return nil, false, placed(err, one.Text, x.Table.Offset)
	}
	if len(order) != len(all.Columns) {
		return nil, false, nil // the statement itself tells
	}
	var names []string
	for _, column := range order {
		names = append(names, all.Columns[column].Name)
	}
	a, err := g.Appender(ctx, r, x.Table, names)
	return a, err == nil, err
}

func namesOf(tokens []sqltext.Token) (out []string) {
	for _, t := range tokens {
		out = append(out, t.Name())
	}
	return out
}
