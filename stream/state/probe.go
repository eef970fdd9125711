//go:build duckdb_arrow

package state

import (
	"context"
	"maps"
	"slices"

	"tarn/stream/operator"
)

// Rowwise tells whether what the plan does with a scan's rows can be tried row by row: each query that reads them at
// first maps rows, and what it makes of one does not depend on the others.
func (s *State) Rowwise(relation string) bool { return len(s.rowwise(relation)) > 0 }

// rowwise are the queries over a scan's rows that map them one by one.
func (s *State) rowwise(relation string) (out []string) {
	for _, op := range s.plan.Operators {
		if m, ok := op.(operator.Mapper); ok && slices.Contains(op.Reads(), relation) {
			out = append(out, m.Mapped())
		}
	}
	if slices.Contains(s.plan.Reads, relation) {
		out = append(out, s.plan.Output)
	}
	return out
}

// Probe tells whether rows of a scan can be computed with, and changes nothing. An error for which duck.Refused is true
// is about a value of one of them.
func (s *State) Probe(ctx context.Context, relation string, rows Rows) (err error) {
	if err := s.conn.Feed(ctx, relation, rows.Schema); err != nil {
		return err
	}
	if err := s.always(ctx, "BEGIN"); err != nil {
		return err
	}
	filled := maps.Clone(s.filled)
	defer func() {
		s.filled = filled
		if e := s.exec(context.WithoutCancel(ctx), "ROLLBACK"); err == nil {
			err = e
		}
	}()
	for _, op := range s.plan.Operators { // what an earlier tick left there is not of these rows
		if err := s.clear(ctx, op.Relation()); err != nil {
			return err
		}
	}
	if err := s.load(ctx, map[string]Rows{relation: rows}); err != nil {
		return err
	}
	for _, query := range s.rowwise(relation) {
		if err := s.exec(ctx, "CREATE OR REPLACE TEMP TABLE tarn_probe AS "+query); err != nil {
			return err
		}
	}
	return nil
}
