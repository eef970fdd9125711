//go:build duckdb_arrow

package postgres_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/guard"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/postgres"
)

// strict is a guard in which who is not chief alters nothing.
type strict struct{ guard.Open }

func (strict) Decide(p guard.Principal, a guard.Action, _ guard.Resource) guard.Decision {
	return guard.Decision{Allow: p.User == "chief" || a != guard.Alter}
}

func openStrict(t testing.TB) string {
	t.Helper()
	_, addr := enginetest.ServeWith(t, strict{}, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return postgres.New(postgres.Options{Listener: l, Gate: gate, Guard: strict{}})
	})
	return addr
}

func connectAs(t testing.TB, addr, user string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), "postgres://"+user+"@"+addr+"/lake?sslmode=disable&application_name=app-"+user)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// connectWith connects by what a test makes of the client's configuration.
func connectWith(t testing.TB, addr string, change func(*pgx.ConnConfig)) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig("postgres://me@" + addr + "/lake?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	change(config)
	c, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// one is the value of a query of one row.
func one[T any](t testing.TB, c *pgx.Conn, query string, args ...any) (out T) {
	t.Helper()
	if err := c.QueryRow(t.Context(), query, args...).Scan(&out); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// until polls a condition.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

const endless = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"

func TestCancelBackend(t *testing.T) {
	addr := openStrict(t)
	worker, other, same, chief := connectAs(t, addr, "crane"), connectAs(t, addr, "tug"), connectAs(t, addr, "crane"), connectAs(t, addr, "chief")
	pid := worker.PgConn().PID()
	for _, by := range []*pgx.Conn{same, chief} {
		ended := make(chan error, 1)
		go func() {
			_, err := worker.Exec(context.WithoutCancel(t.Context()), endless)
			ended <- err
		}()
		until(t, "the statement is not seen", func() bool {
			return one[int](t, by, "SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND query LIKE '%1000000%' AND query_start >= backend_start AND xact_start IS NOT NULL AND client_addr = '127.0.0.1' AND application_name = 'app-crane'", pid) == 1
		})
		if got := one[string](t, other, "SELECT query || coalesce(state, '') FROM pg_stat_activity WHERE pid = $1", pid); got != "<insufficient privilege>" {
			t.Errorf("another user sees %q", got)
		}
		for _, name := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
			if _, err := other.Exec(t.Context(), "SELECT "+name+"($1)", pid); codeOf(err) != "42501" {
				t.Errorf("%s by another user: %v", name, err)
			}
		}
		if !one[bool](t, by, "SELECT pg_cancel_backend($1)", pid) {
			t.Error("nothing was cancelled")
		}
		if err := <-ended; codeOf(err) != "57014" {
			t.Errorf("the statement ended with %v", err)
		}
		if one[int](t, worker, "SELECT 1") != 1 {
			t.Error("the connection went as well")
		}
	}
}

func TestTerminateBackend(t *testing.T) {
	addr := openStrict(t)
	by := connectAs(t, addr, "crane")
	if one[bool](t, by, "SELECT pg_terminate_backend(4000000000)") {
		t.Error("there was such a connection")
	}
	// One that runs, and one that is idle within a transaction.
	for _, text := range []string{endless, "BEGIN"} {
		worker := connectAs(t, addr, "crane")
		pid := worker.PgConn().PID()
		ended := make(chan error, 1)
		go func() {
			_, err := worker.Exec(context.WithoutCancel(t.Context()), text)
			ended <- err
		}()
		until(t, "the connection is not seen", func() bool {
			return one[int](t, by, "SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1 AND query = $2", pid, text) == 1
		})
		// As Superset does: in the simple protocol, by the rows of the table.
		results, err := by.PgConn().Exec(t.Context(), "SELECT pid, pg_catalog.pg_terminate_backend(pid) AS gone FROM pg_stat_activity WHERE pid = '"+strconv.FormatUint(uint64(pid), 10)+"'").ReadAll()
		if err != nil || len(results[0].Rows) != 1 || string(results[0].Rows[0][1]) != "t" || results[0].FieldDescriptions[1].Name != "gone" || results[0].FieldDescriptions[1].DataTypeOID != 16 {
			t.Fatalf("%v, %v", results, err)
		}
		if err := <-ended; text == endless && codeOf(err) != "57P01" {
			t.Errorf("the statement ended with %v", err)
		}
		if err := worker.Ping(t.Context()); err == nil {
			t.Error("the connection answers still")
		}
		until(t, "the connection stays", func() bool {
			return one[int](t, by, "SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1", pid) == 0
		})
	}
	if _, err := by.Exec(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())"); codeOf(err) != "57P01" {
		t.Errorf("of itself: %v", err)
	}
}

func TestSignalsStandAlone(t *testing.T) {
	addr := open(t)
	c := connect(t, addr, "")
	for _, text := range []string{
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity", "SELECT pid FROM pg_stat_activity WHERE pg_cancel_backend(pid)", "SELECT pg_cancel_backend(pid)::text FROM pg_stat_activity",
		"SELECT 1 UNION ALL SELECT pg_cancel_backend(1)", "SELECT pg_terminate_backend(pid, 100) FROM pg_stat_activity", "SELECT DISTINCT pg_cancel_backend(pid) FROM pg_stat_activity", "SELECT pg_cancel_backend()",
		"SELECT NOT pg_cancel_backend(1)", "SELECT * FROM (SELECT pg_cancel_backend(1))",
	} {
		if _, err := c.Exec(t.Context(), text); codeOf(err) == "" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if one[int](t, c, "SELECT count(*)::int FROM pg_proc WHERE proname IN ('pg_terminate_backend', 'pg_cancel_backend')") != 2 {
		t.Error("the catalog does not know them")
	}
}
