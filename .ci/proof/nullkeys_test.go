package proof_test

import (
	dbsql "database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

const looseStatements = `
CREATE MATERIALIZED VIEW whole AS SELECT code, n, note, _key FROM silver.notes;
CREATE MATERIALIZED VIEW some AS SELECT _key, code, n + 1 AS m, upper(note) AS note FROM silver.notes WHERE n % 3 > 0;
CREATE MATERIALIZED VIEW sums AS SELECT code, count(*) AS c, sum(n)::BIGINT AS s FROM silver.notes GROUP BY code;
`

// TestNullKeyKills kills the program while a table is written many of whose rows have a null, or a value that does not fit, as their key: in the
// end pipelines over its mirror have what the database has. Rows come, change, get other keys and go; the table is taken anew twice.
func TestNullKeyKills(t *testing.T) {
	rnd := seed(t)
	dir := t.TempDir()
	database := filepath.Join(dir, "source.db")
	db, err := proof.OpenSource(database, "WAL")
	must(t, err)
	defer func() { _ = db.Close() }()
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil && !strings.Contains(err.Error(), "UNIQUE") {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run("CREATE TABLE notes (code BIGINT PRIMARY KEY, n INTEGER, note TEXT)")
	for range 40 {
		looseChange(rnd, run)
	}
	h := &proof.House{Binary: binary(t), Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "log"), Env: []string{"TARN_LANDING_COMMIT_INTERVAL=100ms"}}
	must(t, proof.WriteConnector(h.Project, "src", proof.Connector(database)))
	p, err := h.Up(t.Context())
	must(t, err)
	defer func() { p.Kill() }()
	must(t, proof.Until(t.Context(), func() (bool, error) {
		n, err := p.Numbers(t.Context(), "SELECT count(*) FROM silver.notes")
		return err == nil && n[0] > 0, err
	}))
	must(t, os.MkdirAll(filepath.Join(h.Project, "sql"), 0o755))
	must(t, os.WriteFile(filepath.Join(h.Project, "sql", "notes.sql"), []byte(looseStatements), 0o600))
	p.Kill()
	for n, point := range []string{"pipeline.begun:3", "pipeline.applied:4", "pipeline.ticked:3", "pipeline.publishing:3", "pipeline.published:2", "lake.committed:6", ""} {
		env := []string{}
		if point != "" {
			env = append(env, "TARN_CRASH="+point)
		}
		p, err = h.Start(env...)
		must(t, err)
		ready := p.Ready(t.Context()) == nil
		for end := time.Now().Add(pointWithin); point != "" && !p.Ended(); {
			if time.Now().After(end) {
				t.Fatalf("%s was not come to\n%s", point, h.Tail())
			}
			looseChange(rnd, run)
			time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond) // of the writer
		}
		if point == "" && !ready {
			t.Fatal(h.Tail())
		}
		if n%3 == 1 {
			run(fmt.Sprintf("ALTER TABLE notes ADD COLUMN more%d TEXT", n)) // a new snapshot
		}
	}
	looseEqual(t, p, db)
}

// looseChange changes a row, if there is one.
func looseChange(rnd *rand.Rand, run func(string, ...any)) {
	code := func() any {
		switch rnd.IntN(5) {
		case 0:
			return []byte{1, byte(rnd.IntN(3))}
		case 1:
			return rnd.IntN(6)
		case 2, 3:
			return nil
		}
		return "text" + fmt.Sprint(rnd.IntN(3))
	}
	const some = " WHERE rowid = (SELECT rowid FROM notes ORDER BY random() LIMIT 1)"
	switch rnd.IntN(7) {
	case 0, 1:
		run("INSERT INTO notes (code, n, note) VALUES (?, ?, ?)", code(), rnd.IntN(9), fmt.Sprint("note ", rnd.IntN(4)))
	case 2:
		run("INSERT OR REPLACE INTO notes (code, n, note) VALUES (?, ?, 'again')", code(), rnd.IntN(9))
	case 3:
		run("UPDATE notes SET n = ?"+some, rnd.IntN(9))
	case 4:
		run("UPDATE notes SET code = ?"+some, code())
	case 5:
		run("UPDATE OR REPLACE notes SET code = ?, n = n + 1"+some, code())
	case 6:
		run("DELETE FROM notes" + some)
	}
}

// looseEqual waits until the tables have what the database has. A value of the key that does not fit its column is null in the mirror.
func looseEqual(t *testing.T, p *proof.Process, db *dbsql.DB) {
	t.Helper()
	const code = "CASE WHEN typeof(code) = 'integer' THEN code END"
	for _, c := range []struct{ database, table string }{
		{"SELECT " + code + ", n, note FROM notes", "SELECT code, n, note FROM gold.whole"},
		{"SELECT " + code + ", n + 1, upper(note) FROM notes WHERE n % 3 > 0", "SELECT code, m, note FROM gold.some"},
		{"SELECT " + code + ", count(*), sum(n) FROM notes GROUP BY 1", "SELECT code, c, s FROM gold.sums"},
		{"SELECT count(*), count(*), 0 FROM notes", "SELECT (SELECT count(*) FROM (SELECT DISTINCT code, _key FROM gold.whole)), count(*), 0 FROM gold.whole"},
	} {
		want := rowsOfThree(t, db, c.database)
		err := proof.Until(t.Context(), func() (bool, error) {
			a, err := p.SQL(t.Context(), c.table)
			if err != nil {
				return false, err
			}
			var got []string
			for _, row := range a.Rows {
				got = append(got, fmt.Sprintf("%v|%v|%v", row[0], row[1], row[2]))
			}
			slices.Sort(got)
			if slices.Equal(got, want) {
				return true, nil
			}
			return false, fmt.Errorf("%q, want %q", got, want)
		})
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.table, err, p.House.Tail())
		}
		t.Logf("%s: %d rows", c.table, len(want))
	}
}

// rowsOfThree are the rows of a query of three columns, in order.
func rowsOfThree(t *testing.T, db *dbsql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	must(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var cells [3]any
		must(t, rows.Scan(&cells[0], &cells[1], &cells[2]))
		out = append(out, fmt.Sprintf("%v|%v|%v", cells[0], cells[1], cells[2]))
	}
	must(t, rows.Err())
	slices.Sort(out)
	return out
}
