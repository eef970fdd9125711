//go:build duckdb_arrow

package flight

import (
	"context"
	"errors"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/sql/engine"
)

// answer sends the rows of a statement.
type answer struct {
	door   *Door
	result *engine.Result
	schema *arrow.Schema
	to     chan arrowflight.StreamChunk
	remote string // the client's address
}

// errOver ends an answer whose call has been told already, or is no longer there.
var errOver = errors.New("the answer is over")

// send sends all rows, or the error that ended them, and closes the result.
func (a *answer) send(ctx context.Context) {
	defer a.result.Close()
	err := life.Guarded(a.door.o.Log, func() error {
		return engine.Merge(a.result.Reader, func(b arrow.RecordBatch) error {
			return a.put(ctx, arrowflight.StreamChunk{Data: array.NewRecordBatch(a.schema, b.Columns(), b.NumRows())})
		})
	})
	if err != nil && !errors.Is(err, errOver) {
		_ = a.put(ctx, arrowflight.StreamChunk{Err: err})
	}
}

// put hands a batch to the call, which writes it when the client has taken the one before. A client that does not is closed.
func (a *answer) put(ctx context.Context, chunk arrowflight.StreamChunk) error {
	late := time.NewTimer(a.door.o.Patience)
	defer late.Stop()
	select {
	case a.to <- chunk:
		return nil
	case <-late.C:
		a.door.conns.evict(a.remote)
	case <-ctx.Done(): // by another call: its own one must be told, or it would take the rows so far for all
		told := chunk.Err
		if told == nil {
			told = fault.New(fault.Canceled, "the statement was canceled", "")
		}
		select {
		case a.to <- arrowflight.StreamChunk{Err: told}:
		case <-late.C:
			a.door.conns.evict(a.remote)
		}
	}
	if chunk.Data != nil {
		chunk.Data.Release()
	}
	return errOver
}
