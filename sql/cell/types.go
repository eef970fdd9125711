package cell

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// TypeName is an Arrow type in SQL's words.
func TypeName(f arrow.Field) string {
	if name, ok := f.Metadata.GetValue("ARROW:extension:name"); ok && name == "arrow.json" {
		return "JSON"
	}
	switch t := f.Type.(type) {
	case *arrow.TimestampType:
		if t.TimeZone != "" {
			return "TIMESTAMP WITH TIME ZONE"
		}
		return "TIMESTAMP"
	case *arrow.Decimal128Type:
		if t.Precision == 38 && t.Scale == 0 {
			return "HUGEINT"
		}
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case *arrow.MapType:
		return "MAP(" + TypeName(t.KeyField()) + ", " + TypeName(t.ItemField()) + ")"
	case *arrow.FixedSizeListType:
		return fmt.Sprintf("%s[%d]", TypeName(t.ElemField()), t.Len())
	case arrow.ListLikeType:
		return TypeName(t.ElemField()) + "[]"
	case *arrow.StructType:
		parts := make([]string, t.NumFields())
		for i, inner := range t.Fields() {
			parts[i] = `"` + strings.ReplaceAll(inner.Name, `"`, `""`) + `" ` + TypeName(inner)
		}
		return "STRUCT(" + strings.Join(parts, ", ") + ")"
	case *arrow.DictionaryType:
		return "ENUM"
	case arrow.UnionType:
		return "UNION"
	case arrow.ExtensionType:
		switch t.ExtensionName() {
		case "arrow.uuid":
			return "UUID"
		case "arrow.json":
			return "JSON"
		}
		return TypeName(arrow.Field{Type: t.StorageType()})
	}
	return plainName(f.Type.ID())
}

func plainName(id arrow.Type) string {
	switch id {
	case arrow.BOOL:
		return "BOOLEAN"
	case arrow.INT8:
		return "TINYINT"
	case arrow.INT16:
		return "SMALLINT"
	case arrow.INT32:
		return "INTEGER"
	case arrow.INT64:
		return "BIGINT"
	case arrow.UINT8:
		return "UTINYINT"
	case arrow.UINT16:
		return "USMALLINT"
	case arrow.UINT32:
		return "UINTEGER"
	case arrow.UINT64:
		return "UBIGINT"
	case arrow.FLOAT32:
		return "FLOAT"
	case arrow.FLOAT64:
		return "DOUBLE"
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return "VARCHAR"
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW, arrow.FIXED_SIZE_BINARY:
		return "BLOB"
	case arrow.DATE32, arrow.DATE64:
		return "DATE"
	case arrow.TIME32, arrow.TIME64:
		return "TIME"
	case arrow.INTERVAL_MONTH_DAY_NANO, arrow.INTERVAL_MONTHS, arrow.INTERVAL_DAY_TIME:
		return "INTERVAL"
	case arrow.NULL:
		return "NULL"
	}
	return "VARCHAR"
}
