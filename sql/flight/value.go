//go:build duckdb_arrow

package flight

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/sql/cell"
)

// valueOf is the first value of a column, as a text that DuckDB casts to the type of that name; "" for a text, which is cast to what
// the statement wants, and nil for null.
func valueOf(column arrow.Array) (name string, value *string, err error) {
	name, err = typeOf(column.DataType())
	if err != nil {
		return "", nil, err
	}
	if name == "VARCHAR" || name == `"NULL"` {
		name = ""
	}
	if isNull(column, 0) {
		return name, nil, nil
	}
	b, err := appendValue(nil, column, 0, false)
	text := string(b)
	return name, &text, err
}

// isNull knows that all of a column of nulls are null, which Arrow's IsNull does not.
func isNull(a arrow.Array, i int) bool { return a.DataType().ID() == arrow.NULL || a.IsNull(i) }

// typeOf is DuckDB's name of an Arrow type, in which each of its values is kept.
func typeOf(t arrow.DataType) (string, error) {
	switch t := t.(type) {
	case *arrow.TimestampType:
		switch {
		case t.TimeZone != "":
			return "TIMESTAMP WITH TIME ZONE", nil
		case t.Unit == arrow.Nanosecond:
			return "TIMESTAMP_NS", nil
		}
		return "TIMESTAMP", nil
	case arrow.DecimalType:
		if t.GetPrecision() > 38 {
			return "", errValue(t, "send it as decimal(38) or as text")
		}
		if t.GetPrecision() == 38 && t.GetScale() == 0 {
			return "HUGEINT", nil // which has values of 39 digits
		}
		return fmt.Sprintf("NUMERIC(%d,%d)", t.GetPrecision(), max(0, t.GetScale())), nil // which engine.Arguments leaves as it is
	case *arrow.DictionaryType:
		return typeOf(t.ValueType)
	case *arrow.MapType:
		key, err := typeOf(t.KeyType())
		if err != nil {
			return "", err
		}
		item, err := typeOf(t.ItemType())
		return "MAP(" + key + ", " + item + ")", err
	case *arrow.FixedSizeListType:
		item, err := typeOf(t.Elem())
		return fmt.Sprintf("%s[%d]", item, t.Len()), err
	case arrow.ListLikeType:
		item, err := typeOf(t.Elem())
		return item + "[]", err
	case *arrow.StructType:
		parts := make([]string, t.NumFields())
		for i, f := range t.Fields() {
			inner, err := typeOf(f.Type)
			if err != nil {
				return "", err
			}
			parts[i] = duck.Ident(f.Name) + " " + inner
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")", nil
	case *arrow.Float16Type, arrow.UnionType, arrow.EncodedType, *arrow.MonthIntervalType, *arrow.DayTimeIntervalType, *arrow.DurationType:
		return "", errValue(t, "send it as another type")
	}
	if t.ID() == arrow.NULL {
		return `"NULL"`, nil
	}
	return cell.TypeName(arrow.Field{Type: t}), nil
}

func errValue(t arrow.DataType, hint string) error {
	return fault.Newf(fault.Invalid, hint, "Tarn takes no %s", t)
}

// appendValue writes a value as DuckDB reads it from a text; nested, texts are quoted.
func appendValue(b []byte, a arrow.Array, i int, nested bool) ([]byte, error) {
	if isNull(a, i) {
		return append(b, "NULL"...), nil
	}
	switch a := a.(type) {
	case *array.Dictionary:
		return appendValue(b, a.Dictionary(), a.GetValueIndex(i), nested)
	case *array.Map:
		return appendMap(b, a, i)
	case array.ListLike:
		return appendList(b, a, i)
	case *array.Struct:
		return appendStruct(b, a, i)
	}
	text, err := scalar(a, i)
	if err != nil || !nested {
		return append(b, text...), err
	}
	return appendQuoted(b, text), nil
}

func appendQuoted(b []byte, text string) []byte {
	b = append(b, '\'')
	for _, c := range []byte(text) {
		if c == '\'' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '\'')
}

func scalar(a arrow.Array, i int) (string, error) {
	switch a := a.(type) {
	case *array.Binary:
		return blob(a.Value(i)), nil
	case *array.LargeBinary:
		return blob(a.Value(i)), nil
	case *array.BinaryView:
		return blob(a.Value(i)), nil
	case *array.FixedSizeBinary:
		return blob(a.Value(i)), nil
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		if v.Nanoseconds%1000 != 0 {
			return "", errPrecision("an interval")
		}
		return fmt.Sprintf("%d months %d days %d microseconds", v.Months, v.Days, v.Nanoseconds/1000), nil
	case *array.Time64:
		if a.DataType().(*arrow.Time64Type).Unit == arrow.Nanosecond && a.Value(i)%1000 != 0 {
			return "", errPrecision("a time of day")
		}
	case *array.Timestamp:
		t := a.DataType().(*arrow.TimestampType)
		if t.TimeZone != "" && t.Unit == arrow.Nanosecond && a.Value(i)%1000 != 0 {
			return "", errPrecision("a timestamp with a zone")
		}
	case *array.Boolean:
		return strconv.FormatBool(a.Value(i)), nil
	}
	b, _ := cell.Append(nil, a, i)
	return string(b), nil
}

func errPrecision(what string) error {
	return fault.Newf(fault.Invalid, "round it", "%s is kept in microseconds, not finer", what)
}

func blob(v []byte) string {
	var b strings.Builder
	for _, c := range v {
		fmt.Fprintf(&b, `\x%02X`, c)
	}
	return b.String()
}

func appendList(b []byte, a array.ListLike, i int) (_ []byte, err error) {
	start, end := a.ValueOffsets(i)
	b = append(b, '[')
	for j := start; j < end; j++ {
		if j > start {
			b = append(b, ", "...)
		}
		if b, err = appendValue(b, a.ListValues(), int(j), true); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendStruct(b []byte, a *array.Struct, i int) (_ []byte, err error) {
	t := a.DataType().(*arrow.StructType)
	b = append(b, '{')
	for f := range a.NumField() {
		if f > 0 {
			b = append(b, ", "...)
		}
		b = append(appendQuoted(b, t.Field(f).Name), ": "...)
		if b, err = appendValue(b, a.Field(f), i, true); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendMap(b []byte, a *array.Map, i int) (_ []byte, err error) {
	start, end := a.ValueOffsets(i)
	b = append(b, '{')
	for j := start; j < end; j++ {
		if j > start {
			b = append(b, ", "...)
		}
		if b, err = appendValue(b, a.Keys(), int(j), true); err != nil {
			return b, err
		}
		b = append(b, '=')
		if b, err = appendValue(b, a.Items(), int(j), true); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}
