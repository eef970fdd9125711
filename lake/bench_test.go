//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/disk"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// numbered builds n orders with ids from, from+step, ….
func numbered(from, step int64, n int) []arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(orderColumns))
	defer b.Release()
	for i := range int64(n) {
		b.Field(0).(*array.Int64Builder).Append(from + i*step)
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("order number %d of a customer", from+i*step))
		b.Field(2).AppendNull()
		b.Field(3).AppendNull()
		b.Field(4).(*array.Int64Builder).Append(1)
	}
	return []arrow.RecordBatch{b.NewRecordBatch()}
}

func numberedKeys(from, step int64, n int) []arrow.RecordBatch {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range int64(n) {
		b.Append(from + i*step)
	}
	ids := b.NewArray()
	return []arrow.RecordBatch{array.NewRecordBatch(table.ArrowSchema(orderColumns[:1]), []arrow.Array{ids}, int64(n))}
}

// BenchmarkAppend is the commit of 10 rows: what landing does each second for each table.
func BenchmarkAppend(b *testing.B) {
	h := open(b, b.TempDir(), disk.Local)
	tab := h.ensure(orders, orderColumns)
	var next int64
	for b.Loop() {
		commit(b, tab, table.Change{Rows: numbered(next, 1, 10), Properties: map[string]string{"tarn.offsets.landing": fmt.Sprint(next)}})
		next += 10
	}
}

// BenchmarkUpsert is the commit of 10 changes spread over a mirror of 1 M rows in 5 files.
func BenchmarkUpsert(b *testing.B) {
	h := open(b, b.TempDir(), disk.Local)
	tab := h.ensure(orders, orderColumns)
	const files, each = 5, 200_000
	for i := range int64(files) {
		commit(b, tab, table.Change{Rows: numbered(i*each, 1, each)})
	}
	var turn int64
	for b.Loop() {
		turn++
		commit(b, tab, table.Change{Rows: numbered(turn*7, 99_991, 10), Keys: numberedKeys(turn*7, 99_991, 10)})
	}
}

// BenchmarkScan is what a query pays before it runs, of a table that has not changed.
func BenchmarkScan(b *testing.B) {
	h := open(b, b.TempDir(), disk.Local)
	tab := h.ensure(orders, orderColumns)
	for i := range int64(50) {
		commit(b, tab, table.Change{Rows: numbered(i*10, 1, 10)})
	}
	for b.Loop() {
		scan, err := h.Catalog().Scan(b.Context(), orders, catalog.At{})
		if err != nil {
			b.Fatal(err)
		}
		scan.Release()
	}
}

// BenchmarkSmallMirror is a small mirror's commit each second: what accumulates is metadata.
func BenchmarkSmallMirror(b *testing.B) {
	h := open(b, b.TempDir(), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(b, tab, table.Change{Rows: numbered(0, 1, 100)})
	var turn int64
	for b.Loop() {
		turn++
		commit(b, tab, table.Change{Rows: numbered(turn%90, 1, 10), Keys: numberedKeys(turn%90, 1, 10)})
	}
}

// BenchmarkHourOld is the commit of 10 rows, and of 10 changes, to a table that keeps the 110 snapshots of its
// first hour: each commit writes them all.
func BenchmarkHourOld(b *testing.B) {
	for _, kind := range []string{"append", "upsert"} {
		b.Run(kind, func(b *testing.B) {
			h := open(b, b.TempDir(), disk.Local)
			tab := h.ensure(orders, orderColumns)
			var next int64
			change := func() {
				c := table.Change{Rows: numbered(next, 1, 10), Properties: map[string]string{"tarn.offsets.landing": fmt.Sprintf(`{"orders":{"0":{"next":%d}}}`, next)}}
				if kind == "upsert" {
					c.Rows, c.Keys = numbered(next%1000, 1, 10), numberedKeys(next%1000, 1, 10)
				}
				commit(b, tab, c)
				next += 10
			}
			const most = 64
			for range most {
				change()
			}
			now := time.Now()
			h.restamp(orders, func(i int) time.Time { return now.Add(time.Duration(i-most) * time.Minute) })
			for range 50 {
				change()
			}
			b.ReportAllocs()
			for b.Loop() {
				change()
			}
		})
	}
}
