//go:build duckdb_arrow

package rest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"tarn/sql/cell"
	"tarn/sql/engine"
)

// heldBytesMax is how much of an answer is held back, so that an error in its beginning
// still gets its own status.
const heldBytesMax = 256 << 10

// writeTimeout is how long an asker may take for one piece of an answer: a statement has
// one of few turns until its last row is read.
const writeTimeout = 30 * time.Second

// body writes one answer.
type body interface {
	// write sends all rows. An error is the result's, or the asker's connection's.
	write() error
}

var bodies = map[string]func(*answer, *engine.Result, func() float64) body{
	typeJSON:    func(a *answer, r *engine.Result, ms func() float64) body { return &jsonBody{a, r, ms} },
	typeNDJSON:  func(a *answer, r *engine.Result, _ func() float64) body { return &linesBody{a, r} },
	typeCSV:     func(a *answer, r *engine.Result, _ func() float64) body { return &csvBody{a, r} },
	typeRows:    func(a *answer, r *engine.Result, ms func() float64) body { return &rowsBody{a, r, ms} },
	typeParquet: func(a *answer, r *engine.Result, _ func() float64) body { return &parquetBody{a, r} },
	typeArrow:   func(a *answer, r *engine.Result, _ func() float64) body { return &arrowBody{a, r} },
}

// answer is the response being written: held until there is much of it, or all.
type answer struct {
	w           http.ResponseWriter
	contentType string
	held        []byte
	sent        bool
	// broken ends a format that can carry an error in its middle.
	broken func(error) []byte
}

// Write holds or sends bytes.
func (a *answer) Write(p []byte) (int, error) {
	a.held = append(a.held, p...)
	if len(a.held) < heldBytesMax {
		return len(p), nil
	}
	return len(p), a.flush()
}

func (a *answer) flush() error {
	if !a.sent {
		a.sent = true
		a.w.Header().Set("Content-Type", a.contentType)
		a.w.WriteHeader(http.StatusOK)
	}
	// A writer without deadlines, as in a test, has none to set.
	_ = http.NewResponseController(a.w).SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := a.w.Write(a.held)
	a.held = a.held[:0]
	return err
}

// end sends what is left. An error after the status has gone ends the answer as its format
// can say it; where it cannot, the connection breaks, so that half an answer never looks
// like a whole one.
func (a *answer) end(err error) {
	// The connection may serve another request later.
	defer func() { _ = http.NewResponseController(a.w).SetWriteDeadline(time.Time{}) }()
	switch {
	case err == nil:
		_ = a.flush()
	case !a.sent && !a.lines():
		refuse(a.w, err)
	case !a.sent && len(a.held) == 0:
		refuse(a.w, err)
	case a.lines():
		a.held = append(append(a.held, errorJSON(shown(err))...), '\n')
		_ = a.flush()
	default:
		if a.broken != nil {
			a.held = append(a.held, a.broken(err)...)
			_ = a.flush()
		}
		panic(http.ErrAbortHandler)
	}
}

// lines tells that the last line of the answer may be an error.
func (a *answer) lines() bool { return a.contentType == typeNDJSON || a.contentType == typeRows }

type jsonBody struct {
	a  *answer
	r  *engine.Result
	ms func() float64
}

func (j *jsonBody) write() error {
	b := append(appendColumns(nil, j.r), `,"rows":[`...)
	j.a.broken = func(err error) []byte { return append(append([]byte(`],`), errorJSON(shown(err))[1:]...), '\n') }
	rows := int64(0)
	for j.r.Reader.Next() {
		batch := j.r.Reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			if rows++; rows > 1 {
				b = append(b, ',')
			}
			b = appendRow(b, batch, i)
		}
		if _, err := j.a.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	if err := j.r.Reader.Err(); err != nil {
		return err
	}
	b = append(b, "],"...)
	_, err := j.a.Write(appendStats(b, j.r, rows, j.ms()))
	return err
}

// appendColumns begins an object with its columns.
func appendColumns(b []byte, r *engine.Result) []byte {
	b = append(b, `{"columns":[`...)
	for i, f := range r.Schema.Fields() {
		if i > 0 {
			b = append(b, ',')
		}
		b = cell.AppendQuoted(append(b, `{"name":`...), f.Name)
		b = append(cell.AppendQuoted(append(b, `,"type":`...), cell.TypeName(f)), '}')
	}
	return append(b, ']')
}

func appendRow(b []byte, batch arrow.RecordBatch, i int) []byte {
	b = append(b, '[')
	for c, column := range batch.Columns() {
		if c > 0 {
			b = append(b, ',')
		}
		b = cell.AppendJSON(b, column, i)
	}
	return append(b, ']')
}

// appendStats ends an object, and its line, with what the answer was.
func appendStats(b []byte, r *engine.Result, rows int64, ms float64) []byte {
	b = strconv.AppendInt(append(b, `"stats":{"rows":`...), rows, 10)
	b = strconv.AppendFloat(append(b, `,"ms":`...), ms, 'f', 3, 64)
	b = append(b, `,"snapshots":{`...)
	for i, name := range slices.Sorted(maps.Keys(r.Snapshots)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(cell.AppendQuoted(b, name), ':'), r.Snapshots[name], 10)
	}
	return append(b, "}}}\n"...)
}

// linesBody is NDJSON: an object a row.
type linesBody struct {
	a *answer
	r *engine.Result
}

func (l *linesBody) write() error {
	fields := l.r.Schema.Fields()
	keys := make([][]byte, len(fields))
	for i, f := range fields {
		start := "{"
		if i > 0 {
			start = ","
		}
		keys[i] = append(cell.AppendQuoted([]byte(start), f.Name), ':')
	}
	var b []byte
	for l.r.Reader.Next() {
		batch := l.r.Reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			for c, column := range batch.Columns() {
				b = cell.AppendJSON(append(b, keys[c]...), column, i)
			}
			b = append(b, "}\n"...)
		}
		if _, err := l.a.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	return l.r.Reader.Err()
}

// csvBody is RFC 4180 with a header, but lines end as on Unix; null is empty and an empty text is "".
type csvBody struct {
	a *answer
	r *engine.Result
}

func (c *csvBody) write() error {
	var b []byte
	for i, f := range c.r.Schema.Fields() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCSV(b, f.Name)
	}
	b = append(b, '\n')
	var text []byte
	for c.r.Reader.Next() {
		batch := c.r.Reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			for n, column := range batch.Columns() {
				if n > 0 {
					b = append(b, ',')
				}
				var f cell.Form
				if text, f = cell.Append(text[:0], column, i); f != cell.Null {
					b = appendCSV(b, string(text))
				}
			}
			b = append(b, '\n')
		}
		if _, err := c.a.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	if err := c.r.Reader.Err(); err != nil {
		return err
	}
	_, err := c.a.Write(b)
	return err
}

func appendCSV(b []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	return append(append(append(b, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}

type arrowBody struct {
	a *answer
	r *engine.Result
}

func (w *arrowBody) write() error {
	out := ipc.NewWriter(w.a, ipc.WithSchema(w.r.Schema))
	if err := engine.Merge(w.r.Reader, out.Write); err != nil {
		return err
	}
	return out.Close()
}
