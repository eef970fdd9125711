package sqltext

import (
	"errors"
	"strings"
)

// within puts what a dialect's calls mean as arguments in their place.
func (w *walker) within(v *tree, class string) error {
	outer, arguments := strings.ToLower(v.get("function_name").str()), v.get("children").list()
	switch class {
	case "CAST":
		outer, arguments = "cast "+strings.ToLower(v.get("cast_type").get("id").str()), []*tree{v.get("child")}
	case "COMPARISON":
		outer, arguments = "comparison", []*tree{v.get("left"), v.get("right")}
	}
	known := w.dialect.Within[outer]
	if known == nil {
		return nil
	}
	for _, a := range arguments {
		inner := strings.ToLower(a.get("function_name").str())
		for inner != "" && !w.own[a] {
			args := a.get("children").list()
			if of := known[inner]; of != nil {
				if err := w.call(a, of, args, nil, true); err != nil {
					return err
				}
				delete(w.kinds.known, a) // it has another type now
				break
			}
			n, ok := w.dialect.Through[inner]
			if !ok || n >= len(args) {
				break
			}
			a = args[n]
			inner = strings.ToLower(a.get("function_name").str())
		}
	}
	return nil
}

// typeOf is the type of an expression that is a cast, a list that is written out, or a column of one of the tables that were found so far; "" where it is none of these, or
// tables have it with several types.
func (w *walker) typeOf(v *tree) string {
	if v.get("class").str() == "CAST" {
		if name := v.get("cast_type").get("type_info").get("name").str(); name != "" {
			if known := w.dialect.Types[strings.ToLower(name)]; known != "" {
				return known
			}
			return strings.ToUpper(name)
		}
		return v.get("cast_type").get("id").str()
	}
	if v.get("type").str() == "ARRAY_CONSTRUCTOR" {
		return "LIST"
	}
	name, known := lastName(v), ""
	if name == "" {
		return ""
	}
	for _, r := range w.placed {
		for i, c := range r.Columns {
			if !strings.EqualFold(c, name) || i >= len(r.Types) {
				continue
			}
			if known != "" && known != w.held(r.Types[i]) {
				return ""
			}
			known = w.held(r.Types[i])
		}
	}
	return known
}

// inOrder are the members of a query node: the FROM of one in a dialect comes first, for what its functions mean may go by its columns.
func (w *walker) inOrder(v *tree) []int {
	order := make([]int, 0, len(v.keys))
	for i, key := range v.keys {
		order = append(order, i)
		if w.dialect != nil && key == "from_table" {
			copy(order[1:], order)
			order[0] = i
		}
	}
	return order
}

// compared puts what a dialect means in the place of an operator that compares.
func (w *walker) compared(v *tree) error {
	args := []*tree{v.get("left"), v.get("right")}
	if v.get("class").str() == "BETWEEN" {
		args = []*tree{v.get("input"), v.get("lower"), v.get("upper")}
		if lower := args[1].get("children").list(); w.dialect.Symmetric != "" && args[1].get("function_name").str() == w.dialect.Symmetric && len(lower) == 1 {
			args[1] = lower[0]
			return w.call(v, As("($1 BETWEEN $2 AND $3 OR $1 BETWEEN $3 AND $2)"), args, nil, false)
		}
	} else if err := errors.Join(w.zero(args[0], args[1]), w.zero(args[1], args[0])); err != nil {
		return err
	}
	if w.dialect.RowsByPart && v.get("class").str() == "COMPARISON" && w.byPart(v) {
		return nil
	}
	of := w.dialect.Comparisons[v.get("type").str()]
	if of == nil {
		return nil
	}
	err := w.call(v, of, args, nil, false)
	for _, said := range v.get("children").list() { // the template's own, which means what it says
		w.own[said] = w.own[said] || said.get("class").str() == "COMPARISON"
	}
	return err
}

// oneType casts values of which one is taken to the type that the dialect has for all of them.
func (w *walker) oneType(values []*tree, sc *scope) error {
	if w.dialect.Common == nil {
		return nil
	}
	kinds := make([]string, len(values))
	for i, v := range values {
		kinds[i] = w.kind(v, sc)
	}
	of := w.dialect.Common(kinds)
	for i, v := range values {
		if of == "" || kinds[i] == of || kinds[i] == "" {
			continue
		}
		made, err := w.template("CAST(NULL AS " + of + ")")
		if err != nil {
			return err
		}
		inner := *v
		made.set("child", &inner)
		w.kinds.known[&inner] = kinds[i]
		*v = *made
		w.kinds.known[v] = of
	}
	return nil
}
