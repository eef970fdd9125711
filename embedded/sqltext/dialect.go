package sqltext

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
)

// Dialect is how the statements of one door are said: its clients' words for what DuckDB has others for.
// It is made once, by its door, and never changes. Names in it are lower case. What it writes is walked
// like the statement itself, and may use no function that a statement may not.
type Dialect struct {
	// Spell writes over, byte for byte, what DuckDB's parser does not take, so that places stay what they are; nil for nothing.
	Spell func(out []byte, tokens []Token)
	// Schemas may stand before the name of a function or a type, and mean nothing: pg_catalog.
	Schemas []string
	// Functions say what calls mean, also those of operators: x[y] is array_extract.
	Functions map[string]Template
	// Within says what calls mean that are arguments of others, in whose place others stand than elsewhere: by the outer one's name, which
	// is "cast date" for a cast to a date and "comparison" for an operator that compares, then by the inner one's.
	Within map[string]map[string]Template
	// Through are functions one of whose arguments, of that place, is within what they are within.
	Through map[string]int
	// Typed are the functions of which that goes by the types of their arguments.
	Typed map[string]Typed
	// TypedCasts are casts of which that goes by the type of what is cast.
	TypedCasts map[string]Typed
	// Comparisons say what operators that compare mean, by DuckDB's names of them: COMPARE_EQUAL, COMPARE_BETWEEN.
	Comparisons map[string]Template
	// Symmetric is the operator that Spell writes before the first end of a BETWEEN whose ends stand in either order; "" for none.
	Symmetric string
	// Ties is the function that Spell writes around the number of a LIMIT with which go the rows that stand in the same place as the last one.
	Ties string
	// Kind is the type of a call of a function or an operator by those of its arguments, in DuckDB's words with width and scale: "" where it
	// is not known, or one of these is not. Nil: types that a statement tells are not looked for.
	Kind func(name string, args []string) string
	// OwnKinds are types of the dialect's own, with DuckDB's that holds them. Kind, CastKinds and TableKinds tell of them, and an answer that has columns of
	// them says so in Rewritten.Kinds.
	OwnKinds map[string]string
	// CastKinds are the types of casts that are such a one, by the name of the type.
	CastKinds map[string]string
	// TableKinds are the columns of calls in a FROM.
	TableKinds map[string][]KindColumn
	// Common is the type that values of these types become where one of them is taken, in COALESCE, CASE, greatest and least: "" leaves it to DuckDB, and is the
	// type of what is not told. Nil: DuckDB's always.
	Common func(kinds []string) string
	// Tables say what calls in a FROM mean: the template is a query.
	Tables map[string]Template
	// Unnest is the query of UNNEST in a FROM, of all that it is given: columns are how many names its alias has for them, ordinal that WITH
	// ORDINALITY is said. "" leaves it to DuckDB, which has one list.
	Unnest func(args []Argument, columns int, ordinal bool) string
	// Listed say which list a call in a FROM gives the items of, a row for each, also WITH ORDINALITY.
	Listed map[string]Template
	// ListedColumns are the columns of these that have another name than the function.
	ListedColumns map[string]string
	// Lone are the functions in a FROM that give one column, which is called as the table is.
	Lone []string
	// Casts say what a cast of $1 to a type means, by the type's name; of one that DuckDB's parser knows by DuckDB's for it.
	Casts map[string]Template
	// Exact says what a number with an exponent means, which DuckDB has as a double; "" leaves it. Nil: a double.
	Exact func(number string) string
	// Types are DuckDB's words for types that it has by no such name.
	Types map[string]string
	// Zeros are columns of names that the dialect's clients take for numbers: the name that stands for 0.
	Zeros map[string]string
	// Named is the column that such a column of names is compared with where its clients compare it with a number's: oid with proname.
	Named map[string]string
	// RowsByPart compares rows part by part, so that a part that is null may make it null.
	RowsByPart bool
	// NullsText makes a text of a column of an answer that is null by itself.
	NullsText bool
	// NullsLarge puts nulls where the largest value would stand: last where the order ascends, first where it descends.
	NullsLarge bool
	// List writes a literal list as DuckDB reads it, where one is cast to a list; false leaves it. Nil: DuckDB's alone.
	List func(text string) (string, bool)
	// Column names column i of a select list, from 0, that has no name by itself; head is the function or type
	// that its expression ends with, "" for none. Nil: DuckDB's name, which is the expression's text.
	Column func(i int, head string) string
}

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

var (
	marks        = regexp.MustCompile(`\$[0-9]+`)
	errArguments = errors.New("takes another number of arguments")
)

// translatedMax bounds the nodes that a dialect puts into one statement.
const translatedMax = 200_000

// dialected puts what a dialect means in the place of a call or a cast.
func (w *walker) dialected(v *tree, class string, sc *scope) error {
	d := w.dialect
	if d == nil || w.own[v] {
		return nil
	}
	w.sc = sc
	if err := w.within(v, class); err != nil {
		return err
	}
	switch class {
	case "FUNCTION", "WINDOW":
		if slices.Contains(d.Schemas, strings.ToLower(v.get("schema").str())) {
			v.set("schema", text(""))
		}
		name := strings.ToLower(v.get("function_name").str())
		if schema := v.get("schema").str(); schema != "" && schema != "main" {
			return nil
		}
		if of, ok := d.Typed[name]; ok {
			return w.byType(v, of, v.get("children").list(), true, sc)
		}
		if name == "greatest" || name == "least" {
			if err := w.oneType(v.get("children").list(), sc); err != nil {
				return err
			}
		}
		if of := d.Functions[name]; of != nil {
			return w.call(v, of, v.get("children").list(), nil, true)
		}
	case "CASE":
		return w.oneType(branches(v), sc)
	case "OPERATOR":
		if d.RowsByPart {
			w.inRows(v)
		}
		if v.get("type").str() == "OPERATOR_COALESCE" {
			return w.oneType(v.get("children").list(), sc)
		}
		if of := d.Functions["array_extract"]; of != nil && v.get("type").str() == "ARRAY_EXTRACT" {
			return w.call(v, of, v.get("children").list(), nil, false)
		}
	case "CONSTANT":
		return w.exactly(v)
	case "SUBQUERY":
		return w.anyOf(v)
	case "COMPARISON", "BETWEEN":
		return w.compared(v)
	case "CAST":
		return w.cast(v, sc)
	}
	return nil
}

// cast puts what a dialect means in the place of a cast.
func (w *walker) cast(v *tree, sc *scope) error {
	d := w.dialect
	t := innermost(v.get("cast_type"))
	if said := w.literal(v.get("child")); said != nil && d.List != nil && t != v.get("cast_type") {
		if written, ok := d.List(*said); ok {
			v.get("child").rewrite(written)
		}
	}
	name := strings.ToLower(t.get("type_info").get("name").str())
	if name == "" { // a type that DuckDB's parser knows
		name = strings.ToLower(t.get("id").str())
	}
	if schema := t.get("type_info").get("schema").str(); schema != "" && !slices.Contains(d.Schemas, strings.ToLower(schema)) {
		return nil
	}
	if d.CastKinds[name] != "" {
		w.kind(v, sc) // before the type is written over
	}
	if of, ok := d.TypedCasts[name]; ok && t == v.get("cast_type") {
		return w.byType(v, of, []*tree{v.get("child")}, false, sc)
	}
	if of := d.Casts[name]; of != nil && t == v.get("cast_type") {
		if v.get("try_cast").yes() {
			of = tried(of)
		}
		return w.call(v, of, append([]*tree{v.get("child")}, typeModifiers(t)...), nil, false)
	}
	if of := d.Casts[name]; of != nil && len(typeModifiers(t)) > 0 {
		return w.castItems(v, t, of, d.Types[name])
	}
	if known := d.Types[name]; known != "" {
		made, err := w.template("CAST(NULL AS " + known + ")")
		if err != nil {
			return err
		}
		*t = *made.get("cast_type")
	}
	return nil
}

// anyOf is x = ANY(y) of a column y, which the parser reads as a subquery over unnest(y): DuckDB joins by none of those.
const anyOf = "CASE WHEN list_contains($1, $2) THEN true WHEN len($1) = 0 OR $2 IS NOT NULL AND list_count($1) = len($1) THEN false END"

func (w *walker) anyOf(v *tree) error {
	node := v.get("subquery").get("node")
	items := node.get("select_list").list()
	if w.dialect.RowsByPart && len(items) == 1 && v.get("subquery_type").str() == "ANY" && items[0].unnestsNull() {
		return w.call(v, As("CAST(NULL AS BOOLEAN)"), nil, nil, false)
	}
	if v.get("subquery_type").str() != "ANY" || v.get("comparison_type").str() != "COMPARE_EQUAL" || len(items) != 1 || node.get("from_table").get("type").str() != "EMPTY" ||
		items[0].get("function_name").str() != "unnest" || items[0].get("query_location") == nil || items[0].get("query_location").raw != nowhere {
		return nil
	}
	list := items[0].get("children").list()
	if len(list) != 1 || lastName(list[0]) == "" || lastName(v.get("child")) == "" {
		return nil
	}
	return w.call(v, As(anyOf), []*tree{list[0], v.get("child")}, nil, false)
}

// nowhere is the place of a node that the parser has made.
const nowhere = "18446744073709551615"

// zero puts the name in the place of a 0 that a column of names is compared with.
func (w *walker) zero(column, value *tree) error {
	if of := lastName(value); w.dialect.Named[of] != "" && w.dialect.Zeros[lastName(column)] != "" {
		names := value.get("column_names")
		names.items[len(names.items)-1] = text(w.dialect.Named[of])
	}
	number := value.get("value").get("value")
	name, ok := w.dialect.Zeros[lastName(column)]
	if !ok || value.get("class").str() != "CONSTANT" || number == nil || number.raw != "0" {
		return nil
	}
	made, err := w.template("'" + name + "'")
	if err == nil {
		*value = *made
	}
	return err
}

// lastName is the name of a column without what stands before it, "" of what is no column.
func lastName(v *tree) string {
	names := v.get("column_names").list()
	if v.get("class").str() != "COLUMN_REF" || len(names) == 0 {
		return ""
	}
	return strings.ToLower(names[len(names)-1].str())
}

// innermost is the type of a list's elements, or the type itself.
func innermost(t *tree) *tree {
	for t.get("type_info").get("child_type") != nil {
		t = t.get("type_info").get("child_type")
	}
	return t
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
