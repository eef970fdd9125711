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
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	icetable "github.com/apache/iceberg-go/table"
	"go.uber.org/goleak"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/leaktest"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

func TestAt(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	if scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{}); err != nil || scan.SnapshotID != 0 || len(scan.Columns) != len(orderColumns) || len(scan.Files) != 0 {
		t.Fatalf("a table without a snapshot: %+v, %v", scan, err)
	}
	first := commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	second := commit(t, tab, table.Change{Rows: rows(t, orderColumns, two)})
	for want, at := range map[int64][]catalog.At{
		first.ID:  {{SnapshotID: first.ID}, {Time: first.CommittedAt}},
		second.ID: {{}, {SnapshotID: second.ID}, {Time: second.CommittedAt.Add(time.Hour)}, {Ref: "main"}},
	} {
		for _, a := range at {
			scan, err := h.Catalog().Scan(t.Context(), orders, a)
			if err != nil || (scan.SnapshotID != want && first.CommittedAt != second.CommittedAt) {
				t.Errorf("%+v: snapshot %v, want %d (%v)", a, scan, want, err)
				continue
			}
			scan.Release()
			scan.Release() // a second time is no harm
		}
	}
	for _, a := range []catalog.At{{SnapshotID: 5}, {Ref: "nightly"}, {Time: first.CommittedAt.Add(-time.Second)}} {
		_, err := h.Catalog().Scan(t.Context(), orders, a)
		if fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.HintOf(err), "2 snapshots are kept, from ") {
			t.Errorf("%+v: %v, hint %q", a, err, fault.HintOf(err))
		}
	}
	if _, err := h.Catalog().Scan(t.Context(), table.Ident{Namespace: "gold", Name: "none"}, catalog.At{}); !errors.Is(err, table.ErrNotFound) {
		t.Errorf("an unknown table: %v", err)
	}
}

func TestViews(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	h.ensure(orders, orderColumns)
	v := catalog.View{
		Ident: table.Ident{Namespace: "gold", Name: "late"}, Text: "SELECT id,  'ä' AS x\n-- as it was said\nFROM silver.orders", Dialect: "duckdb",
		Columns: []table.Column{{ID: 1, Name: "id", Type: record.Long}, {ID: 2, Name: "odd", Type: "HUGEINT"}},
		Inputs:  []string{"lake.silver.orders"},
		Lineage: [][]string{{"silver.orders.id"}, nil},
	}
	ctx, c := t.Context(), h.Catalog()
	if err := c.CreateView(ctx, v, false); err != nil {
		t.Fatal(err)
	}
	got, err := c.View(ctx, v.Ident)
	if err != nil || got.Text != v.Text || got.Dialect != "duckdb" || !slices.Equal(got.Inputs, v.Inputs) || !slices.Equal(got.Columns, v.Columns) ||
		len(got.Lineage) != 2 || !slices.Equal(got.Lineage[0], v.Lineage[0]) {
		t.Fatalf("view %+v, %v", got, err)
	}
	if err := c.CreateView(ctx, v, false); !errors.Is(err, table.ErrExists) || fault.HintOf(err) == "" {
		t.Fatalf("made twice: %v", err)
	}
	v.Text, v.Inputs = "SELECT 2 AS id", nil
	if err := c.CreateView(ctx, v, true); err != nil {
		t.Fatal(err)
	}
	if got, err = c.View(ctx, v.Ident); err != nil || got.Text != v.Text || len(got.Inputs) != 0 {
		t.Fatalf("view %+v, %v", got, err)
	}
	if files, _ := filepath.Glob(filepath.Join(h.dir, "warehouse", "gold", "late", "metadata", "*")); len(files) != 1 {
		t.Fatalf("metadata files: %q", files)
	}
	v.Ident = orders
	if err := c.CreateView(ctx, v, true); !errors.Is(err, table.ErrExists) {
		t.Fatalf("a view in the place of a table: %v", err)
	}
	if entries, err := c.Entries(ctx, "gold"); err != nil || len(entries) != 1 || !entries[0].View {
		t.Fatalf("entries %v, %v", entries, err)
	}
	if _, err := h.Tables().Ensure(ctx, table.Spec{Ident: table.Ident{Namespace: "gold", Name: "late"}, Columns: orderColumns}); !errors.Is(err, table.ErrExists) {
		t.Fatalf("a table in the place of a view: %v", err)
	}
	if err := c.DropView(ctx, orders); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("drop a table as a view: %v", err)
	}
	if err := c.DropView(ctx, got.Ident); err != nil {
		t.Fatal(err)
	}
	if _, err := c.View(ctx, got.Ident); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("view after it was dropped: %v", err)
	}
	if ns, err := c.Namespaces(ctx); err != nil || !slices.Equal(ns, []string{"bronze", "gold", "silver", "system"}) {
		t.Fatalf("namespaces %q, %v", ns, err)
	}
}

func TestOwnerAlone(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab, err := h.Tables().Ensure(t.Context(), table.Spec{Ident: orders, Columns: orderColumns, Properties: map[string]string{table.PropOwner: "landing"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Commit(t.Context(), table.Change{Rows: rows(t, orderColumns, one)}); !errors.Is(err, table.ErrOwned) || fault.CodeOf(err) != fault.Denied || fault.HintOf(err) == "" {
		t.Fatalf("a stranger's commit: %v", err)
	}
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one), Owner: "landing"})
}

func TestBadChangesChangeNothing(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	other := []table.Column{{Name: "none", Type: record.Long}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]table.Change{
		"a column that is not there": {Rows: rows(t, other, `{"none":1}`)},
		"a key that is not there":    {Keys: rows(t, other, `{"none":1}`)},
		"below a text":               {DeleteBelow: &table.Below{Column: "note", Value: 1}},
		"narrower":                   {Widen: map[string]record.Type{"id": record.Int, "note": record.Long}},
		"another type":               {AddColumns: []table.Column{{Name: "note", Type: record.Long}}},
		"no type":                    {AddColumns: []table.Column{{Name: "new", Type: "blob"}}},
		"null in a required column":  {Rows: rows(t, []table.Column{{Name: "id", Type: record.Long}}, `{"id":null}`)},
		"null among required cells":  {Rows: rows(t, orderColumns, `{"id":7}`, `{"id":null,"note":"b"}`)},
		"no required column":         {Rows: rows(t, orderColumns[1:], `{"note":"b"}`)},
		"canceled":                   {Rows: rows(t, orderColumns, two)},
	} {
		ctx := t.Context()
		if name == "canceled" {
			ctx = gone
		}
		if _, err := tab.Commit(ctx, c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	equal(t, h.read(orders, catalog.At{}), readOne)
	if n := len(tab.Columns()); n != len(orderColumns) {
		t.Errorf("%d columns", n)
	}
	before := commit(t, tab, table.Change{})
	if after := commit(t, tab, table.Change{Properties: map[string]string{"x": "y"}}); after != before {
		t.Errorf("properties made a snapshot: %+v, was %+v", after, before)
	}
}

func TestManyAtOnce(t *testing.T) {
	if _, err := reader(); err != nil { // the tests' own DuckDB stays
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	defer func() {
		if err := leaktest.Find(before); err != nil {
			t.Fatal(err)
		}
	}()
	var mu sync.Mutex
	var told []table.Committed
	o := options(filepath.Join(t.TempDir(), "lake"), disk.Local)
	o.Committed = func(c table.Committed) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, c)
	}
	l, err := lake.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Lake: l, t: t, dir: o.Dir, fs: disk.Local}
	const writers, turns = 4, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			tab, err := h.Tables().Ensure(t.Context(), table.Spec{Ident: orders, Columns: orderColumns})
			if err != nil {
				t.Error(err)
				return
			}
			for i := range turns {
				line := fmt.Sprintf(`{"id":%d,"note":null,"price":null,"at":null,"_generation":%d}`, w, i)
				_, err := tab.Commit(t.Context(), table.Change{Rows: rows(t, orderColumns, line), Keys: rows(t, keyColumns(orderColumns), fmt.Sprintf(`{"id":%d}`, w))})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := h.read(orders, catalog.At{}); len(got) != writers || !strings.Contains(got[0], fmt.Sprintf(`"_generation":%d`, turns-1)) {
		t.Errorf("rows are %q", got)
	}
	if len(told) != writers*turns || told[0].Operation != "append" || told[0].AddedRows != 1 || told[len(told)-1].Operation != "overwrite" || told[0].System {
		t.Errorf("%d commits were told of: %+v", len(told), told)
	}
	stats, err := h.Catalog().Stats(t.Context())
	if err != nil || len(stats) != 1 || stats[0].Rows != writers || stats[0].Files != writers*turns || stats[0].DeleteFiles != writers*turns-writers {
		t.Errorf("stats %+v, %v", stats, err)
	}
	files, err := h.Catalog().Files(t.Context())
	files = slices.DeleteFunc(files, func(f catalog.FileStats) bool { return f.Deletes })
	var deleted int64
	for _, f := range files {
		deleted += f.Deleted
	}
	if err != nil || len(files) != writers*turns || deleted != writers*turns-writers {
		t.Errorf("%d files with %d deleted rows, %v", len(files), deleted, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func TestSnapshotsAreThinnedAndMetadataStaysSmall(t *testing.T) {
	t.Parallel()
	unraced(t)
	h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	var all []table.Snapshot
	for i := range 230 {
		all = append(all, commit(t, tab, table.Change{Rows: numbered(int64(i), 1, 1)}))
	}
	lost := 0
	for i, s := range all {
		scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{SnapshotID: s.ID})
		if err != nil {
			lost++
			if i >= len(all)-50 {
				t.Fatalf("snapshot %d of %d is gone", i, len(all))
			}
			continue
		}
		if len(scan.Files) != i+1 {
			t.Fatalf("snapshot %d has %d files", i, len(scan.Files))
		}
		scan.Release()
	}
	if lost == 0 {
		t.Fatal("no snapshot was thinned out")
	}
	if n := len(h.read(orders, catalog.At{})); n != len(all) {
		t.Fatalf("%d rows of %d", n, len(all))
	}
	metadata, _ := filepath.Glob(filepath.Join(h.dir, "warehouse", "silver", "orders", "metadata", "*.json"))
	if len(metadata) > 12 {
		t.Fatalf("%d metadata files are kept", len(metadata))
	}
}

func TestDroppedByAnother(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one), Properties: map[string]string{table.PropOffsets + "landing": `{"orders":{"0":{"next":9}}}`}})
	_, err := foreignCommit(t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
		batches := rows(t, h.ensure(orders, orderColumns).Columns(), two)
		reader, err := array.NewRecordReader(batches[0].Schema(), batches)
		if err != nil {
			return nil, err
		}
		return tab.Append(t.Context(), reader, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, h.read(orders, catalog.At{}), readOne, readTwo)
	dropForeign(t, h.dir)
	if _, err := tab.Commit(t.Context(), table.Change{Rows: rows(t, orderColumns, one)}); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("commit to a dropped table: %v", err)
	}
	if tab.ID() == "" || len(tab.Columns()) == 0 {
		t.Fatal("the handle of a dropped table forgets what it was")
	}
	if p, _ := h.Recorded(t.Context(), "orders", 0); p.Next != 0 {
		t.Fatalf("a dropped table still records %+v", p)
	}
	again := h.ensure(orders, orderColumns)
	commit(t, again, table.Change{Rows: rows(t, orderColumns, two)})
	equal(t, h.read(orders, catalog.At{}), readTwo)
}

func TestOpenRefusesWhatItCannotWrite(t *testing.T) {
	for _, refusal := range []syscall.Errno{syscall.EACCES, syscall.EROFS} {
		dir := filepath.Join(t.TempDir(), "lake")
		fs := &disk.FS{Hook: func(op, path string) error { return &os.PathError{Op: op, Path: path, Err: refusal} }}
		if _, err := lake.Open(t.Context(), options(dir, fs)); !errors.Is(err, refusal) || !strings.Contains(fault.HintOf(err), "written") {
			t.Fatalf("open: %v", err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Fatalf("it left %v", entries)
		}
	}
}

// TestManifestsAreMerged upserts until manifests were merged more than once, and reads the table by Tarn
// and by iceberg-go's own scan.
func TestManifestsAreMerged(t *testing.T) {
	t.Parallel()
	unraced(t)
	h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: numbered(0, 1, 50)})
	for i := range int64(120) {
		commit(t, tab, table.Change{Rows: numbered(i%45, 1, 5), Keys: numberedKeys(i%45, 1, 5)})
	}
	want := h.read(orders, catalog.At{})
	if len(want) != 50 {
		t.Fatalf("%d rows of 50", len(want))
	}
	_ = h.Close()
	h = open(t, h.dir, disk.Local) // reads its files from the merged manifests
	equal(t, h.read(orders, catalog.At{}), want...)
	_, err := foreignCommit(t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
		fs, err := tab.FS(t.Context())
		if err != nil {
			return nil, err
		}
		manifests, err := tab.CurrentSnapshot().Manifests(fs)
		if err != nil || len(manifests) > 102 {
			t.Errorf("%d manifests, %v", len(manifests), err)
		}
		_, batches, err := tab.Scan().ToArrowRecords(t.Context())
		if err != nil {
			return nil, err
		}
		var n int64
		for b, err := range batches {
			if err != nil {
				return nil, err
			}
			n += b.NumRows()
		}
		if n != 50 {
			t.Errorf("iceberg-go reads %d rows of 50", n)
		}
		return tab, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
