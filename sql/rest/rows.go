//go:build duckdb_arrow

package rest

import (
	"net/http"
	"time"

	"tarn/sql/engine"
)

// showEvery is how long rows wait at most for more of them, when they come slowly.
const showEvery = 200 * time.Millisecond

// rowsBody is for who shows rows while they come: a line with the columns, a line with the array of
// each row, and a last one with the stats, or with the error that ended the answer early. An answer
// without that line is not whole.
type rowsBody struct {
	a  *answer
	r  *engine.Result
	ms func() float64
}

func (o *rowsBody) write() error {
	b := append(appendColumns(nil, o.r), "}\n"...)
	rows, shown := int64(0), time.Time{}
	for o.r.Reader.Next() {
		batch := o.r.Reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			b = append(appendRow(b, batch, i), '\n')
		}
		rows += batch.NumRows()
		if _, err := o.a.Write(b); err != nil {
			return err
		}
		b = b[:0]
		if time.Since(shown) < showEvery {
			continue
		}
		shown = time.Now()
		if err := o.a.show(); err != nil {
			return err
		}
	}
	if err := o.r.Reader.Err(); err != nil {
		return err
	}
	_, err := o.a.Write(appendStats(append(b, '{'), o.r, rows, o.ms()))
	return err
}

// show sends what is held, past every buffer.
func (a *answer) show() error {
	if err := a.flush(); err != nil {
		return err
	}
	_ = http.NewResponseController(a.w).Flush() // a writer without a buffer, as in a test, has none
	return nil
}
