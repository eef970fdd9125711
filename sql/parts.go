//go:build duckdb_arrow

package sql

import (
	"context"
	"log/slog"
	"net/http"

	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/sql/engine"
	"tarn/sql/project"
)

// Part is the room as a part: it opens the Gate and mounts its HTTP door. options is asked
// when the part's turn to start has come.
func Part(options func() engine.Options, mount func(pattern string, h http.Handler), opened func(*SQL)) life.Part {
	return life.Opened("sql", func(ctx context.Context) (func(context.Context) error, error) {
		s, err := Open(ctx, options())
		if err != nil {
			return nil, err
		}
		opened(s)
		s.rest.Mount(mount)
		return func(context.Context) error { return s.Close() }, nil
	}, nil)
}

// Project is the part that applies the statements of a project folder, as the user
// "project". room is asked when a statement is to run.
func Project(room func() *SQL, folder string, clock life.Clock, log *slog.Logger) life.Part {
	return project.New(project.Options{
		Dir: folder, Clock: clock, Log: log.With("part", "project"),
		Exec: func(ctx context.Context, statement string) error { return room().apply(ctx, statement) },
	})
}

// apply runs a statement whose rows nobody wants to see.
func (s *SQL) apply(ctx context.Context, statement string) error {
	who, err := s.options.Guard.Authenticate(ctx, guard.Credential{User: "project", Door: "project"})
	if err != nil {
		return err
	}
	r, err := s.Gate.Run(ctx, engine.Request{Text: statement, Principal: who})
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Reader.Next() {
	}
	return r.Reader.Err()
}
