package decode

import (
	"encoding/base64"
	"math"
	"slices"

	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/jsonscan"
	"tarn/lake/table"
)

// uuidBytes is the size of a uuid.
const uuidBytes = 16

// kind is a column's type as a number, which is quick to branch by.
type kind uint8

const (
	otherKind kind = iota // a type that record does not know: null alone fits
	booleanKind
	intKind
	longKind
	floatKind
	doubleKind
	dateKind
	timeKind
	timestampKind
	timestamptzKind
	stringKind
	binaryKind
	uuidKind
	decimalKind
)

var kinds = map[record.Type]kind{
	record.Boolean: booleanKind, record.Int: intKind, record.Long: longKind, record.Float: floatKind,
	record.Double: doubleKind, record.Date: dateKind, record.Time: timeKind, record.Timestamp: timestampKind,
	record.TimestampTZ: timestamptzKind, record.String: stringKind, record.Binary: binaryKind, record.UUID: uuidKind,
}

type column struct {
	vector
	name             string
	is               record.Type
	kind             kind
	precision, scale int
}

func newColumn(c Column) column {
	out := column{name: c.Name, is: c.Type, kind: kinds[c.Type]}
	if precision, scale, ok := table.Decimal(c.Type); ok {
		out.kind, out.precision, out.scale = decimalKind, precision, scale
	}
	out.vector = out.grown(out.kind)
	return out
}

// misfit is a value that a column does not hold.
type misfit struct {
	column int
	raw    []byte
	unsent bool // Debezium's placeholder for a value that the source left out
}

// fill gives column i of the row in hand a value, in the place of one that it may have.
func (d *Decoder) fill(i int, v *jsonscan.Value) {
	c := &d.columns[i]
	if c.n > d.rows {
		c.cut(d.rows, c.kind)
		d.misfits = slices.DeleteFunc(d.misfits, func(m misfit) bool { return m.column == i })
	}
	var ok, unsent bool
	switch v.Kind {
	case jsonscan.Null:
		c.null(c.kind)
		return
	case jsonscan.Text:
		ok, unsent = d.text(c, v)
	case jsonscan.Number:
		ok = d.number(c, v)
	default:
		ok = c.other(v)
	}
	if ok {
		c.full(c.kind)
		return
	}
	c.cut(d.rows, c.kind)
	c.null(c.kind)
	d.misfits = append(d.misfits, misfit{i, v.Raw, unsent})
}

// text adds a text; false where it does not fit.
func (d *Decoder) text(c *column, v *jsonscan.Value) (ok, unsent bool) {
	text := v.Inner()
	if v.Escaped {
		if c.kind == stringKind && !d.change {
			c.bytes = jsonscan.Unescape(c.bytes, text)
			return len(c.bytes) <= bytesMax, false
		}
		d.texts = jsonscan.Unescape(d.texts[:0], text)
		text = d.texts
	}
	if d.change && len(text) == len(envelope.Unavailable) && string(text) == envelope.Unavailable {
		return false, true
	}
	if len(c.bytes)+len(text) > bytesMax {
		return false, false
	}
	var n int64
	switch c.kind {
	case stringKind:
		c.bytes = append(c.bytes, text...)
		return true, false
	case timestampKind, timestamptzKind:
		n, _, ok = jsonscan.Instant(text)
	case intKind, longKind:
		n, ok = jsonscan.Whole(text)
		ok = ok && jsonscan.IsNumber(text) && inRange(c.kind, n)
	case floatKind, doubleKind:
		return c.floatText(text), false
	case decimalKind:
		return c.decimal(text), false
	case dateKind:
		n, ok = jsonscan.Date(text)
	case timeKind:
		n, ok = jsonscan.Clock(text)
	case binaryKind:
		b, err := base64.StdEncoding.AppendDecode(c.bytes, text)
		c.bytes = b
		return err == nil, false
	case uuidKind:
		id, err := uuid.ParseBytes(text)
		c.bytes = append(c.bytes, id[:]...)
		return err == nil, false
	default:
		return false, false
	}
	c.num(n)
	return ok, false
}

// number adds a number.
func (d *Decoder) number(c *column, v *jsonscan.Value) (ok bool) {
	switch c.kind {
	case longKind, intKind, dateKind, timeKind, timestampKind, timestamptzKind:
	case floatKind, doubleKind:
		return c.floating(v.Raw)
	case decimalKind:
		return c.decimal(v.Raw)
	default:
		return c.other(v)
	}
	n, ok := v.Int, v.Plain
	if !ok {
		if n, ok = jsonscan.Whole(v.Raw); !ok {
			return false
		}
	}
	if !d.change && (c.kind == timestampKind || c.kind == timestamptzKind) {
		const micros = 1000
		if n > math.MaxInt64/micros || n < math.MinInt64/micros {
			return false
		}
		n *= micros
	}
	c.num(n)
	return inRange(c.kind, n)
}

// other adds a truth, or the JSON text of any value.
func (c *column) other(v *jsonscan.Value) bool {
	switch {
	case c.kind == stringKind:
		c.bytes = append(c.bytes, v.Raw...)
		return len(c.bytes) <= bytesMax
	case c.kind != booleanKind:
		return false
	case v.Kind == jsonscan.True:
		c.num(1)
		return true
	}
	c.num(0)
	return v.Kind == jsonscan.False
}

// inRange tells whether a column of whole numbers holds n.
func inRange(k kind, n int64) bool {
	switch k {
	case intKind:
		return n >= math.MinInt32 && n <= math.MaxInt32
	case dateKind:
		return jsonscan.InYears(n)
	case timeKind:
		return n >= 0 && n < jsonscan.DayMicros
	case timestampKind, timestamptzKind:
		return jsonscan.InYearsMicros(n)
	}
	return true
}

func (c *column) decimal(text []byte) bool {
	n, ok := jsonscan.Decimal(text, c.precision, c.scale)
	c.nums = append(c.nums, int64(n.LowBits()), n.HighBits()) //nolint:gosec // only bits count
	return ok
}

func (c *column) floating(text []byte) (ok bool) {
	var f float64
	if c.kind == floatKind {
		var short float32
		short, ok = jsonscan.Float(text)
		f = float64(short)
	} else {
		f, ok = jsonscan.Double(text)
	}
	c.num(int64(math.Float64bits(f))) //nolint:gosec // only bits count
	return ok
}

func (c *column) floatText(text []byte) bool {
	var f float64
	switch string(text) {
	case "NaN":
		f = math.NaN()
	case "Infinity":
		f = math.Inf(1)
	case "-Infinity":
		f = math.Inf(-1)
	default:
		return jsonscan.IsNumber(text) && c.floating(text)
	}
	c.num(int64(math.Float64bits(f))) //nolint:gosec // only bits count
	return true
}
