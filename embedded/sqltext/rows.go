package sqltext

import "strings"

// rowComparisons are what decides between two rows at a part, and the operator of the last part, by DuckDB's names of operators; with "" every part is compared alike.
var rowComparisons = map[string]string{
	"COMPARE_EQUAL": "", "COMPARE_NOTEQUAL": "", "COMPARE_LESSTHAN": "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO": "COMPARE_LESSTHAN",
	"COMPARE_GREATERTHAN": "COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO": "COMPARE_GREATERTHAN",
}

// byPart puts comparisons of the parts in the place of that of two rows that are written out, (a, b) = (c, d): a part that is null makes it null where
// no other decides, and to DuckDB it is a value. False where it is no such one, or has parts that cost something and would stand there twice.
func (w *walker) byPart(v *tree) bool {
	operator := v.get("type").str()
	decides, known := rowComparisons[operator]
	left, right := rowParts(v.get("left")), rowParts(v.get("right"))
	if !known || len(left) == 0 || len(left) != len(right) {
		return false
	}
	place := v.get("query_location")
	compared := func(operator string, i int, copied bool) *tree {
		l, r := left[i], right[i]
		if copied {
			l, r = w.copied(l), w.copied(r)
		}
		return object("class", text("COMPARISON"), "type", text(operator), "alias", text(""), "query_location", place, "left", l, "right", r)
	}
	joined := func(of string, children ...*tree) *tree {
		if len(children) == 1 {
			return children[0]
		}
		return object("class", text("CONJUNCTION"), "type", text("CONJUNCTION_"+of), "alias", text(""), "query_location", place, "children", &tree{kind: '[', items: children})
	}
	var made *tree
	if decides == "" {
		var all []*tree
		for i := range left {
			all = append(all, compared(operator, i, false))
		}
		if made = joined("AND", all...); operator == "COMPARE_NOTEQUAL" {
			made = joined("OR", all...)
		}
	} else {
		last := len(left) - 1
		for i := range last {
			if !left[i].plain(true) || !right[i].plain(true) {
				return false
			}
		}
		made = compared(operator, last, false)
		for i := last - 1; i >= 0; i-- {
			made = joined("OR", compared(decides, i, false), joined("AND", compared("COMPARE_EQUAL", i, true), made))
		}
	}
	made.set("alias", v.get("alias"))
	*v = *made
	return true
}

// rowsInMax bounds the rows behind an IN that are compared one by one.
const rowsInMax = 64

// inRows puts comparisons with each row in the place of (a, b) IN ((c, d), …), and of NOT IN; those compare rows as DuckDB does where they are more.
func (w *walker) inRows(v *tree) {
	all := v.get("children").list()
	operator, joint := "COMPARE_EQUAL", "CONJUNCTION_OR"
	switch v.get("type").str() {
	case "COMPARE_IN":
	case "COMPARE_NOT_IN":
		operator, joint = "COMPARE_NOTEQUAL", "CONJUNCTION_AND"
	default:
		return
	}
	if len(all) < 2 || len(all) > rowsInMax+1 {
		return
	}
	for i, row := range all {
		parts := rowParts(row)
		if len(parts) == 0 || len(parts) != len(rowParts(all[0])) {
			return
		}
		for _, part := range parts {
			if i == 0 && !part.plain(true) {
				return
			}
		}
	}
	made := &tree{kind: '['}
	for _, row := range all[1:] {
		made.items = append(made.items, object("class", text("COMPARISON"), "type", text(operator), "alias", text(""), "query_location", v.get("query_location"), "left", w.copied(all[0]), "right", row))
	}
	if of := object("class", text("CONJUNCTION"), "type", text(joint), "alias", v.get("alias"), "query_location", v.get("query_location"), "children", made); len(made.items) > 1 {
		*v = *of
		return
	}
	made.items[0].set("alias", v.get("alias"))
	*v = *made.items[0]
	w.byPart(v)
}

// rowParts are the parts of a row that is written out.
func rowParts(v *tree) []*tree {
	if v.get("class").str() != "FUNCTION" || !strings.EqualFold(v.get("function_name").str(), "row") {
		return nil
	}
	return v.get("children").list()
}

// texts makes a text of each column of an answer that is null by itself, which has no type.
func (w *walker) texts(node *tree) error {
	if w.dialect == nil || !w.dialect.NullsText {
		return nil
	}
	for _, item := range node.get("select_list").list() {
		if !item.nullish() {
			continue
		}
		made, err := w.template("CAST(NULL AS VARCHAR)")
		if err != nil {
			return err
		}
		made.set("alias", item.get("alias"))
		*item = *made
	}
	return nil
}

// nullish tells whether an expression is a null without a type, or a choice of such ones.
func (t *tree) nullish() bool {
	var of []*tree
	switch t.get("class").str() {
	case "CONSTANT":
		return t.get("value").get("is_null").yes() && t.get("value").get("type").get("id").str() == "NULL"
	case "CASE":
		for _, check := range t.get("case_checks").list() {
			of = append(of, check.get("then_expr"))
		}
		if other := t.get("else_expr"); !other.null() {
			of = append(of, other)
		}
	case "OPERATOR":
		if t.get("type").str() == "OPERATOR_COALESCE" {
			of = t.get("children").list()
		}
	}
	for _, one := range of {
		if !one.nullish() {
			return false
		}
	}
	return len(of) > 0
}

// unnestsNull tells whether an item is what the parser makes of the list of ANY or ALL, and that is null.
func (t *tree) unnestsNull() bool {
	list := t.get("children").list()
	if t.get("function_name").str() != "unnest" || len(list) != 1 || t.get("query_location") == nil || t.get("query_location").raw != nowhere {
		return false
	}
	of := list[0]
	for of.get("class").str() == "CAST" {
		of = of.get("child")
	}
	return of.get("class").str() == "CONSTANT" && of.get("value").get("is_null").yes()
}
