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
		{one, "CREATE TEMP TABLE big AS SELECT id, tons FROM calls WHERE tons > 300", "CREATE TABLE|"},
		{one, "SELECT count(*) FROM big", "3|"},
		{one, "SELECT big.id FROM big JOIN calls c USING (id) WHERE c.berth = 'B1'", "12|"},
		{one, "SELECT max(id) FROM temp.big", "12|"},
		{one, "WITH x AS (FROM big) SELECT count(*) FROM x, pg_temp.BIG", "9|"},
		{one, "INSERT INTO big SELECT 1, 2", "invalid"},
		{one, "INSERT OR REPLACE INTO temp.big VALUES (1, 2)", "invalid"},
		{one, "UPDATE big SET id = 1", "invalid"},
		{one, "DELETE FROM big", "invalid"},
		{one, "TRUNCATE TABLE Big", "invalid"},
		{one, "ALTER TABLE IF EXISTS big ADD COLUMN x INT", "invalid"},
		{one, "ALTER TABLE silver.calls EXECUTE optimize", "deletes_applied|0|"},
		{two, "SELECT count(*) FROM big", "not_found"},
		{nil, "SELECT count(*) FROM big", "not_found"},
		{two, "CREATE TEMPORARY TABLE IF NOT EXISTS big AS VALUES (1), (2)", "CREATE TABLE|"},
		{two, "SELECT count(*) FROM big", "2|"},
		{one, "SELECT count(*) FROM big", "3|"},
		{one, "CREATE TEMP TABLE big AS SELECT 1", "exists"},
		{one, "CREATE TEMP TABLE IF NOT EXISTS big AS SELECT 1", "CREATE TABLE|"},
		{one, "CREATE OR REPLACE TEMP TABLE big AS SELECT count(*) AS n FROM big", "CREATE TABLE|"},
		{one, "SELECT n FROM big", "3|"},
		{one, "DESCRIBE big", "n|BIGINT|YES|(null)|(null)|(null)|"},
		{one, "CREATE TEMP TABLE calls AS SELECT 7 AS id", "CREATE TABLE|"},
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
		{one, "CREATE TEMP TABLE half AS SELECT repeat('x', 2000) FROM range(9000)", "CREATE TABLE|"},
		{one, "CREATE TEMP TABLE x AS FROM half", "too_large"},
		{one, "CREATE OR REPLACE TEMP TABLE half AS FROM half", "CREATE TABLE|"},
		{one, "DROP TABLE half", "DROP TABLE|"},
		{one, "CREATE TEMP TABLE x (id INT)", "syntax"},
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
