package envelope

import (
	"errors"
	"fmt"
	"math"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
)

// ErrMalformed is the cause of every refusal to read an envelope or a row.
var ErrMalformed = errors.New("not a change event")

// Split takes an envelope apart without decoding rows. It accepts {"schema":…,"payload":…} too.
func Split(value []byte) (Event, error) {
	var s jsonscan.Scanner
	return SplitAfter(&s, value, nil)
}

// SplitAfter is Split by a scanner, which lets a reader have the object of `after` in the same
// pass: row is called where one begins, is given the text from there on, and takes the object. It is
// the event's After in the end if the two begin at the same byte, for of two members the last counts.
func SplitAfter(s *jsonscan.Scanner, value []byte, row func(rest []byte)) (Event, error) {
	e, payload, err := split(s, value, row)
	if err == nil && e.Op == 0 && len(payload) > 0 && payload[0] == '{' {
		e, _, err = split(s, payload, row)
	}
	if err != nil {
		return Event{}, err
	}
	if e.Op == 0 {
		return Event{}, fmt.Errorf("%w: no op", ErrMalformed)
	}
	return e, nil
}

// split reads the members of the envelope; of two with one name the last counts.
func split(s *jsonscan.Scanner, value []byte, row func(rest []byte)) (e Event, payload []byte, err error) {
	var before, after, source, op, millis, inner jsonscan.Value
	s.Reset(value)
	for more := s.Open(); more; more = s.More() {
		name := plain(s.Name())
		if row != nil && string(name) == "after" {
			if rest := s.Object(); rest != nil {
				row(rest)
				after = jsonscan.Value{Kind: jsonscan.Object, Raw: rest[:s.Since(rest)]}
				continue
			}
		}
		v := *s.Value()
		switch string(name) {
		case "before":
			before = v
		case "after":
			after = v
		case "source":
			source = v
		case "op":
			op = v
		case "ts_ms":
			millis = v
		case "payload":
			inner = v
		}
	}
	if err := s.End(); err != nil {
		return e, nil, malformed(err)
	}
	for _, part := range []struct {
		is *jsonscan.Value
		to *[]byte
	}{{&before, &e.Before}, {&after, &e.After}, {&source, &e.Source}} {
		switch part.is.Kind {
		case jsonscan.Object:
			*part.to = part.is.Raw
		case jsonscan.Null, jsonscan.Invalid:
		default:
			return e, nil, fmt.Errorf("%w: want an object or null, not %.20q", ErrMalformed, part.is.Raw)
		}
	}
	if op.Kind != jsonscan.Invalid {
		if v := op.Raw; len(v) != 3 || v[0] != '"' || v[1] < 'a' || v[1] > 'z' {
			return e, nil, fmt.Errorf("%w: op %.20q", ErrMalformed, v)
		}
		e.Op = op.Raw[1]
	}
	if millis.Kind != jsonscan.Invalid && millis.Kind != jsonscan.Null {
		e.TSMillis, err = integer(&millis)
	}
	return e, inner.Raw, err
}

// plain is a name without escapes.
func plain(raw []byte, escaped bool) []byte {
	if !escaped {
		return raw
	}
	return jsonscan.Unescape(nil, raw)
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

// Decode reads a row object into cells by the schema, in column order; an absent column or
// the placeholder __debezium_unavailable_value is record.Missing. extra is the raw object of "_extra", nil without.
// The row's memory is used again when it is large enough; its texts share the object's bytes.
// A member that the schema does not know is passed over. A value that is not of its
// column's type is an error: sources put such into "_extra".
func Decode(s *record.Schema, object []byte, row record.Row) (out record.Row, extra []byte, err error) {
	if cap(row) < len(s.Columns) {
		row = make(record.Row, len(s.Columns))
	}
	row = row[:len(s.Columns)]
	for i := range row {
		row[i] = record.Value{Kind: record.Missing}
	}
	var in jsonscan.Scanner
	in.Reset(object)
	next := 0
	for more := in.Open(); more; more = in.More() {
		name := plain(in.Name())
		v := in.Value()
		if v.Kind == jsonscan.Invalid {
			break
		}
		i := columnNamed(s, name, next)
		if i < 0 {
			if string(name) == Extra && v.Kind == jsonscan.Object {
				extra = v.Raw
			}
			continue
		}
		next = i + 1
		if row[i], err = cell(s, &s.Columns[i], v); err != nil {
			return nil, nil, fmt.Errorf("column %s: %w", s.Columns[i].Name, err)
		}
	}
	if err := in.End(); err != nil {
		return nil, nil, malformed(err)
	}
	return row, extra, nil
}

// columnNamed finds a column, first where it is expected.
func columnNamed(s *record.Schema, name []byte, expected int) int {
	if expected < len(s.Columns) && s.Columns[expected].Name == string(name) {
		return expected
	}
	for i := range s.Columns {
		if s.Columns[i].Name == string(name) {
			return i
		}
	}
	return -1
}

func cell(s *record.Schema, c *record.Column, v *jsonscan.Value) (record.Value, error) {
	if v.Kind == jsonscan.Null {
		return record.Value{}, nil
	}
	var text []byte
	if v.Kind == jsonscan.Text {
		text = plain(v.Inner(), v.Escaped)
		if string(text) == placeholder(s) {
			return record.Value{Kind: record.Missing}, nil
		}
	}
	switch {
	case c.Semantic != record.Plain:
		return semanticCell(s, c, v, text)
	case c.Type == record.Binary && v.Kind == jsonscan.Text:
		return bytesCell(s, c, text)
	}
	return plainCell(c.Type, v, text)
}

// plainCell reads a value as its column's type says.
func plainCell(t record.Type, v *jsonscan.Value, text []byte) (record.Value, error) {
	switch t {
	case record.Boolean:
		switch v.Kind {
		case jsonscan.True:
			return record.Value{Kind: record.BoolKind, I: 1}, nil
		case jsonscan.False:
			return record.Value{Kind: record.BoolKind}, nil
		}
	case record.Int, record.Long, record.Date, record.Time, record.Timestamp:
		n, err := integer(v)
		if err == nil && (t == record.Int || t == record.Date) && int64(int32(n)) != n { //nolint:gosec // that is the question
			err = fmt.Errorf("%w: %d is more than 32 bits hold", ErrMalformed, n)
		}
		return record.Value{Kind: record.IntKind, I: n}, err
	case record.Float, record.Double:
		if t == record.Float && v.Kind == jsonscan.Number {
			if f, ok := jsonscan.Float(v.Raw); ok {
				return record.Value{Kind: record.FloatKind, F: float64(f)}, nil
			}
		}
		f, err := double(v, text)
		return record.Value{Kind: record.FloatKind, F: f}, err
	case record.Binary:
	default:
		if v.Kind == jsonscan.Text {
			return record.Value{Kind: record.TextKind, B: text}, nil
		}
	}
	return record.Value{}, noCell(t, v)
}

// noCell is the error of a value that is not of its column's type.
func noCell(t record.Type, v *jsonscan.Value) error {
	return fmt.Errorf("%w: %.40q is no %s", ErrMalformed, v.Raw, t)
}

func integer(v *jsonscan.Value) (int64, error) {
	if n, ok := v.Integer(); ok && v.Kind == jsonscan.Number {
		return n, nil
	}
	return 0, fmt.Errorf("%w: %.40q is no integer of 64 bits", ErrMalformed, v.Raw)
}

// double reads a number, or the three texts for what JSON has no number.
func double(v *jsonscan.Value, text []byte) (float64, error) {
	switch string(text) {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	f, ok := jsonscan.Double(v.Raw)
	if !ok || v.Kind != jsonscan.Number {
		return 0, fmt.Errorf("%w: %.40q is no number that a double holds", ErrMalformed, v.Raw)
	}
	return f, nil
}
