//go:build duckdb_arrow

package plan

import (
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
)

// item is one column of a SELECT: its text and, where it is a plain column of the FROM, that.
type item struct{ text, name, column string }

// items expands stars and renders the expressions.
func (c *compiler) items(q *sqltext.Query, from *relation, alias string, swap map[string]string) ([]item, error) {
	var out []item
	for _, i := range q.Items {
		if i.Star {
			if i.StarOf != "" && !strings.EqualFold(i.StarOf, alias) {
				return nil, c.refuse(i.Offset, "write "+alias+".*", "there is no %s in FROM", i.StarOf)
			}
			for _, name := range from.columns {
				if !slices.ContainsFunc(i.Exclude, func(x string) bool { return strings.EqualFold(x, name) }) {
					out = append(out, item{duck.Ident(alias) + "." + duck.Ident(name), name, name})
				}
			}
			continue
		}
		text, err := c.parser.SQL(c.ctx, i.Expr, swap)
		if err != nil {
			return nil, err
		}
		one := item{text: text, name: i.Name}
		if name, ok := plainColumn(i.Expr); ok {
			one.column, _ = from.column(name)
		}
		out = append(out, one)
	}
	seen := map[string]bool{}
	for n := range out {
		if Reserved(out[n].name) {
			return nil, c.refuse(q.Offset, "give it another name: … AS name", reservedText, out[n].name)
		}
		if lower := strings.ToLower(out[n].name); seen[lower] {
			return nil, c.refuse(q.Offset, "give one another name: … AS name", "two columns of the SELECT are called %s", out[n].name)
		} else {
			seen[lower] = true
		}
	}
	if len(out) > columnsMax {
		return nil, c.refuse(q.Offset, "select fewer", "the SELECT has %d columns, at most %d", len(out), columnsMax)
	}
	return out, nil
}

// where renders a condition, "" for none.
func (c *compiler) where(word string, e *sqltext.Expr, swap map[string]string) (string, error) {
	if e == nil {
		return "", nil
	}
	text, err := c.parser.SQL(c.ctx, e, swap)
	return " " + word + " " + text, err
}

// project compiles a SELECT without aggregates: it is linear, so the weights stay.
func (c *compiler) project(q *sqltext.Query, from *relation, alias string) (*relation, error) {
	items, err := c.items(q, from, alias, nil)
	if err != nil {
		return nil, err
	}
	condition, err := c.where("WHERE", q.Where, nil)
	if err != nil {
		return nil, err
	}
	out := from.projected(items)
	texts := make([]string, 0, len(items)+len(hiddenColumns))
	for _, i := range items {
		texts = append(texts, i.text+" AS "+duck.Ident(i.name))
	}
	for _, h := range out.carried() {
		texts = append(texts, duck.Ident(alias)+"."+duck.Ident(h))
	}
	out.text = "SELECT " + strings.Join(texts, ", ") + " FROM (" + from.text + ") AS " + duck.Ident(alias) + condition
	return out, nil
}

// projected is what is known of a relation after a SELECT of these items.
func (r *relation) projected(items []item) *relation {
	out := *r
	out.columns, out.key, out.time, out.window, out.panes = nil, nil, "", nil, ""
	as := map[string]string{} // the first name that a column has now
	for _, i := range items {
		out.columns = append(out.columns, i.name)
		if i.column != "" && as[i.column] == "" {
			as[i.column] = i.name
		}
	}
	out.time = as[r.time]
	if r.window != nil {
		w := *r.window
		if w.begin, w.end = as[w.begin], as[w.end]; w.begin != "" || w.end != "" {
			out.window = &w
		}
	}
	out.whole = r.whole && out.window != nil
	for _, k := range r.key {
		if as[k] == "" {
			out.key = nil
			break
		}
		out.key = append(out.key, as[k])
	}
	return &out
}
