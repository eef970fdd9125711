package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"tarn/ui/uitest"
)

// bareAt is a column that has to be in quotes: AT is a word of SQL.
var bareAt = regexp.MustCompile(`(^|[ ,])at([ ,]|$)`)

// answerOfPipelines answers what the pages of pipelines and sources ask of /api/sql; false for anything else.
func answerOfPipelines(w http.ResponseWriter, text string) bool {
	hostile := strings.Contains(text, "onerror")
	switch {
	case strings.Contains(text, "FROM system.") && bareAt.MatchString(text):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"syntax","message":"syntax error at or near \"DESC\"","hint":"if at is the name of a column, write it in double quotes: \"at\"","line":1,"column":1}}`)
	case strings.HasPrefix(text, "DESCRIBE silver.calls"):
		answer(w, []string{"column_name", "column_type", "null", "key"}, []string{"VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}, [][]any{{"call_id", "BIGINT", "NO", "PRI"}, {"port", "VARCHAR", "YES", nil}})
	case strings.HasPrefix(text, "EXPLAIN ROW OF"):
		answerOfRow(w, text)
	case strings.HasPrefix(text, "EXPLAIN") && strings.Contains(text, "wrong"):
		w.WriteHeader(http.StatusBadRequest)
		line, column := 1+strings.Count(text[:strings.Index(text, "wrong")], "\n"), strings.Index(text, "wrong")-strings.LastIndex(text[:strings.Index(text, "wrong")], "\n")
		_, _ = fmt.Fprintf(w, `{"error":{"code":"invalid","message":"there is no column wrong","hint":"did you mean berth?","line":%d,"column":%d}}`, line, column)
	case strings.HasPrefix(text, "EXPLAIN"):
		what := "keep gold.moves_per_minute by (window_start, crane)"
		if hostile {
			what = uitest.Hostile
		}
		answer(w, []string{"step", "what", "columns", "reads"}, []string{"VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}, [][]any{
			{"in0", "read topic port.main.moves as debezium-json; watermark moved_at - 4s", "crane string, moved_at timestamp", nil},
			{"in1", "read silver.calls, then topic port.main.calls from its offsets", "call_id long, berth string", nil},
			{"op0", "windows of 1m0s, told when they close: count(*) by (window_start, crane)", nil, "in0, in1"},
			{"table", what, "window_start timestamp, crane string, n long", "op0"},
		})
	case strings.Contains(text, "FROM system.ticks"):
		rows := [][]any{}
		for i := range 40 {
			rows = append(rows, []any{fmt.Sprintf("2026-07-01 12:%02d:30.123456+00", 59-i), 340 - i, 3 + i%4, 40 + (i*i*7)%160, 12, i % 13 / 12, 0, 3.25 + float64(i%5), "2026-07-01 12:00:00+00", 0})
		}
		answer(w, []string{"at", "epoch", "ticks", "rows", "emitted", "late", "dead", "tick_ms", "watermark", "lag"}, []string{"TIMESTAMP WITH TIME ZONE", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "DOUBLE", "TIMESTAMP WITH TIME ZONE", "BIGINT"}, rows)
	case strings.Contains(text, "FROM system.late"):
		rows := [][]any{}
		if strings.Contains(text, "moves_per_minute") {
			rows = append(rows, []any{"port.main.moves", 1, 119, "2026-07-01 12:04:30+00", "2026-07-01 12:00:00+00", "2026-07-01 12:01:00+00", "2026-07-01 12:02:10+00", `{"move_id":119,"crane":"C3"}`})
		}
		answer(w, []string{"topic", "partition", "offset", "at", "window_start", "window_end", "watermark", "value"}, []string{"VARCHAR", "INTEGER", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}, rows)
	case strings.Contains(text, "FROM system.dead_letter"):
		value := `{"moved_at":"not a time","crane":"C1"}`
		if hostile {
			value = uitest.Hostile
		}
		names := []string{"topic", "partition", "offset", "at", "error", "key", "value", "reader", "letter", "replayed", "to_partition", "to_offset"}
		types := []string{"VARCHAR", "INTEGER", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "VARCHAR", "INTEGER", "BIGINT"}
		answer(w, names, types, [][]any{
			{"port.main.moves", 0, 118, "2026-07-01 12:04:31+00", "column moved_at: \"not a time\" is no timestamp", nil, value, "pipeline gold.moves_per_minute", 7, nil, nil, nil},
			{"gate", nil, nil, "2026-07-01 12:04:32+00", "line 12 is no JSON object", "gate-2026.log:12", value, "source gate", 8, nil, nil, nil},
			{"gate", nil, nil, "2026-07-01 12:04:30+00", "line 11 is no JSON object", "gate-2026.log:11", value, "source gate", 6, "2026-07-01 12:04:31+00", 0, 204},
			{"gate", nil, nil, "2026-06-30 12:04:30+00", "line 3 is no JSON object", "gate-2026.log:3", value, nil, nil, nil, nil, nil}, // of a version before
		})
	case strings.HasPrefix(text, "REPLAY") && strings.Contains(text, "wrong"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"invalid","message":"the value is no JSON object: it does not begin with {","hint":"write the record that it should be","line":1,"column":24}}`)
	case strings.HasPrefix(text, "REPLAY"):
		answer(w, []string{"letter", "topic", "partition", "offset", "repeated"}, []string{"BIGINT", "VARCHAR", "INTEGER", "BIGINT", "BOOLEAN"}, [][]any{{8, "gate", 0, 205, false}})
	case strings.HasPrefix(text, "CREATE CONNECTOR") && strings.Contains(text, "wrong"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"invalid","message":"topic is wrong","hint":"use letters","line":4,"column":13}}`)
	case strings.HasPrefix(text, "CREATE CONNECTOR"):
		answer(w, []string{"file", "finding"}, []string{"VARCHAR", "VARCHAR"}, [][]any{{"connectors/the_gate_s.json", "directory in <box> has no file to read yet"}})
	case strings.HasPrefix(text, "CHECK CONNECTOR port"):
		answer(w, []string{"level", "table_name", "key", "finding", "hint", "mend"}, []string{"VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}, [][]any{
			{"error", nil, "database.user", "the role tarn may not replicate", "let it", "ALTER ROLE tarn REPLICATION"}, {"warning", "log", nil, "the table has no key: it gets no mirror", nil, nil},
		})
	case strings.HasPrefix(text, "CHECK CONNECTOR"):
		answer(w, []string{"level", "table_name", "key", "finding", "hint", "mend"}, []string{"VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}, [][]any{})
	case strings.HasPrefix(text, "RESNAPSHOT CONNECTOR"):
		answer(w, []string{"table_name"}, []string{"VARCHAR"}, [][]any{{"calls"}})
	case strings.Contains(text, " TOPIC ") && strings.Contains(text, "wrong"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"invalid","message":"setting retention.ms cannot be \"wrong\": it is a whole number","hint":"write a number","line":1,"column":9}}`)
	case strings.HasPrefix(text, "PRODUCE") && strings.Contains(text, "wrong"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"invalid","message":"append to port.main.moves: record without a key, which a compacted topic cannot take","hint":"give it a key"}}`)
	case strings.HasPrefix(text, "PRODUCE"):
		answer(w, []string{"topic", "partition", "offset", "timestamp"}, []string{"VARCHAR", "INTEGER", "BIGINT", "TIMESTAMP WITH TIME ZONE"}, [][]any{{"port.main.moves", 1, 60, "2026-07-01 12:04:31+00"}})
	case strings.HasPrefix(text, "ALTER TOPIC"):
		answer(w, []string{"setting", "before", "value"}, []string{"VARCHAR", "VARCHAR", "VARCHAR"}, [][]any{{"retention.ms", "-1", "86400000"}})
	case strings.HasPrefix(text, "PAUSE"), strings.HasPrefix(text, "RESUME"), strings.HasPrefix(text, "DROP"), strings.HasPrefix(text, "CREATE"), strings.HasPrefix(text, "ALTER"):
		_, _ = io.WriteString(w, `{"columns":[],"rows":[],"stats":{"rows":0,"ms":3}}`)
	default:
		return false
	}
	return true
}
