//go:build duckdb_arrow

package postgres

import (
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// words is a statement in which PostgreSQL's functions about the session itself are replaced by what they give.
type words struct {
	text string // "" for no statement
	// names are those of what was put in, by its text: DuckDB names a column by it.
	names map[string]string
}

// named is a column's name as PostgreSQL has it: what DuckDB writes of an expression with a value in it is none.
func (w words) named(column string) string {
	if name, ok := w.names[column]; ok {
		return name
	}
	if strings.Contains(column, "CAST(") {
		return "?column?"
	}
	return column
}

// words replaces the calls of those functions, with or without pg_catalog before them: the Gate knows no session.
func (c *conn) words(text string) (words, error) {
	out := words{text: text}
	lower := strings.ToLower(text)
	if !strings.Contains(lower, "current_") && !strings.Contains(lower, "session_user") && !strings.Contains(lower, "version") && !strings.Contains(lower, "pg_") {
		return out, nil
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return out, err
	}
	out.names = map[string]string{}
	var b strings.Builder
	from := 0
	for i := 0; i < len(tokens); i++ {
		at := i
		if tokens[at].Is("pg_catalog") && at+2 < len(tokens) && tokens[at+1].Is(".") {
			at += 2
		} else if at > 0 && tokens[at-1].Is(".") {
			continue // a column of that name
		}
		value, end, ok := c.word(tokens, at)
		if !ok {
			continue
		}
		out.names[value] = strings.ToLower(tokens[at].Text)
		b.WriteString(text[from:tokens[i].Offset])
		b.WriteString(value)
		from, i = end, at
		for i+1 < len(tokens) && tokens[i+1].Offset < end {
			i++
		}
	}
	b.WriteString(text[from:])
	out.text = b.String()
	return out, nil
}

// word is the value of the call that begins at a token, as an expression, and where the call ends in the text.
func (c *conn) word(tokens []sqltext.Token, at int) (value string, end int, ok bool) {
	t := tokens[at]
	if t.Kind != sqltext.Word {
		return "", 0, false
	}
	call := at+2 < len(tokens) && tokens[at+1].Is("(") && tokens[at+2].Is(")")
	end = t.Offset + len(t.Text)
	if call {
		end = tokens[at+2].Offset + 1
	}
	name := strings.ToLower(t.Text)
	switch {
	case name == "current_user", name == "session_user", name == "user" && call:
		return duck.Quote(c.who.User), end, true
	case name == "current_catalog", name == "current_database" && call:
		return duck.Quote(database), end, true
	case name == "current_schema" && call:
		return duck.Quote(schema), end, true
	case name == "version" && call:
		return duck.Quote("PostgreSQL " + serverVersion + " (Tarn)"), end, true
	case name == "pg_backend_pid" && call:
		return strconv.FormatUint(uint64(c.pid), 10), end, true
	case name == "pg_is_in_recovery" && call:
		return "false", end, true
	case name == "current_setting" && at+3 < len(tokens) && tokens[at+1].Is("(") && tokens[at+2].Kind == sqltext.String && tokens[at+3].Is(")"):
		if v, known := c.settings.get(tokens[at+2].Value()); known {
			return duck.Quote(v), tokens[at+3].Offset + 1, true
		}
	}
	return "", 0, false
}

// schema is the one in which names without a schema are looked for first.
const schema = "silver"
