//go:build duckdb_arrow

package sqltext_test

import (
	"regexp"
	"strings"
	"testing"

	"tarn/embedded/sqltext"
)

// TestValues: one walk serves all values of a statement's parameters, and each text is what a parser makes of it that knows no other.
func TestValues(t *testing.T) {
	t.Parallel()
	c := newCage(t)
	dialect := &sqltext.Dialect{
		Functions: map[string]sqltext.Template{"shout": func(args []sqltext.Argument) (string, error) {
			if args[0].Text == nil {
				return "upper($1)", nil
			}
			return "'" + strings.ToUpper(strings.ReplaceAll(*args[0].Text, "'", "''")) + "'", nil
		}},
		List: func(text string) (string, bool) {
			return "[" + strings.Trim(text, "{}") + "]", strings.HasPrefix(text, "{")
		},
	}
	values := []string{"7", "8", "it''s", `a"b`, "", "{1,2}", "{3}", "x' || 'y", "[7]", "ship"}
	random := regexp.MustCompile(`q[0-9a-f]{16}_`)
	for _, statement := range []string{
		"SELECT word FROM t WHERE id = TRY_CAST(CAST(@ AS VARCHAR) AS INTEGER)",
		"SELECT id FROM t WHERE word IN (CAST(@ AS VARCHAR), CAST('7' AS VARCHAR), CAST(@ AS VARCHAR))",
		"SELECT id + CAST(@ AS INTEGER) FROM t GROUP BY id + CAST(@ AS INTEGER)",
		"SELECT shout(CAST(@ AS VARCHAR)), shout(word) FROM t",
		"SELECT CAST(@ AS INTEGER[])",
		"WITH a AS (SELECT CAST(@ AS VARCHAR) FROM t), b AS (SELECT * FROM a, a c) SELECT * FROM b ORDER BY ALL LIMIT 3",
		`SELECT struct_extract({"7": 1, ship: 2}, CAST(@ AS VARCHAR)) FROM t`,
		"SELECT 'CAST(@ AS VARCHAR)', CAST(@ AS VARCHAR) AS \"a CAST('x' AS\"",
	} {
		for range 2 {
			for _, value := range values {
				source := strings.ReplaceAll(statement, "@", "'"+value+"'")
				if strings.Contains(value, " || ") && strings.Contains(statement, "'CAST") {
					continue // is no text within a text
				}
				resolve := func(sqltext.Table) (sqltext.Relation, error) {
					return sqltext.Relation{Text: "SELECT 7 AS id, 'ship' AS word", Name: "s.t", Columns: []string{"id", "word"}}, nil
				}
				got, err := c.parser.RewriteAs(t.Context(), dialect, source, 100, resolve, nil)
				// A comment before the value is all that keeps it from being one that others stand for.
				want, err2 := c.parser.RewriteAs(t.Context(), dialect, strings.ReplaceAll(source, "CAST('", "CAST (/**/'"), 100, resolve, nil)
				if (err == nil) != (err2 == nil) {
					t.Errorf("%s: %v, not %v", source, err, err2)
					continue
				}
				if a, b := random.ReplaceAllString(got.Text, ""), random.ReplaceAllString(want.Text, ""); a != b && !strings.Contains(statement, "'CAST") {
					t.Errorf("%s became\n%s, not\n%s", source, a, b)
				}
				if a, b := c.run(got.Text), c.run(want.Text); a != b && !strings.Contains(statement, "'CAST") {
					t.Errorf("%s answers %s, not %s", source, a, b)
				}
			}
		}
	}
}
