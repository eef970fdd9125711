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
