//go:build duckdb_arrow

package postgres_test

import (
	"cmp"
	"strings"
	"testing"
)

// TestTemporaryTables: a connection has its own, until it discards them.
func TestTemporaryTables(t *testing.T) {
	addr := open(t)
	one, two := connect(t, addr, ""), connect(t, addr, "")
	ctx := t.Context()
	if _, err := one.Exec(ctx, "CREATE TEMP TABLE few AS SELECT 7 AS n UNION ALL SELECT 8"); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := one.QueryRow(ctx, "SELECT sum(n) FROM few WHERE n > $1", 1).Scan(&n); err != nil || n != 15 {
		t.Errorf("the sum is %d, %v", n, err)
	}
	if err := two.QueryRow(ctx, "SELECT sum(n) FROM few").Scan(&n); err == nil {
		t.Error("another connection reads it")
	}
	if _, err := one.Exec(ctx, "DISCARD TEMP"); err != nil {
		t.Error(err)
	}
	if err := one.QueryRow(ctx, "SELECT sum(n) FROM few").Scan(&n); err == nil {
		t.Error("it is there after DISCARD TEMP")
	}
}

// TestTemporaryTablesWritten: what programs do with a table of their session, with parameters, COPY and transaction blocks, and PostgreSQL's tags.
func TestTemporaryTablesWritten(t *testing.T) {
	one, ctx := connect(t, open(t), ""), t.Context()
	says := func(want, text string, args ...any) {
		t.Helper()
		tag, err := one.Exec(ctx, text, args...)
		got := cmp.Or(codeOf(err), tag.String())
		if got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	count := func(want int64) {
		t.Helper()
		var n int64
		if err := one.QueryRow(ctx, "SELECT count(*) FROM t").Scan(&n); err != nil || n != want {
			t.Errorf("there are %d rows, %v, want %d", n, err, want)
		}
	}
	says("CREATE TABLE", `CREATE TEMPORARY TABLE IF NOT EXISTS t (id int PRIMARY KEY, name text NOT NULL, at timestamptz, price numeric(10, 2), doc jsonb, tags text[])`)
	says("INSERT 0 1", "INSERT INTO t (id, name, price, tags) VALUES ($1, $2, $3, $4)", 1, "one", "12.50", []string{"a", "b"})
	says("INSERT 0 2", "INSERT INTO t (id, name) SELECT n, 'n' FROM (VALUES (2), (3)) v(n)")
	says("23502", "INSERT INTO t (id) VALUES (9)")
	says("23505", "INSERT INTO t (id, name) VALUES (1, 'again')")
	says("22P02", "INSERT INTO t (id, name) VALUES ('x', 'again')")
	says("UPDATE 1", "UPDATE t SET name = $1 WHERE id = $2", "zwei", 2)
	says("DELETE 1", "DELETE FROM t WHERE id = $1", 3)
	if tag, err := one.PgConn().CopyFrom(ctx, strings.NewReader("7\tseven\n8\teight\n"), "COPY t (id, name) FROM STDIN"); err != nil || tag.String() != "COPY 2" {
		t.Errorf("%s, %v", tag, err)
	}
	if _, err := one.PgConn().CopyFrom(ctx, strings.NewReader("9\tnine\n9\tnine\n"), "COPY t (id, name) FROM STDIN"); err == nil || !strings.Contains(err.Error(), "23505") {
		t.Errorf("a key twice: %v", err)
	}
	count(4)
	var kind string
	if err := one.QueryRow(ctx, "SELECT format_type(atttypid, atttypmod) || attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'name'").Scan(&kind); err != nil || kind != "texttrue" {
		t.Errorf("%s, %v", kind, err)
	}
	says("TRUNCATE TABLE", "TRUNCATE t")
	count(0)
	says("SELECT 2", "CREATE TEMP TABLE made AS SELECT * FROM ports")
	says("DROP TABLE", "DROP TABLE t")

	says("BEGIN", "BEGIN")
	says("CREATE TABLE", "CREATE TEMP TABLE t (id int) ON COMMIT DELETE ROWS")
	says("INSERT 0 1", "INSERT INTO t VALUES (1)")
	count(1)
	says("COMMIT", "COMMIT")
	count(0)
	says("INSERT 0 1", "INSERT INTO t VALUES (1)") // a transaction of its own
	count(0)
	says("DROP TABLE", "DROP TABLE t")
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		says("BEGIN", "BEGIN")
		says("CREATE TABLE", "CREATE TEMP TABLE t (LIKE ports INCLUDING DEFAULTS) ON COMMIT DROP")
		says("INSERT 0 2", "INSERT INTO t SELECT * FROM ports")
		count(2)
		says(end, end)
		says("42P01", "SELECT * FROM t")
	}
}

// TestReturningWhatWasNotTold: where RETURNING would answer other columns than the client was told of, nothing is written, and it can be sent again.
func TestReturningWhatWasNotTold(t *testing.T) {
	one, ctx := connect(t, open(t), ""), t.Context()
	for _, text := range []string{"CREATE TEMP TABLE t (id int)", "CREATE OR REPLACE TEMP TABLE t (id int, name text)"} {
		if _, err := one.Exec(ctx, text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "REPLACE") {
			continue
		}
		if _, err := one.PgConn().Prepare(ctx, "put", "INSERT INTO t VALUES ($1) RETURNING *", nil); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range []string{"0A000", ""} {
		got := one.PgConn().ExecPrepared(ctx, "put", [][]byte{[]byte("1")}, nil, nil).Read()
		code := codeOf(got.Err)
		var rows int
		if err := one.QueryRow(ctx, "SELECT count(*) FROM t").Scan(&rows); err != nil || code != want || len(got.Rows) != n || rows != n {
			t.Errorf("run %d: %s, %v, %d rows answered, %d written, %v", n, code, got.Err, len(got.Rows), rows, err)
		}
	}
}
