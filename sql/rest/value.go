package rest

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// rows is one batch of an answer.
type rows struct{ arrow.RecordBatch }

// The forms of instants and times: ISO 8601 with as many digits as there are.
const (
	dateForm      = "2006-01-02"
	timeForm      = "15:04:05.999999999"
	timestampForm = "2006-01-02T15:04:05.999999999"
)

// appendValue writes cell i of a column as JSON. Numbers that a double cannot hold exactly
// and that JSON readers spoil (decimals), NaN and infinities are strings; 64-bit integers are
// numbers. This one function is behind every text format.
func appendValue(dst []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(dst, "null"...)
	}
	switch a := a.(type) {
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(i))
	case *array.Float32:
		return appendFloat(dst, float64(a.Value(i)), 32)
	case *array.Float64:
		return appendFloat(dst, a.Value(i), 64)
	case *array.String:
		return appendText(dst, a.Value(i))
	case *array.LargeString:
		return appendText(dst, a.Value(i))
	case *array.StringView:
		return appendText(dst, a.Value(i))
	case *array.Binary:
		return appendBase64(dst, a.Value(i))
	case *array.LargeBinary:
		return appendBase64(dst, a.Value(i))
	case *array.FixedSizeBinary:
		return appendBase64(dst, a.Value(i))
	case *array.Dictionary:
		return appendValue(dst, a.Dictionary(), a.GetValueIndex(i))
	case array.ListLike:
		return appendList(dst, a, i)
	case *array.Struct:
		return appendStruct(dst, a, i)
	}
	if n, ok := integer(a, i); ok {
		return append(dst, n...)
	}
	return appendText(dst, moment(a, i))
}

// integer is the decimal form of an integer cell.
func integer(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case *array.Int8:
		return strconv.FormatInt(int64(a.Value(i)), 10), true
	case *array.Int16:
		return strconv.FormatInt(int64(a.Value(i)), 10), true
	case *array.Int32:
		return strconv.FormatInt(int64(a.Value(i)), 10), true
	case *array.Int64:
		return strconv.FormatInt(a.Value(i), 10), true
	case *array.Uint8:
		return strconv.FormatUint(uint64(a.Value(i)), 10), true
	case *array.Uint16:
		return strconv.FormatUint(uint64(a.Value(i)), 10), true
	case *array.Uint32:
		return strconv.FormatUint(uint64(a.Value(i)), 10), true
	case *array.Uint64:
		return strconv.FormatUint(a.Value(i), 10), true
	}
	return "", false
}

// moment is the text of a time, and of any type that has no case of its own: decimals,
// intervals, UUIDs.
func moment(a arrow.Array, i int) string {
	switch a := a.(type) {
	case *array.Date32:
		return a.Value(i).ToTime().Format(dateForm)
	case *array.Time32:
		return a.Value(i).ToTime(a.DataType().(*arrow.Time32Type).Unit).Format(timeForm)
	case *array.Time64:
		return a.Value(i).ToTime(a.DataType().(*arrow.Time64Type).Unit).Format(timeForm)
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		at := a.Value(i).ToTime(t.Unit).UTC()
		if t.TimeZone != "" {
			return at.Format(time.RFC3339Nano)
		}
		return at.Format(timestampForm)
	}
	return a.ValueStr(i)
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	form := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, form, -1, bits)
	if form == 'f' && !strings.ContainsAny(string(dst[at:]), ".") {
		dst = append(dst, ".0"...) // a reader tells a double from an integer by it
	}
	return dst
}

func appendBase64(dst, value []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, value)
	return append(dst, '"')
}

func appendList(dst []byte, a array.ListLike, i int) []byte {
	from, to := a.ValueOffsets(i)
	values := a.ListValues()
	if m, ok := a.(*array.Map); ok {
		return appendMap(dst, m, from, to)
	}
	dst = append(dst, '[')
	for j := from; j < to; j++ {
		if j > from {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, values, int(j))
	}
	return append(dst, ']')
}

// appendMap writes a map as an object when its keys are text, else as pairs.
func appendMap(dst []byte, m *array.Map, from, to int64) []byte {
	_, text := m.Keys().(*array.String)
	brackets := "[]"
	if text {
		brackets = "{}"
	}
	dst = append(dst, brackets[0])
	for j := from; j < to; j++ {
		if j > from {
			dst = append(dst, ',')
		}
		if !text {
			dst = append(dst, '[')
		}
		dst = appendValue(dst, m.Keys(), int(j))
		if text {
			dst = append(dst, ':')
		} else {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, m.Items(), int(j))
		if !text {
			dst = append(dst, ']')
		}
	}
	return append(dst, brackets[1])
}

func appendStruct(dst []byte, a *array.Struct, i int) []byte {
	fields := a.DataType().(*arrow.StructType).Fields()
	dst = append(dst, '{')
	for f := range fields {
		if f > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, fields[f].Name)
		dst = append(dst, ':')
		dst = appendValue(dst, a.Field(f), i)
	}
	return append(dst, '}')
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string. Bytes that are no UTF-8 become the replacement
// character; DuckDB's text is always UTF-8.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		case r == 0x2028 || r == 0x2029: // line ends for some readers of JSON lines
			dst = append(dst, '\\', 'u', '2', '0', '2', hexDigits[r&15])
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

// typeName is a column's type in SQL's words.
func typeName(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.TimestampType:
		if t.TimeZone != "" {
			return "TIMESTAMP WITH TIME ZONE"
		}
		return "TIMESTAMP"
	case arrow.DecimalType:
		if t.GetPrecision() == 38 && t.GetScale() == 0 {
			return "HUGEINT"
		}
		return "DECIMAL(" + strconv.Itoa(int(t.GetPrecision())) + "," + strconv.Itoa(int(t.GetScale())) + ")"
	case *arrow.MapType:
		return "MAP(" + typeName(t.KeyType()) + ", " + typeName(t.ItemType()) + ")"
	case arrow.ListLikeType:
		return typeName(t.Elem()) + "[]"
	case *arrow.StructType:
		parts := make([]string, t.NumFields())
		for i, f := range t.Fields() {
			parts[i] = f.Name + " " + typeName(f.Type)
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")"
	case *arrow.DictionaryType:
		return typeName(t.ValueType)
	case arrow.ExtensionType:
		return strings.ToUpper(strings.TrimPrefix(t.ExtensionName(), "arrow."))
	}
	if name, ok := plainTypes[t.ID()]; ok {
		return name
	}
	return strings.ToUpper(t.Name())
}

var plainTypes = map[arrow.Type]string{
	arrow.NULL: "NULL", arrow.BOOL: "BOOLEAN", arrow.INT8: "TINYINT", arrow.INT16: "SMALLINT", arrow.INT32: "INTEGER",
	arrow.INT64: "BIGINT", arrow.UINT8: "UTINYINT", arrow.UINT16: "USMALLINT", arrow.UINT32: "UINTEGER", arrow.UINT64: "UBIGINT",
	arrow.FLOAT32: "FLOAT", arrow.FLOAT64: "DOUBLE", arrow.STRING: "VARCHAR", arrow.LARGE_STRING: "VARCHAR",
	arrow.STRING_VIEW: "VARCHAR", arrow.BINARY: "BLOB", arrow.LARGE_BINARY: "BLOB", arrow.BINARY_VIEW: "BLOB",
	arrow.DATE32: "DATE", arrow.TIME32: "TIME", arrow.TIME64: "TIME", arrow.INTERVAL_MONTH_DAY_NANO: "INTERVAL",
	arrow.FIXED_SIZE_BINARY: "BLOB",
}
