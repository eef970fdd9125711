package landing

import (
	"bytes"
	"math"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/embedded/record/jsonscan"
	"tarn/lake/table"
)

// normal turns a cell into the one form that a column type has: IntKind for integers,
// dates and times, FloatKind, TextKind, BytesKind, BoolKind; decimals stay text. It is
// false for a cell that the type cannot hold without being altered. Null and Missing pass.
func normal(t record.Type, v record.Value) (record.Value, bool) {
	if v.Kind == record.Null || v.Kind == record.Missing {
		return v, true
	}
	switch t {
	case record.Boolean:
		return v, v.Kind == record.BoolKind
	case record.Int, record.Date:
		if t == record.Date && v.Kind == record.TextKind {
			days, ok := jsonscan.Date(v.B)
			return integer(days), ok
		}
		return v, v.Kind == record.IntKind && v.I >= math.MinInt32 && v.I <= math.MaxInt32
	case record.Time: // 24:00:00, which PostgreSQL has, is no time of Iceberg's
		return v, v.Kind == record.IntKind && v.I >= 0 && v.I < jsonscan.DayMicros
	case record.Long, record.Timestamp:
		return v, v.Kind == record.IntKind
	case record.TimestampTZ:
		if v.Kind == record.TextKind {
			micros, ok := instant(v.B)
			return integer(micros), ok
		}
		return v, v.Kind == record.IntKind
	case record.Float:
		f, ok := double(v)
		return f, ok && (math.IsNaN(f.F) || float64(float32(f.F)) == f.F)
	case record.Double:
		return double(v)
	case record.String:
		return v, v.Kind == record.TextKind && utf8.Valid(v.B)
	case record.Binary:
		return v, v.Kind == record.BytesKind
	case record.UUID:
		id, err := uuid.ParseBytes(v.B)
		return record.Value{Kind: record.BytesKind, B: id[:]}, v.Kind == record.TextKind && err == nil
	}
	precision, scale, ok := table.Decimal(t)
	if !ok || v.Kind != record.TextKind {
		return v, false
	}
	_, fits := parseDecimal(v.B, precision, scale)
	return v, fits
}

// double takes an integer too, if a double holds it exactly. Zero has one sign, so that
// equal keys are equal bytes.
func double(v record.Value) (record.Value, bool) {
	switch v.Kind {
	case record.FloatKind:
		return v, true
	case record.IntKind:
		f := float64(v.I)
		return record.Value{Kind: record.FloatKind, F: f}, f < math.MaxInt64 && int64(f) == v.I
	}
	return v, false
}

// instant reads RFC 3339. What is finer than a microsecond is cut off: Tarn's own letters tell nanoseconds.
func instant(text []byte) (micros int64, ok bool) {
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return at.UnixMicro(), err == nil
}

// parseDecimal reads a decimal that fits without rounding: no exponent, and no digit, not
// even a zero, behind the last that the column has.
func parseDecimal(text []byte, precision, scale int) (decimal128.Num, bool) {
	if point := bytes.IndexByte(text, '.'); point >= 0 && len(text)-point-1 > scale || bytes.ContainsAny(text, "eE") {
		return decimal128.Num{}, false
	}
	return jsonscan.Decimal(text, precision, scale)
}

// put appends a cell that normal gave for the builder's column type.
func put(b array.Builder, v record.Value) {
	if v.Kind == record.Null || v.Kind == record.Missing {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		b.Append(v.I)
	case *array.StringBuilder:
		b.BinaryBuilder.Append(v.B)
	case *array.Float64Builder:
		b.Append(v.F)
	case *array.BinaryBuilder:
		b.Append(v.B)
	case *array.BooleanBuilder:
		b.Append(v.I != 0)
	case *array.Int32Builder:
		b.Append(int32(v.I)) //nolint:gosec // normal checked the range
	case *array.Float32Builder:
		b.Append(float32(v.F))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.I)) //nolint:gosec // normal checked the range
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.I))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.I))
	case *extensions.UUIDBuilder:
		b.Append(uuid.UUID(v.B))
	case *array.Decimal128Builder:
		t := b.Type().(*arrow.Decimal128Type)
		n, _ := parseDecimal(v.B, int(t.Precision), int(t.Scale))
		b.Append(n)
	default:
		b.AppendNull()
	}
}

// widens tells whether a column of type from may become type to (Iceberg's promotions).
func widens(from, to record.Type) bool {
	switch {
	case from == record.Int && to == record.Long, from == record.Float && to == record.Double:
		return true
	}
	p, s, ok := table.Decimal(from)
	wider, same, ok2 := table.Decimal(to)
	return ok && ok2 && s == same && wider > p
}
