//go:build duckdb_arrow

package trino

import (
	"runtime"
	"strings"
	"testing"
)

// rewritings are forms whose tables or order need a lake to be run.
var rewritings = []struct{ said, want string }{
	{"FROM t FOR VERSION AS OF 3", "FROM t AT (VERSION => 3)"},
	{"FROM t FOR VERSION AS OF 'release' WHERE x", "FROM t AT (VERSION => 'release') WHERE x"},
	{"FROM t FOR VERSION AS OF 62123 c", "FROM t c AT (VERSION => 62123)"},
	{"FROM t FOR VERSION AS OF 3 AS c JOIN u FOR TIMESTAMP AS OF DATE '2026-01-01' d ON c.id = d.id", "FROM t AS c AT (VERSION => 3) JOIN u d AT (TIMESTAMP => DATE '2026-01-01') ON c.id = d.id"},
	{`FROM t FOR TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00' "c d" (x, y), u`, `FROM t "c d" (x, y) AT (TIMESTAMP => TIMESTAMP '2026-01-01 00:00:00'), u`},
	{"CAST(x AS array( array (bigint) ))", "CAST(x AS  bigint[] [])"},
	{"array(SELECT 1)", "array(SELECT 1)"},
	{"listagg(x'65', ',') WITHIN GROUP (ORDER BY y) FILTER (WHERE z)", "listagg(unhex('65'), ',' ORDER BY y) FILTER (WHERE z)"},
}

func TestFormsAreRewritten(t *testing.T) {
	for _, r := range rewritings {
		got, err := rewrite(r.said, session{})
		if err != nil || got.text != r.want {
			t.Errorf("%s: got %s, %v, want %s", r.said, got.text, err, r.want)
		}
	}
}

// TestDeepFormsTakeNoMoreThanTheirText counts what is allocated, which was the square of the depth.
func TestDeepFormsTakeNoMoreThanTheirText(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("array(", 20_000) + "1" + strings.Repeat(")", 20_000), strings.Repeat("array(", 20_000), strings.Repeat("listagg(", 20_000) + strings.Repeat(") within group (", 20_000),
		strings.Repeat("values ", 100_000), strings.Repeat("(values ", 20_000) + "1" + strings.Repeat(")", 20_000), strings.Repeat("order by ", 100_000), strings.Repeat("if(a, ", 20_000) + "1" + strings.Repeat(")", 20_000),
		strings.Repeat("json_object('a': ", 20_000) + "1" + strings.Repeat(")", 20_000), strings.Repeat("listagg(x on overflow ", 20_000) + strings.Repeat(")", 20_000),
		strings.Repeat("json_value(x, 'lax $' default ", 5_000) + "1" + strings.Repeat(" on empty)", 5_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := rewrite(text, session{}); err != nil {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%.20s… took %d MiB", text, got>>20)
		}
	}
}

// TestWhatWouldGrowIsRefused: a form that is written twice within another of its kind.
func TestWhatWouldGrowIsRefused(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("SELECT 1 ORDER BY (", 30) + "1" + strings.Repeat(" FETCH FIRST 1 ROWS WITH TIES)", 30),
		strings.Repeat("json_query(x, 'lax $' ", 20_000) + strings.Repeat(")", 20_000),
		"json_exists(x, 'lax $" + strings.Repeat(".a", 1000) + "')",
	} {
		if got, err := rewrite(text, session{}); err == nil {
			t.Errorf("%.40s… became %d bytes", text, len(got.text))
		}
	}
}
