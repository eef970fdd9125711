//go:build duckdb_arrow

package flight_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"tarn/embedded/leaktest"
	"tarn/sql/cell"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/flight"
)

// house is a Gate with its door.
type house struct {
	gate *engine.Gate
	addr string
}

func open(t testing.TB) house { return opened(t, 0) }

func opened(t testing.TB, patience time.Duration) house {
	t.Helper()
	gate, addr := enginetest.Serve(t, 50_000_000, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return flight.New(flight.Options{Listener: l, Gate: gate, Version: "1", Patience: patience})
	})
	return house{gate, addr}
}

func connect(t testing.TB, addr string) *flightsql.Client {
	t.Helper()
	c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := leaktest.Find(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// read reads all rows of an info's ticket, as texts, and how many batches they came in.
func read(t testing.TB, c *flightsql.Client, info *arrowflight.FlightInfo) (schema *arrow.Schema, rows [][]string, batches int, err error) {
	t.Helper()
	r, err := c.DoGet(t.Context(), info.GetEndpoint()[0].GetTicket())
	if err != nil {
		return nil, nil, 0, err
	}
	defer r.Release()
	for r.Next() {
		b := r.RecordBatch()
		batches++
		for i := range int(b.NumRows()) {
			row := make([]string, b.NumCols())
			for n, column := range b.Columns() {
				row[n] = string(cell.AppendJSON(nil, column, i))
			}
			rows = append(rows, row)
		}
	}
	return r.Schema(), rows, batches, r.Err()
}

func ask(t testing.TB, c *flightsql.Client, text string) (told, schema *arrow.Schema, rows [][]string, err error) {
	t.Helper()
	info, err := c.Execute(t.Context(), text)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(info.GetSchema()) > 0 {
		if told, err = arrowflight.DeserializeSchema(info.GetSchema(), memory.DefaultAllocator); err != nil {
			t.Fatal(err)
		}
	}
	schema, rows, _, err = read(t, c, info)
	return told, schema, rows, err
}

// values are expressions with their JSON, and SQL's name of their type.
var values = []struct{ expression, json, name string }{
	{"true", "true", "BOOLEAN"},
	{"(-5)::TINYINT", "-5", "TINYINT"},
	{"(-32768)::SMALLINT", "-32768", "SMALLINT"},
	{"2147483647", "2147483647", "INTEGER"},
	{"(-9223372036854775808)::BIGINT", "-9223372036854775808", "BIGINT"},
	{"18446744073709551615::UBIGINT", "18446744073709551615", "UBIGINT"},
	{"170141183460469231731687303715884105727::HUGEINT", `"170141183460469231731687303715884105727"`, "HUGEINT"},
	{"12.30::DECIMAL(10,2)", `"12.30"`, "DECIMAL(10,2)"},
	{"1.5::FLOAT", "1.5", "FLOAT"},
	{"1e20::DOUBLE", "1e+20", "DOUBLE"},
	{"'NaN'::DOUBLE", `"NaN"`, "DOUBLE"},
	{"'a\"b,é'", `"a\"b,é"`, "VARCHAR"},
	{`'\x00\xFF'::BLOB`, `"AP8="`, "BLOB"},
	{"DATE '2026-01-02'", `"2026-01-02"`, "DATE"},
	{"TIME '03:04:05.5'", `"03:04:05.5"`, "TIME"},
	{"TIMESTAMP '1969-12-31 23:59:59.000001'", `"1969-12-31T23:59:59.000001"`, "TIMESTAMP"},
	{"TIMESTAMP_NS '1969-12-31 23:59:59.000000001'", `"1969-12-31T23:59:59.000000001"`, "TIMESTAMP_NS"},
	{"TIMESTAMPTZ '2026-01-02 03:04:05+02'", `"2026-01-02T01:04:05Z"`, "TIMESTAMP WITH TIME ZONE"},
	{"INTERVAL '14 months 3 days 04:05:06.789'", `"P14M3DT14706.789S"`, "INTERVAL"},
	{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`, "UUID"},
	{"'{\"a\": 1}'::JSON", `"{\"a\": 1}"`, "JSON"},
	{"[1, NULL, 3]", "[1,null,3]", "INTEGER[]"},
	{"[]::INTEGER[]", "[]", "INTEGER[]"},
	{"[]", "[]", ""},
	{"NULL", "null", ""},
	{"{'k': [1, 2], 'o''k': 'x'}", `{"k":[1,2],"o'k":"x"}`, `STRUCT(k INTEGER[], "o'k" VARCHAR)`},
	{"MAP {'a': 1.5}", `{"a":"1.5"}`, "MAP(VARCHAR, DECIMAL(2,1))"},
	{"[[1], [2, 3]]", "[[1],[2,3]]", "INTEGER[][]"},
	{"[1, 2, 3]::INTEGER[3]", "[1,2,3]", "INTEGER[3]"},
	{"'b'::ENUM('a', 'b')", `"b"`, "ENUM('a', 'b')"},
}

// TestValues reads each value: what was told of its type before it was run is what came, with SQL's name of it.
func TestValues(t *testing.T) {
	c := connect(t, open(t).addr)
	for _, v := range values {
		told, schema, rows, err := ask(t, c, "SELECT "+v.expression+" AS \"v\"")
		if err != nil || len(rows) != 1 {
			t.Errorf("%s: %v %v", v.expression, rows, err)
			continue
		}
		if rows[0][0] != v.json {
			t.Errorf("%s: %s, want %s", v.expression, rows[0][0], v.json)
		}
		if told == nil || !told.Equal(schema) {
			t.Errorf("%s: told %v, came %v", v.expression, told, schema)
		}
		if name, _ := schema.Field(0).Metadata.GetValue(flightsql.TypeNameKey); v.name != "" && name != v.name {
			t.Errorf("%s: type %s, want %s", v.expression, name, v.name)
		}
	}
}

// TestBatches reads a long answer: all its rows, in few batches, none above what gRPC's clients take.
func TestBatches(t *testing.T) {
	c := connect(t, open(t).addr)
	for _, q := range []struct {
		text          string
		rows, batches int
	}{
		{"SELECT i FROM range(300000) t(i)", 300_000, 6},
		{"SELECT i, repeat('x', 1000) AS s FROM range(20000) t(i)", 20_000, 10},
		{"SELECT repeat('x', 100000) AS s FROM range(100) t(i)", 100, 10},
		{"SELECT i, ['a', 'b'][1 + i % 2]::ENUM('a', 'b') e, {'k': i} s, MAP {i: 'x'} m, i::VARCHAR::JSON j FROM range(100000) t(i)", 100_000, 20},
		{"SELECT 1 WHERE false", 0, 0},
	} {
		info, err := c.Execute(t.Context(), q.text)
		if err != nil {
			t.Fatal(err)
		}
		schema, rows, batches, err := read(t, c, info)
		if err != nil || len(rows) != q.rows || batches > q.batches || schema == nil {
			t.Errorf("%s: %d rows in %d batches, %v", q.text, len(rows), batches, err)
		}
		for i, row := range rows {
			if strings.HasPrefix(q.text, "SELECT i") && row[0] != fmt.Sprint(i) {
				t.Fatalf("%s: row %d is %v", q.text, i, row)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	c := connect(t, open(t).addr)
	for text, want := range map[string]codes.Code{
		"SELEC 1":                         codes.InvalidArgument,
		"SELECT * FROM nowhere":           codes.NotFound,
		"SELECT $1":                       codes.InvalidArgument,
		"SELECT * FROM '/etc/passwd'":     codes.NotFound,
		"SELECT read_text('/etc/passwd')": codes.PermissionDenied,
		"SELECT error_in_the_midst":       codes.NotFound,
	} {
		_, _, _, err := ask(t, c, text)
		if status.Code(err) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	// an error in the midst of the rows, after it has begun
	_, _, rows, err := ask(t, c, "SELECT CAST(CASE WHEN i = 250000 THEN 'x' ELSE '1' END AS INTEGER) FROM range(300000) t(i)")
	if status.Code(err) != codes.InvalidArgument || len(rows) >= 300_000 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func oneRow(fields []arrow.Field, fill func(*array.RecordBuilder)) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	fill(b)
	return b.NewRecordBatch()
}

func TestCommands(t *testing.T) {
	c := connect(t, open(t).addr)
	told, _, rows, err := ask(t, c, "SHOW TABLES")
	if err != nil || told != nil || len(rows) == 0 {
		t.Fatal(told, rows, err)
	}
	p, err := c.Prepare(t.Context(), "DESCRIBE system.ports")
	if err != nil {
		t.Fatal(err)
	}
	if update, ok := p.IsUpdate(); update || !ok || p.DatasetSchema().NumFields() != 6 {
		t.Error(update, ok, p.DatasetSchema())
	}
	info, err := p.Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, rows, _, err = read(t, c, info); err != nil || len(rows) != 2 {
		t.Error(rows, err)
	}
	if _, err := c.ExecuteUpdate(t.Context(), "SELECT 1"); status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	if _, err := c.ExecuteUpdate(t.Context(), "CREATE VIEW gold.v AS SELECT 1"); status.Code(err) == codes.OK || status.Code(err) == codes.Unimplemented {
		t.Error(err) // this lake takes none
	}
}
