//go:build duckdb_arrow

package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

const everything = `SELECT 9223372036854775807 AS n, 'nan'::DOUBLE AS x, -1.5::DOUBLE AS y, 'a"b,
<é>' || chr(1) AS s, '\x00\xff'::BLOB AS b, 1.5::DECIMAL(5,2) AS d, 12345678901234567890123::HUGEINT AS h,
	TIMESTAMPTZ '2026-01-02 03:04:05.678+00' AS tz, TIMESTAMP '2026-01-02 03:04:05' AS ts, DATE '2026-01-02' AS day, TIME '03:04:05' AS t,
	[1, NULL] AS l, {'k': 'v'} AS st, NULL AS nothing, true AS n`

func TestJSONKeepsEveryValue(t *testing.T) {
	h := newHouse(t, guard.Open{})
	status, body := h.post(everything, "")
	answer, _, whole := strings.Cut(body, `],"stats":`)
	if status != http.StatusOK || !whole || !json.Valid([]byte(body)) {
		t.Fatalf("%d %s", status, body)
	}
	_, rows, _ := strings.Cut(answer, `"rows":[`)
	want := `[9223372036854775807,"NaN",-1.5,"a\"b,\n<é>\u0001","AP8=","1.50","12345678901234567890123",` +
		`"2026-01-02T03:04:05.678Z","2026-01-02T03:04:05","2026-01-02","03:04:05",[1,null],{"k":"v"},null,true]`
	if rows != want {
		t.Errorf("got  %s\nwant %s", rows, want)
	}
	for _, typ := range []string{
		`{"name":"n","type":"BIGINT"}`, `{"name":"d","type":"DECIMAL(5,2)"}`, `{"name":"l","type":"INTEGER[]"}`,
		`{"name":"tz","type":"TIMESTAMP WITH TIME ZONE"}`, `{"name":"b","type":"BLOB"}`, `{"name":"n","type":"BOOLEAN"}`,
	} {
		if !strings.Contains(body, typ) {
			t.Errorf("no column %s in %s", typ, body[:strings.Index(body, `"rows"`)])
		}
	}
}

func TestOtherFormats(t *testing.T) {
	h := newHouse(t, guard.Open{})
	const q = "SELECT * FROM (VALUES (1, 'x,\"y'), (2, NULL), (3, '')) t(a, b) ORDER BY a"
	if _, body := h.post(q, "application/x-ndjson"); body != "{\"a\":1,\"b\":\"x,\\\"y\"}\n{\"a\":2,\"b\":null}\n{\"a\":3,\"b\":\"\"}\n" {
		t.Errorf("lines are\n%s", body)
	}
	if _, body := h.post(q, "text/csv;q=0.9, */*;q=0.1"); body != "a,b\n1,\"x,\"\"y\"\n2,\n3,\"\"\n" {
		t.Errorf("CSV is\n%s", body)
	}
	_, body := h.post(q, "application/vnd.apache.arrow.stream")
	r, err := ipc.NewReader(bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for r.Next() {
		n += r.RecordBatch().NumRows()
	}
	if r.Err() != nil || n != 3 {
		t.Errorf("Arrow has %d rows, %v", n, r.Err())
	}
	if status, _ := h.post(q, "image/png"); status != http.StatusNotAcceptable {
		t.Errorf("image/png: %d", status)
	}
}

// TestErrors: each has its code, its place and a way out; after rows have gone, half an
// answer never looks like a whole one.
func TestErrors(t *testing.T) {
	h := newHouse(t, guard.Open{}, "silver")
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT 1 AS id, 'x' AS status", column("id", record.Int), column("status", record.String))
	for statement, part := range map[string]string{
		"SELECT *\nFROM silver.cals":               `"code":"not_found","message":"there is no table silver.cals","hint":"did you mean silver.calls?","line":2,"column":6`,
		"SELECT statsu FROM silver.calls":          `"hint":"did you mean status?","line":1,"column":8`,
		"SELECT * FORM silver.calls":               `"code":"syntax"`,
		"SELECT 1 FROM calls WHERE status = \"y\"": `Or is it a text? That is written 'y'","line":1,"column":36`,
		"SELECT id, upper(id) FROM calls":          `"line":1,"column":12`,
		"SELECT id::TXT FROM calls":                `"hint":"such as BIGINT, DOUBLE, DECIMAL(18,2), VARCHAR, DATE, TIMESTAMP","line":1,"column":12`,
		"SELECT from_json('1', '\"UHUGEINT\"')":    `"message":"the type UHUGEINT cannot be used here"`,
		"SELECT 1; SELECT 2":                       `"code":"`,
		"":                                         `"hint":"write one`,
		"DELETE FROM silver.calls":                 `"hint":"Tarn answers SELECT`,
		"SELECT 'x'::INTEGER":                      `"code":"invalid"`,
		"SELECT * FROM range(20000)":               `"code":"too_large"`,
		"SELECT " + strings.Repeat("abs(", 600) + "1" + strings.Repeat(")", 600): `"code":"too_large","message":"the statement is nested too deeply"`,
		"SELECT 1" + strings.Repeat("+1", 30000):                                 `"code":"too_large","message":"the statement is nested too deeply"`,
		"SELECT '" + strings.Repeat("x", 2<<20):                                  `"code":"too_large"`,
	} {
		status, body := h.post(statement, "")
		if status < 400 || status > 499 || !strings.Contains(body, part) {
			t.Errorf("%.60s: %d %s, want %s", statement, status, body, part)
		}
	}
	h.want("SELECT from_json('340', '\"HUGEINT\"')", "340")
	late := "SELECT repeat('x', 100) AS x, range FROM range(20000)"
	if _, body := h.post(late, "application/x-ndjson"); !strings.HasPrefix(body, `{"x":"xxx`) ||
		!strings.Contains(body[strings.LastIndex(strings.TrimSpace(body), "\n")+1:], `{"error":{"code":"too_large"`) {
		t.Errorf("lines end in %.200s", body[strings.LastIndex(strings.TrimSpace(body), "\n")+1:])
	}
	if _, body := h.post(late, "text/csv"); !strings.HasPrefix(body, "cut: ") {
		t.Error("CSV looks whole")
	}
	if _, body := h.post(late, ""); !strings.HasPrefix(body, "cut: ") && !strings.Contains(body, `],"error":{`) {
		t.Error("JSON looks whole")
	}
}

// TestDeletesAndOlderFiles: rows that delete files name are gone, and a file of an older
// schema is read by field id.
func TestDeletesAndOlderFiles(t *testing.T) {
	h := newHouse(t, guard.Open{}, "silver")
	id := table.Ident{Namespace: "silver", Name: "calls"}
	h.table(id, "SELECT range::INT AS id, 'v' || range AS was FROM range(5)", column("id", record.Int), column("was", record.String))
	scan := h.shelf.tables[id]
	dirty := filepath.Join(h.dir, "silver", "calls", "data", "b.parquet")
	h.file(dirty, "SELECT (10 + range)::INT AS id, 'w' || range AS now, range * 1.5::DOUBLE AS x FROM range(4)",
		[]table.Column{{Name: "id"}, {Name: "now"}, {Name: "x"}})
	deletes := filepath.Join(h.dir, "silver", "calls", "data", "d.parquet")
	if err := h.write.Exec(t.Context(), "COPY (SELECT 'file://' || "+duck.Quote(dirty)+" AS file_path, unnest([1, 3])::BIGINT AS pos) TO "+duck.Quote(deletes)); err != nil {
		t.Fatal(err)
	}
	scan.Columns = []table.Column{{ID: 1, Name: "id", Type: record.Long}, {ID: 2, Name: "now", Type: record.String}, {ID: 3, Name: "x", Type: record.Double}}
	scan.Files = append(scan.Files, catalog.File{Path: dirty, Dirty: true})
	scan.Deletes, scan.PathPrefix = []string{deletes}, "file://"
	h.shelf.tables[id] = scan
	h.want("SELECT * FROM silver.calls WHERE id > 2 ORDER BY id", "3,v3,", "4,v4,", "10,w0,0", "12,w2,3")
	h.want("SELECT count(*) FROM silver.calls", "7")
	h.want("SELECT count(*) FROM silver.calls a JOIN silver.calls b USING (id)", "7")
	h.refused("SELECT file_row_number FROM silver.calls", "not_found")
	scan.Files, scan.Deletes = nil, nil
	h.shelf.tables[id] = scan
	h.want("SELECT count(*), max(x) FROM silver.calls", "0,")
	h.want("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM silver.calls)", "id,BIGINT", "now,VARCHAR", "x,DOUBLE")
}

func TestViews(t *testing.T) {
	h := newHouse(t, guard.Open{})
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT range::INT AS id FROM range(5)", column("id", record.Int))
	h.shelf.tables[table.Ident{Namespace: "gold", Name: "rest"}] = h.shelf.tables[table.Ident{Namespace: "silver", Name: "calls"}]
	h.want("CREATE VIEW gold.few AS SELECT id AS n FROM calls WHERE id < 3", "CREATE VIEW")
	if got := fmt.Sprint(h.shelf.views[table.Ident{Namespace: "gold", Name: "few"}].Lineage); got != "[[silver.calls.id]]" {
		t.Errorf("lineage is %s", got)
	}
	h.want("CREATE VIEW gold.fewer AS SELECT n * 10 AS n FROM gold.few WHERE n > 0", "CREATE VIEW")
	h.want("SELECT f.n, gold.few.n FROM gold.fewer f, gold.few WHERE f.n = 10 AND few.n = 2", "10,2")
	h.want("SELECT filename FROM (SELECT 'mine' AS filename FROM gold.few LIMIT 1)", "mine")
	h.refused("CREATE VIEW gold.few AS SELECT 1 AS x", "exists")
	h.want("CREATE OR REPLACE VIEW gold.few AS SELECT n FROM (SELECT 2 AS n)", "CREATE VIEW")
	h.want("SELECT n FROM gold.fewer", "20")
	h.refused("CREATE OR REPLACE VIEW gold.few AS SELECT n FROM gold.fewer", "invalid")
	h.refused("CREATE VIEW gold.bad AS SELECT nothing FROM calls", "not_found")
	h.refused("DROP VIEW silver.calls", "not_found")
	h.want("CREATE VIEW fewest AS SELECT 1 AS n", "CREATE VIEW")
	h.want("SELECT n FROM gold.fewest", "1")
	h.want("DROP VIEW fewest", "DROP VIEW")
	h.want("DROP VIEW gold.few", "DROP VIEW")
	h.want("DROP VIEW IF EXISTS gold.few", "DROP VIEW")
	h.refused("SELECT n FROM gold.fewer", "not_found")
}

// TestMoments: AT reaches the catalog as it was meant, and a table that is named twice is
// resolved once.
func TestMoments(t *testing.T) {
	h := newHouse(t, guard.Open{})
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT 1 AS id", column("id", record.Int))
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for statement, want := range map[string][]catalog.At{
		"SELECT id FROM calls AT (VERSION => 6212345678901234567)":                               {{SnapshotID: 6212345678901234567}},
		"SELECT c.id FROM silver.calls c AT (VERSION => 'release')":                              {{Ref: "release"}},
		"SELECT id FROM calls AT (TIMESTAMP => TIMESTAMP '2026-01-02 12:00:00')":                 {{Time: noon}},
		"SELECT id FROM calls AT (TIMESTAMP => '2026-01-03'::TIMESTAMP - INTERVAL 12 HOUR)":      {{Time: noon}},
		"SELECT a.id FROM calls a, lake.silver.calls b, (SELECT id FROM silver.calls) c":         {{}},
		"SELECT a.id FROM calls a JOIN calls b AT (VERSION => 3) USING (id)":                     {{}, {SnapshotID: 3}},
		"WITH w AS (SELECT id FROM calls) SELECT w.id FROM w WHERE id IN (SELECT id FROM calls)": {{}},
	} {
		h.shelf.asked = nil
		h.want(statement, "1")
		if got := fmt.Sprint(h.shelf.asked); got != fmt.Sprint(want) {
			t.Errorf("%s asks for %s, want %v", statement, got, want)
		}
	}
	h.want("CREATE VIEW gold.v AS SELECT id FROM calls", "CREATE VIEW")
	for _, statement := range []string{
		"SELECT * FROM gold.v AT (VERSION => 3)", "SELECT * FROM calls AT (VERSION => -3)", "SELECT * FROM calls AT (VERSION => 1.5)",
		"SELECT * FROM calls AT (TIMESTAMP => NULL)", "SELECT * FROM calls AT (TIMESTAMP => id)", "SELECT * FROM information_schema.tables AT (VERSION => 3)",
	} {
		h.refused(statement, "invalid")
	}
}

// TestViewsThatGrow: each view names the one below it twice. Long before the text is too
// large for the machine the statement is refused.
func TestViewsThatGrow(t *testing.T) {
	h := newHouse(t, guard.Open{}, "gold", "silver")
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT 1 AS id", column("id", record.Int))
	below, refused := "silver.calls", ""
	for i := range 15 {
		name := fmt.Sprintf("gold.v%d", i)
		const fan = "SELECT id FROM %[1]s UNION ALL SELECT id FROM %[1]s UNION ALL SELECT id FROM %[1]s UNION ALL SELECT id FROM %[1]s"
		status, body := h.post("CREATE VIEW "+name+" AS "+fmt.Sprintf(fan, below), "")
		if status != http.StatusOK {
			refused = body
			break
		}
		below = name
	}
	if !strings.Contains(refused, `"code":"too_large"`) {
		t.Errorf("the last said %s", refused)
	}
	h.want("SELECT count(*) FROM gold.v1", "16")
}

// TestTimeout: a statement that takes too long says so.
func TestTimeout(t *testing.T) {
	h := newHouse(t, guard.Open{})
	if status, body := h.post("SELECT count(*) FROM range(100000000) a, range(100000000) b", ""); status != http.StatusRequestTimeout || !strings.Contains(body, `"code":"timeout"`) {
		t.Errorf("%d %s", status, body)
	}
	h.want("SELECT 1 AS one", "1")
}

// TestCancel: a statement whose asker has gone ends, and the next one runs.
func TestCancel(t *testing.T) {
	h := newHouse(t, guard.Open{})
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, strings.NewReader("SELECT count(*) FROM range(100000000000) a"))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			t.Error("it was answered")
		}
		cancel()
	}
	h.want("SELECT 1 AS one", "1")
}

func TestManyAtOnce(t *testing.T) {
	h := newHouse(t, guard.Open{}, "silver")
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT range::INT AS id FROM range(1000)", column("id", record.Int))
	done := make(chan struct{})
	for i := range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 5 {
				h.want(fmt.Sprintf("SELECT count(*) FROM calls WHERE id < %d", i), fmt.Sprint(i))
			}
		}()
	}
	for range 20 {
		<-done
	}
}

// TestWantOfMemory: a statement that lacks memory waits for the others and is tried again alone. What
// does not fit then either is refused by an error that names the setting, and all goes on.
func TestWantOfMemory(t *testing.T) {
	h := newHouse(t, guard.Open{})
	const tooMuch = "SELECT len(list(i)) FROM range(60000000) t(i)"
	slow, err := http.Post(h.url, "text/plain", strings.NewReader("SELECT repeat('x', 4000) || i FROM range(9000) t(i)")) //nolint:noctx // read below
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 3)
	for range cap(answers) {
		go func() {
			_, body := h.post(tooMuch, "")
			answers <- body
		}()
	}
	if _, err := io.Copy(io.Discard, slow.Body); err != nil { // which those wait for
		t.Fatal(err)
	}
	_ = slow.Body.Close()
	for range cap(answers) {
		if body := <-answers; !strings.Contains(body, `"code":"too_large"`) || !strings.Contains(body, "raise memory") {
			t.Errorf("an answer: %s", body)
		}
	}
	h.want("SELECT 1", "1")
}
