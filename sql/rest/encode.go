package rest

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"tarn/sql/engine"
)

// jsonEncoder writes {"columns":[…],"rows":[[…]],"stats":{…}}. An answer that ends early has
// "error" where "stats" would stand.
type jsonEncoder struct {
	w    io.Writer
	line []byte
	some bool
}

func (e *jsonEncoder) begin(r *engine.Result) error {
	b := []byte(`{"columns":[`)
	for i, f := range r.Schema.Fields() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendText(b, f.Name)
		b = append(b, `,"type":`...)
		b = appendText(b, typeName(f.Type))
		b = append(b, '}')
	}
	_, err := e.w.Write(append(b, `],"rows":[`...))
	return err
}

func (e *jsonEncoder) batch(b rows) error {
	for i := range int(b.NumRows()) {
		e.line = e.line[:0]
		if e.some {
			e.line = append(e.line, ',')
		}
		e.some = true
		e.line = append(e.line, "\n["...)
		for c := range int(b.NumCols()) {
			if c > 0 {
				e.line = append(e.line, ',')
			}
			e.line = appendValue(e.line, b.Column(c), i)
		}
		if _, err := e.w.Write(append(e.line, ']')); err != nil {
			return err
		}
	}
	return nil
}

func (e *jsonEncoder) end(s stats) error { return e.last(`],"stats":`, s) }

func (e *jsonEncoder) fail(f *failure) bool { return e.last(`],"error":`, f.Error) == nil }

func (e *jsonEncoder) last(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = e.w.Write(append(append([]byte(name), b...), "}\n"...))
	return err
}

// linesEncoder writes one object a row. Of columns with the same name all are there, in
// order; most readers keep the last.
type linesEncoder struct {
	w     io.Writer
	names [][]byte
	line  []byte
}

func (e *linesEncoder) begin(r *engine.Result) error {
	for i, f := range r.Schema.Fields() {
		name := []byte{"{,"[min(i, 1)]}
		e.names = append(e.names, append(appendText(name, f.Name), ':'))
	}
	return nil
}

func (e *linesEncoder) batch(b rows) error {
	for i := range int(b.NumRows()) {
		e.line = e.line[:0]
		for c := range e.names {
			e.line = append(e.line, e.names[c]...)
			e.line = appendValue(e.line, b.Column(c), i)
		}
		if _, err := e.w.Write(append(e.line, "}\n"...)); err != nil {
			return err
		}
	}
	return nil
}

func (e *linesEncoder) end(stats) error { return nil }

func (e *linesEncoder) fail(f *failure) bool { return json.NewEncoder(e.w).Encode(f) == nil }

// csvEncoder writes RFC 4180 with a header line; null is an empty field, an empty text is "".
type csvEncoder struct{ w io.Writer }

func (e *csvEncoder) begin(r *engine.Result) error {
	var line []byte
	for i, f := range r.Schema.Fields() {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendField(line, f.Name)
	}
	_, err := e.w.Write(append(line, '\n'))
	return err
}

func (e *csvEncoder) batch(b rows) error {
	var line, value []byte
	for i := range int(b.NumRows()) {
		line = line[:0]
		for c := range int(b.NumCols()) {
			if c > 0 {
				line = append(line, ',')
			}
			if b.Column(c).IsNull(i) {
				continue
			}
			value = appendValue(value[:0], b.Column(c), i)
			line = appendField(line, plain(value))
		}
		if _, err := e.w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// plain takes the quotes off a JSON string.
func plain(value []byte) string {
	if len(value) > 0 && value[0] == '"' {
		var s string
		if json.Unmarshal(value, &s) == nil {
			return s
		}
	}
	return string(value)
}

func appendField(line []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") {
		return append(line, s...)
	}
	line = append(line, '"')
	line = append(line, strings.ReplaceAll(s, `"`, `""`)...)
	return append(line, '"')
}

func (e *csvEncoder) end(stats) error { return nil }

func (e *csvEncoder) fail(*failure) bool { return false }

// arrowEncoder writes an Arrow IPC stream.
type arrowEncoder struct {
	w   io.Writer
	out *ipc.Writer
}

func (e *arrowEncoder) begin(r *engine.Result) error {
	e.out = ipc.NewWriter(e.w, ipc.WithSchema(r.Schema))
	return nil
}

func (e *arrowEncoder) batch(b rows) error { return e.out.Write(b.RecordBatch) }

func (e *arrowEncoder) end(stats) error { return e.out.Close() }

func (e *arrowEncoder) fail(*failure) bool { return false }

var _ arrow.RecordBatch = rows{}
