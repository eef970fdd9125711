//go:build duckdb_arrow

package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// TestJSONB: what is a jsonb in PostgreSQL is told as one, and written as one, in text and in binary, wherever it comes from.
func TestJSONB(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, statement := range []string{
		"CREATE TEMP TABLE docs (id int, j jsonb, k json)", `INSERT INTO docs VALUES (1, '{"bb":1,"a":[1, 2]}', '{"bb":1,"a":1}')`,
		"CREATE TEMP TABLE made AS SELECT j, k, j -> 'a' AS part FROM docs",
	} {
		if _, err := c.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for query, want := range map[string]string{
		"SELECT j FROM docs":                                                                                 `{"a": [1, 2], "bb": 1}`,
		"SELECT d.j FROM docs AS d WHERE j ? 'a'":                                                            `{"a": [1, 2], "bb": 1}`,
		"SELECT part FROM made":                                                                              `[1, 2]`,
		"SELECT * FROM (SELECT j - 'a' FROM made) AS x":                                                      `{"bb": 1}`,
		"WITH x AS (SELECT j || '{\"c\":1}' AS y FROM docs) SELECT y FROM x":                                 `{"a": [1, 2], "c": 1, "bb": 1}`,
		"SELECT coalesce((SELECT jsonb_agg(id) FROM docs), '[]'::jsonb)":                                     `[1]`,
		"SELECT (SELECT jsonb_agg(id ORDER BY id DESC) FROM docs WHERE id > 1)":                              "",
		"SELECT CASE WHEN id = 1 THEN j ELSE '{}' END FROM docs":                                             `{"a": [1, 2], "bb": 1}`,
		"SELECT j FROM docs UNION ALL SELECT jsonb_build_object('z', 1.50, 'y', 1e2) FROM docs WHERE id = 2": `{"a": [1, 2], "bb": 1}`,
		"SELECT jsonb_agg(x ORDER BY x) FROM (VALUES (2), (1)) AS t(x)":                                      `[1, 2]`,
		"SELECT value FROM docs, jsonb_each(docs.j) AS e(key, value) WHERE key = 'a'":                        `[1, 2]`,
		`SELECT '{"k":"\u00e9\/\n","k2":1.50e1,"k":-0.0}'::jsonb`:                                            `{"k": 0.0, "k2": 15.0}`,
		`SELECT '["\u00e9\/\n\u0001", 1E3, 12e-4, true]'::jsonb`:                                             `["é/\n\u0001", 1000, 0.0012, true]`,
		"SELECT $1::jsonb": `{"n": 12345678901234567890, "zz": null}`,
	} {
		for _, format := range []int16{pgtype.TextFormatCode, pgtype.BinaryFormatCode} {
			args := []any{pgx.QueryResultFormats{format}}
			if query == "SELECT $1::jsonb" {
				args = append(args, json.RawMessage(`{"zz":null,"n":12345678901234567890}`))
			}
			rows, err := c.Query(t.Context(), query, args...)
			if err != nil {
				t.Errorf("%s: %v", query, err)
				continue
			}
			got, oid := "", uint32(0)
			for rows.Next() {
				raw := string(rows.RawValues()[0])
				if oid = rows.FieldDescriptions()[0].DataTypeOID; format == pgtype.BinaryFormatCode && raw != "" {
					if raw[0] != 1 {
						t.Errorf("%s in binary begins with %d", query, raw[0])
					}
					raw = raw[1:]
				}
				got = raw
			}
			if rows.Err() != nil || oid != pgtype.JSONBOID || got != want {
				t.Errorf("%s in format %d is %d %s, want %s: %v", query, format, oid, got, want, rows.Err())
			}
		}
	}
	var k uint32
	if err := c.QueryRow(t.Context(), "SELECT atttypid FROM pg_attribute WHERE attname = 'j' AND attrelid = 'docs'::regclass").Scan(&k); err != nil || k != pgtype.JSONBOID {
		t.Errorf("the catalog tells %d: %v", k, err)
	}
	var told uint32
	rows, err := c.Query(t.Context(), "SELECT k FROM made")
	if err != nil {
		t.Fatal(err)
	}
	told = rows.FieldDescriptions()[0].DataTypeOID
	if rows.Close(); told != pgtype.JSONOID {
		t.Errorf("a json is told as %d", told)
	}
	// pgx decodes what it is told is a jsonb, also in binary.
	var into struct {
		A  []int `json:"a"`
		BB int   `json:"bb"`
	}
	if err := c.QueryRow(t.Context(), "SELECT j FROM docs WHERE j @> '{\"bb\":1}'", pgx.QueryResultFormats{pgtype.BinaryFormatCode}).Scan(&into); err != nil || len(into.A) != 2 || into.BB != 1 {
		t.Errorf("%+v: %v", into, err)
	}
	large := json.RawMessage(`{"n":12345678901234567890}`)
	var text string
	if err := c.QueryRow(t.Context(), "SELECT ($1::jsonb)->>'n'", large).Scan(&text); err != nil || text != "12345678901234567890" {
		t.Errorf("%s: %v", text, err)
	}
}
