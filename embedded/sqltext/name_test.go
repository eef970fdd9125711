//go:build duckdb_arrow

package sqltext_test

import (
	dbsql "database/sql"
	"fmt"
	"testing"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"tarn/embedded/sqltext"
)

func TestName(t *testing.T) {
	for want, parts := range map[string][]string{
		"silver.calls":         {"silver", "calls"},
		`silver."Odd ""name"`:  {"silver", `Odd "name`},
		`"order"`:              {"order"},
		`"1st"`:                {"1st"},
		`""`:                   {""},
		`gold."a.b"`:           {"gold", "a.b"},
		"_offset":              {"_offset"},
		"\"n\u202eame\".\"é\"": {"n\u202eame", "é"},
	} {
		if got := sqltext.Name(parts...); got != want {
			t.Errorf("%q: %s, want %s", parts, got, want)
		}
	}
	for name, want := range map[string]string{"calls": "calls", "gold.calls": "gold.calls", "gold.a.b": `gold."a.b"`, "gold.Odd": `gold."Odd"`} {
		if got := sqltext.Dotted(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// TestAnyWordMayBeAName: each keyword of DuckDB is the name of a schema, a table and a column, wherever Tarn writes one.
func TestAnyWordMayBeAName(t *testing.T) {
	c, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := dbsql.OpenDB(c)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), "SELECT DISTINCT keyword_name FROM duckdb_keywords() UNION SELECT 'at'")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var words []string
	for rows.Next() {
		var word string
		if err := rows.Scan(&word); err != nil {
			t.Fatal(err)
		}
		words = append(words, word)
	}
	if err := rows.Err(); err != nil || len(words) < 400 {
		t.Fatalf("%d words: %v", len(words), err)
	}
	for _, word := range words {
		name := sqltext.Name(word)
		statement := fmt.Sprintf("WITH t AS (SELECT 1 AS %[1]s, 2 AS b) SELECT %[1]s, count(*) FROM t WHERE %[1]s = 1 AND b = 2 GROUP BY %[1]s ORDER BY %[1]s DESC", name)
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", word, err)
		}
	}
}
