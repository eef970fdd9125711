//go:build duckdb_arrow

package postgres_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
		"to_char(1234.5, 'FM999,990.00')": "1,234.50", "format('%s-%I-%L', 1, 'a b', 'x')": `1-"a b"-'x'`, "'b' = ANY('{a,b}')": "true", `'b' = ANY('{"a", "b" , c}')`: "true", `'c' = ANY('{ "a", c }')`: "true", "'' = ANY('{ }')": "false", "'int8'::regtype": "20",
		"regexp_like('ABC', 'b', 'i')": "true", "regexp_like('ABC', 'b')": "false", "regexp_match('a1B2', '([a-z])([0-9])', 'i')": "[a, 1]", "regexp_match('xAb', 'ab', 'i')": "[Ab]",
		"array_upper(ARRAY[4, 5], 1)": "2", "array_length(ARRAY[4, 5], 1)": "2", "array_length(ARRAY[4, 5], 2) IS NULL": "true", "array_lower(ARRAY[4], 1)": "1",
		"string_to_array('a,,b', ',', '')": "[a, NULL, b]", "string_to_array('', ',')": "[]", "btrim(' a ')": "a", "btrim('xax', 'x')": "a",
		"(SELECT count(*) FROM regexp_split_to_table('aXbxc', 'x', 'i'))": "3", "(SELECT count(*) FROM generate_subscripts(ARRAY[4, 5], 2))": "0",
		"has_table_privilege('postgres', 'x', 'SELECT')": "true",
		"(SELECT typreceive FROM pg_type WHERE oid = 16 AND (typreceive != 0 OR 0 <> typsend) AND typmodin = 0 AND typreceive::text != 'array_recv')": "boolrecv",
		"to_char(9.999, '9.99')": " #.##", "to_char(-12345, '999')": "-###", "to_char(12345678, '9,999')": " #,###", "to_char(-5, '000')": "-005", "to_char(5, '000.00')": " 005.00",
		"to_char(123456789012345678901.25, 'FM999,999,999,999,999,999,999.00')": "123,456,789,012,345,678,901.25",
		"to_char(12345678901234567.89, 'FM99999999999999999990.00')":            "12345678901234567.89",
		"to_char(0.5, '9.99')": "  .50", "to_char(-0.5, '990.00')": "  -0.50", "to_char(99.999, 'FM90.00')": "##.##", "to_char(-1234.5, '9,999.99')": "-1,234.50", "to_char(0, '99')": "  0",
		"to_char(1234567, 'FM9,999,999')": "1,234,567", "string_to_array('a,b', ',')": "[a, b]", "string_to_array('abc', '')": "[abc]",
		"string_to_array('a,x', ',', 'x')": "[a, NULL]", "string_to_array(NULL, ',') IS NULL": "true",
		"extract(second from timestamp '2026-01-02 03:04:05.123456')": "5.123456", "date_part('milliseconds', timestamp '2026-01-02 03:04:05.123456')": "5123.456",
		"extract(seconds from interval '3 min 5.5 s')": "5.500000", "extract(minute from time '01:02:03')": "2",
		"extract(epoch from timestamp '2026-01-02 03:04:05.5')": "1767323045.500000", "date_part('epoch', timestamp '2026-01-02 03:04:05.5')": "1767323045.5", "extract(hour from time '07:00') / 2 > 3": "true",
		"round(2.5::float8)": "2", "round(3.5::float8)": "4", "round(2.5)": "3", "7 % 4": "3", "10 / nullif(4, 0)": "2", "CASE WHEN 0 = 0 THEN 0 ELSE 1 / 0 END": "0",
		"(SELECT string_agg(x[1] || x[2], ',') FROM (SELECT regexp_matches('a1b2', '([a-z])([0-9])', 'g') AS x) t)": "a1,b2", "(SELECT count(*) FROM regexp_matches('a1b2', '[a-z]'))": "1",
		"(SELECT count(*) FROM regexp_matches('abc', 'z', 'g'))": "0", "pg_size_pretty(10239::bigint)": "10239 bytes", "pg_size_pretty(1234567::bigint)": "1206 kB", "pg_size_pretty(12345678901::bigint)": "11 GB",
		"to_char(timestamp '2026-01-02 03:04:05', 'Month|FMMonth|MON|Day|Q|WW|am')": "January  |January|JAN|Friday   |1|01|am", "pg_relation_size('nothing') IS NULL": "true",
		"(SELECT proname FROM pg_type t JOIN pg_proc p ON p.oid = t.typreceive WHERE t.typname = '_int4')": "array_recv",
		"(SELECT x FROM (VALUES (1), (NULL)) t(x) ORDER BY x DESC NULLS LAST LIMIT 1)":                     "1",
		"(SELECT x IS NULL FROM (VALUES (1), (NULL)) t(x) ORDER BY x DESC LIMIT 1)":                        "true",
	} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT ("+expression+")::text").Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", expression, got, want, err)
		}
	}
	// What is asked by an argument that is not heeded is refused.
	for _, expression := range []string{
		"regexp_count('aaa', 'a', 2)", "regexp_like('a', 'b', 'x')", "array_length(ARRAY[[1, 2]], 2)", "row_to_json(ROW(1), true)",
	} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT ("+expression+")::text").Scan(&got); err == nil {
			t.Errorf("%s is %q", expression, got)
		}
	}
}

// Errors have PostgreSQL's codes and words, in which programs look for names; each is that of PostgreSQL 15.
func TestErrorsAreInItsWords(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"", "?default_query_exec_mode=simple_protocol"} {
		c, err := pgx.Connect(t.Context(), "postgres://postgres@"+open(t)+"/lake"+options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(t.Context()) }()
		for text, want := range map[string]string{
			"SELECT 1/0": "22012 division by zero", "SELECT 5 % 0": "22012 division by zero", "SELECT 1e0/0": "22012 division by zero", "SELECT mod(5, 0)": "22012 division by zero",
			"SELECT nope FROM system.ports": `42703 column "nope" does not exist`, "SELECT p.nope FROM system.ports p": "42703 column p.nope does not exist",
			"SELECT z.nope FROM system.ports p": `42P01 missing FROM-clause entry for table "z"`, "SELECT * FROM nothing": `42P01 relation "nothing" does not exist`,
			"SELEC 1": `42601 syntax error at or near "SELEC"`, "SELECT 'x'::integer": `22P02 invalid input syntax for type integer: "x"`, "SELECT 1::notype": `42704 type "notype" does not exist`,
			"SELECT cast('2026-13-01' AS date)": `22008 date/time field value out of range: "2026-13-01"`, "SELECT 2147483647 + 1": "22003 integer out of range", "SELECT 70000::smallint": "22003 smallint out of range",
			"SELECT (SELECT berths FROM system.ports)": "21000 more than one row returned by a subquery used as an expression", "SELECT abs('a', 'b')": "42883 function abs(unknown, unknown) does not exist",
			"SELECT name FROM system.ports a, system.ports b": `42702 column reference "name" is ambiguous`,
			"SELECT name, count(*) FROM system.ports":         `42803 column "name" must appear in the GROUP BY clause or be used in an aggregate function`,
		} {
			_, err := c.Exec(t.Context(), text)
			var told *pgconn.PgError
			if !errors.As(err, &told) || told.Code+" "+told.Message != want {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
		}
	}
}

// SELECT set_config(…) is SET, and in another statement it is refused rather than passed over.
func TestSetConfig(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"", "&default_query_exec_mode=simple_protocol"} {
		c := connect(t, open(t), options)
		var said, path string
		if err := c.QueryRow(t.Context(), "SELECT pg_catalog.set_config('search_path', 'system', false)").Scan(&said); err != nil || said != "system" {
			t.Errorf("it answers %q, %v", said, err)
		}
		if err := c.QueryRow(t.Context(), "SHOW search_path").Scan(&path); err != nil || path != "system" {
			t.Errorf("the path is %q, %v", path, err)
		}
		var told *pgconn.PgError
		if err := c.QueryRow(t.Context(), "SELECT set_config('search_path', 'gold', false) WHERE true").Scan(&said); !errors.As(err, &told) || told.Message != "set_config stands alone here, with texts" {
			t.Errorf("where it does not stand alone: %v", err)
		}
		if err := c.QueryRow(t.Context(), "SELECT set_config('nothing', 'x', false)").Scan(&said); err == nil {
			t.Error("a setting that there is not is set")
		}
	}
}
