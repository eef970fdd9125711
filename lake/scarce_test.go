//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/repair"
	"tarn/lake"
	"tarn/lake/table"
)

// TestARepairThatLacksMemory names the setting, and calls nothing damaged.
func TestARepairThatLacksMemory(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	big := h.ensureWith(raw, rawColumns, nil)
	commit(t, big, table.Change{Rows: rows(t, rawColumns, fmt.Sprintf(`{"_partition":0,"_offset":0,"value":%q}`, strings.Repeat("x", 24<<20)))})
	must(t, h.Close())
	before := folderHash(t, h.dir)
	o := options(h.dir, disk.Local)
	o.MemoryBytes = 8 << 20
	found, err := lake.Repair(o, repairOptions(0, nil, nil))(t.Context(), repair.Order{Yes: true, Deep: true})
	if !duck.OutOfMemory(err) || !strings.Contains(fault.HintOf(err), "memory") || len(found) > 0 || folderHash(t, h.dir) != before {
		t.Fatalf("did %+v, %v", found, err)
	}
	if found, err = lake.Repair(options(h.dir, disk.Local), repairOptions(0, nil, nil))(t.Context(), repair.Order{Yes: true, Deep: true}); err != nil || len(found) > 0 {
		t.Fatalf("with memory enough it says %+v, %v", found, err)
	}
}
