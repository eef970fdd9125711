//go:build duckdb_arrow

package sql_test

import (
	"fmt"
	"testing"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
)

// TestPressure has the process beyond its memory: one statement after the other ends, though nobody reads the rows of the one that is
// told first, so that it stays.
func TestPressure(t *testing.T) {
	h := open(t)
	long := make(chan error, 1)
	go func() {
		_, _, err := h.gate.Whole(t.Context(), guard.Principal{User: "long"}, "SELECT sum(a.i * b.i % 7) FROM range(1000000) a(i), range(1000000) b(i)")
		long <- err
	}()
	h.runs(t, "long")
	unread, err := h.gate.Run(t.Context(), engine.Request{Text: "SELECT i FROM range(1000000) t(i)", Principal: guard.Principal{User: "unread"}})
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	h.runs(t, "unread")
	duck.Limit(1)
	defer duck.Limit(0)
	select {
	case err := <-long:
		if fault.CodeOf(err) != fault.TooLarge {
			t.Error(err)
		}
	case <-time.After(3 * time.Minute):
		t.Fatal("the first statement goes on")
	}
	for unread.Reader.Next() {
	}
	if err := unread.Reader.Err(); fault.CodeOf(err) != fault.TooLarge {
		t.Errorf("the second one: %v", err)
	}
}

// runs waits until a user's statement has run for a second.
func (h *house) runs(t *testing.T, user string) {
	t.Helper()
	text := fmt.Sprintf(`SELECT count(*) FROM system.queries WHERE "user" = '%s' AND state = 'running' AND ms - queued_ms > 1000`, user)
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		rows, _, err := h.gate.Whole(t.Context(), guard.Principal{User: "counter"}, text)
		if err != nil {
			t.Fatal(err)
		}
		if rows[0][0] == int64(1) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the statement of %s does not run", user)
		}
	}
}
