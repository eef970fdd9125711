package sqltext

import (
	"slices"
	"strings"
)

// Output is a column of a statement's answer: its name, empty where DuckDB makes one up, and
// the columns that it is computed from, as schema.table.column in order. Where the walk
// cannot follow an expression it names every table of the statement as schema.table.*, so
// that lineage may say too much and never too little. What only a condition reads is no input.
type Output struct {
	Name   string   `json:"name"`
	Inputs []string `json:"inputs,omitempty"`
}

// outputs tells the columns of a statement that was walked; nil where it cannot tell how
// many there are.
func (w *walker) outputs(node *tree) []Output {
	t := &tracer{placed: w.placed, ctes: map[string][]Output{}}
	for _, r := range w.placed {
		t.everything = merge(t.everything, []string{r.Name + ".*"})
	}
	return t.query(node, nil)
}

// tracer follows columns from the tables to the answer.
type tracer struct {
	placed     map[*tree]*relation
	ctes       map[string][]Output // by the walk's own names; nil for columns that are not known
	everything []string
}

// origin is a table of a FROM with its columns; nil for columns that are not known.
type origin struct {
	alias   string
	columns []Output
}

func (t *tracer) query(node *tree, outer []origin) []Output {
	if with := node.get("cte_map").get("map"); with != nil {
		for _, entry := range with.items {
			value := entry.get("value")
			t.ctes[entry.get("key").str()] = renamed(t.query(value.get("query").get("node"), outer), value.get("aliases"))
		}
	}
	switch node.get("type").str() {
	case "SELECT_NODE":
		return t.selected(node, outer)
	case "SET_OPERATION_NODE":
		return t.combined(node, outer)
	}
	return nil
}

// combined is a UNION and its like: columns meet by their places.
func (t *tracer) combined(node *tree, outer []origin) []Output {
	if strings.Contains(node.get("setop_type").str(), "NAME") {
		return nil
	}
	sides := []*tree{node.get("left"), node.get("right")}
	if children := node.get("children"); children != nil && len(children.items) > 0 {
		sides = children.items
	}
	var out []Output
	for i, side := range sides {
		columns := t.query(side, outer)
		if columns == nil || i > 0 && len(columns) != len(out) {
			return nil
		}
		if i == 0 {
			out = slices.Clone(columns)
			continue
		}
		for c := range columns {
			out[c].Inputs = merge(out[c].Inputs, columns[c].Inputs)
		}
	}
	return out
}

func (t *tracer) selected(node *tree, outer []origin) []Output {
	tables, merged := t.from(node.get("from_table"), outer)
	visible := append(slices.Clone(tables), outer...)
	var out []Output
	for _, item := range node.get("select_list").items {
		if item.get("class").str() == "STAR" {
			columns := star(item, tables)
			if columns == nil || merged {
				return nil
			}
			out = append(out, columns...)
			continue
		}
		name := item.get("alias").str()
		if names := item.get("column_names"); name == "" && names != nil && len(names.items) > 0 {
			name = names.items[len(names.items)-1].str()
		}
		out = append(out, Output{name, t.inputs(item, visible)})
	}
	return out
}

// star is the columns of * or t.*; nil where it leaves some out or renames them, or where
// a table's are not known.
func star(item *tree, tables []origin) []Output {
	for i, key := range item.keys {
		plain := key == "class" || key == "type" || key == "alias" || key == "query_location" || key == "relation_name"
		if v := item.items[i]; !plain && !v.null() && v.raw != "false" && (v.scalar() || len(v.items) > 0) {
			return nil
		}
	}
	of := item.get("relation_name").str()
	out := []Output{}
	for _, table := range tables {
		if of != "" && !strings.EqualFold(of, table.alias) {
			continue
		}
		if table.columns == nil {
			return nil
		}
		out = append(out, table.columns...)
	}
	return out
}

// from lists the tables of a FROM. merged tells of a join that makes one column of two.
func (t *tracer) from(v *tree, outer []origin) (tables []origin, merged bool) {
	alias := v.get("alias").str()
	switch v.get("type").str() {
	case "", "EMPTY":
		return nil, false
	case "BASE_TABLE":
		columns := t.ctes[v.get("table_name").str()]
		if r, ok := t.placed[v]; ok {
			columns = []Output{}
			for _, c := range r.Columns {
				columns = append(columns, Output{c, []string{r.Name + "." + c}})
			}
		}
		return []origin{{alias, renamed(columns, v.get("column_name_alias"))}}, false
	case "SUBQUERY":
		columns := t.query(v.get("subquery").get("node"), outer)
		return []origin{{alias, renamed(columns, v.get("column_name_alias"))}}, false
	case "JOIN":
		left, mergedLeft := t.from(v.get("left"), outer)
		right, mergedRight := t.from(v.get("right"), append(slices.Clone(left), outer...))
		using := v.get("using_columns")
		merged = mergedLeft || mergedRight || using != nil && len(using.items) > 0 || v.get("ref_type").str() != "REGULAR" && v.get("ref_type").str() != "CROSS"
		return append(left, right...), merged
	}
	return []origin{{alias, nil}}, false
}

// renamed gives the first columns the names of an alias list.
func renamed(columns []Output, aliases *tree) []Output {
	if columns == nil || aliases == nil || len(aliases.items) == 0 {
		return columns
	}
	out := slices.Clone(columns)
	for i := range min(len(out), len(aliases.items)) {
		out[i].Name = aliases.items[i].str()
	}
	return out
}

// inputs collects what an expression reads.
func (t *tracer) inputs(v *tree, visible []origin) []string {
	switch v.get("class").str() {
	case "COLUMN_REF":
		return t.column(v.get("column_names"), visible)
	case "STAR":
		return t.everything
	case "SUBQUERY":
		columns := t.query(v.get("subquery").get("node"), visible)
		if columns == nil || v.get("subquery_type").str() != "SCALAR" {
			return t.everything
		}
		var all []string
		for _, c := range columns {
			all = merge(all, c.Inputs)
		}
		return all
	}
	var all []string
	for _, part := range v.items {
		all = merge(all, t.inputs(part, visible))
	}
	return all
}

// column finds a reference among the tables: table.column, column, or a member of a struct.
func (t *tracer) column(names *tree, visible []origin) []string {
	if names == nil || len(names.items) == 0 {
		return t.everything
	}
	first := names.items[0].str()
	for _, table := range visible {
		if len(names.items) > 1 && strings.EqualFold(table.alias, first) {
			return t.within([]origin{table}, names.items[1].str())
		}
	}
	return t.within(visible, first)
}

// within is the inputs of a column of that name. Inner tables come first, and hide the
// outer ones.
func (t *tracer) within(tables []origin, name string) []string {
	for _, table := range tables {
		if table.columns == nil {
			return t.everything
		}
		for _, c := range table.columns {
			if strings.EqualFold(c.Name, name) {
				return c.Inputs
			}
		}
	}
	return t.everything
}

// merge is the sorted union.
func merge(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}
