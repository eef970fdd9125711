//go:build duckdb_arrow

package lake_test

import (
	"errors"
	"iter"
	"path/filepath"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestRowsOfStatementsStopAtTheReserve: what statements write is refused there, before its first row and in its midst, and leaves no file;
// landing, and rows that go, go on.
func TestRowsOfStatementsStopAtTheReserve(t *testing.T) {
	dir := t.TempDir()
	free, err := disk.Local.Free(dir)
	if err != nil {
		t.Fatal(err)
	}
	fs := &disk.FS{Dir: dir}
	o := options(filepath.Join(dir, "lake"), fs)
	o.DiskReserve = 1
	one := func(offset string) arrow.RecordBatch {
		return rows(t, rawColumns, `{"_partition":0,"_offset":`+offset+`,"value":"x"}`)[0]
	}
	given := func(all ...arrow.RecordBatch) iter.Seq2[arrow.RecordBatch, error] {
		return func(yield func(arrow.RecordBatch, error) bool) {
			for _, b := range all {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
	open := func() (*house, table.Table) {
		l, err := lake.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		h := &house{Lake: l, t: t, dir: o.Dir, fs: fs}
		t.Cleanup(func() { _ = h.Close() })
		return h, h.ensureWith(raw, rawColumns, nil)
	}

	files := func() int {
		all, err := filepath.Glob(filepath.Join(o.Dir, "warehouse", "*", "*", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}

	h, tab := open()
	before := files()
	asked := 0
	gone := errors.New("the disk is gone")
	fs.Hook = func(op, _ string) error {
		if op == "free" {
			if asked++; asked == 3 {
				return gone
			}
		}
		return nil
	}
	if _, err := tab.Write(t.Context(), given(one("0"), one("1"), one("2"), one("3"))); !errors.Is(err, gone) || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	fs.Hook = nil
	if files() != before {
		t.Error("a write that was refused in its midst has left something")
	}
	must(t, h.Close())

	fs.Reserve, o.DiskReserve = 2*free, 2*free
	h, tab = open()
	commit(t, tab, table.Change{Rows: []arrow.RecordBatch{one("0")}})
	before = files()
	if _, err := tab.Write(t.Context(), given(one("1"))); fault.CodeOf(err) != fault.NoSpace {
		t.Errorf("at the reserve: %v", err)
	}
	if files() != before {
		t.Error("a write that was refused has left something")
	}
	none, err := tab.Write(t.Context(), given())
	if err != nil {
		t.Fatal(err)
	}
	scan, err := h.Catalog().Scan(t.Context(), raw, catalog.At{})
	if err != nil {
		t.Fatal(err)
	}
	path := pathsOf(scan)[0]
	scan.Release()
	commit(t, tab, table.Change{Of: &scan.SnapshotID, Written: []table.Written{none}, Gone: map[string]*roaring.Bitmap{path: roaring.BitmapOf(0)}})
	if left := h.read(raw, catalog.At{}); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}
