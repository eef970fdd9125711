package sqltext

import (
	"errors"
	"regexp"
	"slices"
	"strings"
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
