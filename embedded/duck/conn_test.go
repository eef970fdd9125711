//go:build duckdb_arrow

package duck_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
)

// Every connection of an instance has the instance's settings, its own variables, and
// nothing is left of a load but the table.
func TestConnectionsAreAlike(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	ctx := t.Context()
	in, err := duck.Open(ctx, duck.Options{Threads: 1, MemoryBytes: 64 << 20, Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	var conns []*duck.Conn
	for range 3 {
		c, err := in.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns = append(conns, c)
	}
	ask := func(c *duck.Conn, query string) (got string) {
		t.Helper()
		if err := c.QueryRowContext(ctx, query).Scan(&got); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return got
	}
	for i, c := range conns {
		if zone := ask(c, "SELECT current_setting('TimeZone')"); zone != "UTC" {
			t.Errorf("connection %d has zone %s", i, zone)
		}
		if half := ask(c, "SELECT 1/2"); half != "0" {
			t.Errorf("connection %d divides integers to %s", i, half)
		}
	}
	if err := conns[0].SetList(ctx, "v", []string{"a'b", "c"}); err != nil {
		t.Fatal(err)
	}
	if got := ask(conns[0], "SELECT getvariable('v')[1]"); got != "a'b" {
		t.Errorf("the list holds %q", got)
	}
	if got := ask(conns[1], "SELECT coalesce(getvariable('v')::VARCHAR, 'none')"); got != "none" {
		t.Errorf("another connection sees %q", got)
	}
	if err := conns[0].Unset(ctx, "v"); err != nil {
		t.Fatal(err)
	}

	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	if err := conns[0].Load(ctx, "loaded", schema, []arrow.RecordBatch{b.NewRecordBatch()}); err != nil {
		t.Fatal(err)
	}
	if n := ask(conns[1], "SELECT count(*) FROM duckdb_views() WHERE NOT internal"); n != "0" {
		t.Errorf("%s views are left of a load", n)
	}
}

// TestDiscard: what stays on a connection that is discarded nobody meets again.
func TestDiscard(t *testing.T) {
	in, err := duck.Open(t.Context(), duck.Options{Threads: 1, MemoryBytes: 64 << 20, Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	for _, discard := range []bool{true, false} {
		c, err := in.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := c.QueryRowContext(t.Context(), "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'left'").Scan(&n); err != nil || n != 0 {
			t.Errorf("discarded %v: %d tables are left, %v", discard, n, err)
		}
		if err := c.Exec(t.Context(), `CREATE TEMP TABLE "left" AS SELECT 1`); err != nil {
			t.Fatal(err)
		}
		if discard {
			c.Discard()
		} else {
			_ = c.Close()
		}
		if in.InUse() != 0 {
			t.Errorf("%d connections are in use", in.InUse())
		}
	}
}
