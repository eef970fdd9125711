// Package cell writes the cells of an answer as text, and names their types in SQL's words.
package cell

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Form is how a cell stands in a text format.
type Form uint8

// The forms.
const (
	Null Form = iota
	Bare      // a number, true, false, or nested JSON
	Word      // text, which JSON quotes
)

// Append writes one cell as every text format has it: integers and finite floats bare,
// nested values as JSON, all else as text. Numbers that a JSON reader would round (DECIMAL,
// HUGEINT) or cannot read (NaN, infinities) are text; times are ISO 8601; BLOB is base64.
func Append(b []byte, a arrow.Array, i int) ([]byte, Form) {
	if a.IsNull(i) {
		return b, Null
	}
	switch a := a.(type) {
	case *array.Boolean:
		return strconv.AppendBool(b, a.Value(i)), Bare
	case *array.Int64:
		return strconv.AppendInt(b, a.Value(i), 10), Bare
	case *array.Int32:
		return strconv.AppendInt(b, int64(a.Value(i)), 10), Bare
	case *array.Int16:
		return strconv.AppendInt(b, int64(a.Value(i)), 10), Bare
	case *array.Int8:
		return strconv.AppendInt(b, int64(a.Value(i)), 10), Bare
	case *array.Uint64:
		return strconv.AppendUint(b, a.Value(i), 10), Bare
	case *array.Uint32:
		return strconv.AppendUint(b, uint64(a.Value(i)), 10), Bare
	case *array.Uint16:
		return strconv.AppendUint(b, uint64(a.Value(i)), 10), Bare
	case *array.Uint8:
		return strconv.AppendUint(b, uint64(a.Value(i)), 10), Bare
	case *array.Float64:
		return appendFloat(b, a.Value(i), 64)
	case *array.Float32:
		return appendFloat(b, float64(a.Value(i)), 32)
	case *array.String:
		return append(b, a.Value(i)...), Word
	case *array.LargeString:
		return append(b, a.Value(i)...), Word
	case *array.StringView:
		return append(b, a.Value(i)...), Word
	case *array.Binary:
		return base64.StdEncoding.AppendEncode(b, a.Value(i)), Word
	case *array.LargeBinary:
		return base64.StdEncoding.AppendEncode(b, a.Value(i)), Word
	case *array.BinaryView:
		return base64.StdEncoding.AppendEncode(b, a.Value(i)), Word
	}
	return appendRarer(b, a, i)
}

func appendRarer(b []byte, a arrow.Array, i int) ([]byte, Form) {
	switch a := a.(type) {
	case *array.Null: // whose IsNull says no
		return b, Null
	case *array.Decimal128: // ValueStr would drop zeros at the end: 1.50 is no 1.5 to who reads scales
		return append(b, a.Value(i).ToString(a.DataType().(arrow.DecimalType).GetScale())...), Word
	case *array.Decimal256:
		return append(b, a.Value(i).ToString(a.DataType().(arrow.DecimalType).GetScale())...), Word
	case *array.Timestamp, *array.Date32, *array.Date64, *array.Time64, *array.Time32:
		return appendTime(b, a, i), Word
	case *array.MonthDayNanoInterval:
		return appendInterval(b, a.Value(i)), Word
	case *array.FixedSizeBinary:
		return base64.StdEncoding.AppendEncode(b, a.Value(i)), Word
	case *array.Dictionary:
		return Append(b, a.Dictionary(), a.GetValueIndex(i))
	case array.ExtensionArray:
		return appendExtension(b, a, i)
	case *array.Map:
		return appendMap(b, a, i), Bare
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		b = append(b, '[')
		for j := start; j < end; j++ {
			if j > start {
				b = append(b, ',')
			}
			b = AppendJSON(b, a.ListValues(), int(j))
		}
		return append(b, ']'), Bare
	case *array.Struct:
		return appendStruct(b, a, i), Bare
	case *array.SparseUnion:
		return Append(b, a.Field(a.ChildID(i)), i)
	case *array.DenseUnion:
		return Append(b, a.Field(a.ChildID(i)), int(a.ValueOffset(i)))
	}
	return append(b, a.ValueStr(i)...), Word
}

// AppendJSON writes one cell as JSON.
func AppendJSON(b []byte, a arrow.Array, i int) []byte {
	start := len(b)
	b, f := Append(b, a, i)
	switch f {
	case Null:
		return append(b, "null"...)
	case Word:
		quoted := AppendQuoted(nil, string(b[start:]))
		return append(b[:start], quoted...)
	}
	return b
}

// AppendQuoted writes a JSON string; what is no UTF-8 becomes the replacement character.
func AppendQuoted(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(b, '"'), s...), '"')
	}
	var q bytes.Buffer
	out := json.NewEncoder(&q)
	out.SetEscapeHTML(false)              // this is no page
	if err := out.Encode(s); err != nil { // never for a string
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(q.Bytes(), []byte("\n"))...)
}

func appendFloat(b []byte, v float64, bits int) ([]byte, Form) {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...), Word
	case math.IsInf(v, 1):
		return append(b, "Infinity"...), Word
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...), Word
	}
	return strconv.AppendFloat(b, v, 'g', -1, bits), Bare
}

const (
	dateFormat  = "2006-01-02"
	clockFormat = "15:04:05.999999999"
	dayMicros   = 24 * 60 * 60 * 1_000_000
)

func appendTime(b []byte, a arrow.Array, i int) []byte {
	switch a := a.(type) {
	case *array.Date32:
		switch v := a.Value(i); v {
		case math.MaxInt32:
			return append(b, "infinity"...)
		case -math.MaxInt32:
			return append(b, "-infinity"...)
		default:
			return v.ToTime().AppendFormat(b, dateFormat)
		}
	case *array.Date64:
		return a.Value(i).ToTime().AppendFormat(b, dateFormat)
	case *array.Time64:
		if a.Value(i) == dayMicros && a.DataType().(*arrow.Time64Type).Unit == arrow.Microsecond {
			return append(b, "24:00:00"...) // a time of day that DuckDB has and Go has not
		}
		return a.Value(i).ToTime(a.DataType().(*arrow.Time64Type).Unit).AppendFormat(b, clockFormat)
	case *array.Time32:
		return a.Value(i).ToTime(a.DataType().(*arrow.Time32Type).Unit).AppendFormat(b, clockFormat)
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		switch v := a.Value(i); v {
		case math.MaxInt64:
			return append(b, "infinity"...)
		case -math.MaxInt64:
			return append(b, "-infinity"...)
		default:
			b = instant(v, t.Unit).AppendFormat(b, dateFormat+"T"+clockFormat)
		}
		if t.TimeZone != "" {
			b = append(b, 'Z')
		}
	}
	return b
}

// instant is ToTime over the whole range of DuckDB's timestamps.
func instant(v arrow.Timestamp, unit arrow.TimeUnit) time.Time {
	switch unit {
	case arrow.Second:
		return time.Unix(int64(v), 0).UTC()
	case arrow.Millisecond:
		return time.UnixMilli(int64(v)).UTC()
	case arrow.Microsecond:
		return time.UnixMicro(int64(v)).UTC()
	}
	return time.Unix(0, int64(v)).UTC()
}

// appendInterval writes ISO 8601: P1M2DT3.5S.
func appendInterval(b []byte, v arrow.MonthDayNanoInterval) []byte {
	if v == (arrow.MonthDayNanoInterval{}) {
		return append(b, "PT0S"...)
	}
	b = append(b, 'P')
	if v.Months != 0 {
		b = append(strconv.AppendInt(b, int64(v.Months), 10), 'M')
	}
	if v.Days != 0 {
		b = append(strconv.AppendInt(b, int64(v.Days), 10), 'D')
	}
	if v.Nanoseconds != 0 {
		sign := ""
		whole, rest := v.Nanoseconds/1e9, v.Nanoseconds%1e9
		if v.Nanoseconds < 0 {
			sign, whole, rest = "-", -whole, -rest
		}
		b = fmt.Appendf(b, "T%s%d", sign, whole)
		if rest != 0 {
			digits := fmt.Sprintf("%09d", rest)
			for digits[len(digits)-1] == '0' {
				digits = digits[:len(digits)-1]
			}
			b = append(append(b, '.'), digits...)
		}
		b = append(b, 'S')
	}
	return b
}

func appendExtension(b []byte, a array.ExtensionArray, i int) ([]byte, Form) {
	storage := a.Storage()
	if bytes, ok := storage.(*array.FixedSizeBinary); ok && a.ExtensionType().ExtensionName() == "arrow.uuid" {
		v := bytes.Value(i)
		h := hex.EncodeToString(v)
		return append(b, h[:8]+"-"+h[8:12]+"-"+h[12:16]+"-"+h[16:20]+"-"+h[20:]...), Word
	}
	return Append(b, storage, i)
}

func appendStruct(b []byte, a *array.Struct, i int) []byte {
	t := a.DataType().(*arrow.StructType)
	b = append(b, '{')
	for f := range a.NumField() {
		if f > 0 {
			b = append(b, ',')
		}
		b = append(AppendQuoted(b, t.Field(f).Name), ':')
		b = AppendJSON(b, a.Field(f), i)
	}
	return append(b, '}')
}

// appendMap writes an object; keys of other types than text are written as text.
func appendMap(b []byte, a *array.Map, i int) []byte {
	start, end := a.ValueOffsets(i)
	b = append(b, '{')
	for j := start; j < end; j++ {
		if j > start {
			b = append(b, ',')
		}
		key, _ := Append(nil, a.Keys(), int(j))
		b = append(AppendQuoted(b, string(key)), ':')
		b = AppendJSON(b, a.Items(), int(j))
	}
	return append(b, '}')
}
