//go:build duckdb_arrow

package trino

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/fault"
	"tarn/sql/cell"
)

// rows writes the rows of an answer, as arrays of JSON.
type rows struct {
	schema     *arrow.Schema
	names      []string
	types      []typ
	parametric bool // the client knows how many digits a time has
	looked     bool
}

// newRows is for an answer of a schema; types are DuckDB's names of its columns' types, which Arrow has not for all, nil
// where nobody told them.
func newRows(schema *arrow.Schema, types []string, parametric bool) *rows {
	r := &rows{schema: schema, parametric: parametric}
	for i, f := range schema.Fields() {
		var name string
		if i < len(types) {
			name = types[i]
		} else if name = cell.TypeName(f); name == "HUGEINT" {
			name = "DECIMAL(38,0)"
		}
		r.names, r.types = append(r.names, f.Name), append(r.types, typeNamed(name))
	}
	return r
}

// look decides what only values tell: DuckDB has one type for both of Trino's intervals. A column is what its first value is.
func (r *rows) look(batch arrow.RecordBatch) {
	if r.looked {
		return
	}
	r.looked = true
	for c, t := range r.types {
		values, ok := batch.Column(c).(*array.MonthDayNanoInterval)
		if !ok || t.raw != "interval day to second" {
			continue
		}
		for i := range values.Len() {
			if v := values.Value(i); !values.IsNull(i) && v != (arrow.MonthDayNanoInterval{}) {
				if v.Months != 0 {
					r.types[c] = typ{raw: "interval year to month"}
				}
				break
			}
		}
	}
}

// columns are the columns as JSON.
func (r *rows) columns() []byte {
	types := r.types
	if !r.parametric {
		types = make([]typ, len(r.types))
		for i := range types {
			types[i] = r.types[i].legacy()
		}
	}
	return columnsJSON(r.names, types)
}

func (r *rows) append(b []byte, batch arrow.RecordBatch, i int) (_ []byte, err error) {
	b = append(b, '[')
	for c, values := range batch.Columns() {
		if c > 0 {
			b = append(b, ',')
		}
		if b, err = r.value(b, &r.types[c], values, i); err != nil {
			return b, err
		}
	}
	if len(b) > pageBytes+rowBytesMax {
		return b, errRow()
	}
	return append(b, ']'), nil
}

func errRow() error {
	return fault.Newf(fault.TooLarge, "ask for less in a row, or in parts", "a row has more than %d MiB", rowBytesMax>>20)
}

// value writes one value. Trino's clients read numbers of JSON, and texts of what JSON has no number for.
func (r *rows) value(b []byte, t *typ, a arrow.Array, i int) ([]byte, error) {
	if a.IsNull(i) {
		return append(b, "null"...), nil
	}
	if len(b) > pageBytes+rowBytesMax {
		return b, errRow()
	}
	switch a := a.(type) {
	case *array.Decimal128:
		if t.raw == "bigint" {
			return appendBigint(b, a.Value(i).BigInt())
		}
	case *array.Float64:
		return appendDouble(b, a.Value(i), 64), nil
	case *array.Float32:
		return appendDouble(b, float64(a.Value(i)), 32), nil
	case *array.Uint64:
		return append(strconv.AppendUint(append(b, '"'), a.Value(i), 10), '"'), nil
	case *array.Date32:
		return appendDate(b, a.Value(i))
	case *array.Timestamp:
		return r.timestamp(b, a, i)
	case *array.Time64:
		return r.clock(b, a, i)
	case *array.MonthDayNanoInterval:
		return appendInterval(b, t.raw, a.Value(i))
	case *array.Map:
		return r.mapping(b, t, a, i)
	case array.ListLike:
		return r.list(b, t, a, i)
	case *array.Struct:
		if t.raw == "row" {
			return r.row(b, t, a, i)
		}
	}
	start := len(b)
	if b = cell.AppendJSON(b, a, i); t.raw == "varchar" && b[start] != '"' && string(b[start:]) != "null" { // a number of a union
		b = append(b[:start], cell.AppendQuoted(nil, string(b[start:]))...)
	}
	return b, nil
}

func outOfRange(format string, args ...any) error {
	return failure{"NUMERIC_VALUE_OUT_OF_RANGE", fault.Newf(fault.Invalid, "cast it to a wider type, or to text", format, args...)}
}

func appendBigint(b []byte, v *big.Int) ([]byte, error) {
	if !v.IsInt64() {
		return b, outOfRange("the value %s is too large for a bigint", v)
	}
	return strconv.AppendInt(b, v.Int64(), 10), nil
}

// appendDouble writes a double or a real as Java does: it is never taken for a whole number.
func appendDouble(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 0):
		if v < 0 {
			return append(b, `"-Infinity"`...)
		}
		return append(b, `"Infinity"`...)
	case v == 0 || math.Abs(v) >= 1e-3 && math.Abs(v) < 1e7:
		start := len(b)
		if b = strconv.AppendFloat(b, v, 'f', -1, bits); !bytes.ContainsRune(b[start:], '.') {
			b = append(b, ".0"...)
		}
		return b
	}
	digits, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, bits), "e")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	n, _ := strconv.Atoi(power)
	return strconv.AppendInt(append(append(b, digits...), 'E'), int64(n), 10)
}

// appendDay writes a day as java.time does: the year has a sign where it has not four digits.
func appendDay(b []byte, t time.Time) []byte {
	year := t.Year()
	switch {
	case year > 9999:
		b = append(b, '+')
	case year < 0:
		b, year = append(b, '-'), -year
	}
	return fmt.Appendf(b, "%04d-%02d-%02d", year, t.Month(), t.Day())
}

func appendDate(b []byte, v arrow.Date32) ([]byte, error) {
	if v == math.MaxInt32 || v == -math.MaxInt32 {
		return b, outOfRange("an infinite date has no value here")
	}
	return append(appendDay(append(b, '"'), v.ToTime()), '"'), nil
}

func (r *rows) timestamp(b []byte, a *array.Timestamp, i int) ([]byte, error) {
	v, t := int64(a.Value(i)), a.DataType().(*arrow.TimestampType)
	if v == math.MaxInt64 || v == -math.MaxInt64 {
		return b, outOfRange("an infinite timestamp has no value here")
	}
	var at time.Time
	digits := 6
	switch t.Unit {
	case arrow.Second:
		at, digits = time.Unix(v, 0), 0
	case arrow.Millisecond:
		at, digits = time.UnixMilli(v), 3
	case arrow.Microsecond:
		at = time.UnixMicro(v)
	case arrow.Nanosecond:
		at, digits = time.Unix(0, v), 9
	}
	at = at.UTC()
	b = append(appendDay(append(b, '"'), at), ' ')
	b = r.time(b, at, digits)
	if t.TimeZone != "" {
		b = append(b, " UTC"...)
	}
	return append(b, '"'), nil
}

// time writes the time of a day, with as many digits as its type has.
func (r *rows) time(b []byte, at time.Time, digits int) []byte {
	if !r.parametric {
		digits = 3
	}
	b = at.AppendFormat(b, "15:04:05")
	if digits == 0 {
		return b
	}
	return append(append(b, '.'), pad(at.Nanosecond(), 9)[:digits]...)
}

func (r *rows) clock(b []byte, a *array.Time64, i int) ([]byte, error) {
	unit := a.DataType().(*arrow.Time64Type).Unit
	nanos, digits := int64(a.Value(i)), 9
	if unit == arrow.Microsecond {
		nanos, digits = nanos*1000, 6
	}
	if nanos >= int64(24*time.Hour) {
		return b, outOfRange("a time of day ends before 24:00 here")
	}
	return append(r.time(append(b, '"'), time.Unix(0, nanos).UTC(), digits), '"'), nil
}

// appendInterval writes 1-2 for a year and two months, 1 02:03:04.500 for a day and some hours. One that is both is none
// of Trino's.
func appendInterval(b []byte, kind string, v arrow.MonthDayNanoInterval) ([]byte, error) {
	months := kind == "interval year to month"
	if months && (v.Days != 0 || v.Nanoseconds != 0) || !months && v.Months != 0 {
		return b, unsupported("cast it to varchar", "an interval of months and days is none that Trino's types have")
	}
	b = append(b, '"')
	if months {
		if v.Months < 0 {
			b = append(b, '-')
		}
		n := v.Months
		n = max(n, -n)
		return fmt.Appendf(b, "%d-%d\"", n/12, n%12), nil
	}
	ms := new(big.Int).Add(new(big.Int).Mul(big.NewInt(int64(v.Days)), big.NewInt(86_400_000)), big.NewInt(v.Nanoseconds/1_000_000))
	if !ms.IsInt64() {
		return b, outOfRange("the interval is too long")
	}
	n := ms.Int64()
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	return fmt.Appendf(b, "%d %02d:%02d:%02d.%03d\"", n/86_400_000, n/3_600_000%24, n/60_000%60, n/1000%60, n%1000), nil
}

// inner is the type of a part; what DuckDB has as parts and Trino as text has none.
func (t *typ) inner(i int) *typ {
	if i < len(t.of) {
		return &t.of[i]
	}
	return &typ{raw: "varchar"}
}

func (r *rows) list(b []byte, t *typ, a array.ListLike, i int) (_ []byte, err error) {
	start, end := a.ValueOffsets(i)
	b = append(b, '[')
	for j := start; j < end; j++ {
		if j > start {
			b = append(b, ',')
		}
		if b, err = r.value(b, t.inner(0), a.ListValues(), int(j)); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func (r *rows) row(b []byte, t *typ, a *array.Struct, i int) (_ []byte, err error) {
	b = append(b, '[')
	for f := range a.NumField() {
		if f > 0 {
			b = append(b, ',')
		}
		if b, err = r.value(b, t.inner(f), a.Field(f), i); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// mapping writes an object: its keys are texts, of whatever type they are.
func (r *rows) mapping(b []byte, t *typ, a *array.Map, i int) ([]byte, error) {
	start, end := a.ValueOffsets(i)
	b = append(b, '{')
	for j := start; j < end; j++ {
		if j > start {
			b = append(b, ',')
		}
		key, err := r.value(nil, t.inner(0), a.Keys(), int(j))
		if err != nil {
			return b, err
		}
		if len(key) == 0 || key[0] != '"' {
			key = cell.AppendQuoted(nil, string(key))
		}
		b = append(append(b, key...), ':')
		if b, err = r.value(b, t.inner(1), a.Items(), int(j)); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}
