//go:build duckdb_arrow

package lake_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/apache/iceberg-go/table/compaction"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// transaction is a commit of somebody else.
func (h *house) transaction(f func(*icetable.Transaction) error) {
	h.t.Helper()
	if _, err := foreignCommit(h.t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
		tx := tab.NewTransaction()
		if err := f(tx); err != nil {
			return nil, err
		}
		return tx.Commit(h.t.Context())
	}); err != nil {
		h.t.Fatal(err)
	}
}

// foreignLines are the rows as iceberg-go's own scan reads them.
func (h *house) foreignLines() (lines []string) {
	h.t.Helper()
	if _, err := foreignCommit(h.t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
		_, batches, err := tab.Scan().ToArrowRecords(h.t.Context())
		if err != nil {
			return nil, err
		}
		for b, err := range batches {
			if err != nil {
				return nil, err
			}
			var out strings.Builder
			if err := array.RecordToJSON(b, &out); err != nil {
				return nil, err
			}
			lines = append(lines, strings.Split(strings.TrimSpace(out.String()), "\n")...)
		}
		return tab, nil
	}); err != nil {
		h.t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// theirs appends rows as somebody else does, in the columns that the table has now.
func (h *house) theirs(lines ...string) {
	h.t.Helper()
	h.transaction(func(tx *icetable.Transaction) error {
		batches := rows(h.t, h.ensure(orders, orderColumns).Columns(), lines...)
		reader, err := array.NewRecordReader(batches[0].Schema(), batches)
		if err != nil {
			return err
		}
		return tx.Append(h.t.Context(), reader, nil)
	})
}

// TestOvertaken does something to a table while a compaction writes: what there is after that is there
// after the compaction too, whether it gave way or not.
func TestOvertaken(t *testing.T) {
	deleted := func(h *house, id int64) {
		h.transaction(func(tx *icetable.Transaction) error {
			if err := tx.SetProperties(iceberg.Properties{"write.delete.mode": "merge-on-read"}); err != nil {
				return err
			}
			return tx.Delete(h.t.Context(), iceberg.EqualTo(iceberg.Reference("id"), id), nil)
		})
	}
	for name, c := range map[string]struct {
		meanwhile func(h *house, tab table.Table, past []table.Snapshot)
		compacts  bool // in spite of it
		refused   bool // with an error
	}{
		"nothing": {func(*house, table.Table, []table.Snapshot) {}, true, false},
		"upsert": {func(h *house, tab table.Table, _ []table.Snapshot) {
			commit(h.t, tab, table.Change{Rows: numbered(3, 7, 5), Keys: numberedKeys(3, 7, 5)})
		}, true, false},
		"delete below": {func(h *house, tab table.Table, _ []table.Snapshot) {
			commit(h.t, tab, table.Change{DeleteBelow: &table.Below{Column: "_generation", Value: 2}})
		}, true, false},
		"foreign delete": {func(h *house, _ table.Table, _ []table.Snapshot) { deleted(h, 12) }, true, false},
		"foreign delete by writing anew": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error {
				return tx.Delete(h.t.Context(), iceberg.EqualTo(iceberg.Reference("id"), int64(12)), nil)
			})
		}, false, false},
		"foreign truncate": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error { return tx.Delete(h.t.Context(), iceberg.AlwaysTrue{}, nil) })
		}, false, false},
		"rollback to before a delete": {func(h *house, _ table.Table, past []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error { return tx.RollbackToSnapshot(past[4].ID) })
		}, false, false},
		"rollback to before a delete, and the delete of another row": {func(h *house, tab table.Table, past []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error { return tx.RollbackToSnapshot(past[4].ID) })
			commit(h.t, tab, table.Change{Keys: numberedKeys(21, 1, 1)})
		}, false, false},
		"rollback and the same deletes": {func(h *house, tab table.Table, past []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error { return tx.RollbackToSnapshot(past[4].ID) })
			commit(h.t, tab, table.Change{Keys: numberedKeys(5, 10, 5)})
		}, true, false},
		"rollback to before a file": {func(h *house, tab table.Table, past []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error { return tx.RollbackToSnapshot(past[2].ID) })
			commit(h.t, tab, table.Change{Rows: numbered(30, 1, 10)})
		}, false, false},
		"renamed and back": {func(h *house, tab table.Table, _ []table.Snapshot) {
			must(h.t, h.Tables().Rename(h.t.Context(), orders, spare))
			commit(h.t, tab, table.Change{Keys: numberedKeys(1, 10, 3)})
			must(h.t, h.Tables().Rename(h.t.Context(), spare, orders))
		}, true, false},
		"exchanged": {func(h *house, tab table.Table, _ []table.Snapshot) {
			commit(h.t, h.ensure(fresher, orderColumns), table.Change{Rows: numbered(500, 1, 5)})
			must(h.t, h.Tables().Exchange(h.t.Context(), orders, fresher))
			commit(h.t, tab, table.Change{Keys: numberedKeys(1, 10, 3)})
		}, true, false},
		"dropped, and another one renamed to it": {func(h *house, _ table.Table, _ []table.Snapshot) {
			commit(h.t, h.ensure(fresher, orderColumns), table.Change{Rows: numbered(500, 1, 5)})
			must(h.t, h.Tables().Drop(h.t.Context(), orders, ""))
			must(h.t, h.Tables().Rename(h.t.Context(), fresher, orders))
		}, false, true},
		"dropped and made again": {func(h *house, _ table.Table, _ []table.Snapshot) {
			dropForeign(h.t, h.dir)
			commit(h.t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(0, 1, 7)})
		}, false, true},
		"foreign compaction": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error {
				scan, err := tx.Scan()
				if err != nil {
					return err
				}
				tasks, err := scan.PlanFiles(h.t.Context())
				if err != nil {
					return err
				}
				plan, err := (compaction.Config{TargetFileSizeBytes: 1 << 30, MinFileSizeBytes: 1 << 29, MaxFileSizeBytes: 1 << 31, MinInputFiles: 2, DeleteFileThreshold: 1, PackingLookback: 10}).PlanCompaction(tasks)
				if err != nil {
					return err
				}
				groups := make([]icetable.CompactionTaskGroup, len(plan.Groups))
				for i, g := range plan.Groups {
					groups[i] = icetable.CompactionTaskGroup{PartitionKey: g.PartitionKey, Tasks: g.Tasks, TotalSizeBytes: g.TotalSizeBytes}
				}
				_, err = tx.RewriteDataFiles(h.t.Context(), groups, icetable.RewriteDataFilesOptions{})
				return err
			})
		}, false, false},
		"compaction, and deletes in its file": {func(h *house, tab table.Table, _ []table.Snapshot) {
			h.compact(orders)
			commit(h.t, tab, table.Change{Keys: numberedKeys(1, 1, 3)})
		}, false, false},
		"a column renamed": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error {
				return tx.UpdateSchema(true, false).RenameColumn([]string{"note"}, "remark").Commit()
			})
			h.theirs(`{"id":500,"remark":"new name","_generation":1}`)
		}, true, false},
		"a column dropped and made again": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error {
				return tx.UpdateSchema(true, true).DeleteColumn([]string{"note"}).Commit()
			})
			h.transaction(func(tx *icetable.Transaction) error {
				return tx.UpdateSchema(true, false).AddColumn([]string{"note"}, iceberg.PrimitiveTypes.String, "", false, nil).Commit()
			})
			h.theirs(`{"id":500,"note":"another column","_generation":1}`)
		}, true, false},
		"a column widened": {func(h *house, tab table.Table, _ []table.Snapshot) {
			commit(h.t, tab, table.Change{Widen: map[string]record.Type{"price": "decimal(12,2)"}, Relax: []string{"id"}})
			commit(h.t, tab, table.Change{Keys: numberedKeys(1, 10, 3)})
		}, true, false},
		"partitioned": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error {
				return tx.UpdateSpec(true).AddIdentity("_generation").Commit()
			})
			h.theirs(`{"id":500,"note":"of a part","_generation":1}`)
		}, false, true},
		"format 3": {func(h *house, _ table.Table, _ []table.Snapshot) {
			h.transaction(func(tx *icetable.Transaction) error { return tx.UpgradeFormatVersion(3) })
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			var r rewritten
			h := open(t, filepath.Join(memoryDir(t), "lake"), &disk.FS{Hook: r.hook})
			tab := h.ensure(orders, orderColumns)
			var past []table.Snapshot
			for i := range int64(5) {
				past = append(past, commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10)}))
			}
			past = append(past, commit(t, tab, table.Change{Keys: numberedKeys(5, 10, 5)}))
			var want []string
			r.do = func() {
				c.meanwhile(h, tab, past)
				want = h.read(orders, catalog.At{})
			}
			r.armed.Store(true)
			done, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact})
			if r.armed.Load() || (done.FilesAdded == 1) != c.compacts || (err != nil) != c.refused {
				t.Fatalf("done %+v, %v", done, err)
			}
			equal(t, h.read(orders, catalog.At{}), want...)
			if n := len(h.foreignLines()); n != len(want) {
				t.Fatalf("iceberg-go reads %d rows of %d", n, len(want))
			}
			named := h.named()
			for _, path := range listFiles(t, h.dir) {
				if !named[path] && !strings.HasPrefix(name, "dropped") && strings.HasSuffix(path, ".parquet") {
					t.Errorf("left over: %s", path)
				}
			}
			if c.refused {
				return
			}
			h.compact(orders)
			equal(t, h.read(orders, catalog.At{}), want...)
			_ = h.Close()
			h = open(t, h.dir, disk.Local)
			equal(t, h.read(orders, catalog.At{}), want...)
			tab = h.ensure(orders, orderColumns)
			commit(t, tab, table.Change{Keys: numberedKeys(0, 1, 600)})
			equal(t, h.read(orders, catalog.At{}))
			if n := len(h.foreignLines()); n != 0 {
				t.Fatalf("iceberg-go reads %d rows of none", n)
			}
		})
	}
}

// TestCompactionOfForeignFiles puts files together that other engines wrote otherwise than Tarn does.
func TestCompactionOfForeignFiles(t *testing.T) {
	t.Run("of small row groups", func(t *testing.T) {
		var r rewritten
		h := open(t, filepath.Join(memoryDir(t), "lake"), &disk.FS{Hook: r.hook})
		tab := h.ensure(orders, orderColumns)
		for i := range int64(3) {
			h.transaction(func(tx *icetable.Transaction) error {
				if err := tx.SetProperties(iceberg.Properties{"write.parquet.row-group-limit": "7", "write.parquet.page-row-limit": "3"}); err != nil {
					return err
				}
				batch := relabelled(numbered(i*1000, 1, 1000), tab.Columns())
				reader, err := array.NewRecordReader(batch[0].Schema(), batch)
				if err != nil {
					return err
				}
				return tx.Append(t.Context(), reader, nil)
			})
		}
		commit(t, tab, table.Change{Keys: numberedKeys(5, 13, 200)})
		var want []string
		r.do = func() {
			commit(t, tab, table.Change{Keys: numberedKeys(0, 7, 400), Rows: numbered(0, 14, 100)})
			want = h.read(orders, catalog.At{})
		}
		r.armed.Store(true)
		if done := h.compact(orders); done.FilesAdded != 1 {
			t.Fatalf("%+v", done)
		}
		equal(t, h.read(orders, catalog.At{}), want...)
	})
	t.Run("of a partition spec that is no more", func(t *testing.T) {
		h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
		tab := h.ensure(orders, orderColumns)
		commit(t, tab, table.Change{Rows: numbered(0, 1, 10)})
		h.transaction(func(tx *icetable.Transaction) error {
			return tx.UpdateSpec(true).AddIdentity("_generation").Commit()
		})
		h.theirs(`{"id":500,"note":"of a part","_generation":1}`, `{"id":501,"note":"of another","_generation":2}`)
		h.transaction(func(tx *icetable.Transaction) error {
			return tx.UpdateSpec(true).RemoveField("_generation").Commit()
		})
		h.theirs(`{"id":502,"note":"of none","_generation":2}`)
		want := h.read(orders, catalog.At{})
		if _, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact}); err != nil {
			t.Log(err)
		}
		equal(t, h.read(orders, catalog.At{}), want...)
		if n := len(h.foreignLines()); n != 13 {
			t.Fatalf("iceberg-go reads %d rows of 13", n)
		}
		if _, err := tab.Commit(t.Context(), table.Change{Keys: numberedKeys(500, 1, 2)}); err != nil {
			t.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(row string) bool {
			return strings.HasPrefix(row, `{"id":50`) && !strings.HasPrefix(row, `{"id":502`)
		})
		equal(t, h.read(orders, catalog.At{}), want...)
		if n := len(h.foreignLines()); n != 11 {
			t.Fatalf("iceberg-go reads %d rows of 11", n)
		}
	})
	t.Run("of columns that Tarn does not make", func(t *testing.T) {
		h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
		tab := h.ensure(orders, orderColumns)
		commit(t, tab, table.Change{Rows: numbered(0, 1, 3)})
		h.transaction(func(tx *icetable.Transaction) error {
			u := tx.UpdateSchema(true, false)
			u.AddColumn([]string{"nest"}, &iceberg.StructType{FieldList: []iceberg.NestedField{
				{ID: 100, Name: "a", Type: iceberg.PrimitiveTypes.Int32},
				{ID: 101, Name: "list", Type: &iceberg.ListType{ElementID: 102, Element: iceberg.PrimitiveTypes.String}},
			}}, "", false, nil)
			u.AddColumn([]string{"map"}, &iceberg.MapType{KeyID: 103, KeyType: iceberg.PrimitiveTypes.String, ValueID: 104, ValueType: iceberg.PrimitiveTypes.Int64}, "", false, nil)
			u.AddColumn([]string{"four"}, iceberg.FixedTypeOf(4), "", false, nil)
			return u.Commit()
		})
		for i := range 3 {
			h.transaction(func(tx *icetable.Transaction) error {
				staged, err := tx.StagedTable()
				if err != nil {
					return err
				}
				schema, err := icetable.SchemaToArrowSchema(staged.Schema(), nil, true, false)
				if err != nil {
					return err
				}
				batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(fmt.Sprintf(
					`[{"id":%d,"nest":{"a":1,"list":["x",null]},"map":[{"key":"k","value":7}],"four":"AAECAw=="},{"id":%d,"nest":null,"map":null,"four":null}]`, 10+i, 20+i)))
				if err != nil {
					return err
				}
				reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
				if err != nil {
					return err
				}
				return tx.Append(t.Context(), reader, nil)
			})
		}
		commit(t, tab, table.Change{Keys: numberedKeys(10, 1, 1)})
		want := h.foreignLines()
		done, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact})
		t.Logf("%+v, %v", done, err)
		equal(t, h.foreignLines(), want...)
	})
	t.Run("with long texts for keys", func(t *testing.T) {
		h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
		id := table.Ident{Namespace: "silver", Name: "texts"}
		cols := []table.Column{{Name: "k", Type: record.String, Required: true, Key: true}, {Name: "v", Type: record.Int}}
		tab := h.ensure(id, cols)
		long := strings.Repeat("z", 40)
		for i := range 4 {
			commit(t, tab, table.Change{Rows: rows(t, cols, fmt.Sprintf(`{"k":"%s%d","v":%d}`, long, i, i), fmt.Sprintf(`{"k":"%s%d","v":%d}`, strings.Repeat("\U0010FFFF", 20), i, i))})
		}
		h.compact(id)
		commit(t, tab, table.Change{Keys: rows(t, cols[:1], fmt.Sprintf(`{"k":"%s3"}`, long), fmt.Sprintf(`{"k":"%s2"}`, strings.Repeat("\U0010FFFF", 20)))})
		if got := h.read(id, catalog.At{}); len(got) != 6 {
			t.Fatalf("rows are %q", got)
		}
	})
}

// relabelled gives batches the field ids of a table's columns.
func relabelled(in []arrow.RecordBatch, cols []table.Column) []arrow.RecordBatch {
	out := make([]arrow.RecordBatch, len(in))
	for i, b := range in {
		out[i] = array.NewRecordBatch(table.ArrowSchema(cols), b.Columns(), b.NumRows())
	}
	return out
}

// TestCatalogInDoubt lets the catalog fail with a commit, or say that it failed, at the moment when its
// pointer moves: the table is then as the catalog has it, and no file that it names is gone.
func TestCatalogInDoubt(t *testing.T) {
	const fails = `CREATE TRIGGER doubt %s UPDATE ON iceberg_tables BEGIN %s SELECT RAISE(%s, 'disk I/O error'); END`
	for name, c := range map[string]struct {
		trigger string
		after   string // done by hand when the commit has failed
		told    bool   // an error
		done    bool   // all the same
	}{
		"it did not":                 {fmt.Sprintf(fails, "BEFORE", "", "ABORT"), "", true, false},
		"it did, and said not":       {fmt.Sprintf(fails, "AFTER", "", "FAIL"), "", false, true},
		"it did, nobody can ask":     {fmt.Sprintf(fails, "AFTER", "INSERT INTO kept SELECT NEW.metadata_location; DELETE FROM iceberg_tables WHERE metadata_location=NEW.metadata_location;", "FAIL"), "new", true, true},
		"it did not, nobody can ask": {fmt.Sprintf(fails, "AFTER", "INSERT INTO kept SELECT OLD.metadata_location; DELETE FROM iceberg_tables WHERE metadata_location=NEW.metadata_location;", "FAIL"), "old", true, false},
	} {
		for _, action := range []string{"upsert", "compact", "expire"} {
			t.Run(name+", "+action, func(t *testing.T) {
				h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
				tab := h.ensure(orders, orderColumns)
				for i := range int64(3) {
					commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10)})
				}
				h.exec("CREATE TABLE kept (location TEXT)")
				before, files, snaps := h.location(orders), listFiles(t, h.dir), len(h.snapshots(orders))
				h.exec(c.trigger)
				var err error
				switch action {
				case "upsert":
					_, err = tab.Commit(t.Context(), table.Change{Rows: numbered(5, 1, 1), Keys: numberedKeys(5, 1, 2)})
				case "compact":
					_, err = h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact})
				case "expire":
					_, err = h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1})
				}
				if (err != nil) != c.told {
					t.Fatalf("told %v", err)
				}
				h.exec("DROP TRIGGER doubt")
				if c.after != "" {
					h.exec("INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location) SELECT 'tarn','silver','orders','TABLE', location FROM kept")
				}
				if moved := h.location(orders) != before; moved != c.done {
					t.Fatalf("the catalog moved: %v", moved)
				}
				for path := range h.named() {
					if !slices.Contains(listFiles(t, h.dir), path) {
						t.Fatalf("%s is named and gone", path)
					}
				}
				if left := listFiles(t, h.dir); c.after == "" && !c.done && !slices.Equal(left, files) {
					t.Fatalf("files stay: %q, were %q", left, files)
				}
				want := 30
				if c.done && action == "upsert" {
					want = 29
				}
				if got := h.read(orders, catalog.At{}); len(got) != want {
					t.Fatalf("%d rows of %d", len(got), want)
				}
				if action == "expire" && (len(h.snapshots(orders)) == snaps) == c.done {
					t.Fatalf("%d snapshots", len(h.snapshots(orders)))
				}
				commit(t, tab, table.Change{Keys: numberedKeys(0, 1, 29)})
				if got := h.read(orders, catalog.At{}); len(got) != 1 {
					t.Fatalf("rows are %q", got)
				}
				_ = h.Close()
				again := open(t, h.dir, disk.Local)
				if got := again.read(orders, catalog.At{}); len(got) != 1 {
					t.Fatalf("rows are %q", got)
				}
			})
		}
	}
}

// TestDroppedWhileItIsCompacted leaves no file behind.
func TestDroppedWhileItIsCompacted(t *testing.T) {
	var r rewritten
	h := open(t, filepath.Join(memoryDir(t), "lake"), &disk.FS{Hook: r.hook})
	tab := h.ensure(orders, orderColumns)
	for i := range int64(3) {
		commit(t, tab, table.Change{Rows: numbered(i*10, 1, 10)})
	}
	before := listFiles(t, h.dir)
	r.do = func() { dropForeign(t, h.dir) }
	r.armed.Store(true)
	if _, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact}); !errors.Is(err, table.ErrNotFound) {
		t.Fatal(err)
	}
	if left := listFiles(t, h.dir); !slices.Equal(left, before) {
		t.Fatalf("files stay: %q, were %q", left, before)
	}
}

// TestForeignCommitWhileFilesAreExchanged lets somebody else commit at the worst moment, after a compaction has
// written its metadata and before the catalog moves: once, and always.
func TestForeignCommitWhileFilesAreExchanged(t *testing.T) {
	var h *house
	left, armed := 0, false
	hook := func(op, path string) error {
		if !armed || op != "create" || !strings.HasSuffix(path, ".metadata.json") || left == 0 {
			return nil
		}
		left--
		h.transaction(func(tx *icetable.Transaction) error {
			if err := tx.SetProperties(iceberg.Properties{"write.delete.mode": "merge-on-read"}); err != nil {
				return err
			}
			return tx.Delete(t.Context(), iceberg.EqualTo(iceberg.Reference("id"), int64(left)), nil)
		})
		return nil
	}
	for _, often := range []int{1, 1000} {
		h = open(t, filepath.Join(memoryDir(t), "lake"), &disk.FS{Hook: hook})
		tab := h.ensure(orders, orderColumns)
		for i := range int64(4) {
			commit(t, tab, table.Change{Rows: numbered(i*300, 1, 300)})
		}
		left, armed = often, true
		done := h.compact(orders)
		armed = false
		if (done.FilesAdded == 1) != (often == 1) {
			t.Fatalf("done %+v", done)
		}
		if got := h.read(orders, catalog.At{}); len(got) != 1200-(often-left) {
			t.Fatalf("%d rows, %d of 1200 are deleted", len(got), often-left)
		}
		named := h.named()
		for _, path := range listFiles(t, h.dir) {
			if !named[path] && strings.HasSuffix(path, ".parquet") && often > 1 {
				t.Errorf("left over: %s", path)
			}
		}
	}
}

// TestCatalogThatCannotWrite commits until the catalog's own log finds no room in a file. What it has of the
// last commit may be all of it and come back when the catalog is opened again, so the files of that one stay.
// A process of its own does it, for the limit holds for every file of a process, those of package testing too.
func TestCatalogThatCannotWrite(t *testing.T) {
	if dir := os.Getenv("TARN_TEST_LIMITED"); dir != "" {
		catalogThatCannotWrite(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestCatalogThatCannotWrite$")
	cmd.Env = append(os.Environ(), "TARN_TEST_LIMITED="+filepath.Join(memoryDir(t), "lake"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func catalogThatCannotWrite(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	h := open(t, dir, disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: numbered(0, 1, 10)})
	before := listFiles(t, h.dir)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(h.dir, "catalog.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: uint64(info.Size()) + 1000, Max: was.Max} //nolint:gosec // not negative
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	_, failed := tab.Commit(t.Context(), table.Change{Keys: numberedKeys(0, 1, 3), Properties: map[string]string{"p": "after"}})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if failed == nil || fault.HintOf(failed) == "" {
		t.Fatalf("the commit: %v", failed)
	}
	if n := len(h.read(orders, catalog.At{})); n != 10 {
		t.Fatalf("%d rows of 10", n)
	}
	if left := listFiles(t, h.dir); len(left) <= len(before) {
		t.Fatalf("the files are gone: %q", left)
	}
	commit(t, tab, table.Change{Keys: numberedKeys(0, 1, 3)})
	_ = h.Close()
	h = open(t, h.dir, disk.Local)
	if n := len(h.read(orders, catalog.At{})); n != 7 {
		t.Fatalf("%d rows of 7", n)
	}
}

// TestCompactionReadsWhatOthersTakeOut: the files that a compaction reads stay until it has, though their
// snapshot is no more the last one, is to be expired, and is swept.
func TestCompactionReadsWhatOthersTakeOut(t *testing.T) {
	var h *house
	clock, armed := newHandClock(), false
	hook := func(op, path string) error {
		if !armed || op != "create" || !strings.HasSuffix(path, ".parquet") {
			return nil
		}
		armed = false
		h.compact(orders)
		clock.pass(time.Hour)
		h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
		h.sweptHours(clock, 3)
		return nil
	}
	h = openAt(t, filepath.Join(memoryDir(t), "lake"), &disk.FS{Hook: hook}, clock)
	h.committed(5)
	want := h.read(orders, catalog.At{})
	armed = true
	if done, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact}); err != nil || done.FilesAdded != 0 || armed {
		t.Fatalf("%+v, %v", done, err)
	}
	equal(t, h.read(orders, catalog.At{}), want...)
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	if left := h.snapshots(orders); len(left) != 1 {
		t.Fatalf("snapshots %v", left)
	}
}
