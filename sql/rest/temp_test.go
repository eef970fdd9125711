//go:build duckdb_arrow

package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
)

// says runs a statement in a session and returns its rows as text.
func (h *house) says(s *engine.Session, statement string) (string, error) {
	r, err := h.gate.Run(h.t.Context(), engine.Request{Text: statement, Principal: guard.Principal{User: "ann"}, Session: s})
	if err != nil {
		return "", err
	}
	defer r.Close()
	return shown(r.Reader, true), r.Reader.Err()
}

// TestTemporaryTables: they are a session's own, pass the Gate, and are gone with it.
func TestTemporaryTables(t *testing.T) {
	h := harbour(t, guard.Open{})
	one, two := h.gate.Session(), h.gate.Session()
	for _, step := range []struct {
		in         *engine.Session
		text, want string // of the last line, or of the fault's code
	}{
		{one, "CREATE TEMP TABLE big AS SELECT id, tons FROM calls WHERE tons > 300", "CREATE TABLE 3|"},
		{one, "SELECT count(*) FROM big", "3|"},
		{one, "SELECT big.id FROM big JOIN calls c USING (id) WHERE c.berth = 'B1'", "12|"},
		{one, "SELECT max(id) FROM temp.big", "12|"},
		{one, "WITH x AS (FROM big) SELECT count(*) FROM x, pg_temp.BIG", "9|"},
		{one, "INSERT OR REPLACE INTO temp.big VALUES (1, 2)", "denied"},
		{one, "ALTER TABLE IF EXISTS big ADD COLUMN x INT", "invalid"},
		{one, "ALTER TABLE silver.calls EXECUTE optimize", "deletes_applied|0|"},
		{two, "SELECT count(*) FROM big", "not_found"},
		{nil, "SELECT count(*) FROM big", "not_found"},
		{two, "CREATE TEMPORARY TABLE IF NOT EXISTS big AS VALUES (1), (2)", "CREATE TABLE 2|"},
		{two, "SELECT count(*) FROM big", "2|"},
		{one, "SELECT count(*) FROM big", "3|"},
		{one, "CREATE TEMP TABLE big AS SELECT 1", "exists"},
		{one, "CREATE TEMP TABLE IF NOT EXISTS big AS SELECT 1", "CREATE TABLE|"},
		{one, "CREATE OR REPLACE TEMP TABLE big AS SELECT count(*) AS n FROM big", "CREATE TABLE 1|"},
		{one, "SELECT n FROM big", "3|"},
		{one, "DESCRIBE big", "n|BIGINT|YES|(null)|(null)|(null)|"},
		{one, "CREATE TEMP TABLE calls AS SELECT 7 AS id", "CREATE TABLE 1|"},
		{one, "SELECT id FROM calls", "7|"},
		{one, "SELECT count(*) FROM silver.calls", "12|"},
		{one, "CREATE VIEW gold.v AS SELECT id FROM silver.calls", "CREATE VIEW|"},
		{one, "CREATE VIEW gold.w AS SELECT n FROM big", "not_found"},
		{one, "SELECT max(id) FROM gold.v", "12|"},
		{one, "DROP TABLE calls", "DROP TABLE|"},
		{one, "SELECT count(*) FROM calls", "12|"},
		{one, "CREATE TEMP TABLE silver.x AS SELECT 1", "invalid"},
		{one, "CREATE TEMP TABLE x AS SELECT nothing FROM calls", "not_found"},
		{one, "CREATE TEMP TABLE x AS SELECT * FROM read_text('/etc/passwd')", "denied"},
		{one, "CREATE TEMP TABLE x AS DELETE FROM calls", "denied"},
		{one, "CREATE TEMP TABLE x AS SELECT * FROM range(20000)", "too_large"},
		{one, "CREATE TEMP TABLE x AS SELECT * FROM range(20000) LIMIT 15000", "too_large"},
		{one, "CREATE TEMP TABLE x AS SELECT repeat('x', 8000) FROM range(9000)", "too_large"}, // 32 MiB of 256
		{one, "CREATE TEMP TABLE half AS SELECT repeat('x', 2000) FROM range(9000)", "CREATE TABLE 9000|"},
		{one, "CREATE TEMP TABLE x AS FROM half", "too_large"},
		{one, "CREATE OR REPLACE TEMP TABLE half AS FROM half", "CREATE TABLE 9000|"},
		{one, "DROP TABLE half", "DROP TABLE|"},
		{one, "CREATE TEMP TABLE x (id INT", "syntax"},
		{one, "SELECT * FROM x", "not_found"},
		{one, "SELECT * FROM big AT (VERSION => 3)", "invalid"},
		{one, "DROP TABLE IF EXISTS big", "DROP TABLE|"},
		{one, "SELECT * FROM big", "not_found"},
	} {
		got, err := h.says(step.in, step.text)
		if err != nil {
			got = string(fault.CodeOf(err))
		}
		if last := got[strings.LastIndex(got, "\n")+1:]; last != step.want {
			t.Errorf("%s: %s, %v, want %s", step.text, last, err, step.want)
		}
	}
	for i := range 40 {
		_, err := h.says(one, fmt.Sprintf("CREATE TEMP TABLE t%d AS SELECT %d AS n", i, i))
		if want := i >= 32; want != (fault.CodeOf(err) == fault.TooLarge) {
			t.Fatalf("table %d: %v", i, err)
		}
	}
	var more []*engine.Session
	for i := range 128 - 33 { // with those of both, as many as a user may have
		if i%32 == 0 {
			more = append(more, h.gate.Session())
		}
		if _, err := h.says(more[len(more)-1], fmt.Sprintf("CREATE TEMP TABLE t%d AS SELECT %d AS n", i, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.says(two, "CREATE OR REPLACE TEMP TABLE big AS SELECT 1"); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("one more than a user may have: %v", err)
	}
	for _, s := range more {
		s.Close()
	}
	one.Close()
	two.Close()
	if _, err := h.says(one, "CREATE TEMP TABLE y AS SELECT 1"); fault.CodeOf(err) != fault.Canceled {
		t.Errorf("a closed session: %v", err)
	}
	if n := h.gate.TemporaryTables(); n != 0 {
		t.Errorf("%d tables are left", n)
	}
}

// TestTemporaryTablesWritten: rows go into one, out of it and become others as in a table of the lake, within its bounds.
func TestTemporaryTablesWritten(t *testing.T) {
	h := harbour(t, guard.Open{})
	in := h.gate.Session()
	defer in.Close()
	for _, step := range []struct{ text, want string }{
		{"CREATE TEMP TABLE t (id INT PRIMARY KEY, name VARCHAR NOT NULL, small SMALLINT, tags VARCHAR[])", "CREATE TABLE|"},
		{"INSERT INTO t VALUES (1, 'one', 1, ['a', 'b']), (2, 'two', NULL, NULL)", "INSERT 2|"},
		{"INSERT INTO t (name, id) SELECT berth, id FROM silver.calls WHERE id > 10", "INSERT 2|"},
		{"SELECT count(*), sum(id), max(tags[2]) FROM t", "4|26|b|"},
		{"INSERT INTO t (id) VALUES (3)", "invalid"},
		{"INSERT INTO t (id, name) VALUES (3, 'three'), (3, 'three')", "invalid"},
		{"INSERT INTO t (id, name) VALUES (1, 'again')", "invalid"},
		{"INSERT INTO t (id, nothing) VALUES (1, 'again')", "not_found"},
		{"INSERT INTO t SELECT * FROM read_text('/etc/passwd')", "denied"},
		{"SELECT count(*) FROM t", "4|"},
		{"UPDATE t SET name = upper(name), small = t.id WHERE id <= 2", "UPDATE 2|"},
		{"SELECT string_agg(name || small, ' ' ORDER BY id) FROM t", "ONE1 TWO2|"},
		{"UPDATE t SET name = NULL", "invalid"},
		{"UPDATE t SET id = 7", "invalid"},
		{"UPDATE t SET name = c.berth FROM silver.calls c WHERE c.berth = 'B1'", "invalid"},
		{"UPDATE t x SET name = 'of ' || c.berth FROM silver.calls c WHERE c.id = x.id AND x.id > 10", "UPDATE 2|"},
		{"DELETE FROM t WHERE id IN (SELECT id FROM silver.calls WHERE id = 12)", "DELETE 1|"},
		{"DELETE FROM t USING silver.calls c WHERE c.id > 0 AND t.id = 11", "DELETE 1|"},
		{"MERGE INTO t USING (VALUES (2, 'zwei'), (5, 'fuenf')) v(id, n) ON t.id = v.id WHEN MATCHED THEN UPDATE SET name = v.n WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, v.n)", "MERGE 2|"},
		{"SELECT string_agg(id || name, ' ' ORDER BY id) FROM t", "1ONE 2zwei 5fuenf|"},
		{"ALTER TABLE t ADD COLUMN x INT", "invalid"},
		{"CREATE TEMP TABLE few AS SELECT 1 AS n, INTERVAL 1 DAY AS i", "CREATE TABLE 1|"},
		{"INSERT INTO few VALUES (2, INTERVAL 2 DAY)", "INSERT 1|"},
		{"UPDATE few SET n = 3 WHERE i > INTERVAL 1 DAY", "UPDATE 1|"},
		{"SELECT sum(n), count(i) FROM few", "4|2|"},
		{"TRUNCATE few", "TRUNCATE TABLE|"},
		{"SELECT count(*) FROM few", "0|"},
		{"DELETE FROM few", "DELETE 0|"},
		{"INSERT INTO few (n) SELECT * FROM range(10000)", "INSERT 10000|"},
		{"INSERT INTO few (n) VALUES (1)", "too_large"}, // rows
		{"DELETE FROM few WHERE n > 3", "DELETE 9996|"},
		{"INSERT INTO few (n) VALUES (1)", "INSERT 1|"},
		{"CREATE TEMP TABLE wide (x VARCHAR)", "CREATE TABLE|"},
		{"INSERT INTO wide SELECT repeat('x', 2000) FROM range(9000)", "INSERT 9000|"},
		{"INSERT INTO wide SELECT repeat('x', 15000) FROM range(1200)", "too_large"}, // bytes: 32 MiB of 256
		{"UPDATE wide SET x = repeat('y', 8000)", "too_large"},
		{"SELECT count(*), max(x) = repeat('x', 2000) FROM wide", "9000|true|"},
		{"DELETE FROM wide", "DELETE 9000|"},
		{"INSERT INTO wide SELECT repeat('x', 15000) FROM range(1000)", "INSERT 1000|"},
		{"CREATE TEMP TABLE u (LIKE silver.calls INCLUDING ALL)", "CREATE TABLE|"},
		{"INSERT INTO u SELECT * FROM calls", "INSERT 12|"},
		{"CREATE TEMP TABLE e (a, b) AS SELECT 1, 2 WITH NO DATA", "CREATE TABLE 0|"},
		{"SELECT count(a), count(b) FROM e", "0|0|"},
		{"CREATE TEMP TABLE r (rowid INT, n INT)", "CREATE TABLE|"},
		{"INSERT INTO r VALUES (5, 1), (5, 3)", "INSERT 2|"},
		{"UPDATE r SET n = 2 WHERE n = 1", "invalid"}, // or both rows would go
		{"SELECT count(*), sum(n) FROM r", "2|4|"},
		{"CREATE TEMP TABLE d (n INT) ON COMMIT DELETE ROWS", "CREATE TABLE|"},
		{"INSERT INTO d VALUES (1)", "INSERT 1|"},
		{"SELECT count(*) FROM d", "1|"},
	} {
		got, err := h.says(in, step.text)
		if err != nil {
			got = string(fault.CodeOf(err))
		}
		if last := got[strings.LastIndex(got, "\n")+1:]; last != step.want {
			t.Errorf("%s: %s, %v, want %s", step.text, last, err, step.want)
		}
	}
	in.Commit()
	if got, err := h.says(in, "SELECT count(*) FROM d"); err != nil || !strings.HasSuffix(got, "0|") {
		t.Errorf("after the commit: %s, %v", got, err)
	}
}

// TestReturningIsShared: the answers of RETURNING that one user leaves unread do not take the room of another's.
func TestReturningIsShared(t *testing.T) {
	h := harbour(t, guard.Open{})
	for _, user := range []string{"ann", "bob"} {
		s := h.gate.Session()
		defer s.Close()
		var refused error
		for n := range 10 {
			text := "INSERT INTO big VALUES (1) RETURNING repeat('x', 15000000) AS x"
			if n == 0 {
				text = "CREATE TEMP TABLE big (id INT)"
			}
			r, err := h.gate.Run(t.Context(), engine.Request{Text: text, Principal: guard.Principal{User: user}, Session: s})
			if err != nil {
				if refused = err; n != 5 {
					t.Errorf("%s: the answer %d: %v", user, n, err)
				}
				break
			}
			defer r.Close()
		}
		if fault.CodeOf(refused) != fault.TooLarge || !strings.Contains(fault.HintOf(refused), "read") {
			t.Errorf("%s: %v", user, refused)
		}
	}
}
