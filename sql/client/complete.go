package client

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tarn/embedded/sqltext"
)

// The bounds of completion.
const (
	askedFor     = 2 * time.Second // that a Tab waits for the catalog
	choicesMax   = 60              // that are listed
	choicesWidth = 78
)

var keywords = []string{
	"SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "LEFT JOIN", "ON", "AS", "WITH", "HAVING", "DISTINCT", "UNION ALL", "COUNT(*)",
	"SHOW TABLES", "SHOW SCHEMAS", "SHOW PIPELINES", "SHOW SOURCES", "DESCRIBE", "EXPLAIN", "EXPLAIN ROW OF", "SUMMARIZE", "AT (VERSION =>", "AT (TIMESTAMP =>",
	"CREATE VIEW", "CREATE OR REPLACE VIEW", "CREATE MATERIALIZED VIEW", "CREATE SOURCE", "CREATE PIPELINE", "ALTER PIPELINE", "PAUSE PIPELINE", "RESUME PIPELINE",
	"DROP VIEW", "DROP TABLE", "DROP PIPELINE", "DROP MATERIALIZED VIEW", "DROP SOURCE", "TUMBLE(", "HOP(", "INTERVAL", "EMIT ON WINDOW CLOSE",
	"CREATE TOPIC", "ALTER TOPIC", "DROP TOPIC", "DESCRIBE TOPIC", "PRODUCE TO", "ALTER GROUP", "DROP GROUP", "SET OFFSETS TO",
	"CREATE CONNECTOR", "PAUSE CONNECTOR", "RESUME CONNECTOR", "CHECK CONNECTOR", "RESNAPSHOT CONNECTOR", "DROP CONNECTOR", "REPLAY DEAD LETTER",
}

// completer knows what Tab completes: keywords, the tables of the catalog, and columns of those that the
// statement names. It asks when it has to, and again after a statement that changes the catalog.
type completer struct {
	c       *Client
	tables  []string // schema.name; nil until somebody asked
	columns map[string][]string
}

// changed forgets the catalog where a statement has changed it.
func (w *completer) changed(statement string) {
	switch verb := sqltext.Verbs(statement, 1); {
	case len(verb) == 0:
	case slices.Contains([]string{"CREATE", "DROP", "ALTER", "INSERT"}, verb[0]):
		w.tables, w.columns = nil, nil
	}
}

// words are what may stand in a statement.
func (w *completer) words(ctx context.Context, statement string) []string {
	ctx, cancel := context.WithTimeout(ctx, askedFor)
	defer cancel()
	if w.tables == nil {
		rows, err := w.c.Records(ctx, "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables ORDER BY name")
		if err != nil {
			return keywords
		}
		w.tables, w.columns = []string{}, map[string][]string{}
		for _, r := range rows {
			w.tables = append(w.tables, r.Text("name"))
		}
	}
	out := slices.Concat(keywords, w.tables)
	lower := strings.ToLower(statement)
	for _, t := range w.tables {
		_, name, _ := strings.Cut(t, ".")
		if !strings.Contains(lower, strings.ToLower(name)) {
			continue
		}
		if _, known := w.columns[t]; !known {
			w.columns[t] = []string{}
			rows, _ := w.c.Records(ctx, "DESCRIBE "+t) // else it has none
			for _, r := range rows {
				w.columns[t] = append(w.columns[t], r.Text("column_name"))
			}
		}
		out = append(out, w.columns[t]...)
	}
	return out
}

// complete is what becomes of a line when Tab is pressed, with its new place. Where there are several
// ways to go on they are listed to out.
func complete(words []string, line string, pos int, out io.Writer) (string, int) {
	start := strings.LastIndexAny(line[:pos], " (,\t=<>+-*/") + 1
	part := line[start:pos]
	if part == "" {
		return line, pos
	}
	var found []string
	for _, w := range words {
		if len(w) >= len(part) && strings.EqualFold(w[:len(part)], part) {
			if strings.ToUpper(w) == w && strings.ToLower(part) == part { // a keyword, in the writer's case
				w = strings.ToLower(w)
			}
			found = append(found, w)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) == 0 {
		return line, pos
	}
	grown := shared(found)
	if len(grown) < len(part) { // they are written in different cases
		grown = part
	}
	if len(found) == 1 && pos == len(line) && !strings.HasSuffix(grown, "(") {
		grown += " "
	}
	if len(found) > 1 && len(grown) == len(part) {
		list(out, found)
	}
	return line[:start] + grown + line[pos:], start + len(grown)
}

// shared is what all words begin with.
func shared(words []string) string {
	first, last := words[0], words[len(words)-1] // they are in order
	n := 0
	for n < len(first) && n < len(last) && first[n] == last[n] {
		n++
	}
	return first[:n]
}

// list writes words in columns.
func list(out io.Writer, words []string) {
	more := len(words) - choicesMax
	words = words[:min(len(words), choicesMax)]
	width := 0
	for _, w := range words {
		width = max(width, len(w)+2)
	}
	across := max(1, choicesWidth/width)
	var text strings.Builder
	for i, w := range words {
		end := strings.Repeat(" ", width-len(w))
		if i%across == across-1 || i == len(words)-1 {
			end = "\n"
		}
		text.WriteString(w + end)
	}
	if more > 0 {
		_, _ = fmt.Fprintf(&text, "and %d more\n", more)
	}
	_, _ = io.WriteString(out, text.String())
}
