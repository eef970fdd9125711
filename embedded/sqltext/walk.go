package sqltext

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/fault"
)

var errDeep = errors.New("nested too deeply")

// walker goes over one statement. It knows every member of every node; what it does not
// know it refuses.
type walker struct {
	source     string // the statement, for places
	prefix     string // of all names that it gives
	count      int
	resolve    func(Table) (*relation, error)
	moment     func(*tree) (Moment, error)
	parse      func(string) (*tree, error) // of the walk's own texts
	named      []naming
	placed     map[*tree]*relation   // what each table reference became, for lineage
	where      map[*tree][]Condition // what is asked of the rows of each
	dialect    *Dialect              // nil: DuckDB's
	own        map[*tree]bool        // calls and casts that the dialect wrote
	translated int                   // nodes that it wrote
	marks      string                // begins the marks of lifted values
	peeked     bool                  // the dialect went by such a value
	probe      probe                 // of the types that the dialect goes by
	kinds      kinds                 // types that the statement tells
	sc         *scope                // of the call that the dialect is asked for
	lambdaless bool                  // DuckDB binds no lambda there
	keeps      bool                  // what it computes is kept: a type of unanswered is refused wherever it stands
}

// relation is a resolved reference and the name that stands for it in the new text.
type relation struct {
	Relation
	placeholder string
}

func (w *walker) refuse(v *tree, code fault.Code, hint, format string, args ...any) error {
	f := fault.Newf(code, hint, format, args...)
	if at := v.place(); at >= 0 {
		return At(f, w.source, at)
	}
	return f
}

// unknown refuses what the walk has no shape for.
func (w *walker) unknown(v *tree, what string) error {
	return w.refuse(v, fault.Denied, "write it in another way", "%s cannot be used here", strings.ToLower(strings.ReplaceAll(what, "_", " ")))
}

func (w *walker) members(v *tree, s shape, sc *scope, common ...string) error {
	if v.kind != '{' {
		return w.unknown(v, "a form of this kind")
	}
	for i, key := range v.keys {
		if slices.Contains(common, key) {
			if !v.items[i].scalar() {
				return w.unknown(v, key)
			}
			continue
		}
		p, known := s[key]
		if !known {
			return w.unknown(v, key)
		}
		if err := w.part(v, key, v.items[i], p, sc); err != nil {
			return err
		}
	}
	return nil
}

// part walks one member.
func (w *walker) part(owner *tree, key string, v *tree, p part, sc *scope) error {
	switch p {
	case plain:
		if v.scalar() {
			return nil
		}
	case nothing:
		if v.null() || v.raw == "false" || v.raw == `""` || v.kind == '[' && len(v.items) == 0 {
			return nil
		}
		if key == "named_param_map" {
			return w.refuse(owner, fault.Invalid, "write the value into the statement", "parameters cannot be used here")
		}
	case data:
		return w.data(owner, v)
	case snapshot:
		return nil // base has taken it
	case expr:
		return w.expression(v, sc)
	case query:
		return w.query(v, sc)
	case from:
		return w.from(v, sc)
	case statement:
		return w.members(v, statementShape, sc)
	case ordering:
		return w.members(v, shape{"orders": orders}, sc, "type")
	default:
		return w.each(owner, key, v, p, sc)
	}
	return w.unknown(owner, key)
}

// each walks a list.
func (w *walker) each(owner *tree, key string, v *tree, p part, sc *scope) error {
	if v.kind != '[' {
		return w.unknown(owner, key)
	}
	for _, item := range v.items {
		var err error
		switch p {
		case plains:
			if !item.scalar() {
				err = w.unknown(owner, key)
			}
		case exprs:
			err = w.expression(item, sc)
		case exprRows:
			err = w.each(owner, key, item, exprs, sc)
		case named:
			err = w.members(item, namedShape, sc)
		case queryList:
			err = w.query(item, sc)
		case orders:
			err = w.members(w.ordered(item), orderShape, sc, "type")
		case checks:
			err = w.members(item, checkShape, sc)
		case pivots:
			err = w.members(item, pivotShape, sc)
		case pivotEntries:
			err = w.members(item, entryShape, sc, "alias")
		case modifiers:
			err = w.shaped(item, modifierShapes, "type", sc, "type")
		default:
			err = w.unknown(owner, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) shaped(v *tree, shapes map[string]shape, by string, sc *scope, common ...string) error {
	kind := v.get(by).str()
	s, known := shapes[kind]
	if !known {
		return w.unknown(v, "the form "+kind)
	}
	return w.members(v, s, sc, common...)
}

// data passes values and types: whatever holds no expression and names no kind of type that
// Tarn does not know.
func (w *walker) data(owner, v *tree) error {
	for i, item := range v.items {
		if v.kind == '{' {
			switch key := v.keys[i]; {
			case key == "class", key == "query", key == "function", key == "extension_info" && !item.null():
				return w.unknown(owner, "a value of this kind")
			case key == "type" && item.kind == '"' && !typeInfo(item.str()):
				if name := strings.ToUpper(v.get("alias").str()); unanswered[name] != "" {
					return w.placeFault(errUnanswered(name), owner)
				}
				return w.unknown(owner, "a type of this kind")
			case w.keeps && (key == "id" || key == "name") && item.kind == '"' && unanswered[strings.ToUpper(item.str())] != "":
				return w.placeFault(errUnanswered(strings.ToUpper(item.str())), owner)
			}
		}
		if err := w.data(owner, item); err != nil {
			return err
		}
	}
	return nil
}

var commonExpression = []string{"class", "type", "alias", "query_location"}

func (w *walker) expression(v *tree, sc *scope) error {
	if v.null() {
		return nil
	}
	if err := w.dialected(v, v.get("class").str(), sc); err != nil {
		return err
	}
	switch v.get("class").str() {
	case "CONSTANT":
		v.exactNumber()
	case "FUNCTION", "WINDOW":
		v.method()
		if err := w.function(v, false); err != nil {
			return err
		}
	case "COLUMN_REF":
		w.column(v, sc)
	case "PARAMETER":
		return w.refuse(v, fault.Invalid, "write the value into the statement", "parameters cannot be used here")
	case "LAMBDA":
		inner := scope{outer: sc, params: v.get("lhs").parameters()}
		if sc != nil {
			inner.at = sc.at
		}
		sc = &inner
	}
	return w.shaped(v, expressionShapes, "class", sc, commonExpression...)
}

// function holds a call to the allow-list. DuckDB's parser itself puts schema main before
// the functions that stand for its syntax.
func (w *walker) function(v *tree, ofTables bool) error {
	name, schema := v.get("function_name").str(), v.get("schema").str()
	allowed := Allowed(name)
	if ofTables {
		allowed = tableFunctions[strings.ToLower(name)]
	}
	switch {
	case schema != "" && schema != "main", !v.get("catalog").null() && v.get("catalog").str() != "":
		return w.refuse(v, fault.Denied, fmt.Sprintf("write %s(…) without a schema", name), "the function %s.%s cannot be used", schema, name)
	case !allowed:
		return w.refuse(v, fault.Denied, functionHint(name, ofTables), "the function %s cannot be used here", name)
	}
	return nil
}

// column takes catalog and schema off a column's name where they name a table of the
// FROM, which is a query now and has its bare name as alias.
func (w *walker) column(v *tree, sc *scope) {
	names := v.get("column_names")
	if names == nil || names.kind != '[' || len(names.items) < 3 {
		return
	}
	for s := sc; s != nil; s = s.outer {
		for _, t := range s.tables {
			if n := t.qualifies(names.items); n > 0 {
				names.items = append([]*tree{text(t.alias)}, names.items[n:]...)
				return
			}
		}
	}
}

var commonFrom = []string{"type", "alias", "query_location"}

func (w *walker) from(v *tree, sc *scope) error {
	if v.null() {
		return nil
	}
	if v.kind != '{' {
		return w.unknown(v, "a table of this kind")
	}
	w.sc = sc
	if err := w.dialectedTable(v); err != nil {
		return err
	}
	kind := v.get("type").str()
	switch kind {
	case "BASE_TABLE":
		if err := w.base(v, sc); err != nil {
			return err
		}
	case "TABLE_FUNCTION":
		if isWindow(v) {
			return w.windowed(v, sc)
		}
		f := v.get("function")
		if f.get("class").str() != "FUNCTION" {
			return w.unknown(v, "a function of this kind")
		}
		if err := w.function(f, true); err != nil {
			return err
		}
		// The call itself is judged; its arguments are walked as any expressions.
		if err := w.members(f, expressionShapes["FUNCTION"], sc, commonExpression...); err != nil {
			return err
		}
		return w.members(v, shape{"function": snapshot, "column_name_alias": plains, "with_ordinality": plain, "sample": data}, sc, commonFrom...)
	case "SHOW_REF":
		if show := v.get("show_type").str(); show != "SUMMARY" && show != "DESCRIBE" || v.get("query").null() {
			return w.refuse(v, fault.Denied, "use it as a statement of its own", "SHOW cannot be used here")
		}
	}
	s, known := fromShapes[kind]
	if !known {
		return w.unknown(v, "the form "+kind)
	}
	return w.members(v, s, sc, commonFrom...)
}

// base puts another name in a table's place: that of the CTE it means, or a new one that
// stands for what the resolver answers.
func (w *walker) base(v *tree, sc *scope) error {
	t := Table{Catalog: v.get("catalog_name").str(), Schema: v.get("schema_name").str(), Name: v.get("table_name").str(), Where: w.where[v], Offset: v.place()}
	at := v.get("at_clause")
	name, schema, found := "", "", false
	switch {
	case t.Catalog == "" && t.Schema == "":
		name, found = sc.cte(t.Name)
	case t.Catalog == "" && strings.EqualFold(t.Schema, recurring):
		if name, found = sc.recurring(t.Name); found {
			schema = recurring
		}
	}
	switch {
	case found && !at.null():
		return w.refuse(v, fault.Invalid, "name a table of the lake", "AT cannot be used on %s, which is no table", t.Name)
	case !found:
		if w.count++; w.count > tablesMax {
			return w.refuse(v, fault.TooLarge, "split the statement", "the statement names more than %d tables", tablesMax)
		}
		var err error
		if !at.null() {
			if t.At, err = w.moment(at); err != nil {
				return err
			}
		}
		r, err := w.resolve(t)
		if err != nil {
			return w.placeFault(err, v)
		}
		w.placed[v] = r
		name = r.placeholder
	}
	if v.get("alias").str() == "" {
		v.set("alias", text(sc.alias(t)))
	}
	v.set("catalog_name", text(""))
	v.set("schema_name", text(schema))
	v.set("table_name", text(name))
	v.set("at_clause", scalar("null"))
	return nil
}

// placeFault puts the place of a table reference on a resolver's fault that has none.
func (w *walker) placeFault(err error, v *tree) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Line > 0 || v.place() < 0 {
		return err
	}
	placed := *f
	return At(&placed, w.source, v.place())
}

func (w *walker) query(v *tree, outer *scope) error {
	if v.null() {
		return nil
	}
	kind := v.get("type").str()
	s, known := queryShapes[kind]
	if !known {
		return w.unknown(v, "the form "+kind)
	}
	sc := &scope{outer: outer, ctes: map[string]string{}}
	if err := w.with(v.get("cte_map"), sc); err != nil {
		return err
	}
	if kind == "RECURSIVE_CTE_NODE" {
		renamed, ok := outer.cte(v.get("cte_name").str())
		if !ok {
			return w.unknown(v, "a recursion of this kind")
		}
		v.set("cte_name", text(renamed))
	}
	if kind == "SELECT_NODE" {
		sc.at = v.get("select_list").begins()
		if where := conditions(v); where != nil && w.where != nil {
			w.where[v.get("from_table")] = where
		}
		if err := w.ties(v); err != nil {
			return err
		}
		sc.see(v.get("from_table"))
		sc.from, sc.aliases = v.get("from_table"), v.get("select_list").aliases()
		w.nameItems(v.get("select_list"))
	}
	for _, i := range w.inOrder(v) {
		key, err := v.keys[i], error(nil)
		switch key {
		case "type", "cte_map":
		case "modifiers":
			err = w.part(v, key, v.items[i], modifiers, sc)
		default:
			p, known := s[key]
			if !known {
				return w.unknown(v, key)
			}
			was := w.lambdaless
			w.lambdaless = key == "having"
			err = w.part(v, key, v.items[i], p, sc)
			w.lambdaless = was
			if err == nil && key == "from_table" {
				w.selects(v, sc)
			}
		}
		if err != nil {
			return err
		}
	}
	w.later(v, sc)
	if kind == "SET_OPERATION_NODE" && !strings.Contains(v.get("setop_type").str(), "NAME") {
		w.combines(v)
	}
	return nil
}

// with renames the CTEs of a node, so that no name that a user chose reaches DuckDB as a
// table's: a CTE called like a file would be read as that file where the CTE is not in
// sight. Each sees those before it, and itself only when it recurses.
func (w *walker) with(v *tree, sc *scope) error {
	if v.null() {
		return nil
	}
	if v.kind != '{' || len(v.keys) != 1 || v.get("map") == nil {
		return w.unknown(v, "WITH of this kind")
	}
	for _, entry := range v.get("map").items {
		value := entry.get("value")
		if len(entry.keys) != 2 || value == nil {
			return w.unknown(v, "WITH of this kind")
		}
		name := strings.ToLower(entry.get("key").str())
		w.count++
		renamed := w.prefix + "c" + strconv.Itoa(w.count)
		inner := &scope{outer: sc}
		if value.get("query").get("node").get("type").str() == "RECURSIVE_CTE_NODE" {
			inner.ctes, inner.recurs = map[string]string{name: renamed}, true
		}
		if err := w.members(value, cteShape, inner); err != nil {
			return err
		}
		entry.set("key", text(renamed))
		sc.ctes[name] = renamed
		if of := w.kinds.tables[value.get("query").get("node")]; of != nil {
			w.kinds.ctes[renamed] = renamedKinds(of, value.get("aliases"))
		}
	}
	return nil
}
