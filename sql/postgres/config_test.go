//go:build duckdb_arrow

package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestSettingsOfTransactions: what SET LOCAL sets ends with its transaction, and what SET sets with one that is rolled back.
func TestSettingsOfTransactions(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	exec := func(text string) {
		t.Helper()
		if _, err := c.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	shows := func(name, want string) {
		t.Helper()
		var got string
		if err := c.QueryRow(t.Context(), "SHOW "+name, pgx.QueryExecModeSimpleProtocol).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", name, got, want, err)
		}
	}
	exec("SET statement_timeout = '1min'")
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		exec("BEGIN; SET LOCAL statement_timeout = '5s'; SET LOCAL TimeZone = 'Asia/Tokyo'; SET LOCAL my.own = 'x'; SELECT set_config('search_path', 'gold', true)")
		shows("statement_timeout", "5s")
		shows("TimeZone", "Asia/Tokyo")
		shows("search_path", "gold")
		exec(end)
		shows("statement_timeout", "1min")
		shows("TimeZone", "UTC")
		shows("search_path", `"$user", public`)
		if got := c.PgConn().ParameterStatus("TimeZone"); got != "UTC" {
			t.Errorf("after %s the client is told of %s", end, got)
		}
	}
	exec("BEGIN; SET search_path = gold; SET TimeZone = 'Asia/Tokyo'; ROLLBACK")
	shows("search_path", `"$user", public`)
	shows("TimeZone", "UTC")
	exec("BEGIN; SET LOCAL search_path = silver; SET search_path = gold; COMMIT")
	shows("search_path", "gold")
	exec("BEGIN; SET LOCAL search_path = silver; RESET search_path; SET LOCAL TimeZone = 'Asia/Tokyo'; RESET ALL; COMMIT")
	shows("search_path", `"$user", public`)
	shows("TimeZone", "UTC")
	exec("SET search_path = gold; BEGIN; SET search_path = bronze")
	if _, err := c.Exec(t.Context(), "SELECT nope"); err == nil {
		t.Error("there is a column nope")
	}
	exec("COMMIT") // which is a ROLLBACK
	shows("search_path", "gold")
	exec("SET LOCAL search_path = silver") // outside of a transaction it is nothing
	shows("search_path", "gold")
}

// TestOptions: a log-in says settings in its options, too.
func TestOptions(t *testing.T) {
	t.Parallel()
	addr := open(t)
	with := func(options string) (*pgx.Conn, error) {
		config, err := pgx.ParseConfig("postgres://me@" + addr + "/lake?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		config.RuntimeParams["options"] = options
		return pgx.ConnectConfig(t.Context(), config)
	}
	c, err := with(`-c statement_timeout=7s -csearch_path=gold,\ silver --time-zone=Nowhere --timezone=Europe/Paris -c geqo=off -c random_page_cost=1 -d 3`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	for name, want := range map[string]string{"statement_timeout": "7s", "search_path": "gold, silver", "TimeZone": "Europe/Paris"} {
		var got string
		if err := c.QueryRow(t.Context(), "SHOW "+name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", name, got, want, err)
		}
	}
	for _, wrong := range []string{"-c statement_timeout=soon", "-c TimeZone=Nowhere"} {
		if _, err := with(wrong); err == nil || !strings.Contains(err.Error(), "22023") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// TestConfigs: asyncpg asks for a setting and sets it in one statement.
func TestConfigs(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for range 2 {
		var was, is string
		rows, err := c.Query(t.Context(), "SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range rows.FieldDescriptions() {
			names = append(names, f.Name)
		}
		if !rows.Next() || rows.Scan(&was, &is) != nil || is != "off" || !slices.Equal(names, []string{"cur", "new"}) {
			t.Errorf("%v: %q, %q, %v", names, was, is, rows.Err())
		}
		rows.Close()
	}
	for text, code := range map[string]string{"SELECT set_config('nope', 'x', false)": "42704", "SELECT current_setting('nope'), set_config('jit', 'off', false)": "42704", "SELECT set_config('TimeZone', 'x', true)": "22023"} {
		if _, err := c.Exec(t.Context(), text); codeOf(err) != code {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestIndexes: programs that make an index beside a table are told that there is none, and go on.
func TestIndexes(t *testing.T) {
	t.Parallel()
	var warned []string
	c := connectWith(t, open(t), func(config *pgx.ConnConfig) {
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { warned = append(warned, n.Message) }
	})
	for text, want := range map[string]string{"CREATE INDEX ix ON system.ports (name)": "CREATE INDEX", "create index concurrently if not exists ix on system.ports using btree (name)": "CREATE INDEX", "DROP INDEX IF EXISTS ix": "DROP INDEX"} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeDescribeExec} {
			warned = nil
			if tag, err := c.Exec(t.Context(), text, mode); err != nil || tag.String() != want || len(warned) != 1 || !strings.Contains(warned[0], "no indexes") {
				t.Errorf("%s: %s, %v, %v", text, tag, warned, err)
			}
		}
	}
	if _, err := c.Exec(t.Context(), "CREATE UNIQUE INDEX ix ON system.ports (name)"); err == nil {
		t.Error("an index promises that values are there once")
	}
}
