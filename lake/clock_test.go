//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tarn/embedded/disk"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestClockSetBack commits to a table whose last snapshot was made by a clock that ran ahead: a commit of any
// kind goes through, and time travel finds it.
func TestClockSetBack(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, 300 * 24 * time.Hour} {
		for name, do := range map[string]func(h *house, tab table.Table){
			"append": func(_ *house, tab table.Table) { commit(t, tab, table.Change{Rows: numbered(100, 1, 1)}) },
			"upsert": func(_ *house, tab table.Table) {
				commit(t, tab, table.Change{Rows: numbered(100, 1, 1), Keys: numberedKeys(1, 1, 1)})
			},
			"column": func(_ *house, tab table.Table) {
				commit(t, tab, table.Change{AddColumns: []table.Column{{Name: "new", Type: record.Long}}})
			},
			"properties": func(_ *house, tab table.Table) {
				commit(t, tab, table.Change{Properties: map[string]string{"p": "after"}})
			},
			"compact": func(h *house, _ table.Table) {
				if done := h.compact(orders); done.FilesAdded != 1 {
					t.Fatalf("%+v", done)
				}
			},
			"expire": func(h *house, _ table.Table) {
				if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1}); done.Snapshots == 0 {
					t.Fatalf("%+v", done)
				}
			},
		} {
			t.Run(fmt.Sprintf("%s, %s ahead", name, ahead), func(t *testing.T) {
				h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
				tab, _ := h.committed(5)
				h.restamp(orders, func(i int) time.Time {
					return time.Now().Add(time.Duration(i-4)*time.Minute + ahead*time.Duration(i/4))
				})
				do(h, tab)
				commit(t, tab, table.Change{Rows: numbered(200, 1, 1)})
				last := commit(t, tab, table.Change{Rows: numbered(201, 1, 1)})
				want := h.read(orders, catalog.At{})
				scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{Time: last.CommittedAt})
				if err != nil || scan.SnapshotID != last.ID {
					t.Fatalf("as of the last commit: %+v, %v", scan, err)
				}
				scan.Release()
				_ = h.Close()
				again := open(t, h.dir, disk.Local)
				equal(t, again.read(orders, catalog.At{}), want...)
				commit(t, again.ensure(orders, orderColumns), table.Change{Rows: numbered(300, 1, 1)})
			})
		}
	}
}
