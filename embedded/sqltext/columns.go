package sqltext

import (
	"slices"
	"strings"
)

// naming is an expression whose column is named after its text, which the walk changes.
type naming struct {
	item     *tree
	original []byte
}

// nameItems notes the columns that DuckDB would name after a text that the walk changes.
func (w *walker) nameItems(v *tree) {
	if v == nil {
		return
	}
	if w.dialect != nil && w.dialect.Column != nil {
		w.nameColumns(v)
	}
	for _, item := range v.items {
		if class := item.get("class").str(); item.get("alias").str() == "" && class != "COLUMN_REF" && class != "STAR" && item.changes() {
			w.named = append(w.named, naming{item, item.appendTo(nil)})
		}
	}
}

// aliases are those of a select list that stand for what is no column of that name.
func (t *tree) aliases() (out []string) {
	for _, item := range t.list() {
		if as := item.get("alias").str(); as != "" && !strings.EqualFold(as, lastName(item)) {
			out = append(out, as)
		}
	}
	return out
}

// changes tells whether the walk may change an expression's text.
func (t *tree) changes() bool {
	switch t.get("class").str() {
	case "SUBQUERY":
		return true
	case "CONSTANT":
		return t.get("value").misprinted()
	case "COLUMN_REF":
		return t.get("column_names") != nil && len(t.get("column_names").items) > 2
	}
	return slices.ContainsFunc(t.items, (*tree).changes)
}

// nameColumns gives the columns of a select list the names of the dialect.
func (w *walker) nameColumns(v *tree) {
	for i, item := range v.list() {
		if class := item.get("class").str(); item.get("alias").str() == "" && class != "COLUMN_REF" && class != "STAR" && !item.stars() {
			if name := w.dialect.Column(i, item.head()); name != "" {
				item.set("alias", text(name))
			}
		}
	}
}

// stars tells whether an expression stands for several columns.
func (t *tree) stars() bool {
	return t.get("class").str() == "STAR" || slices.ContainsFunc(t.items, (*tree).stars)
}

// named tells whether an expression's column is called by a column or a function in it, and not by a type or as a CASE.
func (t *tree) named() bool {
	switch t.get("class").str() {
	case "CAST", "COLLATE":
		return t.get("child").named()
	case "CASE":
		return t.get("else_expr").named()
	}
	return t.head() != ""
}

// head is the word that an expression's column has its name of, "" for none.
func (t *tree) head() string {
	switch t.get("class").str() {
	case "FUNCTION", "WINDOW":
		if name := t.get("function_name").str(); !t.get("is_operator").yes() && beginsWord(rune(name[0])) {
			if name == "struct_extract" && len(t.get("children").list()) == 2 {
				if field := t.get("children").items[1].literal(); field != nil {
					return *field
				}
			}
			return strings.TrimSuffix(strings.ToLower(name), "_star")
		}
	case "COLUMN_REF":
		if names := t.get("column_names").list(); len(names) > 0 {
			return names[len(names)-1].str()
		}
	case "COLLATE":
		return t.get("child").head()
	case "CAST":
		if t.named() {
			return t.get("child").head()
		}
		if said := t.get("child").literal(); said != nil && (*said == "t" || *said == "f") && t.get("cast_type").get("id").str() == "BOOLEAN" {
			return "" // true and false are parsed so
		}
		info := t.get("cast_type")
		if name := info.get("type_info").get("name").str(); name != "" {
			return strings.ToLower(name)
		}
		return strings.ToLower(info.get("id").str())
	case "CASE":
		if t.named() {
			return t.get("else_expr").head()
		}
		return "case"
	case "OPERATOR":
		switch t.get("type").str() {
		case "OPERATOR_COALESCE":
			return "coalesce"
		case "OPERATOR_NULLIF":
			return "nullif"
		case "ARRAY_CONSTRUCTOR":
			return "array"
		case "ARRAY_EXTRACT", "ARRAY_SLICE":
			if children := t.get("children").list(); len(children) > 0 {
				return children[0].head()
			}
		case "STRUCT_EXTRACT":
			if children := t.get("children").list(); len(children) == 2 && children[1].literal() != nil {
				return *children[1].literal()
			}
		}
	case "SUBQUERY":
		if t.get("subquery_type").str() == "EXISTS" {
			return "exists"
		}
		if items := t.get("subquery").get("node").get("select_list").list(); t.get("subquery_type").str() == "SCALAR" && len(items) > 0 {
			if alias := items[0].get("alias").str(); alias != "" {
				return alias
			}
			return items[0].head()
		}
	}
	return ""
}
