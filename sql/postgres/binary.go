//go:build duckdb_arrow

package postgres

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"tarn/sql/cell"
)

// From 1970, where Arrow counts from, to 2000, where PostgreSQL does.
const (
	epochDays   = 10957
	epochMicros = epochDays * 24 * 60 * 60 * 1e6
)

// appendBinary writes a cell that is not null in PostgreSQL's binary form of its type.
func appendBinary(b []byte, k *kind, a arrow.Array, i int) []byte {
	switch k.oid {
	case pgtype.BoolOID:
		if v, ok := a.(*array.Boolean); ok && v.Value(i) {
			return append(b, 1)
		}
		return append(b, 0)
	case pgtype.Int2OID:
		return binary.BigEndian.AppendUint16(b, uint16(integer(a, i))) //nolint:gosec // two's complement
	case pgtype.Int4OID, pgtype.OIDOID:
		return binary.BigEndian.AppendUint32(b, uint32(integer(a, i))) //nolint:gosec // two's complement
	case pgtype.Int8OID:
		return binary.BigEndian.AppendUint64(b, uint64(integer(a, i))) //nolint:gosec // two's complement
	case pgtype.Float4OID:
		return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(float(a, i))))
	case pgtype.Float8OID:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(float(a, i)))
	case pgtype.NumericOID:
		return appendNumeric(b, string(appendText(nil, k, a, i)))
	case pgtype.JSONBOID:
		return appendText(append(b, jsonbVersion), k, a, i)
	case pgtype.ByteaOID:
		return append(b, bytesOf(a, i)...)
	case pgtype.DateOID:
		return appendDate(b, a, i)
	case pgtype.TimeOID:
		return binary.BigEndian.AppendUint64(b, uint64(clock(a, i))) //nolint:gosec // within a day
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		micros := int64(0)
		if t, ok := a.(*array.Timestamp); ok {
			micros = microsOf(t.Value(i), t.DataType().(*arrow.TimestampType).Unit)
		}
		if micros != math.MaxInt64 && micros != math.MinInt64 {
			micros -= epochMicros
		}
		return binary.BigEndian.AppendUint64(b, uint64(micros)) //nolint:gosec // two's complement
	case pgtype.IntervalOID:
		var v arrow.MonthDayNanoInterval
		if t, ok := a.(*array.MonthDayNanoInterval); ok {
			v = t.Value(i)
		}
		b = binary.BigEndian.AppendUint64(b, uint64(v.Nanoseconds/1000)) //nolint:gosec // two's complement
		b = binary.BigEndian.AppendUint32(b, uint32(v.Days))             //nolint:gosec // two's complement
		return binary.BigEndian.AppendUint32(b, uint32(v.Months))        //nolint:gosec // two's complement
	case pgtype.UUIDOID:
		return append(b, uuidOf(a, i)...)
	}
	if list, ok := a.(array.ListLike); ok && k.item != nil {
		return appendBinaryArray(b, k, list, i)
	}
	return appendText(b, k, a, i)
}

// uuidOf are the sixteen bytes of a UUID, which DuckDB gives to Arrow as a text.
func uuidOf(a arrow.Array, i int) []byte {
	text, _ := cell.Append(nil, a, i)
	id, err := uuid.ParseBytes(text)
	if err != nil { // never of what DuckDB calls one
		return make([]byte, len(id))
	}
	return id[:]
}

func float(a arrow.Array, i int) float64 {
	switch a := a.(type) {
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	}
	return 0
}

func integer(a arrow.Array, i int) int64 {
	switch a := a.(type) {
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Uint8:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Uint16:
		return int64(a.Value(i))
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Uint32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	}
	return 0
}

func bytesOf(a arrow.Array, i int) []byte {
	switch a := a.(type) {
	case *array.Binary:
		return a.Value(i)
	case *array.LargeBinary:
		return a.Value(i)
	case *array.BinaryView:
		return a.Value(i)
	}
	return nil
}

func appendDate(b []byte, a arrow.Array, i int) []byte {
	days := int32(0)
	switch a := a.(type) {
	case *array.Date32:
		days = int32(a.Value(i))
	case *array.Date64:
		days = int32(int64(a.Value(i)) / (24 * 60 * 60 * 1000)) //nolint:gosec // of a date
	}
	switch days {
	case math.MaxInt32:
	case -math.MaxInt32, math.MinInt32:
		days = math.MinInt32
	default:
		days -= epochDays
	}
	return binary.BigEndian.AppendUint32(b, uint32(days)) //nolint:gosec // two's complement
}

func clock(a arrow.Array, i int) int64 {
	switch a := a.(type) {
	case *array.Time64:
		if a.DataType().(*arrow.Time64Type).Unit == arrow.Nanosecond {
			return int64(a.Value(i)) / 1000
		}
		return int64(a.Value(i))
	case *array.Time32:
		if a.DataType().(*arrow.Time32Type).Unit == arrow.Second {
			return int64(a.Value(i)) * 1e6
		}
		return int64(a.Value(i)) * 1e3
	}
	return 0
}

// appendNumeric writes the text of a number as digits to the base 10000 (src/backend/utils/adt/numeric.c).
func appendNumeric(b []byte, text string) []byte {
	sign := uint16(0)
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		sign, text = 0x4000, rest
	}
	whole, fraction, _ := strings.Cut(text, ".")
	scale := len(fraction)
	whole = strings.Repeat("0", (4-len(whole)%4)%4) + whole
	fraction += strings.Repeat("0", (4-len(fraction)%4)%4)
	weight := len(whole)/4 - 1
	all := whole + fraction
	digits := make([]uint16, 0, len(all)/4)
	for ; len(all) >= 4; all = all[4:] {
		digits = append(digits, uint16(all[0]-'0')*1000+uint16(all[1]-'0')*100+uint16(all[2]-'0')*10+uint16(all[3]-'0'))
	}
	for len(digits) > 0 && digits[0] == 0 {
		digits, weight = digits[1:], weight-1
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		weight, sign = 0, 0
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(digits))) //nolint:gosec // 39 digits at most
	b = binary.BigEndian.AppendUint16(b, uint16(weight))      //nolint:gosec // two's complement
	b = binary.BigEndian.AppendUint16(b, sign)
	b = binary.BigEndian.AppendUint16(b, uint16(scale)) //nolint:gosec // 38 at most
	for _, d := range digits {
		b = binary.BigEndian.AppendUint16(b, d)
	}
	return b
}

// appendBinaryArray writes an array of one dimension.
func appendBinaryArray(b []byte, k *kind, a array.ListLike, i int) []byte {
	start, end := a.ValueOffsets(i)
	items := a.ListValues()
	holes := uint32(0)
	for j := start; j < end; j++ {
		if items.IsNull(int(j)) {
			holes = 1
		}
	}
	dimensions := uint32(1)
	if end == start {
		dimensions = 0
	}
	b = binary.BigEndian.AppendUint32(b, dimensions)
	b = binary.BigEndian.AppendUint32(b, holes)
	b = binary.BigEndian.AppendUint32(b, k.item.oid)
	if dimensions == 0 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(end-start)) //nolint:gosec // of a list
	b = binary.BigEndian.AppendUint32(b, 1)
	for j := start; j < end; j++ {
		if items.IsNull(int(j)) {
			b = binary.BigEndian.AppendUint32(b, math.MaxUint32)
			continue
		}
		at := len(b)
		b = appendBinary(append(b, 0, 0, 0, 0), k.item, items, int(j))
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4)) //nolint:gosec // of a value
	}
	return b
}
