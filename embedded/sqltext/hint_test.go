//go:build duckdb_arrow

package sqltext_test

import (
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

func TestSyntaxHints(t *testing.T) {
	c := newCage(t)
	for statement, want := range map[string]string{
		"SELEC 1":                       "did you mean SELECT?",
		"hello":                         "a statement begins with SELECT, SHOW TABLES or DESCRIBE table, for example",
		"SELECT * FORM t":               "did you mean FROM instead of FORM?",
		"SELECT id FROM t WEHRE id = 1": "did you mean WHERE instead of WEHRE?",
		"SELECT id FROM t AT (TIMESTAMP => now()) c": "an alias goes before AT, as in FROM silver.calls c AT (…)",
		"SELECT id FROM t AT (VERSION => 1) AS c":    "an alias goes before AT, as in FROM silver.calls c AT (…)",
		"SELECT (1":                "check the form of the statement at that place",
		"SELECT id id2 id3 FROM t": "check the form of the statement at that place",
	} {
		if _, err := c.rewrite(statement); fault.CodeOf(err) != fault.Syntax || fault.HintOf(err) != want {
			t.Errorf("%s: %v, hint %s", statement, err, fault.HintOf(err))
		}
	}
}

func TestAnswerable(t *testing.T) {
	for typ, want := range map[string]bool{
		"HUGEINT": true, "TIME": true, "TIMESTAMP WITH TIME ZONE": true, `STRUCT(a INTEGER, "BIT" DATE)`: true, "DECIMAL(38,0)[]": true,
		"UHUGEINT": false, "TIME WITH TIME ZONE": false, "STRUCT(a UHUGEINT)": false, "MAP(VARCHAR, TIME WITH TIME ZONE[])": false, "BIT[]": false,
	} {
		if err := sqltext.Answerable(typ); (err == nil) != want {
			t.Errorf("%s: %v", typ, err)
		}
	}
}
