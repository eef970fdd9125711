//go:build duckdb_arrow

package lake_test

import (
	dbsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/disk"
	"tarn/embedded/repair"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// othersTable is a table of a stopped lake that another program has made one of format 3, with
// a deletion vector.
func othersTable(t *testing.T) *house {
	t.Helper()
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	commit(t, tab, table.Change{Rows: numbered(10, 1, 50)})
	must(t, h.Close())
	h.transaction(func(tx *icetable.Transaction) error {
		if err := tx.UpgradeFormatVersion(3); err != nil {
			return err
		}
		return tx.SetProperties(iceberg.Properties{"write.delete.mode": "merge-on-read"})
	})
	h.transaction(func(tx *icetable.Transaction) error {
		return tx.Delete(t.Context(), iceberg.EqualTo(iceberg.Reference("id"), int64(12)), nil)
	})
	return h
}

// TestTablesOfOthersAreLeftAlone: one that is whole is, and one that is damaged is told of only.
func TestTablesOfOthersAreLeftAlone(t *testing.T) {
	h := othersTable(t)
	if len(h.matching(orders, "data/*.puffin")) == 0 {
		t.Fatal("no deletion vector was written")
	}
	before := folderHash(t, h.dir)
	found, err := repaired(t, h.dir, disk.Local, repair.Order{Deep: true, Yes: true}, 0, nil)
	if err != nil || len(found) > 0 || folderHash(t, h.dir) != before {
		t.Fatalf("of a whole table it found %+v, %v", found, err)
	}
	harms["cut by 1"](t, last(h.matching(orders, "data/*.puffin")))
	before = folderHash(t, h.dir)
	found, err = repaired(t, h.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
	if err != nil || len(found) != 1 || found[0].Done || found[0].Action != "" || !strings.Contains(found[0].Hint, "Tarn only reads") || folderHash(t, h.dir) != before {
		t.Fatalf("of a damaged table it found %+v, %v", found, err)
	}
}

// TestACatalogThatCannotBeReadIsNotMadeAnew: where the copy could not be made, the catalog
// may be whole.
func TestACatalogThatCannotBeReadIsNotMadeAnew(t *testing.T) {
	s := newScene(t, 1)
	must(t, s.Close())
	before := folderHash(t, s.dir)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	found, err := repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
	if err == nil || len(found) > 0 || folderHash(t, s.dir) != before {
		t.Fatalf("it found %+v, %v", found, err)
	}
}

// TestNoHoleOfTheLogIsSkipped damages a table where damage has taken records of the log too.
func TestNoHoleOfTheLogIsSkipped(t *testing.T) {
	const commits = 5
	for name, lost := range map[string][2]int64{
		"behind the table":                       {55, 60},
		"from what would be landed once more on": {44, 55},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, commits)
			must(t, s.Close())
			harms["missing"](t, last(s.manifests(raw)))
			found, err := repairedWith(t, s.dir, disk.Local, repair.Order{Yes: true}, 0, [][2]int64{lost}, nil)
			if err != nil || len(found) != 1 || (found[0].Loss == "") != (lost[0] >= commits*perCommit) {
				t.Fatalf("did %+v, %v", found, err)
			}
			h := &scene{house: open(t, s.dir, disk.Local)}
			h.openTables()
			if landed(t, h.raw) != commits-1 {
				t.Fatalf("landing goes on at %d", landed(t, h.raw)*perCommit)
			}
		})
	}
}

// TestAFileThatCannotBeOpenedIsNoDamage: it may be whole, so nothing is done. A folder in its
// place stands for whatever the system refuses.
func TestAFileThatCannotBeOpenedIsNoDamage(t *testing.T) {
	for _, pattern := range []string{"metadata/*.metadata.json", "metadata/snap-*.avro"} {
		s := newScene(t, 2)
		must(t, s.Close())
		path := last(s.matching(raw, pattern))
		must(t, os.Rename(path, path+".away"))
		must(t, os.MkdirAll(path, 0o750))
		before := folderHash(t, s.dir)
		found, err := repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
		if err == nil || folderHash(t, s.dir) != before {
			t.Fatalf("%s: it found %+v, %v", pattern, found, err)
		}
	}
}

// foreignAppend appends a row to a branch as another program does.
func (h *house) foreignAppend(branch, row string) {
	h.t.Helper()
	if _, err := foreignCommit(h.t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
		batches := rows(h.t, orderColumns, row)
		reader, err := array.NewRecordReader(batches[0].Schema(), batches)
		if err != nil {
			return nil, err
		}
		tx := tab.NewTransactionOnBranch(branch)
		if err := tx.Append(h.t.Context(), reader, nil); err != nil {
			return nil, err
		}
		return tx.Commit(h.t.Context())
	}); err != nil {
		h.t.Fatal(err)
	}
}

// TestGoingBackTellsWhatItUndoes goes back over what is not landing's.
func TestGoingBackTellsWhatItUndoes(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one), Properties: offsets(1)})
	commit(t, tab, table.Change{Rows: numbered(10, 1, 1), Properties: offsets(2)})
	h.foreignAppend("main", two)
	harm := last(h.dataFiles(orders))
	commit(t, tab, table.Change{Rows: numbered(20, 1, 1), Properties: offsets(3)})
	must(t, h.Close())
	h.foreignAppend("kept", one)
	harms["missing"](t, harm)
	found, err := repaired(t, h.dir, disk.Local, repair.Order{}, 0, nil)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Loss, "which is not landing's") || !strings.Contains(found[0].Loss, "branch kept") {
		t.Fatalf("found %+v, %v", found, err)
	}
}

// TestGoingBackStaysInTheHistory: what a person has rolled back does not come again.
func TestGoingBackStaysInTheHistory(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	first := commit(t, tab, table.Change{Rows: rows(t, orderColumns, one), Properties: offsets(1)})
	commit(t, tab, table.Change{Rows: numbered(10, 1, 1), Properties: offsets(2)})
	h.transaction(func(tx *icetable.Transaction) error { return tx.RollbackToSnapshot(first.ID) })
	h.foreignAppend("main", two)
	harm := last(h.dataFiles(orders))
	must(t, h.Close())
	harms["missing"](t, harm)
	found, err := repaired(t, h.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Action, fmt.Sprint("goes back to version ", first.ID)) {
		t.Fatalf("did %+v, %v", found, err)
	}
	h = open(t, h.dir, disk.Local)
	equal(t, h.read(orders, catalog.At{}), readOne)
}

// TestAFolderOfTwoTablesIsLeftAlone: a table that another program has renamed keeps its folder.
func TestAFolderOfTwoTablesIsLeftAlone(t *testing.T) {
	s := newScene(t, 2)
	must(t, s.Close())
	db, err := dbsql.Open("sqlite", "file:"+s.catalogDB())
	must(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location)
		SELECT catalog_name, table_namespace, 'renamed', iceberg_type, previous_metadata_location FROM iceberg_tables WHERE table_name = 'raw'`)
	must(t, errors.Join(err, db.Close()))
	harms["missing"](t, last(s.dataFiles(raw)))
	before := folderHash(t, s.dir)
	found, err := repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
	if err != nil || len(found) == 0 || found[0].Action != "" || !strings.Contains(found[0].Hint, "same folder") || folderHash(t, s.dir) != before {
		t.Fatalf("did %+v, %v", found, err)
	}
}
