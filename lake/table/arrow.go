package table

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"tarn/embedded/record"
)

// FieldIDKey is the Arrow field metadata that carries a column's Iceberg id, as
// Parquet libraries spell it.
const FieldIDKey = "PARQUET:field_id"

// ArrowSchema is the one Arrow shape of a table's rows: whoever builds batches for
// Commit builds them with this schema. A column whose type record.Type does not know,
// which only a foreign writer can have made, is Arrow's null type: such a column can be
// left empty and nothing else.
func ArrowSchema(cols []Column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Type: ArrowType(c.Type), Nullable: !c.Required}
		if c.ID > 0 {
			fields[i].Metadata = arrow.NewMetadata([]string{FieldIDKey}, []string{strconv.Itoa(c.ID)})
		}
	}
	return arrow.NewSchema(fields, nil)
}

// ArrowType is a column type in Arrow: times in microseconds, instants in UTC, arrow.Null
// for a type that is none of record's.
func ArrowType(t record.Type) arrow.DataType {
	switch t {
	case record.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case record.Int:
		return arrow.PrimitiveTypes.Int32
	case record.Long:
		return arrow.PrimitiveTypes.Int64
	case record.Float:
		return arrow.PrimitiveTypes.Float32
	case record.Double:
		return arrow.PrimitiveTypes.Float64
	case record.Date:
		return arrow.FixedWidthTypes.Date32
	case record.Time:
		return arrow.FixedWidthTypes.Time64us
	case record.Timestamp:
		return &arrow.TimestampType{Unit: arrow.Microsecond}
	case record.TimestampTZ:
		return arrow.FixedWidthTypes.Timestamp_us
	case record.String:
		return arrow.BinaryTypes.String
	case record.Binary:
		return arrow.BinaryTypes.Binary
	case record.UUID:
		return extensions.NewUUIDType()
	}
	if precision, scale, ok := Decimal(t); ok {
		return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)} //nolint:gosec // at most 38
	}
	return arrow.Null
}

// decimalDigitsMax is Iceberg's and Arrow's limit for a 128-bit decimal.
const decimalDigitsMax = 38

// Decimal reads precision and scale of "decimal(p,s)".
func Decimal(t record.Type) (precision, scale int, ok bool) {
	inner, isDecimal := strings.CutPrefix(string(t), "decimal(")
	inner, closed := strings.CutSuffix(inner, ")")
	p, s, two := strings.Cut(inner, ",")
	if !isDecimal || !closed || !two {
		return 0, 0, false
	}
	precision, err := strconv.Atoi(strings.TrimSpace(p))
	if err != nil || precision < 1 || precision > decimalDigitsMax {
		return 0, 0, false
	}
	scale, err = strconv.Atoi(strings.TrimSpace(s))
	if err != nil || scale < 0 || scale > precision {
		return 0, 0, false
	}
	return precision, scale, true
}

// DecimalType renders "decimal(p,s)".
func DecimalType(precision, scale int) record.Type {
	return record.Type(fmt.Sprintf("decimal(%d,%d)", precision, scale))
}

// Wider tells whether a column of type from may become one of type to: Iceberg's
// promotions, and the same type.
func Wider(from, to record.Type) bool {
	if from == to || from == record.Int && to == record.Long || from == record.Float && to == record.Double {
		return true
	}
	p, s, ok := Decimal(from)
	q, r, ok2 := Decimal(to)
	return ok && ok2 && s == r && q >= p
}
