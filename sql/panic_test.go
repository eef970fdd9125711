//go:build duckdb_arrow

package sql_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/guard"
)

// broken is a guard that panics, as a defect anywhere would.
type broken struct {
	guard.Open
	who, what atomic.Bool
}

func (b *broken) Authenticate(ctx context.Context, c guard.Credential) (guard.Principal, error) {
	if b.who.Load() {
		panic("a defect in who asks")
	}
	return b.Open.Authenticate(ctx, c)
}

func (b *broken) Decide(p guard.Principal, a guard.Action, r guard.Resource) guard.Decision {
	if b.what.Load() {
		panic("a defect in what may be asked")
	}
	return b.Open.Decide(p, a, r)
}

// TestDefects has a panic at every door, at the log-in and within statements, more often than there are turns: the client has an
// error, and others go on.
func TestDefects(t *testing.T) {
	of := &broken{}
	h := openWith(t, of)
	h.harmless(t, func() {
		for _, defect := range []*atomic.Bool{&of.who, &of.what} {
			for range 10 {
				for _, w := range h.wires {
					defect.Store(true)
					if rows, err := w.ask(t.Context(), w.addr, "SELECT name FROM system.ports", 0); err == nil {
						t.Errorf("%s: %d rows", w.name, rows)
					}
					defect.Store(false)
				}
			}
			h.answers(t)
		}
	})
	conn, err := pgconn.Connect(t.Context(), "postgres://me@"+h.wires[1].addr+"/lake?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	of.what.Store(true)
	_, err = conn.Exec(t.Context(), "SELECT name FROM system.ports").ReadAll()
	of.what.Store(false)
	if told, ok := errors.AsType[*pgconn.PgError](err); !ok || told.Code != "XX000" {
		t.Errorf("PostgreSQL's client has %v", err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT name FROM system.ports").ReadAll(); err != nil {
		t.Errorf("and then %v", err)
	}
}
