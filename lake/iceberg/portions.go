//go:build duckdb_arrow

package iceberg

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// What a join of keys may take. Measured: for a column of long texts 13 MB a thread, and 6 MB beside that; and the keys twice.
const (
	threadBytes  = 24 << 20
	joinBytes    = 32 << 20
	portionShare = 16 // one join has a portion of the keys, which is this part of DuckDB's memory
)

// portions are the batches' rows in order, put together and cut so that each portion has so many bytes at most, or is one row.
// The batches are the caller's to release.
func portions(batches []arrow.RecordBatch, bytesMax int64) (out [][]arrow.RecordBatch) {
	room := int64(0)
	for _, b := range batches {
		for _, part := range cut(b, bytesMax, nil) {
			bytes := rowBytes(part)
			if room -= bytes; room < 0 {
				room = bytesMax - bytes
				out = append(out, nil)
			}
			out[len(out)-1] = append(out[len(out)-1], part)
		}
	}
	return out
}

// cut appends a batch in halves, and those in halves, until each has so many bytes at most.
func cut(b arrow.RecordBatch, bytesMax int64, out []arrow.RecordBatch) []arrow.RecordBatch {
	rows := b.NumRows()
	if rows < 2 || rowBytes(b) <= bytesMax {
		b.Retain()
		return append(out, b)
	}
	for _, half := range []arrow.RecordBatch{b.NewSlice(0, rows/2), b.NewSlice(rows/2, rows)} {
		out = cut(half, bytesMax, out)
		half.Release()
	}
	return out
}

// rowBytes is about what a batch's rows take.
func rowBytes(b arrow.RecordBatch) int64 {
	bytes := b.NumRows() * b.NumCols() * readFixedBytes
	for _, c := range b.Columns() {
		if texts, ok := c.(array.BinaryLike); ok {
			bytes += int64(len(texts.ValueBytes()))
		}
	}
	return bytes
}
