//go:build duckdb_arrow

package engine

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
)

// own lists the commands that the Gate itself answers.
func (g *Gate) own() []Command {
	return []Command{
		{Verbs: []string{"CREATE VIEW", "CREATE OR REPLACE VIEW"}, asked: g.createView},
		{Verbs: []string{"DROP VIEW"}, asked: g.dropView},
		{Verbs: []string{"DROP TABLE"}, asked: g.dropTable},
		{Verbs: []string{"SHOW TABLES", "SHOW ALL TABLES"}, Run: g.showTables},
		{Verbs: []string{"SHOW SCHEMAS", "SHOW DATABASES"}, Run: g.showSchemas},
		{Verbs: []string{"SHOW COLUMNS"}, Run: g.showColumns},
		{Verbs: []string{"DESCRIBE", "DESC", "SHOW"}, asked: g.describe},
		{Verbs: []string{"CANCEL QUERY"}, Run: g.cancelQuery},
		{Verbs: []string{"EXPLAIN"}, asked: g.explain},
		{Verbs: []string{"SET", "RESET", "USE"}, Run: g.set},
		{Verbs: []string{"ALTER TABLE"}, asked: g.execute, Timeout: executeTimeout},
	}
}

// showTables is SHOW TABLES [FROM schema] [LIKE 'pattern'].
func (g *Gate) showTables(ctx context.Context, who guard.Principal, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("SHOW")
	in.Take("ALL")
	in.Take("TABLES")
	schema := ""
	if in.Take("FROM") || in.Take("IN") {
		parts, err := in.Name()
		if err != nil {
			return nil, err
		}
		schema = strings.ToLower(parts[len(parts)-1])
	}
	like, err := pattern(in)
	if err == nil {
		err = in.Done()
	}
	if err != nil {
		return nil, err
	}
	s, err := g.open(ctx, who, stmt)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.known(ctx, schema); err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, e := range entries {
		if (schema == "" || e.Namespace == schema) && like.MatchString(e.Name) {
			kind := "table"
			if e.kind == "VIEW" {
				kind = "view"
			}
			rows = append(rows, []any{e.Namespace, e.Name, kind})
		}
	}
	if schema == informationSchema {
		for _, n := range informationTables {
			if like.MatchString(n) {
				rows = append(rows, []any{informationSchema, n, "view"})
			}
		}
	}
	return Rows("SHOW TABLES", texts("schema", "name", "type"), rows)
}

// pattern reads [LIKE 'text'], in which % stands for any text and _ for one character. It
// matches in any case of letters, for names do.
func pattern(in *sqltext.Reader) (*regexp.Regexp, error) {
	like := "%"
	if in.Take("LIKE") || in.Take("ILIKE") {
		if in.Peek().Kind != sqltext.String {
			return nil, in.Fault("a text such as 'c%'")
		}
		like = in.Next().Value()
	}
	form := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(like))
	return regexp.Compile("(?is)^" + form + "$")
}

// known refuses a schema that is none.
func (s *session) known(ctx context.Context, schema string) error {
	if schema == "" {
		return nil
	}
	names, err := s.schemas(ctx)
	if err != nil || slices.Contains(names, schema) {
		return err
	}
	hint := "see SHOW SCHEMAS"
	if near := sqltext.Nearest(schema, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.Newf(fault.NotFound, hint, "there is no schema %s", schema)
}

func (g *Gate) showSchemas(ctx context.Context, who guard.Principal, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("SHOW")
	databases := in.Take("DATABASES")
	if !databases {
		in.Take("SCHEMAS")
	}
	if in.Take("FROM") || in.Take("IN") {
		if _, err := in.Name(); err != nil {
			return nil, err
		}
	}
	if err := in.Done(); err != nil {
		return nil, err
	}
	s, err := g.open(ctx, who, stmt)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if databases {
		return Rows("SHOW DATABASES", texts("name"), [][]any{{"lake"}})
	}
	names, err := s.schemas(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, n := range names {
		rows = append(rows, []any{n})
	}
	return Rows("SHOW SCHEMAS", texts("schema"), rows)
}

// set answers OK to the session settings that tools send when they log in. They change
// nothing: zone is UTC, and names are looked for in the Gate's schemas.
func (g *Gate) set(_ context.Context, _ guard.Principal, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	if in.Take("USE") {
		if _, err := in.Name(); err != nil {
			return nil, err
		}
		return Status("USE"), in.Done()
	}
	verb := "SET"
	if in.Take("RESET") {
		verb = "RESET"
	}
	in.Take("SET")
	if !in.Take("SESSION") {
		in.Take("LOCAL")
	}
	if in.Take("TIME", "ZONE") {
		return Status(verb), nil
	}
	parts, err := in.Name()
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(strings.Join(parts, "."))
	if !slices.Contains(sessionSettings, name) {
		return nil, sqltext.At(fault.Newf(fault.Denied, "settings of the server are in tarn.yaml", "the setting %s cannot be changed here", name), stmt, in.Offset())
	}
	return Status(verb), nil
}

// sessionSettings are those that drivers and tools set at log-in.
var sessionSettings = []string{
	"application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle", "extra_float_digits",
	"idle_in_transaction_session_timeout", "intervalstyle", "lock_timeout", "schema", "search_path",
	"standard_conforming_strings", "statement_timeout", "timezone",
}
