package sqltext

import (
	"slices"
	"strconv"
	"strings"
)

// A type that the statement itself tells need not be asked for: that of a constant, a cast, a column of a table, and of what a dialect
// makes of these. Whatever is not told for sure has none here.

// kindColumnsMax bounds the columns of a query whose types are told: each * of two tables may be twice as many.
const kindColumnsMax = 4_000

// kinds are types that a walk has found.
type kinds struct {
	known  map[*tree]string       // of expressions, also "" for one that is not told
	tables map[*tree][]kindColumn // of queries by their nodes
	ctes   map[string][]kindColumn
}

// kindColumn is a column of a table of a FROM; its kind is "" where it is not told.
type kindColumn struct{ name, kind string }

// LiteralKind is what Dialect.Kind is told of a literal text, which has the type that is asked of it.
const LiteralKind = "LITERAL"

// KindColumn is a column of what a function in a FROM gives, with its type in a dialect's words.
type KindColumn struct{ Name, Kind string }

func newKinds() kinds {
	return kinds{map[*tree]string{}, map[*tree][]kindColumn{}, map[string][]kindColumn{}}
}

// kind is the type of an expression in DuckDB's words, with width and scale of a decimal; "" where the statement does not tell it.
func (w *walker) kind(v *tree, sc *scope) string {
	if w.dialect == nil || w.dialect.Kind == nil {
		return ""
	}
	if known, ok := w.kinds.known[v]; ok {
		return known
	}
	found := w.kindOf(v, sc)
	w.kinds.known[v] = found
	return found
}

func (w *walker) kindOf(v *tree, sc *scope) string {
	switch v.get("class").str() {
	case "CONSTANT":
		if value := v.get("value"); !value.get("is_null").yes() {
			if kind := plainKind(value.get("type")); kind != "DOUBLE" || w.dialect.Exact == nil {
				return kind
			}
		}
	case "CAST":
		return w.castKind(v.get("cast_type"))
	case "COLUMN_REF":
		return w.columnKind(v, sc)
	case "FUNCTION", "WINDOW":
		schema := strings.ToLower(v.get("schema").str()) // x.round(1) is one of x, too
		if w.own[v] || schema != "" && schema != "main" && !slices.Contains(w.dialect.Schemas, schema) {
			return ""
		}
		var of []string
		for _, a := range v.get("children").list() {
			kind := w.kind(a, sc)
			if a.literal() != nil && a.get("class").str() == "CONSTANT" {
				kind = LiteralKind
			}
			of = append(of, kind)
		}
		if kind := w.dialect.Kind(strings.ToLower(v.get("function_name").str()), of); kind != LiteralKind {
			return kind
		}
		return "VARCHAR"
	case "SUBQUERY":
		if of := w.kinds.tables[v.get("subquery").get("node")]; v.get("subquery_type").str() == "SCALAR" && len(of) == 1 {
			return of[0].kind
		}
	case "OPERATOR":
		if v.get("type").str() == "OPERATOR_COALESCE" {
			return w.common(v.get("children").list(), sc)
		}
	case "CASE":
		return w.common(branches(v), sc)
	}
	return ""
}

// branches are the values of a CASE.
func branches(v *tree) (out []*tree) {
	for _, c := range v.get("case_checks").list() {
		out = append(out, c.get("then_expr"))
	}
	if other := v.get("else_expr"); !other.null() {
		out = append(out, other)
	}
	return out
}

// common is the type that all of some expressions have, but those that are null. A literal text has that of the dialect's own.
func (w *walker) common(all []*tree, sc *scope) (known string) {
	own := func(kind string) bool { return w.dialect.OwnKinds[kind] != "" }
	literal := false
	for _, v := range all {
		if v.get("class").str() == "CONSTANT" && v.get("value").get("is_null").yes() {
			continue
		}
		kind := w.kind(v, sc)
		if literal && own(kind) {
			known, literal = kind, false
		} else if own(known) && v.get("class").str() == "CONSTANT" && v.literal() != nil {
			continue
		}
		literal = (known == "" || literal) && v.get("class").str() == "CONSTANT" && v.literal() != nil
		if kind == "" || known != "" && kind != known {
			return ""
		}
		known = kind
	}
	return known
}

// plainKinds are the types that are told by their name.
var plainKinds = []string{
	"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "VARCHAR", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE",
	"INTERVAL", "UUID", "BLOB",
}

// plainKind is a type of the parser's answer; "" for one that has parts.
func plainKind(t *tree) string {
	id, info := t.get("id").str(), t.get("type_info")
	switch {
	case id == "DECIMAL" && info.get("width") != nil:
		scale := "0"
		if s := info.get("scale"); s != nil {
			scale = s.raw
		}
		return "DECIMAL(" + info.get("width").raw + "," + scale + ")"
	case info.null() && slices.Contains(plainKinds, id):
		return id
	}
	return ""
}

// castKind is the type of a cast, where the dialect has none of its own of that name.
func (w *walker) castKind(t *tree) string {
	if kind := w.dialect.CastKinds[strings.ToLower(t.get("type_info").get("name").str())]; kind != "" {
		return kind
	}
	kind := plainKind(t)
	bare, _, _ := strings.Cut(kind, "(")
	if _, typed := w.dialect.TypedCasts[strings.ToLower(bare)]; typed || w.dialect.Types[strings.ToLower(bare)] != "" {
		return ""
	}
	return kind
}

// columnKind is the type of a column, as the innermost FROM tells that has it.
func (w *walker) columnKind(v *tree, sc *scope) string {
	var names []string
	for _, n := range v.get("column_names").list() {
		names = append(names, n.str())
	}
	for s := sc; s != nil && len(names) > 0; s = s.outer {
		if slices.ContainsFunc(s.params, func(p string) bool { return strings.EqualFold(p, names[0]) }) {
			return ""
		}
		if s.from == nil {
			continue
		}
		of := names
		for _, t := range s.tables {
			if n := t.qualifies(v.get("column_names").items); len(names) > 2 && n > 0 {
				of = append([]string{t.alias}, names[n:]...)
				break
			}
		}
		if kind, found := w.columnIn(s, of); found {
			return kind
		}
	}
	return ""
}

// columnIn finds a column in the FROM of a scope. Where it may be there, but no table tells its type, that is "".
func (w *walker) columnIn(s *scope, names []string) (kind string, found bool) {
	in := s.kinds
	if in == nil {
		of := w.origins(s.from)
		in = &of
	}
	for _, t := range in.tables {
		if len(names) > 1 && strings.EqualFold(t.alias, names[0]) {
			if len(names) == 2 {
				kind, _ = t.column(names[1])
			}
			return kind, true
		}
	}
	unknown := slices.ContainsFunc(s.aliases, func(a string) bool { return strings.EqualFold(a, names[0]) })
	for _, t := range in.tables {
		if t.columns == nil {
			unknown = unknown || in.joins(names[0])
			continue
		}
		is, ok := t.column(names[0])
		unknown = unknown || ok && (found && kind != is || len(names) > 1)
		if ok {
			kind, found = is, true
		}
	}
	if unknown || !found && slices.ContainsFunc(in.tables, func(t kindTable) bool { return t.columns == nil }) {
		return "", true
	}
	return kind, found
}

// kindTable is a table of a FROM; its columns are nil where they are not known.
type kindTable struct {
	alias   string
	columns []kindColumn
}

// column has no kind where two of that name have several.
func (t kindTable) column(name string) (kind string, ok bool) {
	for _, c := range t.columns {
		if !strings.EqualFold(c.name, name) {
			continue
		}
		if ok && c.kind != kind {
			return "", true
		}
		kind, ok = c.kind, true
	}
	return kind, ok
}

// kindFrom is a FROM.
type kindFrom struct {
	tables  []kindTable
	using   []string
	natural bool
}

// joins tells whether a column may be one of two tables, of which the one or the other tells its type.
func (f kindFrom) joins(name string) bool {
	return f.natural || slices.ContainsFunc(f.using, func(u string) bool { return strings.EqualFold(u, name) })
}

// origins are the tables of a FROM.
func (w *walker) origins(from *tree) kindFrom {
	switch from.get("type").str() {
	case "", "EMPTY":
		return kindFrom{}
	case "JOIN":
		out := w.origins(from.get("left"))
		right := w.origins(from.get("right"))
		if kind := from.get("join_type").str(); kind == "SEMI" || kind == "ANTI" { // no column of it comes out
			for i := range right.tables {
				right.tables[i].columns = nil
			}
		}
		out.tables, out.using = append(out.tables, right.tables...), append(out.using, right.using...)
		for _, u := range from.get("using_columns").list() {
			out.using = append(out.using, u.str())
		}
		out.natural = out.natural || right.natural || from.get("ref_type").str() == "NATURAL"
		return out
	case "BASE_TABLE":
		columns := w.kinds.ctes[from.get("table_name").str()]
		if r := w.placed[from]; r != nil && len(r.Columns) == len(r.Types) {
			for i, name := range r.Columns {
				kind := r.Types[i]
				if bare, _, _ := strings.Cut(kind, "("); bare != "DECIMAL" && !slices.Contains(plainKinds, kind) && w.held(kind) == kind {
					kind = ""
				}
				columns = append(columns, kindColumn{name, kind})
			}
		}
		return from.origin(columns)
	case "SUBQUERY":
		return from.origin(w.kinds.tables[from.get("subquery").get("node")])
	case "EXPRESSION_LIST":
		return from.origin(w.valued(from))
	}
	return from.origin(nil)
}

// origin is a FROM of one table.
func (t *tree) origin(columns []kindColumn) kindFrom {
	return kindFrom{tables: []kindTable{{t.get("alias").str(), renamedKinds(columns, t.get("column_name_alias"))}}}
}

// renamedKinds are columns by the names that an alias gives to the first ones.
func renamedKinds(columns []kindColumn, names *tree) []kindColumn {
	if len(names.list()) == 0 {
		return columns
	}
	out := slices.Clone(columns)
	for i, name := range names.list() {
		if i < len(out) {
			out[i].name = name.str()
		}
	}
	return out
}

// valued are the columns of VALUES, which DuckDB names col0, col1 … where nobody does.
func (w *walker) valued(from *tree) []kindColumn {
	rows, names := from.get("values").list(), from.get("expected_names").list()
	if len(rows) == 0 || len(names) > 0 && len(names) != len(rows[0].list()) {
		return nil
	}
	out := make([]kindColumn, len(rows[0].list()))
	for n := range out {
		out[n].name = "col" + strconv.Itoa(n)
		if len(names) > 0 {
			out[n].name = names[n].str()
		}
		var all []*tree
		for _, row := range rows {
			if len(row.list()) != len(out) {
				return nil
			}
			all = append(all, row.items[n])
		}
		out[n].kind = w.common(all, nil)
	}
	return out
}

// selects notes the columns of a SELECT whose FROM was walked; nil where an item stands for several that are not known.
func (w *walker) selects(v *tree, sc *scope) {
	if w.dialect == nil || w.dialect.Kind == nil {
		return
	}
	in, out := w.origins(sc.from), []kindColumn{}
	sc.kinds = &in
	for _, item := range v.get("select_list").list() {
		if item.get("class").str() != "STAR" {
			if item.several() || strings.EqualFold(item.get("function_name").str(), "unnest") { // which a row is several of
				return
			}
			name := item.get("alias").str()
			if name == "" {
				name = lastName(item)
			}
			out = append(out, kindColumn{name, w.kind(item, sc)})
			continue
		}
		if !neutralBut(item) || in.natural || len(in.using) > 0 {
			return
		}
		for _, t := range in.tables {
			if t.columns == nil || len(out)+len(t.columns) > kindColumnsMax {
				return
			}
			out = append(out, t.columns...)
		}
	}
	w.kinds.tables[v] = out
}

// later tells the types of columns that are made of subqueries, which are walked by now.
func (w *walker) later(v *tree, sc *scope) {
	out, items := w.kinds.tables[v], v.get("select_list").list()
	if len(out) != len(items) || w.dialect == nil {
		return
	}
	for i, item := range items {
		if class := item.get("class").str(); out[i].kind == "" && (class == "SUBQUERY" || class == "OPERATOR" || class == "CASE") {
			item.visit(nil, func(part *tree, _ []string) bool {
				class := part.get("class").str()
				if class == "SUBQUERY" || class == "OPERATOR" || class == "CASE" {
					delete(w.kinds.known, part)
				}
				return class != "SUBQUERY"
			})
			out[i].kind = w.kind(item, sc)
		}
	}
}

// held is the type of DuckDB's that holds one of the dialect's own, or the type itself.
func (w *walker) held(kind string) string {
	if w.dialect == nil || w.dialect.OwnKinds[kind] == "" {
		return kind
	}
	return w.dialect.OwnKinds[kind]
}

// answers are the types of a query's columns that the dialect has of its own, "" for others; nil where there is none.
func (w *walker) answers(node *tree) (out []string) {
	some := false
	for _, c := range w.kinds.tables[node] {
		if w.held(c.kind) == c.kind {
			c.kind = ""
		}
		out, some = append(out, c.kind), some || c.kind != ""
	}
	if !some {
		return nil
	}
	return out
}

// several tells whether an item of a select list stands for as many columns as there are: *, COLUMNS(*) + 1.
func (t *tree) several() bool {
	switch t.get("class").str() {
	case "STAR":
		return true
	case "SUBQUERY":
		return false
	}
	return slices.ContainsFunc(t.items, (*tree).several)
}

// combines notes the columns of a UNION and its like, whose sides were walked.
func (w *walker) combines(v *tree) {
	sides := []*tree{v.get("left"), v.get("right")}
	if children := v.get("children").list(); len(children) > 0 {
		sides = children
	}
	var out []kindColumn
	for i, side := range sides {
		columns := w.kinds.tables[side]
		if columns == nil || i > 0 && len(columns) != len(out) {
			return
		}
		if i == 0 {
			out = slices.Clone(columns)
		}
		for n := range out {
			if out[n].kind != columns[n].kind {
				out[n].kind = ""
			}
		}
	}
	w.kinds.tables[v] = out
}
