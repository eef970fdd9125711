package envelope

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"tarn/embedded/record"
)

// Split takes an envelope apart without decoding rows. It accepts {"schema":…,"payload":…} too.
func Split(value []byte) (Event, error) {
	e, payload, err := split(value)
	if err == nil && e.Op == 0 && len(payload) > 0 && payload[0] == '{' {
		e, _, err = split(payload)
	}
	if err != nil {
		return Event{}, err
	}
	if e.Op == 0 {
		return Event{}, fmt.Errorf("%w: no op", ErrMalformed)
	}
	return e, nil
}

func split(value []byte) (e Event, payload []byte, err error) {
	s := scanner{b: value}
	err = s.members(func(name []byte) error {
		v, err := s.value()
		if err != nil {
			return err
		}
		switch string(name) {
		case "before":
			e.Before, err = objectOrNull(v)
		case "after":
			e.After, err = objectOrNull(v)
		case "source":
			e.Source, err = objectOrNull(v)
		case "op":
			if len(v) != 3 || v[0] != '"' || v[1] < 'a' || v[1] > 'z' {
				return fmt.Errorf("%w: op %.20q", ErrMalformed, v)
			}
			e.Op = v[1]
		case "ts_ms":
			if string(v) != "null" {
				e.TSMillis, err = integer(v)
			}
		case "payload":
			payload = v
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	return e, payload, err
}

func objectOrNull(v []byte) ([]byte, error) {
	switch {
	case v[0] == '{':
		return v, nil
	case string(v) == "null":
		return nil, nil
	}
	return nil, fmt.Errorf("%w: want an object or null, not %.20q", ErrMalformed, v)
}

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
	next := 0
	in := scanner{b: object}
	err = in.members(func(name []byte) error {
		v, err := in.value()
		if err != nil {
			return err
		}
		i := columnNamed(s, name, next)
		if i < 0 {
			if string(name) == Extra && v[0] == '{' {
				extra = v
			}
			return nil
		}
		next = i + 1
		if row[i], err = cell(s.Columns[i].Type, v); err != nil {
			return fmt.Errorf("column %s: %w", s.Columns[i].Name, err)
		}
		return nil
	})
	if err == nil {
		err = in.end()
	}
	if err != nil {
		return nil, nil, err
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

func cell(t record.Type, v []byte) (record.Value, error) {
	if string(v) == "null" {
		return record.Value{}, nil
	}
	var text []byte
	if v[0] == '"' {
		text = v[1 : len(v)-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			var err error
			if text, err = unescape(text); err != nil {
				return record.Value{}, err
			}
		}
		if string(text) == Unavailable {
			return record.Value{Kind: record.Missing}, nil
		}
	}
	switch t {
	case record.Boolean:
		switch string(v) {
		case "true":
			return record.Value{Kind: record.BoolKind, I: 1}, nil
		case "false":
			return record.Value{Kind: record.BoolKind}, nil
		}
	case record.Int, record.Long, record.Date, record.Time, record.Timestamp:
		n, err := integer(v)
		if err == nil && (t == record.Int || t == record.Date) && int64(int32(n)) != n { //nolint:gosec // that is the question
			err = fmt.Errorf("%w: %d is more than 32 bits hold", ErrMalformed, n)
		}
		return record.Value{Kind: record.IntKind, I: n}, err
	case record.Float, record.Double:
		f, err := double(v, text)
		return record.Value{Kind: record.FloatKind, F: f}, err
	case record.Binary:
		if v[0] == '"' {
			b, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
			if err != nil {
				return record.Value{}, fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			return record.Value{Kind: record.BytesKind, B: b}, nil
		}
	default:
		if v[0] == '"' && utf8.Valid(text) {
			return record.Value{Kind: record.TextKind, B: text}, nil
		}
	}
	return record.Value{}, fmt.Errorf("%w: %.40q is no %s", ErrMalformed, v, t)
}

func integer(v []byte) (int64, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.40q is no integer of 64 bits", ErrMalformed, v)
	}
	return n, nil
}

// double reads a number, or the three texts for what JSON has no number.
func double(v, text []byte) (float64, error) {
	switch string(text) {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if len(bytes.Trim(v, "+-.eE0123456789")) > 0 {
		return 0, fmt.Errorf("%w: %.40q is no number", ErrMalformed, v)
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.40q is no number", ErrMalformed, v)
	}
	return f, nil
}
