//go:build duckdb_arrow

package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/duck"
	"tarn/embedded/guard"
)

const typeRows = "application/vnd.tarn.rows+ndjson"

// TestRowsAreLines: columns, an array a row, and a last line that says how it ended.
func TestRowsAreLines(t *testing.T) {
	h := newHouse(t, guard.Open{})
	status, body := h.post("SELECT * FROM (VALUES (1, 'x\n'), (2, NULL)) t(a, \"b\"\"\") ORDER BY a", typeRows)
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	want := []string{`{"columns":[{"name":"a","type":"INTEGER"},{"name":"b\"","type":"VARCHAR"}]}`, `[1,"x\n"]`, `[2,null]`}
	if status != http.StatusOK || len(lines) != 4 || strings.Join(lines[:3], " ") != strings.Join(want, " ") || !strings.HasPrefix(lines[3], `{"stats":{"rows":2,"ms":`) || !json.Valid([]byte(lines[3])) {
		t.Errorf("%d\n%s", status, body)
	}
	_, body = h.post("SELECT range, repeat('x', 100) FROM range(9000)", typeRows)
	if n := strings.Count(body, "\n["); n != 9000 || !strings.Contains(body, `{"stats":{"rows":9000,`) {
		t.Errorf("%d rows, the last line is %.80s", n, body[strings.LastIndex(strings.TrimSpace(body), "\n"):])
	}
	if status, body = h.post("SELECT wrong", typeRows); status != http.StatusBadRequest || !strings.HasPrefix(body, `{"error":{"code":"not_found"`) {
		t.Errorf("%d %s", status, body)
	}
	_, body = h.post("SELECT range FROM range(20000)", typeRows)
	if last := body[strings.LastIndex(strings.TrimSpace(body), "\n")+1:]; !strings.HasPrefix(body, `{"columns":`) || !strings.HasPrefix(last, `{"error":{"code":"too_large"`) {
		t.Errorf("it ends in %.200s", last)
	}
}

// TestParquetIsReadByDuckDB: every type and name is there, and DuckDB reads what it was.
func TestParquetIsReadByDuckDB(t *testing.T) {
	h := newHouse(t, guard.Open{})
	read := func(statement, check string) (got string) {
		t.Helper()
		status, body := h.post(statement, "application/vnd.apache.parquet")
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		path := filepath.Join(t.TempDir(), "answer.parquet")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.write.QueryRowContext(t.Context(), fmt.Sprintf(check, duck.Quote(path))).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := read(everything, "SELECT whole::VARCHAR FROM read_parquet(%s) whole")
	for _, part := range []string{
		"'n': 9223372036854775807", "'x': nan", "'y': -1.5", `<é>`, `'d': 1.50`, "'h': 12345678901234567890123", "'tz': '2026-01-02 03:04:05.678+00'",
		"'ts': '2026-01-02 03:04:05'", "'day': 2026-01-02", "'t': '03:04:05'", "'l': [1, NULL]", "'st': {'k': v}", "'nothing': NULL", "'n_1': true",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	if got = read("SELECT range AS a, uuid() AS u, 'x'::ENUM('x') AS e, MAP {'a': 1} AS m FROM range(9999)", "SELECT concat_ws(' ', count(*), sum(a), count(DISTINCT u), any_value(m)) FROM read_parquet(%s)"); got != "9999 49985001 9999 {a=1}" {
		t.Errorf("read %s", got)
	}
	status, body := h.post("SELECT 1 AS a, INTERVAL 1 DAY AS wait", "application/vnd.apache.parquet")
	if status != http.StatusBadRequest || !strings.Contains(body, "the column wait of the type INTERVAL") {
		t.Errorf("%d %s", status, body)
	}
	if _, body = h.post("SELECT range, repeat(range::VARCHAR, 500) FROM range(20000)", "application/vnd.apache.parquet"); !strings.Contains(body, `"too_large"`) && !strings.HasPrefix(body, "cut: ") {
		t.Error("a file that was cut looks whole")
	}
}

// TestTheProfileOfAColumnIsAnswered: what the page SQL asks of a statement's columns, which may have one name twice.
func TestTheProfileOfAColumnIsAnswered(t *testing.T) {
	h := newHouse(t, guard.Open{})
	from := "(\nWITH r AS (SELECT range FROM range(1000)) SELECT range AS n, 'x' || range % 3 AS n, TIMESTAMP '2026-01-01' + INTERVAL 1 SECOND * range AS at FROM r ORDER BY n -- all\n) AS answer("
	number, text, at := from+"c, c1, c2)", from+"c0, c, c2)", from+"c0, c1, c)"
	h.want("SELECT count(*), count(c), count(DISTINCT c), min(c)::VARCHAR, max(c)::VARCHAR, avg(c)::DOUBLE, stddev_samp(c)::DOUBLE, median(c)::DOUBLE FROM "+number, "1000,1000,1000,0,999,499.5,288.81943609574927,499.5")
	h.want("SELECT c::VARCHAR, count(*) AS n FROM "+text+" WHERE c IS NOT NULL GROUP BY c ORDER BY n DESC, c LIMIT 2", "x0,334", "x1,333")
	h.want("SELECT min(v), max(v) FROM (SELECT epoch(c::TIMESTAMP) AS v FROM "+at+") WHERE isfinite(v)", "1.7672256e+09,1.767226599e+09")
	h.want("SELECT least(23, floor((v - lo) / (hi - lo) * 24))::INTEGER AS bin, count(*) AS n FROM (SELECT c::DOUBLE AS v FROM "+number+"), (SELECT 0::DOUBLE AS lo, 999::DOUBLE AS hi) WHERE isfinite(v) AND v BETWEEN lo AND hi GROUP BY bin ORDER BY bin LIMIT 2", "0,42", "1,42")
	h.want("SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position LIMIT 0")
}
