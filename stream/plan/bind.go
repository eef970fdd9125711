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

// noTime refuses windows over a column that is no time, at the first TUMBLE or HOP.
func (c *compiler) noTime(message string) error {
	kind := "a number or a text"
	if m := typed1.FindStringSubmatch(message); m != nil {
		kind = m[1]
	}
	at := 0
	if tokens, err := sqltext.Lex(c.request.Body); err == nil {
		for _, t := range tokens {
			if t.Is("TUMBLE") || t.Is("HOP") {
				at = t.Offset
				break
			}
		}
	}
	return c.refuse(at, "name a column of the type TIMESTAMP or TIMESTAMPTZ, or make one in a subquery: to_timestamp(seconds), strptime(text, …)", "TUMBLE and HOP are over times, and their column is %s", kind)
}

// starred refuses a star beside an aggregate, of which DuckDB would only name a column that nobody wrote.
func (c *compiler) starred(q *sqltext.Query) error {
	for _, part := range q.Union {
		if err := c.starred(part); err != nil {
			return err
		}
	}
	if q.From != nil && q.From.Sub != nil {
		if err := c.starred(q.From.Sub); err != nil {
			return err
		}
	}
	grouped := len(q.Group) > 0 || q.Having != nil
	for _, item := range q.Items {
		grouped = grouped || item.Expr != nil && len(item.Expr.Calls()) > 0
	}
	for _, item := range q.Items {
		if item.Star && grouped {
			return c.refuse(item.Offset, "name the columns, and name them behind GROUP BY, too", "a star cannot be used with GROUP BY or an aggregate in a pipeline")
		}
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
	quoted  = regexp.MustCompile(`"([^"]*)"`)
	// plainName is what a column may be called that a hint names: not a piece of a text of Tarn's own.
	plainName = regexp.MustCompile(`^\w+$`)
	typed1    = regexp.MustCompile(`'epoch_us\(([^)]*)\)`)
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
			if name := q[1][strings.LastIndexByte(q[1], '.')+1:]; plainName.MatchString(name) {
				names = append(names, name)
			}
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
	switch {
	case strings.Contains(message, "must appear in the GROUP BY"):
		hint = "name it behind GROUP BY, too, or take one value of it, such as max(…)"
	case strings.Contains(message, "argument types 'epoch_us("):
		return c.noTime(message)
	}
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
			if t.Kind == sqltext.Quoted && strings.HasPrefix(message, "Referenced column") {
				f.Hint += "; if it is a text, write it in single quotes: '" + name + "'"
			}
			return sqltext.At(f, c.request.Body, t.Offset)
		}
	}
	return f
}
