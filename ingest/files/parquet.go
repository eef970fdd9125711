package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	parquetfile "github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// The bounds of what is decoded at once.
const (
	batchBytes   = 1 << 20
	batchRowsMax = 1024
)

// parquetFile is an open Parquet file, with the rows that come next.
type parquetFile struct {
	f      *os.File
	number int64 // the file's
	schema *record.Schema
	total  int64
	row    int64 // of the file: the first of batch from at on
	rows   pqarrow.RecordReader
	batch  arrow.RecordBatch
	at     int
}

// openParquet opens a file at a row. It takes f, which close closes.
func openParquet(ctx context.Context, f *os.File, size, row int64) (_ *parquetFile, err error) {
	p := &parquetFile{f: f}
	defer func() {
		if broken := recover(); broken != nil { // what the library makes of a file that is none
			err = fmt.Errorf("it is no whole Parquet file: %v", broken)
		}
		if err != nil {
			p.close()
		}
	}()
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	r, err := parquetfile.NewParquetReader(io.NewSectionReader(f, 0, size), parquetfile.WithReadProps(props))
	if err != nil {
		return nil, fmt.Errorf("it is no whole Parquet file: %w", err)
	}
	p.total = r.NumRows()
	var groups []int
	bytes, skipped := int64(0), int64(0)
	for i := range r.NumRowGroups() {
		g := r.MetaData().RowGroup(i)
		bytes += g.TotalByteSize()
		if skipped+g.NumRows() <= row && len(groups) == 0 {
			skipped += g.NumRows()
			continue
		}
		groups = append(groups, i)
	}
	batch := min(max(batchBytes/max(bytes/max(p.total, 1), 1), 1), batchRowsMax)
	reader, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: batch}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	schema, err := reader.Schema()
	if err != nil {
		return nil, err
	}
	p.schema = &record.Schema{}
	for _, c := range schema.Fields() {
		if !arrow.IsNested(c.Type.ID()) { // else landing sees that it is JSON
			p.schema.Columns = append(p.schema.Columns, record.Column{Name: c.Name, Type: typeOf(c.Type), Nullable: true, Declared: c.Type.String()})
		}
	}
	if len(groups) > 0 {
		if p.rows, err = reader.GetRecordReader(ctx, nil, groups); err != nil {
			return nil, err
		}
	}
	for p.row = skipped; p.row < row; p.row, p.at = p.row+1, p.at+1 {
		if err := p.fill(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *parquetFile) close() {
	if p == nil {
		return
	}
	if p.rows != nil {
		p.rows.Release()
	}
	_ = p.f.Close()
}

// fill makes the batch hold the next row.
func (p *parquetFile) fill() error {
	for p.batch == nil || p.at >= int(p.batch.NumRows()) {
		if p.rows == nil || !p.rows.Next() {
			if p.rows != nil && p.rows.Err() != nil && !errors.Is(p.rows.Err(), io.EOF) {
				return p.rows.Err()
			}
			return fmt.Errorf("it ends at row %d of %d", p.row, p.total)
		}
		p.batch, p.at = p.rows.RecordBatch(), 0
	}
	return nil
}

// next renders the next row as an object.
func (p *parquetFile) next() (value []byte, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("read row %d: %v", p.row+1, broken)
		}
	}()
	if err := p.fill(); err != nil {
		return nil, err
	}
	value = append(value, '{')
	for i, c := range p.batch.Columns() {
		if i > 0 {
			value = append(value, ',')
		}
		value = append(envelope.AppendText(value, p.batch.ColumnName(i)), ':')
		if value, err = appendCell(value, c, p.at); err != nil {
			return nil, err
		}
	}
	p.at++
	p.row++
	return append(value, '}'), nil
}

// typeOf is the type of a column in bronze; a text where Tarn has none that fits.
func typeOf(t arrow.DataType) record.Type {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return record.Boolean
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type, *arrow.Uint8Type, *arrow.Uint16Type:
		return record.Int
	case *arrow.Int64Type, *arrow.Uint32Type:
		return record.Long
	case *arrow.Uint64Type:
		return "decimal(20,0)"
	case *arrow.Float16Type, *arrow.Float32Type:
		return record.Float
	case *arrow.Float64Type:
		return record.Double
	case *arrow.Date32Type, *arrow.Date64Type:
		return record.Date
	case *arrow.TimestampType:
		return record.TimestampTZ
	case *arrow.Decimal128Type:
		return record.Type(fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale))
	}
	return record.String
}

// appendCell renders a cell as JSON, as landing takes it for a column of typeOf.
func appendCell(dst []byte, c arrow.Array, i int) ([]byte, error) {
	if c.IsNull(i) {
		return append(dst, "null"...), nil
	}
	switch c := c.(type) {
	case *array.Float64:
		return appendFloat(dst, c.Value(i)), nil
	case *array.Float32:
		return appendFloat(dst, float64(c.Value(i))), nil // all its digits, for landing rounds nothing
	case *array.Float16:
		return appendFloat(dst, float64(c.Value(i).Float32())), nil
	case *array.Uint64:
		return envelope.AppendText(dst, strconv.FormatUint(c.Value(i), 10)), nil
	case *array.Decimal128:
		return envelope.AppendText(dst, c.Value(i).ToString(c.DataType().(*arrow.Decimal128Type).Scale)), nil
	case *array.String:
		return envelope.AppendText(dst, c.Value(i)), nil
	case *array.Timestamp:
		at := c.Value(i).ToTime(c.DataType().(*arrow.TimestampType).Unit)
		return envelope.AppendText(dst, at.UTC().Format(time.RFC3339Nano)), nil
	case *array.Date32:
		return envelope.AppendText(dst, c.Value(i).ToTime().Format(time.DateOnly)), nil
	case *array.Date64:
		return envelope.AppendText(dst, c.Value(i).ToTime().Format(time.DateOnly)), nil
	case *array.Binary:
		return envelope.AppendText(dst, base64.StdEncoding.EncodeToString(c.Value(i))), nil
	case *array.FixedSizeBinary:
		return envelope.AppendText(dst, base64.StdEncoding.EncodeToString(c.Value(i))), nil
	case *array.Dictionary:
		return appendCell(dst, c.Dictionary(), c.GetValueIndex(i))
	}
	text, err := json.Marshal(c.GetOneForMarshal(i))
	return append(dst, text...), err
}

func appendFloat(dst []byte, f float64) []byte {
	text := strconv.AppendFloat(nil, f, 'g', -1, 64)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return envelope.AppendText(dst, text)
	}
	return append(dst, text...)
}

// parquetRows are the rows of Parquet files, which are not cut out of bytes.
type parquetRows struct{}

func (parquetRows) open(io.ReaderAt, *at, int64, bool) (rowCutter, error) {
	panic("files: Parquet is not cut") // readParquet reads it
}

// readParquet reads rows of a file of size bytes into the step, until it is full, and completes the piece. All
// records of a step have one schema.
func (r *reader) readParquet(ctx context.Context, f *os.File, name string, p *piece, size int64, s *step) (err error) {
	open := r.parquet
	if r.parquet = nil; open == nil || open.number != p.File || open.row != p.From.Line || s.again {
		open.close()
		if open, err = r.openParquet(ctx, f, p, size); err != nil {
			return err
		}
	}
	end := open.total
	if s.again {
		end = p.To.Line
	}
	p.To = p.From
	if s.schema != nil && s.schema.ID != open.schema.ID {
		s.ends = true
		r.parquet = open
		return nil
	}
	s.schema = open.schema
	h := sha256.New()
	for p.To.Line < end && !s.full() {
		value, err := open.next()
		if err != nil && p.To.Line == p.From.Line {
			open.close()
			return err
		}
		if err != nil {
			break // it comes again
		}
		h.Write(value)
		p.To.Line++
		s.add(name+":"+strconv.FormatInt(p.To.Line, 10), value)
	}
	if p.To.Bytes, p.To.Rows = size, open.total; open.row < open.total {
		r.parquet = open
	} else {
		open.close()
	}
	p.Sum = hex.EncodeToString(h.Sum(nil)[:12])
	p.To.Sum, err = sumOf(f, size)
	return err
}

// openParquet opens a file at the piece's first row, and stores its schema.
func (r *reader) openParquet(ctx context.Context, f *os.File, p *piece, size int64) (*parquetFile, error) {
	fd, err := syscall.Dup(int(f.Fd())) //nolint:gosec // a descriptor
	if err != nil {
		return nil, err
	}
	open, err := openParquet(ctx, os.NewFile(uintptr(fd), f.Name()), size, p.From.Line) //nolint:gosec // a descriptor
	if err != nil {
		return nil, err
	}
	open.number = p.File
	schema := *r.schema
	schema.Columns = open.schema.Columns
	if schema.ID, err = r.env.Schema(ctx, schema); err != nil {
		open.close()
		return nil, err
	}
	open.schema = &schema
	return open, nil
}
