//go:build duckdb_arrow

package lake_test

import (
	dbsql "database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/iceberg-go"
	icesql "github.com/apache/iceberg-go/catalog/sql"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/disk"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

func (h *house) compact(id table.Ident) catalog.Done {
	h.t.Helper()
	done, err := h.Upkeep().Execute(h.t.Context(), id, catalog.Order{Action: catalog.Compact})
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

func (h *house) health(id table.Ident) catalog.Health {
	h.t.Helper()
	all, err := h.Catalog().Health(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(x catalog.Health) bool { return x.Ident == id })
	if i < 0 {
		h.t.Fatalf("no health of %s in %+v", id, all)
	}
	return all[i]
}

// rewritten runs a function once when a compaction has written its file, before it takes its turn.
type rewritten struct {
	armed atomic.Bool
	do    func()
}

func (r *rewritten) hook(op, path string) error {
	if op == "sync" && strings.HasSuffix(path, ".parquet") && !strings.HasSuffix(path, "-deletes.parquet") && r.armed.CompareAndSwap(true, false) {
		r.do()
	}
	return nil
}

// TestCompactionCarriesDeletes changes rows while their files are written anew: those that an upsert
// takes out must not come back, in no snapshot that is kept.
func TestCompactionCarriesDeletes(t *testing.T) {
	var r rewritten
	h := open(t, filepath.Join(t.TempDir(), "lake's é"), &disk.FS{Hook: r.hook})
	tab := h.ensure(orders, orderColumns)
	for i := range int64(10) {
		commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10)})
	}
	commit(t, tab, table.Change{Keys: numberedKeys(5, 10, 10)}) // one row of each file goes before
	past := h.read(orders, catalog.At{})
	before, err := h.Catalog().Scan(t.Context(), orders, catalog.At{})
	if err != nil {
		t.Fatal(err)
	}
	defer before.Release()
	r.do = func() {
		commit(t, tab, table.Change{Keys: numberedKeys(0, 3, 20), Rows: numbered(0, 3, 2)}) // 0, 3, … 57 go, 0 and 3 come
		commit(t, tab, table.Change{Keys: numberedKeys(3, 40, 2)})                          // 3 and 43 go
		commit(t, tab, table.Change{Rows: numbered(1000, 1, 1), AddColumns: []table.Column{{Name: "extra", Type: record.Long}}})
	}
	var want []string
	r.armed.Store(true)
	done := h.compact(orders)
	if r.armed.Load() {
		t.Fatal("nobody was in between")
	}
	for id := range 100 {
		if id%10 == 5 || id != 0 && id%3 == 0 && id < 60 || id == 43 {
			continue
		}
		want = append(want, fmt.Sprintf(`{"id":%d,"note":"order number %d of a customer","price":null,"at":null,"_generation":1,"extra":null}`, id, id))
	}
	want = append(want, `{"id":1000,"note":"order number 1000 of a customer","price":null,"at":null,"_generation":1,"extra":null}`)
	slices.Sort(want)
	equal(t, h.read(orders, catalog.At{}), want...)
	equal(t, readScan(t, before), past...)
	equal(t, h.read(orders, catalog.At{SnapshotID: before.SnapshotID}), past...)
	if done.FilesAdded != 1 || done.DeletesApplied != 10 || done.FilesRemoved < 10 {
		t.Fatalf("done %+v", done)
	}
	if got := h.health(orders); got.DeleteFiles > 2 || got.Snapshots != 15 {
		t.Fatalf("health %+v", got)
	}
	_ = h.Close()
	again := open(t, h.dir, disk.Local)
	equal(t, again.read(orders, catalog.At{}), want...)
	tab = again.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Keys: numberedKeys(1, 1, 2000)})
	equal(t, again.read(orders, catalog.At{}), strings.ReplaceAll(want[0], `,"extra":null`, `,"extra":null`))
	again.compact(orders)
	equal(t, again.read(orders, catalog.At{}), want[0])
	if got := again.health(orders); got.DeleteFiles != 0 || got.Deleted != 0 || got.Files != 1 {
		t.Fatalf("health %+v", got)
	}
}

// TestCompactionGivesWay: of two compactions of the same files one is done, and nothing is doubled.
func TestCompactionGivesWay(t *testing.T) {
	var r rewritten
	h := open(t, filepath.Join(t.TempDir(), "lake"), &disk.FS{Hook: r.hook})
	tab := h.ensure(orders, orderColumns)
	for i := range int64(5) {
		commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10)})
	}
	want := h.read(orders, catalog.At{})
	r.do = func() { h.compact(orders) }
	r.armed.Store(true)
	if done := h.compact(orders); done.FilesAdded != 0 {
		t.Fatalf("done %+v", done)
	}
	equal(t, h.read(orders, catalog.At{}), want...)
	if got := h.health(orders); got.Files != 1 {
		t.Fatalf("health %+v", got)
	}
	if left := listFiles(t, h.dir); len(slices.DeleteFunc(left, func(p string) bool { return !strings.HasSuffix(p, ".parquet") })) != 6 {
		t.Fatalf("files %q", left)
	}
}

// TestCompactionKeepsValues holds every type and every change of the columns to what it was.
func TestCompactionKeepsValues(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	id := table.Ident{Namespace: "silver", Name: "values"}
	cols := []table.Column{{Name: "id", Type: record.Int, Required: true, Key: true}, {Name: "f", Type: record.Float}, {Name: "dec", Type: "decimal(6,2)"}}
	for _, typ := range []record.Type{record.Boolean, record.Double, record.Date, record.Time, record.Timestamp, record.TimestampTZ, record.String, record.Binary, record.UUID, "decimal(38,10)"} {
		cols = append(cols, table.Column{Name: "c " + string(typ), Type: typ})
	}
	tab := h.ensure(id, cols)
	for i := range 3 {
		commit(t, tab, table.Change{Rows: rows(t, cols,
			fmt.Sprintf(`{"id":%d,"f":1.5,"dec":"1.25","c boolean":true,"c double":-0.1,"c date":"2026-02-03","c time":"01:02:03.000004","c timestamp":"1969-01-02 03:04:05.000006","c timestamptz":"2300-01-02T03:04:05Z","c string":"é'\"x","c binary":"AAEC/w==","c uuid":"00112233-4455-6677-8899-aabbccddeeff","c decimal(38,10)":"9999999999999999999999999999.0123456789"}`, i),
			fmt.Sprintf(`{"id":%d}`, 100+i))})
	}
	commit(t, tab, table.Change{
		Widen: map[string]record.Type{"id": record.Long, "f": record.Double, "dec": "decimal(9,2)"}, Relax: []string{"id"},
		AddColumns: []table.Column{{Name: "new", Type: record.String}},
	})
	wide := tab.Columns()
	commit(t, tab, table.Change{Rows: rows(t, wide, `{"id":5000000000,"f":1e300,"dec":"1234567.89","new":"n"}`)})
	want := h.read(id, catalog.At{})
	if len(want) != 7 {
		t.Fatalf("rows are %q", want)
	}
	if done := h.compact(id); done.FilesAdded != 1 || done.FilesRemoved != 4 {
		t.Fatalf("done %+v", done)
	}
	equal(t, h.read(id, catalog.At{}), want...)
	if _, mapped := tab.Property("schema.name-mapping.default"); mapped {
		t.Fatal("a name mapping was left behind, which the next new column is not in")
	}
	commit(t, tab, table.Change{Keys: rows(t, wide[:1], `{"id":1}`, `{"id":5000000000}`), AddColumns: []table.Column{{Name: "newer", Type: record.Long}}})
	if got := h.read(id, catalog.At{}); len(got) != 5 {
		t.Fatalf("rows are %q", got)
	}
}

// TestRowGroups: who looks for one row reads a group of its file, so that of a commit has several.
func TestRowGroups(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	id := table.Ident{Namespace: "silver", Name: "groups"}
	cols := []table.Column{{Name: "id", Type: record.Long}}
	tab := h.ensure(id, cols)
	values := make([]string, 70_000)
	for i := range values {
		values[i] = fmt.Sprintf(`{"id":%d}`, i)
	}
	commit(t, tab, table.Change{Rows: rows(t, cols, values...)})
	f := onlyFile(t, h, id)
	if f.NumRowGroups() != 3 || f.NumRows() != 70_000 {
		t.Fatalf("%d rows are in %d groups", f.NumRows(), f.NumRowGroups())
	}
}

// TestDictionaries: a file of a commit that upkeep may leave as it is has dictionaries, of which a scan reads less; that of a small one has none.
func TestDictionaries(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	cols := []table.Column{{Name: "kind", Type: record.String}}
	kinds := func(n int) []arrow.RecordBatch {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf(`{"kind":"%0300d"}`, i%7)
		}
		return rows(t, cols, values...)
	}
	for n, want := range map[int]bool{1000: false, 70_000: true} {
		id := table.Ident{Namespace: "silver", Name: fmt.Sprintf("kinds_%d", n)}
		tab := h.ensure(id, cols)
		commit(t, tab, table.Change{Rows: kinds(n)})
		if got := dictionary(t, h, id); got != want {
			t.Errorf("a commit of %d rows: a dictionary is %t, want %t", n, got, want)
		}
	}
	id := table.Ident{Namespace: "silver", Name: "written"}
	tab := h.ensure(id, cols)
	written, err := tab.Write(t.Context(), func(yield func(arrow.RecordBatch, error) bool) {
		for _, b := range kinds(1000) {
			if !yield(b, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tab, table.Change{Written: []table.Written{written}})
	if !dictionary(t, h, id) {
		t.Error("rows of a statement have no dictionary")
	}
}

// dictionary tells whether the first column of a table's only file has one.
func dictionary(t *testing.T, h *house, id table.Ident) bool {
	t.Helper()
	column, err := onlyFile(t, h, id).MetaData().RowGroup(0).ColumnChunk(0)
	if err != nil {
		t.Fatal(err)
	}
	return column.HasDictionaryPage()
}

func TestCompactionDryRunChangesNothing(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	if done := h.compact(orders); done.FilesAdded+done.FilesRemoved != 0 {
		t.Fatalf("an empty table: %+v", done)
	}
	for i := range int64(5) {
		commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10), Keys: numberedKeys(i, 1, 3)})
	}
	before := listFiles(t, h.dir)
	dry, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact, DryRun: true})
	if err != nil || !slices.Equal(listFiles(t, h.dir), before) {
		t.Fatalf("%v; files %q", err, listFiles(t, h.dir))
	}
	done := h.compact(orders)
	if dry.FilesAdded != 1 || dry.BytesRemoved != done.BytesRemoved || dry.DeletesApplied != done.DeletesApplied || dry.FilesRemoved != done.FilesRemoved {
		t.Fatalf("it would do %+v\nand did       %+v", dry, done)
	}
	if done := h.compact(orders); done.FilesAdded+done.FilesRemoved != 0 {
		t.Fatalf("a second time: %+v", done)
	}
}

// TestUpkeepByItself commits to a mirror as landing does; its files stay few, and its rows right.
func TestUpkeepByItself(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(memoryDir(t), "lake"), disk.Local)
	o.Upkeep = true
	var log strings.Builder
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	l, err := lake.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Lake: l, t: t, dir: o.Dir, fs: disk.Local}
	t.Cleanup(func() { _ = h.Close() })
	tab := h.ensure(orders, orderColumns)
	commits := int64(300)
	if raced && !*deep {
		commits = 130 // make test makes all of them without the race detector
	}
	for i := range commits {
		commit(t, tab, table.Change{Rows: numbered(i%90, 1, 10), Keys: numberedKeys(i%90, 1, 10)})
	}
	few := func() bool { got := h.health(orders); return got.Files <= 60 && got.DeleteFiles <= 30 }
	for deadline := time.Now().Add(5 * time.Minute); !few() && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := h.health(orders); got.Files > 60 || got.DeleteFiles > 30 {
		_ = h.Close() // who writes the log has ended then
		t.Fatalf("%d files, %d delete files\n%s", got.Files, got.DeleteFiles, &log)
	}
	if got := h.read(orders, catalog.At{}); len(got) != 99 {
		t.Fatalf("%d rows", len(got))
	}
}

// TestCompactionKeepsPlacesOfSortedTable: an order that another engine gave the table does not move rows away
// from where deletes look for them.
func TestCompactionKeepsPlacesOfSortedTable(t *testing.T) {
	var r rewritten
	h := open(t, filepath.Join(t.TempDir(), "lake"), &disk.FS{Hook: r.hook})
	tab := h.ensure(orders, orderColumns)
	for i := range int64(5) {
		commit(t, tab, table.Change{Rows: numbered(1000-i*10, -1, 10)}) // downwards
	}
	order, err := icetable.NewSortOrder(1, []icetable.SortField{{
		SourceIDs: []int{1}, Transform: iceberg.IdentityTransform{}, Direction: icetable.SortASC, NullOrder: icetable.NullsFirst,
	}})
	if err != nil {
		t.Fatal(err)
	}
	foreignUpdate(t, h.dir, icetable.NewAddSortOrderUpdate(&order), icetable.NewSetDefaultSortOrderUpdate(1))
	r.do = func() { commit(t, tab, table.Change{Keys: numberedKeys(1000, -2, 10)}) }
	r.armed.Store(true)
	h.compact(orders)
	got := h.read(orders, catalog.At{})
	if r.armed.Load() || len(got) != 40 {
		t.Fatalf("%d rows", len(got))
	}
	for id := 1000; id > 980; id -= 2 {
		if gone := fmt.Sprintf(`{"id":%d,`, id); slices.ContainsFunc(got, func(row string) bool { return strings.HasPrefix(row, gone) }) {
			t.Fatalf("%d is back", id)
		}
	}
}

// foreignUpdate changes a table's metadata as another engine does.
func foreignUpdate(t *testing.T, dir string, updates ...icetable.Update) {
	t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c, err := icesql.NewCatalog("tarn", db, icesql.SQLite, iceberg.Properties{"warehouse": "file://" + filepath.Join(dir, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.CommitTable(t.Context(), []string{orders.Namespace, orders.Name}, nil, updates); err != nil {
		t.Fatal(err)
	}
}

// onlyFile opens a table's only file, until the test ends.
func onlyFile(t *testing.T, h *house, id table.Ident) *file.Reader {
	t.Helper()
	scan, err := h.Catalog().Scan(t.Context(), id, catalog.At{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(scan.Release)
	f, err := file.OpenParquetFile(scan.Files[0].Path, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
