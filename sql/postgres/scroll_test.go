//go:build duckdb_arrow

package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestScroll moves a cursor both ways, over its ends, and beyond what it may keep.
func TestScroll(t *testing.T) {
	addr := open(t)
	c := connect(t, addr, "").PgConn()
	say := func(text string) string { return saying(t, c, text) }
	for _, s := range []struct{ text, want string }{
		{"BEGIN", "BEGIN"},
		{"DECLARE c SCROLL CURSOR FOR SELECT i FROM generate_series(1, 5000) g(i) ORDER BY i", "DECLARE CURSOR"},
		{"FETCH 0 FROM c", "FETCH 0"},
		{"FETCH PRIOR FROM c", "FETCH 0"},
		{"FETCH 2 FROM c", "1 2 FETCH 2"},
		{"FETCH PRIOR FROM c", "1 FETCH 1"},
		{"FETCH FORWARD 0 FROM c", "1 FETCH 1"},
		{"FETCH BACKWARD 5 FROM c", "FETCH 0"},
		{"FETCH ABSOLUTE 4500 FROM c", "4500 FETCH 1"},
		{"FETCH BACKWARD 3 IN c", "4499 4498 4497 FETCH 3"},
		{"FETCH RELATIVE 3 FROM c", "4500 FETCH 1"},
		{"FETCH RELATIVE -500 FROM c", "4000 FETCH 1"},
		{"FETCH RELATIVE 0 FROM c", "4000 FETCH 1"},
		{"FETCH -2 FROM c", "3999 3998 FETCH 2"},
		{"FETCH LAST FROM c", "5000 FETCH 1"},
		{"FETCH NEXT FROM c", "FETCH 0"},
		{"FETCH PRIOR FROM c", "5000 FETCH 1"},
		{"FETCH ABSOLUTE -3 FROM c", "4998 FETCH 1"},
		{"FETCH ALL FROM c", "4999 5000 FETCH 2"},
		{"FETCH BACKWARD 2 FROM c", "5000 4999 FETCH 2"},
		{"MOVE BACKWARD ALL IN c", "MOVE 4998"},
		{"FETCH c", "1 FETCH 1"},
		{"FETCH FIRST FROM c", "1 FETCH 1"},
		{"MOVE ABSOLUTE 10 FROM c", "MOVE 1"},
		{"FETCH ABSOLUTE 6000 FROM c", "FETCH 0"},
		{"FETCH PRIOR FROM c", "5000 FETCH 1"},
		{"FETCH ABSOLUTE 0 FROM c", "FETCH 0"},
		{"FETCH NEXT FROM c", "1 FETCH 1"},
		{"CLOSE c", "CLOSE CURSOR"},
		{"DECLARE n NO SCROLL CURSOR FOR SELECT 1", "DECLARE CURSOR"},
		{"FETCH PRIOR FROM n", "55000"},
		{"ROLLBACK", "ROLLBACK"},
		{"BEGIN", "BEGIN"},
		{"DECLARE big SCROLL CURSOR FOR SELECT repeat('x', 1000) || i::text FROM generate_series(1, 100000) g(i)", "DECLARE CURSOR"},
		{"MOVE LAST FROM big", "53400"},
		{"ROLLBACK", "ROLLBACK"},
	} {
		if got := say(s.text); got != s.want {
			t.Errorf("%s: %s, want %s", s.text, got, s.want)
		}
	}
	for i := range 12 { // what is kept goes with its cursor
		for _, text := range []string{"BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT repeat('x', 1000) || i::text FROM generate_series(1, 13000) g(i)", "MOVE ALL FROM c", "COMMIT"} {
			if got := say(text); strings.Contains(got, "53") {
				t.Fatal(fmt.Sprint(i, text, got))
			}
		}
	}
}

// TestHeldCursor: a cursor WITH HOLD has its rows behind COMMIT, also without a transaction, but not behind the ROLLBACK of its own.
func TestHeldCursor(t *testing.T) {
	c := connect(t, open(t), "").PgConn()
	const of = " CURSOR WITH HOLD FOR SELECT i FROM generate_series(1, 5000) g(i) ORDER BY i"
	for _, s := range []struct{ text, want string }{
		{"BEGIN", "BEGIN"},
		{"DECLARE a" + of, "DECLARE CURSOR"},
		{"DECLARE b CURSOR FOR SELECT 1", "DECLARE CURSOR"},
		{"FETCH 2 FROM a", "1 2 FETCH 2"},
		{"COMMIT", "COMMIT"},
		{"FETCH FROM b", "34000"},
		{"FETCH 2 FROM a", "3 4 FETCH 2"},
		{"DECLARE c" + of, "DECLARE CURSOR"},
		{"FETCH LAST FROM c", "5000 FETCH 1"},
		{"BEGIN", "BEGIN"},
		{"DECLARE d" + of, "DECLARE CURSOR"},
		{"FETCH FROM a", "5 FETCH 1"},
		{"ROLLBACK", "ROLLBACK"},
		{"FETCH FROM d", "34000"},
		{"FETCH FROM a", "6 FETCH 1"},
		{"CLOSE a", "CLOSE CURSOR"},
		{"FETCH FROM a", "34000"},
		{"DISCARD ALL", "DISCARD ALL"},
		{"FETCH FROM c", "34000"},
		{"BEGIN", "BEGIN"},
		{"DECLARE large CURSOR WITH HOLD FOR SELECT i, repeat('x', 2000) FROM generate_series(1, 100000) g(i)", "DECLARE CURSOR"},
		{"COMMIT", "53400"},
		{"FETCH FROM large", "34000"},
		{"SELECT 1", "1 SELECT 1"},
	} {
		if got := saying(t, c, s.text); got != s.want {
			t.Fatalf("%s: %q, want %q", s.text, got, s.want)
		}
	}
}

// saying is the first column of a statement's rows, and its tag; or its error's code.
func saying(t *testing.T, c *pgconn.PgConn, text string) string {
	t.Helper()
	results, err := c.Exec(t.Context(), text).ReadAll()
	if err != nil {
		return codeOf(err)
	}
	var out []string
	for _, row := range results[0].Rows {
		out = append(out, string(row[0]))
	}
	return strings.TrimSpace(strings.Join(out, " ") + " " + results[0].CommandTag.String())
}
