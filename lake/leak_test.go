//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"runtime"
	"testing"

	"tarn/embedded/disk"
	"tarn/lake/table"
)

// TestCommitsLeaveNothingBehind: once snapshots are thinned, the heap does not grow with the
// number of commits.
func TestCommitsLeaveNothingBehind(t *testing.T) {
	unraced(t)
	h := open(t, memoryDir(t), disk.Local)
	tab := h.ensure(orders, orderColumns)
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	var at [3]float64
	for i := range at {
		for n := range int64(100) {
			id := int64(i)*100 + n
			commit(t, tab, table.Change{
				Rows:       numbered(id, 1, 1),
				Properties: map[string]string{"tarn.offsets.landing": fmt.Sprint(id)},
			})
		}
		at[i] = heap()
	}
	if grown := at[2] - at[1]; grown > 6 {
		t.Errorf("100 commits left %.1f MB behind: %.1f", grown, at)
	}
	t.Logf("heap in MB: %.1f", at)
}
