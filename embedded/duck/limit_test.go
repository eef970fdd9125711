//go:build duckdb_arrow && linux

package duck_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"tarn/embedded/duck"
)

func status(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), name+":")
	kb, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func streamed(ctx context.Context, conn *duck.Conn, query string) error {
	rows, err := conn.Stream(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Release()
	for rows.Next() {
	}
	return rows.Err()
}

// TestLimit has values that an instance's own limit does not count: they fail before the process has more than its limit.
func TestLimit(t *testing.T) {
	_, conn := opened(t, duck.Options{MemoryBytes: 128 << 20, Threads: 2})
	peak := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) == nil // VmHWM begins anew, where the system can do that
	limit := status(t, "VmRSS") + 100<<20
	duck.Limit(limit)
	defer duck.Limit(0)
	for name, query := range map[string]string{
		"a text":                 "SELECT len(repeat('x', 1000000000))",
		"texts of one vector":    "SELECT max(len(repeat('x', 10000000 + i::INT))) FROM range(2048) t(i)",
		"a list":                 "SELECT len(range(1000000000::BIGINT))",
		"lists of one vector":    "SELECT max(len(list_resize([1], 1000000 + i))) FROM range(2048) t(i)",
		"a width":                "SELECT len(format('{:>1000000000}', 1))",
		"what a pattern matches": "SELECT len(regexp_replace(repeat('x', 100000), 'x', repeat('y', 100000), 'g'))",
		"what stands for a part": "SELECT len(replace(repeat('x', 100000), 'x', repeat('y', 100000)))",
	} {
		if _, err := conn.Texts(t.Context(), query); !duck.OutOfMemory(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bytes := range []int{10_000, 20_000, 30_000, 40_000} { // Arrow's arrays come beside the vectors that they are made of
		if err := streamed(t.Context(), conn, fmt.Sprintf("SELECT repeat('x', %d + i::INT) FROM range(2048) t(i)", bytes)); err != nil && !duck.OutOfMemory(err) {
			t.Errorf("an answer of texts of %d bytes: %v", bytes, err)
		}
	}
	// A C++ string that grows is not looked at below 64 MB, and is there twice while it does.
	if most := status(t, "VmHWM"); peak && most > limit+128<<20 {
		t.Errorf("the process had %d MB, its limit is %d MB", most>>20, limit>>20)
	}
	if _, err := conn.Texts(t.Context(), "SELECT len(repeat('x', 10000000))"); err != nil { // nothing of it is left
		t.Error(err)
	}
}

// TestLimitOfThreads has many threads whose statements hold megabytes and end: what their heaps keep is not taken for memory in use.
func TestLimitOfThreads(t *testing.T) {
	_, conn := opened(t, duck.Options{MemoryBytes: 128 << 20, Threads: 1})
	duck.Limit(status(t, "VmRSS") + 64<<20)
	defer duck.Limit(0)
	all := make(chan struct{})
	defer close(all) // a thread that ends hands its heap on
	for range 16 {
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			_, err := conn.Texts(t.Context(), "SELECT len(replace(repeat('x', 100), 'x', repeat('y', 70000)))")
			done <- err
			<-all
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if duck.Pressed() {
		t.Errorf("the process has %d MB when its statements have ended", status(t, "VmRSS")>>20)
	}
}
