package sqltext

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
)

// Template answers what a call with these arguments means, in DuckDB's SQL with $1, $2 … in their place. ""
// leaves the call as it is. An argument that stands there twice is walked twice: take care with what is nested.
type Template func(args []Argument) (string, error)

// Argument is one of a call. Text is its value where it is a literal text, nil elsewhere; Cast is that of one that is cast to anything.
type Argument struct {
	Text  *string
	Cast  *string
	Class string // DuckDB's: CONSTANT, COLUMN_REF, FUNCTION
	As    string // the name that it is given by, of f(name => value)
	Name  string // of a function, in lower case
	// Column is the name of a COLUMN_REF without what stands before it, in lower case.
	Column string
	// Null tells that it is NULL, or that is cast.
	Null bool
	// Says is the type that it has by what it says: of a cast, of a list that is written out, of a column of a table; "" for others.
	Says string
	// Type is its type in DuckDB's words, of a column of a table and for a call of Typed; "" where it is not known, and of a literal text.
	Type   string
	Number string // of a literal number, as it is written
	tree   *tree
	// Kind is its type with width and scale, where the statement tells it: Dialect.Kind.
	Kind string
	// Lambdaless tells that the call stands where DuckDB takes no lambda: in a HAVING.
	Lambdaless bool
}

// Holds tells whether a call of one of these functions stands in the argument.
func (a Argument) Holds(names ...string) bool { return a.tree.holds(names) }

// Given is argument i, from 0, of an argument that is a call, where that is a literal text; nil elsewhere.
func (a Argument) Given(i int) *string {
	if all := a.tree.get("children").list(); i < len(all) {
		return all[i].literal()
	}
	return nil
}

func (t *tree) holds(names []string) bool {
	return t.get("function_name") != nil && slices.Contains(names, strings.ToLower(t.get("function_name").str())) ||
		slices.ContainsFunc(t.items, func(item *tree) bool { return item.holds(names) })
}

// As is the template of a call that is always written in one way. An argument that the text does not name is refused, for
// what it asks would be left out in silence.
func As(text string) Template {
	named := map[string]bool{}
	for _, mark := range marks.FindAllString(text, -1) {
		named[mark] = true
	}
	return func(args []Argument) (string, error) {
		for i := range args {
			if !named["$"+strconv.Itoa(i+1)] {
				return "", errArguments
			}
		}
		return text, nil
	}
}

// Whatever is As of a call whose further arguments change nothing that is answered here.
func Whatever(text string) Template {
	return func([]Argument) (string, error) { return text, nil }
}

// call puts a template with its arguments in the place of a node. Where it is a function it keeps what else the call said:
// DISTINCT, FILTER, OVER.
func (w *walker) call(v *tree, of Template, args []*tree, types []string, keep bool) error {
	made, err := w.instance(v, of, args, types)
	if made == nil || err != nil {
		return err
	}
	if keep && !w.simple(v) && w.spread(v, made) == 0 {
		if made.get("class").str() != "FUNCTION" || made.get("is_operator").yes() || !made.get("filter").null() || len(made.get("order_bys").get("orders").list()) > 0 {
			return w.refuse(v, fault.Invalid, "", "%s cannot have DISTINCT, ORDER BY, FILTER or OVER here", v.get("function_name").str())
		}
		if made.get("distinct").yes() {
			v.set("distinct", made.get("distinct"))
		}
		v.set("function_name", made.get("function_name"))
		v.set("schema", made.get("schema"))
		v.set("children", made.get("children"))
		w.own[v] = true
		return nil
	}
	made.set("alias", v.get("alias"))
	*v = *made
	w.own[v] = true
	return nil
}

// spread gives what a call of an aggregate says besides its arguments to the aggregates of the expression in its place, unless that is one
// itself, and returns how many they are.
func (w *walker) spread(v, made *tree) (n int) {
	for i, item := range made.items {
		if item.get("class").str() != "FUNCTION" || !aggregateFunctions[strings.ToLower(item.get("function_name").str())] {
			n += w.spread(v, item)
			continue
		}
		n++
		of := w.copied(v)
		of.set("function_name", item.get("function_name"))
		of.set("schema", item.get("schema"))
		of.set("children", item.get("children"))
		of.set("alias", item.get("alias"))
		w.own[of] = true
		made.items[i] = of
	}
	return n
}

// simple tells whether a call says nothing but its arguments.
func (w *walker) simple(v *tree) bool {
	return v.get("class").str() == "FUNCTION" && !v.get("distinct").yes() && v.get("filter").null() && len(v.get("order_bys").get("orders").list()) == 0
}

// instance is a template's expression with the arguments in it; nil where the call stays as it is.
func (w *walker) instance(v *tree, of Template, args []*tree, types []string) (*tree, error) {
	said, err := of(w.shown(args, types))
	if errors.Is(err, errArguments) {
		return nil, w.refuse(v, fault.Invalid, "", "%s %v", v.get("function_name").str(), err)
	}
	if err != nil {
		return nil, w.placeFault(err, v)
	}
	if said == "" {
		return nil, nil
	}
	made, err := w.template(said)
	if err != nil {
		return nil, err
	}
	made.apart(v)
	made = w.fill(made, args, v.get("query_location"))
	if made == nil {
		return nil, w.refuse(v, fault.Invalid, "", "%s %v", v.get("function_name").str(), errArguments)
	}
	if w.translated > translatedMax {
		return nil, w.refuse(v, fault.TooLarge, "split the statement", "the statement is too large when its functions are written out")
	}
	return made, nil
}

// shown is what a template sees of arguments.
func (w *walker) shown(args []*tree, types []string) []Argument {
	shown := make([]Argument, len(args))
	for i, a := range args {
		said := a
		for said.get("class").str() == "CAST" {
			said = said.get("child")
		}
		shown[i] = Argument{Text: w.literal(a), Cast: w.literal(said), Null: said.get("value").get("is_null").yes(), Class: a.get("class").str(), As: a.get("alias").str(), Name: strings.ToLower(a.get("function_name").str()), Column: lastName(a), Type: w.typeOf(a), Kind: w.kind(a, w.sc), Lambdaless: w.lambdaless, tree: a}
		if value := a.get("value"); shown[i].Class == "CONSTANT" && shown[i].Text == nil && !value.get("is_null").yes() && value.get("value") != nil {
			shown[i].Number = value.get("value").raw
		}
		shown[i].Says = shown[i].Type
		if i < len(types) {
			shown[i].Type = types[i]
		}
		if shown[i].Type == "" && a.get("class").str() == "CONSTANT" && whole(a.get("value")) {
			shown[i].Type = a.get("value").get("type").get("id").str()
		}
	}
	return shown
}

// template parses an expression of a dialect.
func (w *walker) template(said string) (*tree, error) {
	root, err := w.parse("SELECT " + said)
	if err != nil {
		return nil, fmt.Errorf("read %q of a dialect: %w", said, err)
	}
	items := root.get("node").get("select_list").list()
	if len(items) != 1 {
		return nil, fmt.Errorf("read %q of a dialect: no expression", said)
	}
	return items[0], nil
}

// fill copies a template with the arguments in the place of its parameters; nil where one is missing.
func (w *walker) fill(t *tree, args []*tree, place *tree) *tree {
	if t.get("class").str() == "PARAMETER" {
		n, err := strconv.Atoi(t.get("identifier").str())
		if err != nil || n < 1 || n > len(args) {
			return nil
		}
		return aliased(w.copied(args[n-1]), t)
	}
	if t.get("class").str() == "FUNCTION" && t.get("function_name").str() == applied {
		return aliased(w.fillApplied(t.get("children").list(), args, place), t)
	}
	w.translated++
	out := &tree{kind: t.kind, raw: t.raw, keys: t.keys}
	for i, item := range t.items {
		if t.kind == '{' && t.keys[i] == "query_location" && place != nil {
			out.items = append(out.items, place)
			continue
		}
		filled := w.fill(item, args, place)
		if filled == nil {
			return nil
		}
		out.items = append(out.items, filled)
	}
	if class := t.get("class").str(); class == "FUNCTION" || class == "WINDOW" || class == "CAST" || class == "OPERATOR" || class == "CONSTANT" {
		w.own[out] = true
	}
	return out
}

// aliased gives what stands in the place of a part of a template the name that the part has, which is an argument's.
func aliased(t, part *tree) *tree {
	if name := part.get("alias"); t != nil && name.str() != "" {
		t.set("alias", name)
	}
	return t
}

func (w *walker) copied(t *tree) *tree {
	if w.translated++; w.translated > translatedMax {
		return t // it is refused
	}
	out := &tree{kind: t.kind, raw: t.raw, keys: slices.Clone(t.keys)}
	for _, item := range t.items {
		out.items = append(out.items, w.copied(item))
	}
	if w.own[t] {
		w.own[out] = true
	}
	if kind, ok := w.kinds.known[t]; ok {
		w.kinds.known[out] = kind
	}
	return out
}

// rewrite puts another text into a literal.
func (t *tree) rewrite(said string) {
	if t.get("class").str() == "CAST" {
		t = t.get("child")
	}
	t.get("value").set("value", text(said))
}

// ordered says where nulls stand that the statement leaves to its dialect.
func (w *walker) ordered(v *tree) *tree {
	if w.dialect != nil && w.dialect.NullsLarge && v.get("type").str() == "DESCENDING" && v.get("null_order").str() == "ORDER_DEFAULT" {
		v.set("null_order", text("NULLS FIRST"))
	}
	return v
}

// literal is the tree's, for the dialect to go by.
func (w *walker) literal(t *tree) *string {
	said := t.literal()
	w.peeked = w.peeked || said != nil && strings.Contains(*said, w.marks)
	return said
}

// literal is the text of a constant, also of one that is cast to a text.
func (t *tree) literal() *string {
	if t.get("class").str() == "CAST" && t.get("cast_type").get("id").str() == "VARCHAR" {
		t = t.get("child")
	}
	value := t.get("value")
	if t.get("class").str() != "CONSTANT" || value.get("type").get("id").str() != "VARCHAR" || value.get("value") == nil {
		return nil
	}
	s := value.get("value").str()
	return &s
}
