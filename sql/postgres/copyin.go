//go:build duckdb_arrow

package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// What of a COPY is in memory before it is handed on.
const (
	copyRowsMax  = 8192
	copyBytesMax = 4 << 20
)

// copyIn answers COPY table [(columns)] FROM STDIN; false for other statements. All rows are in the table when it is answered, or none.
func (c *conn) copyIn(text string) (bool, error) {
	in, err := sqltext.NewReader(text)
	if err != nil || !in.Take("COPY") || in.Peek().Is("(") {
		return false, nil //nolint:nilerr // who answers it tells
	}
	to, err := in.Table()
	if err != nil {
		return false, nil //nolint:nilerr // as above
	}
	var columns []string
	if in.Take("(") {
		for {
			name, err := in.Name()
			if err != nil {
				return true, err
			}
			columns = append(columns, name[len(name)-1])
			if !in.Take(",") {
				break
			}
		}
		if !in.Take(")") {
			return true, in.Fault(")")
		}
	}
	if !in.Take("FROM") {
		return false, nil
	}
	if !in.Take("STDIN") {
		return true, fault.New(fault.Denied, "COPY reads from its client alone", "write COPY … FROM STDIN, as psql's \\copy does")
	}
	var tokens []sqltext.Token
	for t := in.Next(); t.Kind != sqltext.End; t = in.Next() {
		tokens = append(tokens, t)
	}
	form, err := readForm(tokens)
	if err != nil {
		return true, err
	}
	return true, c.copyInto(text, to, columns, form)
}

func (c *conn) copyInto(text string, to sqltext.Table, columns []string, form *copyForm) error {
	if err := c.mayChange("COPY FROM", "INSERT INTO "+text[to.Offset:]); err != nil {
		return err
	}
	ctx, cancel := c.statement()
	defer cancel()
	within, late := context.WithTimeout(ctx, cmp.Or(c.settings.timeout(), c.door.o.Gate.Timeout()))
	defer late()
	a, err := c.door.o.Gate.Appender(within, c.request(text), to, columns)
	if err != nil {
		return err
	}
	f := &copying{c: c, table: to.Name, of: a, rows: copyRows{form: form}}
	for _, column := range a.Columns {
		f.rows.names, f.kinds = append(f.rows.names, column.Name), append(f.kinds, kindOf(column.Type))
	}
	free := c.readUntil(within)
	n, err := a.Append(within, f.batches)
	free()
	switch {
	case f.err != nil && within.Err() == nil:
		return f.err
	case err != nil:
		return f.placed(err)
	}
	return c.tell("COPY " + strconv.FormatInt(n, 10))
}

// readUntil ends the waiting for a client with a statement. Call what it returns before the client is read from again.
func (c *conn) readUntil(ctx context.Context) (free func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.net.SetReadDeadline(time.Unix(1, 0))
		close(over)
	})
	return func() {
		if !stop() {
			<-over
			_ = c.net.SetReadDeadline(time.Time{})
		}
	}
}

// copying is one COPY FROM STDIN.
type copying struct {
	c     *conn
	table string
	of    *engine.Appender
	kinds []kind
	rows  copyRows
	from  int   // the first line of the batch that was handed on last
	err   error // what ended it, if that was the client or its rows
}

// batches reads what the client sends, as texts.
func (f *copying) batches(yield func(arrow.RecordBatch, error) bool) {
	fields := make([]arrow.Field, len(f.kinds))
	format := byte(0)
	if f.rows.form.binary {
		format = 1
	}
	codes := make([]uint16, len(f.kinds))
	for i, name := range f.rows.names {
		fields[i], codes[i] = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}, uint16(format)
	}
	gone := fault.New(fault.Canceled, "the client has gone", "")
	f.c.be.Send(&pgproto3.CopyInResponse{OverallFormat: format, ColumnFormatCodes: codes})
	if f.err = f.c.flush(); f.err != nil {
		f.err = writeError{f.err}
		yield(nil, gone)
		return
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for last := false; !last; {
		last, f.err = f.receive()
		bytes := 0
		for f.err == nil {
			var row []field
			if row, f.err = f.rows.next(last); f.err != nil || row == nil {
				break
			}
			var size int
			size, f.err = f.append(b, row)
			bytes += size
			if n := b.Field(0).Len(); f.err == nil && (n >= copyRowsMax || bytes >= copyBytesMax) {
				bytes = 0
				if !f.hand(b, yield) {
					return
				}
			}
		}
		if f.err != nil {
			if f.err = f.placed(f.err); writeFailed(f.err) {
				yield(nil, gone)
			} else {
				yield(nil, f.err)
			}
			return
		}
	}
	if b.Field(0).Len() > 0 {
		f.hand(b, yield)
	}
}

func (f *copying) hand(b *array.RecordBuilder, yield func(arrow.RecordBatch, error) bool) bool {
	f.from = f.rows.line - b.Field(0).Len() + 1
	batch := b.NewRecordBatch()
	defer batch.Release()
	return yield(batch, nil)
}

// receive takes the client's next piece; last when there is none behind it.
func (f *copying) receive() (last bool, err error) {
	for {
		message, err := f.c.be.Receive()
		if err != nil {
			return true, writeError{err} // it has gone, or says nothing for as long as the statement may take
		}
		switch m := message.(type) {
		case *pgproto3.CopyData:
			f.rows.add(m.Data)
			return false, nil
		case *pgproto3.CopyDone:
			return true, nil
		case *pgproto3.CopyFail:
			return true, stateError{"57014", fault.Newf(fault.Canceled, "", "COPY from stdin failed: %s", m.Message)}
		case *pgproto3.Flush, *pgproto3.Sync: // of a pipeline that went on
		default:
			return true, stateError{"08P01", fault.Newf(fault.Invalid, "", "unexpected message of the type %T during COPY from stdin", message)}
		}
	}
}

// append puts a row behind the others, as texts that DuckDB reads, and tells how many bytes they are.
func (f *copying) append(b *array.RecordBuilder, row []field) (size int, err error) {
	for i, v := range row {
		into := b.Field(i).(*array.StringBuilder)
		if v.null {
			into.AppendNull()
			continue
		}
		text, err := f.value(&f.kinds[i], v.text)
		if err == nil && !utf8.ValidString(text) {
			err = stateError{"22021", fault.New(fault.Invalid, "invalid byte sequence for encoding \"UTF8\"", "texts are UTF-8")}
		}
		if err != nil {
			return 0, located{err, f.rows.where(f.table, f.rows.names[i])}
		}
		into.Append(text)
		size += len(text)
	}
	return size + len(row), nil
}

// value is a value as DuckDB reads it from a text. What is plainly of another type is found here, where its line is known.
func (f *copying) value(k *kind, raw []byte) (string, error) {
	text := string(raw)
	if f.rows.form.binary && k.oid != pgtype.JSONOID {
		oid := k.oid
		if oid == pgtype.Int4OID && len(raw) == 2 {
			oid = pgtype.Int2OID // of who declared the column SMALLINT, which the lake keeps as INTEGER
		}
		out, err := f.c.valueOf(oid, 1, raw)
		if err != nil {
			return "", stateError{"22P03", fault.New(fault.Invalid, "incorrect binary data format", "")}
		}
		return out, nil
	}
	var err error
	trimmed := strings.TrimSpace(text)
	switch k.oid {
	case pgtype.Int2OID:
		_, err = strconv.ParseInt(trimmed, 10, 16)
	case pgtype.Int4OID:
		_, err = strconv.ParseInt(trimmed, 10, 32)
	case pgtype.Int8OID:
		_, err = strconv.ParseInt(trimmed, 10, 64)
	case pgtype.Float4OID, pgtype.Float8OID:
		_, err = strconv.ParseFloat(trimmed, 64)
	case pgtype.UUIDOID:
		_, err = uuid.Parse(trimmed)
	case pgtype.BoolOID:
		text, err = boolean(trimmed)
	default:
		text, err = f.c.valueOf(k.oid, 0, raw)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "", stateError{"22003", fault.Newf(fault.Invalid, "", "value %q is out of range", shown(text))}
	case err != nil:
		return "", stateError{"22P02", fault.Newf(fault.Invalid, "", "invalid input: %q", shown(string(raw)))}
	}
	return text, nil
}

// shown is the beginning of a value.
func shown(text string) string {
	const most = 100
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// boolean reads PostgreSQL's words for true and false, and what they begin with.
func boolean(text string) (string, error) {
	lower := strings.ToLower(text)
	for word, value := range map[string]string{"true": "true", "false": "false", "yes": "true", "no": "false", "on": "true", "off": "false", "1": "true", "0": "false"} {
		if lower != "" && strings.HasPrefix(word, lower) && lower != "o" {
			return value, nil
		}
	}
	return "", fault.New(fault.Invalid, "no boolean", "")
}

// located is an error with PostgreSQL's CONTEXT.
type located struct {
	error
	where string
}

func (l located) Unwrap() error { return l.error }

// placed tells the line of an error; of one that DuckDB found the lines among which it is.
func (f *copying) placed(err error) error {
	if _, is := errors.AsType[located](err); is || writeFailed(err) || f.rows.line == 0 {
		return err
	}
	if f.err != nil || f.from == 0 {
		return located{err, f.rows.where(f.table, "")}
	}
	return located{err, fmt.Sprintf("COPY %s, lines %d to %d", f.table, f.from, f.rows.line)}
}
