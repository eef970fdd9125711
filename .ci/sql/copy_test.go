//go:build duckdb_arrow

package sql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// postgresAt connects to the PostgreSQL door of a program of its own.
func postgresAt(t testing.TB, addr string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), "postgres://me@"+addr+"/lake?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func must(t testing.TB, c *pgx.Conn, statement string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// all reads a table as texts, a null as <null>.
func all(t testing.TB, c *pgx.Conn, query string) (out []string) {
	t.Helper()
	answers, err := c.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range answers[0].Rows {
		var cells []string
		for _, v := range row {
			if v == nil {
				v = []byte("<null>")
			}
			cells = append(cells, string(v))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

// TestCopyIn: rows in three formats are in the table, or an error says where they are none, and then nothing is.
func TestCopyIn(t *testing.T) {
	c := postgresAt(t, tarn(t)["postgres"])
	must(t, c, "CREATE SCHEMA shop")
	for _, of := range []struct {
		name, statement, data, tag, state, where string
		rows                                     []string
	}{
		{
			"text", "COPY shop.t FROM STDIN", "1\ta\\tb\\\\\tt\t2026-01-02 03:04:05\t1.50\t\\\\x00ff\t{a,\"b c\",NULL}\n2\t\\N\tf\t\\N\t-0.01\t\\N\t{}\n3\t\\x41\\102\\\nc\ty\t\\N\t\\N\t\\N\t\\N\n\\.\n", "COPY 3", "", "",
			[]string{"1|a\tb\\|t|2026-01-02 03:04:05|1.50|\\x00ff|{a,\"b c\",NULL}", "2|<null>|f|<null>|-0.01|<null>|{}", "3|AB\nc|t|<null>|<null>|<null>|<null>"},
		},
		{"columns", "COPY shop.t (note, id) FROM STDIN WITH (DELIMITER ';', NULL 'none')", "x;7\r\nnone;8\r\n", "COPY 2", "", "", []string{"7|x|<null>|<null>|<null>|<null>|<null>", "8|<null>|<null>|<null>|<null>|<null>|<null>"}},
		{
			"csv", "COPY shop.t (id, note, tags) FROM STDIN (FORMAT csv, HEADER match, FORCE_NULL (note))", "id,note,tags\n1,\"a \"\"b\"\"\n, c\",\"{x,y}\"\n2,\"\",\n3,plain,", "COPY 3", "", "",
			[]string{"1|a \"b\"\n, c|<null>|<null>|<null>|<null>|{x,y}", "2|<null>|<null>|<null>|<null>|<null>|<null>", "3|plain|<null>|<null>|<null>|<null>|<null>"},
		},
		{"forced", "COPY shop.t (id, note) FROM STDIN CSV DELIMITER '|' QUOTE '''' ESCAPE '\\' NULL 'n'", "1|'it\\'s'\n2|n\n3|'n'\n", "COPY 3", "", "", []string{"1|it's|<null>|<null>|<null>|<null>|<null>", "2|<null>|<null>|<null>|<null>|<null>|<null>", "3|n|<null>|<null>|<null>|<null>|<null>"}},
		{"nothing", "COPY shop.t FROM STDIN", "", "COPY 0", "", "", nil},
		{"no number", "COPY shop.t (id, note) FROM STDIN", "1\ta\n2\tb\nx\tc\n", "", "22P02", "COPY t, line 3, column id", nil},
		{"no UTF-8", "COPY shop.t (id, note) FROM STDIN", "1\t\\xff\n", "", "22021", "COPY t, line 1, column note", nil},
		{"out of range", "COPY shop.t (id) FROM STDIN", "9223372036854775808\n", "", "22003", "COPY t, line 1, column id", nil},
		{"a column less", "COPY shop.t (id, note) FROM STDIN", "1\ta\n2\n", "", "22P04", "COPY t, line 2", nil},
		{"a column more", "COPY shop.t (id) FROM STDIN CSV", "1,2\n", "", "22P04", "COPY t, line 1", nil},
		{"an open quote", "COPY shop.t (note) FROM STDIN CSV", "\"a\nb", "", "22P04", "", nil},
		{"no date", "COPY shop.t (id, at) FROM STDIN", "1\t2026-01-02\n2\tyesterday or so\n", "", "42000", "COPY t, lines 1 to 2", nil},
		{"a long row", "COPY shop.t (note) FROM STDIN", strings.Repeat("x", 5<<20) + "\n", "", "54000", "", nil},
		{"no signature", "COPY shop.t (id) FROM STDIN BINARY", "PGCOPY\n\xff\r\r\x00\x00\x00\x00\x00\x00\x00\x00\x00", "", "22P04", "", nil},
		{"a table that there is not", "COPY shop.none FROM STDIN", "1\n", "", "42P01", "", nil},
		{"a column that there is not", "COPY shop.t (nope) FROM STDIN", "1\n", "", "42703", "", nil},
		{"a file", "COPY shop.t FROM '/etc/passwd'", "", "", "42501", "", nil},
	} {
		must(t, c, "DROP TABLE IF EXISTS shop.t")
		must(t, c, "CREATE TABLE shop.t (id BIGINT, note VARCHAR, ok BOOLEAN, at TIMESTAMP, price DECIMAL(10,2), data BLOB, tags VARCHAR)")
		tag, err := c.PgConn().CopyFrom(t.Context(), strings.NewReader(of.data), of.statement)
		shown, _ := errors.AsType[*pgconn.PgError](err)
		switch {
		case of.state == "" && (err != nil || tag.String() != of.tag):
			t.Errorf("%s: %s, %v", of.name, tag, err)
		case of.state != "" && (shown == nil || shown.Code != of.state || of.where != "" && shown.Where != of.where):
			t.Errorf("%s: %+v, want %s %s", of.name, err, of.state, of.where)
		}
		if got := all(t, c, "SELECT * FROM shop.t ORDER BY id"); !slices.Equal(got, of.rows) {
			t.Errorf("%s: the rows are\n%q, want\n%q", of.name, got, of.rows)
		}
	}
}

// TestCopyFromBinary: pgx's CopyFrom, of more rows than are held at once.
func TestCopyFromBinary(t *testing.T) {
	c := postgresAt(t, tarn(t)["postgres"])
	must(t, c, "CREATE SCHEMA shop")
	must(t, c, "CREATE TABLE shop.many (id BIGINT, note VARCHAR, part DOUBLE, day DATE, at TIMESTAMPTZ, price DECIMAL(12,3))")
	const many = 20_000
	day := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	n, err := c.CopyFrom(t.Context(), pgx.Identifier{"shop", "many"}, []string{"id", "note", "part", "day", "at", "price"}, pgx.CopyFromSlice(many, func(i int) ([]any, error) {
		return []any{int64(i), fmt.Sprint("row ", i), float64(i) / 2, day, day, fmt.Sprintf("%d.125", i)}, nil
	}))
	if err != nil || n != many {
		t.Fatal(n, err)
	}
	want := []string{"20000|19999|199990000|99995000|2026-01-02|2026-01-02 03:04:05.000006+00|19999.125"}
	if got := all(t, c, "SELECT count(*), max(id), sum(id), sum(part), max(day), min(\"at\"), max(price) FROM shop.many"); !slices.Equal(got, want) {
		t.Error(got)
	}
	failing := errors.New("no more")
	_, err = c.CopyFrom(t.Context(), pgx.Identifier{"shop", "many"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) { return nil, failing }))
	if err == nil {
		t.Error("a copy that its client gives up is taken")
	}
	if got := all(t, c, "SELECT count(*) FROM shop.many"); !slices.Equal(got, []string{"20000"}) {
		t.Error(got)
	}
}

// A client that goes in the midst leaves nothing, and one that is silent for too long is told so and may go on.
func TestCopyGone(t *testing.T) {
	addr := tarn(t)["postgres"]
	c := postgresAt(t, addr)
	must(t, c, "CREATE SCHEMA shop")
	must(t, c, "CREATE TABLE shop.t (id BIGINT)")
	gone := postgresAt(t, addr)
	begin := func(on *pgx.Conn) *pgproto3.Frontend {
		f := on.PgConn().Frontend()
		f.Send(&pgproto3.Query{String: "COPY shop.t FROM STDIN"})
		f.Send(&pgproto3.CopyData{Data: []byte("1\n")})
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := f.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*pgproto3.CopyInResponse); ok {
				return f
			}
		}
	}
	begin(gone)
	_ = gone.PgConn().Conn().Close()
	silent := postgresAt(t, addr)
	must(t, silent, "SET statement_timeout = '1s'")
	f := begin(silent)
	for done := false; !done; {
		m, err := f.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok && e.Code != "57014" {
			t.Errorf("%+v", e)
		}
		_, done = m.(*pgproto3.ReadyForQuery)
	}
	f.Send(&pgproto3.CopyDone{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	must(t, silent, "SELECT 1")
	if got := all(t, c, "SELECT count(*) FROM shop.t"); !slices.Equal(got, []string{"0"}) {
		t.Error(got)
	}
}

// TestSlowCopies: clients that send rows slowly, more of them than statements run at once, hold up no query, and their rows are there.
func TestSlowCopies(t *testing.T) {
	const clients = 12
	addr := tarn(t)["postgres"]
	c := postgresAt(t, addr)
	must(t, c, "CREATE SCHEMA slow")
	must(t, c, "CREATE TABLE slow.t (id BIGINT)")
	var ends []*io.PipeWriter
	done := make(chan error, clients)
	for range clients {
		sender := postgresAt(t, addr)
		r, w := io.Pipe()
		ends = append(ends, w)
		go func() {
			tag, err := sender.PgConn().CopyFrom(t.Context(), r, "COPY slow.t FROM STDIN")
			if err == nil && tag.RowsAffected() != 1 {
				err = errors.New(tag.String())
			}
			_ = r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
			done <- err
		}()
	}
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		begun := all(t, c, "SELECT id FROM system.queries WHERE statement LIKE 'COPY slow.t%' AND state <> 'ended'")
		if len(begun) == clients {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d have begun", len(begun), clients)
		}
	}
	if got := all(t, c, "SELECT count(*) FROM slow.t"); !slices.Equal(got, []string{"0"}) {
		t.Errorf("the table has %q meanwhile", got)
	}
	for i, w := range ends {
		_, err := fmt.Fprintf(w, "%d\n", i)
		if err = errors.Join(err, w.Close()); err != nil {
			t.Error(err)
		}
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := all(t, c, "SELECT count(*) FROM slow.t"); !slices.Equal(got, []string{"12"}) {
		t.Errorf("the table has %q", got)
	}
}
