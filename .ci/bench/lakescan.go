//go:build duckdb_arrow

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

const boxQuery = "SELECT owner, count(*) AS n, sum(weight) AS w, max(moved_at) AS m FROM %s GROUP BY owner ORDER BY owner"

// lakeScan times a query over a mirror beside the same rows in plain Parquet files that DuckDB wrote:
// with one file in five dirty, and after upkeep.
func (b *bench) lakeScan(ctx context.Context) error {
	rows, err := number("TARN_BENCH_ROWS", 5_000_000)
	if err != nil {
		return err
	}
	h, err := b.house("scan")
	if err != nil {
		return err
	}
	dir := filepath.Join(h.Data, "lake")
	alone, err := openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = alone.Close() }()
	for _, state := range []string{"dirty", "compacted"} {
		l, err := openLake(ctx, dir, false)
		if err != nil {
			return err
		}
		if state == "dirty" {
			err = dirtyOne(ctx, l, rows)
		} else {
			_, err = l.Upkeep().Execute(ctx, boxes, catalog.Order{Action: catalog.Compact})
		}
		var plain []string
		if err == nil {
			plain, err = b.plain(ctx, l, alone, state)
		}
		if e := l.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
		p, err := h.Up(ctx)
		if err != nil {
			return err
		}
		ratio, err := b.compareOver(ctx, p, alone, "scan_"+state, boxQuery, boxes, plain)
		p.Kill()
		if err != nil {
			return err
		}
		b.print("scan_"+state+"_ratio", "%.2f", ratio)
	}
	return nil
}

// dirtyOne fills a mirror in five files and changes one row in ten of one of them.
func dirtyOne(ctx context.Context, l *lake.Lake, rows int) error {
	t, err := fillBoxes(ctx, l, rows)
	if err != nil {
		return err
	}
	keys := array.NewInt64Builder(memory.DefaultAllocator)
	defer keys.Release()
	n := rows / 50
	for i := range n {
		keys.Append(int64(i * 10))
	}
	column := keys.NewArray()
	_, err = t.Commit(ctx, table.Change{
		Rows: []arrow.RecordBatch{boxRows(0, n, func(i int) int { return i * 10 })},
		Keys: []arrow.RecordBatch{array.NewRecordBatch(table.ArrowSchema(boxColumns[:1]), []arrow.Array{column}, int64(n))},
	})
	return err
}

// plain writes what the mirror holds, file by file, as DuckDB writes Parquet.
func (b *bench) plain(ctx context.Context, l *lake.Lake, alone *duck.Conn, name string) (out []string, err error) {
	scan, err := l.Catalog().Scan(ctx, boxes, catalog.At{})
	if err != nil {
		return nil, err
	}
	defer scan.Release()
	for i, f := range scan.Files {
		var rows strings.Builder
		rows.WriteString("SELECT * EXCLUDE (filename, file_row_number) FROM read_parquet(" + duck.Quote(f.Path) + ", filename=true, file_row_number=true) f")
		for _, d := range scan.Deletes {
			rows.WriteString(" ANTI JOIN (SELECT pos FROM read_parquet(" + duck.Quote(d) + ") WHERE file_path = " + duck.Quote(scan.PathPrefix+f.Path) + ") d ON f.file_row_number = d.pos")
		}
		path := filepath.Join(b.dir, fmt.Sprintf("plain-%s-%d.parquet", name, i))
		if err := alone.Exec(ctx, "COPY ("+rows.String()+") TO "+duck.Quote(path)+" (FORMAT parquet, COMPRESSION zstd)"); err != nil {
			return nil, err
		}
		out = append(out, path)
	}
	return out, nil
}
