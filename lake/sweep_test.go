//go:build duckdb_arrow

package lake_test

import (
	"bytes"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

const (
	look       = 5 * time.Minute // between two sweeps
	graceLooks = 14              // and as many are more than the hour of grace
)

// swept lets a house run for so many sweeps.
func (h *house) swept(c *handClock, looks int) {
	h.t.Helper()
	for range looks {
		c.pass(look)
		if err := h.Sweep(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// sweptHours lets hours go by in as few sweeps as count for them.
func (h *house) sweptHours(c *handClock, hours int) {
	h.t.Helper()
	for range 4 * hours {
		c.pass(15 * time.Minute)
		if err := h.Sweep(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// files are all files of the warehouse, by their path in it.
func (h *house) files() []string {
	h.t.Helper()
	var out []string
	root := filepath.Join(h.dir, "warehouse")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// put writes a file into the warehouse, with its folder.
func (h *house) put(rel string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, "warehouse", rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("twelve bytes"), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// forgotten makes a table of which only the last of some commits is kept, all before it expired. It
// returns the table and how many files nothing names.
func (h *house) forgotten(c *handClock, commits int) table.Table {
	h.t.Helper()
	tab, _ := h.committed(commits)
	c.pass(look)
	if err := h.Sweep(h.t.Context()); err != nil { // which sees them named
		h.t.Fatal(err)
	}
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	return tab
}

func fresh(t *testing.T) (*house, *handClock) {
	t.Helper()
	c := newHandClock()
	return openAt(t, filepath.Join(t.TempDir(), "lake"), disk.Local, c), c
}

// TestSweepOfWhatWasExpired: files of snapshots that are gone go an hour later; all that is named and
// all that is not Tarn's stays.
func TestSweepOfWhatWasExpired(t *testing.T) {
	h, c := fresh(t)
	tab := h.forgotten(c, 6)
	others := []string{
		"silver/orders/_delta_log/00000000000000000000.checkpoint.parquet", "silver/orders/data/_x/a.parquet", "silver/orders/notes.parquet",
		"silver/orders/data/notes.txt", "silver/orders/data/deletes.bin", "silver/orders/data/k=a%20b/c.parquet", "silver/orders/metadata/a%2Fb.avro",
		"silver/elsewhere/data/a.parquet", "data/a.parquet",
	}
	for _, o := range others {
		h.put(o)
	}
	target := h.put("silver/elsewhere/target.parquet")
	link := filepath.Join(h.dir, "warehouse/silver/orders/data/link.parquet")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(target), filepath.Join(h.dir, "warehouse/silver/orders/data/linked")); err != nil {
		t.Fatal(err)
	}
	before := h.files()
	h.swept(c, graceLooks-2)
	if now := h.files(); !slices.Equal(now, before) {
		t.Fatalf("within the hour %d files became %d", len(before), len(now))
	}
	h.swept(c, 2)
	gone := len(before) - len(h.files())
	if gone < 5 { // a manifest list of each of the five snapshots
		t.Fatalf("%d files are gone", gone)
	}
	h.sweptHours(c, 73)
	for _, o := range append(others, "silver/elsewhere/target.parquet", "silver/orders/data/link.parquet") {
		if !there(filepath.Join(h.dir, "warehouse", o)) {
			t.Errorf("%s is gone", o)
		}
	}
	if rows := h.read(orders, catalog.At{}); len(rows) != 6 {
		t.Fatalf("%d rows", len(rows))
	}
	h.onlyNamed()
	commit(t, tab, table.Change{Rows: numbered(9, 1, 1)})
}

// onlyNamed checks that every file of the tables' folders is one that metadata leads to.
func (h *house) onlyNamed() {
	h.t.Helper()
	if left := h.orphans(); len(left) > 0 {
		h.t.Fatalf("nothing names %v", left)
	}
}

// orphans lists the files in the folders of tables that no metadata leads to, as iceberg-go reads it.
func (h *house) orphans() (out []string) {
	h.t.Helper()
	named, folders := map[string]bool{}, map[string]bool{}
	for path := range h.named() {
		named[filepath.Base(path)] = true
	}
	h.database(func(db *dbsql.DB) error {
		rows, err := db.QueryContext(h.t.Context(), "SELECT metadata_location, coalesce(previous_metadata_location, '') FROM iceberg_tables")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var now, previous string
			if err := rows.Scan(&now, &previous); err != nil {
				return err
			}
			named[path.Base(previous)] = true
			folders[filepath.Dir(filepath.Dir(strings.TrimPrefix(now, "file://")))] = true
		}
		return rows.Err()
	})
	for folder := range folders {
		for _, kind := range []string{"data/*.parquet", "metadata/*.avro", "metadata/*.metadata.json"} {
			files, err := filepath.Glob(filepath.Join(folder, kind))
			must(h.t, err)
			for _, f := range files {
				info, err := os.Lstat(f)
				must(h.t, err)
				if info.Mode().IsRegular() && !strings.Contains(f, "%") && !named[filepath.Base(f)] {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// TestSweepCountsTimeThatItRan: no clock and no restart shortens the hour, and a house that is never
// up for long comes to it.
func TestSweepCountsTimeThatItRan(t *testing.T) {
	h, c := fresh(t)
	h.forgotten(c, 4)
	h.swept(c, 1)
	before := len(h.files())
	for range 20 {
		c.jump(time.Hour)
		if err := h.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.jump(-100 * time.Hour)
	if n := len(h.files()); n != before {
		t.Fatalf("a clock that jumps removes %d files", before-n)
	}
	c.pass(24 * time.Hour) // without a look
	h.swept(c, 1)
	if n := len(h.files()); n != before {
		t.Fatal("a day without a look counts for more than a quarter of an hour")
	}
	for i := range 12 { // a house that is up for ten minutes at a time
		if len(h.files()) != before && i < 4 {
			t.Fatalf("after %d starts %d of %d files are left", i, len(h.files()), before)
		}
		_ = h.Close()
		c.pass(3 * time.Hour)
		h = openAt(t, h.dir, disk.Local, c)
		h.swept(c, 2)
	}
	if len(h.files()) == before {
		t.Fatal("nothing goes from a house that is up for ten minutes at a time")
	}
}

// TestSweepOfWhatWasNeverNamed: a file that no table of ours ever named may be of somebody's open transaction.
func TestSweepOfWhatWasNeverNamed(t *testing.T) {
	h, c := fresh(t)
	h.committed(1)
	h.swept(c, 1)
	path := h.put("silver/orders/data/00000-foreign.parquet")
	old := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	h.sweptHours(c, 71)
	if !there(path) {
		t.Fatal("it is gone within three days")
	}
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil { // it is written anew
		t.Fatal(err)
	}
	h.sweptHours(c, 71)
	if !there(path) {
		t.Fatal("another file in its place is gone within three days")
	}
	h.sweptHours(c, 2)
	if there(path) {
		t.Fatal("it is never removed")
	}
}

// TestRemoveOrphans by hand: an age is somebody's word that no transaction is open for longer.
func TestRemoveOrphans(t *testing.T) {
	h, c := fresh(t)
	h.committed(1)
	other := table.Ident{Namespace: "bronze", Name: "other"}
	h.ensure(other, orderColumns)
	path, theirs := h.put("silver/orders/data/00000-foreign.parquet"), h.put("bronze/other/data/00001-foreign.parquet")
	order := catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: 2 * time.Hour}
	remove := func(want ...string) {
		t.Helper()
		for _, dry := range []bool{true, false, false} {
			order.DryRun = dry
			done := h.execute(orders, order)
			if !slices.Equal(done.Paths, want) || done.FilesRemoved != int64(len(want)) || done.BytesRemoved != int64(12*len(want)) {
				t.Fatalf("dry run %v: %+v, want %v", dry, done, want)
			}
			for _, p := range want {
				if there(p) != dry {
					t.Fatalf("%s: %v", p, there(p))
				}
			}
			if !dry {
				want = nil
			}
		}
	}
	c.pass(24 * time.Hour)
	remove() // never seen before: within the grace
	h.swept(c, graceLooks)
	order.Retention = 0
	remove()
	order.Retention = 26 * time.Hour
	remove()
	order.Retention = time.Second
	remove(path)
	if !there(theirs) {
		t.Fatal("an order for one table removes files of another")
	}
	h.put("silver/orders/data/00002-foreign.parquet")
	h.swept(c, 1)
	remove() // the grace is for all
	if _, err := h.Upkeep().Execute(t.Context(), table.Ident{Namespace: "gold", Name: "none"}, order); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("an unknown table: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Upkeep().Execute(gone, orders, order); !errors.Is(err, context.Canceled) {
		t.Fatalf("canceled: %v", err)
	}
}

// TestSweepUnderALease: what is read stays until it has been read, also when another engine has expired it.
func TestSweepUnderALease(t *testing.T) {
	h, c := fresh(t)
	tab, all := h.committed(3)
	commit(t, tab, table.Change{Rows: numbered(0, 3, 2), Keys: numberedKeys(0, 1, 3)}) // with a delete file
	h.swept(c, 1)
	scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{SnapshotID: all[1].ID})
	if err != nil {
		t.Fatal(err)
	}
	want := readScan(t, scan)
	h.edit(orders, func(meta map[string]any) { // all rows away, and only the last snapshot kept
		snaps := meta["snapshots"].([]any)
		meta["snapshots"], meta["snapshot-log"] = snaps[3:], meta["snapshot-log"].([]any)[3:]
	})
	h.swept(c, 2)
	h.execute(orders, catalog.Order{Action: catalog.Compact})
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	h.swept(c, 3*graceLooks)
	if got := readScan(t, scan); !slices.Equal(got, want) || len(got) != 2 {
		t.Fatalf("reads %v, want %v", got, want)
	}
	for _, f := range scan.Files {
		if !there(f.Path) {
			t.Fatalf("%s is gone", f.Path)
		}
	}
	scan.Release()
	h.swept(c, graceLooks)
	if there(scan.Files[0].Path) {
		t.Fatal("it stays after the reader has gone")
	}
	h.onlyNamed()
}

// TestSweepNeedsAllNames: as long as one table cannot be read, nothing goes, of any table.
func TestSweepNeedsAllNames(t *testing.T) {
	other := table.Ident{Namespace: "bronze", Name: "other"}
	cut := func(share float64) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content[:int(float64(len(content))*share)], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		glob  string
		spoil func(t *testing.T, path string)
	}{
		"metadata cut":                        {"*.metadata.json", cut(0.5)},
		"metadata gone":                       {"*.metadata.json", func(_ *testing.T, path string) { _ = os.Remove(path) }},
		"manifest list cut":                   {"snap-*.avro", cut(0.8)},
		"manifest list gone":                  {"snap-*.avro", func(_ *testing.T, path string) { _ = os.Remove(path) }},
		"manifest list cut before its blocks": {"snap-*.avro", cutBlocks},
		"manifest cut":                        {"[0-9a-f]*.avro", cut(0.8)},
		"manifest cut before its blocks":      {"[0-9a-f]*.avro", cutBlocks},
		"manifest gone":                       {"[0-9a-f]*.avro", func(_ *testing.T, path string) { _ = os.Remove(path) }},
	} {
		t.Run(name, func(t *testing.T) {
			h, clock := fresh(t)
			commit(t, h.ensure(other, orderColumns), table.Change{Rows: rows(t, orderColumns, two)})
			h.forgotten(clock, 3)
			h.swept(clock, 1)
			before := len(h.files())
			kept := h.spoil(filepath.Join(h.dir, "warehouse/bronze/other/metadata", c.glob), c.spoil)
			_ = h.Close()
			h = openAt(t, h.dir, disk.Local, clock)
			h.swept(clock, 3*graceLooks)
			lost := 0
			for path := range kept {
				if !there(path) {
					lost++
				}
			}
			if n := len(h.files()) + lost; n != before {
				t.Fatalf("%d files are gone", before-n)
			}
			_, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: time.Hour})
			if fault.CodeOf(err) != fault.Damaged || !strings.Contains(err.Error(), "bronze.other") || fault.HintOf(err) == "" {
				t.Fatalf("an order: %v", err)
			}
			if !strings.Contains(h.reported(), "bronze.other") {
				t.Fatalf("reported: %s", h.reported())
			}
			for path, content := range kept {
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			h.swept(clock, graceLooks+2)
			if n := len(h.files()); n == before {
				t.Fatal("nothing goes after it was put back")
			}
			equal(t, h.read(other, catalog.At{}), readTwo)
			if r := h.reported(); r != "" {
				t.Fatalf("still reported: %s", r)
			}
		})
	}
}

// cutBlocks leaves an Avro file's header alone, up to the first sync marker: as such it is whole.
func cutBlocks(t *testing.T, path string) {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	marker := content[len(content)-16:]
	end := bytes.Index(content, marker) + 16
	if end <= 16 || end == len(content) {
		t.Fatalf("%s has no blocks", path)
	}
	if err := os.WriteFile(path, content[:end], 0o600); err != nil {
		t.Fatal(err)
	}
}

// spoil damages files, and returns what was in them.
func (h *house) spoil(glob string, spoil func(t *testing.T, path string)) map[string][]byte {
	h.t.Helper()
	kept := map[string][]byte{}
	paths, _ := filepath.Glob(glob)
	if len(paths) == 0 {
		h.t.Fatalf("no %s", glob)
	}
	for _, p := range paths {
		content, err := os.ReadFile(p)
		if err != nil {
			h.t.Fatal(err)
		}
		kept[p] = content
		spoil(h.t.(*testing.T), p)
	}
	return kept
}

// reported are the errors of the lake's report.
func (h *house) reported() string {
	var out []string
	for _, s := range h.Report() {
		if s.Error != "" {
			out = append(out, s.Name+": "+s.Error)
		}
	}
	return strings.Join(out, "; ")
}

// TestSweepOfATableMadeAgain: the files of a table that was dropped wait for the drop to be taken back.
func TestSweepOfATableMadeAgain(t *testing.T) {
	for _, absent := range []int{0, graceLooks} {
		t.Run(fmt.Sprint(absent), func(t *testing.T) { sweptOfATableMadeAgain(t, absent) })
	}
}

func sweptOfATableMadeAgain(t *testing.T, absent int) {
	h, c := fresh(t)
	h.committed(3)
	h.swept(c, 2)
	location := h.location(orders)
	before := h.files()
	dropForeign(t, h.dir)
	h.swept(c, absent)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	h.sweptHours(c, 70)
	now := h.files()
	for _, f := range before {
		if !slices.Contains(now, f) {
			t.Fatalf("%s of the dropped table is gone", f)
		}
	}
	h.exec("UPDATE iceberg_tables SET metadata_location=? WHERE table_name=?", "file://"+location, orders.Name)
	if rows := h.read(orders, catalog.At{}); len(rows) != 3 {
		t.Fatalf("the drop taken back: %d rows", len(rows))
	}
	dropForeign(t, h.dir)
	commit(t, h.ensure(orders, orderColumns), table.Change{Rows: rows(t, orderColumns, two)})
	h.sweptHours(c, 73)
	if there(location) {
		t.Fatal("it is never removed")
	}
	equal(t, h.read(orders, catalog.At{}), readTwo)
}

// TestSweepBesidePyIceberg: it opens a catalog that has tables of Tarn's own in it, and what it writes
// and takes out is counted as it counts it.
func TestSweepBesidePyIceberg(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	h, c := fresh(t)
	h.committed(2)
	h.swept(c, 1)
	peer(t, interpreter, h.dir, "append", orders.String(), `[{"id":7,"note":"theirs"},{"id":8,"note":"theirs"}]`)
	peer(t, interpreter, h.dir, "delete", orders.String(), "id = 8")
	peer(t, interpreter, h.dir, "delete", orders.String(), "id = 0")
	h.swept(c, 1)
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	h.swept(c, graceLooks)
	h.onlyNamed()
	equalRows(t, h, 2)
	if r := h.reported(); r != "" {
		t.Fatal(r)
	}
	if got := peer(t, interpreter, h.dir, "rows", orders.String()); len(got) != 2 {
		t.Fatalf("PyIceberg reads %v", got)
	}
}

// TestSweepOfATablePutBack: what newer metadata names waits for it to be put in place again.
func TestSweepOfATablePutBack(t *testing.T) {
	h, c := fresh(t)
	tab, _ := h.committed(2)
	older := h.location(orders)
	commit(t, tab, table.Change{Rows: numbered(2, 1, 1)})
	newer, kept := h.location(orders), h.files()
	h.swept(c, 1)
	h.exec("UPDATE iceberg_tables SET metadata_location=? WHERE table_name=?", "file://"+older, orders.Name)
	h.sweptHours(c, 70)
	h.exec("UPDATE iceberg_tables SET metadata_location=? WHERE table_name=?", "file://"+newer, orders.Name)
	if now := h.files(); !slices.Equal(now, kept) {
		t.Fatalf("%d files became %d", len(kept), len(now))
	}
	equalRows(t, h, 3)
}

// TestSweepBesideACompaction: files that a commit of ours has not named yet are never orphans, however long
// it takes.
func TestSweepBesideACompaction(t *testing.T) {
	var r rewritten
	c := newHandClock()
	h := openAt(t, filepath.Join(t.TempDir(), "lake"), &disk.FS{Hook: r.hook}, c)
	h.committed(3)
	r.do = func() {
		h.sweptHours(c, 80)
		h.execute(orders, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: time.Second})
	}
	r.armed.Store(true)
	if done := h.execute(orders, catalog.Order{Action: catalog.Compact}); done.FilesAdded != 1 || r.armed.Load() {
		t.Fatalf("%+v", done)
	}
	equalRows(t, h, 3)
	h.swept(c, 1)
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	h.swept(c, graceLooks)
	h.onlyNamed()
	equalRows(t, h, 3)
}

// TestSweepOfATableThatIsNotOurs: another engine's naming, or a folder of its own choice.
func TestSweepOfATableThatIsNotOurs(t *testing.T) {
	for name, change := range map[string]func(meta map[string]any){
		"partitioned": func(meta map[string]any) {
			field := map[string]any{"source-id": 1, "field-id": 1000, "name": "id", "transform": "identity"}
			meta["partition-specs"] = append(meta["partition-specs"].([]any), map[string]any{"spec-id": 1, "fields": []any{field}})
			meta["last-partition-id"] = 1000
		},
		"kept by its owner": func(meta map[string]any) { meta["properties"].(map[string]any)["gc.enabled"] = "false" },
		"elsewhere":         func(meta map[string]any) { meta["location"] = meta["location"].(string) + "/../orders2" },
		"whole": func(meta map[string]any) {
			meta["location"] = strings.TrimSuffix(meta["location"].(string), "/silver/orders")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, c := fresh(t)
			h.committed(2)
			paths := []string{h.put("silver/orders/data/00000-x.parquet"), h.put("silver/orders2/data/00000-y.parquet"), h.put("data/00000-z.parquet")}
			h.edit(orders, change)
			h.sweptHours(c, 73)
			for _, p := range paths {
				if !there(p) {
					t.Errorf("%s is gone", p)
				}
			}
			_, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: time.Hour})
			if fault.CodeOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Fatalf("an order: %v", err)
			}
		})
	}
}

// TestSweepKeepsWhatOthersName: another table, of another catalog even and by another spelling of
// the path, names a file.
func TestSweepKeepsWhatOthersName(t *testing.T) {
	for _, spelling := range []string{"file://", "file:", "file://localhost", "linked", "catalog", "metadata elsewhere"} {
		t.Run(spelling, func(t *testing.T) {
			h, c := fresh(t)
			h.committed(3)
			h.swept(c, 1)
			h.share(t, spelling)
			kept := h.files()
			dropForeign(t, h.dir) // the rows of orders; not of the copy
			commit(t, h.ensure(orders, orderColumns), table.Change{Rows: rows(t, orderColumns, one)})
			h.sweptHours(c, 73)
			for _, f := range kept {
				if strings.HasSuffix(f, ".parquet") && !there(filepath.Join(h.dir, "warehouse", f)) {
					t.Fatalf("%s is gone", f)
				}
			}
		})
	}
}

// share makes a second table of the same files.
func (h *house) share(t *testing.T, spelling string) {
	location, cat := "file://"+h.location(orders), "tarn"
	switch spelling {
	case "file:", "file://localhost":
		location = spelling + h.location(orders)
	case "catalog":
		cat = "default"
	case "metadata elsewhere":
		content, err := os.ReadFile(h.location(orders))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "00001-x.metadata.json")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		location = "file://" + path
	case "linked":
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(h.dir, link); err != nil {
			t.Fatal(err)
		}
		location = "file://" + link + strings.TrimPrefix(h.location(orders), h.dir)
	}
	h.exec("INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location) VALUES (?,'gold','copy','TABLE',?)", cat, location)
}

// TestSweepNamedAtTheLastMoment: a file that nothing named for long, and that somebody names while it is
// about to go, stays.
func TestSweepNamedAtTheLastMoment(t *testing.T) {
	var h *house
	removals := 0
	hooked := &disk.FS{Hook: func(op, path string) error {
		if op == "remove" && strings.HasSuffix(path, ".avro") {
			removals++
			h.database(func(db *dbsql.DB) error {
				if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout=0; UPDATE iceberg_tables SET metadata_location=metadata_location"); err == nil {
					t.Error("somebody can commit while files are removed")
				}
				return nil
			})
		}
		return nil
	}}
	c := newHandClock()
	h = openAt(t, filepath.Join(t.TempDir(), "lake"), hooked, c)
	h.committed(3)
	h.swept(c, 1)
	first := h.location(orders)
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	kept := h.files()
	h.swept(c, graceLooks-2)
	// Between the names' collection and the removal the table is put back to where it was.
	n := 0
	c.asked = func() {
		if n++; n == 6 { // when the folders have been looked at
			h.exec("UPDATE iceberg_tables SET metadata_location=? WHERE table_name=?", "file://"+first, orders.Name)
		}
	}
	h.swept(c, 1)
	if c.asked = nil; n != 7 { // and once after the removal
		t.Fatalf("the clock was asked %d times: is the table still put back before the removal?", n)
	}
	for _, f := range kept {
		if !there(filepath.Join(h.dir, "warehouse", f)) {
			t.Errorf("%s is gone", f)
		}
	}
	if rows := h.read(orders, catalog.At{}); len(rows) != 3 || removals > 0 {
		t.Fatalf("%d rows, %d removals", len(rows), removals)
	}
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	h.swept(c, graceLooks)
	if removals == 0 {
		t.Fatal("nothing is removed in the end")
	}
}

// TestSweepAgainstAFailingDisk: what cannot be removed is told, and goes later.
func TestSweepAgainstAFailingDisk(t *testing.T) {
	b := &breaker{}
	c := newHandClock()
	h := openAt(t, filepath.Join(t.TempDir(), "lake"), &disk.FS{Hook: b.hook}, c)
	h.forgotten(c, 4)
	h.swept(c, graceLooks-2)
	before := len(h.files())
	b.left.Store(2)
	c.pass(look)
	_ = h.Sweep(t.Context())
	c.pass(look)
	err := h.Sweep(t.Context())
	if b.left.Load() != 0 || err != nil && !errors.Is(err, errInjected) {
		t.Fatalf("%v", err)
	}
	h.swept(c, graceLooks)
	if n := len(h.files()); n >= before {
		t.Fatalf("%d files of %d", n, before)
	}
	h.onlyNamed()
	equalRows(t, h, 4)
}

func equalRows(t *testing.T, h *house, n int) {
	t.Helper()
	if rows := h.read(orders, catalog.At{}); len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
}

// TestSweepOfWhatWasCompactedTwice: the file that a compaction made goes like any other once it is
// written anew itself.
func TestSweepOfWhatWasCompactedTwice(t *testing.T) {
	h, c := fresh(t)
	tab := h.ensure(orders, orderColumns)
	for i := range int64(3) {
		commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10)})
	}
	h.compact(orders)
	h.sweptHours(c, 1)
	commit(t, tab, table.Change{Rows: numbered(100, 1, 10)})
	h.compact(orders)
	c.pass(time.Second)
	if _, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	h.sweptHours(c, 3)
	if left := slices.DeleteFunc(h.files(), func(p string) bool { return !strings.HasSuffix(p, ".parquet") }); len(left) != 1 {
		t.Fatalf("files %q", left)
	}
	equalRows(t, h, 40)
}
