//go:build duckdb_arrow

package lake_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/peertest"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// python finds an interpreter that has PyIceberg: TARN_PYTHON, or python3.
func python(t *testing.T) string {
	t.Helper()
	interpreter := os.Getenv("TARN_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if err := exec.CommandContext(t.Context(), interpreter, "-c", "import pyiceberg, pyarrow, sqlalchemy").Run(); err != nil {
		peertest.Missing(t, "there is no PyIceberg, set TARN_PYTHON to a Python that has pyiceberg, pyarrow and SQLAlchemy: "+interpreter+": "+err.Error())
	}
	return interpreter
}

func peer(t *testing.T, interpreter string, args ...string) []map[string]any {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), interpreter, append([]string{filepath.Join("testdata", "pyiceberg_peer.py")}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("PyIceberg %q: %v\n%s", args, err, stderr.String())
	}
	return objects(t, strings.Split(strings.TrimSpace(string(out)), "\n"))
}

func objects(t *testing.T, lines []string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, line := range lines {
		if line == "" {
			continue
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		row := map[string]any{}
		if err := d.Decode(&row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, row)
	}
	return out
}

// same compares rows as sets, however their fields are ordered.
func same(t *testing.T, what string, got, want []map[string]any) {
	t.Helper()
	render := func(in []map[string]any) []string {
		var out []string
		for _, row := range in {
			b, _ := json.Marshal(row)
			out = append(out, string(b))
		}
		slices.Sort(out)
		return out
	}
	g, w := render(got), render(want)
	if !slices.Equal(g, w) || len(w) == 0 {
		t.Fatalf("%s: PyIceberg reads\n%s\nTarn\n%s", what, strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
}

var everyType = []table.Column{
	{Name: "k", Type: record.Long, Required: true, Key: true},
	{Name: "boolean", Type: record.Boolean},
	{Name: "int", Type: record.Int},
	{Name: "float", Type: record.Float},
	{Name: "double", Type: record.Double},
	{Name: "dec 9", Type: "decimal(9,2)"},
	{Name: "dec18", Type: "decimal(18,0)"},
	{Name: "dec38", Type: "decimal(38,10)"},
	{Name: "date", Type: record.Date},
	{Name: "time", Type: record.Time},
	{Name: "timestamp", Type: record.Timestamp},
	{Name: "timestamptz", Type: record.TimestampTZ},
	{Name: "string", Type: record.String},
	{Name: "binary", Type: record.Binary},
	{Name: "uuid", Type: record.UUID},
}

// everyValue has a value of each type, as Arrow's JSON wants them.
var everyValue = map[string]any{
	"boolean": true, "int": -7, "float": 0.5, "double": -1.25,
	"dec 9": "-1234567.89", "dec18": "999999999999999999", "dec38": "1234567890123456789012345678.0123456789",
	"date": "1969-12-31", "time": "23:59:59.999999", "timestamp": "2026-02-28 12:34:56.000001",
	"timestamptz": "1999-12-31T23:59:59.123456Z", "string": "héllo 'x'\n", "binary": "AP/+",
	"uuid": "123e4567-e89b-12d3-a456-426614174000",
}

func everyRow(k int, with bool) string {
	row := map[string]any{"k": k}
	for _, c := range everyType[1:] {
		row[c.Name] = nil
		if with {
			row[c.Name] = everyValue[c.Name]
		}
	}
	line, _ := json.Marshal(row)
	return string(line)
}

// plainScan is the query for the forms that the peer prints.
func (h *house) plain(id table.Ident, at catalog.At) []map[string]any {
	h.t.Helper()
	scan, err := h.Catalog().Scan(h.t.Context(), id, at)
	if err != nil {
		h.t.Fatal(err)
	}
	defer scan.Release()
	t, _ := h.t.(*testing.T)
	return objects(t, readScan(h.t, scan))
}

func TestPyIcebergReadsAndWritesTheSameTables(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	types := table.Ident{Namespace: "silver", Name: "types"}
	tab := h.ensure(types, everyType)
	first := commit(t, tab, table.Change{Rows: rows(t, everyType, everyRow(1, true), everyRow(2, false), everyRow(3, true))})
	commit(t, tab, table.Change{
		Rows: rows(t, everyType, everyRow(2, true), everyRow(4, false)),
		Keys: rows(t, everyType[:1], `{"k":1}`, `{"k":2}`, `{"k":4}`),
	})
	same(t, "after an upsert", peer(t, interpreter, h.dir, "rows", types.String()), h.plain(types, catalog.At{}))
	same(t, "an old snapshot", peer(t, interpreter, h.dir, "rows", types.String(), strconv.FormatInt(first.ID, 10)),
		h.plain(types, catalog.At{SnapshotID: first.ID}))

	added := table.Column{Name: "added", Type: record.String}
	wide := slices.Clone(everyType)
	wide[2].Type, wide[3].Type, wide[5].Type = record.Long, record.Double, "decimal(20,2)"
	change := table.Change{
		Rows:       rows(t, append(slices.Clone(wide), added), strings.Replace(everyRow(5, true), `{`, `{"added":"new",`, 1)),
		Keys:       rows(t, everyType[:1], `{"k":3}`, `{"k":5}`),
		AddColumns: []table.Column{added},
		Widen:      map[string]record.Type{"int": record.Long, "float": record.Double, "dec 9": "decimal(20,2)"},
	}
	commit(t, tab, change)
	same(t, "after new and wider columns", peer(t, interpreter, h.dir, "rows", types.String()), h.plain(types, catalog.At{}))
	commit(t, tab, change) // as after a crash: the columns are there already
	same(t, "and the same again", peer(t, interpreter, h.dir, "rows", types.String()), h.plain(types, catalog.At{}))

	id := orders
	tab = h.ensure(id, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one, two)})
	peer(t, interpreter, h.dir, "append", id.String(), `[{"id":3,"note":"theirs","_generation":1},{"id":4,"_generation":1}]`)
	if n := len(h.plain(id, catalog.At{})); n != 4 {
		t.Fatalf("Tarn reads %d rows after PyIceberg appended", n)
	}
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, two2), Keys: rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":3}`)})
	equal(t, h.read(id, catalog.At{}), readOne, readTwo2, `{"id":4,"note":null,"price":null,"at":null,"_generation":1}`)
	same(t, "after both wrote", peer(t, interpreter, h.dir, "rows", id.String()), h.plain(id, catalog.At{}))
}

// TestKeysOfEveryType finds rows by keys of each type, null ones too.
func TestKeysOfEveryType(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	for _, c := range everyType {
		t.Run(c.Name, func(t *testing.T) {
			cols := []table.Column{
				{Name: "a", Type: record.String, Key: true},
				{Name: "key", Type: c.Type, Key: true},
				{Name: "v", Type: record.Int},
			}
			value, _ := json.Marshal(everyValue[c.Name])
			if c.Name == "k" {
				value = []byte("9007199254740993")
			}
			line := func(a, key string, v int) string {
				if v == 0 {
					return fmt.Sprintf(`{"a":%s,"key":%s}`, a, key)
				}
				return fmt.Sprintf(`{"a":%s,"key":%s,"v":%d}`, a, key, v)
			}
			tab := h.ensure(table.Ident{Namespace: "silver", Name: "by_" + strings.ReplaceAll(c.Name, " ", "_")}, cols)
			commit(t, tab, table.Change{Rows: rows(t, cols,
				line(`"x"`, string(value), 1), line(`"x"`, "null", 2), line("null", string(value), 3), line("null", "null", 4), line(`"y"`, string(value), 5))})
			snap := commit(t, tab, table.Change{
				Rows: rows(t, cols, line("null", "null", 40)),
				Keys: rows(t, cols[:2], line("null", "null", 0), line(`"x"`, string(value), 0), line(`"z"`, "null", 0)),
			})
			if snap.Rows != 4 {
				t.Fatalf("%d rows are left of 5 less 2 and 1 more", snap.Rows)
			}
			var left []string
			for _, row := range h.plain(tab.Ident(), catalog.At{}) {
				left = append(left, fmt.Sprint(row["v"]))
			}
			slices.Sort(left)
			equal(t, left, "2", "3", "40", "5")
		})
	}
}
