//go:build duckdb_arrow

package trino_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tarn/embedded/guard"
	"tarn/embedded/leaktest"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/sql/engine"
	"tarn/sql/trino"
)

// empty is a lake without tables.
type empty struct{ catalog.Catalog }

func (empty) Namespaces(context.Context) ([]string, error)             { return nil, nil }
func (empty) Entries(context.Context, string) ([]catalog.Entry, error) { return nil, nil }
func (empty) View(context.Context, table.Ident) (catalog.View, error) {
	return catalog.View{}, table.ErrNotFound
}

func (empty) Scan(context.Context, table.Ident, catalog.At) (*catalog.Scan, error) {
	return nil, table.ErrNotFound
}

func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if code == 0 {
		if err := leaktest.Find(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// open starts a Gate with its door and returns the door's address.
func open(t testing.TB, away time.Duration) string {
	t.Helper()
	gate, err := engine.New(t.Context(), engine.Options{
		Catalog: empty{}, Guard: guard.Open{}, MemoryBytes: 256 << 20, Threads: 1, TempDir: t.TempDir(), RowsMax: 5_000_000,
		Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
		System: []engine.SystemTable{{
			Name: "ports", Columns: []engine.SystemColumn{{Name: "name", Type: record.String}, {Name: "berths", Type: record.Long}},
			Rows: func(context.Context) ([][]any, error) {
				return [][]any{{"Tanger Med", int64(8)}, {"Rotterdam", nil}}, nil
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	d := trino.New(trino.Options{Listener: l, Gate: gate, Away: away})
	go func() { ended <- d.Run(ctx, func() {}) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, gate.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// answer is one of the protocol.
type answer struct {
	ID      string
	NextURI string `json:"nextUri"`
	Columns []struct{ Name, Type string }
	Data    [][]json.RawMessage
	Update  string `json:"updateType"`
	Stats   struct{ State string }
	Error   *struct {
		Message   string
		ErrorName string
		ErrorCode int
		Location  *struct{ LineNumber, ColumnNumber int } `json:"errorLocation"`
	}
	header http.Header
}

func ask(t testing.TB, method, url, body string, header ...string) answer {
	t.Helper()
	status, text, head := call(t, method, url, body, header...)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, url, status, text)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	a.header = head
	return a
}

func call(t testing.TB, method, url, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Trino-User", "me")
	r.Header.Set("X-Trino-Client-Capabilities", "PATH,PARAMETRIC_DATETIME")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// run asks a statement and follows it to its end; the answer has the rows of all pages.
func run(t testing.TB, addr, statement string, header ...string) answer {
	t.Helper()
	a := ask(t, http.MethodPost, addr+"/v1/statement", statement, header...)
	whole := a
	for a.NextURI != "" {
		a = ask(t, http.MethodGet, a.NextURI, "")
		data := append(whole.Data, a.Data...)
		if a.Columns == nil {
			a.Columns = whole.Columns
		}
		whole = a
		whole.Data = data
	}
	return whole
}

// rows are the answer's, a line each; what is refused is its error's name.
func (a answer) rows() string {
	if a.Error != nil {
		return a.Error.ErrorName
	}
	var lines []string
	for _, row := range a.Data {
		var cells []string
		for _, c := range row {
			cells = append(cells, string(c))
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	return strings.Join(lines, "\n")
}

func TestAStatementIsAnsweredInPages(t *testing.T) {
	addr := open(t, 0)
	a := run(t, addr, "SELECT name, berths FROM system.ports ORDER BY name")
	if got, want := a.rows(), "\"Rotterdam\" null\n\"Tanger Med\" 8"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a.Stats.State != "FINISHED" || a.Columns[0].Name != "name" || a.Columns[1].Type != "bigint" {
		t.Errorf("got %+v", a)
	}
	if got := len(run(t, addr, "SELECT i, repeat('x', 100) FROM range(50000) r(i)").Data); got != 50000 {
		t.Errorf("got %d rows", got)
	}
	if got := run(t, addr, "SELECT 1 WHERE false"); got.Error != nil || len(got.Data) != 0 || len(got.Columns) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestAPageIsAnsweredAgain(t *testing.T) {
	addr := open(t, 0)
	a := ask(t, http.MethodPost, addr+"/v1/statement", "SELECT i, repeat('x', 100) FROM range(50000) r(i)")
	for len(a.Data) == 0 {
		a = ask(t, http.MethodGet, a.NextURI, "")
	}
	last := a.NextURI
	first := ask(t, http.MethodGet, last, "")
	again := ask(t, http.MethodGet, last, "")
	if first.rows() != again.rows() || first.NextURI != again.NextURI || len(again.Data) == 0 {
		t.Error("a page that is asked for again is another one")
	}
	ask(t, http.MethodGet, again.NextURI, "")
	if status, _, _ := call(t, http.MethodGet, last, ""); status != http.StatusGone {
		t.Errorf("a page of before is answered with %d", status)
	}
}

// values are expressions with their type and their JSON.
var values = []struct{ expression, kind, value string }{
	{"true", "boolean", "true"},
	{"(-5)::TINYINT", "tinyint", "-5"},
	{"2147483647", "integer", "2147483647"},
	{"(-9223372036854775808)::BIGINT", "bigint", "-9223372036854775808"},
	{"18446744073709551615::UBIGINT", "decimal(20,0)", `"18446744073709551615"`},
	{"sum(1)", "bigint", "1"},
	{"12345678901234567890123456789012345678::DECIMAL(38,0)", "decimal(38,0)", `"12345678901234567890123456789012345678"`},
	{"1.50", "decimal(3,2)", `"1.50"`},
	{"1.5::FLOAT", "real", "1.5"},
	{"'NaN'::DOUBLE", "double", `"NaN"`},
	{"'-inf'::DOUBLE", "double", `"-Infinity"`},
	{"'a\"é'", "varchar", `"a\"é"`},
	{`'\x65\xFF'::BLOB`, "varbinary", `"Zf8="`},
	{"DATE '2026-01-02'", "date", `"2026-01-02"`},
	{"DATE '0001-01-01'", "date", `"0001-01-01"`},
	{"DATE '12026-01-02'", "date", `"+12026-01-02"`},
	{"TIME '03:04:05.5'", "time(6)", `"03:04:05.500000"`},
	{"TIMESTAMP '1969-12-31 23:59:59.000001'", "timestamp(6)", `"1969-12-31 23:59:59.000001"`},
	{"TIMESTAMP_S '2026-01-02 03:04:05'", "timestamp(0)", `"2026-01-02 03:04:05"`},
	{"TIMESTAMPTZ '2026-01-02 03:04:05+02'", "timestamp(6) with time zone", `"2026-01-02 01:04:05.000000 UTC"`},
	{"INTERVAL '3 days 04:05:06.789'", "interval day to second", `"3 04:05:06.789"`},
	{"INTERVAL '-14 months'", "interval year to month", `"-1-2"`},
	{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", "uuid", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
	{`'{"a":1}'::JSON`, "json", `"{\"a\":1}"`},
	{"NULL", "integer", "null"},
	{"[1, NULL, 3]", "array(integer)", "[1,null,3]"},
	{"[[1.5]]", "array(array(decimal(2,1)))", `[["1.5"]]`},
	{"{'x': 1, 'Y z': ['a']}", `row(x integer, "Y z" array(varchar))`, `[1,["a"]]`},
	{"MAP {DATE '2026-01-02': 1}", "map(date, integer)", `{"2026-01-02":1}`},
	{"MAP {1: [{'a': 'NaN'::DOUBLE}]}", "map(integer, array(row(a double)))", `{"1":[["NaN"]]}`},
}

func TestValuesAndTypesAreTrinos(t *testing.T) {
	addr := open(t, 0)
	for _, v := range values {
		a := run(t, addr, "SELECT "+v.expression+" AS x")
		if a.Error != nil {
			t.Errorf("%s: %+v", v.expression, a.Error)
			continue
		}
		if got := a.rows(); got != v.value || a.Columns[0].Type != v.kind {
			t.Errorf("%s: got %s, %s, want %s, %s", v.expression, a.Columns[0].Type, got, v.kind, v.value)
		}
	}
}

func TestATypesPartsAreTold(t *testing.T) {
	addr := open(t, 0)
	a := ask(t, http.MethodPost, addr+"/v1/statement", "SELECT {'x': 1.50} AS x, [TIMESTAMP '2026-01-01'] AS y, 'a' AS z")
	_, body, _ := call(t, http.MethodGet, a.NextURI, "")
	for _, want := range []string{
		`{"rawType":"row","arguments":[{"kind":"NAMED_TYPE","value":{"fieldName":{"name":"x"},"typeSignature":{"rawType":"decimal","arguments":[{"kind":"LONG","value":3},{"kind":"LONG","value":2}]}}}]}`,
		`{"rawType":"array","arguments":[{"kind":"TYPE","value":{"rawType":"timestamp","arguments":[{"kind":"LONG","value":6}]}}]}`,
		`{"rawType":"varchar","arguments":[{"kind":"LONG","value":2147483647}]}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	old := run(t, addr, "SELECT TIMESTAMP '2026-01-02 03:04:05.678901' AS x", "X-Trino-Client-Capabilities", "")
	if got := old.Columns[0].Type + " " + old.rows(); got != `timestamp "2026-01-02 03:04:05.678"` {
		t.Errorf("a client that does not know of digits is told %s", got)
	}
}

func TestErrorsHaveTrinosNames(t *testing.T) {
	addr := open(t, 0)
	for statement, want := range map[string]string{
		"SELECT * FROM nothing_here":                                "TABLE_NOT_FOUND",
		"SELECT nope FROM system.ports":                             "COLUMN_NOT_FOUND",
		"SELEC 1":                                                   "SYNTAX_ERROR",
		"SELECT 'x'::BIGINT":                                        "INVALID_CAST_ARGUMENT",
		"SELECT no_such_function(1)":                                "FUNCTION_NOT_FOUND",
		"SELECT sum(9223372036854775807) FROM range(2)":             "NUMERIC_VALUE_OUT_OF_RANGE",
		"SELECT TIMESTAMP 'infinity'":                               "NUMERIC_VALUE_OUT_OF_RANGE",
		"SELECT INTERVAL '1 month 1 day'":                           "NOT_SUPPORTED",
		"EXECUTE nothing":                                           "NOT_FOUND",
		"SET SESSION nothing = 1":                                   "INVALID_SESSION_PROPERTY",
		"COMMIT":                                                    "NOT_IN_TRANSACTION",
		"USE other.silver":                                          "CATALOG_NOT_FOUND",
		"EXECUTE IMMEDIATE 'SELECT ?'":                              "INVALID_PARAMETER_USAGE",
		"SELECT '" + strings.Repeat("x", 1<<20) + "'":               "QUERY_TEXT_TOO_LARGE",
		"EXECUTE IMMEDIATE 'EXECUTE IMMEDIATE ''SELECT 1'''":        "NOT_SUPPORTED",
		"PREPARE p FROM SELECT '" + strings.Repeat("é", 9000) + "'": "QUERY_TEXT_TOO_LARGE",
	} {
		if got := run(t, addr, statement).rows(); got != want {
			t.Errorf("%.60s: got %s, want %s", statement, got, want)
		}
	}
	a := run(t, addr, "SELECT *\nFROM nothing_here")
	if a.Error.Location == nil || a.Error.Location.LineNumber != 2 || a.Error.Location.ColumnNumber != 6 || a.Error.ErrorCode != 46 {
		t.Errorf("got %+v", a.Error)
	}
}

func TestASessionIsKeptByTheClient(t *testing.T) {
	addr := open(t, 0)
	a := run(t, addr, "PREPARE p1 FROM SELECT name FROM system.ports WHERE berths = ? AND name <> ?")
	added := a.header.Get("X-Trino-Added-Prepare")
	if !strings.HasPrefix(added, "p1=SELECT+name") || a.Update != "PREPARE" {
		t.Fatalf("got %v", a.header)
	}
	if got := run(t, addr, "EXECUTE p1 USING 8, 'it''s, (one'", "X-Trino-Prepared-Statement", added).rows(); got != `"Tanger Med"` {
		t.Errorf("got %s", got)
	}
	if got := run(t, addr, "DESCRIBE INPUT p1", "X-Trino-Prepared-Statement", added).rows(); got != "0 \"bigint\"\n1 \"varchar\"" {
		t.Errorf("got %s", got)
	}
	if got := run(t, addr, "DESCRIBE OUTPUT p1", "X-Trino-Prepared-Statement", added).rows(); got != `"name" "" "" "" "varchar" 0 false` {
		t.Errorf("got %s", got)
	}
	if got := run(t, addr, "EXECUTE IMMEDIATE 'SELECT ? + 1' USING 2").rows(); got != "3" {
		t.Errorf("got %s", got)
	}
	if got := run(t, addr, "DEALLOCATE PREPARE p1", "X-Trino-Prepared-Statement", added).header.Get("X-Trino-Deallocated-Prepare"); got != "p1" {
		t.Errorf("got %s", got)
	}
	for statement, want := range map[string][2]string{
		"USE bronze": {"X-Trino-Set-Schema", "bronze"}, "USE lake.gold": {"X-Trino-Set-Schema", "gold"},
		"SET SESSION query_max_run_time = '5m'": {"X-Trino-Set-Session", "query_max_run_time=5m"}, "RESET SESSION query_max_run_time": {"X-Trino-Clear-Session", "query_max_run_time"},
	} {
		if got := run(t, addr, statement, "X-Trino-Catalog", "lake").header.Get(want[0]); got != want[1] {
			t.Errorf("%s: got %q, want %q", statement, got, want[1])
		}
	}
	if got := run(t, addr, "SELECT count(*) FROM range(100000) a, range(1000000) b", "X-Trino-Session", "query_max_run_time=50ms").rows(); got != "EXCEEDED_TIME_LIMIT" {
		t.Errorf("got %s", got)
	}
}

func TestOthersAreNotLetIn(t *testing.T) {
	addr := open(t, 0)
	if status, _, _ := call(t, http.MethodPost, addr+"/v1/statement", "SELECT 1", "Host", "evil.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("a foreign name is answered with %d", status)
	}
	if status, _, _ := call(t, http.MethodPost, addr+"/v1/statement", "SELECT 1", "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a foreign page is answered with %d", status)
	}
	if status, _, _ := call(t, http.MethodPost, addr+"/v1/statement", "SELECT 1", "X-Trino-User", ""); status != http.StatusUnauthorized {
		t.Errorf("nobody is answered with %d", status)
	}
	a := ask(t, http.MethodPost, addr+"/v1/statement", "SELECT 1")
	parts := strings.Split(a.NextURI, "/")
	parts[len(parts)-2] = strings.Repeat("0", 32)
	if status, _, _ := call(t, http.MethodGet, strings.Join(parts, "/"), ""); status != http.StatusNotFound {
		t.Errorf("another's statement is answered with %d", status)
	}
	run(t, addr, "SELECT 1")
	_, info, _ := call(t, http.MethodGet, addr+"/v1/info", "")
	if !strings.Contains(info, `"starting":false`) || !strings.Contains(info, `"version":"476"`) {
		t.Errorf("got %s", info)
	}
}

const endless = "SELECT i, repeat('x', 200) FROM range(4000000) r(i)"

func TestAStatementIsCanceled(t *testing.T) {
	addr := open(t, 0)
	a := ask(t, http.MethodPost, addr+"/v1/statement", endless)
	a = ask(t, http.MethodGet, a.NextURI, "")
	if status, _, _ := call(t, http.MethodDelete, a.NextURI, ""); status != http.StatusNoContent {
		t.Errorf("got %d", status)
	}
	if got := ask(t, http.MethodGet, a.NextURI, ""); got.Error == nil || got.Error.ErrorName != "USER_CANCELED" || got.NextURI != "" {
		t.Errorf("got %+v", got)
	}
}

// TestClientsThatGoLeaveNothing has more clients than the Gate has turns go in the midst of their rows. TestMain counts
// goroutines at the end.
func TestClientsThatGoLeaveNothing(t *testing.T) {
	addr := open(t, 300*time.Millisecond)
	var gone []string
	for range 12 {
		a := ask(t, http.MethodPost, addr+"/v1/statement", endless)
		a = ask(t, http.MethodGet, a.NextURI, "")
		gone = append(gone, a.NextURI)
	}
	if got := run(t, addr, "SELECT 1").rows(); got != "1" {
		t.Errorf("another is answered %s", got)
	}
	if a := ask(t, http.MethodGet, gone[0], ""); a.Error == nil || a.Error.ErrorName != "ABANDONED_QUERY" {
		t.Errorf("got %+v", a)
	}
}
