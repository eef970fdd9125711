package sqltext

import (
	"context"
	"strconv"
	"strings"
)

// Condition is what a statement asks of each row of a table: that a column compares so with one of some values. A row
// for which it is not true is in no answer, so who gives the table's rows may leave it out.
type Condition struct {
	Column string
	Op     string // =, <, <=, > or >=; = alone has more than one value
	Values []Value
}

// Value is a constant as it is written, and its type in DuckDB's words: of the constant, or of the cast around a text; "" of a
// text alone, which DuckDB reads as what it is compared with.
type Value struct{ Type, Text string }

// comparisons are the operators by DuckDB's names, and those that mean the same with the sides exchanged.
var comparisons = map[string]struct{ op, turned string }{
	"COMPARE_EQUAL": {"=", "="}, "COMPARE_LESSTHAN": {"<", ">"}, "COMPARE_LESSTHANOREQUALTO": {"<=", ">="},
	"COMPARE_GREATERTHAN": {">", "<"}, "COMPARE_GREATERTHANOREQUALTO": {">=", "<="},
}

// conditions are those of a SELECT from one table and nothing else. What else its WHERE asks is left to DuckDB. A sample is
// taken before the WHERE, and goes by the number of rows.
func conditions(node *tree) []Condition {
	table := node.get("from_table")
	if table.get("type").str() != "BASE_TABLE" || len(table.get("column_name_alias").list()) > 0 || !table.get("sample").null() || !node.get("sample").null() {
		return nil
	}
	name := table.get("alias").str()
	if name == "" {
		name = table.get("table_name").str()
	}
	return conjuncts(node.get("where_clause"), name)
}

// conjuncts are the conditions of an expression all of which must be true for it to be.
func conjuncts(v *tree, of string) (out []Condition) {
	kind := v.get("type").str()
	switch v.get("class").str() {
	case "CONJUNCTION":
		if kind == "CONJUNCTION_AND" {
			for _, child := range v.get("children").list() {
				out = append(out, conjuncts(child, of)...)
			}
		}
	case "COMPARISON":
		is := comparisons[kind]
		out = compared(out, v.get("left"), of, is.op, v.get("right"))
		out = compared(out, v.get("right"), of, is.turned, v.get("left"))
	case "BETWEEN":
		lower, ok := v.get("lower").constant()
		if upper, ok2 := v.get("upper").constant(); ok && ok2 && lower.Type == upper.Type { // or all three are compared as of another type
			out = compared(out, v.get("input"), of, ">=", v.get("lower"))
			out = compared(out, v.get("input"), of, "<=", v.get("upper"))
		}
	case "OPERATOR":
		if children := v.get("children").list(); kind == "COMPARE_IN" && len(children) > 1 {
			out = compared(out, children[0], of, "=", children[1:]...)
		}
	}
	return out
}

// compared adds the condition, if it is one.
func compared(out []Condition, column *tree, of, op string, values ...*tree) []Condition {
	names := column.get("column_names").list()
	if op == "" || column.get("class").str() != "COLUMN_REF" || len(names) == 0 || len(names) > 2 || len(names) == 2 && !strings.EqualFold(names[0].str(), of) {
		return out
	}
	c := Condition{Column: names[len(names)-1].str(), Op: op}
	for _, v := range values {
		value, ok := v.constant()
		if !ok {
			return out
		}
		c.Values = append(c.Values, value)
	}
	return append(out, c)
}

// constant is a literal, or a literal text within a cast; false for anything else, null among it.
func (t *tree) constant() (Value, bool) {
	cast := ""
	if t.get("class").str() == "CAST" {
		if cast = t.get("cast_type").get("id").str(); cast == "" || !t.get("cast_type").get("type_info").null() {
			return Value{}, false
		}
		t = t.get("child")
	}
	of := t.get("value")
	value, kind := of.get("value"), of.get("type").get("id").str()
	switch {
	case t.get("class").str() != "CONSTANT" || value == nil || !value.scalar() || value.null() || of.get("is_null").yes() || kind == "":
		return Value{}, false
	case !of.get("type").get("type_info").null(), cast != "" && kind != "VARCHAR":
		return Value{}, false
	case kind == "VARCHAR":
		return Value{cast, value.str()}, true
	case value.kind == '"':
		return Value{}, false
	}
	return Value{kind, value.raw}, true
}

// resolved asks with the values in the place of their marks.
func (l lifted) resolved(resolve Resolver, prefix string) Resolver {
	return func(t Table) (Relation, error) {
		where := make([]Condition, len(t.Where))
		for i, c := range t.Where {
			where[i] = Condition{c.Column, c.Op, make([]Value, len(c.Values))}
			for n, v := range c.Values {
				where[i].Values[n] = Value{v.Type, l.value(v.Text, prefix)}
			}
		}
		t.Where = where
		return resolve(t)
	}
}

// typed asks for types with the values in their places: DuckDB computes some where it binds them, as that of LIMIT.
func (l lifted) typed(types Types, prefix string) Types {
	if types == nil {
		return nil
	}
	return func(ctx context.Context, query string) ([]string, error) { return types(ctx, l.put(query, prefix)) }
}

// value is what a mark stands for; any other text is what it is.
func (l lifted) value(text, prefix string) string {
	number, ok := strings.CutPrefix(text, prefix)
	if n, err := strconv.ParseUint(number, 10, 16); ok && err == nil && n < uint64(len(l.values)) {
		quoted := l.values[n]
		return strings.ReplaceAll(quoted[1:len(quoted)-1], "''", "'")
	}
	return text
}
