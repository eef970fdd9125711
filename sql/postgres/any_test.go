//go:build duckdb_arrow

package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"tarn/embedded/sqltext"
	"tarn/sql/postgres"
)

// TestAny: a parameter of ANY and ALL is a list of what it is compared with, where its client leaves that open.
func TestAny(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, of := range []struct {
		text string
		list any
		want int
	}{
		{"SELECT count(*) FROM system.ports WHERE name = ANY($1)", []string{"Rotterdam", "Algeciras"}, 1},
		{"SELECT count(*) FROM system.ports WHERE name <> ALL ( $1 )", []string{"Rotterdam", "Algeciras"}, 1},
		{"SELECT count(*) FROM system.ports WHERE berths = ANY($1)", []int64{7, 8}, 1},
		{"SELECT count(*) FROM system.ports WHERE berths = SOME($1) OR name = 'ANY(none)'", []int32{8}, 1},
		{"SELECT count(*) FROM system.ports WHERE berths = ANY($1)", []int64{}, 0},
		{"SELECT count(*) FROM system.ports WHERE berths = ANY($1::int[])", []int64{8}, 1},
		{"SELECT count(*) FROM (VALUES (DATE '2026-01-02')) t(d) WHERE d = ANY($1)", []string{"2026-01-02"}, 1},
	} {
		var got int
		if err := c.QueryRow(t.Context(), of.text, of.list).Scan(&got); err != nil || got != of.want {
			t.Errorf("%s of %v is %d, want %d: %v", of.text, of.list, got, of.want, err)
		}
	}
	for text, want := range map[string]uint32{"SELECT 1 FROM system.ports WHERE berths = ANY($1)": pgtype.Int8ArrayOID, "SELECT 1 FROM system.ports WHERE name = ANY($1)": pgtype.TextArrayOID} {
		if s, err := c.Prepare(t.Context(), "", text); err != nil || s.ParamOIDs[0] != want {
			t.Errorf("%s takes %v: %v", text, s, err)
		}
	}
	// As node-postgres sends a list: a text.
	r := c.PgConn().ExecParams(t.Context(), "SELECT count(*) FROM system.ports WHERE name = ANY($1)", [][]byte{[]byte(`{"Rotterdam"}`)}, nil, nil, nil).Read()
	if r.Err != nil || string(r.Rows[0][0]) != "1" {
		t.Errorf("%v", r)
	}
}

// TestTypesWithParameters: what goes by the types of its arguments does so too beside parameters whose values DuckDB takes where it binds a statement.
func TestTypesWithParameters(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	want := []uint32{pgtype.Int8OID, pgtype.NumericOID, pgtype.NumericOID}
	for _, text := range []string{
		"SELECT sum(berths::int), avg(berths), max(berths) / 3.0 FROM system.ports LIMIT $1 OFFSET $2",
		"SELECT sum(-(berths::int)), avg(-berths), max(-berths) / 3.0 FROM system.ports LIMIT $1 OFFSET $2",
		"SELECT sum(i::int), avg(i), max(i) / 3.0 FROM generate_series($1::int, 8) i WHERE i > $2::int",
	} {
		for n := range 3 {
			rows, err := c.Query(t.Context(), text, 1+n, 0)
			if err != nil {
				t.Errorf("%s with %d: %v", text, 1+n, err)
				continue
			}
			for i, column := range rows.FieldDescriptions() {
				if column.DataTypeOID != want[i] {
					t.Errorf("%s with %d: column %d has the type %d, want %d", text, 1+n, i, column.DataTypeOID, want[i])
				}
			}
			read := 0
			for rows.Next() {
				read++
			}
			if rows.Err() != nil || read != 1 {
				t.Errorf("%s with %d: %d rows, %v", text, 1+n, read, rows.Err())
			}
		}
	}
}

// TestTypesOfParameters: what a parameter is goes by what is around it, also where another is a bound of the rows.
func TestTypesOfParameters(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for _, rest := range []string{"", " LIMIT $2", " OFFSET $2 LIMIT 5"} {
		s, err := c.Prepare(t.Context(), "", "SELECT d - $1 FROM (SELECT DATE '2026-01-05' AS d FROM system.ports) t"+rest)
		if err != nil || s.ParamOIDs[0] != pgtype.DateOID || s.Fields[0].DataTypeOID != pgtype.Int4OID {
			t.Errorf("%q: %v %v", rest, s, err)
		}
	}
}

// TestQuotients: what is divided is computed once, but for columns.
func TestQuotients(t *testing.T) {
	t.Parallel()
	parser, err := sqltext.NewParser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer parser.Close()
	types := func(context.Context, string) ([]string, error) { return slices.Repeat([]string{"DECIMAL"}, 4), nil }
	resolve := func(sqltext.Table) (sqltext.Relation, error) {
		return sqltext.Relation{Text: "SELECT 1.5 AS a", Name: "s.t", Columns: []string{"a"}}, nil
	}
	for text, part := range map[string]string{
		"SELECT max(a) OVER () / min(a) OVER () FROM t":                       "OVER",
		"SELECT (SELECT max(a) FROM t) / (SELECT min(a) FROM t)":              "m*(a)",
		"SELECT CASE WHEN cos(a) > 0 THEN a END / coalesce(sin(a), 1) FROM t": "cos(",
	} {
		out, err := parser.RewriteAs(t.Context(), postgres.Words(), text, 0, resolve, types)
		if n := strings.Count(strings.NewReplacer("max(a)", "m*(a)", "min(a)", "m*(a)").Replace(out.Text), part); err != nil || n < 1 || n > 4 {
			t.Errorf("%s has %d of %s: %s %v", text, n, part, out.Text, err)
		}
	}
}
