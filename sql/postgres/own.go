//go:build duckdb_arrow

package postgres

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
	"tarn/sql/postgres/catalog"
)

// words is a statement in which PostgreSQL's functions about the session itself, with or without pg_catalog before them,
// hold what they give: the Gate knows no session.
func (c *conn) words(text string) (string, error) {
	text, err := marked(text)
	if err == nil {
		text, err = floats(text)
	}
	if err != nil {
		return text, err
	}
	lower := strings.ToLower(text)
	if !strings.Contains(lower, "current_") && !strings.Contains(lower, "session_user") && !strings.Contains(lower, "version") && !strings.Contains(lower, "pg_") {
		return text, nil
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return text, err
	}
	query := len(tokens) > 0 && slices.ContainsFunc([]string{"SELECT", "WITH", "VALUES", "FROM", "TABLE", "DECLARE", "COPY", "("}, tokens[0].Is)
	var b strings.Builder
	from := 0
	for i := 0; i < len(tokens); i++ {
		at := i
		if tokens[at].Is("pg_catalog") && at+2 < len(tokens) && tokens[at+1].Is(".") {
			at += 2
		} else if at > 0 && (tokens[at-1].Is(".") || tokens[at-1].Is("AS")) {
			continue // a column of that name
		}
		value, end, ok := c.word(tokens, at)
		if !ok {
			continue
		}
		b.WriteString(text[from:tokens[i].Offset])
		if query && !tokens[at].Is("pg_listening_channels") {
			value = catalog.Said(tokens[at].Text, value)
		}
		b.WriteString(value)
		from, i = end, at
		for i+1 < len(tokens) && tokens[i+1].Offset < end {
			i++
		}
	}
	b.WriteString(text[from:])
	return b.String(), nil
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
	case name == "current_schema" && (call || at+1 >= len(tokens) || !tokens[at+1].Is("(")):
		if len(c.path()) == 0 {
			return "CAST(NULL AS VARCHAR)", end, true
		}
		return duck.Quote(cmp.Or(engine.MadeIn(c.path()), c.path()[0])), end, true // that in which tables are made
	case name == "version" && call:
		return duck.Quote("PostgreSQL " + serverVersion + " (Tarn)"), end, true
	case name == "pg_backend_pid" && call:
		return strconv.FormatUint(uint64(c.pid), 10), end, true
	case name == "pg_listening_channels" && call:
		return c.listening(tokens, at), end, true
	case name == "pg_is_in_recovery" && call:
		return "false", end, true
	case name == "current_setting" && at+3 < len(tokens) && tokens[at+1].Is("(") && tokens[at+2].Kind == sqltext.String && tokens[at+3].Is(")"):
		if v, known := c.settings.get(tokens[at+2].Value()); known {
			return duck.Quote(v), tokens[at+3].Offset + 1, true
		}
	}
	return "", 0, false
}

// path are the schemas in which names without one are looked for. public stands for those of the Gate.
func (c *conn) path() (path []string) {
	for name := range strings.SplitSeq(c.settings.now["search_path"], ",") {
		name = strings.Trim(strings.TrimSpace(name), `"`)
		switch {
		case name == "public":
			path = append(path, c.door.o.Gate.Schemas()...)
		case name != "" && name != "$user" && name != "pg_catalog":
			path = append(path, name)
		}
	}
	return path
}

// request is a statement of the connection in PostgreSQL's dialect.
func (c *conn) request(text string) engine.Request {
	path := c.path()
	if path == nil {
		path = []string{} // none, and not those of the Gate
	}
	return engine.Request{Text: text, Principal: c.who, Timeout: c.settings.timeout(), Dialect: c.door.dialect, Schemas: path, Zone: c.settings.zoneName(), Session: c.temps}
}
