//go:build duckdb_arrow

package duck_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
)

// endless is an answer that no memory holds: whoever waits for its end never has its first row.
const endless = "SELECT i, repeat('x', 1000) FROM range(1000000000000) t(i)"

func opened(t *testing.T, o duck.Options) (*duck.Instance, *duck.Conn) {
	t.Helper()
	in, err := duck.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	c, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return in, c
}

// TestStream reads the beginning of an answer without end, in order; the connection that has let it go answers others.
func TestStream(t *testing.T) {
	in, c := opened(t, duck.Options{Threads: 2, MemoryBytes: 64 << 20})
	for range 3 {
		r, err := c.Stream(t.Context(), endless)
		if err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		for rows < 20_000 && r.Next() {
			if first := r.RecordBatch().Column(0).(*array.Int64).Value(0); first != rows {
				t.Fatalf("row %d is %d", rows, first)
			}
			rows += r.RecordBatch().NumRows()
		}
		if r.Err() != nil || rows < 20_000 {
			t.Fatal(rows, r.Err())
		}
		r.Release()
		r.Release() // does nothing
		if r.Next() {
			t.Error("rows of a reader that is released")
		}
	}
	other, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if n, err := other.Texts(t.Context(), "SELECT count(*)::VARCHAR FROM duckdb_temporary_files()"); err != nil || n[0] != "0" {
		t.Error(n, err)
	}
	if n, err := c.Texts(t.Context(), "SELECT sum(i)::VARCHAR FROM range(10) t(i)"); err != nil || n[0] != "45" {
		t.Error(n, err)
	}
}

// TestStreamEnds holds what ends an answer: its last row, an error before and within its rows, and its context.
func TestStreamEnds(t *testing.T) {
	_, c := opened(t, duck.Options{Threads: 2, MemoryBytes: 64 << 20})
	read := func(ctx context.Context, query string, enough func(rows int64)) (int64, error) {
		r, err := c.Stream(ctx, query)
		if err != nil {
			return 0, err
		}
		defer r.Release()
		rows := int64(0)
		for r.Next() {
			rows += r.RecordBatch().NumRows()
			enough(rows)
		}
		return rows, r.Err()
	}
	nothing := func(int64) {}
	for query, want := range map[string]int64{"SELECT 1": 1, "SELECT 1 WHERE false": 0, "SELECT i FROM range(300000) t(i) ORDER BY -i": 300_000} {
		if rows, err := read(t.Context(), query, nothing); rows != want || err != nil {
			t.Error(query, rows, err)
		}
	}
	for _, query := range []string{"SELEC", "SELECT nope", "SELECT error('no') FROM range(10)", "SELECT CASE WHEN i = 900000 THEN error('no') ELSE 'x' END FROM range(1000000) t(i)"} {
		if rows, err := read(t.Context(), query, nothing); err == nil {
			t.Error(query, rows)
		}
	}
	if _, err := read(t.Context(), "SELECT list(i || repeat('x', 100)) FROM range(3000000) t(i)", nothing); !duck.OutOfMemory(err) {
		t.Error(err)
	}
	for _, query := range []string{endless, "SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 3", "SELECT i FROM range(1000000000000) t(i) WHERE i = 50 OR i < 0"} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := context.AfterFunc(t.Context(), cancel)
		go func() {
			if query != endless {
				cancel() // it may have begun, or not
			}
		}()
		_, err := read(ctx, query, func(int64) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Error(query, err)
		}
		stop()
		cancel()
	}
	if rows, err := read(t.Context(), "SELECT 1", nothing); rows != 1 || err != nil {
		t.Error(rows, err)
	}
}

// TestProgress looks at a query while it works through a table, which without a cancel would take a minute and more.
func TestProgress(t *testing.T) {
	_, c := opened(t, duck.Options{Threads: 2, MemoryBytes: 256 << 20, Sandbox: true})
	for _, make := range []string{"CREATE TEMP TABLE wide AS SELECT i FROM range(10000000) t(i)", "CREATE TEMP TABLE narrow AS SELECT k FROM range(1000) t(k)"} {
		if err := c.Exec(t.Context(), make); err != nil {
			t.Fatal(err)
		}
	}
	var p duck.Progress
	if percent, known := p.Percent(); known {
		t.Errorf("%g before it begins", percent)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		r, err := c.Follow(ctx, "SELECT count(*) FROM wide a, narrow b WHERE (i + k) % 7 = 3", &p)
		if err == nil {
			r.Release()
		}
		ended <- err
	}()
	last := 0.0
	for last == 0 {
		select {
		case err := <-ended:
			t.Fatal("it has ended before it was seen to be on the way: ", err)
		default:
		}
		percent, known := p.Percent()
		if percent < last || percent > 100 || !known && percent != 0 {
			t.Fatalf("%g, %t after %g", percent, known, last)
		}
		last = percent
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if percent, known := p.Percent(); known {
		t.Errorf("%g after its end", percent)
	}
}
