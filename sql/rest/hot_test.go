//go:build duckdb_arrow

package rest_test

import (
	"strings"
	"testing"
	"time"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/sql/enginetest"
)

// measured is the value of a metric without labels.
func (h *house) measured(name string) float64 {
	h.t.Helper()
	return enginetest.Measured(h.t, h.told, name)
}

// hot asks until files of a table are read from memory, which answer the same.
func (h *house) hot(statement string, lines ...string) {
	h.t.Helper()
	before := h.measured("tarn_sql_hot_statements_total")
	for end := h.Now().Add(time.Minute); h.measured("tarn_sql_hot_statements_total") == before; {
		if h.want(statement, lines...); h.t.Failed() || h.Now().After(end) {
			h.t.Fatalf("%s does not read from memory", statement)
		}
	}
	h.want(statement, lines...)
}

// TestHotFileIsItsFile: what hides behind files in memory is nobody's, names are of columns, whoever asks sees what he may, and a
// schema that has changed is that of the files from then on.
func TestHotFileIsItsFile(t *testing.T) {
	g := allowing()
	h := newHouse(t, g)
	id := table.Ident{Namespace: "silver", Name: "calls"}
	h.table(id, "SELECT * FROM (VALUES (1, 'a', 7), (2, 'b', NULL)) t(id, berth, n)", column("id", record.Int), column("berth", record.String), column("n", record.Int))
	const all, point = "SELECT * FROM calls ORDER BY 1", "SELECT berth FROM calls WHERE id = 2"
	h.hot(all, "1,a,7", "2,b,")
	h.hot(point, "b")
	for _, hidden := range []string{"rowid", "filename", "file_row_number"} {
		h.refused("SELECT "+hidden+" FROM calls", "not_found")
		h.refused("SELECT id FROM calls WHERE "+hidden+" = 1", "not_found")
	}
	h.refused("SELECT calls.rowid FROM calls", "invalid")
	h.refused("SELECT * FROM memory.main.tarn_hot_1", "not_found")
	h.refused("SELECT * FROM tarn_hot_1", "not_found")
	_, body := h.post("SELECT berth + 1 FROM calls WHERE id = 2", "")
	if strings.Contains(body, "tarn_hot") {
		t.Errorf("an error tells of tables that are nobody's: %s", body)
	}
	h.want("SELECT c.id FROM calls AS c(id, x) WHERE x = 'b'", "2")
	h.want("SELECT a.id, b.id FROM calls a JOIN calls b ON a.id = b.id ORDER BY 1", "1,1", "2,2") // elsewhere, so of the file
	h.want("FROM calls SELECT id WHERE berth = 'a'", "1")

	g.decision.Store(&guard.Decision{Allow: true, Filter: "id <> 2", Masks: map[string]string{"n": "n * 100"}})
	h.want(point)
	h.want(all, "1,a,700")
	g.decision.Store(&guard.Decision{})
	h.refused(point, "denied")
	g.decision.Store(&guard.Decision{Allow: true})

	scan := h.shelf.tables[id]
	become := func(columns ...table.Column) {
		scan.Columns = columns
		h.shelf.put(scan)
	}
	become(table.Column{ID: 3, Name: "id", Type: record.Long}, table.Column{ID: 2, Name: "rowid", Type: record.String}, table.Column{ID: 9, Name: "new", Type: record.Double}, table.Column{ID: 1, Name: "Filename", Type: record.Int})
	h.hot("SELECT * FROM calls ORDER BY 4", "7,a,,1", ",b,,2")
	h.hot("SELECT rowid, filename FROM calls WHERE id = 7", "a,1")
	h.want("SELECT rowid FROM calls WHERE filename = 2", "b")
	h.refused("SELECT berth FROM calls", "not_found")
	become(scan.Columns[1])
	h.hot("SELECT * FROM calls ORDER BY ALL", "a", "b")
	h.shelf.drop(id)
	h.refused(all, "not_found")
}

// TestHotFilesAreBounded: a file that would be large in memory is not there, and those of which nobody asks for anything are not for long.
func TestHotFilesAreBounded(t *testing.T) {
	h := newHouse(t, guard.Open{})
	few, large := table.Ident{Namespace: "silver", Name: "few"}, table.Ident{Namespace: "silver", Name: "large"}
	h.table(few, "SELECT 1 AS id", column("id", record.Int))
	h.table(large, "SELECT range AS id, repeat('x', 5000) AS note FROM range(20000)", column("id", record.Long), column("note", record.String))
	for range 100 {
		h.want("SELECT length(note) FROM large WHERE id = 77", "5000")
	}
	h.hot("SELECT id FROM few", "1")
	if files, bytes := h.measured("tarn_sql_hot_files"), h.measured("tarn_sql_hot_bytes"); files != 1 || bytes <= 0 || bytes > 1<<20 {
		t.Errorf("%.0f files are in memory, of %.0f bytes", files, bytes)
	}
	h.shelf.drop(few)
	h.ahead.Store(int64(time.Hour))
	other := table.Ident{Namespace: "silver", Name: "other"}
	h.table(other, "SELECT 2 AS id", column("id", record.Int))
	h.hot("SELECT id FROM other", "2")
	if files := h.measured("tarn_sql_hot_files"); files != 1 {
		t.Errorf("%.0f files are in memory, though one is not asked for", files)
	}
}
