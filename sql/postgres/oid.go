//go:build duckdb_arrow

package postgres

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"tarn/sql/postgres/catalog"
)

// kind is a type of PostgreSQL: what RowDescription tells of a column.
type kind struct {
	oid  uint32
	size int16          // -1 for what varies
	item *kind          // of an array
	mod  int32          // -1 for none
	zone *time.Location // in which times with a zone are written; nil for UTC
}

// in is the type as it is written in a zone.
func (k kind) in(zone *time.Location) kind {
	k.zone = zone
	if k.item != nil {
		item := k.item.in(zone)
		k.item = &item
	}
	return k
}

var (
	boolKind      = kind{oid: pgtype.BoolOID, size: 1, mod: -1}
	int2Kind      = kind{oid: pgtype.Int2OID, size: 2, mod: -1}
	int4Kind      = kind{oid: pgtype.Int4OID, size: 4, mod: -1}
	int8Kind      = kind{oid: pgtype.Int8OID, size: 8, mod: -1}
	float4Kind    = kind{oid: pgtype.Float4OID, size: 4, mod: -1}
	float8Kind    = kind{oid: pgtype.Float8OID, size: 8, mod: -1}
	numericKind   = kind{oid: pgtype.NumericOID, size: -1, mod: -1}
	textKind      = kind{oid: pgtype.TextOID, size: -1, mod: -1}
	byteaKind     = kind{oid: pgtype.ByteaOID, size: -1, mod: -1}
	dateKind      = kind{oid: pgtype.DateOID, size: 4, mod: -1}
	timeKind      = kind{oid: pgtype.TimeOID, size: 8, mod: -1}
	timestampKind = kind{oid: pgtype.TimestampOID, size: 8, mod: -1}
	instantKind   = kind{oid: pgtype.TimestamptzOID, size: 8, mod: -1}
	intervalKind  = kind{oid: pgtype.IntervalOID, size: 16, mod: -1}
	uuidKind      = kind{oid: pgtype.UUIDOID, size: 16, mod: -1}
	jsonKind      = kind{oid: pgtype.JSONOID, size: -1, mod: -1}
	jsonbKind     = kind{oid: pgtype.JSONBOID, size: -1, mod: -1}
	// Those of the catalog, which DuckDB has no types for.
	oidKind  = kind{oid: pgtype.OIDOID, size: 4, mod: -1}
	nameKind = kind{oid: pgtype.NameOID, size: 64, mod: -1}
	charKind = kind{oid: pgtype.QCharOID, size: 1, mod: -1}
)

// kinds are PostgreSQL's types for DuckDB's. What PostgreSQL has no type for goes as the next larger number, or as
// text, but for structs, maps, unions and lists of lists, which are JSON.
var kinds = map[string]kind{
	"BOOLEAN": boolKind, "TINYINT": int2Kind, "UTINYINT": int2Kind, "SMALLINT": int2Kind, "USMALLINT": int4Kind, "INTEGER": int4Kind,
	"UINTEGER": int8Kind, "BIGINT": int8Kind, "UBIGINT": numericKind, "HUGEINT": numericKind, "UHUGEINT": numericKind, "DECIMAL": numericKind,
	"FLOAT": float4Kind, "DOUBLE": float8Kind, "BLOB": byteaKind, "DATE": dateKind, "TIME": timeKind, "INTERVAL": intervalKind, "UUID": uuidKind,
	"TIMESTAMP": timestampKind, "TIMESTAMP_S": timestampKind, "TIMESTAMP_MS": timestampKind, "TIMESTAMP_NS": timestampKind, "DATETIME": timestampKind,
	"TIMESTAMP WITH TIME ZONE": instantKind, "TIMESTAMPTZ": instantKind, "JSON": jsonKind, "JSONB": jsonbKind, "STRUCT": jsonKind, "MAP": jsonKind, "UNION": jsonKind,
	"OID": oidKind, "NAME": nameKind, `"CHAR"`: charKind, // the door's own words: tellIntrospected
}

// arrays are the OIDs of arrays by those of their items.
var arrays = map[uint32]uint32{
	pgtype.BoolOID: pgtype.BoolArrayOID, pgtype.Int2OID: pgtype.Int2ArrayOID, pgtype.Int4OID: pgtype.Int4ArrayOID, pgtype.Int8OID: pgtype.Int8ArrayOID,
	pgtype.Float4OID: pgtype.Float4ArrayOID, pgtype.Float8OID: pgtype.Float8ArrayOID, pgtype.NumericOID: pgtype.NumericArrayOID, pgtype.TextOID: pgtype.TextArrayOID,
	pgtype.ByteaOID: pgtype.ByteaArrayOID, pgtype.DateOID: pgtype.DateArrayOID, pgtype.TimeOID: pgtype.TimeArrayOID, pgtype.TimestampOID: pgtype.TimestampArrayOID,
	pgtype.TimestamptzOID: pgtype.TimestamptzArrayOID, pgtype.IntervalOID: pgtype.IntervalArrayOID, pgtype.UUIDOID: pgtype.UUIDArrayOID, pgtype.JSONOID: pgtype.JSONArrayOID, pgtype.JSONBOID: pgtype.JSONBArrayOID, pgtype.OIDOID: pgtype.OIDArrayOID,
}

// kindOf is the type of PostgreSQL for one of DuckDB's, in its words.
func kindOf(name string) kind {
	if inner, list := strings.CutSuffix(name, "]"); list {
		item := kindOf(strings.TrimRight(strings.TrimRight(inner, "0123456789"), "["))
		if item.item != nil { // PostgreSQL's are rectangular, and lists of lists need not be
			return jsonKind
		}
		return kind{oid: arrays[item.oid], size: -1, item: &item, mod: -1}
	}
	base, rest, _ := strings.Cut(name, "(")
	k, ok := kinds[base]
	if !ok {
		return textKind
	}
	if base == "DECIMAL" {
		if k.mod = modifier(rest); scaleOf(k.mod) >= quotientScaleMin {
			k.mod = -1
		}
	}
	return k
}

// catalogType is what the catalog tells of a column's type.
func catalogType(name string) catalog.Type {
	k := kindOf(name)
	return catalog.Type{OID: k.oid, Mod: k.mod}
}

// modifier is PostgreSQL's typmod of "p,s)": p and s in 16 bits each, and 4.
func modifier(rest string) int32 {
	var p, s int32
	at := &p
	for _, c := range rest {
		switch {
		case c >= '0' && c <= '9':
			*at = *at*10 + (c - '0')
		case c == ',':
			at = &s
		}
	}
	if p == 0 {
		return -1
	}
	return p<<16 | s + 4
}

// scaleOf is the scale that a modifier tells.
func scaleOf(mod int32) int32 { return (mod - 4) & 0xffff }

// typeOf are DuckDB's words for the types that clients name for their parameters; "" leaves it to the statement.
func typeOf(oid uint32) string {
	switch oid {
	case pgtype.BoolOID:
		return "BOOLEAN"
	case pgtype.Int2OID:
		return "SMALLINT"
	case pgtype.Int4OID, pgtype.OIDOID:
		return "INTEGER"
	case pgtype.Int8OID:
		return "BIGINT"
	case pgtype.Float4OID:
		return "FLOAT"
	case pgtype.Float8OID:
		return "DOUBLE"
	case pgtype.NumericOID:
		return "DECIMAL"
	case pgtype.ByteaOID:
		return "BLOB"
	case pgtype.DateOID:
		return "DATE"
	case pgtype.TimeOID:
		return "TIME"
	case pgtype.TimestampOID:
		return "TIMESTAMP"
	case pgtype.TimestamptzOID:
		return "TIMESTAMP WITH TIME ZONE"
	case pgtype.IntervalOID:
		return "INTERVAL"
	case pgtype.UUIDOID:
		return "UUID"
	case pgtype.JSONOID:
		return "JSON"
	case pgtype.JSONBOID:
		return "JSONB"
	}
	for item, array := range arrays {
		if array == oid {
			if of := typeOf(item); of != "" {
				return of + "[]"
			}
			return "VARCHAR[]"
		}
	}
	return ""
}
