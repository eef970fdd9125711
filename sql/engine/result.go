//go:build duckdb_arrow

package engine

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/guard"
	"tarn/embedded/record"

	"tarn/embedded/fault"
)

// limited holds an answer to its limit of rows and its errors to what may be shown.
type limited struct {
	array.RecordReader
	max       int64
	rows      int64
	err       error
	translate func(error) error
	present   func(error) error
}

// Next moves on by a batch.
func (l *limited) Next() bool {
	if l.err != nil || !l.RecordReader.Next() {
		return false
	}
	l.rows += l.RecordBatch().NumRows()
	if l.rows > l.max {
		l.err = fault.Newf(fault.TooLarge, "add a LIMIT, aggregate, or raise sql.result_rows_max", "the answer has more than %d rows", l.max)
		return false
	}
	return true
}

// Err is what ended the answer early.
func (l *limited) Err() error {
	err := l.err
	if err == nil {
		err = l.RecordReader.Err()
	}
	if err == nil {
		return nil
	}
	err = l.translate(err)
	if l.present != nil {
		err = l.present(err)
	}
	return err
}

// Status is the answer of a command without rows: one column status with one row.
func Status(text string) *Result {
	r, err := Rows(text, texts(statusColumn), [][]any{{text}})
	if err != nil { // never for one text
		panic(err)
	}
	return r
}

// Told says that the result has only its tag to tell, and how many rows were changed: what the statement does is done by now,
// whatever becomes of the answer.
func (r *Result) Told() bool {
	return r.Tag != "SELECT" && !r.Returned && r.Schema.NumFields() == 1 && r.Schema.Field(0).Name == statusColumn
}

// statusColumn is the one of Status.
const statusColumn = "status"

// Rows is an answer of a command that is held in memory. Values are those of a SystemTable.
func Rows(tag string, columns []SystemColumn, rows [][]any) (*Result, error) {
	schema, batch, err := arrowRows(columns, rows)
	if err != nil {
		return nil, err
	}
	reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	batch.Release()
	if err != nil {
		return nil, err
	}
	return &Result{Schema: schema, Reader: reader, Tag: tag, close: reader.Release}, nil
}

// Answer is what a command of another room answers: rows of columns, or with none a tag alone.
type Answer interface {
	Result() (tag string, columns []record.Column, rows [][]any)
}

// Answering is a command of another room.
func Answering[A Answer](verbs []string, run func(ctx context.Context, who guard.Principal, stmt string) (A, error)) Command {
	return Command{Verbs: verbs, Run: func(ctx context.Context, who guard.Principal, stmt string) (*Result, error) {
		answer, err := run(ctx, who, stmt)
		if err != nil {
			return nil, err
		}
		tag, columns, rows := answer.Result()
		if len(columns) == 0 {
			return Status(tag), nil
		}
		of := make([]SystemColumn, len(columns))
		for i, c := range columns {
			of[i] = SystemColumn{c.Name, c.Type}
		}
		return Rows(tag, of, rows)
	}}
}

// Whole runs a statement and reads all of its answer, for a command that asks the lake as its principal: values
// as of a SystemTable, what is of another type as text, and the snapshots that were read.
func (g *Gate) Whole(ctx context.Context, who guard.Principal, text string) (rows [][]any, snapshots map[string]int64, err error) {
	r, err := g.Run(ctx, Request{Text: text, Principal: who})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	for r.Reader.Next() {
		b := r.Reader.RecordBatch()
		for i := range int(b.NumRows()) {
			row := make([]any, b.NumCols())
			for n := range row {
				row[n] = valueAt(b.Column(n), i)
			}
			rows = append(rows, row)
		}
	}
	return rows, r.Snapshots, r.Reader.Err()
}

func valueAt(column arrow.Array, row int) any {
	if column.IsNull(row) {
		return nil
	}
	switch c := column.(type) {
	case *array.Boolean:
		return c.Value(row)
	case *array.Int32:
		return int64(c.Value(row))
	case *array.Int64:
		return c.Value(row)
	case *array.Float64:
		return c.Value(row)
	case *array.String:
		return strings.Clone(c.Value(row)) // the batch goes
	}
	return strings.Clone(column.ValueStr(row))
}
