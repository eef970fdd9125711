package sqltext

import (
	"slices"
	"strconv"
	"strings"
)

// Expr is an expression of a Query.
type Expr struct {
	node    *tree
	sources []string // the names of the tables of its FROM, schema.table where it has no alias
}

// ColumnRef is a column that an expression reads. Qualifier is the name of the table before
// it, where one was written. Key is that of the reference alone.
type ColumnRef struct {
	Qualifier, Name string
	Key             string
	Offset          int
}

// Call is a call of an aggregate function. count(*) has Star set and no Args.
type Call struct {
	Name           string
	Args           []*Expr
	Star, Distinct bool
	Filter         *Expr
	Expr           *Expr // the call itself
}

// Offset is where the expression begins, in the body; -1 where unknown.
func (e *Expr) Offset() int { return e.node.begins() }

// Key is equal for equal expressions, whatever their alias, place and letters' case. A table's
// name before a column counts only where the FROM has more than one table.
func (e *Expr) Key() string {
	var b strings.Builder
	e.key(&b, e.node, nil)
	return b.String()
}

// Column is the column that the expression is, where it is no more than one.
func (e *Expr) Column() (ColumnRef, bool) {
	if e.node.get("class").str() != "COLUMN_REF" {
		return ColumnRef{}, false
	}
	c, rest := e.column(e.node)
	return c, len(rest) == 0
}

// Columns lists each column that the expression reads, once for each time.
func (e *Expr) Columns() []ColumnRef {
	var out []ColumnRef
	e.node.visit(nil, func(v *tree, params []string) bool {
		if v.get("class").str() == "COLUMN_REF" && !isParameter(v, params) {
			c, _ := e.column(v)
			out = append(out, c)
		}
		return true
	})
	return out
}

// Calls lists the outermost calls of aggregate functions.
func (e *Expr) Calls() []*Call {
	var out []*Call
	e.node.visit(nil, func(v *tree, _ []string) bool {
		name := strings.ToLower(v.get("function_name").str())
		if v.get("class").str() != "FUNCTION" || !aggregates[name] {
			return true
		}
		call := &Call{Name: name, Distinct: v.get("distinct").yes(), Expr: e.of(v)}
		for _, argument := range v.get("children").items {
			call.Args = append(call.Args, e.of(argument))
		}
		if name == "count_star" || name == "count" && len(call.Args) == 0 {
			call.Name, call.Star = "count", true
		}
		if filter := v.get("filter"); !filter.null() {
			call.Filter = e.of(filter)
		}
		out = append(out, call)
		return false
	})
	return out
}

func (e *Expr) of(node *tree) *Expr { return &Expr{node, e.sources} }

// column takes a reference apart: [[catalog.]schema.]table.column, with the members of a
// struct behind it.
func (e *Expr) column(v *tree) (ref ColumnRef, members []string) {
	var names []string
	for _, name := range v.get("column_names").items {
		names = append(names, name.str())
	}
	ref.Offset = v.begins()
	for n := min(len(names)-1, 3); n > 0; n-- {
		for _, source := range e.sources {
			if matches(source, names[:n]) {
				ref.Qualifier, names = names[n-1], names[n:]
				return e.named(ref, names)
			}
		}
	}
	return e.named(ref, names)
}

func (e *Expr) named(ref ColumnRef, names []string) (ColumnRef, []string) {
	if len(names) > 0 {
		ref.Name = names[0]
		names = names[1:]
	}
	var b strings.Builder
	e.columnKey(&b, ref, nil)
	ref.Key = b.String()
	return ref, names
}

// matches tells whether names end what a source is called: table, schema.table or
// catalog.schema.table.
func matches(source string, names []string) bool {
	parts := strings.Split(source, "\x00")
	return len(names) <= len(parts) && strings.EqualFold(strings.Join(parts[len(parts)-len(names):], "\x00"), strings.Join(names, "\x00"))
}

func (e *Expr) columnKey(b *strings.Builder, ref ColumnRef, members []string) {
	b.WriteString("column(")
	if ref.Qualifier != "" && len(e.sources) > 1 {
		b.WriteString(strconv.Quote(strings.ToLower(ref.Qualifier)) + ".")
	}
	b.WriteString(strconv.Quote(strings.ToLower(ref.Name)))
	for _, m := range members {
		b.WriteString("." + strconv.Quote(strings.ToLower(m)))
	}
	b.WriteByte(')')
}

// key writes all that makes an expression what it is.
func (e *Expr) key(b *strings.Builder, v *tree, params []string) {
	switch {
	case v.kind == '[':
		b.WriteByte('[')
		for _, item := range v.items {
			e.key(b, item, params)
			b.WriteByte(',')
		}
		b.WriteByte(']')
		return
	case v.kind != '{':
		b.WriteString(v.raw)
		return
	case v.get("class").str() == "COLUMN_REF" && !isParameter(v, params):
		ref, members := e.column(v)
		e.columnKey(b, ref, members)
		return
	}
	b.WriteByte('{')
	for i, item := range v.items {
		switch key := v.keys[i]; {
		case key == "query_location" || key == "schema" || key == "catalog", key == "alias" && v.get("class") != nil:
		case neutral(item):
		default:
			b.WriteString(key + ":")
			e.key(b, item, v.within(i, params))
			b.WriteByte(',')
		}
	}
	b.WriteByte('}')
}

// lambdas are the functions whose direct argument x -> … is a lambda; anywhere else the arrow
// takes a member of a JSON value.
var lambdas = map[string]bool{
	"list_transform": true, "array_transform": true, "list_apply": true, "array_apply": true, "apply": true, "list_filter": true,
	"array_filter": true, "filter": true, "list_reduce": true, "array_reduce": true, "reduce": true,
}

// visit goes over the nodes of an expression; params are the names that lambdas around one
// give to their parameters. Below a node that look answers false for it does not go on.
func (t *tree) visit(params []string, look func(v *tree, params []string) bool) {
	if t.kind == '{' && t.get("class") != nil && !look(t, params) {
		return
	}
	for i, item := range t.items {
		item.visit(t.within(i, params), look)
	}
}

// within are the params of the i-th part of a node.
func (t *tree) within(i int, params []string) []string {
	if t.kind != '{' || t.keys[i] != "children" || !lambdas[strings.ToLower(t.get("function_name").str())] {
		return params
	}
	out := slices.Clone(params)
	for _, argument := range t.items[i].items {
		if argument.get("class").str() == "LAMBDA" {
			out = append(out, argument.get("lhs").parameters()...)
		}
	}
	return out
}

// parameters are those of a lambda: x, or row(x, y).
func (t *tree) parameters() []string {
	var out []string
	t.visit(nil, func(v *tree, _ []string) bool {
		if names := v.get("column_names"); v.get("class").str() == "COLUMN_REF" && names != nil && len(names.items) == 1 {
			out = append(out, names.items[0].str())
		}
		return true
	})
	return out
}

func isParameter(v *tree, params []string) bool {
	names := v.get("column_names")
	return len(params) > 0 && names != nil && len(names.items) > 0 &&
		slices.ContainsFunc(params, func(p string) bool { return strings.EqualFold(p, names.items[0].str()) })
}

// begins is the first place of a node and all within it, -1 for none.
func (t *tree) begins() int {
	if t == nil {
		return -1
	}
	first := t.place()
	for _, item := range t.items {
		if at := item.begins(); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// clone copies a tree.
func (t *tree) clone() *tree {
	out := &tree{kind: t.kind, raw: t.raw, keys: slices.Clone(t.keys)}
	for _, item := range t.items {
		out.items = append(out.items, item.clone())
	}
	return out
}

// neutral tells whether a member says nothing: null, false, "" or an empty list.
func neutral(v *tree) bool {
	switch v.kind {
	case '[':
		return len(v.items) == 0
	case '{':
		for i, key := range v.keys {
			if key != "type" && key != "query_location" && !neutral(v.items[i]) {
				return false
			}
		}
		return true
	}
	return v.null() || v.raw == "false" || v.raw == `""`
}

// neutralBut tells whether all members of a node are neutral but these and those that every
// node has.
func neutralBut(v *tree, known ...string) bool {
	for i, key := range v.keys {
		if key != "class" && key != "type" && key != "query_location" && !slices.Contains(known, key) && !neutral(v.items[i]) {
			return false
		}
	}
	return true
}

// swapped puts columns in the place of the expressions whose keys are in swap.
func (e *Expr) swapped(v *tree, swap map[string]string, params []string) *tree {
	if v.kind == '{' && v.get("class") != nil && len(swap) > 0 {
		var b strings.Builder
		e.key(&b, v, params)
		if name, ok := swap[b.String()]; ok && !isParameter(v, params) {
			return object("class", text("COLUMN_REF"), "type", text("COLUMN_REF"), "alias", text(""), "query_location", scalar("0"),
				"column_names", &tree{kind: '[', items: []*tree{text(name)}})
		}
	}
	for i := range v.items {
		v.items[i] = e.swapped(v.items[i], swap, v.within(i, params))
	}
	return v
}
