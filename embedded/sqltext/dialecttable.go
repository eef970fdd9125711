package sqltext

import (
	"slices"
	"strings"
)

// withOrdinality is what DuckDB's parser says of WITH ORDINALITY.
const withOrdinality = "WITH_ORDINALITY"

// lone calls the one column of a function in a FROM as its table.
func (w *walker) lone(v *tree, name string) {
	name = strings.ToLower(name)
	if aliases := v.get("column_name_alias"); slices.Contains(w.dialect.Lone, name) && len(aliases.list()) == 0 && v.get("with_ordinality").str() != withOrdinality {
		as := strings.ToLower(v.get("alias").str())
		if column := w.dialect.ListedColumns[name]; column != "" && (as == "" || w.says(as, column)) {
			return // it is asked for by its own name
		}
		as = v.get("alias").str()
		if as == "" {
			as = name
			v.set("alias", text(as))
		}
		v.set("column_name_alias", &tree{kind: '[', items: []*tree{text(as)}})
	}
}

// says tells whether the statement has as.column.
func (w *walker) says(as, column string) bool {
	tokens, _ := Lex(w.source) // which was read before
	named := func(t Token, name string) bool {
		return (t.Kind == Word || t.Kind == Quoted) && strings.EqualFold(t.Name(), name)
	}
	for i := 2; i < len(tokens); i++ {
		if tokens[i-1].Is(".") && named(tokens[i-2], as) && named(tokens[i], column) {
			return true
		}
	}
	return false
}

// dialectedTable puts a dialect's query in the place of a call in a FROM.
func (w *walker) dialectedTable(v *tree) error {
	f := v.get("function")
	if w.dialect == nil || v.get("type").str() != "TABLE_FUNCTION" || f.get("class").str() != "FUNCTION" || w.own[f] {
		return nil
	}
	name := f.get("function_name").str()
	if slices.Contains(w.dialect.Schemas, strings.ToLower(f.get("schema").str())) {
		f.set("schema", text(""))
	}
	w.lone(v, name)
	of, ordinal := w.dialect.Tables[strings.ToLower(name)], v.get("with_ordinality").str() == withOrdinality
	if w.dialect.Unnest != nil && strings.EqualFold(name, "unnest") {
		of = func(args []Argument) (string, error) {
			return w.dialect.Unnest(args, len(v.get("column_name_alias").list()), ordinal), nil
		}
	} else if list := w.dialect.Listed[strings.ToLower(name)]; list != nil {
		of = func(args []Argument) (string, error) {
			said, err := list(args)
			column := strings.ToLower(name)
			if as := w.dialect.ListedColumns[column]; as != "" {
				column = as
			}
			if ordinal {
				return "SELECT unnest(" + said + ") AS " + column + ", unnest(range(1, len(" + said + ") + 1)) AS ordinality", err
			}
			return "SELECT unnest(" + said + ") AS " + column, err
		}
	} else if ordinal {
		return nil
	}
	if of == nil {
		return nil
	}
	queried := func(args []Argument) (string, error) {
		said, err := of(args)
		if said != "" {
			said = "(" + said + ")"
		}
		return said, err
	}
	made, err := w.instance(f, queried, f.get("children").list(), nil)
	if made == nil || err != nil {
		return err
	}
	alias := v.get("alias")
	if alias.str() == "" {
		alias = text(name)
	}
	if columns := w.dialect.TableKinds[strings.ToLower(name)]; columns != nil {
		var kinds []kindColumn
		for _, c := range columns {
			kinds = append(kinds, kindColumn{c.Name, c.Kind})
		}
		if ordinal {
			kinds = append(kinds, kindColumn{"ordinality", "BIGINT"})
		}
		w.kinds.tables[made.get("subquery").get("node")] = kinds
	}
	*v = *object("type", text("SUBQUERY"), "alias", alias, "sample", scalar("null"), "query_location", v.get("query_location"),
		"subquery", made.get("subquery"), "column_name_alias", v.get("column_name_alias"))
	return nil
}
