//go:build duckdb_arrow

package lake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

var (
	mirrored = table.Ident{Namespace: "silver", Name: "mirrored"}
	raw      = table.Ident{Namespace: "bronze", Name: "raw"}
)

var mirroredColumns = []table.Column{
	{Name: "id", Type: record.Long, Required: true, Key: true},
	{Name: "note", Type: record.String},
	{Name: "_offset", Type: record.Long},
	{Name: "_generation", Type: record.Long},
}

var rawColumns = []table.Column{
	{Name: "_partition", Type: record.Int, Required: true},
	{Name: "_offset", Type: record.Long, Required: true},
	{Name: "value", Type: record.String},
}

// perCommit is how many offsets one commit of the scene lands.
const perCommit = 10

// offsets is the property of a table that has landed n commits of the scene.
func offsets(n int) map[string]string {
	text, _ := json.Marshal(record.Offsets{"port.t": {"0": {Next: int64(n * perCommit), Places: map[string]string{"src": fmt.Sprintf("inc/%02d", n)}}}})
	return map[string]string{table.PropOffsets + "landing": string(text)}
}

// scene is a lake as landing fills it: each commit upserts keys of the mirror, one of which every
// commit replaces, and appends to bronze.
type scene struct {
	*house
	mirrored, raw table.Table
}

func (s *scene) openTables() {
	s.mirrored = s.ensureWith(mirrored, mirroredColumns, map[string]string{table.PropSource: "src/main.t"})
	s.raw = s.ensureWith(raw, rawColumns, nil)
}

func (h *house) ensureWith(id table.Ident, cols []table.Column, props map[string]string) table.Table {
	h.t.Helper()
	tab, err := h.Tables().Ensure(h.t.Context(), table.Spec{Ident: id, Columns: cols, Properties: props})
	if err != nil {
		h.t.Fatal(err)
	}
	return tab
}

func newScene(t *testing.T, commits int) *scene {
	t.Helper()
	s := &scene{house: open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)}
	s.openTables()
	for n := 1; n <= commits; n++ {
		s.landMirrored(n)
		s.landRaw(n)
	}
	return s
}

// landMirrored commits the n-th, from 1.
func (s *scene) landMirrored(n int) {
	at := n * perCommit
	commit(s.t, s.mirrored, table.Change{
		Rows: rows(s.t, mirroredColumns,
			fmt.Sprintf(`{"id":0,"note":"v%d","_offset":%d,"_generation":1}`, n, at-2), fmt.Sprintf(`{"id":%d,"note":"n","_offset":%d,"_generation":1}`, n, at-1)),
		Keys:       rows(s.t, keyColumns(mirroredColumns), `{"id":0}`, fmt.Sprintf(`{"id":%d}`, n)),
		Properties: offsets(n),
	})
}

func (s *scene) landRaw(n int) {
	var lines []string
	for o := (n - 1) * perCommit; o < n*perCommit; o++ {
		lines = append(lines, fmt.Sprintf(`{"_partition":0,"_offset":%d,"value":"x%d"}`, o, o))
	}
	commit(s.t, s.raw, table.Change{Rows: rows(s.t, rawColumns, lines...), Properties: offsets(n)})
}

// landed tells how many commits of the scene a table holds by its property.
func landed(t testing.TB, tab table.Table) int {
	t.Helper()
	text, ok := tab.Property(table.PropOffsets + "landing")
	if !ok {
		return 0
	}
	var o record.Offsets
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return int(o.At("port.t", 0).Next) / perCommit
}

// mirrorAfter and rawAfter are the rows after n commits.
func mirrorAfter(n int) (out []string) {
	if n > 0 {
		out = append(out, fmt.Sprintf(`{"id":0,"note":"v%d","_offset":%d,"_generation":1}`, n, n*perCommit-2))
	}
	for i := 1; i <= n; i++ {
		out = append(out, fmt.Sprintf(`{"id":%d,"note":"n","_offset":%d,"_generation":1}`, i, i*perCommit-1))
	}
	slices.Sort(out)
	return out
}

func rawAfter(n int) (out []string) {
	for o := range n * perCommit {
		out = append(out, fmt.Sprintf(`{"_partition":0,"_offset":%d,"value":"x%d"}`, o, o))
	}
	slices.Sort(out)
	return out
}

// repaired is `tarn repair` over a lake whose log begins at an offset.
func repaired(t testing.TB, dir string, fs *disk.FS, order repair.Order, logStart int64, asked *[]string) ([]repair.Finding, error) {
	t.Helper()
	return repairedWith(t, dir, fs, order, logStart, nil, asked)
}

// repairedWith is repaired with a log that has holes.
func repairedWith(t testing.TB, dir string, fs *disk.FS, order repair.Order, logStart int64, lost [][2]int64, asked *[]string) ([]repair.Finding, error) {
	t.Helper()
	return lake.Repair(options(dir, fs), repairOptions(logStart, lost, asked))(t.Context(), order)
}

// repairOptions are of a log that begins at an offset and has holes, and whose topics all land.
func repairOptions(logStart int64, lost [][2]int64, asked *[]string) lake.RepairOptions {
	return lake.RepairOptions{
		LogStart: func(string, int32) (int64, [][2]int64, bool) { return logStart, lost, true },
		Lands:    func(string, string) bool { return true },
		Schemas:  map[int64]bool{7: true, 8: true},
		Resnapshot: func(_ context.Context, source, _ string) error {
			if asked != nil {
				*asked = append(*asked, source)
			}
			return nil
		},
	}
}

// folderHash is of every name and byte in a folder.
func folderHash(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		_, _ = fmt.Fprintf(h, "%s %d\n%x\n", path, len(content), sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// matching lists what matches in a table's folder, the last written last.
func (h *house) matching(id table.Ident, pattern string) []string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.dir, "warehouse", id.Namespace, id.Name, pattern))
	if err != nil || len(found) == 0 {
		h.t.Fatalf("no %s of %s: %v", pattern, id, err)
	}
	slices.SortStableFunc(found, func(a, b string) int {
		x, _ := os.Stat(a)
		y, _ := os.Stat(b)
		return x.ModTime().Compare(y.ModTime())
	})
	return found
}

func last(paths []string) string { return paths[len(paths)-1] }

// dataFiles are a table's data files in the order of their commits.
func (h *house) dataFiles(id table.Ident) []string {
	return slices.DeleteFunc(h.matching(id, "data/*.parquet"), func(p string) bool { return strings.HasSuffix(p, "-deletes.parquet") })
}

func (h *house) manifests(id table.Ident) []string {
	return slices.DeleteFunc(h.matching(id, "metadata/*.avro"), func(p string) bool { return strings.HasPrefix(filepath.Base(p), "snap-") })
}

// The harms that a file comes to.
var harms = map[string]func(t *testing.T, path string){
	"missing":     func(t *testing.T, path string) { must(t, os.Remove(path)) },
	"cut by 1":    func(t *testing.T, path string) { must(t, os.Truncate(path, size(t, path)-1)) },
	"cut in half": func(t *testing.T, path string) { must(t, os.Truncate(path, size(t, path)/2)) },
	"empty":       func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
	"zeroed":      func(t *testing.T, path string) { must(t, os.WriteFile(path, make([]byte, size(t, path)), 0o600)) },
	"grown": func(t *testing.T, path string) {
		content, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, append(content, 0), 0o600))
	},
	"a bit flipped": func(t *testing.T, path string) {
		content, err := os.ReadFile(path)
		must(t, err)
		page := bytes.Index(content, []byte{0x28, 0xb5, 0x2f, 0xfd}) // where zstd begins
		content[page+12] ^= 1
		must(t, os.WriteFile(path, content, 0o600))
	},
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// healed holds that a repaired lake reads right as of some commit, that landing the rest gives
// all there is, and that a repair now finds nothing.
func (s *scene) healed(commits int) {
	s.t.Helper()
	h := open(s.t, s.dir, disk.Local)
	again := &scene{house: h}
	again.openTables()
	equal(s.t, h.read(mirrored, catalog.At{}), mirrorAfter(landed(s.t, again.mirrored))...)
	equal(s.t, h.read(raw, catalog.At{}), rawAfter(landed(s.t, again.raw))...)
	for n := landed(s.t, again.mirrored) + 1; n <= commits; n++ {
		again.landMirrored(n)
	}
	for n := landed(s.t, again.raw) + 1; n <= commits; n++ {
		again.landRaw(n)
	}
	equal(s.t, h.read(mirrored, catalog.At{}), mirrorAfter(commits)...)
	equal(s.t, h.read(raw, catalog.At{}), rawAfter(commits)...)
	if d := h.Report(); len(d) != 1 {
		s.t.Fatalf("after the repair: %+v", d)
	}
	if _, err := h.Catalog().Health(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	must(s.t, h.Close())
	found, err := repaired(s.t, s.dir, disk.Local, repair.Order{Deep: true}, 0, nil)
	if err != nil || len(found) > 0 {
		s.t.Fatalf("a second repair finds %+v, %v", found, err)
	}
}

// TestDamageIsFoundAndMended harms one file of a stopped lake at a time.
func TestDamageIsFoundAndMended(t *testing.T) {
	t.Parallel()
	const commits = 5
	for name, c := range map[string]struct {
		of    table.Ident
		file  func(s *scene) string
		harms []string // "" for all
		says  string   // of the action
	}{
		"newest data file of the mirror": {of: mirrored, file: func(s *scene) string { return last(s.dataFiles(mirrored)) }, says: "goes back to version"},
		"oldest data file of the mirror": {of: mirrored, file: func(s *scene) string { return s.dataFiles(mirrored)[0] }, harms: []string{"missing", "a bit flipped"}, says: "goes back to before its first row"},
		"newest delete file": {
			of: mirrored, file: func(s *scene) string { return last(s.matching(mirrored, "data/*-deletes.parquet")) },
			harms: []string{"missing", "cut by 1", "a bit flipped"}, says: "goes back to version",
		},
		"newest data file of bronze": {
			of: raw, file: func(s *scene) string { return last(s.dataFiles(raw)) },
			harms: []string{"missing", "cut in half", "zeroed", "a bit flipped"}, says: "offsets 40 to 49 of topic port.t are landed again",
		},
		"newest manifest": {
			of: mirrored, file: func(s *scene) string { return last(s.manifests(mirrored)) },
			harms: []string{"missing", "cut by 1", "zeroed"}, says: "goes back to version",
		},
		"newest manifest list": {
			of: raw, file: func(s *scene) string { return last(s.matching(raw, "metadata/snap-*.avro")) },
			harms: []string{"missing", "cut by 1", "zeroed"}, says: "goes back to version",
		},
		"metadata": {
			of: raw, file: func(s *scene) string { return last(s.matching(raw, "metadata/*.metadata.json")) },
			harms: []string{"missing", "cut by 1", "empty"}, says: "landed again from the log",
		},
	} {
		if c.harms == nil {
			c.harms = []string{"missing", "cut by 1", "cut in half", "empty", "zeroed", "grown", "a bit flipped"}
		}
		for _, harm := range c.harms {
			t.Run(name+"/"+harm, func(t *testing.T) {
				s := newScene(t, commits)
				must(t, s.Close())
				path := c.file(s)
				harms[harm](t, path)
				s.toldWhileUp(c.of, path)
				before := folderHash(t, s.dir)
				found, err := repaired(t, s.dir, disk.Local, repair.Order{Deep: true}, 0, nil)
				if err != nil || len(found) != 1 || found[0].Of != c.of.String() || found[0].Done {
					t.Fatalf("found %+v, %v", found, err)
				}
				if !strings.Contains(fmt.Sprint(found[0].Damage), filepath.Base(path)) || !strings.Contains(found[0].Action, c.says) || found[0].Loss != "" {
					t.Fatalf("said %+v", found[0])
				}
				if folderHash(t, s.dir) != before {
					t.Fatal("a look has changed the folder")
				}
				found, err = repaired(t, s.dir, disk.Local, repair.Order{Deep: true, Yes: true}, 0, nil)
				if err != nil || len(found) != 1 || !found[0].Done {
					t.Fatalf("did %+v, %v", found, err)
				}
				s.healed(commits)
			})
		}
	}
}

// toldWhileUp opens the damaged lake: the table is never read as if it were whole, its error names
// the file, and the other one reads right.
func (s *scene) toldWhileUp(id table.Ident, path string) {
	s.t.Helper()
	h := open(s.t, s.dir, disk.Local)
	defer func() { _ = h.Close() }()
	err := h.tryRead(id)
	if err == nil {
		s.t.Fatalf("%s reads as if it were whole", id)
	}
	if !strings.Contains(err.Error(), filepath.Base(path)) {
		s.t.Fatalf("the error does not name %s: %v", path, err)
	}
	if other := raw; id == raw {
		equal(s.t, h.read(mirrored, catalog.At{}), mirrorAfter(5)...)
	} else {
		equal(s.t, h.read(other, catalog.At{}), rawAfter(5)...)
	}
}

// tryRead is read with its error, which for damage is a fault with the way out.
func (h *house) tryRead(id table.Ident) error {
	scan, err := h.Catalog().Scan(h.t.Context(), id, catalog.At{})
	if err != nil {
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != fault.Damaged || !strings.Contains(f.Hint, "tarn repair") {
			h.t.Fatalf("no fault that says what to do: %v", err)
		}
		if len(h.Report()) != 2 {
			h.t.Fatalf("not told in the report: %+v", h.Report())
		}
		return err
	}
	defer scan.Release()
	in, err := reader()
	must(h.t, err)
	conn, err := in.Conn(h.t.Context())
	must(h.t, err)
	defer func() { _ = conn.Close() }()
	lines, err := conn.Arrow(h.t.Context(), scanQuery(scan))
	if err != nil {
		return err
	}
	defer lines.Release()
	for lines.Next() {
	}
	return lines.Err()
}
