package sqltext

import (
	"maps"
	"slices"
	"strings"

	"tarn/embedded/fault"
)

const (
	hintView  = "write CREATE MATERIALIZED VIEW gold.name AS SELECT …, which is kept up to date"
	hintAlter = "write ALTER PIPELINE name AS SELECT …, which makes the new one beside the old"
	hintSink  = "a table of gold is the sink: write CREATE MATERIALIZED VIEW gold.name AS SELECT …"
	hintShow  = "write SHOW PIPELINES"
)

// foreignHeads begin statements of other engines, and ones that are misspelt; with what to write here.
var foreignHeads = map[string]string{
	"CREATE STREAM":                       "write CREATE SOURCE name (columns) WITH (connector = 'kafka', topic = '…') for a topic, or CREATE MATERIALIZED VIEW gold.name AS SELECT …",
	"CREATE OR REPLACE STREAM":            hintAlter,
	"CREATE OR REPLACE TABLE":             hintAlter,
	"CREATE OR REPLACE MATERIALIZED VIEW": hintAlter,
	"CREATE OR REPLACE PIPELINE":          hintAlter,
	"CREATE OR REPLACE SOURCE":            "write DROP SOURCE name, then CREATE SOURCE",
	"CREATE MATERIALISED VIEW":            "did you mean CREATE MATERIALIZED VIEW?",
	"CREATE MATERIALIZED":                 "did you mean CREATE MATERIALIZED VIEW?",
	"CREATE SINK":                         hintSink,
	"CREATE CONNECTOR":                    "put its configuration into the project, as connectors/name.json",
	"CREATE TEMPORARY TABLE":              "write CREATE SOURCE name (columns) WITH (connector = 'kafka', topic = '…')",
	"CREATE TEMPORARY VIEW":               "write CREATE VIEW gold.name AS SELECT …",
	"ALTER MATERIALIZED VIEW":             hintAlter,
	"ALTER SOURCE":                        "write DROP SOURCE name, then CREATE SOURCE",
	"DROP STREAM":                         "write DROP SOURCE name, or DROP PIPELINE name",
	"DROP SINK":                           "write DROP PIPELINE name",
	"INSERT OVERWRITE":                    "write INSERT INTO table SELECT …",
	"SHOW PIPELINE":                       hintShow + ", or DESCRIBE PIPELINE name",
	"SHOW MATERIALIZED VIEWS":             hintShow,
	"SHOW SINKS":                          hintShow,
	"SHOW STREAMS":                        "write SHOW SOURCES, or SHOW PIPELINES",
	"SHOW QUERIES":                        hintShow,
	"SHOW JOBS":                           hintShow,
	"SHOW CREATE TABLE":                   "write DESCRIBE table; the statement of a pipeline is in DESCRIBE PIPELINE name",
	"SHOW CREATE MATERIALIZED VIEW":       "write DESCRIBE PIPELINE name",
	"STOP PIPELINE":                       "write PAUSE PIPELINE name",
	"START PIPELINE":                      "write RESUME PIPELINE name",
	"REFRESH MATERIALIZED VIEW":           "leave it out: it is kept up to date by itself",
}

// ForeignHeads are the first words of statements that Foreign refuses.
func ForeignHeads() []string { return slices.Sorted(maps.Keys(foreignHeads)) }

// Foreign refuses a statement of another engine, and says what is written here.
func Foreign(statement string) error {
	words := Verbs(statement, 5)
	for n := len(words); n > 0; n-- {
		head := strings.Join(words[:n], " ")
		if hint := foreignHeads[head]; hint != "" {
			at := 0
			if tokens, err := Lex(statement); err == nil && len(tokens) > 0 {
				at = tokens[0].Offset
			}
			return At(fault.Newf(fault.Syntax, hint, "there is no statement %s", head), statement, at)
		}
	}
	return nil
}

// second are words behind CREATE, INSERT and the like that begin a statement.
var second = []string{"MATERIALIZED", "SOURCE", "PIPELINE", "TABLE", "VIEW", "INTO", "STREAM"}

// foreign refuses what no parser at hand knows, before it says less of it, and what changes
// an answer from within a comment.
func foreign(source string, tokens []Token) error {
	end := 0
	for i, t := range tokens {
		if hint := strings.Index(source[end:t.Offset], "/*+"); hint >= 0 && strings.Contains(strings.ToUpper(source[end:t.Offset]), "OPTIONS") {
			return At(fault.New(fault.Invalid, "a pipeline cannot change the options of a source", "write them where the source is declared"), source, end+hint)
		}
		end = t.Offset + len(t.Text)
		if message, hint := foreignAt(tokens, i); message != "" {
			return At(fault.New(fault.Invalid, message, hint), source, t.Offset)
		}
	}
	return nil
}

// foreignAt is what is said of a token that only other engines know, and what to write.
func foreignAt(tokens []Token, i int) (message, hint string) {
	t := tokens[i]
	next := func(n int, words ...string) bool {
		return i+n < len(tokens) && slices.ContainsFunc(words, tokens[i+n].Is)
	}
	switch {
	case t.Is("FOR") && next(1, "SYSTEM_TIME"):
		return "a pipeline cannot use FOR SYSTEM_TIME AS OF", "read one stream, and join its result in a query"
	case t.Is("MATCH_RECOGNIZE") && next(1, "("):
		return "a pipeline cannot use MATCH_RECOGNIZE", "take aggregates over TUMBLE or HOP"
	case t.Is("WINDOW") && next(1, "TUMBLING", "HOPPING", "SESSION"):
		return "a pipeline cannot use WINDOW " + strings.ToUpper(tokens[i+1].Text), "write FROM TUMBLE(table, column, INTERVAL '1' MINUTE) or HOP(table, column, slide, size), and group by window_start, window_end"
	case t.Is("EMIT") && next(1, "CHANGES"):
		return "a pipeline does not end with EMIT CHANGES", "leave it out: a materialized view tells every change"
	case t.Is("EMIT") && next(1, "FINAL"):
		return "a pipeline does not end with EMIT FINAL", "write EMIT ON WINDOW CLOSE"
	case t.Is("{") && next(1, "{"):
		return "a template stands where SQL should", "write what it stands for: FROM orders and not FROM {{ ref('orders') }}"
	case i > 0 && slices.ContainsFunc([]string{"CREATE", "INSERT", "ALTER", "DROP"}, t.Is) && next(1, second...):
		return "a second statement begins here", "end the one before with a semicolon; by POST /api/sql send them one by one"
	case t.Is("INTERVAL") && i+2 < len(tokens) && bare(tokens[i+1]) && tokens[i+2].Kind == Word:
		unit := tokens[i+2].Text
		if _, near := intervalUnit(unit); near && !slices.Contains(units, strings.TrimSuffix(strings.ToUpper(unit), "S")) {
			return "there is no unit " + unit + " of an interval", "write SECOND, MINUTE, HOUR or DAY, as in INTERVAL '10' SECOND"
		}
	}
	return "", ""
}

// units may stand behind the number of an interval; within its quotes others may, too: '10 secs'.
var units = []string{"MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR", "DECADE", "CENTURY", "MILLENNIUM"}

// bare tells whether a token is a number without a unit.
func bare(t Token) bool {
	return (t.Kind == String || t.Kind == Number) && strings.Trim(t.Value(), "0123456789. ") == ""
}
