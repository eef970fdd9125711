//go:build duckdb_arrow

package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"tarn/sql/postgres/catalog"
)

func isArray(oid uint32) bool {
	for _, array := range arrays {
		if array == oid {
			return true
		}
	}
	return false
}

// rendered reads a value in its format and writes it as DuckDB reads it from a text.
func rendered(types *pgtype.Map, t *pgtype.Type, format int16, raw []byte) (string, error) {
	if isArray(t.OID) {
		return renderedArray(types, t, format, raw)
	}
	value, err := t.Codec.DecodeValue(types, t.OID, format, raw)
	if err != nil {
		return "", err
	}
	if data, ok := value.([]byte); ok && t.OID == pgtype.ByteaOID {
		return blob(data), nil
	}
	text, err := types.Encode(t.OID, pgtype.TextFormatCode, value, nil)
	return string(text), err
}

// blob writes bytes as DuckDB reads them from a text.
func blob(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		fmt.Fprintf(&b, `\x%02X`, c)
	}
	return b.String()
}

// renderedArray writes ['a', NULL].
func renderedArray(types *pgtype.Map, t *pgtype.Type, format int16, raw []byte) (string, error) {
	item := t.Codec.(*pgtype.ArrayCodec).ElementType
	if format == pgtype.TextFormatCode && item.OID != pgtype.ByteaOID {
		if written, ok := catalog.List(string(raw)); ok {
			return written, nil // with blanks between the items, too, which ADBC's driver writes
		}
	}
	var items pgtype.FlatArray[any]
	if err := types.Scan(t.OID, format, raw, &items); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if v == nil {
			b.WriteString("NULL")
			continue
		}
		text, err := types.Encode(item.OID, pgtype.TextFormatCode, v, nil)
		if err != nil {
			return "", err
		}
		if data, ok := v.([]byte); ok && item.OID == pgtype.ByteaOID {
			text = []byte(blob(data))
		}
		b.WriteString("'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(string(text)) + "'")
	}
	b.WriteByte(']')
	return b.String(), nil
}
