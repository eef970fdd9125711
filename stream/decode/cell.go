package decode

import (
	"encoding/base64"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/jsonscan"
	"tarn/lake/table"
)

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
	name, quoted     string
	is               record.Type
	kind             kind
	precision, scale int
	builder          array.Builder
}

func newColumn(c Column, b array.Builder) column {
	out := column{name: c.Name, quoted: jsonscan.Quoted(c.Name), is: c.Type, kind: kinds[c.Type], builder: b}
	if precision, scale, ok := table.Decimal(c.Type); ok {
		out.kind, out.precision, out.scale = decimalKind, precision, scale
	}
	return out
}

// state tells what a cell holds.
type state uint8

const (
	null   state = iota // nothing
	full                // a value
	misfit              // b is a value that does not fit
	unsent              // the source left the value out
)

// cell is one value before it is appended. n is a truth, an integer, a date or a time, the bits of
// a double, the lower half of a decimal; high its upper half; b a text and all other bytes.
type cell struct {
	state state
	n     int64
	high  int64
	b     []byte
}

// fill makes a cell of a value.
func (d *Decoder) fill(i int, v jsonscan.Value) {
	c := &d.cells[i]
	col := &d.columns[i]
	switch {
	case v.Kind == jsonscan.Null:
		c.state = null
		return
	case v.Kind == jsonscan.Text:
		text := v.Inner()
		if v.Escaped {
			from := len(d.texts)
			d.texts = jsonscan.Unescape(d.texts, text)
			text = d.texts[from:]
		}
		if d.change && string(text) == envelope.Unavailable {
			c.state = unsent
			return
		}
		if d.text(col, c, text) {
			c.state = full
			return
		}
	case d.other(col, c, &v):
		c.state = full
		return
	}
	c.state, c.b = misfit, v.Raw
}

// text fills a cell with a text, already unescaped; false where it does not fit.
func (d *Decoder) text(col *column, c *cell, text []byte) (ok bool) {
	switch col.kind {
	case stringKind:
		c.b = text
		return true
	case timestampKind, timestamptzKind:
		c.n, _, ok = jsonscan.Instant(text)
	case intKind, longKind:
		c.n, ok = jsonscan.Whole(text)
		ok = ok && jsonscan.IsNumber(text) && inRange(col.kind, c.n)
	case floatKind, doubleKind:
		return floatText(col, c, text)
	case decimalKind:
		return c.decimal(text, col)
	case dateKind:
		c.n, ok = jsonscan.Date(text)
	case timeKind:
		c.n, ok = jsonscan.Clock(text)
	case binaryKind:
		from := len(d.texts)
		var err error
		d.texts, err = base64.StdEncoding.AppendDecode(d.texts, text)
		c.b, ok = d.texts[from:], err == nil
	case uuidKind:
		id, err := uuid.ParseBytes(text)
		from := len(d.texts)
		d.texts = append(d.texts, id[:]...)
		c.b, ok = d.texts[from:], err == nil
	}
	return ok
}

// other fills a cell with a value that is neither null nor a text.
func (d *Decoder) other(col *column, c *cell, v *jsonscan.Value) (ok bool) {
	switch {
	case col.kind == stringKind:
		c.b = v.Raw
		return true
	case v.Kind == jsonscan.True || v.Kind == jsonscan.False:
		c.n = 0
		if v.Kind == jsonscan.True {
			c.n = 1
		}
		return col.kind == booleanKind
	case v.Kind != jsonscan.Number:
		return false
	}
	switch col.kind {
	case floatKind, doubleKind:
		return c.floating(v.Raw, col.kind)
	case decimalKind:
		return c.decimal(v.Raw, col)
	case intKind, longKind, dateKind, timeKind, timestampKind, timestamptzKind:
	default:
		return false
	}
	if c.n, ok = v.Int, v.Plain; !ok {
		if c.n, ok = jsonscan.Whole(v.Raw); !ok {
			return false
		}
	}
	if !d.change && (col.kind == timestampKind || col.kind == timestamptzKind) {
		const micros = 1000
		if c.n > math.MaxInt64/micros || c.n < math.MinInt64/micros {
			return false
		}
		c.n *= micros
	}
	return inRange(col.kind, c.n)
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

func (c *cell) decimal(text []byte, col *column) bool {
	n, ok := jsonscan.Decimal(text, col.precision, col.scale)
	c.n, c.high = int64(n.LowBits()), n.HighBits() //nolint:gosec // only bits count
	return ok
}

func (c *cell) floating(text []byte, k kind) (ok bool) {
	var f float64
	if k == floatKind {
		var short float32
		short, ok = jsonscan.Float(text)
		f = float64(short)
	} else {
		f, ok = jsonscan.Double(text)
	}
	c.n = int64(math.Float64bits(f)) //nolint:gosec // only bits count
	return ok
}

func floatText(col *column, c *cell, text []byte) bool {
	f := 0.0
	switch string(text) {
	case "NaN":
		f = math.NaN()
	case "Infinity":
		f = math.Inf(1)
	case "-Infinity":
		f = math.Inf(-1)
	default:
		return jsonscan.IsNumber(text) && c.floating(text, col.kind)
	}
	c.n = int64(math.Float64bits(f)) //nolint:gosec // only bits count
	return true
}

// append puts the cell, which fits, into the column's builder.
func (col *column) append(c *cell) {
	if c.state != full {
		col.builder.AppendNull()
		return
	}
	switch col.kind {
	case longKind:
		col.builder.(*array.Int64Builder).Append(c.n)
	case stringKind:
		col.builder.(*array.StringBuilder).BinaryBuilder.Append(c.b)
	case timestampKind, timestamptzKind:
		col.builder.(*array.TimestampBuilder).Append(arrow.Timestamp(c.n))
	case doubleKind:
		col.builder.(*array.Float64Builder).Append(math.Float64frombits(uint64(c.n))) //nolint:gosec // only bits count
	case floatKind:
		col.builder.(*array.Float32Builder).Append(float32(math.Float64frombits(uint64(c.n)))) //nolint:gosec // only bits count
	case intKind:
		col.builder.(*array.Int32Builder).Append(int32(c.n)) //nolint:gosec // inRange told so
	case booleanKind:
		col.builder.(*array.BooleanBuilder).Append(c.n != 0)
	case dateKind:
		col.builder.(*array.Date32Builder).Append(arrow.Date32(c.n)) //nolint:gosec // inRange told so
	case timeKind:
		col.builder.(*array.Time64Builder).Append(arrow.Time64(c.n))
	case decimalKind:
		col.builder.(*array.Decimal128Builder).Append(decimal128.New(c.high, uint64(c.n))) //nolint:gosec // only bits count
	case binaryKind:
		col.builder.(*array.BinaryBuilder).Append(c.b)
	case uuidKind:
		col.builder.(*extensions.UUIDBuilder).Append(uuid.UUID(c.b))
	default:
		col.builder.AppendNull()
	}
}
