//go:build duckdb_arrow

package flight

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/sql/engine"
)

// DuckDB gives some 2,000 rows at once. A batch that is sent has up to batchRows, or batchBytes, which is less than what
// gRPC's clients take by default; a row that is larger goes alone.
const (
	batchRows  = 64 << 10
	batchBytes = 3 << 20
)

// answer sends the rows of a statement.
type answer struct {
	door   *Door
	result *engine.Result
	schema *arrow.Schema
	to     chan arrowflight.StreamChunk
	remote string // the client's address

	waiting []arrow.RecordBatch // to be one batch
	rows    int64
	bytes   int64
}

// send sends all rows, or the error that ended them, and closes the result.
func (a *answer) send(ctx context.Context) {
	defer a.result.Close()
	defer a.release()
	going := true
	for going && a.result.Reader.Next() {
		going = a.add(ctx, a.result.Reader.RecordBatch())
	}
	if !going {
		return
	}
	if err := a.result.Reader.Err(); err != nil {
		a.put(ctx, arrowflight.StreamChunk{Err: err})
		return
	}
	a.flush(ctx)
}

// add takes a batch of the reader, and tells whether the client still takes them.
func (a *answer) add(ctx context.Context, b arrow.RecordBatch) bool {
	rows, bytes := b.NumRows(), duck.Bytes(b)
	if rows == 0 {
		return true
	}
	if a.rows+rows > batchRows || a.bytes+bytes > batchBytes {
		if !a.flush(ctx) {
			return false
		}
	}
	if bytes <= batchBytes {
		b.Retain()
		a.waiting, a.rows, a.bytes = append(a.waiting, b), a.rows+rows, a.bytes+bytes
		return true
	}
	step := max(1, rows*batchBytes/bytes)
	for at := int64(0); at < rows; at += step {
		slice := b.NewSlice(at, min(at+step, rows))
		sent := a.putBatch(ctx, slice.Columns(), slice.NumRows())
		slice.Release()
		if !sent {
			return false
		}
	}
	return true
}

// flush sends what waits.
func (a *answer) flush(ctx context.Context) bool {
	defer a.release()
	switch len(a.waiting) {
	case 0:
		return true
	case 1:
		return a.putBatch(ctx, a.waiting[0].Columns(), a.rows)
	}
	columns := make([]arrow.Array, a.schema.NumFields())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	parts := make([]arrow.Array, len(a.waiting))
	for i := range columns {
		for n, b := range a.waiting {
			parts[n] = b.Column(i)
		}
		var err error
		if columns[i], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil { // such as of a union
			return a.single(ctx)
		}
	}
	return a.putBatch(ctx, columns, a.rows)
}

// single sends what waits as it came.
func (a *answer) single(ctx context.Context) bool {
	for _, b := range a.waiting {
		if !a.putBatch(ctx, b.Columns(), b.NumRows()) {
			return false
		}
	}
	return true
}

func (a *answer) release() {
	for _, b := range a.waiting {
		b.Release()
	}
	clear(a.waiting)
	a.waiting, a.rows, a.bytes = a.waiting[:0], 0, 0
}

func (a *answer) putBatch(ctx context.Context, columns []arrow.Array, rows int64) bool {
	b := array.NewRecordBatch(a.schema, columns, rows)
	if !a.put(ctx, arrowflight.StreamChunk{Data: b}) {
		b.Release()
		return false
	}
	return true
}

// put hands a batch to the call, which writes it when the client has taken the one before. A client that does not is closed.
func (a *answer) put(ctx context.Context, chunk arrowflight.StreamChunk) bool {
	late := time.NewTimer(writeMax)
	defer late.Stop()
	select {
	case a.to <- chunk:
		return true
	case <-ctx.Done():
		return a.canceled(chunk)
	case <-late.C:
		a.door.conns.evict(a.remote)
		return false
	}
}

// canceled ends an answer that is canceled by another call: its own one must be told, or it would take the rows so far for all.
func (a *answer) canceled(chunk arrowflight.StreamChunk) bool {
	if chunk.Err == nil {
		chunk.Err = fault.New(fault.Canceled, "the statement was canceled", "")
	}
	late := time.NewTimer(writeMax)
	defer late.Stop()
	select {
	case a.to <- arrowflight.StreamChunk{Err: chunk.Err}:
	case <-late.C:
		a.door.conns.evict(a.remote)
	}
	return false
}
