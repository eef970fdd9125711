//go:build duckdb_arrow

package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Each statement of forms.txt is answered as PostgreSQL 15 did, whose columns, types and rows are in the line below it. Texts of json
// that functions make have other blanks here, so they are compared by what they mean.
func TestForms(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "forms.txt"))
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, open(t), "")
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		want := strings.TrimSpace(lines[i+1])
		if got := answered(t, c.PgConn(), lines[i]); !alike(got, want) {
			t.Errorf("%s\n  is   %s\n  want %s", lines[i], got, want)
		}
	}
}

// answered is what a statement answers: "name:type … (value|…) …", or its tag, or its error.
func answered(t *testing.T, c *pgconn.PgConn, statement string) string {
	t.Helper()
	results, err := c.Exec(t.Context(), statement).ReadAll()
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "ERR " + pg.Code + " " + pg.Message
	}
	if err != nil || len(results) != 1 {
		t.Fatalf("%s: %v", statement, err)
	}
	if results[0].FieldDescriptions == nil {
		return "OK " + results[0].CommandTag.String()
	}
	var columns, rows []string
	for _, f := range results[0].FieldDescriptions {
		columns = append(columns, fmt.Sprintf("%s:%d", f.Name, f.DataTypeOID))
	}
	for _, row := range results[0].Rows {
		var values []string
		for _, v := range row {
			value := "NULL"
			if v != nil {
				value = strings.ReplaceAll(string(v), "\n", `\n`)
			}
			values = append(values, value)
		}
		rows = append(rows, "("+strings.Join(values, "|")+")")
	}
	return strings.Join(columns, " ") + " " + strings.Join(rows, " ")
}

// alike compares answers: their parts are the same texts, or the same JSON.
func alike(a, b string) bool {
	one, other := strings.FieldsFunc(a, parted), strings.FieldsFunc(b, parted)
	if strings.TrimSpace(a) == strings.TrimSpace(b) {
		return true
	}
	if len(one) != len(other) {
		return false
	}
	for i := range one {
		var x, y any
		if one[i] != other[i] && (json.Unmarshal([]byte(one[i]), &x) != nil || json.Unmarshal([]byte(other[i]), &y) != nil || !reflect.DeepEqual(x, y)) {
			return false
		}
	}
	return true
}

func parted(r rune) bool { return r == '|' || r == '(' || r == ')' }

// Forms take their parameters as PostgreSQL does, in binary and in text.
func TestFormsOfParameters(t *testing.T) {
	t.Parallel()
	addr := open(t)
	for _, options := range []string{"", "&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol"} {
		c := connect(t, addr, options)
		for _, of := range []struct {
			statement string
			argument  any
		}{
			{`'{"a":{"b":1}}'::jsonb @> $1::jsonb`, `{"a":{}}`},
			{`'{"a":{"b":1}}'::jsonb #>> $1::text[] = '1'`, []string{"a", "b"}},
			{`'{"a":1}'::jsonb ? $1::text`, "a"},
			{`'{"a":1}'::jsonb ?| $1::text[]`, []string{"z", "a"}},
			{`'{"a":1}'::jsonb ->> $1::text = '1'`, "a"},
			{`'{"a":"x"}'::jsonb -> $1::text = '"x"'`, "a"},
			{`'{"a":{"b":"x"}}'::jsonb -> $1::text ->> 'b' = 'x'`, "a"},
			{`jsonb_set('{"a":1}'::jsonb, '{a}', $1::jsonb) ->> 'a' = '2'`, "2"},
			{`'abc' LIKE ANY ($1::text[])`, []string{"x%", "a%"}},
			{`'abc' NOT LIKE ALL ($1::text[])`, []string{"x%"}},
			{`array_position(ARRAY[4,5], $1::int) = 2`, 5},
			{`(ARRAY[4,5] || $1::int)[3] = 6`, 6},
		} {
			var got bool
			if err := c.QueryRow(t.Context(), "SELECT "+of.statement, of.argument).Scan(&got); err != nil || !got {
				t.Errorf("%s of %v%s: %v, %v", of.statement, of.argument, options, got, err)
			}
		}
	}
}

// Forms keep to what they mean beside others that look like them.
func TestFormsApart(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	if _, err := c.Exec(t.Context(), "CREATE TEMP TABLE kept AS SELECT 1.5::real AS r, 0.1::numeric(5,2) AS n, ARRAY['a'] AS tags"); err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		`jsonb_array_length('[1,2]'::jsonb) || ' items'`: "2 items", `jsonb_typeof('[1]'::jsonb) || '!'`: "array!", `jsonb_pretty('1'::jsonb) || '!'`: "1!",
		`'{"$oid":"x"}'::jsonb ->> '$oid'`: "x", `'{"/a":{"$":1}}'::jsonb -> '/a' ->> '$'`: "1", `'{"it''s":1}'::jsonb #>> '{it''s}'`: "1",
		`jsonb_set('{"it''s":1}'::jsonb, '{it''s}', '2') ->> 'it''s'`: "2", `jsonb_set('{"a":1}'::jsonb, '{}', '2') ->> 'a'`: "1",
		`'{abcd,ef}'::varchar(3)[]`: "{abc,ef}", `(ARRAY['abcd','ef']::char(3)[])[1]`: "abc", `'abc'::char varying`: "abc", `'abc'::character varying(2)`: "ab",
		`substring('abcdef' FROM 1 FOR share) FROM (VALUES (2)) t(share)`:                "ab",
		`count(*) FROM (SELECT 1 FROM pg_class c WHERE false FOR UPDATE OF c LIMIT 1) t`: "0",
		`6.022e23 > 1.602e-19`: "t", `x FROM (VALUES (6.022e23), (1.602e-19)) t(x) ORDER BY x LIMIT 1`: "1.602e-19", `pg_typeof(1e17)`: "numeric",
		`1234567.891::float8::numeric = 1234567.891`: "t", `(-1e14::float8/7)::numeric = -14285714285714.3`: "t", `123456789012345678::float8::numeric = 123456789012346000`: "t", `0.0625::float8::numeric + 0::float8::numeric = 0.0625`: "t",
		`0.1::real::numeric = 0.1`: "t", `pg_typeof(r + n) FROM kept`: "double precision", `tags || 'b' FROM kept`: "{a,b}", `'b' || tags FROM kept`: "{b,a}",
		`e FROM (VALUES ('["a"]'::jsonb, 1)) AS one(j, value), jsonb_array_elements_text(one.j) AS e WHERE one.value = 1`: "a",
		`e.value FROM jsonb_array_elements_text('["a"]') AS e`:                                                            "a",
	} {
		r := c.PgConn().ExecParams(t.Context(), "SELECT "+expression, nil, nil, nil, nil).Read()
		if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != want {
			t.Errorf("%s is %q, want %s: %v", expression, r.Rows, want, r.Err)
		}
	}
	for expression, want := range map[string]string{ // of PostgreSQL 16
		`JSON_OBJECT('k' VALUE 1)`: `{"k":1}`, `JSON_OBJECT('k' VALUE 1, 'l': 'x', KEY 'm' VALUE NULL NULL ON NULL RETURNING jsonb)`: `{"k":1,"l":"x","m":null}`, `json_object()`: "{}",
		`json_object('a' VALUE value, value: 1::text) FROM (VALUES ('z')) t(value)`: `{"a":"z","z":"1"}`,
	} {
		if got := answered(t, c.PgConn(), "SELECT "+expression); !alike(got, "json_object:114 ("+want+")") {
			t.Errorf("%s is %s", expression, got)
		}
	}
	// What is not done is refused.
	for expression, state := range map[string]string{
		`JSON_OBJECT('k' VALUE 1 ABSENT ON NULL)`: "42601", `JSON_OBJECT('k' VALUE 1 WITH UNIQUE KEYS)`: "42601", `'1'::numeric(39)`: "0A000", `1::numeric(50,2)`: "0A000",
		`jsonb_path_query('{}', 'strict $.a')`: "42000", `jsonb_path_query('{}', '$.a ? (@ > 1)')`: "42000", `jsonb_path_query('{}', '$.a.size()')`: "42000", `jsonb_path_query('{}', '$.*')`: "42000",
		`'b' BETWEEN SYMMETRIC 'b' || 'z' AND 'b'`: "42601", `make_interval(1, years => 2)`: "42000", `DISTINCT x FROM (VALUES (1)) t(x) ORDER BY x FETCH FIRST 2 ROWS WITH TIES`: "42000",
		`1 UNION SELECT 1 ORDER BY 1 FETCH FIRST 1 ROWS WITH TIES`: "42000", `unnest(ARRAY[1,1]) AS x ORDER BY x FETCH FIRST 1 ROW WITH TIES`: "42000",
	} {
		if got := answered(t, c.PgConn(), "SELECT "+expression); !strings.HasPrefix(got, "ERR "+state) {
			t.Errorf("%s is %s, want an error %s", expression, got, state)
		}
	}
	for _, expression := range []string{`jsonb_set('{"a":1}'::jsonb, 'a', '2')`, `'{"a":1}'::jsonb #- 'a'`, `'{"a":1}'::jsonb #> 'a'`} {
		if r := c.PgConn().ExecParams(t.Context(), "SELECT "+expression, nil, nil, nil, nil).Read(); r.Err == nil {
			t.Errorf("%s is %q: its path is no list", expression, r.Rows)
		}
	}
}

// EXPLAIN takes PostgreSQL's options; with FORMAT JSON it answers one value.
func TestExplainOptions(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	var text string
	if err := c.QueryRow(t.Context(), "EXPLAIN (FORMAT JSON, VERBOSE, COSTS OFF) SELECT name FROM system.ports WHERE berths > 3").Scan(&text); err != nil {
		t.Fatal(err)
	}
	var plan []struct {
		Plan map[string]any `json:"Plan"`
	}
	if err := json.Unmarshal([]byte(text), &plan); err != nil || len(plan) != 1 || plan[0].Plan["Node Type"] == nil {
		t.Errorf("%v: %s", err, text)
	}
	for _, options := range []string{"(ANALYZE, BUFFERS, FORMAT TEXT)", "(ANALYZE true, TIMING OFF)", "(COSTS OFF)", "VERBOSE", "ANALYZE VERBOSE"} {
		if _, err := c.Exec(t.Context(), "EXPLAIN "+options+" SELECT 1"); err != nil {
			t.Errorf("%s: %v", options, err)
		}
	}
	for _, query := range []string{"(SELECT 1)", "ANALYZE (SELECT 1)", "((SELECT 1) UNION (SELECT 2))", "(VALUES (1))"} {
		if _, err := c.Exec(t.Context(), "EXPLAIN "+query); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	for _, options := range []string{"(NONSENSE)", "(FORMAT XML)", "(ANALYZE", "()"} {
		if _, err := c.Exec(t.Context(), "EXPLAIN "+options+" SELECT 1"); err == nil {
			t.Errorf("%s is taken", options)
		}
	}
}

// Lists of all types go both ways in binary and in text, and an item is found in them.
func TestListsOfAllTypes(t *testing.T) {
	t.Parallel()
	addr := open(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for _, format := range []int16{pgtype.BinaryFormatCode, pgtype.TextFormatCode} {
		c := connect(t, addr, "")
		for typ, list := range map[string]any{
			"int2": []int16{1, -2}, "int4": []int32{1, 2, 3}, "int8": []int64{1 << 40}, "float4": []float32{1.5}, "float8": []float64{1.5, math.Inf(1)}, "bool": []bool{true, false}, "text": []string{"a", `b,"c\`, "", "NULL"},
			"bytea": [][]byte{{0, 'a', '\'', '\\', 0xff}, {}}, "uuid": []pgtype.UUID{{Bytes: [16]byte{7}, Valid: true}}, "date": []time.Time{at.Truncate(24 * time.Hour)}, "timestamp": []time.Time{at}, "timestamptz": []time.Time{at},
			"numeric(38,1)": []string{"1.5", "-12345678901234567890.5"}, "interval": []string{"1 day 00:00:03"}, "time": []string{"01:02:03"},
		} {
			into := reflect.New(reflect.TypeOf(list))
			err := c.QueryRow(t.Context(), "SELECT $1::"+typ+"[]"+textual(list), pgx.QueryResultFormats{format}, list).Scan(into.Interface())
			if err != nil || !reflect.DeepEqual(utc(into.Elem().Interface()), list) {
				t.Errorf("%s[] of format %d is %v, want %v: %v", typ, format, into.Elem(), list, err)
			}
			var found bool
			if err := c.QueryRow(t.Context(), "SELECT $1::"+typ+" = ANY ($2::"+typ+"[])", reflect.ValueOf(list).Index(0).Interface(), list).Scan(&found); err != nil || !found {
				t.Errorf("%s is not found: %v", typ, err)
			}
		}
	}
}

// What a table cannot have is refused with what to write instead.
func TestTablesRefuse(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	for column, hint := range map[string]string{
		"serial": "there are no sequences", "bigserial": "there are no sequences", "numeric": "DECIMAL(18, 3)",
	} {
		_, err := c.Exec(t.Context(), "CREATE TEMP TABLE refused (a "+column+")")
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(pg.Hint, hint) {
			t.Errorf("%s: %v", column, err)
		}
	}
}

// textual reads as a text what pgx has no type of Go for.
func textual(list any) string {
	if _, ok := list.([]string); ok {
		return "::text[]"
	}
	return ""
}

func utc(list any) any {
	times, _ := list.([]time.Time)
	for i := range times {
		times[i] = times[i].UTC()
	}
	return list
}
