//go:build duckdb_arrow

package pipelines_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"tarn/stream/own"
)

// TestLateRowsOfManyWindows: a row that is late for windows which begin together is told once for each of them, and
// once for windows that two readings share, also where they are more than one append takes.
func TestLateRowsOfManyWindows(t *testing.T) {
	s := newSite(t)
	s.topic("t", 1)
	s.exec("CREATE SOURCE s (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'kafka', topic = 't', flush_timeout = 'off')")
	body := ""
	for i, size := range []int{10, 20, 40, 10} {
		if i > 0 {
			body += " UNION ALL "
		}
		body += fmt.Sprintf("SELECT %d AS reading, k, count(*) AS n, window_end FROM TUMBLE(s, ts, INTERVAL '%d' SECOND) GROUP BY k, window_end", i, size)
	}
	s.exec("CREATE MATERIALIZED VIEW windowed AS " + body + " EMIT ON WINDOW CLOSE")
	s.put("t", 0, `{"k":0,"ts":"2026-01-01 00:10:00"}`)
	s.caughtUp()
	const rows = own.RecordsMax
	var late []string
	for i := range rows {
		late = append(late, fmt.Sprintf(`{"k":%d,"ts":"2026-01-01 00:00:01"}`, i))
	}
	s.put("t", 0, late...)
	s.wait(func() (bool, string) { return s.part.Statuses()[0].Rows == rows+1, s.pipelines() })
	told := map[string]int{}
	for _, text := range s.own(own.Late) {
		var r struct {
			Offset int64
			Begin  string `json:"window_start"`
			End    string `json:"window_end"`
		}
		s.must(json.Unmarshal([]byte(text), &r))
		told[fmt.Sprint(r.Offset, r.Begin, r.End)]++
	}
	for window, n := range told {
		if n != 1 {
			t.Fatalf("%s was told %d times", window, n)
		}
	}
	if len(told) != 3*rows {
		t.Errorf("%d late rows were told, want %d", len(told), 3*rows)
	}
	if n := s.part.Statuses()[0].Late; n != 3*rows {
		t.Errorf("%d late rows were counted, want %d", n, 3*rows)
	}
}
