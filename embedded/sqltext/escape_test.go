package sqltext_test

import (
	dbsql "database/sql"
	"strings"
	"testing"

	duckdb "github.com/duckdb/duckdb-go/v2"
	"pgregory.net/rapid"

	"tarn/embedded/sqltext"
)

// TestEscapes holds the text that E'…' means against DuckDB, which has no \uXXXX.
func TestEscapes(t *testing.T) {
	c, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := dbsql.OpenDB(c)
	defer func() { _ = db.Close() }()
	// No \711, beyond a byte: DuckDB does not read what is no UTF-8.
	part := rapid.SampledFrom([]string{"a", "é", "''", `\'`, `\\`, `\n`, `\b`, `\f`, `\r`, `\t`, `\7a`, `\07`, `\101`, `\x41`, `\x7`, `\q`, "1", "f", " "})
	rapid.Check(t, func(t *rapid.T) {
		said := "E'" + strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), "") + "'"
		tokens, err := sqltext.Lex(said)
		if err != nil || len(tokens) != 1 {
			t.Fatalf("%s: %v, %v", said, tokens, err)
		}
		var want string
		if err := db.QueryRow("SELECT " + said).Scan(&want); err != nil {
			t.Fatalf("%s: %v", said, err)
		}
		if got := tokens[0].Value(); got != want {
			t.Fatalf("%s is %q, and %q for DuckDB", said, got, want)
		}
	})
}
