//go:build duckdb_arrow

package rest_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestDamagedFileIsTold harms a table's file under a running Gate: the query fails with the fault
// that the lake makes of it, and no row is given.
func TestDamagedFileIsTold(t *testing.T) {
	for name, harm := range map[string]func(path string, content []byte) error{
		"missing": func(path string, _ []byte) error { return os.Remove(path) },
		"cut":     func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o600) },
		"zeroed":  func(path string, b []byte) error { return os.WriteFile(path, make([]byte, len(b)), 0o600) },
		"a page":  func(path string, b []byte) error { clear(b[8:200]); return os.WriteFile(path, b, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, guard.Open{})
			hurt := table.Ident{Namespace: "silver", Name: "hurt"}
			h.table(hurt, "SELECT range AS id, 'text ' || range AS note FROM range(5000)", column("id", record.Long), column("note", record.String))
			h.table(table.Ident{Namespace: "silver", Name: "well"}, "SELECT 1 AS id", column("id", record.Long))
			scan := h.shelf.tables[hurt]
			var told string
			scan.Damaged = func(path, _ string) error {
				told = path
				return fault.New(fault.Damaged, "silver.hurt is damaged", "tarn repair")
			}
			h.shelf.tables[hurt] = scan
			content, err := os.ReadFile(scan.Files[0].Path)
			if err != nil {
				t.Fatal(err)
			}
			h.shelf.tables[hurt] = withBytes(scan, int64(len(content)))
			if err := harm(scan.Files[0].Path, content); err != nil {
				t.Fatal(err)
			}
			status, body := h.post("SELECT id, note FROM silver.hurt WHERE id > 10", "text/csv")
			if status == http.StatusOK || !strings.Contains(body, `"damaged"`) || !strings.Contains(body, "tarn repair") || strings.Contains(body, h.dir) {
				t.Fatalf("it answers %d %.300s", status, body)
			}
			if told != "" && told != scan.Files[0].Path || told == "" && name != "a page" {
				t.Fatalf("the lake was told of %q", told)
			}
			h.want("SELECT id FROM silver.well", "1")
		})
	}
}

func withBytes(s catalog.Scan, n int64) catalog.Scan {
	s.Files[0].Bytes = n
	return s
}
