//go:build duckdb_arrow

package sql_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"tarn/.ci/sql/trino"
	"tarn/sql/cell"
)

// answer is what a door gave: columns with their types in its own words, rows of cells as JSON; or that it refused.
type answer struct {
	columns []string
	rows    [][]string
	refused bool
}

func (a answer) String() string {
	if a.refused {
		return "refused"
	}
	return fmt.Sprint(a.rows)
}

// statements are asked at every door. plain are those whose cells PostgreSQL writes as JSON does, but for what plainly undoes.
var statements = []statement{
	{"SELECT true, false, NULL::BOOLEAN", true},
	{"SELECT (-128)::TINYINT, 255::UTINYINT, (-32768)::SMALLINT, 65535::USMALLINT, 2147483647, 4294967295::UINTEGER", true},
	{"SELECT (-9223372036854775808)::BIGINT, 9223372036854775807", true},
	{"SELECT 18446744073709551615::UBIGINT::VARCHAR, 170141183460469231731687303715884105727::HUGEINT::VARCHAR", true},
	{"SELECT 18446744073709551615::UBIGINT, 170141183460469231731687303715884105727::HUGEINT", false},
	{"SELECT 12.30::DECIMAL(10,2)::VARCHAR, (-0.001)::DECIMAL(10,3)::VARCHAR, 0::DECIMAL(38,10)::VARCHAR", true},
	{"SELECT 12.30::DECIMAL(10,2), (-0.001)::DECIMAL(10,3), 0::DECIMAL(38,10), 1.5 * 2.25", false},
	{"SELECT 1.5::FLOAT, 0.1::DOUBLE, 2.5::DOUBLE / 2, (-0.0)::DOUBLE = 0", true},
	{"SELECT 'inf'::DOUBLE > 1e300::DOUBLE, '-inf'::DOUBLE < 0", true},
	{"SELECT 'NaN'::DOUBLE, 'inf'::DOUBLE, '-inf'::DOUBLE, 1e300::DOUBLE, 1e-300::DOUBLE", false},
	{"SELECT 'plain', '', 'it''s \"quoted\" \\ and {braces}', 'ÅÄÖ 漢字 🛳', 'a\nb\tc', NULL::VARCHAR", true},
	{"SELECT '\\x00\\xFF'::BLOB, ''::BLOB", false},
	{"SELECT DATE '2026-01-02', DATE '0001-01-01', DATE '9999-12-31', NULL::DATE", true},
	{"SELECT TIME '03:04:05.123456', TIME '00:00:00', TIME '23:59:59.999999'", true},
	{"SELECT TIMESTAMP '2026-01-02 03:04:05.000001', TIMESTAMP '1969-12-31 23:59:59'", true},
	{"SELECT TIMESTAMPTZ '2026-01-02 03:04:05+02', TIMESTAMPTZ '2026-07-01 00:00:00 Africa/Casablanca'", true},
	{"SELECT TIMESTAMP_S '2026-01-02 03:04:05', TIMESTAMP_MS '2026-01-02 03:04:05.001', TIMESTAMP_NS '2026-01-02 03:04:05.000001'", true},
	{"SELECT INTERVAL '14 months 3 days 04:05:06.789', INTERVAL '-1 second'", false},
	{"SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", true},
	{"SELECT {'k': 1, 'n': {'x': NULL, 'y': ['a']}}", true},
	{"SELECT [1, NULL, 3], []::INTEGER[]", false},
	{"SELECT [[1], [2, 3], NULL]", true},
	{"SELECT MAP {'a': 1, 'b': NULL}", true},
	{"SELECT 'b'::ENUM('a', 'b')", true},
	{"SELECT '{\"a\": [1, 2]}'::JSON::VARCHAR", true},
	{"SELECT NULL", true},
	{"SELECT 1 WHERE false", true},
	{"SELECT * FROM (VALUES (1, 'x'), (2, NULL), (NULL, 'z')) t(a, b) ORDER BY a NULLS LAST", true},
	{"SELECT i, i % 7, 'n' || i FROM range(5000) t(i) ORDER BY i DESC", true},
	{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT n, sum(n) OVER (ORDER BY n)::BIGINT FROM r ORDER BY n", true},
	{"SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('gold', 'silver') ORDER BY 1", true},
	{"SELECT count(*), min(i::VARCHAR), list(i)::VARCHAR FROM range(5) t(i)", true},
	{"SELEC 1", true},
	{"SELECT nope", true},
	{"SELECT * FROM nowhere", true},
	{"SELECT 'x'::INTEGER", true},
	{"SELECT read_text('/etc/passwd')", true},
	{"SELECT CAST(CASE WHEN i = 4000 THEN 'x' ELSE '1' END AS INTEGER) FROM range(5000) t(i)", true},
}

type statement struct {
	text  string
	plain bool
}

// noTrino are those of them with values that none of Trino's types has, which its door says (docs/compat/trino.md).
var noTrino = map[string]bool{
	"SELECT 18446744073709551615::UBIGINT, 170141183460469231731687303715884105727::HUGEINT": true,
	"SELECT INTERVAL '14 months 3 days 04:05:06.789', INTERVAL '-1 second'":                  true,
}

// TestDoorsAgree asks one list of statements at every door: the rows are the same, and what one refuses all do.
func TestDoorsAgree(t *testing.T) {
	ports := tarn(t)
	flight, pg := flightAt(t, ports["flight"]), postgresAt(t, ports["postgres"])
	tr := trino.Client{Address: ports["trino"], User: "me", Catalog: "lake"}
	for _, s := range statements {
		want := overJSON(t, ports["http"], s.text)
		if got := overTrino(t, tr, s.text); got.String() != want.String() && (!noTrino[s.text] || !got.refused) {
			t.Errorf("%s:\nTrino: %.400s\nJSON: %.400s", s.text, got, want)
		}
		for door, got := range map[string]answer{
			"Arrow over HTTP": overArrow(t, ports["http"], s.text), "Flight SQL": overFlight(t, flight, s.text),
		} {
			if got.String() != want.String() {
				t.Errorf("%s:\n%s: %.400s\nJSON: %.400s", s.text, door, got, want)
			}
		}
		for form, format := range map[string]int16{"text": pgx.TextFormatCode, "binary": pgx.BinaryFormatCode} {
			if got := overPostgres(t, pg, s.text, format); got.refused != want.refused || s.plain && got.String() != plainly(want).String() || len(got.rows) != len(want.rows) {
				t.Errorf("%s:\nPostgreSQL in %s: %.400s\nJSON: %.400s", s.text, form, got, plainly(want))
			}
		}
	}
}

// flightAt connects to the Flight SQL door of a program of its own.
func flightAt(t *testing.T, addr string) *flightsql.Client {
	t.Helper()
	c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func post(t *testing.T, address, accept, text string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/api/sql", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		return response.StatusCode, nil // cut off, for it has begun
	}
	return response.StatusCode, body
}

func overJSON(t *testing.T, address, text string) (out answer) {
	t.Helper()
	status, body := post(t, address, "application/json", text)
	var got struct {
		Columns []struct{ Name, Type string }
		Rows    [][]json.RawMessage
		Error   json.RawMessage
	}
	if status != http.StatusOK || json.Unmarshal(body, &got) != nil || got.Error != nil {
		return answer{refused: true}
	}
	for _, c := range got.Columns {
		out.columns = append(out.columns, c.Name+" "+c.Type)
	}
	for _, row := range got.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = string(c)
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

func overArrow(t *testing.T, address, text string) answer {
	t.Helper()
	status, body := post(t, address, "application/vnd.apache.arrow.stream", text)
	if status != http.StatusOK || body == nil {
		return answer{refused: true}
	}
	r, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		return answer{refused: true}
	}
	defer r.Release()
	return batches(r)
}

func overFlight(t *testing.T, c *flightsql.Client, text string) answer {
	t.Helper()
	info, err := c.Execute(t.Context(), text)
	if err != nil {
		return answer{refused: true}
	}
	r, err := c.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	if err != nil {
		return answer{refused: true}
	}
	defer r.Release()
	return batches(r)
}

func batches(r array.RecordReader) (out answer) {
	for _, f := range r.Schema().Fields() {
		out.columns = append(out.columns, f.Name+" "+cell.TypeName(f))
	}
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			cells := make([]string, b.NumCols())
			for n, c := range b.Columns() {
				cells[n] = string(cell.AppendJSON(nil, c, i))
			}
			out.rows = append(out.rows, cells)
		}
	}
	if r.Err() != nil {
		return answer{refused: true}
	}
	return out
}

// overPostgres reads rows in a format, whose cells are texts as pgx writes them, as JSON's strings.
func overPostgres(t *testing.T, c *pgx.Conn, text string, format int16) (out answer) {
	t.Helper()
	r := c.PgConn().ExecParams(t.Context(), text, nil, nil, nil, []int16{format}).Read()
	if r.Err != nil {
		return answer{refused: true}
	}
	for _, row := range r.Rows {
		cells := make([]string, len(row))
		for i, raw := range row {
			cells[i] = "null"
			if raw == nil {
				continue
			}
			oid := r.FieldDescriptions[i].DataTypeOID
			kind, ok := c.TypeMap().TypeForOID(oid)
			if !ok {
				t.Fatalf("%s: pgx knows no type %d", text, oid)
			}
			value, err := kind.Codec.DecodeValue(c.TypeMap(), oid, format, raw)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			again, err := c.TypeMap().Encode(oid, pgx.TextFormatCode, value, nil)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			cells[i] = strings.TrimSuffix(string(again), ".000000") // which pgx writes behind a time of day
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

// plainly writes an answer's cells as PostgreSQL's texts.
func plainly(a answer) answer {
	out := answer{refused: a.refused}
	for _, row := range a.rows {
		cells := slices.Clone(row)
		for i, c := range cells {
			var text string
			switch {
			case c == "true", c == "false":
				cells[i] = c[:1]
			case strings.HasPrefix(c, `"`) && json.Unmarshal([]byte(c), &text) == nil:
				cells[i] = stamp.ReplaceAllString(text, "$1 ")
			}
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

var stamp = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)T`)
