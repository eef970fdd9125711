//go:build duckdb_arrow

package pipelines_test

import (
	"strings"
	"testing"

	"tarn/embedded/guard"
	"tarn/sql/engine"
)

// maker lets everybody do all but drop.
type maker struct{ guard.Open }

func (maker) Decide(_ guard.Principal, a guard.Action, _ guard.Resource) guard.Decision {
	return guard.Decision{Allow: a != guard.Drop}
}

// TestWhatIsMadeWithoutASchemaIsFoundAgain: where the session's schema takes no tables of statements, they are made in gold, found there, and
// replaced only by who may drop them.
func TestWhatIsMadeWithoutASchemaIsFoundAgain(t *testing.T) {
	s := openShop(t, maker{})
	in := func(schema, statement string) (rows int64, err error) {
		r, err := s.gate.Run(t.Context(), engine.Request{Text: statement, Principal: guard.Principal{User: "tester"}, Schemas: []string{schema}})
		if err != nil {
			return 0, err
		}
		defer r.Close()
		for r.Reader.Next() {
			rows += r.Reader.RecordBatch().NumRows()
		}
		return rows, r.Reader.Err()
	}
	for _, x := range []struct {
		schema, statement string
		rows              int64
		refused           string
	}{
		{"silver", "CREATE TABLE made AS SELECT 1 AS x", 1, ""},
		{"silver", "INSERT INTO made VALUES (2)", 1, ""},
		{"silver", "SELECT x FROM made", 2, ""},
		{"system", "SELECT x FROM made", 2, ""},
		{"gold", "SELECT x FROM made", 2, ""},
		{"silver", "CREATE VIEW seen AS SELECT x FROM made", 1, ""},
		{"silver", "SELECT x FROM seen", 2, ""},
		{"silver", "CREATE TABLE made AS SELECT 7 AS x", 0, "exists already"},
		{"silver", "CREATE TABLE IF NOT EXISTS made AS SELECT 7 AS x", 1, ""},
		{"silver", "CREATE OR REPLACE TABLE made AS SELECT 7 AS x", 0, "you may not"},
		{"silver", "SELECT x FROM made WHERE x < 7", 2, ""},
		{"silver", "CREATE TABLE silver.made AS SELECT 1 AS x", 0, "cannot be made in silver"},
		{"silver", "CREATE SCHEMA mine", 1, ""},
		{"mine", "CREATE TABLE own AS SELECT 1 AS x", 1, ""},
		{"gold", "SELECT x FROM mine.own", 1, ""},
		{"mine", "SELECT x FROM own", 1, ""},
		{"mine", "ALTER TABLE own EXECUTE compact", 5, ""},
		{"mine", "SELECT x FROM made", 0, "there is no table made"},
		{"mine", "ALTER TABLE made EXECUTE compact", 0, "there is no table made"},
		{"silver", "SELECT x FROM own", 0, "there is no table own"},
	} {
		rows, err := in(x.schema, x.statement)
		if rows != x.rows || (err != nil) != (x.refused != "") || err != nil && !strings.Contains(err.Error(), x.refused) {
			t.Errorf("in %s, %s: %d rows, %v", x.schema, x.statement, rows, err)
		}
	}
}
