//go:build duckdb_arrow

package lake_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/repair"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// catalogDB is the catalog's file, which closing has left in one piece.
func (h *house) catalogDB() string { return filepath.Join(h.dir, "catalog.db") }

// TestCatalogIsFoundAndMended harms catalog.db of a stopped lake.
func TestCatalogIsFoundAndMended(t *testing.T) {
	const commits = 5
	for name, c := range map[string]struct {
		harm   func(t *testing.T, s *scene, old []byte)
		opens  bool
		of     []string
		says   string
		landed int // commits that the tables hold after the repair, before more is landed
	}{
		"cut":     {func(t *testing.T, s *scene, _ []byte) { harms["cut in half"](t, s.catalogDB()) }, false, []string{"catalog.db"}, "makes it anew", commits},
		"zeroed":  {func(t *testing.T, s *scene, _ []byte) { harms["zeroed"](t, s.catalogDB()) }, false, []string{"catalog.db"}, "makes it anew", commits},
		"missing": {func(t *testing.T, s *scene, _ []byte) { harms["missing"](t, s.catalogDB()) }, false, []string{"catalog.db"}, "makes it anew", commits},
		"older": {func(t *testing.T, s *scene, old []byte) {
			must(t, os.WriteFile(s.catalogDB(), old, 0o600))
		}, true, []string{"bronze.raw", "silver.mirrored"}, "goes on from", commits},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, 2)
			view := catalog.View{Ident: table.Ident{Namespace: "gold", Name: "v"}, Text: "SELECT 1 AS n", Dialect: "duckdb", Columns: []table.Column{{Name: "n", Type: record.Int}}}
			must(t, s.Catalog().CreateView(t.Context(), view, false))
			must(t, s.Close())
			old, err := os.ReadFile(s.catalogDB())
			must(t, err)
			s.house = open(t, s.dir, disk.Local)
			s.openTables()
			for n := 3; n <= commits; n++ {
				s.landMirrored(n)
				s.landRaw(n)
			}
			must(t, s.Close())
			c.harm(t, s, old)
			l, err := lake.Open(t.Context(), options(s.dir, disk.Local))
			if (err == nil) != c.opens {
				t.Fatalf("the lake opens: %v", err)
			}
			if err == nil {
				for _, id := range []table.Ident{raw, mirrored} {
					if _, err := l.Catalog().Scan(t.Context(), id, catalog.At{}); fault.CodeOf(err) != fault.Damaged || !strings.Contains(err.Error(), "catalog.db") {
						t.Fatalf("%s of a catalog put back: %v", id, err)
					}
				}
				must(t, l.Close())
			} else if !strings.Contains(fault.HintOf(err), "tarn repair") {
				t.Fatalf("%v, hint %q", err, fault.HintOf(err))
			}
			before := folderHash(t, s.dir)
			found, err := repaired(t, s.dir, disk.Local, repair.Order{}, 0, nil)
			must(t, err)
			var of []string
			for _, f := range found {
				of = append(of, f.Of)
				if !strings.Contains(f.Action, c.says) {
					t.Fatalf("said %+v", f)
				}
			}
			if !slices.Equal(of, c.of) || folderHash(t, s.dir) != before {
				t.Fatalf("found %v, or changed the folder", of)
			}
			_, err = repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
			must(t, err)
			h := open(t, s.dir, disk.Local)
			equal(t, h.read(mirrored, catalog.At{}), mirrorAfter(c.landed)...)
			if v, err := h.Catalog().View(t.Context(), view.Ident); err != nil || v.Text != view.Text {
				t.Fatalf("the view is %+v, %v", v, err)
			}
			must(t, h.Close())
			s.healed(commits + 1)
		})
	}
}

// TestOneNewerMetadataIsInnocent: a commit that was killed before the catalog moved leaves one.
func TestOneNewerMetadataIsInnocent(t *testing.T) {
	s := newScene(t, 3)
	must(t, s.Close())
	old, err := os.ReadFile(s.catalogDB())
	must(t, err)
	s.house = open(t, s.dir, disk.Local)
	s.openTables()
	s.landMirrored(4)
	s.landRaw(4)
	must(t, s.Close())
	must(t, os.WriteFile(s.catalogDB(), old, 0o600))
	found, err := repaired(t, s.dir, disk.Local, repair.Order{}, 0, nil)
	if err != nil || len(found) > 0 {
		t.Fatalf("found %+v, %v", found, err)
	}
	s.healed(5)
}

// TestRepairWithoutTheLog damages what the log has no more.
func TestRepairWithoutTheLog(t *testing.T) {
	const commits = 5
	const gone = commits * perCommit
	for name, c := range map[string]struct {
		file  func(s *scene) string
		says  string
		loss  string
		asks  []string
		check func(t *testing.T, h *scene)
	}{
		"a mirror takes a new snapshot": {
			file: func(s *scene) string { return last(s.dataFiles(mirrored)) }, says: "takes a new snapshot of src/main.t", asks: []string{"src/main.t"},
			check: func(t *testing.T, h *scene) {
				equal(t, h.read(mirrored, catalog.At{}))
				if landed(t, h.mirrored) != commits {
					t.Fatal("the mirror does not go on where it was")
				}
				h.landMirrored(commits + 1)
			},
		},
		"a mirror whose metadata tells less than was landed": {
			file: func(s *scene) string { return last(s.matching(mirrored, "metadata/*.metadata.json")) }, says: "takes a new snapshot of src/main.t", asks: []string{"src/main.t"},
			check: func(t *testing.T, h *scene) {
				equal(t, h.read(mirrored, catalog.At{}))
				if landed(t, h.mirrored) != commits {
					t.Fatalf("the mirror goes on at %d, where the log has nothing", landed(t, h.mirrored)*perCommit)
				}
			},
		},
		"bronze loses one file": {
			file: func(s *scene) string { return s.dataFiles(raw)[1] }, says: "keeps the table without 1 files", loss: "10 rows of offsets 10 to 19",
			check: func(t *testing.T, h *scene) {
				want := slices.DeleteFunc(rawAfter(commits), func(r string) bool { return strings.Contains(r, `"_offset":1`) && !strings.Contains(r, `"_offset":1,`) })
				equal(t, h.read(raw, catalog.At{}), want...)
				h.landRaw(commits + 1)
			},
		},
		"bronze without its newest manifest goes back": {
			file: func(s *scene) string { return last(s.manifests(raw)) }, says: "goes back to version", loss: "not in the log any more",
			check: func(t *testing.T, h *scene) {
				equal(t, h.read(raw, catalog.At{}), rawAfter(commits-1)...)
				if landed(t, h.raw) != commits {
					t.Fatalf("bronze goes on at %d, where the log has nothing", landed(t, h.raw)*perCommit)
				}
				h.landRaw(commits + 1)
			},
		},
		"metadata that tells less than was landed": {
			file: func(s *scene) string { return last(s.matching(raw, "metadata/*.metadata.json")) }, says: "goes back to version", loss: "not in the log any more",
			check: func(t *testing.T, h *scene) {
				equal(t, h.read(raw, catalog.At{}), rawAfter(commits-1)...)
				if landed(t, h.raw) != commits {
					t.Fatalf("bronze goes on at %d, where the log has nothing", landed(t, h.raw)*perCommit)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, commits)
			must(t, s.Close())
			harms["missing"](t, c.file(s))
			var asked []string
			found, err := repaired(t, s.dir, disk.Local, repair.Order{}, gone, &asked)
			if err != nil || len(found) != 1 || !strings.Contains(found[0].Action, c.says) || !strings.Contains(found[0].Loss, c.loss) || (c.loss == "") != (found[0].Loss == "") || asked != nil {
				t.Fatalf("said %+v, %v", found, err)
			}
			_, err = repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, gone, &asked)
			must(t, err)
			if !slices.Equal(asked, c.asks) {
				t.Fatalf("asked for %v", asked)
			}
			h := &scene{house: open(t, s.dir, disk.Local)}
			h.openTables()
			c.check(t, h)
			must(t, h.Close())
			if found, err := repaired(t, s.dir, disk.Local, repair.Order{Deep: true}, gone, nil); err != nil || len(found) > 0 {
				t.Fatalf("a second repair finds %+v, %v", found, err)
			}
		})
	}
}

// TestDeepRepairComparesRows puts another whole Parquet file in place of one, of the
// same length: only its rows tell.
func TestDeepRepairComparesRows(t *testing.T) {
	const commits = 5
	s := newScene(t, commits)
	must(t, s.Close())
	files := s.dataFiles(raw)
	other, file := files[2], files[3] // whose offsets all have two digits
	content, err := os.ReadFile(other)
	must(t, err)
	if n := size(t, file); n != int64(len(content)) {
		t.Fatalf("the files have %d and %d bytes", len(content), n)
	}
	must(t, os.WriteFile(file, content, 0o600))
	found, err := repaired(t, s.dir, disk.Local, repair.Order{}, 0, nil)
	if err != nil || len(found) > 0 {
		t.Fatalf("a shallow look finds %+v, %v", found, err)
	}
	found, err = repaired(t, s.dir, disk.Local, repair.Order{Deep: true, Yes: true}, 0, nil)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Damage[0].Problem, "_offset goes from 20 to 29") {
		t.Fatalf("a deep look finds %+v, %v", found, err)
	}
	s.healed(commits)
}

// TestARepairCanBeStoppedAnywhere fails each operation of a repair on the disk, and all after it.
func TestARepairCanBeStoppedAnywhere(t *testing.T) {
	t.Parallel()
	const commits = 2
	for name, harm := range map[string]func(s *scene){
		"a data file": func(s *scene) { harms["missing"](t, last(s.dataFiles(mirrored))) },
		"the catalog": func(s *scene) { harms["zeroed"](t, s.catalogDB()) },
		"a file of bronze that the log has no more": func(s *scene) { harms["missing"](t, s.dataFiles(raw)[1]) },
	} {
		t.Run(name, func(t *testing.T) {
			logStart := int64(0)
			if strings.Contains(name, "no more") {
				logStart = commits * perCommit
			}
			t.Parallel()
			s, kept := newScene(t, commits), filepath.Join(memoryDir(t), "kept")
			must(t, s.Close())
			harm(s)
			copyDir(t, s.dir, kept)
			taken := someOf(1)
			for n := taken.from; ; n += taken.every {
				b := &breaker{stays: true}
				must(t, os.RemoveAll(s.dir))
				copyDir(t, kept, s.dir)
				b.left.Store(n)
				_, err := repaired(t, s.dir, &disk.FS{Hook: b.hook}, repair.Order{Yes: true}, logStart, nil)
				if err != nil && !errors.Is(err, errInjected) {
					t.Fatalf("operation %d: %v", n, err)
				}
				if _, err := repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, logStart, nil); err != nil {
					t.Fatalf("after operation %d: %v", n, err)
				}
				if logStart == 0 {
					s.healed(commits)
				} else if found, err := repaired(t, s.dir, disk.Local, repair.Order{Deep: true}, logStart, nil); err != nil || len(found) > 0 {
					t.Fatalf("after operation %d a second repair finds %+v, %v", n, found, err)
				}
				if b.seen.Load() < n {
					t.Logf("%v of fewer than %d operations", taken, n)
					return
				}
			}
		})
	}
}

// TestPyIcebergReadsWhatWasRepaired has PyIceberg read a table after each sort of repair.
func TestPyIcebergReadsWhatWasRepaired(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	for name, c := range map[string]struct {
		file     func(s *scene) string
		logStart int64
		rows     int
	}{
		"gone back":      {func(s *scene) string { return last(s.dataFiles(mirrored)) }, 0, 3},
		"emptied":        {func(s *scene) string { return last(s.dataFiles(mirrored)) }, 1000, 0},
		"without a file": {func(s *scene) string { return last(s.dataFiles(raw)) }, 1000, 20},
		"anew":           {func(s *scene) string { return s.catalogDB() }, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, 3)
			must(t, s.Close())
			harms["zeroed"](t, c.file(s))
			_, err := repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, c.logStart, nil)
			must(t, err)
			of := mirrored
			if strings.Contains(name, "without") {
				of = raw
			}
			if got := peer(t, interpreter, s.dir, "rows", of.String()); len(got) != c.rows {
				t.Fatalf("PyIceberg reads %d rows, want %d", len(got), c.rows)
			}
			if c.rows == 0 {
				return
			}
			h := open(t, s.dir, disk.Local)
			same(t, name, peer(t, interpreter, s.dir, "rows", of.String()), objects(t, h.read(of, catalog.At{})))
		})
	}
}

// TestAnOldSnapshotIsForgotten damages what only an old snapshot needs: the table goes on as it is.
func TestAnOldSnapshotIsForgotten(t *testing.T) {
	s := newScene(t, 3)
	must(t, s.Close())
	harms["cut in half"](t, s.matching(raw, "metadata/snap-*.avro")[0])
	h := open(t, s.dir, disk.Local)
	equal(t, h.read(raw, catalog.At{}), rawAfter(3)...)
	must(t, h.Close())
	found, err := repaired(t, s.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Action, "forgets 1 old snapshots") || found[0].Loss != "" {
		t.Fatalf("did %+v, %v", found, err)
	}
	s.healed(4)
}

// TestATableOfOthersLosesOnlyTheFile damages a table that the log knows nothing of.
func TestATableOfOthersLosesOnlyTheFile(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one)})
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, two)})
	must(t, h.Close())
	harms["cut by 1"](t, h.dataFiles(orders)[0])
	found, err := repaired(t, h.dir, disk.Local, repair.Order{Yes: true}, 0, nil)
	if err != nil || len(found) != 1 || found[0].Loss != "1 rows" {
		t.Fatalf("did %+v, %v", found, err)
	}
	aside, err := filepath.Glob(filepath.Join(h.dir, "aside", "*", "warehouse", "silver", "orders", "data", "*.parquet"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("aside lie %v, %v", aside, err)
	}
	h = open(t, h.dir, disk.Local)
	equal(t, h.read(orders, catalog.At{}), readTwo)
}
