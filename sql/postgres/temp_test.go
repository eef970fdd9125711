//go:build duckdb_arrow

package postgres_test

import "testing"

// TestTemporaryTables: a connection has its own, until it discards them.
func TestTemporaryTables(t *testing.T) {
	addr := open(t)
	one, two := connect(t, addr, ""), connect(t, addr, "")
	ctx := t.Context()
	if _, err := one.Exec(ctx, "CREATE TEMP TABLE few AS SELECT 7 AS n UNION ALL SELECT 8"); err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := one.QueryRow(ctx, "SELECT sum(n) FROM few WHERE n > $1", 1).Scan(&n); err != nil || n != 15 {
		t.Errorf("the sum is %d, %v", n, err)
	}
	if err := two.QueryRow(ctx, "SELECT sum(n) FROM few").Scan(&n); err == nil {
		t.Error("another connection reads it")
	}
	if _, err := one.Exec(ctx, "DISCARD TEMP"); err != nil {
		t.Error(err)
	}
	if err := one.QueryRow(ctx, "SELECT sum(n) FROM few").Scan(&n); err == nil {
		t.Error("it is there after DISCARD TEMP")
	}
}
