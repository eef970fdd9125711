//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"path/filepath"
	"testing"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/disk"
	"tarn/lake/table"
)

// TestSnapshotsTellTheirOffsets: whoever goes back to a snapshot finds in it how far its rows go in the
// log, also after manifests were merged and files compacted.
func TestSnapshotsTellTheirOffsets(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	key := table.PropOffsets + "landing"
	want := map[int64]string{}
	const commits = 60
	for i := range int64(commits) {
		offsets := fmt.Sprintf(`{"t":{"0":{"next":%d}}}`, i)
		c := table.Change{Rows: numbered(i, 1, 1), Properties: map[string]string{key: offsets}}
		if i%2 == 1 {
			c.Keys = numberedKeys(i-1, 1, 1)
		}
		want[commit(t, tab, c).ID] = offsets
		if i == 40 {
			h.compact(orders)
		}
	}
	_, err := foreignCommit(t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
		snaps := tab.Metadata().Snapshots()
		if len(snaps) != commits+1 {
			t.Errorf("%d snapshots", len(snaps))
		}
		for _, s := range snaps {
			if told := s.Summary.Properties[key]; want[s.SnapshotID] != "" && told != want[s.SnapshotID] || told == "" {
				t.Errorf("snapshot %d tells %q, was committed with %q", s.SnapshotID, told, want[s.SnapshotID])
			}
		}
		return tab, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
