//go:build duckdb_arrow

package duck_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
)

// A table that is filled again and again has the rows of the last time, whole, in their columns, whatever
// their number, also after a time that failed; a statement that reads it again and again sees them.
func TestFillAgain(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a b.duckdb")
	in, err := duck.Open(ctx, duck.Options{Path: path, Threads: 1, MemoryBytes: 64 << 20, Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := in.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64}, {Name: "b", Type: arrow.BinaryTypes.String}, {Name: "c", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	batch := func(rows, n int) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range rows {
			b.Field(0).(*array.Int64Builder).Append(int64(n))
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("text ", n))
			b.Field(2).(*array.Float64Builder).Append(float64(n) / 2)
		}
		return b.NewRecordBatch()
	}
	if err := conn.Exec(ctx, "CREATE TABLE sums (n BIGINT, c DOUBLE, b VARCHAR, rows BIGINT)"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Feed(ctx, "t", schema); err != nil {
		t.Fatal(err)
	}
	always := func(text string, args ...any) {
		t.Helper()
		if _, err := conn.Always(ctx, text, args...); err != nil {
			t.Fatal(err)
		}
	}
	const sum = "INSERT INTO sums SELECT ?::BIGINT, max(c), min(b), count(*) FROM (SELECT c, b FROM t)"
	for n, rows := range []int{3, 2, 0, 5000, 1, 4, 60_000, 60_000, 7, 1999, 1, 0, 1} {
		always("BEGIN")
		if n == 5 || n == 7 || n == 9 { // a Fill of a transaction that is undone
			if err := conn.Fill(ctx, "t", []arrow.RecordBatch{batch(10, 99)}); err != nil {
				t.Fatal(err)
			}
			always(sum, 99)
			if err := conn.Exec(ctx, "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			always("BEGIN")
		}
		if err := conn.Fill(ctx, "t", []arrow.RecordBatch{batch(rows, n), batch(rows, n)}); err != nil {
			t.Fatal(err)
		}
		always(sum, n)
		always("COMMIT")
		var got, b string
		if err := conn.QueryRowContext(ctx, "SELECT rows || ' ' || coalesce(c, -1), coalesce(b, '') FROM sums WHERE n = ?", n).Scan(&got, &b); err != nil {
			t.Fatal(err)
		}
		want, text := fmt.Sprintf("%d %.1f", 2*rows, float64(n)/2), fmt.Sprint("text ", n)
		if rows == 0 {
			want, text = "0 -1.0", ""
		}
		if got != want || b != text {
			t.Errorf("time %d: %s %q, want %s %q", n, got, b, want, text)
		}
	}
	other := arrow.NewSchema([]arrow.Field{{Name: "d", Type: arrow.PrimitiveTypes.Int64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, other)
	b.Field(0).(*array.Int64Builder).Append(5)
	if err := errors.Join(conn.Feed(ctx, "t", other), conn.Fill(ctx, "t", []arrow.RecordBatch{b.NewRecordBatch()})); err != nil {
		t.Fatal(err)
	}
	always("INSERT INTO sums SELECT d, d, d, d FROM t")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := duck.Open(ctx, duck.Options{Path: path, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if conn, err = again.Conn(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var rows, views int
	if err := conn.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM sums), (SELECT count(*) FROM duckdb_views() WHERE NOT internal)").Scan(&rows, &views); err != nil || rows != 14 || views != 0 {
		t.Errorf("the file has %d rows and %d views: %v", rows, views, err)
	}
}

// A table that is filled again and again with few large rows has the room of a few times, and not of all since it was made.
func TestFillLarge(t *testing.T) {
	ctx := t.Context()
	_, conn := opened(t, duck.Options{Threads: 1, MemoryBytes: 32 << 20, Sandbox: true})
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String}}, nil)
	if err := conn.Feed(ctx, "t", schema); err != nil {
		t.Fatal(err)
	}
	for _, size := range []struct{ rows, bytes int }{{400, 10_000}, {1900, 2_000}, {20, 50_000}} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range size.rows {
			b.Field(0).(*array.StringBuilder).Append(strings.Repeat("x", size.bytes))
		}
		batch := b.NewRecordBatch()
		for n := range 60 {
			if err := conn.Fill(ctx, "t", []arrow.RecordBatch{batch}); err != nil {
				t.Fatalf("%d rows of %d bytes, time %d: %v", size.rows, size.bytes, n, err)
			}
		}
	}
}
