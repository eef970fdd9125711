//go:build duckdb_arrow

package lake_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var orders = table.Ident{Namespace: "silver", Name: "orders"}

var orderColumns = []table.Column{
	{Name: "id", Type: record.Long, Required: true, Key: true},
	{Name: "note", Type: record.String},
	{Name: "price", Type: "decimal(10,2)"},
	{Name: "at", Type: record.TimestampTZ},
	{Name: "_generation", Type: record.Long},
}

// house is an open lake in a test's folder.
type house struct {
	*lake.Lake
	t    testing.TB
	dir  string
	fs   *disk.FS
	seen readBefore
}

func open(t testing.TB, dir string, fs *disk.FS) *house {
	t.Helper()
	l, err := lake.Open(t.Context(), options(dir, fs))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Lake: l, t: t, dir: dir, fs: fs}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func options(dir string, fs *disk.FS) lake.Options {
	return lake.Options{
		Dir: dir, Disk: fs, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
		MemoryBytes: 256 << 20, Threads: 2,
	}
}

func (h *house) ensure(id table.Ident, cols []table.Column) table.Table {
	h.t.Helper()
	tab, err := h.Tables().Ensure(h.t.Context(), table.Spec{Ident: id, Columns: cols})
	if err != nil {
		h.t.Fatal(err)
	}
	return tab
}

// rows builds a batch of a table's columns from JSON objects.
func rows(t testing.TB, cols []table.Column, lines ...string) []arrow.RecordBatch {
	t.Helper()
	schema := table.ArrowSchema(cols)
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader("["+strings.Join(lines, ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	return []arrow.RecordBatch{batch}
}

func keyColumns(cols []table.Column) []table.Column {
	var out []table.Column
	for _, c := range cols {
		if c.Key {
			out = append(out, c)
		}
	}
	return out
}

func commit(t testing.TB, tab table.Table, c table.Change) table.Snapshot {
	t.Helper()
	s, err := tab.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read returns a snapshot's rows as JSON objects in order of the text, read as sql reads
// them: the files by field id, less the positions of the delete files.
func (h *house) read(id table.Ident, at catalog.At) []string {
	h.t.Helper()
	scan, err := h.Catalog().Scan(h.t.Context(), id, at)
	if err != nil {
		h.t.Fatal(err)
	}
	defer scan.Release()
	return h.seen.read(h.t, scan)
}

// readBefore remembers the rows of scans: the same query over the same bytes has the same rows, and a test
// that puts a lake back a thousand times reads most of them again. A nil one remembers nothing.
type readBefore map[[sha256.Size]byte][]string

func (r readBefore) read(t testing.TB, scan *catalog.Scan) []string {
	t.Helper()
	if r == nil {
		return readScan(t, scan)
	}
	all := sha256.New()
	_, _ = io.WriteString(all, scanQuery(scan))
	for _, path := range append(pathsOf(scan), scan.Deletes...) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprint(all, len(content), ",")
		_, _ = all.Write(content)
	}
	key := [sha256.Size]byte(all.Sum(nil))
	got, known := r[key]
	if !known {
		got = readScan(t, scan)
		r[key] = got
	}
	return got
}

func pathsOf(scan *catalog.Scan) (paths []string) {
	for _, f := range scan.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

// reader is the DuckDB that tests read with; it ends with the process.
var reader = sync.OnceValues(func() (*duck.Instance, error) {
	return duck.Open(context.Background(), duck.Options{Threads: 1})
})

func readScan(t testing.TB, scan *catalog.Scan) []string {
	t.Helper()
	if len(scan.Files) == 0 {
		return nil
	}
	in, err := reader()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	lines, err := conn.Arrow(t.Context(), scanQuery(scan))
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Release()
	var out []string
	for lines.Next() {
		texts := lines.RecordBatch().Column(0).(*array.String)
		for i := range texts.Len() {
			out = append(out, strings.Clone(texts.Value(i)))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func scanQuery(scan *catalog.Scan) string {
	var files, fields, names []string
	for _, path := range pathsOf(scan) {
		files = append(files, duck.Quote(path))
	}
	for _, c := range scan.Columns {
		fields = append(fields, fmt.Sprintf("%d: {name: %s, type: %s, default_value: NULL}", c.ID, duck.Quote(c.Name), duck.Quote(sqlType(c.Type))))
		names = append(names, duck.Ident(c.Name))
	}
	q := "SELECT " + strings.Join(names, ",") + ", filename, file_row_number FROM read_parquet([" + strings.Join(files, ",") + "], schema = MAP {" + strings.Join(fields, ",") + "})"
	where := ""
	if len(scan.Deletes) > 0 {
		var deletes []string
		for _, d := range scan.Deletes {
			deletes = append(deletes, duck.Quote(d))
		}
		where = " ANTI JOIN (SELECT file_path, pos FROM read_parquet([" + strings.Join(deletes, ",") + "])) d ON d.file_path = " +
			duck.Quote(scan.PathPrefix) + " || r.filename AND d.pos = r.file_row_number"
	}
	pairs := make([]string, len(names))
	for i, n := range names {
		pairs[i] = n + " := " + plainForm(scan.Columns[i].Type, "r."+n)
	}
	return "SELECT to_json(struct_pack(" + strings.Join(pairs, ",") + "))::VARCHAR AS j FROM (" + q + ") r" + where + " ORDER BY j"
}

// plainForm renders a value so that other engines can print the same.
func plainForm(t record.Type, column string) string {
	switch t {
	case record.Time, record.Timestamp, record.TimestampTZ:
		return "epoch_us(" + column + ")"
	case record.Date:
		return column + " - DATE '1970-01-01'"
	case record.Binary:
		return "hex(" + column + ")"
	}
	if strings.HasPrefix(string(t), "decimal") {
		return column + "::VARCHAR"
	}
	return column
}

func sqlType(t record.Type) string {
	switch t {
	case record.Long:
		return "BIGINT"
	case record.Int:
		return "INTEGER"
	case record.String:
		return "VARCHAR"
	case record.TimestampTZ:
		return "TIMESTAMP WITH TIME ZONE"
	case record.Binary:
		return "BLOB"
	}
	return strings.ToUpper(string(t))
}

func equal(t testing.TB, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	one  = `{"id":1,"note":"a","price":"1.50","at":"2026-01-02T03:04:05Z","_generation":1}`
	two  = `{"id":2,"note":null,"price":null,"at":null,"_generation":1}`
	two2 = `{"id":2,"note":"B","price":"99999999.99","at":null,"_generation":2}`
)

func TestAppendThenUpsert(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "the lake's é"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	first := commit(t, tab, table.Change{Rows: rows(t, orderColumns, one, two)})
	if first.Rows != 2 || first.ID == 0 {
		t.Fatalf("snapshot %+v", first)
	}
	offsets, _ := json.Marshal(record.Offsets{"port.orders": {"0": {Next: 42}}})
	keys := rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":7}`)
	second := commit(t, tab, table.Change{
		Rows: rows(t, orderColumns, two2), Keys: keys,
		Properties: map[string]string{table.PropOffsets + "landing": string(offsets)},
	})
	if second.Rows != 2 {
		t.Fatalf("snapshot %+v", second)
	}
	read1 := `{"id":1,"note":"a","price":"1.50","at":1767323045000000,"_generation":1}`
	equal(t, h.read(orders, catalog.At{}), read1, `{"id":2,"note":"B","price":"99999999.99","at":null,"_generation":2}`)
	equal(t, h.read(orders, catalog.At{SnapshotID: first.ID}), read1, `{"id":2,"note":null,"price":null,"at":null,"_generation":1}`)
	if p, err := h.Recorded(t.Context(), "port.orders", 0); err != nil || p.Next != 42 {
		t.Fatalf("recorded %+v, %v", p, err)
	}
	_ = h.Close()
	again := open(t, h.dir, disk.Local)
	if p, _ := again.Recorded(t.Context(), "port.orders", 0); p.Next != 42 {
		t.Fatalf("recorded after a restart: %+v", p)
	}
	tab = again.ensure(orders, orderColumns)
	third := commit(t, tab, table.Change{Keys: rows(t, keyColumns(orderColumns), `{"id":1}`)})
	if third.Rows != 1 {
		t.Fatalf("snapshot %+v", third)
	}
	equal(t, again.read(orders, catalog.At{}), `{"id":2,"note":"B","price":"99999999.99","at":null,"_generation":2}`)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one), DeleteBelow: &table.Below{Column: "_generation", Value: 2}})
	equal(t, again.read(orders, catalog.At{}), read1, `{"id":2,"note":"B","price":"99999999.99","at":null,"_generation":2}`)
	commit(t, tab, table.Change{DeleteBelow: &table.Below{Column: "_generation", Value: 2}})
	equal(t, again.read(orders, catalog.At{}), `{"id":2,"note":"B","price":"99999999.99","at":null,"_generation":2}`)
}
