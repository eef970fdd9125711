//go:build duckdb_arrow

package lake_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/disk"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestHealth: every file of a table is named by its metadata, until snapshots are thinned or
// somebody leaves one there, and a sweep sees it.
func TestHealth(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one, two)})
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, two), Keys: rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":1}`)})
	folder := filepath.Join(h.dir, "warehouse", "silver", "orders")
	health := func() catalog.Health {
		t.Helper()
		aged(t, folder)
		must(t, h.Sweep(t.Context()))
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
	must(t, os.Remove(stray))

	for i := range 100 {
		commit(t, tab, table.Change{Rows: numbered(int64(10+i), 1, 1)})
	}
	if got := health(); got.Snapshots > 64 || got.OrphanFiles == 0 || got.Files != 102 {
		t.Fatalf("%+v", got)
	}
}

// TestHealthAdvises: what upkeep does next, and why.
func TestHealthAdvises(t *testing.T) {
	h, c := fresh(t)
	advice := func(action catalog.Action, words ...string) {
		t.Helper()
		list, err := h.Catalog().Health(t.Context())
		if err != nil || len(list) != 1 || list[0].Action != action || (list[0].Reason == "") != (action == "") {
			t.Fatalf("%+v, %v; want %q", list, err, action)
		}
		for _, w := range words {
			if !strings.Contains(list[0].Reason, w) {
				t.Fatalf("%q, want %q", list[0].Reason, w)
			}
		}
	}
	h.forgotten(c, 4)
	advice("")
	h.swept(c, graceLooks-2)
	advice("")
	c.pass(look)
	h.execute(orders, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: 1000 * time.Hour}) // a look that removes nothing
	advice(catalog.RemoveOrphanFiles, "files", "named by nothing")
	h.swept(c, 1)
	advice("")
	tab := h.ensure(orders, orderColumns)
	for i := range int64(50) {
		commit(t, tab, table.Change{Rows: numbered(i, 1, 1)})
	}
	advice(catalog.Compact, "small files")
	h.execute(orders, catalog.Order{Action: catalog.Compact})
	advice("")
	h.edit(orders, func(meta map[string]any) { // twenty more of the last one, before all
		snaps := meta["snapshots"].([]any)
		for i := range 20 {
			other := maps.Clone(snaps[len(snaps)-1].(map[string]any))
			other["snapshot-id"], other["sequence-number"] = i+1, 0
			snaps = slices.Insert(snaps, i, any(other))
		}
		meta["snapshots"] = snaps
	})
	advice(catalog.ExpireSnapshots, "snapshots are not needed")
}

// TestHealthTellsWhatHinders: orphans that wait for another table's files to be put back.
func TestHealthTellsWhatHinders(t *testing.T) {
	h, c := fresh(t)
	other := table.Ident{Namespace: "bronze", Name: "other"}
	tab := h.ensure(other, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, two)})
	h.forgotten(c, 4)
	h.swept(c, graceLooks-2)
	c.pass(look)
	h.execute(orders, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: 1000 * time.Hour}) // a look that removes nothing
	first := h.metadata(other)["snapshots"].([]any)[0].(map[string]any)
	list := strings.TrimPrefix(first["manifest-list"].(string), "file://")
	must(t, os.Rename(list, list+".away"))
	must(t, h.Close())
	h = openAt(t, h.dir, disk.Local, c) // which does not remember what it read
	must(t, h.Sweep(t.Context()))
	const says = "cannot be read"
	if got := h.health(orders); got.Action != catalog.RemoveOrphanFiles || !strings.Contains(got.Reason, "as long as "+other.String()+" "+says) {
		t.Errorf("%+v", got)
	}
	must(t, os.Rename(list+".away", list))
	must(t, h.Sweep(t.Context()))
	if got := h.health(orders); strings.Contains(got.Reason, says) {
		t.Errorf("%+v", got)
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
