//go:build duckdb_arrow

// Package sql is the room's front: statements come in, answers go out, and nothing that a
// principal may not see does. It promises that every statement, of every door, passes one
// Gate: DuckDB's parser, a walk that refuses what it does not know, one snapshot a table
// with the principal's filters and masks, and a sandboxed DuckDB. It never writes a table.
package sql

import (
	"context"

	"tarn/sql/engine"
	"tarn/sql/rest"
)

// SQL is the room while it is open.
type SQL struct {
	Gate    *engine.Gate
	rest    *rest.Door
	options engine.Options
}

// Open starts the Gate; close it after the doors.
func Open(ctx context.Context, o engine.Options) (*SQL, error) {
	gate, err := engine.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return &SQL{gate, rest.New(gate, o.Guard, o.Log), o}, nil
}

// Close ends the HTTP door and the Gate.
func (s *SQL) Close() error {
	s.rest.Close()
	return s.Gate.Close()
}
