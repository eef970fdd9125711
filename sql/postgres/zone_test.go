//go:build duckdb_arrow

package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestTimeZone: times are of the zone of the session that its client asked for, and of no other one.
func TestTimeZone(t *testing.T) {
	t.Parallel()
	addr := open(t)
	paris, utc := connect(t, addr, "&default_query_exec_mode=simple_protocol&timezone=Europe/Paris"), connect(t, addr, "&default_query_exec_mode=simple_protocol")
	ask := func(c *pgx.Conn, text, want string) {
		t.Helper()
		var got string
		r, err := c.PgConn().Exec(t.Context(), text).ReadAll()
		if err == nil && len(r) == 1 && len(r[0].Rows) == 1 {
			got = string(r[0].Rows[0][0])
		}
		if err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", text, got, want, err)
		}
	}
	for range 3 { // on whatever connections the Gate has
		ask(paris, "SELECT timestamptz '2026-07-01 12:00'", "2026-07-01 12:00:00+02")
		ask(utc, "SELECT timestamptz '2026-07-01 12:00'", "2026-07-01 12:00:00+00")
	}
	ask(paris, "SELECT array[timestamptz '2026-01-01 00:00:00+00']", `{"2026-01-01 01:00:00+01"}`)
	ask(paris, "SET TimeZone = 'asia/kolkata'", "")
	ask(paris, "SHOW TimeZone", "Asia/Kolkata")
	ask(paris, "SELECT timestamptz '2026-07-01 12:00:00+00'", "2026-07-01 17:30:00+05:30")
	ask(paris, "SET TIME ZONE LOCAL", "")
	ask(paris, "SHOW TIME ZONE", "Europe/Paris")
	ask(paris, "SET TimeZone = 'GMT-02:00'", "") // of a Java two hours east
	if got := paris.PgConn().ParameterStatus("TimeZone"); got != "Etc/GMT-2" {
		t.Errorf("the client is told of %s", got)
	}
	ask(paris, "SELECT timestamptz '2026-07-01 12:00:00+00'", "2026-07-01 14:00:00+02")
	ask(paris, "DISCARD ALL", "")
	ask(paris, "SELECT timestamptz '2026-07-01 12:00'", "2026-07-01 12:00:00+02")
	if got := paris.PgConn().ParameterStatus("TimeZone"); got != "Europe/Paris" {
		t.Errorf("after DISCARD ALL the client is told of %s", got)
	}
	for _, zone := range []string{"Nowhere/Else", "right/UTC", "../UTC", "-15", "5.5", ""} {
		_, err := paris.Exec(t.Context(), "SET TimeZone = '"+zone+"'")
		if told, ok := errors.AsType[*pgconn.PgError](err); !ok || told.Code != "22023" || !strings.Contains(told.Message, "TimeZone") {
			t.Errorf("the zone %q: %v", zone, err)
		}
	}
	ask(paris, "SHOW TimeZone", "Europe/Paris")
	if _, err := pgx.Connect(t.Context(), "postgres://me@"+addr+"/lake?sslmode=disable&timezone=Nowhere"); err == nil || !strings.Contains(err.Error(), "22023") {
		t.Errorf("a log-in with a zone that there is not: %v", err)
	}
	ask(utc, "SELECT date_trunc('day', timestamptz '2026-07-01 23:30:00+00')", "2026-07-01 00:00:00+00")
}
