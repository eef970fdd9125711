//go:build duckdb_arrow

package sqltext_test

import (
	"regexp"
	"strings"
	"testing"

	"tarn/embedded/sqltext"
)

// A dialect's functions, casts, types, tables and names become DuckDB's, and pass the same walk.
func TestDialect(t *testing.T) {
	t.Parallel()
	parser, err := sqltext.NewParser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer parser.Close()
	shout := func(args []sqltext.Argument) (string, error) {
		if len(args) == 1 && args[0].Text != nil {
			return "'" + *args[0].Text + "!'", nil
		}
		return "lower(upper($1) || '!')", nil
	}
	dialect := &sqltext.Dialect{
		Schemas: []string{"pg_catalog"},
		Functions: map[string]sqltext.Template{
			"shout": shout, "lower": sqltext.As("lower(trim($1))"), "evil": sqltext.As("read_csv($1)"), "add": sqltext.As("sum($1)"),
			"kinds": sqltext.As("list(DISTINCT $1)"), "twice": sqltext.As("2 * $1"), "told": sqltext.Whatever("true"),
		},
		Tables: map[string]sqltext.Template{"two": sqltext.As("SELECT unnest([$1, $1 + 1]) AS n")},
		Casts:  map[string]sqltext.Template{"regclass": sqltext.As("(SELECT oid FROM pg_class WHERE relname = $1)")},
		Types:  map[string]string{"name": "VARCHAR"},
		Column: func(_ int, head string) string {
			if head == "" {
				return "?column?"
			}
			return head
		},
		Spell: func(out []byte, tokens []sqltext.Token) {
			for _, token := range tokens {
				if token.Is("NOISE") {
					copy(out[token.Offset:], "     ")
				}
			}
		},
	}
	for source, want := range map[string]string{
		"SELECT pg_catalog.shout(shout('x'))":          `SELECT lower((upper('x!') || '!')) AS shout`,
		"SELECT lower(a) FROM t":                       `SELECT lower(main."trim"(a)) AS lower FROM (t) AS t`,
		"SELECT NOISE 1 + 1":                           `SELECT (1 + 1) AS "?column?"`,
		"SELECT a::name FROM t":                        `SELECT CAST(a AS VARCHAR) AS a FROM (t) AS t`,
		"SELECT a::name[] FROM t":                      `SELECT CAST(a AS VARCHAR[]) AS a FROM (t) AS t`,
		"SELECT n FROM pg_catalog.two(4)":              `SELECT n FROM (SELECT unnest(main.list_value(4, (4 + 1))) AS n) AS two`,
		"SELECT 'b'::regclass AS x":                    `SELECT (SELECT oid FROM (pg_class) AS pg_class WHERE (relname = 'b')) AS x`,
		"SELECT kinds(a) FILTER (a > 1) FROM t":        `SELECT list(DISTINCT a) FILTER (WHERE (a > 1)) AS kinds FROM (t) AS t`,
		"SELECT kinds(a) OVER () FROM t":               `SELECT list(DISTINCT a) OVER () AS kinds FROM (t) AS t`,
		"SELECT told(a, 'b') FROM t":                   `SELECT CAST('t' AS BOOLEAN) AS told FROM (t) AS t`,
		"SELECT add(DISTINCT a) FILTER (a > 1) FROM t": `SELECT sum(DISTINCT a) FILTER (WHERE (a > 1)) AS "add" FROM (t) AS t`,
	} {
		out, err := parser.RewriteAs(t.Context(), dialect, source, 0, func(t sqltext.Table) (sqltext.Relation, error) {
			return sqltext.Relation{Text: t.Name}, nil
		}, nil)
		if err != nil || out.Text != want {
			t.Errorf("%s\n became %s %v\n want   %s", source, out.Text, err, want)
		}
	}
	for _, source := range []string{"SELECT evil('/etc/passwd')", "SELECT shout()", "SELECT add(a, 'b') FROM t", "SELECT * FROM two(4, 5)", "SELECT twice(a) FILTER (a > 1) FROM t"} {
		if out, err := parser.RewriteAs(t.Context(), dialect, source, 0, func(t sqltext.Table) (sqltext.Relation, error) {
			return sqltext.Relation{Text: t.Name}, nil
		}, nil); err == nil {
			t.Errorf("%s became %s", source, out.Text)
		}
	}
	deep := strings.Repeat("twice(", 60) + "1" + strings.Repeat(")", 60)
	dialect = &sqltext.Dialect{Functions: map[string]sqltext.Template{"twice": sqltext.As("$1 + $1")}}
	if _, err := parser.RewriteAs(t.Context(), dialect, "SELECT "+deep, 0, nil, nil); err == nil {
		t.Error("a statement that doubles sixty times passed")
	}
}

// TestKinds: a type is told of the column that DuckDB takes a name for, or not at all. t has x INTEGER and y DOUBLE, u x DOUBLE and z BIGINT.
func TestKinds(t *testing.T) {
	t.Parallel()
	parser, err := sqltext.NewParser(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer parser.Close()
	dialect := &sqltext.Dialect{
		Functions: map[string]sqltext.Template{"told": func(args []sqltext.Argument) (string, error) { return sqltext.Literal(args[0].Kind), nil }},
		Tables:    map[string]sqltext.Template{"two": sqltext.As("SELECT unnest([$1, $1]) AS n")},
		Kind: func(name string, args []string) string {
			if name == "round" || name == "+" {
				return args[0]
			}
			return ""
		},
	}
	columns := map[string][2][]string{"t": {{"x", "y"}, {"INTEGER", "DOUBLE"}}, "u": {{"x", "z"}, {"DOUBLE", "BIGINT"}}}
	said := regexp.MustCompile(`'([A-Z]*)'`)
	for source, want := range map[string]string{
		"SELECT told(X), y FROM t":                                                              "INTEGER",
		"SELECT told(round(x, 1)) FROM u":                                                       "DOUBLE",
		"SELECT told(x.round(1)) FROM u":                                                        "",
		"SELECT told(x) FROM t JOIN u USING (x)":                                                "",
		"SELECT (SELECT told(x) FROM u) FROM t":                                                 "DOUBLE",
		"SELECT (SELECT told(y) FROM u) FROM t":                                                 "DOUBLE",
		"SELECT n FROM (SELECT y FROM t) s(x), two(told(x))":                                    "DOUBLE",
		"SELECT told(b) FROM (SELECT COLUMNS(*) + 0, x FROM t) s(a, b, c)":                      "",
		"SELECT (SELECT told(z) FROM (SELECT unnest({'a': 1, 'b': 2.5})) s(y, z)) FROM u":       "",
		"SELECT (SELECT told(y) FROM u SEMI JOIN t USING (x)) FROM (SELECT 1 AS y) o":           "",
		"SELECT told(y) FROM (SELECT * FROM t, u) s":                                            "DOUBLE",
		"SELECT told(x) FROM (SELECT * FROM t, u) s":                                            "",
		"SELECT told(y) FROM (SELECT y FROM t UNION ALL SELECT x FROM t) s":                     "",
		"WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT told(x) FROM r": "",
	} {
		out, err := parser.RewriteAs(t.Context(), dialect, source, 0, func(t sqltext.Table) (sqltext.Relation, error) {
			of := columns[t.Name]
			return sqltext.Relation{Text: t.Name, Columns: of[0], Types: of[1]}, nil
		}, nil)
		if got := said.FindStringSubmatch(out.Text); err != nil || got == nil || got[1] != want {
			t.Errorf("%s became %s %v, want the kind %q", source, out.Text, err, want)
		}
	}
}
