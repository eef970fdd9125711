//go:build duckdb_arrow

package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestOptions has settings in the options of a start, as libpq sends PGOPTIONS and pgjdbc its own. The refusals are PostgreSQL 15's.
func TestOptions(t *testing.T) {
	addr := open(t)
	connected := func(options string) (*pgx.Conn, error) {
		config, err := pgx.ParseConfig("postgres://me@" + addr + "/lake?sslmode=disable&default_query_exec_mode=simple_protocol")
		if err != nil {
			return nil, err
		}
		config.RuntimeParams["options"] = options
		return pgx.ConnectConfig(t.Context(), config)
	}
	for options, want := range map[string][2]string{
		"-c statement_timeout=5000 -c search_path=gold":  {"statement_timeout", "5000"},
		"-c statement_timeout=5000 --search-path=gold":   {"search_path", "gold"},
		"-cstatement_timeout=5s":                         {"statement_timeout", "5s"},
		`  --search_path=gold,\ silver  `:                {"search_path", "gold, silver"},
		`-c application_name=a\\b\ c`:                    {"application_name", `a\b c`},
		"-c Statement_Timeout=1 -c STATEMENT_TIMEOUT=20": {"statement_timeout", "20"},
		"-c tarn.mine=x=y":                               {"tarn.mine", "x=y"},
	} {
		c, err := connected(options)
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		var got string
		for _, before := range []string{"SELECT 1", "SET " + want[0] + " TO 7", "RESET ALL"} { // goes back to what the start said
			if _, err := c.Exec(t.Context(), before); err != nil {
				t.Errorf("%s: %s: %v", options, before, err)
			}
			err := c.QueryRow(t.Context(), "SELECT current_setting('"+want[0]+"')").Scan(&got)
			if want, set := want[1], before[:3] == "SET"; err != nil || (got != want) != set {
				t.Errorf("%s: %s: %s is %q, %v", options, before, want, got, err)
			}
		}
		_ = c.Close(context.WithoutCancel(t.Context()))
	}
	for options, want := range map[string][2]string{
		"-c nonsense=1":              {"42704", `unrecognized configuration parameter "nonsense"`},
		"-c statement_timeout=x":     {"22023", ""},
		"-c statement_timeout":       {"42601", "-c statement_timeout requires a value"},
		"--statement_timeout":        {"42601", "--statement_timeout requires a value"},
		"-c":                         {"42601", ""},
		"statement_timeout=1":        {"42601", "invalid command-line argument for server process: statement_timeout=1"},
		"-c ssl=on -c search_path=a": {"55P02", `parameter "ssl" cannot be changed`},
	} {
		c, err := connected(options)
		if err == nil {
			_ = c.Close(context.WithoutCancel(t.Context()))
		}
		if told, ok := errors.AsType[*pgconn.PgError](err); !ok || told.Code != want[0] || want[1] != "" && told.Message != want[1] || told.Severity != "FATAL" {
			t.Errorf("%s: %v", options, err)
		}
	}
}
