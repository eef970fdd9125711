//go:build duckdb_arrow

package rest_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// BenchmarkSelect reads 5 M rows of five files through the door, and the same files by bare
// DuckDB, in turns; ratio is the fastest of the one by the fastest of the other. A point query
// shows what the way itself costs.
func BenchmarkSelect(b *testing.B) {
	h := newHouse(b, guard.Open{})
	columns := []table.Column{{ID: 1, Name: "id", Type: record.Long}, {ID: 2, Name: "gate", Type: record.String}, {ID: 3, Name: "weight", Type: record.Double}}
	id := table.Ident{Namespace: "bronze", Name: "gates"}
	scan := catalog.Scan{Ident: id, TableID: "g", SnapshotID: 7, Columns: columns}
	var names []string
	for i := range 5 {
		path := filepath.Join(h.dir, "bronze", "gates", "data", fmt.Sprintf("%d.parquet", i))
		h.file(path, fmt.Sprintf("SELECT range AS id, 'gate ' || range %% 40 AS gate, (range * 7919 %% 30000) / 10.0::DOUBLE AS weight FROM range(%d, %d)", i*1_000_000, (i+1)*1_000_000), columns)
		scan.Files = append(scan.Files, catalog.File{Path: path, Rows: 1_000_000})
		names = append(names, duck.Quote(path))
	}
	h.shelf.tables[id] = scan
	bare, err := duck.Open(b.Context(), duck.Options{Threads: 2, MemoryBytes: 256 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = bare.Close() })
	conn, err := bare.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	files := "read_parquet([" + strings.Join(names, ",") + "])"
	for name, query := range map[string]string{
		"sum":    "SELECT count(*), sum(weight), max(id) FROM %s",
		"groups": "SELECT gate, count(*), avg(weight) FROM %s GROUP BY gate ORDER BY gate",
		"filter": "SELECT count(*), min(gate) FROM %s WHERE id %% 7 = 3 AND weight > 500",
		"point":  "SELECT weight FROM %s WHERE id = 1234567",
	} {
		b.Run(name, func(b *testing.B) {
			var door, alone []time.Duration
			for b.Loop() {
				began := time.Now()
				if status, body := h.post(fmt.Sprintf(query, "bronze.gates"), ""); status != 200 {
					b.Fatal(body)
				}
				door = append(door, time.Since(began))
				began = time.Now()
				r, err := conn.Arrow(b.Context(), fmt.Sprintf(query, files))
				if err != nil {
					b.Fatal(err)
				}
				for r.Next() {
				}
				r.Release()
				alone = append(alone, time.Since(began))
			}
			b.ReportMetric(float64(slices.Min(door))/float64(slices.Min(alone)), "ratio")
			b.ReportMetric(float64(slices.Min(door).Microseconds())/1000, "door-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
