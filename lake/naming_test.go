//go:build duckdb_arrow

package lake_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var (
	fresher = table.Ident{Namespace: "gold", Name: "fresher"}
	spare   = table.Ident{Namespace: "bronze", Name: "spare"}
)

// ownedTable makes a table of n rows, from the id of a thousand on, whose owner has the table's first name.
func (h *house) ownedTable(id table.Ident, thousand int64, n int) table.Table {
	h.t.Helper()
	tab, err := h.Tables().Ensure(h.t.Context(), table.Spec{Ident: id, Columns: orderColumns, Properties: map[string]string{table.PropOwner: id.Name}})
	if err != nil {
		h.t.Fatal(err)
	}
	commit(h.t, tab, table.Change{Rows: numbered(thousand*1000, 1, n), Owner: id.Name})
	return tab
}

// ids are those of a table's rows, in order.
func (h *house) ids(id table.Ident) string {
	h.t.Helper()
	tab, err := h.Tables().Open(h.t.Context(), id)
	if errors.Is(err, table.ErrNotFound) {
		return "none"
	}
	if err != nil {
		h.t.Fatal(err)
	}
	rows, _, _ := whole(h.t, tab, "id")
	for i := range rows {
		rows[i] = strings.TrimSuffix(strings.TrimPrefix(rows[i], `{"id":`), "}")
	}
	return strings.Join(rows, " ")
}

// TestDrop: the name is free at once, handles are of no table, and the files go when nobody reads them any more.
func TestDrop(t *testing.T) {
	h, c := fresh(t)
	tab := h.ownedTable(orders, 1, 3)
	if err := h.Tables().Drop(t.Context(), orders, "somebody else"); !errors.Is(err, table.ErrOwned) || fault.HintOf(err) == "" {
		t.Fatalf("a foreign drop: %v", err)
	}
	if err := h.Tables().Drop(t.Context(), fresher, ""); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("of no table: %v", err)
	}
	scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{})
	must(t, err)
	want := readScan(t, scan)
	h.swept(c, 1)
	old := h.files()
	must(t, h.Tables().Drop(t.Context(), orders, "orders"))
	gone := func() {
		t.Helper()
		if _, err := tab.Commit(t.Context(), table.Change{Rows: numbered(9, 1, 1), Owner: "orders"}); !errors.Is(err, table.ErrNotFound) {
			t.Fatalf("commit: %v", err)
		}
		if _, _, err := tab.Read(t.Context(), []string{"id"}, func(arrow.RecordBatch) error { return nil }); !errors.Is(err, table.ErrNotFound) {
			t.Fatalf("read: %v", err)
		}
		if _, err := tab.Rows(t.Context(), []string{"id"}, table.Span{Column: "id", To: 9}, 9, nil); !errors.Is(err, table.ErrNotFound) {
			t.Fatalf("rows: %v", err)
		}
	}
	gone()
	if err := h.Tables().Drop(t.Context(), orders, "orders"); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("a second drop: %v", err)
	}
	again := h.ownedTable(orders, 2, 2)
	gone()
	if again.ID() == tab.ID() || h.ids(orders) != "2000 2001" {
		t.Fatalf("made again it is %s with %s", again.ID(), h.ids(orders))
	}
	h.sweptHours(c, 73)
	if got := readScan(t, scan); !slices.Equal(got, want) {
		t.Fatalf("a reader reads %v, began with %v", got, want)
	}
	scan.Release()
	h.swept(c, 2)
	h.sweptHours(c, 73)
	for _, f := range old {
		if there(filepath.Join(h.dir, "warehouse", f)) {
			t.Errorf("%s of the dropped table stays", f)
		}
	}
	if _, err := os.Stat(filepath.Join(h.dir, "warehouse/silver/orders")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
	if h.ids(orders) != "2000 2001" {
		t.Fatalf("the table that was made again has %s", h.ids(orders))
	}
	must(t, h.Tables().Drop(t.Context(), orders, "orders"))
	h.ownedTable(orders, 3, 1) // in the folder of its name again
	if !strings.Contains(h.location(orders), "/silver/orders/metadata/") {
		t.Fatal(h.location(orders))
	}
	_ = h.Close()
	h = openAt(t, h.dir, disk.Local, c)
	if h.ids(orders) != "3000" {
		t.Fatalf("opened again it has %s", h.ids(orders))
	}
}

// TestDropOfADamagedTable: what cannot be read can be dropped, and no longer keeps the sweep from its work.
func TestDropOfADamagedTable(t *testing.T) {
	h, c := fresh(t)
	h.ownedTable(orders, 1, 1)
	location := h.location(orders)
	_ = h.Close()
	must(t, os.WriteFile(location, []byte("{"), 0o600))
	h = openAt(t, h.dir, disk.Local, c)
	if h.reported() == "" {
		t.Fatal("no damage is told")
	}
	must(t, h.Tables().Drop(t.Context(), orders, ""))
	if r := h.reported(); r != "" || h.ids(orders) != "none" {
		t.Fatalf("%s, %s", r, h.ids(orders))
	}
	h.ownedTable(orders, 2, 1)
	h.sweptHours(c, 80)
	if there(location) || h.ids(orders) != "2000" {
		t.Fatalf("its metadata is there: %v; rows %s", there(location), h.ids(orders))
	}
}

// TestRename: the table goes on under its new name, in the folder that it has, and the old one is free.
func TestRename(t *testing.T) {
	h, c := fresh(t)
	tab, other := h.ownedTable(orders, 1, 1), h.ownedTable(spare, 5, 1)
	id := tab.ID()
	if err := h.Tables().Rename(t.Context(), orders, spare); !errors.Is(err, table.ErrExists) || fault.HintOf(err) == "" {
		t.Fatalf("to a name that is taken: %v", err)
	}
	if err := h.Tables().Rename(t.Context(), fresher, orders); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("of no table: %v", err)
	}
	if err := h.Tables().Rename(t.Context(), orders, table.Ident{Namespace: "gold", Name: "a/b"}); fault.CodeOf(err) != fault.Invalid {
		t.Fatalf("to no name: %v", err)
	}
	there := table.Ident{Namespace: "elsewhere", Name: "moved"}
	must(t, h.Tables().Rename(t.Context(), orders, there))
	commit(t, tab, table.Change{Rows: numbered(1001, 1, 1), Owner: "orders"})
	again := h.ownedTable(orders, 2, 1)
	if h.ids(there) != "1000 1001" || h.ids(orders) != "2000" || tab.ID() != id || tab.Ident() != there || again.ID() == id {
		t.Fatalf("%s has %s, %s has %s", tab.Ident(), h.ids(there), orders, h.ids(orders))
	}
	if list, err := h.Tables().List(t.Context(), "silver"); err != nil || len(list) != 1 {
		t.Fatalf("silver has %v, %v", list, err)
	}
	// What is expired of it goes, and nothing of the one that was made in its place.
	h.swept(c, 1)
	for i := range int64(4) {
		commit(t, tab, table.Change{Rows: numbered(1002+i, 1, 1), Owner: "orders"})
	}
	h.swept(c, 1)
	h.execute(there, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1})
	before := len(h.files())
	h.swept(c, graceLooks)
	if now := len(h.files()); now > before-4 {
		t.Fatalf("of %d files stay %d", before, now)
	}
	must(t, h.Tables().Drop(t.Context(), orders, "orders"))
	must(t, h.Tables().Rename(t.Context(), there, orders))
	if _, name := tab.Property(table.PropName); name || h.ids(orders) != "1000 1001 1002 1003 1004 1005" || h.ids(spare) != "5000" || other.Ident() != spare {
		t.Fatalf("back at its name it has %s", h.ids(orders))
	}
	_ = h.Close()
	h = openAt(t, h.dir, disk.Local, c)
	if h.ids(orders) != "1000 1001 1002 1003 1004 1005" || h.ids(there) != "none" {
		t.Fatalf("opened again %s has %s", orders, h.ids(orders))
	}
}

// TestExchange: two tables change names and nothing else; who has one open goes on with it.
func TestExchange(t *testing.T) {
	h, c := fresh(t)
	old, now := h.ownedTable(orders, 1, 2), h.ownedTable(fresher, 2, 3)
	ids := [2]string{old.ID(), now.ID()}
	commit(t, now, table.Change{Owner: "fresher", Properties: map[string]string{table.PropOffsets + "x": `{"t":{"0":{"next":7}}}`}})
	scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{})
	must(t, err)
	must(t, h.Tables().Exchange(t.Context(), orders, fresher))
	check := func() {
		t.Helper()
		if h.ids(orders) != "2000 2001 2002" || h.ids(fresher) != "1000 1001" {
			t.Fatalf("%s has %s, %s has %s", orders, h.ids(orders), fresher, h.ids(fresher))
		}
	}
	check()
	if old.Ident() != fresher || now.Ident() != orders || old.ID() != ids[0] || now.ID() != ids[1] {
		t.Fatalf("%s %s, %s %s", old.Ident(), old.ID(), now.Ident(), now.ID())
	}
	if v, _ := now.Property(table.PropOffsets + "x"); v == "" {
		t.Fatal("the offsets are not the table's")
	}
	if p, _ := h.Recorded(t.Context(), "t", 0); p.Next != 7 {
		t.Fatalf("recorded %+v", p)
	}
	for tab, owner := range map[table.Table]string{old: "fresher", now: "orders"} {
		if _, err := tab.Commit(t.Context(), table.Change{Rows: numbered(0, 1, 1), Owner: owner}); !errors.Is(err, table.ErrOwned) {
			t.Fatalf("the owner of the name writes to the table: %v", err)
		}
	}
	if byName, err := h.Tables().Open(t.Context(), orders); err != nil || byName != now {
		t.Fatalf("the name leads to %v, %v", byName, err)
	}
	if got := readScan(t, scan); len(got) != 2 {
		t.Fatalf("who began to read before reads %v", got)
	}
	scan.Release()
	_ = h.Close()
	h = openAt(t, h.dir, disk.Local, c)
	check()
	must(t, h.Tables().Exchange(t.Context(), fresher, orders)) // from the other side
	must(t, h.Tables().Exchange(t.Context(), orders, fresher))
	check()
	for _, bad := range [][2]table.Ident{{orders, spare}, {spare, orders}} {
		if err := h.Tables().Exchange(t.Context(), bad[0], bad[1]); !errors.Is(err, table.ErrNotFound) {
			t.Fatalf("%v: %v", bad, err)
		}
	}
	if err := h.Tables().Exchange(t.Context(), orders, orders); fault.CodeOf(err) != fault.Invalid {
		t.Fatalf("with itself: %v", err)
	}
	must(t, h.Tables().Drop(t.Context(), fresher, "orders"))
	h.sweptHours(c, 80)
	h.onlyNamed()
	if h.ids(orders) != "2000 2001 2002" {
		t.Fatalf("after the other one was swept it has %s", h.ids(orders))
	}
}

// TestExchangeAmidCommits: writers that hold their tables write on while names go to and fro, in both orders at
// once, beside readers and upkeep. Each row lands in the table that it was meant for.
func TestExchangeAmidCommits(t *testing.T) {
	t.Parallel()
	h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
	names := []table.Ident{orders, fresher, spare}
	tabs := make([]table.Table, len(names))
	counts := make([]int64, len(names))
	for i, id := range names {
		tabs[i] = h.ensure(id, orderColumns)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers, movers sync.WaitGroup
	for i, tab := range tabs {
		writers.Go(func() {
			for ctx.Err() == nil {
				n := counts[i]
				if _, err := tab.Commit(t.Context(), table.Change{Rows: numbered(int64(i)*1_000_000+n, 1, 1), Properties: map[string]string{landing: fmt.Sprint(n + 1)}}); err != nil {
					t.Error(err)
					return
				}
				counts[i]++
			}
		})
	}
	for _, pair := range [][2]int{{0, 1}, {1, 0}, {1, 2}, {2, 0}} {
		movers.Go(func() {
			for range 15 {
				if err := h.Tables().Exchange(t.Context(), names[pair[0]], names[pair[1]]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	movers.Go(func() {
		for range 20 {
			for _, id := range names {
				if _, err := h.Upkeep().Execute(t.Context(), id, catalog.Order{Action: catalog.Compact}); err != nil {
					t.Error(err)
				}
				tab, err := h.Tables().Open(t.Context(), id)
				if err != nil {
					t.Error(err)
					return
				}
				rows, _, props := whole(t, tab, "id")
				if fmt.Sprint(len(rows)) != props[landing] && len(rows) > 0 {
					t.Errorf("%d rows, and the offset is %s", len(rows), props[landing])
				}
			}
		}
	})
	movers.Wait()
	stop()
	writers.Wait()
	seen := map[table.Ident]bool{}
	for i, tab := range tabs {
		rows, _, _ := whole(t, tab, "id")
		for _, row := range rows {
			var n int64
			if _, err := fmt.Sscanf(row, `{"id":%d}`, &n); err != nil || n/1_000_000 != int64(i) {
				t.Fatalf("table %d has the row %s", i, row)
			}
		}
		if int64(len(rows)) != counts[i] {
			t.Fatalf("table %d has %d rows of %d", i, len(rows), counts[i])
		}
		seen[tab.Ident()] = true
		if again, err := h.Tables().Open(t.Context(), tab.Ident()); err != nil || again != tab {
			t.Fatalf("%s leads to %v, %v", tab.Ident(), again, err)
		}
	}
	if len(seen) != len(names) {
		t.Fatalf("the tables are called %v", seen)
	}
}

// TestForeignExchange: where another program gives names to other tables, a handle is of no table; the name
// leads to the one that has it.
func TestForeignExchange(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	old := h.ensure(orders, orderColumns)
	commit(t, old, table.Change{Rows: numbered(1, 1, 1)})
	commit(t, h.ensure(fresher, orderColumns), table.Change{Rows: numbered(2, 1, 1)})
	h.exec("UPDATE iceberg_tables SET table_namespace='gold', table_name='away' WHERE table_name='orders'")
	h.exec("UPDATE iceberg_tables SET table_namespace='silver', table_name='orders' WHERE table_name='fresher'")
	if _, err := old.Commit(t.Context(), table.Change{Rows: numbered(3, 1, 1)}); !errors.Is(err, table.ErrNotFound) || fault.HintOf(err) == "" {
		t.Fatalf("a commit meant for another table: %v", err)
	}
	commit(t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(4, 1, 1)})
	if h.ids(orders) != "2 4" || h.ids(table.Ident{Namespace: "gold", Name: "away"}) != "1" {
		t.Fatalf("%s, %s", h.ids(orders), h.ids(table.Ident{Namespace: "gold", Name: "away"}))
	}
}
