//go:build duckdb_arrow

package lake_test

import (
	"os"
	"path/filepath"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/repair"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestPyIcebergFollowsNames: after an exchange, a rename and a drop PyIceberg reads under each name what Tarn reads,
// and writes to it.
func TestPyIcebergFollowsNames(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	now := h.ensure(fresher, orderColumns)
	commit(t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(0, 1, 3)})
	commit(t, now, table.Change{Rows: numbered(100, 1, 5)})
	must(t, h.Tables().Exchange(t.Context(), orders, fresher))
	for _, id := range []table.Ident{orders, fresher} {
		same(t, "after the exchange, "+id.String(), peer(t, interpreter, h.dir, "rows", id.String()), h.plain(id, catalog.At{}))
	}
	peer(t, interpreter, h.dir, "append", orders.String(), `[{"id":7,"note":"theirs"}]`)
	commit(t, now, table.Change{Rows: numbered(8, 1, 1)})
	must(t, h.Tables().Rename(t.Context(), fresher, spare))
	for _, id := range []table.Ident{orders, spare} {
		same(t, "after both wrote, "+id.String(), peer(t, interpreter, h.dir, "rows", id.String()), h.plain(id, catalog.At{}))
	}
	must(t, h.Tables().Drop(t.Context(), spare, ""))
	commit(t, h.ensure(spare, orderColumns), table.Change{Rows: numbered(9, 1, 1)})
	same(t, "made again", peer(t, interpreter, h.dir, "rows", spare.String()), h.plain(spare, catalog.At{}))
	if h.ids(orders) != "100 101 102 103 104 7 8" || h.ids(spare) != "9" {
		t.Fatalf("%s; %s", h.ids(orders), h.ids(spare))
	}
}

// TestNamesOutliveTheCatalog: a catalog that is made anew of the warehouse has the names that the lost one had,
// whatever the folders are called.
func TestNamesOutliveTheCatalog(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	for i, id := range []table.Ident{orders, fresher, spare} {
		h.ownedTable(id, int64(i+1), 1)
	}
	away := table.Ident{Namespace: "gold", Name: "away"}
	must(t, h.Tables().Exchange(t.Context(), orders, fresher))
	must(t, h.Tables().Rename(t.Context(), spare, away))
	h.ownedTable(spare, 4, 1)
	must(t, h.Catalog().CreateView(t.Context(), catalog.View{Ident: lateTable, Text: "SELECT 1", Dialect: "duckdb"}, false))
	_ = h.Close()
	must(t, os.Remove(filepath.Join(h.dir, "catalog.db")))
	found, err := lake.Repair(options(h.dir, disk.Local), repairOptions(0, nil, nil))(t.Context(), repair.Order{Yes: true})
	if err != nil || len(found) != 1 || !found[0].Done {
		t.Fatalf("%+v, %v", found, err)
	}
	h = open(t, h.dir, disk.Local)
	if got := [...]string{h.ids(orders), h.ids(fresher), h.ids(away), h.ids(spare)}; got != [...]string{"2000", "1000", "3000", "4000"} {
		t.Fatalf("the tables have %v", got)
	}
	if _, err := h.Catalog().View(t.Context(), lateTable); err != nil {
		t.Fatal(err)
	}

	// What was dropped comes back under a name of its own, and takes none away.
	must(t, h.Tables().Drop(t.Context(), orders, "fresher"))
	old := h.location(fresher)
	h.ownedTable(orders, 5, 1)
	must(t, h.Tables().Drop(t.Context(), fresher, "orders"))
	_ = h.Close()
	must(t, os.Remove(filepath.Join(h.dir, "catalog.db")))
	_, err = lake.Repair(options(h.dir, disk.Local), repairOptions(0, nil, nil))(t.Context(), repair.Order{Yes: true})
	must(t, err)
	h = open(t, h.dir, disk.Local)
	if got := [...]string{h.ids(orders), h.ids(away), h.ids(spare)}; got != [...]string{"5000", "3000", "4000"} || !there(old) {
		t.Fatalf("the tables have %v", got)
	}
	for ns, want := range map[string]int{"gold": 3, "silver": 2} { // away, fresher and the view; orders and the one that was dropped
		if entries, err := h.Catalog().Entries(t.Context(), ns); err != nil || len(entries) != want {
			t.Fatalf("%s has %v, %v", ns, entries, err)
		}
	}
}
