//go:build duckdb_arrow

package lake_test

import (
	dbsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tarn/embedded/disk"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// swept ages all files, and returns how many a sweep removes.
func (h *house) swept() int64 {
	h.t.Helper()
	aged(h.t, filepath.Join(h.dir, "warehouse"))
	s, err := h.Sweep(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Files
}

// thinnedOut makes a table of so many commits that snapshots are thinned. It returns all of them.
func (h *house) thinnedOut(tab table.Table) (all []table.Snapshot) {
	h.t.Helper()
	for i := range 100 {
		c := table.Change{Rows: numbered(int64(i), 1, 1)}
		if i%3 == 2 {
			c.Keys = numberedKeys(int64(i-1), 1, 2)
		}
		all = append(all, commit(h.t, tab, c))
	}
	return all
}

// TestSweep: what a kept snapshot needs stays, the rest goes at the second look.
func TestSweep(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	all := h.thinnedOut(h.ensure(orders, orderColumns))
	if s, err := h.Sweep(t.Context()); err != nil || s.Files != 0 {
		t.Fatalf("young files are swept: %+v, %v", s, err)
	}
	folder := filepath.Join(h.dir, "warehouse", "silver", "orders")
	foreign := []string{"_delta_log/00000000000000000000.checkpoint.parquet", "notes.txt", "data/deletes.bin"}
	for _, name := range foreign {
		_ = os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755)
		if err := os.WriteFile(filepath.Join(folder, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[int64][]string{}
	for _, s := range all {
		if scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{SnapshotID: s.ID}); err == nil {
			kept[s.ID] = readScan(t, scan)
			scan.Release()
		}
	}
	if len(kept) == len(all) {
		t.Fatal("no snapshot was thinned out")
	}
	// The first look of the first sweep above saw young files only.
	if n := h.swept(); n != 0 {
		t.Fatalf("%d files go at the first look", n)
	}
	if n := h.swept(); n == 0 {
		t.Fatal("nothing goes at the second")
	}
	if n := h.swept() + h.swept(); n != 0 {
		t.Fatalf("%d files more", n)
	}
	for id, want := range kept {
		if got := h.read(orders, catalog.At{SnapshotID: id}); !slices.Equal(got, want) {
			t.Fatalf("snapshot %d: got %v, want %v", id, got, want)
		}
	}
	for _, name := range foreign {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := h.Catalog().Health(t.Context())
	if err != nil || list[0].OrphanFiles != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
}

// TestSweepLeavesWhatAReaderHolds: a slow reader of a snapshot that was thinned out.
func TestSweepLeavesWhatAReaderHolds(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{})
	if err != nil {
		t.Fatal(err)
	}
	h.thinnedOut(tab)
	if n := h.swept() + h.swept() + h.swept(); n != 0 {
		t.Fatalf("%d files go", n)
	}
	equal(t, readScan(t, scan), readOne)
	scan.Release()
	h.swept()
	if h.swept() == 0 {
		t.Fatal("nothing goes when the reader has gone")
	}
}

// TestSweepRemovesNothingInDoubt: beside a table that cannot be read, and where another
// table, which was renamed, has its files in the folder.
func TestSweepRemovesNothingInDoubt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	h := open(t, dir, disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	renamed := table.Ident{Namespace: "silver", Name: "former"}
	db, err := dbsql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE iceberg_tables SET table_name = 'former' WHERE table_name = 'orders'"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	h.ensure(orders, orderColumns)
	if n := h.swept() + h.swept() + h.swept(); n != 0 {
		t.Fatalf("%d files of the renamed table go", n)
	}
	equal(t, h.read(renamed, catalog.At{}), readOne)

	h.thinnedOut(h.ensure(table.Ident{Namespace: "silver", Name: "busy"}, orderColumns))
	list, err := filepath.Glob(filepath.Join(dir, "warehouse", "silver", "orders", "metadata", "*.avro"))
	if err != nil || len(list) == 0 {
		t.Fatal("no manifest", err)
	}
	for _, name := range list {
		if err := os.Truncate(name, 3); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		aged(t, filepath.Join(dir, "warehouse"))
		if s, err := h.Sweep(t.Context()); err == nil || s.Files != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
}

// TestSweepGoesOnBehindAFileThatStays: one that cannot be removed.
func TestSweepGoesOnBehindAFileThatStays(t *testing.T) {
	planted, fail := errors.New("planted"), false
	h := open(t, filepath.Join(t.TempDir(), "lake"), &disk.FS{Hook: func(op, _ string) error {
		if op == "remove" && fail {
			fail = false
			return planted
		}
		return nil
	}})
	h.thinnedOut(h.ensure(orders, orderColumns))
	h.swept()
	fail = true
	s, err := h.Sweep(t.Context())
	if !errors.Is(err, planted) || s.Files == 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	h.swept()
	if n := h.swept(); n != 1 {
		t.Fatalf("%d files go at last", n)
	}
}
