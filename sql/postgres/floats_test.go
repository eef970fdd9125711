//go:build duckdb_arrow

package postgres

import "testing"

func TestFloats(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT x::float, CAST((x) AS FLOAT), x :: float(24), CAST(x AS float(53)), x::float[]":                         "SELECT x::float8, CAST((x) AS float8), x :: float4, CAST(x AS float8), x::float8[]",
		"SELECT 1 AS float, (SELECT float FROM t AS float), \"float\", float, t.float, 'a::float', float(1) -- ::float": "",
		"CREATE TABLE t (a float, \"float\" float(24) NOT NULL, float FLOAT)":                                           "CREATE TABLE t (a float8, \"float\" float4 NOT NULL, float float8)",
		"ALTER TABLE t ADD COLUMN a float": "ALTER TABLE t ADD COLUMN a float8",
		"ALTER TABLE t ALTER c TYPE float": "ALTER TABLE t ALTER c TYPE float8",
		"SELECT a float, b FROM t":         "", "SELECT float": "", "float": "", "SELECT x::float8, y::float4": "", "SELECT 1::float(x)": "",
	} {
		if want == "" {
			want = text
		}
		if got, err := floats(text); err != nil || got != want {
			t.Errorf("%s is %s, want %s: %v", text, got, want, err)
		}
	}
}
