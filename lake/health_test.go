//go:build duckdb_arrow

package lake_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarn/embedded/disk"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestHealth: every file of a table is named by its metadata, until snapshots are thinned or
// somebody leaves one there.
func TestHealth(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one, two)})
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, two), Keys: rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":1}`)})
	folder := filepath.Join(h.dir, "warehouse", "silver", "orders")
	health := func() catalog.Health {
		t.Helper()
		aged(t, folder)
		list, err := h.Catalog().Health(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		return list[0]
	}
	got := health()
	want := catalog.Health{
		Ident: orders, Files: 2, SmallFiles: 2, Bytes: got.Bytes, Rows: 3, DeleteFiles: 1, Deleted: 2, Snapshots: 2,
	}
	if got != want || got.Bytes == 0 {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}

	stray := filepath.Join(folder, "data", "stray.parquet")
	if err := os.WriteFile(stray, []byte("twelve bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := health(); got.OrphanFiles != 1 || got.OrphanBytes != 12 {
		t.Fatalf("%+v", got)
	}
	if err := os.Remove(stray); err != nil {
		t.Fatal(err)
	}

	for i := range 100 {
		commit(t, tab, table.Change{Rows: numbered(int64(10+i), 1, 1)})
	}
	if got := health(); got.Snapshots > 64 || got.OrphanFiles == 0 || got.Files != 102 {
		t.Fatalf("%+v", got)
	}
}

// aged makes files two days old: young ones count as a commit's in flight.
func aged(t testing.TB, folder string) {
	t.Helper()
	before := time.Now().Add(-48 * time.Hour)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chtimes(path, before, before)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
