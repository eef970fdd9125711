//go:build duckdb_arrow

package rest

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"tarn/embedded/fault"
	"tarn/sql/cell"
	"tarn/sql/engine"
)

// A row group is held until it has so much.
const (
	groupRowsMax  = 122_880 // as DuckDB's
	groupBytesMax = 16 << 20
)

// parquetBody is a Parquet file, sent row group by row group.
type parquetBody struct {
	a *answer
	r *engine.Result
}

func (p *parquetBody) write() error {
	schema, err := parquetSchema(p.r.Schema)
	if err != nil {
		return err
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(groupRowsMax))
	out, err := pqarrow.NewFileWriter(schema, p.a, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return fmt.Errorf("begin a Parquet file: %w", err)
	}
	for p.r.Reader.Next() {
		batch := p.r.Reader.RecordBatch()
		named := array.NewRecordBatch(schema, batch.Columns(), batch.NumRows())
		err := out.WriteBuffered(named)
		named.Release()
		if err == nil && out.RowGroupTotalBytesWritten() >= groupBytesMax {
			err = out.NewBufferedRowGroupChecked()
		}
		if err != nil {
			return err
		}
	}
	// An error keeps the file without its end, which no reader takes for a whole one.
	if err := p.r.Reader.Err(); err != nil {
		return err
	}
	return out.Close()
}

// parquetSchema names each column once, as DuckDB does, and refuses types that a Parquet file does not have.
func parquetSchema(s *arrow.Schema) (*arrow.Schema, error) {
	fields, taken := make([]arrow.Field, s.NumFields()), map[string]bool{}
	for i, f := range s.Fields() {
		name := f.Name
		for n := 1; taken[f.Name]; n++ {
			f.Name = fmt.Sprintf("%s_%d", name, n)
		}
		taken[f.Name], fields[i] = true, f
		_, err := pqarrow.ToParquet(arrow.NewSchema([]arrow.Field{f}, nil), nil, pqarrow.DefaultWriterProps())
		if errors.Is(err, arrow.ErrNotImplemented) {
			return nil, fault.Newf(fault.Invalid, "cast it, such as to VARCHAR, or ask for another format", "Parquet has no type for the column %s of the type %s", name, cell.TypeName(f))
		}
		if err != nil {
			return nil, fmt.Errorf("column %s in Parquet: %w", name, err)
		}
	}
	return arrow.NewSchema(fields, nil), nil
}
