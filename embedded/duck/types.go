package duck

import (
	"strings"

	"tarn/embedded/record"
)

// TypeOf is DuckDB's word for a column type; false for one that only a foreign writer can
// have made and DuckDB has no word for.
func TypeOf(t record.Type) (string, bool) {
	switch t {
	case record.Boolean, record.Date, record.Time, record.UUID, record.Double, record.Float, record.Timestamp:
		return strings.ToUpper(string(t)), true
	case record.Int:
		return "INTEGER", true
	case record.Long:
		return "BIGINT", true
	case record.TimestampTZ:
		return "TIMESTAMP WITH TIME ZONE", true
	case record.String:
		return "VARCHAR", true
	case record.Binary:
		return "BLOB", true
	case "timestamp_ns":
		return "TIMESTAMP_NS", true
	}
	switch {
	case strings.HasPrefix(string(t), "fixed"):
		return "BLOB", true
	case strings.HasPrefix(string(t), "decimal("):
		return strings.ToUpper(strings.ReplaceAll(string(t), " ", "")), true
	case strings.HasPrefix(string(t), "list<") && strings.HasSuffix(string(t), ">"): // another engine's: Tarn writes none
		item, ok := TypeOf(t[len("list<") : len(t)-1])
		return item + "[]", ok
	}
	return "", false
}

// Stored is the column type in which a table keeps what DuckDB calls t, and the type to
// cast to before, where the two differ: HUGEINT is kept as decimal(38,0), small integers as
// int, JSON and enums as text. False for what no column holds: intervals, lists, structs.
func Stored(t string) (column record.Type, cast string, ok bool) {
	switch t {
	case "BOOLEAN", "DATE", "TIME", "UUID", "DOUBLE", "FLOAT", "TIMESTAMP":
		return record.Type(strings.ToLower(t)), t, true
	case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT":
		return record.Int, "INTEGER", true
	case "BIGINT", "UINTEGER":
		return record.Long, "BIGINT", true
	case "UBIGINT", "HUGEINT", "UHUGEINT":
		return "decimal(38,0)", "DECIMAL(38,0)", true
	case "TIMESTAMP WITH TIME ZONE":
		return record.TimestampTZ, t, true
	case "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return record.Timestamp, "TIMESTAMP", true
	case "VARCHAR", "JSON":
		return record.String, "VARCHAR", true
	case "BLOB":
		return record.Binary, "BLOB", true
	}
	switch {
	case strings.HasPrefix(t, "DECIMAL("):
		return record.Type(strings.ToLower(t)), t, true
	case strings.HasPrefix(t, "ENUM("):
		return record.String, "VARCHAR", true
	}
	return "", "", false
}
