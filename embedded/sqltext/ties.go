package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// ties puts a condition in the place of a LIMIT with which go the rows that stand in the same place as its last one: how many rows stand before each.
func (w *walker) ties(node *tree) error {
	if w.dialect == nil || w.dialect.Ties == "" {
		return nil
	}
	modifiers := node.get("modifiers")
	i := slices.IndexFunc(modifiers.list(), func(m *tree) bool { return m.get("limit").get("function_name").str() == w.dialect.Ties })
	if i < 0 {
		return nil
	}
	last := modifiers.items[i]
	refused := func(said string) error {
		return w.refuse(last.get("limit"), fault.Invalid, "put the query into a FROM, and write FETCH FIRST n ROWS WITH TIES behind that", "%s", said)
	}
	number, offset := last.get("limit").get("children").list(), last.get("offset")
	var orders []*tree
	for n, m := range modifiers.items {
		switch {
		case m.get("type").str() == "ORDER_MODIFIER":
			orders = m.get("orders").list()
		case n != i:
			return refused("WITH TIES cannot be used with DISTINCT here")
		}
	}
	switch {
	case len(orders) == 0:
		return w.refuse(last.get("limit"), fault.Syntax, "write ORDER BY before it", "WITH TIES cannot be specified without ORDER BY clause")
	case len(number) != 1 || !whole(number[0].get("value")) || !offset.null() && !whole(offset.get("value")):
		return refused("WITH TIES takes numbers that are written out")
	case !node.get("qualify").null():
		return refused("WITH TIES cannot be used with QUALIFY")
	case number[0].get("value").get("value").raw == "0":
		last.set("limit", number[0])
		return nil
	}
	if slices.ContainsFunc(node.get("select_list").list(), w.manyRows) {
		return refused("WITH TIES cannot be used with functions that answer rows here")
	}
	before := "$1"
	if !offset.null() {
		before = "$1 + $2"
	}
	made, err := w.template("rank() OVER (ORDER BY 1) <= " + before)
	if err != nil {
		return err
	}
	made = w.fill(made, []*tree{number[0], offset}, last.get("limit").get("query_location"))
	by := &tree{kind: '['}
	for _, o := range orders {
		of := node.ordersBy(o.get("expression"))
		if of == nil {
			return refused("WITH TIES is ordered by something that is not found here")
		}
		o = w.copied(o)
		o.set("expression", w.copied(of))
		o.get("expression").set("alias", text(""))
		by.items = append(by.items, o)
	}
	made.get("left").set("orders", by)
	node.set("qualify", made)
	if last.set("limit", scalar("null")); offset.null() {
		modifiers.items = slices.Delete(modifiers.items, i, i+1)
	}
	return nil
}

// ordersBy is what a query is ordered by: an item of its list by its place or its name, or the expression itself; nil for a star, or what is not there.
func (t *tree) ordersBy(by *tree) *tree {
	all := t.get("select_list").list()
	star := slices.ContainsFunc(all, func(item *tree) bool { return item.get("class").str() == "STAR" })
	if value := by.get("value"); by.get("class").str() == "CONSTANT" {
		if n := whole10(value.get("value").raw); whole(value) && n >= 1 && n <= len(all) && !star {
			return all[n-1]
		}
		return nil
	}
	if by.get("class").str() == "STAR" {
		return nil
	}
	if len(by.get("column_names").list()) == 1 {
		for _, item := range all {
			if strings.EqualFold(item.get("alias").str(), lastName(by)) {
				return item
			}
		}
	}
	return by
}

// manyRows tells whether a function that answers rows stands in an expression.
func (w *walker) manyRows(t *tree) bool {
	if name := strings.ToLower(t.get("function_name").str()); name != "" {
		if slices.Contains(w.dialect.Lone, name) || w.dialect.Listed[name] != nil || w.dialect.Tables[name] != nil || name == "unnest" {
			return true
		}
	}
	return slices.ContainsFunc(t.items, w.manyRows)
}
