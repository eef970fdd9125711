//go:build duckdb_arrow

package lake_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var longKeyed = []table.Column{
	{Name: "k", Type: record.String, Key: true},
	{Name: "price", Type: record.Long, Key: true},
	{Name: "n", Type: record.Long},
}

// longKeys are rows with keys of 165 bytes, some of them null, and their keys.
func longKeys(from, to, n int) (rows, keys arrow.RecordBatch) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(longKeyed))
	for i := from; i < to; i++ {
		if k := b.Field(0).(*array.StringBuilder); i%1000 > 0 {
			k.Append(fmt.Sprintf("%x-%0100d", sha256.Sum256(fmt.Append(nil, i)), i))
		} else {
			k.AppendNull()
		}
		b.Field(1).(*array.Int64Builder).Append(int64(i))
		b.Field(2).(*array.Int64Builder).Append(int64(n))
	}
	rows = b.NewRecordBatch()
	return rows, array.NewRecordBatch(table.ArrowSchema(longKeyed[:2]), rows.Columns()[:2], rows.NumRows())
}

// TestMoreKeysThanMemory changes more rows at once than the lake's memory holds the keys of: they are looked up some at a time, and each
// key has its last row alone.
func TestMoreKeysThanMemory(t *testing.T) {
	const commits, size, step = 3, 50_000, 20_000
	dir := t.TempDir()
	o := options(filepath.Join(dir, "lake"), disk.Local)
	o.MemoryBytes, o.TempDir = 46<<20, filepath.Join(dir, "tmp")
	l, err := lake.Open(t.Context(), o)
	must(t, err)
	h := &house{Lake: l, t: t, dir: o.Dir, fs: disk.Local}
	defer func() { must(t, h.Close()) }()
	tab := h.ensure(orders, longKeyed)
	want := map[int]int{}
	for i := range commits {
		rows, keys := longKeys(i*step, i*step+size, i)
		c := table.Change{Rows: []arrow.RecordBatch{rows}, Keys: []arrow.RecordBatch{keys.NewSlice(0, 10), keys.NewSlice(10, 15), keys.NewSlice(15, size)}}
		_, err := tab.Commit(t.Context(), c)
		must(t, err)
		for n := i * step; n < i*step+size; n++ {
			want[n] = i
		}
	}
	got := map[int]int{}
	_, _, err = tab.Read(t.Context(), []string{"price", "n"}, func(b arrow.RecordBatch) error {
		for i := range int(b.NumRows()) {
			price := int(b.Column(0).(*array.Int64).Value(i))
			if _, twice := got[price]; twice {
				t.Errorf("key %d has two rows", price)
			}
			got[price] = int(b.Column(1).(*array.Int64).Value(i))
		}
		return nil
	})
	must(t, err)
	if !maps.Equal(got, want) {
		t.Errorf("%d rows, want %d, each with its last value", len(got), len(want))
	}
}

// TestPlacesThatAreNot: a change by places that no file has is refused, rather than taken for one that takes nothing out.
func TestPlacesThatAreNot(t *testing.T) {
	h := open(t, t.TempDir(), disk.Local)
	tab := h.ensure(orders, orderColumns)
	s := commit(t, tab, table.Change{Rows: numbered(0, 1, 3)})
	scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{})
	if err != nil {
		t.Fatal(err)
	}
	defer scan.Release()
	for path, position := range map[string]uint32{scan.Files[0].Path: 3, "a value of a column": 0, "": 0} {
		if _, err := tab.Commit(t.Context(), table.Change{Of: &s.ID, Rows: numbered(7, 1, 1), Gone: map[string]*roaring.Bitmap{path: roaring.BitmapOf(position)}}); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%q, %d: %v", path, position, err)
		}
	}
	if s = commit(t, tab, table.Change{Of: &s.ID, Gone: map[string]*roaring.Bitmap{scan.Files[0].Path: roaring.BitmapOf(0, 2)}}); s.Rows != 1 {
		t.Errorf("%d rows are left, want 1", s.Rows)
	}
}
