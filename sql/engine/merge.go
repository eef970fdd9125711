//go:build duckdb_arrow

package engine

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
)

// The size of a merged batch: DuckDB's own have 2,048 rows at most, and each costs its message's head. gRPC's clients take
// 4 MiB by default, with all that is around. A row that is larger is alone.
const (
	MergedRowsMax  = 64 << 10
	MergedBytesMax = 3 << 20
)

// Merge reads an answer in large batches: each, which holds no memory of DuckDB's, is given to take, whose error ends it.
// take keeps a batch by Retain.
func Merge(reader array.RecordReader, take func(arrow.RecordBatch) error) error {
	var waiting []arrow.RecordBatch
	rows, bytes := int64(0), int64(0)
	flush := func() error {
		defer func() {
			for _, b := range waiting {
				b.Release()
			}
			waiting, rows, bytes = waiting[:0], 0, 0
		}()
		if rows == 0 {
			return nil
		}
		merged, err := merged(reader.Schema(), waiting, rows)
		if err != nil { // of types that cannot be put together
			for _, b := range waiting {
				if err := take(b); err != nil {
					return err
				}
			}
			return nil
		}
		defer merged.Release()
		return take(merged)
	}
	for reader.Next() {
		b := reader.RecordBatch()
		size := duck.Bytes(b)
		step := b.NumRows()
		if size > MergedBytesMax {
			step = max(1, step*MergedBytesMax/size)
		}
		for at := int64(0); at < b.NumRows(); at += step {
			part := b.NewSlice(at, min(at+step, b.NumRows()))
			share := size * part.NumRows() / b.NumRows()
			if rows+part.NumRows() > MergedRowsMax || bytes+share > MergedBytesMax {
				if err := flush(); err != nil {
					part.Release()
					return err
				}
			}
			waiting, rows, bytes = append(waiting, part), rows+part.NumRows(), bytes+share
		}
	}
	err := reader.Err()
	if err == nil {
		return flush()
	}
	rows = 0
	_ = flush()
	return err
}

func merged(schema *arrow.Schema, batches []arrow.RecordBatch, rows int64) (arrow.RecordBatch, error) {
	columns := make([]arrow.Array, 0, schema.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	parts := make([]arrow.Array, len(batches))
	for i := range schema.NumFields() {
		for n, b := range batches {
			parts[n] = b.Column(i)
		}
		c, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return array.NewRecordBatch(schema, columns, rows), nil
}
