//go:build duckdb_arrow

package flight

import (
	"context"
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// DoPutCommandStatementIngest writes the rows of a stream into a table, which it makes where it is told to: all in one commit.
func (s *service) DoPutCommandStatementIngest(ctx context.Context, c flightsql.StatementIngest, rows arrowflight.MessageReader) (int64, error) {
	if err := refuseTransaction(c.GetTransactionId()); err != nil {
		return 0, err
	}
	if c.GetTemporary() {
		return 0, fault.New(fault.Invalid, "there are no temporary tables here", "take a table of a schema of your own, and drop it")
	}
	schema := rows.Schema()
	if schema == nil {
		return 0, unread(rows.Err())
	}
	in := engine.Ingest{Table: sqltext.Table{Catalog: c.GetCatalog(), Schema: c.GetSchema(), Name: c.GetTable()}, Schema: schema}
	o := c.GetTableDefinitionOptions()
	in.Create = o.GetIfNotExist() == flightsql.TableDefinitionOptionsTableNotExistOptionCreate
	in.Append = o.GetIfExists() == flightsql.TableDefinitionOptionsTableExistsOptionAppend
	in.Replace = o.GetIfExists() == flightsql.TableDefinitionOptionsTableExistsOptionReplace
	return s.door.o.Gate.Ingest(ctx, engine.Request{Text: "INGEST INTO " + in.Table.String(), Principal: whoOf(ctx)}, in, sound(rows))
}

// sound are batches whose values are what their types say: DuckDB trusts them, and a file with a text that is no UTF-8 could not be read again.
func sound(rows arrowflight.MessageReader) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for b, err := range batches(rows) {
			for i := 0; err == nil && i < int(b.NumCols()); i++ {
				if c := b.Column(i); c.DataType().ID() != arrow.NULL { // of which nothing is sent
					err = array.ValidateFull(c)
				}
				if err != nil {
					err = unread(fmt.Errorf("column %s: %w", b.ColumnName(i), err))
				}
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// batches are those of a client's stream. Each is good until the next is asked for.
func batches(rows arrowflight.MessageReader) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for rows.Next() {
			if !yield(rows.RecordBatch(), nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, unread(err))
		}
	}
}

// unread is the error of a stream that could not be read.
func unread(err error) error {
	return fault.Newf(fault.Invalid, "", "the values could not be read: %v", err)
}
