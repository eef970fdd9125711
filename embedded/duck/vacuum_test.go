//go:build duckdb_arrow

package duck_test

import (
	"testing"

	"tarn/embedded/duck"
)

// TestVacuum deletes most rows of a table that has nearly all memory: DuckDB would put the others together behind the commit, and be of no
// more use where it cannot.
func TestVacuum(t *testing.T) {
	_, conn := opened(t, duck.Options{MemoryBytes: 64 << 20, Threads: 1})
	for _, text := range []string{
		"SET checkpoint_threshold='1KB'",
		"CREATE TABLE t AS SELECT i, repeat(chr(97 + (i % 26)::INT), 180) AS s FROM range(262000) t(i)",
		"DELETE FROM t WHERE i % 8 < 4",
		"SELECT count(*) FROM t",
	} {
		if err := conn.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}
