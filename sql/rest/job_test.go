//go:build duckdb_arrow

package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	doors "tarn/embedded/door"
	"tarn/embedded/guard"
	"tarn/sql/engine"
	"tarn/sql/rest"
)

// reply is what came with a body.
type reply struct {
	StatusCode int
	Header     http.Header
}

// call asks the door of a path below /api, as somebody.
func (h *house) call(method, path, user, body string, headers ...string) (reply, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, strings.TrimSuffix(h.url, "/sql")+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.SetBasicAuth(user, "")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(content)
}

type jobState struct {
	ID    string `json:"id"`
	Query int64  `json:"query"`
	State string `json:"state"`
	Rows  int64  `json:"rows"`
	Pages int    `json:"pages"`
	Far   any    `json:"progress"` // a number, or nil
	Error *struct {
		Code string `json:"code"`
	} `json:"error"`
}

// later sends a statement to be answered later and waits for its end, if told to.
func (h *house) later(statement string, wait bool) (path string, s jobState) {
	h.t.Helper()
	resp, body := h.call(http.MethodPost, "/sql", "ann", statement, "Prefer", "wait=5, Respond-Async")
	if resp.StatusCode != http.StatusAccepted {
		h.t.Fatalf("%s: %d %s", statement, resp.StatusCode, body)
	}
	path = strings.TrimPrefix(resp.Header.Get("Location"), "/api")
	for {
		if wait {
			_, body = h.call(http.MethodGet, path+"?wait=30s", "ann", "")
		}
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			h.t.Fatal(err)
		}
		if !wait || s.State != "running" {
			return path, s
		}
	}
}

// TestAnsweredLater: a statement is sent, its state asked for, its pages read in any format, and it is deleted.
func TestAnsweredLater(t *testing.T) {
	h := harbour(t, guard.Open{})
	path, s := h.later("SELECT i, repeat('x', 2000) AS s FROM range(9000) t(i)", true)
	if s.State != "done" || s.Rows != 9000 || s.Pages < 2 || s.Query == 0 || s.Far != 100.0 {
		t.Fatalf("its state is %+v", s)
	}
	rows := 0
	for n := range s.Pages {
		_, body := h.call(http.MethodGet, fmt.Sprintf("%s/pages/%d", path, n), "ann", "", "Accept", "application/vnd.apache.arrow.stream")
		r, err := ipc.NewReader(bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		for r.Next() {
			rows += int(r.RecordBatch().NumRows())
		}
	}
	if rows != 9000 {
		t.Errorf("the pages have %d rows", rows)
	}
	if resp, body := h.call(http.MethodGet, path+"/pages/999", "ann", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a page too many: %d %s", resp.StatusCode, body)
	}
	if resp, _ := h.call(http.MethodGet, path, "bob", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("bob sees it: %d", resp.StatusCode)
	}
	if resp, _ := h.call(http.MethodDelete, path, "ann", ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("deleted: %d", resp.StatusCode)
	}
	if resp, _ := h.call(http.MethodGet, path, "ann", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after it: %d", resp.StatusCode)
	}
	path, s = h.later("SELECT id FROM calls WHERE false", true)
	if _, body := h.call(http.MethodGet, path+"/pages/0", "ann", "", "Accept", "text/csv"); s.Pages != 0 || body != "id\n" {
		t.Errorf("no rows: %+v %q", s, body)
	}
	if _, s = h.later("SELECT nothing FROM calls", true); s.State != "failed" || s.Error == nil || s.Error.Code != "not_found" || s.Far != nil {
		t.Errorf("a wrong one: %+v", s)
	}
	if _, s = h.later("SELECT repeat('x', 100000) AS s FROM range(2000)", true); s.State != "failed" || s.Error.Code != "too_large" {
		t.Errorf("a large one: %+v", s)
	}
	path, _ = h.later("SELECT count(*) FROM range(10000000) a, range(10000000) b", false)
	if resp, _ := h.call(http.MethodGet, path+"/pages/0", "ann", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a page of one that runs: %d", resp.StatusCode)
	}
	h.until("SELECT 1 FROM system.queries WHERE state = 'running' AND statement LIKE '%range(10%' AND statement NOT LIKE '%system%'")
	h.call(http.MethodDelete, path, "ann", "")
	h.until("SELECT 1 FROM system.queries WHERE outcome = 'canceled'")
	// one that runs when the door closes is ended by it
	h.later("SELECT count(*) FROM range(10000000) a, range(10000000) b", false)
}

// TestWhatIsDoneIsToldThoughMemoryIsFull: a statement that changed something has not failed because the answers of others wait.
func TestWhatIsDoneIsToldThoughMemoryIsFull(t *testing.T) {
	h := harbour(t, guard.Open{})
	h.gate.Register(engine.Command{Verbs: []string{"CREATE PORT"}, Run: func(context.Context, guard.Principal, string) (*engine.Result, error) {
		return engine.Changed("CREATE PORT", 1), nil
	}})
	for _, size := range []int{20_000_000, 5_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 1} {
		for full := false; !full; {
			_, s := h.later(fmt.Sprintf("SELECT repeat('x', %d)", size), true)
			full = s.State == "failed"
		}
	}
	if _, s := h.later("CREATE PORT", true); s.State != "done" || s.Rows != 1 {
		t.Errorf("its state is %+v", s)
	}
}

// TestMergedBatches: an Arrow stream comes in large batches, whatever DuckDB's are.
func TestMergedBatches(t *testing.T) {
	h := harbour(t, guard.Open{})
	for statement, most := range map[string]int{
		"SELECT i, 'text ' || i AS s, [i, NULL] AS l, {'k': i} AS st, i::DECIMAL(10,2) AS d FROM range(10000) t(i)": 1,
		"SELECT i, union_value(n := i) AS u FROM range(5000) t(i)":                                                  3, // DuckDB's own
	} {
		_, body := h.post(statement, "application/vnd.apache.arrow.stream")
		r, err := ipc.NewReader(bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		batches := 0
		for r.Next() {
			batches++
		}
		if r.Err() != nil || batches > most {
			t.Errorf("%s: %d batches, %v", statement, batches, r.Err())
		}
	}
}

// TestOpenAPI holds the document against the program: its paths, its formats, and what is answered.
func TestOpenAPI(t *testing.T) {
	h := harbour(t, guard.Open{})
	_, text := h.call(http.MethodGet, "/openapi.json", "ann", "")
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var told []string
	for path, item := range at(doc, "paths") {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				told = append(told, strings.ToUpper(method)+" "+path)
			}
		}
	}
	door := rest.New(h.gate, guard.Open{}, slog.New(slog.DiscardHandler))
	defer door.Close()
	var there []string
	door.Mount(func(pattern string, _ http.Handler) { there = append(there, pattern) })
	for _, p := range doors.Doors[0].Paths { // which other tests hold against all that the program answers
		if _, path, _ := strings.Cut(p.Pattern, " "); (path == "/api/sql" || strings.HasPrefix(path, "/api/sql/")) && !slices.Contains(there, p.Pattern) {
			there = append(there, p.Pattern) // the page's
		}
	}
	slices.Sort(there)
	if slices.Sort(told); !slices.Equal(there, told) {
		t.Errorf("told %v\nthere are %v", told, there)
	}
	for format := range at(doc, "components", "responses", "Rows", "content") {
		if resp, body := h.call(http.MethodPost, "/sql", "ann", "SELECT 1 AS n", "Accept", format); resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != format {
			t.Errorf("%s: %d %s", format, resp.StatusCode, body)
		}
	}
	_, refusal := h.call(http.MethodPost, "/sql", "ann", "SELECT 1", "Accept", "image/png")
	for format := range strings.SplitSeq(refusal[strings.Index(refusal, `"accept `)+8:strings.Index(refusal, `","line"`)], ", ") {
		if at(doc, "components", "responses", "Rows", "content")[format] == nil {
			t.Errorf("the document does not tell of %s", format)
		}
	}
	path, _ := h.later("SELECT id, berth FROM calls", true)
	failed, _ := h.later("SELECT nothing FROM calls", true)
	for _, one := range []struct{ method, path, body, schema string }{
		{"POST", "/sql", "SELECT id, tons FROM calls", "Answer"},
		{"POST", "/sql", "SHOW TABLES", "Answer"},
		{"POST", "/sql", "SELECT nothing FROM calls", "Failure"},
		{"POST", "/sql", "", "Failure"},
		{"GET", path, "", "State"},
		{"GET", failed, "", "State"},
		{"GET", path + "/pages/0", "", "Answer"},
		{"GET", failed + "/pages/0", "", "Failure"},
		{"GET", "/sql/none", "", "Failure"},
		{"GET", path + "?wait=x", "", "Failure"},
	} {
		_, body := h.call(one.method, one.path, "ann", one.body)
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Errorf("%s %s: %v", one.method, one.path, err)
			continue
		}
		schema := map[string]any{"$ref": "#/components/schemas/" + one.schema}
		if wrong := fits(doc, schema, v, one.schema); wrong != "" {
			t.Errorf("%s %s: %s in %s", one.method, one.path, wrong, body)
		}
	}
}

func at(v any, keys ...string) map[string]any {
	for _, k := range keys {
		v = v.(map[string]any)[k]
	}
	return v.(map[string]any)
}

// fits tells where a value is not as its schema has it. It knows what the document uses.
func fits(doc, schema map[string]any, v any, where string) string {
	if ref, ok := schema["$ref"].(string); ok {
		return fits(doc, at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...), v, where)
	}
	if options, ok := schema["enum"].([]any); ok && !slices.Contains(options, v) {
		return fmt.Sprintf("%s is %v", where, v)
	}
	switch v := v.(type) {
	case map[string]any:
		if schema["type"] != "object" {
			return where + " is an object"
		}
		required, _ := schema["required"].([]any)
		for _, r := range required {
			if _, ok := v[r.(string)]; !ok {
				return where + " has no " + r.(string)
			}
		}
		properties, _ := schema["properties"].(map[string]any)
		for k, inner := range v {
			of, ok := properties[k].(map[string]any)
			if !ok && schema["additionalProperties"] == false {
				return where + " has " + k
			}
			if ok {
				if wrong := fits(doc, of, inner, where+"."+k); wrong != "" {
					return wrong
				}
			}
		}
	case []any:
		if schema["type"] != "array" {
			return where + " is an array"
		}
		items, ok := schema["items"].(map[string]any)
		for i, inner := range v {
			if !ok {
				break
			}
			if wrong := fits(doc, items, inner, fmt.Sprintf("%s[%d]", where, i)); wrong != "" {
				return wrong
			}
		}
	case string:
		if schema["type"] != "string" {
			return where + " is a text"
		}
	case float64:
		if whole := v == float64(int64(v)); schema["type"] != "number" && (schema["type"] != "integer" || !whole) {
			return where + " is a number"
		}
	}
	return ""
}
