package sqltext

import (
	"slices"
	"strings"

	"tarn/embedded/fault"
)

// converter turns the tree of a body that was walked into a Query. It looks at every member
// of every node: one that it does not know must say nothing.
type converter struct {
	source  string
	tokens  []Token
	nodes   int // put in place of CTEs and aliases so far
	unnamed []unnamed
}

// unnamed is an item that is called after its text.
type unnamed struct {
	item *Item
	node []byte
}

// withs are the CTEs in sight.
type withs struct {
	outer *withs
	name  string
	value *tree
}

func (c *converter) refuse(at *tree, hint, format string, args ...any) error {
	return c.refuseAt(at.begins(), hint, format, args...)
}

func (c *converter) refuseAt(offset int, hint, format string, args ...any) error {
	f := fault.Newf(fault.Invalid, hint, format, args...)
	if offset >= 0 {
		return At(f, c.source, offset)
	}
	return f
}

// before is the last of a word's places before an offset, or the offset.
func (c *converter) before(offset int, words ...string) int {
	for _, t := range slices.Backward(c.tokens) {
		if t.Offset <= offset && slices.ContainsFunc(words, t.Is) {
			return t.Offset
		}
	}
	return offset
}

const (
	hintOrder = "leave it out: a pipeline has no end to sort or to cut at; sort where you read the result"
	hintOther = "write it in another way"
)

func (c *converter) query(node *tree, in *withs) (*Query, error) {
	if with := node.get("cte_map").get("map"); with != nil {
		for _, entry := range with.items {
			in = &withs{in, entry.get("key").str(), entry.get("value")}
		}
	}
	distinct, err := c.modifiers(node)
	if err != nil {
		return nil, err
	}
	switch kind := node.get("type").str(); kind {
	case "SELECT_NODE":
		q, err := c.selected(node, in)
		if err == nil && distinct {
			q.Distinct = true
		}
		return q, err
	case "SET_OPERATION_NODE":
		return c.union(node, in, distinct)
	default:
		return nil, c.refuse(node, "write it without recursion", "a pipeline cannot use WITH RECURSIVE")
	}
}

// modifiers refuses what follows a SELECT, but for DISTINCT.
func (c *converter) modifiers(node *tree) (distinct bool, err error) {
	for _, m := range node.get("modifiers").items {
		at := m.begins()
		switch kind := m.get("type").str(); {
		case kind == "ORDER_MODIFIER":
			return false, c.refuseAt(c.before(at, "ORDER"), hintOrder, "a pipeline cannot use ORDER BY")
		case kind != "DISTINCT_MODIFIER":
			return false, c.refuseAt(c.before(at, "LIMIT", "OFFSET", "FETCH"), hintOrder, "a pipeline cannot use LIMIT and OFFSET")
		case !neutralBut(m):
			return false, c.refuseAt(c.before(at, "DISTINCT"), "group by those columns, and take min or max of the others", "a pipeline cannot use DISTINCT ON")
		}
		distinct = true
	}
	return distinct, nil
}

func (c *converter) union(node *tree, in *withs, distinct bool) (*Query, error) {
	sides := []*tree{node.get("left"), node.get("right")}
	if children := node.get("children"); children != nil && len(children.items) > 0 {
		sides = children.items
	}
	at := c.before(sides[len(sides)-1].begins(), "UNION", "INTERSECT", "EXCEPT")
	switch kind := node.get("setop_type").str(); {
	case kind == "UNION_BY_NAME":
		return nil, c.refuseAt(at, "write UNION ALL, with the columns in one order", "a pipeline cannot use UNION BY NAME")
	case kind != "UNION":
		return nil, c.refuseAt(at, "write it as a join or as a condition", "a pipeline cannot use %s", kind)
	case !node.get("setop_all").yes() || distinct:
		return nil, c.refuseAt(at, "write UNION ALL, and GROUP BY ALL around it where rows may be equal", "a pipeline cannot use UNION without ALL")
	case !neutralBut(node, "cte_map", "modifiers", "setop_type", "setop_all", "left", "right", "children"):
		return nil, c.refuseAt(at, hintOther, "this UNION cannot be used in a pipeline")
	}
	q := &Query{Offset: -1}
	for _, side := range sides {
		part, err := c.query(side, in)
		if err != nil {
			return nil, err
		}
		if len(part.Union) > 0 {
			q.Union = append(q.Union, part.Union...)
		} else {
			q.Union = append(q.Union, part)
		}
	}
	q.Offset = q.Union[0].Offset
	return q, nil
}

func (c *converter) selected(node *tree, in *withs) (*Query, error) {
	items := node.get("select_list")
	q := &Query{Offset: c.before(items.begins(), "SELECT")}
	switch {
	case !node.get("qualify").null():
		return nil, c.refuse(node.get("qualify"), "take max or min with GROUP BY", "a pipeline cannot use QUALIFY")
	case !node.get("sample").null():
		return nil, c.refuseAt(q.Offset, "choose rows by a condition on their columns", "a pipeline cannot sample")
	case !neutralBut(node, "modifiers", "cte_map", "select_list", "from_table", "where_clause", "group_expressions", "group_sets", "aggregate_handling", "having"):
		return nil, c.refuseAt(q.Offset, hintOther, "this SELECT cannot be used in a pipeline")
	}
	var err error
	if q.From, err = c.from(node.get("from_table"), in); err != nil {
		return nil, err
	}
	s := &selection{converter: c, query: q, sources: sources(q.From, nil)}
	if err := s.joins(q.From); err != nil {
		return nil, err
	}
	return q, s.fill(node)
}

// sources names the tables of a FROM.
func sources(f *From, all []string) []string {
	switch {
	case f == nil:
		return all
	case f.Join != nil:
		return sources(f.Join.Right, sources(f.Join.Left, all))
	case f.Alias == "" && f.Table != nil:
		return append(all, f.Table.Catalog+"\x00"+f.Table.Schema+"\x00"+f.Table.Name)
	}
	return append(all, f.SourceName())
}

// from is a table of a FROM. The conditions of joins are read when all tables are known.
func (c *converter) from(v *tree, in *withs) (*From, error) {
	f := &From{Alias: v.get("alias").str(), Offset: v.begins()}
	for _, name := range v.get("column_name_alias").list() {
		f.Columns = append(f.Columns, name.str())
	}
	if !v.get("sample").null() {
		return nil, c.refuseAt(f.Offset, "choose rows by a condition on their columns", "a pipeline cannot sample")
	}
	var err error
	switch kind := v.get("type").str(); {
	case kind == "EMPTY":
		return nil, nil
	case kind == "BASE_TABLE":
		return f, c.table(f, v, in)
	case kind == "SUBQUERY":
		if !neutralBut(v, "alias", "subquery", "column_name_alias") {
			return nil, c.refuseAt(f.Offset, hintOther, "this subquery cannot be used in a pipeline")
		}
		f.Sub, err = c.query(v.get("subquery").get("node"), in)
		return f, err
	case kind == "JOIN":
		return f, c.join(f, v, in)
	case isWindow(v):
		return f, c.window(f, v, in)
	case kind == "TABLE_FUNCTION":
		return nil, c.refuseAt(f.Offset, "name a source or a table", "a pipeline cannot read the function %s", v.get("function").get("function_name").str())
	case kind == "EXPRESSION_LIST":
		return nil, c.refuseAt(f.Offset, "put the rows into a table and name it", "a pipeline cannot read VALUES")
	default:
		return nil, c.refuseAt(f.Offset, hintOther, "a pipeline cannot use %s in FROM", kind)
	}
}

// list is the items of a list, also of none.
func (t *tree) list() []*tree {
	if t == nil {
		return nil
	}
	return t.items
}

func (c *converter) table(f *From, v *tree, in *withs) error {
	t := Table{Catalog: v.get("catalog_name").str(), Schema: v.get("schema_name").str(), Name: v.get("table_name").str(), Offset: f.Offset}
	if !v.get("at_clause").null() {
		return c.refuseAt(f.Offset, "leave it out: a pipeline begins with what the table holds", "a pipeline cannot use AT")
	}
	if !neutralBut(v, "alias", "catalog_name", "schema_name", "table_name", "column_name_alias") {
		return c.refuseAt(f.Offset, hintOther, "this table cannot be used in a pipeline")
	}
	for ; in != nil && t.Schema == "" && t.Catalog == ""; in = in.outer {
		if strings.EqualFold(in.name, t.Name) {
			return c.with(f, t, in)
		}
	}
	f.Table = &t
	return nil
}

// with puts a CTE in the place of its name. It sees those before it.
func (c *converter) with(f *From, t Table, in *withs) (err error) {
	if !neutralBut(in.value, "aliases", "query", "materialized") {
		return c.refuseAt(f.Offset, hintOther, "this WITH cannot be used in a pipeline")
	}
	if c.nodes += in.value.nodes(); c.nodes > weightMax {
		return errOutgrows()
	}
	if f.Alias == "" {
		f.Alias = t.Name
	}
	for i, name := range in.value.get("aliases").list() {
		if i >= len(f.Columns) {
			f.Columns = append(f.Columns, name.str())
		}
	}
	f.Sub, err = c.query(in.value.get("query").get("node"), in.outer)
	return err
}

func (c *converter) window(f *From, v *tree, in *withs) error {
	call, err := windowParts(v, func(at *tree, hint, message string) error { return c.refuse(at, hint, "%s", message) })
	if err != nil {
		return err
	}
	source, _ := call.source()
	source.set("alias", text(""))
	if call.Of, err = c.from(source, in); err == nil {
		f.Window = &call.Window
	}
	return err
}

func (c *converter) join(f *From, v *tree, in *withs) error {
	kind := v.get("join_type").str()
	switch ref := v.get("ref_type").str(); {
	case ref == "CROSS":
		kind = "CROSS"
	case ref == "NATURAL":
		return c.refuse(v.get("right"), "write JOIN … USING (columns)", "a pipeline cannot use NATURAL JOIN")
	case ref != "REGULAR":
		return c.refuse(v.get("right"), "write JOIN … ON", "a pipeline cannot use %s JOIN", ref)
	}
	if !neutralBut(v, "alias", "left", "right", "condition", "join_type", "ref_type", "using_columns") {
		return c.refuse(v, hintOther, "this join cannot be used in a pipeline")
	}
	f.Join = &Join{Kind: kind}
	for _, name := range v.get("using_columns").list() {
		f.Join.Using = append(f.Join.Using, name.str())
	}
	if on := v.get("condition"); !on.null() {
		f.Join.On = &Expr{node: on}
	}
	var err error
	if f.Join.Left, err = c.from(v.get("left"), in); err == nil {
		f.Join.Right, err = c.from(v.get("right"), in)
	}
	return err
}
