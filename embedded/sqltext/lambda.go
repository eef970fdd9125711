package sqltext

import (
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
)

// applied is what a template calls a lambda among its arguments by: applied($2, a, b) is the lambda's body with a and b in the place
// of its parameters. DuckDB has lambdas of one list's elements alone.
const applied = "applied"

// apply is the body of a lambda with values in the place of its parameters; nil where it has another number of them.
func (w *walker) apply(lambda *tree, values []*tree) *tree {
	lhs := lambda.get("lhs")
	params := []*tree{lhs}
	if lhs.get("class").str() == "FUNCTION" {
		params = lhs.get("children").list()
	}
	if lambda.get("class").str() != "LAMBDA" || len(params) != len(values) {
		return nil
	}
	of := map[string]*tree{}
	for i, p := range params {
		of[lastName(p)] = values[i]
	}
	return w.substituted(lambda.get("expr"), of)
}

// substituted copies an expression with values in the place of the names of a lambda.
func (w *walker) substituted(t *tree, of map[string]*tree) *tree {
	switch t.get("class").str() {
	case "COLUMN_REF":
		names := t.get("column_names").list()
		value := of[strings.ToLower(names[0].str())]
		if value == nil {
			break
		}
		value = w.copied(value)
		for _, field := range names[1:] {
			made, err := w.template("struct_extract($1, " + Literal(field.str()) + ")")
			if err != nil {
				return nil
			}
			value = w.fill(made, []*tree{value}, nil)
		}
		return value
	case "LAMBDA":
		if hidden := t.get("lhs").parameters(); len(hidden) > 0 {
			inner := map[string]*tree{}
			for name, value := range of {
				if !slices.ContainsFunc(hidden, func(p string) bool { return strings.EqualFold(p, name) }) {
					inner[name] = value
				}
			}
			of = inner
		}
	}
	if w.translated++; w.translated > translatedMax {
		return t // it is refused
	}
	out := &tree{kind: t.kind, raw: t.raw, keys: slices.Clone(t.keys)}
	for _, item := range t.items {
		made := w.substituted(item, of)
		if made == nil {
			return nil
		}
		out.items = append(out.items, made)
	}
	if w.own[t] {
		w.own[out] = true
	}
	return out
}

// fillApplied is a template's call of applied: its first part is the parameter that stands for the lambda.
func (w *walker) fillApplied(parts, args []*tree, place *tree) *tree {
	var values []*tree
	for _, part := range parts {
		value := w.fill(part, args, place)
		if value == nil {
			return nil
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return nil
	}
	return w.apply(values[0], values[1:])
}

// apart gives the lambdas of a template within which arguments of a call stand parameters of the call's own: those of one around it stand in the
// arguments. Equal calls have equal ones, for DuckDB holds an expression against GROUP BY by its text.
func (t *tree) apart(call *tree) {
	names := map[string]bool{}
	t.captures(names)
	if len(names) == 0 {
		return
	}
	h := fnv.New64a()
	call.gist(h)
	t.rename(names, fmt.Sprintf("_%x", h.Sum64()))
}

// captures are the parameters of lambdas with a template's parameter in their bodies.
func (t *tree) captures(names map[string]bool) {
	if t.get("class").str() == "LAMBDA" && t.get("expr").parameterized() {
		for _, name := range t.get("lhs").parameters() {
			names[name] = true
		}
	}
	for _, item := range t.items {
		item.captures(names)
	}
}

func (t *tree) parameterized() bool {
	return t.get("class").str() == "PARAMETER" || slices.ContainsFunc(t.items, (*tree).parameterized)
}

func (t *tree) rename(names map[string]bool, end string) {
	if of := t.get("column_names").list(); len(of) > 0 && names[of[0].str()] {
		*of[0] = *text(of[0].str() + end)
	}
	for _, item := range t.items {
		item.rename(names, end)
	}
}

// gist writes what a call says, whichever table its columns are written with.
func (t *tree) gist(b io.Writer) {
	if name := lastName(t); name != "" {
		_, _ = io.WriteString(b, name)
		return
	}
	_, _ = io.WriteString(b, string(t.kind)+strings.ToLower(t.raw))
	for i, item := range t.items {
		if t.kind != '{' || t.keys[i] != "query_location" && t.keys[i] != "alias" {
			item.gist(b)
		}
	}
}
