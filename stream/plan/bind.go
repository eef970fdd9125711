//go:build duckdb_arrow

package plan

import (
	"fmt"
	"regexp"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// bind lets DuckDB look at the whole body over empty tables: names, types and functions are
// refused in its words, with the place in the body.
func (c *compiler) bind() error {
	out, err := c.parser.Rewrite(c.ctx, c.request.Body, 0, func(t sqltext.Table) (sqltext.Relation, error) {
		source, err := c.resolve(c.ctx, t)
		if err != nil {
			return sqltext.Relation{}, err
		}
		r := sqltext.Relation{Text: source.empty(), Name: source.Name}
		for _, column := range source.Columns {
			r.Columns = append(r.Columns, column.Name)
		}
		return r, nil
	})
	if err != nil {
		return err
	}
	if _, err := c.describe(out.Text); err != nil {
		return c.translate(err)
	}
	return nil
}

// empty is a query with the source's columns, and no row.
func (s *Source) empty() string {
	items := make([]string, len(s.Columns))
	for i, column := range s.Columns {
		items[i] = fmt.Sprintf("NULL::%s AS %s", column.duck(), duck.Ident(column.Name))
	}
	return "SELECT " + strings.Join(items, ", ") + " LIMIT 0"
}

// duck is the column's type in DuckDB's words.
func (c Column) duck() string {
	if t, ok := duck.TypeOf(c.Type); ok {
		return t
	}
	return "VARCHAR"
}

var (
	classed = regexp.MustCompile(`^([A-Z][A-Za-z -]+?) Error: `)
	named   = regexp.MustCompile(`"([^"]+)"|name and argument types '(\w+)\(|Type with name (\w+)`)
	nearby  = regexp.MustCompile(`(?s)\n+Candidate bindings: (.*)`)
	quoted  = regexp.MustCompile(`"([^"]+)"`)
)

// translate turns DuckDB's refusal into a fault with a place in the body.
func (c *compiler) translate(err error) error {
	text := err.Error()
	m := classed.FindStringSubmatch(text)
	if m == nil {
		return err
	}
	message, hint := text[len(m[0]):], "check the names and types in the SELECT"
	if n := nearby.FindStringSubmatch(message); n != nil {
		var names []string
		for _, q := range quoted.FindAllStringSubmatch(n[1], -1) {
			names = append(names, q[1][strings.LastIndexByte(q[1], '.')+1:])
		}
		if len(names) > 0 {
			hint = "there is " + strings.Join(names, ", ")
		}
		if want := quoted.FindStringSubmatch(message); want != nil {
			if near := sqltext.Nearest(want[1], names); near != "" {
				hint = "did you mean " + near + "?"
			}
		}
	}
	message, _, _ = strings.Cut(message, "\n")
	f := fault.New(fault.Invalid, strings.TrimSuffix(strings.TrimSpace(message), "!"), hint)
	name := ""
	for _, part := range named.FindStringSubmatch(message) {
		name = part // the last that is not empty
		if part != "" && part[0] != '"' && !strings.Contains(part, " ") {
			break
		}
	}
	name = name[strings.LastIndexByte(name, '.')+1:]
	tokens, lexErr := sqltext.Lex(c.request.Body)
	if lexErr != nil || name == "" {
		return f
	}
	for _, t := range tokens {
		if (t.Kind == sqltext.Word || t.Kind == sqltext.Quoted) && strings.EqualFold(t.Name(), name) {
			return sqltext.At(f, c.request.Body, t.Offset)
		}
	}
	return f
}
