package envelope

import (
	"strconv"

	"tarn/embedded/record"
)

// Form renders the events of one table. What they have in common is rendered once. It is for one goroutine.
type Form struct {
	schema *record.Schema
	names  [][]byte // of the columns: "id":
	keys   []int    // the columns of the key
	// Of the member "source": its beginning, its database up to the sequence, its schema and its table.
	head, db, named, table []byte
	changed, rendered      stamp
}

// NewForm returns the form of a table's events. Of src counts what is the same in all of them.
func NewForm(s *record.Schema, src *Source) *Form {
	text := func(dst []byte, name, value string) []byte { return appendName(append(dst, name...), value) }
	f := &Form{schema: s, keys: s.Keys()}
	for i := range s.Columns {
		f.names = append(f.names, append(appendName(nil, s.Columns[i].Name), ':'))
	}
	f.head = text(text(text(nil, `{"version":`, src.Version), `,"connector":`, src.Connector), `,"name":`, src.Name)
	f.db = append(text(nil, `,"db":`, src.Database), `,"sequence":`...)
	f.named, f.table = text(nil, `,"schema":`, src.Schema), text(nil, `,"table":`, src.Table)
	return f
}

// stamp is a time as events have it. Many have the same.
type stamp struct {
	nanos         int64
	millis, finer []byte
}

func (t *stamp) at(nanos int64) *stamp {
	if t.millis == nil || nanos != t.nanos {
		t.nanos = nanos
		t.millis = strconv.AppendInt(append(t.millis[:0], `,"ts_ms":`...), floorDiv(nanos, nanosPerMilli), 10)
		t.finer = strconv.AppendInt(append(t.finer[:0], `,"ts_us":`...), floorDiv(nanos, nanosPerMicro), 10)
		t.finer = strconv.AppendInt(append(t.finer, `,"ts_ns":`...), nanos, 10)
	}
	return t
}

// Append renders one event onto dst. Rows may be nil. tsNanos is the time of the rendering.
func (f *Form) Append(dst []byte, src *Source, op byte, before, after record.Row, tsNanos int64) []byte {
	dst = append(dst, `{"before":`...)
	dst = f.appendRow(dst, before)
	dst = append(dst, `,"after":`...)
	dst = f.appendRow(dst, after)
	dst = append(dst, `,"source":`...)
	dst = f.appendSource(dst, src)
	dst = append(dst, `,"transaction":`...)
	dst = appendTransaction(dst, src.Transaction)
	dst = append(dst, `,"op":"`...)
	dst = append(dst, op, '"')
	now := f.rendered.at(tsNanos)
	return append(append(append(dst, now.millis...), now.finer...), '}')
}

func (f *Form) appendSource(dst []byte, src *Source) []byte {
	at := f.changed.at(src.TSNanos)
	dst = append(append(dst, f.head...), at.millis...)
	dst = appendName(append(dst, `,"snapshot":`...), src.Snapshot)
	dst = append(dst, f.db...)
	if src.Postgres != nil {
		dst = src.Postgres.appendSequence(dst)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, at.finer...)
	if src.Schema != "" || src.Postgres != nil {
		dst = append(dst, f.named...)
	}
	dst = append(dst, f.table...)
	if src.Postgres != nil {
		dst = src.Postgres.append(dst)
	} else {
		dst = append(dst, `,"seq":`...)
		dst = strconv.AppendInt(dst, src.Seq, 10)
	}
	return append(dst, '}')
}

func (f *Form) appendRow(dst []byte, row record.Row) []byte {
	if row == nil {
		return append(dst, "null"...)
	}
	s, misfits := f.schema, 0
	open := byte('{')
	for i := range s.Columns {
		dst = append(append(dst, open), f.names[i]...)
		open = ','
		if !Fits(s, &s.Columns[i], row[i]) {
			misfits++
			dst = append(dst, "null"...)
			continue
		}
		dst = AppendValue(dst, s, &s.Columns[i], row[i])
	}
	if open == '{' {
		dst = append(dst, '{')
	}
	if misfits > 0 {
		dst = appendExtra(dst, s, row)
	}
	return append(dst, '}')
}

// AppendKeyRow renders the key object of a row; see the function of that name.
func (f *Form) AppendKeyRow(dst []byte, row record.Row, rowID int64) []byte {
	out, null := f.appendKey(dst, row)
	if !null {
		return out
	}
	out = append(out[:len(out)-1], `,"`+RowID+`":`...)
	return append(strconv.AppendInt(out, rowID, 10), '}')
}

func (f *Form) appendKey(dst []byte, row record.Row) (out []byte, null bool) {
	open := byte('{')
	for _, i := range f.keys {
		dst = append(append(dst, open), f.names[i]...)
		open = ','
		if !Fits(f.schema, &f.schema.Columns[i], row[i]) {
			dst = appendMisfit(dst, row[i])
			continue
		}
		null = null || row[i].Kind == record.Null
		dst = AppendValue(dst, f.schema, &f.schema.Columns[i], row[i])
	}
	if open == '{' {
		return dst, false
	}
	return append(dst, '}'), null
}
