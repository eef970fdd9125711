//go:build duckdb_arrow

package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// What drivers and mappers of objects say of themselves, and what PostgreSQL 15 answers.
func TestWhatDriversSay(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, of := range []struct{ statement, want string }{
		{"CREATE TEMP TABLE parts (id bigint PRIMARY KEY, price numeric(12,2), b bytea, seen timestamptz)", "OK CREATE TABLE"},
		{`INSERT INTO parts (id, price, b) VALUES (1, 2.50, '\x0102'), (2, 1, 'ab')`, "OK INSERT 0 2"},
		{"INSERT INTO parts (id, seen) VALUES (3, '2026-07-01 10:00:00.5+00:00')", "OK INSERT 0 1"},
		{"SELECT id, b FROM parts WHERE id < 3 ORDER BY 1", `id:20 b:17 (1|\x0102) (2|\x6162)`},
		{"SELECT seen FROM parts WHERE id = 3", "seen:1184 (2026-07-01 10:00:00.5+00)"},
		{`SELECT id FROM parts WHERE b = '\x0102'`, "id:20 (1)"},
		{`SELECT id FROM parts WHERE '\x0102' < b`, "id:20 (2)"},
		{"SELECT 1 + '2' AS a, '2' * 3 AS b, 1.5 + '2.25' AS c, 7 / '2' AS d, 1.5::float8 - '1' AS e", "a:23 b:23 c:1700 d:23 e:701 (3|6|3.75|3|0.5)"},
		{"SELECT timestamptz '2026-07-01 10:00:00Z' - '2026-07-01 09:00:00Z' AS a, timestamp '2026-07-01' + '1 day' AS b", "a:1186 b:1114 (01:00:00|2026-07-02 00:00:00)"},
		{"SELECT 1 + 'x'", `ERR 22P02 invalid input syntax for type integer: "x"`},
		{"SELECT * FROM current_schema()", "current_schema:25 (gold)"},
		{"SELECT * FROM current_database()", "current_database:25 (lake)"},
		{"SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE", "OK SET"},
		{"SELECT seen FROM parts WHERE id = 3", "seen:1184 (2026-07-01 12:00:00.5+02)"},
	} {
		if got := answered(t, c.PgConn(), of.statement); got != of.want {
			t.Errorf("%s\n  is   %s\n  want %s", of.statement, got, of.want)
		}
	}
}

// A parameter beside a number has its type, as many digits as it may have.
func TestParameterBesideANumber(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, statement := range []string{"CREATE TEMP TABLE parts (id bigint, price numeric(12,2))", "INSERT INTO parts VALUES (1, 2.50)"} {
		if got := answered(t, c.PgConn(), statement); got == "" {
			t.Fatal(statement)
		}
	}
	var price, half, sum string
	err := c.QueryRow(t.Context(), "SELECT (price + $1)::text, (price / $2)::float8::text, (id + $3)::text FROM parts", "1.125", "0.5", 3).Scan(&price, &half, &sum)
	if err != nil || price != "3.625" || half != "5" || sum != "4" {
		t.Errorf("%v: %s, %s, %s", err, price, half, sum)
	}
	tag, err := c.Exec(t.Context(), "UPDATE parts SET price = price + $1 WHERE id = $2", "1.25", 1)
	if err != nil || tag.String() != "UPDATE 1" {
		t.Errorf("UPDATE: %s, %v", tag, err)
	}
}

// Where a transaction only reads, nothing is changed but temporary tables.
func TestReadOnlyTransaction(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	const refused = "ERR 25006 cannot execute INSERT in a read-only transaction"
	for _, of := range []struct{ statement, want string }{
		{"CREATE TEMP TABLE mine (id bigint)", "OK CREATE TABLE"},
		{"BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", "OK BEGIN"},
		{"SHOW transaction_read_only", "transaction_read_only:25 (on)"},
		{"INSERT INTO mine VALUES (1)", "OK INSERT 0 1"},
		{"INSERT INTO gold.parts VALUES (1)", refused},
		{"ROLLBACK", "OK ROLLBACK"},
		{"SHOW transaction_read_only", "transaction_read_only:25 (off)"},
		{"INSERT INTO mine VALUES (1)", "OK INSERT 0 1"},
		{"BEGIN", "OK BEGIN"},
		{"SET TRANSACTION READ ONLY", "OK SET"},
		{"COPY gold.parts FROM STDIN", "ERR 25006 cannot execute COPY FROM in a read-only transaction"},
		{"COMMIT", "OK ROLLBACK"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "OK SET"},
		{"INSERT INTO gold.parts VALUES (1)", refused},
		{"BEGIN READ WRITE", "OK BEGIN"},
		{"CREATE TEMP TABLE more (id bigint)", "OK CREATE TABLE"},
		{"COMMIT", "OK COMMIT"},
		{"BEGIN", "OK BEGIN"},
		{"INSERT INTO gold.parts VALUES (1)", refused},
		{"ROLLBACK", "OK ROLLBACK"},
		{"SET default_transaction_read_only = off", "OK SET"},
		{"DROP TABLE more", "OK DROP TABLE"},
	} {
		if got := answered(t, c.PgConn(), of.statement); got != of.want {
			t.Errorf("%s\n  is   %s\n  want %s", of.statement, got, of.want)
		}
	}
}

// JDBC's executeUpdate asks for one row: a statement without rows tells all that it did even so.
func TestChangeWithARowLimit(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	if got := answered(t, c.PgConn(), "CREATE TEMP TABLE parts (id bigint)"); got != "OK CREATE TABLE" {
		t.Fatal(got)
	}
	front := c.PgConn().Frontend()
	front.Send(&pgproto3.Parse{Query: "INSERT INTO parts VALUES (1), (2)"})
	front.Send(&pgproto3.Bind{})
	front.Send(&pgproto3.Describe{ObjectType: 'P'})
	front.Send(&pgproto3.Execute{MaxRows: 1})
	front.Send(&pgproto3.Sync{})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	var told []string
	for {
		message, err := front.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := message.(type) {
		case *pgproto3.CommandComplete:
			told = append(told, string(m.CommandTag))
		case *pgproto3.PortalSuspended:
			told = append(told, "suspended")
		case *pgproto3.ErrorResponse:
			t.Fatal(m.Message)
		case *pgproto3.ReadyForQuery:
			if len(told) != 1 || told[0] != "INSERT 0 2" {
				t.Errorf("it tells %q", told)
			}
			return
		}
	}
}
