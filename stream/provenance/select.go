//go:build duckdb_arrow

package provenance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// side is a relation in a FROM; a join has several.
type side struct {
	*relation
	alias  string
	hidden []string // columns that a star does not show: those that USING has of another side
}

// selection is a SELECT over its sides.
type selection struct {
	t     *tracer
	q     *sqltext.Query
	sides []*side
	// source is the FROM over the rows of all sides, but over the trace of one; nil is none.
	source func(traced *side) string

	items []item
	where string   // the condition
	keys  []string // the expressions of GROUP BY
	plain []string // the columns of the only side that they are; "" for what is no plain column
	after string   // HAVING
}

// item is a column of a SELECT; column is that of the only side that it is, if it is one and no more.
type item struct{ text, name, column string }

// joins are the kinds of joins that are walked back.
var joins = map[string]string{"INNER": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "OUTER": "FULL JOIN", "CROSS": "CROSS JOIN"}

// sources adds the sides of a FROM to a selection.
func (t *tracer) sources(ctx context.Context, s scope, f *sqltext.From, into *selection) (func(*side) string, error) {
	if f.Join == nil {
		r, err := t.from(ctx, s, f)
		if err != nil {
			return nil, err
		}
		one := &side{relation: r, alias: f.SourceName()}
		if one.alias == "" {
			one.alias = fmt.Sprintf("_a%d", len(into.sides))
		}
		into.sides = append(into.sides, one)
		return func(traced *side) string {
			if traced == one {
				return r.trace + " AS " + duck.Ident(one.alias)
			}
			return r.rows + " AS " + duck.Ident(one.alias)
		}, nil
	}
	word, ok := joins[f.Join.Kind]
	if !ok {
		return nil, lost("it has a %s JOIN, of whose right side no row is in the answer", f.Join.Kind)
	}
	left, err := t.sources(ctx, s, f.Join.Left, into)
	if err != nil {
		return nil, err
	}
	from := len(into.sides)
	right, err := t.sources(ctx, s, f.Join.Right, into)
	if err != nil {
		return nil, err
	}
	on := ""
	switch {
	case f.Join.On != nil:
		if on, err = t.parser.SQL(ctx, f.Join.On, nil); err != nil {
			return nil, err
		}
		on = " ON " + on
	case len(f.Join.Using) > 0:
		on = " USING (" + duck.List(f.Join.Using) + ")"
		for _, one := range into.sides[from:] {
			one.hidden = append(one.hidden, f.Join.Using...)
		}
	}
	open, shut := "", ""
	if f.Join.Right.Join != nil {
		open, shut = "(", ")"
	}
	return func(traced *side) string { return left(traced) + " " + word + " " + open + right(traced) + shut + on }, nil
}

// render puts the SELECT's expressions into words.
func (s *selection) render(ctx context.Context) (err error) {
	text := func(e *sqltext.Expr) (out string) {
		if e != nil && err == nil {
			out, err = s.t.parser.SQL(ctx, e, nil)
		}
		return out
	}
	for _, i := range s.q.Items {
		if i.Star {
			s.star(i)
			continue
		}
		s.items = append(s.items, item{text(i.Expr), i.Name, s.plainColumn(i.Expr)})
	}
	s.where = text(s.q.Where)
	if s.q.Having != nil {
		s.after = " HAVING " + text(s.q.Having)
	}
	for _, g := range s.q.Group {
		s.keys, s.plain = append(s.keys, text(g)), append(s.plain, s.plainColumn(g))
	}
	return err
}

// star adds the columns that a star stands for.
func (s *selection) star(i sqltext.Item) {
	for _, one := range s.sides {
		if i.StarOf != "" && !strings.EqualFold(i.StarOf, one.alias) {
			continue
		}
		for _, c := range one.columns {
			named := func(x string) bool { return strings.EqualFold(x, c) }
			if slices.ContainsFunc(i.Exclude, named) || i.StarOf == "" && slices.ContainsFunc(one.hidden, named) {
				continue
			}
			s.items = append(s.items, item{duck.Ident(one.alias) + "." + duck.Ident(c), c, c})
		}
	}
}

func (s *selection) plainColumn(e *sqltext.Expr) string {
	if ref, ok := e.Column(); ok && len(s.sides) == 1 {
		return s.sides[0].column(ref.Name)
	}
	return ""
}

// list are the items; with a relation's name before each they are columns of it.
func (s *selection) list(of string) []string {
	out := make([]string, len(s.items))
	for n, i := range s.items {
		if out[n] = i.text + " AS " + duck.Ident(i.name); of != "" {
			out[n] = of + "." + duck.Ident(i.name)
		}
	}
	return out
}

// rows is a SELECT of items over the rows of the sides.
func (s *selection) rows(items []string) string {
	out := "SELECT " + strings.Join(items, ", ") + " FROM " + s.source(nil)
	if s.where != "" {
		out += " WHERE " + s.where
	}
	return out
}

// traces is a SELECT of items and the hidden columns over the traces of the sides, one behind the other. An outer join has rows
// without one of them.
func (s *selection) traces(items []string) string {
	parts := make([]string, len(s.sides))
	for i, one := range s.sides {
		all := slices.Clone(items)
		for _, h := range hidden {
			column := duck.Ident(one.alias) + "." + duck.Ident(h)
			if h == groupColumn && len(s.sides) > 1 { // one row is of a group of each side
				column = "NULL::VARCHAR"
			}
			all = append(all, column+" AS "+duck.Ident(h))
		}
		condition := duck.Ident(one.alias) + "." + duck.Ident(leafColumn) + " IS NOT NULL"
		if s.where != "" {
			condition += " AND (" + s.where + ")"
		}
		parts[i] = "SELECT " + strings.Join(all, ", ") + " FROM " + s.source(one) + " WHERE " + condition
	}
	return strings.Join(parts, " UNION ALL ")
}

// made is the relation of the SELECT, without its queries.
func (s *selection) made() *relation {
	out := &relation{}
	for _, i := range s.items {
		out.columns = append(out.columns, i.name)
	}
	for _, one := range s.sides {
		out.grouped = out.grouped || one.grouped || len(s.sides) > 1
		for _, l := range one.leaves {
			if !slices.Contains(out.leaves, l) {
				out.leaves = append(out.leaves, l)
			}
		}
	}
	return out
}

// linear is a SELECT that makes one row of each.
func (s *selection) linear() *relation {
	out := s.made()
	rows := s.rows(s.list(""))
	if s.q.Distinct {
		rows, out.grouped = "SELECT DISTINCT * FROM ("+rows+")", true
	}
	out.rows, out.trace = s.t.with(rows), s.t.with(s.traces(s.list("")))
	if len(s.sides) > 1 {
		return out
	}
	out.single = s.sides[0].single && !s.q.Distinct
	for _, k := range s.sides[0].key {
		at := slices.IndexFunc(s.items, func(i item) bool { return i.column == k })
		if at < 0 {
			out.key = nil
			break
		}
		out.key = append(out.key, s.items[at].name)
	}
	return out
}

// groups is a SELECT with GROUP BY or aggregates: the answers of the groups, and beside each of them the events with its keys.
func (s *selection) groups() *relation {
	out := s.made()
	out.grouped, out.single = true, len(s.keys) == 0
	var named, on, keys []string
	for i, k := range s.keys {
		name := duck.Ident(fmt.Sprintf("_k%d", i))
		named = append(named, k+" AS "+name)
		on, keys = append(on, "g."+name+" IS NOT DISTINCT FROM e."+name), append(keys, "g."+name+"::VARCHAR")
	}
	rows, group, condition := s.rows(append(s.list(""), named...)), "''", "true"
	if len(s.keys) > 0 {
		rows += " GROUP BY " + strings.Join(s.keys, ", ")
		group, condition = "to_json(list_value("+strings.Join(keys, ", ")+"))::VARCHAR", strings.Join(on, " AND ")
	}
	groups, events := s.t.with(rows+s.after), s.t.with(s.traces(named))
	list := s.list("g")
	for _, h := range hidden {
		if h != groupColumn {
			list = append(list, "e."+duck.Ident(h))
		}
	}
	out.rows = s.t.with("SELECT " + duck.List(out.columns) + " FROM " + groups)
	out.trace = s.t.with("SELECT " + strings.Join(append(list, group+" AS "+duck.Ident(groupColumn)), ", ") + " FROM " + groups + " AS g JOIN " + events + " AS e ON " + condition)
	out.key = s.groupKey()
	return out
}

// groupKey are the output's columns that tell the groups apart; nil where one of the keys is not in the output.
func (s *selection) groupKey() (out []string) {
	for n := range s.keys {
		at := slices.IndexFunc(s.items, func(i item) bool { return s.plain[n] != "" && i.column == s.plain[n] || i.text == s.keys[n] })
		if at < 0 {
			return nil
		}
		if name := s.items[at].name; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// unordered is a SELECT without the ORDER BY at its end, which changes no row of it. One with a LIMIT keeps it.
func unordered(body string) string {
	tokens, err := sqltext.Lex(body)
	if err != nil {
		return body
	}
	depth, cut := 0, len(body)
	for i, token := range tokens {
		switch {
		case token.Is("("):
			depth++
		case token.Is(")"):
			depth--
		case depth > 0:
		case token.Is("ORDER") && i+1 < len(tokens) && tokens[i+1].Is("BY"):
			cut = token.Offset
		case token.Is("LIMIT"), token.Is("OFFSET"), token.Is("FETCH"):
			return body
		}
	}
	return body[:cut]
}
