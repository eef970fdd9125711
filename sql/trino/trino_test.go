//go:build duckdb_arrow

package trino_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tarn/embedded/guard"
	"tarn/embedded/leaktest"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/trino"
)

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
	_, addr := enginetest.Serve(t, 5_000_000, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return trino.New(trino.Options{Listener: l, Gate: gate, Away: away})
	})
	return "http://" + addr
}

// answer is one of the protocol.
type answer struct {
	ID      string
	NextURI string `json:"nextUri"`
	Columns []struct{ Name, Type string }
	Data    [][]json.RawMessage
	Update  string `json:"updateType"`
	Stats   struct {
		State   string
		Percent *float64 `json:"progressPercentage"`
	}
	Error *struct {
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
	return follow(t, ask(t, http.MethodPost, addr+"/v1/statement", statement, header...))
}

// follow fetches the rest of an answer.
func follow(t testing.TB, a answer) answer {
	t.Helper()
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

// TestProgressIsToldWhereItIsKnown: neither before a statement has begun nor of one that has failed.
func TestProgressIsToldWhereItIsKnown(t *testing.T) {
	addr := open(t, 0)
	first := ask(t, http.MethodPost, addr+"/v1/statement", "SELECT count(*) FROM range(300000) t(i)")
	if last := follow(t, first); first.Stats.Percent != nil || last.Stats.Percent == nil || *last.Stats.Percent != 100 {
		t.Errorf("got %+v, then %+v", first.Stats, last.Stats)
	}
	if failed := run(t, addr, "SELECT nope"); failed.Stats.State != "FAILED" || failed.Stats.Percent != nil {
		t.Errorf("got %+v", failed.Stats)
	}
	within := func(a answer) {
		if p := a.Stats.Percent; p != nil && (*p < 0 || *p > 100) {
			t.Fatalf("got %g per cent", *p)
		}
	}
	a := ask(t, http.MethodPost, addr+"/v1/statement", "SELECT count(*) FROM range(10000000) a, range(10000000) b")
	for a.Stats.State != "RUNNING" {
		a = ask(t, http.MethodGet, a.NextURI, "")
		within(a)
	}
	if status, _, _ := call(t, http.MethodDelete, a.NextURI, ""); status != http.StatusNoContent {
		t.Errorf("canceled: %d", status)
	}
}

// TestWhatIsKeptOfEndedStatementsIsBounded: of those with large answers fewer are kept, and the last one is.
func TestWhatIsKeptOfEndedStatementsIsBounded(t *testing.T) {
	addr := open(t, 0)
	statement := `SELECT 1 AS "` + strings.Repeat("a", 300<<10) + `"`
	last := func() (uri string) {
		for a := ask(t, http.MethodPost, addr+"/v1/statement", statement); a.NextURI != ""; a = ask(t, http.MethodGet, uri, "") {
			uri = a.NextURI
		}
		return uri
	}
	first := last()
	if status, _, _ := call(t, http.MethodGet, first, ""); status != http.StatusOK {
		t.Errorf("the last answer is asked for again: %d", status)
	}
	var newest string
	for range 30 {
		newest = last()
	}
	for uri, want := range map[string]int{first: http.StatusNotFound, newest: http.StatusOK} {
		if status, _, _ := call(t, http.MethodGet, uri, ""); status != want {
			t.Errorf("after more than is kept: %d, not %d", status, want)
		}
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
	{"18446744073709551615::UBIGINT", "decimal(20, 0)", `"18446744073709551615"`},
	{"sum(1)", "bigint", "1"},
	{"12345678901234567890123456789012345678::DECIMAL(38,0)", "decimal(38, 0)", `"12345678901234567890123456789012345678"`},
	{"1.50", "decimal(3, 2)", `"1.50"`},
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
	{"TIMESTAMP '2026-01-02 03:04:05 +02:00'", "timestamp(6) with time zone", `"2026-01-02 01:04:05.000000 UTC"`},
	{"TIMESTAMP ' 2026-01-02 03:04:05.5  -01:30 '", "timestamp(6) with time zone", `"2026-01-02 04:34:05.500000 UTC"`},
	{"TIMESTAMP '2026-01-02 03:04:05+02'", "timestamp(6) with time zone", `"2026-01-02 01:04:05.000000 UTC"`},
	{"TIMESTAMP '2026-01-02 03:04:05  UTC'", "timestamp(6) with time zone", `"2026-01-02 03:04:05.000000 UTC"`},
	{"TIMESTAMP '2026-01-02 03:04:05 Asia/Tokyo'", "timestamp(6) with time zone", `"2026-01-01 18:04:05.000000 UTC"`},
	{"TIMESTAMP '2026-01-02 +02:00'", "timestamp(6) with time zone", `"2026-01-01 22:00:00.000000 UTC"`},
	{"TIMESTAMP '2026-01-02 03:04'", "timestamp(0)", `"2026-01-02 03:04:00"`},
	{"TIMESTAMP '2026-01-02T03:04:05Z'", "timestamp(6) with time zone", `"2026-01-02 03:04:05.000000 UTC"`},
	{"INTERVAL '3 days 04:05:06.789'", "INTERVAL DAY TO SECOND", `"3 04:05:06.789"`},
	{"INTERVAL '-14 months'", "INTERVAL YEAR TO MONTH", `"-1-2"`},
	{"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::UUID", "uuid", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
	{`JSON '{"a":1}'`, "json", `"{\"a\":1}"`},
	{"NULL", "integer", "null"},
	{"union_value(a := 5)", "varchar", `"5"`},
	{"[union_value(a := 5), NULL]", "array(varchar)", `["5",null]`},
	{"[1, NULL, 3]", "array(integer)", "[1,null,3]"},
	{"[[1.5]]", "array(array(decimal(2, 1)))", `[["1.5"]]`},
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
		`{"rawType":"array","arguments":[{"kind":"TYPE","value":{"rawType":"timestamp","arguments":[{"kind":"LONG","value":0}]}}]}`,
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
		"INSERT INTO x SELECT 1":                                    "NOT_SUPPORTED",
		"CREATE TABLE x AS SELECT 1":                                "NOT_SUPPORTED",
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
	for statement, want := range map[string]string{
		"SELECT nope FROM system.ports":     "line 1:8: Column 'nope' cannot be resolved",
		"SELECT p.nope FROM system.ports p": "line 1:10: Column 'p.nope' cannot be resolved",
		"SELECT * FROM nothing_here":        "line 1:15: Table 'nothing_here' does not exist",
		"SELECT 1/0":                        "Division by zero",
		"SELECT sign()":                     "line 1:8: No function matches",
		"SELECT sign(1, 2)":                 "line 1:8: No function matches",
		"USE other.silver":                  "Catalog 'other' does not exist",
	} {
		if got := run(t, addr, statement); got.Error == nil || !strings.HasPrefix(got.Error.Message, want) {
			t.Errorf("%s: got %+v, want %s", statement, got.Error, want)
		}
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
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if status, _, _ := call(t, method, a.NextURI, "", "X-Trino-User", "other"); status != http.StatusNotFound {
			t.Errorf("%s of another user is answered with %d", method, status)
		}
	}
	if got := follow(t, a).rows(); got != "1" {
		t.Errorf("the user's own statement is answered %s", got)
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

// Superset ends a statement by kill_query, from another connection of its user.
func TestAStatementIsKilled(t *testing.T) {
	addr := open(t, 0)
	a := ask(t, http.MethodPost, addr+"/v1/statement", endless)
	call := "CALL system.runtime.kill_query(query_id => '" + a.ID + "', message => 'enough')"
	other := ask(t, http.MethodPost, addr+"/v1/statement", call, "X-Trino-User", "another")
	for other.NextURI != "" {
		other = ask(t, http.MethodGet, other.NextURI, "", "X-Trino-User", "another")
	}
	if other.Error == nil || other.Error.ErrorName != "NOT_FOUND" {
		t.Errorf("another user: got %+v", other.Error)
	}
	if got := run(t, addr, call); got.Error != nil {
		t.Errorf("got %+v", got.Error)
	}
	if got := follow(t, a); got.Error == nil || got.Error.ErrorName != "ADMINISTRATIVELY_KILLED" || !strings.Contains(got.Error.Message, "enough") {
		t.Errorf("got %+v", got.Error)
	}
	if got := run(t, addr, "CALL system.runtime.kill_query('nothing', 'enough')"); got.Error == nil || got.Error.ErrorName != "NOT_FOUND" {
		t.Errorf("got %+v", got.Error)
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

// TestRowsThatWaitAreBounded has statements whose rows nobody fetches: what is over the memory of all is refused, until
// the others are read.
func TestRowsThatWaitAreBounded(t *testing.T) {
	addr := open(t, 0)
	if got := run(t, addr, "SELECT rpad('x', 20000000, 'x')").rows(); got != "EXCEEDED_LOCAL_MEMORY_LIMIT" {
		t.Errorf("a large row is answered %.80s", got)
	}
	if got := run(t, addr, "SELECT list_transform(range(200000), lambda x: rpad('x', 100, 'x'))").rows(); got != "EXCEEDED_LOCAL_MEMORY_LIMIT" {
		t.Errorf("a large list is answered %.80s", got)
	}
	const large = "SELECT rpad('x', 8000000, 'x') FROM range(3)"
	// The rows of the first are there before the others begin: those, side by side, may all come to the bound.
	waiting := []answer{ask(t, http.MethodPost, addr+"/v1/statement", "SELECT rpad('x', 8000001, 'x') FROM range(2)")}
	made := "SELECT count(*) FROM system.runtime.queries WHERE state = 'FINISHED' AND query LIKE '%8000001%' AND query NOT LIKE '%runtime%'"
	for deadline := time.Now().Add(2 * time.Minute); run(t, addr, made).rows() != "1"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("two rows are not made")
		}
	}
	for range 3 {
		waiting = append(waiting, ask(t, http.MethodPost, addr+"/v1/statement", large))
	}
	failed := "SELECT count(*) FROM system.runtime.queries WHERE state = 'FAILED' AND query LIKE '%8000000%'"
	for deadline := time.Now().Add(2 * time.Minute); run(t, addr, failed).rows() == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the rows of four statements wait, and none is refused")
		}
	}
	refused := 0
	for i, a := range waiting {
		if got := follow(t, a); got.Error == nil && len(got.Data) != min(2+i, 3) {
			t.Errorf("got %d rows", len(got.Data))
		} else if got.Error != nil {
			refused++
		}
	}
	if refused == len(waiting) {
		t.Error("all are refused")
	}
	for range 4 {
		if got := run(t, addr, large); len(got.Data) != 3 {
			t.Errorf("when all is read: %+v", got.Error)
		}
	}
}

// meanings are statements of Trino's that DuckDB reads otherwise or not at all, with what Trino 476 answers.
var meanings = []struct{ expression, want string }{
	{"1/2", "0"},
	{"7/2.0", `"3.5"`},
	{"1/0", "DIVISION_BY_ZERO"},
	{"5 % 0", "DIVISION_BY_ZERO"},
	{"mod(7, 4)", "3"},
	{"try(1/0)", "null"},
	{"-7/2", "-3"},
	{"x'65 66'", `"ZWY="`},
	{"decimal '1.50'", `"1.50"`},
	{"decimal '12'", `"12"`},
	{"format('%s-%d', 1, 2)", `"1-2"`},
	{"format('%.2f%%', 1.5)", `"1.50%"`},
	{"concat('a', NULL)", "null"},
	{"concat('a', 'b', 'c')", `"abc"`},
	{"concat(ARRAY[1], ARRAY[2])", "[1,2]"},
	{"greatest(1, NULL)", "null"},
	{"least(2, 1)", "1"},
	{"split_part('a-b', '-', 3)", "null"},
	{"substr('abc', 0)", `""`},
	{"substr('abc', 2, 1)", `"b"`},
	{"replace('abc', 'b')", `"ac"`},
	{"url_encode('a b')", `"a+b"`},
	{"regexp_replace('abab', 'a', 'x')", `"xbxb"`},
	{"regexp_replace('ab', '(a)(b)', '$2$1')", `"ba"`},
	{"regexp_extract('abc', 'x')", "null"},
	{"regexp_replace('abab', 'b')", `"aa"`},
	{"to_hex(md5(to_utf8('a')))", `"0CC175B9C0F1B6A831C399E269772661"`},
	{"md5(to_utf8('a'))", `"DMF1ucDxtqgxw5niaXcmYQ=="`},
	{"array_max(ARRAY[1, NULL])", "null"},
	{"array_distinct(ARRAY[2, 1, 2, NULL])", "[2,1,null]"},
	{"array_position(ARRAY[1], 2)", "0"},
	{"array_sort(ARRAY[2, NULL, 1])", "[1,2,null]"},
	{"array_union(ARRAY[1], ARRAY[2, 1])", "[1,2]"},
	{"array_intersect(ARRAY[1, 2], ARRAY[2])", "[2]"},
	{"array_except(ARRAY[1, 2], ARRAY[2])", "[1]"},
	{"repeat('a', 2)", `["a","a"]`},
	{"slice(ARRAY[1, 2, 3], -2, 2)", "[2,3]"},
	{"slice(ARRAY[1, 2, 3], 2, 1)", "[2]"},
	{"any_match(ARRAY[1, 2], x -> x = 2)", "true"},
	{"all_match(ARRAY[], x -> x = 2)", "true"},
	{"sequence(3, 1)", "[3,2,1]"},
	{"element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')", "null"},
	{"element_at(ARRAY[1], 3)", "null"},
	{"reduce(ARRAY[1, 2], 0, (s, x) -> s + x, s -> s * 10)", "30"},
	{"array_join(ARRAY['a', NULL], ',', 'x')", `"a,x"`},
	{"cast(NULL as array(varchar))", "null"},
	{"cast(ARRAY[1] as array(array(varchar)))", "TYPE_MISMATCH"},
	{"1/(1-1)", "DIVISION_BY_ZERO"},
	{"x % 2 FROM (VALUES (3)) t(x)", "1"},
	{"date_trunc('month', date '2026-03-05')", `"2026-03-01"`},
	{"date_trunc('hour', timestamp '2026-03-05 01:02:03')", `"2026-03-05 01:00:00"`},
	{"date_diff('month', date '2026-01-31', date '2026-02-01')", "0"},
	{"date_add('month', 1, date '2026-01-31')", `"2026-02-28"`},
	{"date_add('hour', 1, timestamp '2026-01-01 00:00:00')", `"2026-01-01 01:00:00"`},
	{"date '2026-01-01' + interval '1' day", `"2026-01-02"`},
	{"date '2026-03-31' - interval '1' month", `"2026-02-28"`},
	{"timestamp '2026-01-01 00:00:00' + interval '1' hour", `"2026-01-01 01:00:00.000"`},
	{"day_of_week(date '2026-11-22')", "7"},
	{"extract(dow from date '2026-11-22')", "7"},
	{"millisecond(timestamp '2026-01-01 00:00:05.250')", "250"},
	{"date_format(timestamp '2026-01-02 03:04:05', '%Y-%m-%d %H:%i:%s')", `"2026-01-02 03:04:05"`},
	{"date_parse('2026-01-02', '%Y-%m-%d')", `"2026-01-02 00:00:00.000"`},
	{"date_format(timestamp '2026-01-02 03:04:05', '%D')", "NOT_SUPPORTED"},
	{"cast('2026-01-01 00:00:00' as timestamp(3) with time zone)", `"2026-01-01 00:00:00.000000 UTC"`},
	{`json_extract_scalar('{"a":[1]}', '$.a')`, "null"},
	{`json_extract_scalar('{"a":1}', '$.a')`, `"1"`},
	{"typeof(sum(1))", `"bigint"`},
	{"typeof(1.5)", `"decimal(2,1)"`},
	{"typeof('abc')", `"varchar(3)"`},
	{"typeof(ARRAY['a'])", `"array(varchar)"`},
	{"current_user", `"me"`},
	{"timestamp '2026-01-02 03:04:05 UTC'", `"2026-01-02 03:04:05.000000 UTC"`},
	{"timestamp '2026-01-02 03:04:05.5+02:00'", `"2026-01-02 01:04:05.500000 UTC"`},
	{"timestamp '2026-01-01 12:00:00' AT TIME ZONE 'America/New_York'", "NOT_SUPPORTED"},
	{"timestamp '2026-01-01 12:00:00' AT TIME ZONE 'UTC'", `"2026-01-01 12:00:00.000000 UTC"`},
	{"(timestamp '2026-01-01 12:00:00+02:00' + interval '1' hour) AT TIME ZONE 'utc'", `"2026-01-01 11:00:00.000000 UTC"`},
	{"timezone('America/New_York', timestamp '2026-01-01 12:00:00 UTC')", `"2026-01-01 07:00:00.000000"`},
	{"contains(ARRAY[1, NULL], 2)", "null"},
	{"contains(ARRAY[1, NULL], 1)", "true"},
	{"contains(ARRAY[1], 2)", "false"},
	{"contains(ARRAY[1], NULL)", "null"},
	{"arrays_overlap(ARRAY[1, NULL], ARRAY[2])", "null"},
	{"arrays_overlap(ARRAY[1, NULL], ARRAY[1])", "true"},
	{"arrays_overlap(ARRAY[1], ARRAY[2])", "false"},
	{"substr('abc', -5)", `""`},
	{"substr('abc', -2)", `"bc"`},
	{"regexp_replace('ab', '(?<x>a)', '${x}')", `"ab"`},
	{"current_catalog", `"lake"`},
	{"version()", `"476"`},
	{"max_by(x, y) FROM (VALUES (NULL, 2), (1, 1)) t(x, y)", "null"},
	{"listagg(x, ',') WITHIN GROUP (ORDER BY x DESC) FROM (VALUES 'a', 'b') t(x)", `"b,a"`},
	{"listagg(x, ',') WITHIN GROUP (ORDER BY x DESC) FROM (VALUES ('a'), ('b')) t(x)", `"b,a"`},
	{"count(*) FROM (VALUES (1), (2)) t(x) TABLESAMPLE BERNOULLI (100)", "2"},
	{"zip(ARRAY[1, 2], ARRAY[3], ARRAY[4])", "[[1,3,4],[2,null,null]]"},
	{"rand(1)", "0"},
	{"truncate(1.29, 1)", `"1.20"`},
	{"TIME '03:04:05 +02:00'", "NOT_SUPPORTED"},
	{"array_sort(ARRAY[1, 2], (x, y) -> y - x)", "[2,1]"},
	{"from_unixtime(0, 'Asia/Tokyo')", "NOT_SUPPORTED"},
	{"from_utf8(x'ff', '?')", "GENERIC_USER_ERROR"},
	{"array_sort(set_agg(x) FILTER (WHERE x > 1)) FROM (VALUES (1), (2), (2)) t(x)", "[2]"},
	{"cardinality(set_agg(x) OVER ()) FROM (VALUES (2), (2)) t(x)", "1\n1"},
	{"map_agg(x, y) FROM (VALUES ('a', 1)) t(x, y)", `{"a":1}`},
	{"count(DISTINCT x) FILTER (WHERE x > 1) FROM (VALUES (1), (2)) t(x)", "1"},
}

func TestWordsMeanWhatTheyMeanInTrino(t *testing.T) {
	addr := open(t, 0)
	for _, m := range meanings {
		a := run(t, addr, "SELECT "+m.expression)
		if got := a.rows(); got != m.want {
			t.Errorf("%s: got %s, want %s, %+v", m.expression, got, m.want, a.Error)
		}
	}
	if a := run(t, addr, "SELECT 1, name, upper(name) FROM system.ports LIMIT 1"); a.Columns[0].Name != "_col0" || a.Columns[1].Name != "name" || a.Columns[2].Name != "_col2" {
		t.Errorf("columns without a name are %+v", a.Columns)
	}
}

func TestPlacesAreThoseOfWhatWasSaid(t *testing.T) {
	addr := open(t, 0)
	a := run(t, addr, "SELECT x'65', current_user,\n  cast(NULL as array(varchar)), nope FROM system.ports")
	if a.Error == nil || a.Error.Location == nil || a.Error.Location.LineNumber != 2 || a.Error.Location.ColumnNumber != 33 {
		t.Errorf("got %+v %+v", a.Error, a.Error.Location)
	}
}

func TestWhatThereIsIsShown(t *testing.T) {
	addr := open(t, 0)
	for statement, want := range map[string]string{
		"SHOW CATALOGS":                         "\"lake\"\n\"system\"",
		"SHOW SCHEMAS LIKE 's%'":                `"system"`,
		"SHOW SCHEMAS FROM system LIKE 'j%'":    `"jdbc"`,
		"SHOW TABLES FROM lake.system":          "\"ports\"\n\"queries\"",
		"SHOW TABLES FROM nothing":              "SCHEMA_NOT_FOUND",
		"SHOW TABLES":                           "MISSING_SCHEMA_NAME",
		"DESCRIBE system.ports":                 "\"name\" \"varchar\" \"\" \"\"\n\"berths\" \"bigint\" \"\" \"\"",
		"SHOW COLUMNS FROM lake.system.nothing": "TABLE_NOT_FOUND",
		"SHOW FUNCTIONS LIKE 'arbi%'":           `"arbitrary" "" "" "scalar" "true" ""`,
		"SHOW CREATE TABLE system.ports":        `"CREATE TABLE lake.system.ports (\n   name varchar,\n   berths bigint\n)\nWITH (\n   format = 'PARQUET'\n)"`,
		"SHOW STATS FOR system.ports":           "\"name\" null null null null null null\n\"berths\" null null null null null null\nnull null null null 2.0 null null",
		"SELECT table_name, table_type FROM system.jdbc.tables WHERE table_name = 'ports'":                                            `"ports" "TABLE"`,
		"SELECT column_name, type_name, data_type FROM system.jdbc.columns WHERE table_name = 'ports' ORDER BY ordinal_position DESC": "\"berths\" \"bigint\" -5\n\"name\" \"varchar\" 12",
		"SELECT data_type FROM lake.information_schema.columns WHERE table_name = 'ports' AND column_name = 'berths'":                 `"bigint"`,
		"SELECT catalog_name FROM system.metadata.catalogs ORDER BY 1":                                                                "\"lake\"\n\"system\"",
		"SELECT node_version, coordinator FROM system.runtime.nodes":                                                                  `"476" true`,
		"SELECT count(*) > 0 FROM system.runtime.queries":                                                                             "true",
		"SELECT type_name FROM system.jdbc.types WHERE data_type = 3":                                                                 `"decimal"`,
		"EXPLAIN (TYPE VALIDATE) SELECT concat('a', 'b')":                                                                             "true",
		"EXPLAIN SELECT nothing(1)": "FUNCTION_NOT_FOUND",
	} {
		if a := run(t, addr, statement); a.rows() != want {
			t.Errorf("%s: got %s, want %s %+v", statement, a.rows(), want, a.Error)
		}
	}
	run(t, addr, "SELECT 'mine' WHERE password = 'geheim' AND '"+strings.Repeat("x y ", 2000)+"' = ''")
	if got := run(t, addr, "SELECT query FROM system.runtime.queries WHERE query LIKE 'SELECT ''mine%'").rows(); got == "" || len(got) > 4200 || strings.Contains(got, "geheim") {
		t.Errorf("of a statement is shown %s", got)
	}
	if a := run(t, addr, "EXPLAIN SELECT x'65', name FROM system.ports"); a.Error != nil || !strings.Contains(a.rows(), "SCAN") || a.Columns[0].Name != "Query Plan" {
		t.Errorf("got %s %+v", a.rows(), a.Error)
	}
	if got := run(t, addr, "SELECT name FROM ports", "X-Trino-Schema", "bronze").rows(); got != "TABLE_NOT_FOUND" {
		t.Errorf("a name of another schema is found: %s", got)
	}
	if got := run(t, addr, "SELECT count(*) FROM ports", "X-Trino-Schema", "system").rows(); got != "2" {
		t.Errorf("got %s", got)
	}
	if got := run(t, addr, "SELECT 1", "X-Trino-Catalog", "hive").rows(); got != "CATALOG_NOT_FOUND" {
		t.Errorf("got %s", got)
	}
}

// TestWhatIsDoneIsToldThoughMemoryIsFull: a statement that changed something is not told to have failed because others' rows wait.
func TestWhatIsDoneIsToldThoughMemoryIsFull(t *testing.T) {
	gate, at := enginetest.Serve(t, 5_000_000, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return trino.New(trino.Options{Listener: l, Gate: gate})
	})
	gate.Register(engine.Command{Verbs: []string{"CREATE PORT"}, Run: func(context.Context, guard.Principal, string) (*engine.Result, error) {
		return engine.Changed("CREATE PORT", 1_000_000_000), nil
	}})
	addr := "http://" + at
	for _, size := range []int{8_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 1} {
		for full := false; !full; {
			a := ask(t, http.MethodPost, addr+"/v1/statement", fmt.Sprintf("SELECT rpad('x', %d, 'x') AS n", size))
			for a.Data == nil && a.Error == nil {
				a = ask(t, http.MethodGet, a.NextURI, "")
			}
			full = a.Error != nil
		}
	}
	if got := run(t, addr, "CREATE PORT"); got.Error != nil || len(got.Data) != 1 {
		t.Errorf("it is told as %+v, %q", got.Error, got.Data)
	}
}
