//go:build duckdb_arrow

package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// What differs in silence between DuckDB and PostgreSQL is as PostgreSQL has it; each answer is that of PostgreSQL 15.
func TestDialect(t *testing.T) {
	t.Parallel()
	c, err := pgx.Connect(t.Context(), "postgres://postgres@"+open(t)+"/lake")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	for expression, want := range map[string]string{
		"substr('hello', -1, 4)": "he", "substring('hello' from -1)": "hello", "substr('hello', 0, 3)": "he", "substr('hello', 2, 3)": "ell",
		"'abc' ~ 'b'": "true", "'abc' !~* 'B'": "false", `'a_b' LIKE 'a\_b'`: "true", "7/2": "3", "to_char(timestamp '2026-01-02 03:04:05', 'YYYY-MM-DD HH24:MI:SS')": "2026-01-02 03:04:05",
		"to_char(1234.5, 'FM999,990.00')": "1,234.50", "format('%s-%I-%L', 1, 'a b', 'x')": `1-"a b"-'x'`, "'b' = ANY('{a,b}')": "true", "'int8'::regtype": "20",
		"(SELECT x FROM (VALUES (1), (NULL)) t(x) ORDER BY x DESC NULLS LAST LIMIT 1)": "1",
		"(SELECT x IS NULL FROM (VALUES (1), (NULL)) t(x) ORDER BY x DESC LIMIT 1)":    "true",
	} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT ("+expression+")::text").Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", expression, got, want, err)
		}
	}
}
