//go:build duckdb_arrow

package lake_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tarn/embedded/disk"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestAClockThatWasSetBack has a table whose last commits bear the times of an hour ahead. It
// takes rows, keys, properties and a compaction at once; their times go up, and those that were
// there stay.
func TestAClockThatWasSetBack(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	put := func(id int, c table.Change) {
		t.Helper()
		c.Rows = rows(t, tab.Columns(), fmt.Sprintf(`{"id": %d, "note": "n", "_generation": 1}`, id))
		if _, err := tab.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for id := range 4 {
		put(id, table.Change{})
	}
	ahead := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	h.restamp(orders, func(i int) time.Time { return ahead.Add(time.Duration(i) * time.Second) })
	before := h.times(orders)
	put(4, table.Change{})
	put(5, table.Change{Properties: map[string]string{"p": "1"}})
	if _, err := tab.Commit(t.Context(), table.Change{Properties: map[string]string{"p": "2"}}); err != nil {
		t.Fatal(err)
	}
	after := h.times(orders)
	if len(after) != len(before)+2 {
		t.Fatalf("times are %v, were %v", after, before)
	}
	for i, at := range after {
		if i < len(before) && at != before[i] {
			t.Errorf("the time of snapshot %d became %d, was %d", i, at, before[i])
		}
		if i > 0 && at < after[i-1] {
			t.Errorf("the time of snapshot %d goes back: %v", i, after)
		}
	}
	h.execute(orders, catalog.Order{Action: catalog.Compact})
	again := open(t, h.dir, disk.Local) // which reads the metadata anew
	tab2, err := again.Tables().Open(t.Context(), orders)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := tab2.Property("p")
	snap, err := tab2.Commit(t.Context(), table.Change{Properties: map[string]string{"p": "3"}})
	if err != nil || p != "2" || snap.Rows != 6 {
		t.Errorf("property is %q, rows are %d, %v", p, snap.Rows, err)
	}
}

// times lists the times of a table's snapshots, oldest first, in milliseconds.
func (h *house) times(id table.Ident) []int64 {
	var out []int64
	for _, s := range h.metadata(id)["snapshots"].([]any) {
		n, _ := s.(map[string]any)["timestamp-ms"].(json.Number).Int64()
		out = append(out, n)
	}
	return out
}
