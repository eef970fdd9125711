//go:build duckdb_arrow

package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// TestIntrospection: what asks for types as asyncpg does is told of its own parameter and columns as PostgreSQL tells of them: asyncpg
// knows by itself lists of oid and of text alone, and asks for any other by this very statement.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	const of = `(SELECT t.oid, n.nspname AS ns, t.typname AS name, t.typtype AS kind, t.typelem AS elemtype, e.typdelim AS elemdelim,
		CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(a.atttypid ORDER BY a.attnum) FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid WHERE c.reltype = t.oid) END AS attrtypoids,
		CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid WHERE c.reltype = t.oid) END AS attrnames
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_type e ON t.typlen = -1 AND t.typelem <> 0 AND t.typelem = e.oid)`
	const asked = `WITH RECURSIVE asked(oid, ns, name, kind, elemtype, elemdelim, attrtypoids, attrnames, depth) AS (
		SELECT i.*, 0 FROM ` + of + ` AS i WHERE i.oid = any($1::oid[])
		UNION ALL
		SELECT i.*, a.depth + 1 FROM ` + of + ` i, asked a WHERE a.elemtype IS NOT NULL AND i.oid = a.elemtype OR a.attrtypoids IS NOT NULL AND i.oid = any(a.attrtypoids))
		SELECT DISTINCT *, elemtype::regtype::text AS elemtype_name FROM asked ORDER BY depth DESC`
	c := connect(t, open(t), "")
	s, err := c.Prepare(t.Context(), "", asked)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.ParamOIDs) != 1 || s.ParamOIDs[0] != pgtype.OIDArrayOID {
		t.Errorf("it takes %v", s.ParamOIDs)
	}
	want := map[string]uint32{
		"oid": pgtype.OIDOID, "ns": pgtype.NameOID, "name": pgtype.NameOID, "kind": pgtype.QCharOID, "elemtype": pgtype.OIDOID, "elemdelim": pgtype.QCharOID,
		"attrtypoids": pgtype.OIDArrayOID, "attrnames": pgtype.TextArrayOID, "depth": pgtype.Int4OID, "elemtype_name": pgtype.TextOID,
	}
	for _, f := range s.Fields {
		if f.DataTypeOID != want[f.Name] {
			t.Errorf("%s has the type %d, want %d", f.Name, f.DataTypeOID, want[f.Name])
		}
	}
	for _, format := range []int16{pgtype.BinaryFormatCode, pgtype.TextFormatCode} {
		rows, err := c.Query(t.Context(), asked, pgx.QueryResultFormats{format}, []uint32{pgtype.Int4ArrayOID})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			values, err := rows.Values()
			if err != nil || values[0] != uint32(pgtype.Int4OID) && values[0] != uint32(pgtype.Int4ArrayOID) || values[6] != nil {
				t.Errorf("%v: %v", values, err)
			}
			got = append(got, values[2].(string))
		}
		if rows.Err() != nil || strings.Join(got, " ") != "int4 _int4" {
			t.Errorf("format %d: %v %v", format, got, rows.Err())
		}
	}
}
