//go:build duckdb_arrow

package plan

import (
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/sqltext"
	"tarn/stream/operator"
)

// aggregation is a GROUP BY on its way to an operator.
type aggregation struct {
	c     *compiler
	q     *sqltext.Query
	from  *relation
	alias string

	input []string // items of the operator's input
	keys  []string // columns of the input, and of the operator's relation
	calls []operator.Call
	swap  map[string]string // Key of an expression -> the column that holds it
	args  map[string]string // Key of an argument -> its column
	after relation          // the operator's relation as the rest of the SELECT sees it
}

// aggregate compiles a SELECT with GROUP BY or aggregate calls.
func (c *compiler) aggregate(q *sqltext.Query, from *relation, alias string) (*relation, error) {
	a := &aggregation{c: c, q: q, from: from, alias: alias, swap: map[string]string{}, args: map[string]string{}}
	if err := a.collect(); err != nil {
		return nil, err
	}
	if len(a.keys) == 0 && len(a.calls) == 0 {
		return nil, c.refuse(q.Offset, "write WHERE instead of HAVING, or take an aggregate", "HAVING needs an aggregate or a GROUP BY")
	}
	if from.whole && a.after.window != nil { // all rows of a window are here at once
		return a.atOnce()
	}
	op, err := a.operator()
	if err != nil {
		return nil, err
	}
	return a.finish(op)
}

// collect names the keys, the calls and their arguments.
func (a *aggregation) collect() error {
	for i, g := range a.q.Group {
		text, err := a.c.parser.SQL(a.c.ctx, g, nil)
		if err != nil {
			return err
		}
		name, plain := plainColumn(g)
		if plain {
			if name, plain = a.from.column(name); plain && slices.Contains(a.keys, name) {
				continue // said twice
			}
		}
		if !plain {
			name = fmt.Sprintf("_k%d", i)
			a.swap[g.Key()] = name
		}
		a.keys = append(a.keys, name)
		a.input = append(a.input, text+" AS "+duck.Ident(name))
		if plain && a.from.window.has(name) {
			a.window(name)
		}
	}
	for _, item := range a.q.Items {
		if item.Star {
			return a.c.refuse(item.Offset, "name the columns", "a star cannot be used with GROUP BY in a pipeline")
		}
		if err := a.calledIn(item.Expr); err != nil {
			return err
		}
	}
	return a.calledIn(a.q.Having)
}

// window notes that the groups are within windows.
func (a *aggregation) window(key string) {
	if a.after.window == nil {
		a.after.window = &window{size: a.from.window.size, slide: a.from.window.slide, shift: a.from.window.shift}
	}
	if key == a.from.window.begin {
		a.after.window.begin = key
	} else {
		a.after.window.end = key
	}
}

func (a *aggregation) calledIn(e *sqltext.Expr) error {
	if e == nil {
		return nil
	}
	for _, call := range e.Calls() {
		if _, known := a.swap[call.Expr.Key()]; known {
			continue
		}
		one := operator.Call{Function: strings.ToLower(call.Name), Distinct: call.Distinct, Result: fmt.Sprintf("_a%d", len(a.calls))}
		var err error
		if one.Arg, err = a.argument(call); err != nil {
			return err
		}
		a.swap[call.Expr.Key()] = one.Result
		a.calls = append(a.calls, one)
	}
	return nil
}

// argument names the column of a call's argument. A FILTER becomes a part of it: what it
// leaves out is null, which no aggregate counts.
func (a *aggregation) argument(call *sqltext.Call) (string, error) {
	if len(call.Args) > 1 {
		return "", a.c.refuse(call.Expr.Offset(), "use one argument", "%s has %d arguments", call.Name, len(call.Args))
	}
	text, key := "1", "*"
	var err error
	if len(call.Args) == 1 {
		key = call.Args[0].Key()
		if text, err = a.c.parser.SQL(a.c.ctx, call.Args[0], nil); err != nil {
			return "", err
		}
	} else if call.Filter == nil {
		return "", nil
	}
	if call.Filter != nil {
		filter, err := a.c.parser.SQL(a.c.ctx, call.Filter, nil)
		if err != nil {
			return "", err
		}
		text, key = "CASE WHEN "+filter+" THEN "+text+" END", key+" FILTER "+call.Filter.Key()
	}
	if name, ok := a.args[key]; ok {
		return name, nil
	}
	name := fmt.Sprintf("_x%d", len(a.args))
	a.args[key] = name
	a.input = append(a.input, text+" AS "+duck.Ident(name))
	return name, nil
}

// source is the query for the operator's input, of what is read.
func (a *aggregation) source(from string, more ...string) (string, error) {
	condition, err := a.c.where("WHERE", a.q.Where, nil)
	if err != nil {
		return "", err
	}
	items := append(slices.Clone(a.input), more...)
	if len(items) == 0 { // count(*) alone
		items = []string{"1 AS _x0"}
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM (" + from + ") AS " + duck.Ident(a.alias) + condition, nil
}

// operator picks the kind: Window where windows emit once, when they close, and Group else.
func (a *aggregation) operator() (operator.Operator, error) {
	number := len(a.c.plan.Operators)
	if number >= operatorsMax {
		return nil, a.c.refuse(a.q.Offset, "make two pipelines of it", "the statement needs more than %d operators", operatorsMax)
	}
	if a.c.request.OnClose && a.after.window != nil && !a.from.changes {
		return a.windowOperator(number)
	}
	if a.c.request.MustClose && a.from.changes {
		return nil, a.c.refuse(a.q.Offset, "leave EMIT ON WINDOW CLOSE out", "windows over a changelog do not close: its rows may change at any time")
	}
	a.after.changes, a.after.single = true, len(a.keys) == 0
	var more []string
	if a.from.changes {
		more = append(more, duck.Ident(a.alias)+"."+duck.Ident(operator.Weight))
	}
	input, err := a.source(a.from.text, more...)
	if err != nil {
		return nil, err
	}
	return a.add(&operator.Group{Number: number, Input: input, From: a.from.reads, Keys: a.keys, Calls: a.calls, Changes: a.from.changes}), a.types(input)
}

func (a *aggregation) windowOperator(number int) (operator.Operator, error) {
	if !a.from.hidden {
		return nil, a.c.refuse(a.q.Offset, "declare WATERMARK FOR that column in CREATE SOURCE", "nothing tells when the windows close: their column has no watermark")
	}
	w := a.from.window
	size := fmt.Sprintf("to_microseconds(%d)", w.size.Microseconds())
	begin, end := duck.Ident(w.begin), duck.Ident(w.end)
	if w.begin == "" {
		begin = end + " - " + size
	}
	if w.end == "" {
		end = begin + " + " + size
	}
	more := []string{begin + " AS " + operator.WindowBegin, end + " AS " + operator.WindowEnd}
	for _, h := range hiddenColumns {
		more = append(more, duck.Ident(a.alias)+"."+duck.Ident(h))
	}
	input, err := a.source(a.from.text, more...)
	if err != nil {
		return nil, err
	}
	a.c.plan.Times, a.after.whole, a.after.final = true, true, true
	if err := a.types(input); err != nil {
		return nil, err
	}
	of := operator.Windows{Size: w.size, Slide: w.slide, Shift: w.shift}
	one := operator.Window{Number: number, Input: input, From: a.from.reads, Keys: a.keys, Calls: a.calls, Of: of}
	if a.from.panes == "" || a.readsWindow() || !operator.InPanes(of, a.calls) {
		return a.add(&one), nil
	}
	panes, err := a.source(a.from.panes, more...)
	if err != nil {
		return nil, err
	}
	return a.add(&operator.Panes{Window: one, Panes: panes, Starts: a.after.window.begin, Ends: a.after.window.end}), nil
}

// readsWindow tells whether what is aggregated depends on the window that a row is in, beside a key that is an end of it.
func (a *aggregation) readsWindow() bool {
	reads := func(e *sqltext.Expr) bool {
		return e != nil && slices.ContainsFunc(e.Columns(), func(c sqltext.ColumnRef) bool { return a.from.window.has(c.Name) || a.from.window.has(c.Qualifier) })
	}
	plain := func(e *sqltext.Expr) bool { _, ok := plainColumn(e); return ok }
	if reads(a.q.Where) || slices.ContainsFunc(a.q.Group, func(e *sqltext.Expr) bool { return reads(e) && !plain(e) }) {
		return true
	}
	results := []*sqltext.Expr{a.q.Having}
	for _, i := range a.q.Items {
		results = append(results, i.Expr)
	}
	for _, e := range results {
		if e != nil && slices.ContainsFunc(e.Calls(), func(c *sqltext.Call) bool { return reads(c.Expr) }) {
			return true
		}
	}
	return false
}

// add adds an operator to the plan.
func (a *aggregation) add(o operator.Operator) operator.Operator {
	a.c.plan.Operators = append(a.c.plan.Operators, o)
	return o
}

// types finds out which sums are exact.
func (a *aggregation) types(input string) error {
	columns, err := a.c.describe(input)
	if err != nil {
		return err
	}
	for i := range a.calls {
		for _, t := range columns {
			if t.name != a.calls[i].Arg {
				continue
			}
			switch t.typ {
			case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT":
				a.calls[i].Whole, a.calls[i].Exact = true, true
			default:
				a.calls[i].Exact = strings.HasPrefix(t.typ, "DECIMAL")
				a.calls[i].Timed = t.typ == "DATE" || strings.HasPrefix(t.typ, "TIME")
			}
		}
	}
	return nil
}

// finish is the SELECT over the operator's relation.
func (a *aggregation) finish(op operator.Operator) (*relation, error) {
	for _, set := range append(op.Setup(), op.Empty()) {
		if err := a.c.conn.Exec(a.c.ctx, strings.Replace(set, "CREATE TABLE ", "CREATE TEMP TABLE ", 1)); err != nil {
			return nil, err
		}
	}
	a.c.temp = append(a.c.temp, op.Relation(), fmt.Sprintf("s%d", len(a.c.plan.Operators)-1))
	a.after.reads, a.after.columns, a.after.key = []string{op.Relation()}, a.keys, a.keys
	a.after.text = "SELECT * FROM " + duck.Ident(op.Relation())
	return a.selected("(" + a.after.text + ")")
}

// selected renders the SELECT's items over a table of keys and answers.
func (a *aggregation) selected(from string) (*relation, error) {
	items, err := a.c.items(a.q, &a.after, a.alias, a.swap)
	if err != nil {
		return nil, err
	}
	for n, i := range a.q.Items {
		if name, ok := a.swap[i.Expr.Key()]; ok && strings.HasPrefix(name, "_k") {
			items[n].column = name
		}
	}
	condition, err := a.c.where("WHERE", a.q.Having, a.swap)
	if err != nil {
		return nil, err
	}
	out := a.after.projected(items)
	texts := make([]string, 0, len(items)+1)
	for _, i := range items {
		texts = append(texts, i.text+" AS "+duck.Ident(i.name))
	}
	texts = append(texts, duck.Idents(out.carried())...)
	out.text = "SELECT " + strings.Join(texts, ", ") + " FROM " + from + " AS " + duck.Ident(a.alias) + condition
	return out, nil
}

// atOnce aggregates the windows that close in this tick, without state.
func (a *aggregation) atOnce() (*relation, error) {
	input, err := a.source(a.from.text)
	if err != nil {
		return nil, err
	}
	a.after.whole, a.after.final, a.after.reads, a.after.columns, a.after.key = true, true, a.from.reads, a.keys, a.keys
	calls := duck.Idents(a.keys)
	for i := range a.calls {
		calls = append(calls, a.calls[i].Direct()+" AS "+duck.Ident(a.calls[i].Result))
	}
	return a.selected("(SELECT " + strings.Join(calls, ", ") + " FROM (" + input + ") GROUP BY " + duck.List(a.keys) + ")")
}
