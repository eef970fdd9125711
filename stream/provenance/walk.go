//go:build duckdb_arrow

package provenance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// depthMax is how deep views and pipelines may stand upon each other.
const depthMax = 16

// scope is whose SELECT is walked.
type scope struct {
	table    func(ctx context.Context, t sqltext.Table) (*relation, error)
	pipeline string // whose late rows are in no window; "" for none
}

// lost says at which shape the walk ends.
func lost(format string, args ...any) error { return fault.Newf(fault.Invalid, "", format, args...) }

// walk makes a relation of a SELECT.
func (t *tracer) walk(ctx context.Context, s scope, q *sqltext.Query) (*relation, error) {
	if len(q.Union) > 0 {
		sides := make([]*relation, len(q.Union))
		for i, part := range q.Union {
			var err error
			if sides[i], err = t.walk(ctx, s, part); err != nil {
				return nil, err
			}
		}
		return t.union(sides), nil
	}
	if q.From == nil {
		return nil, lost("it reads no table")
	}
	from, err := t.from(ctx, s, q.From)
	if err != nil {
		return nil, err
	}
	alias := q.From.SourceName()
	if alias == "" {
		alias = "_a0"
	}
	one := &selection{t: t, q: q, from: from, alias: alias}
	if err := one.render(ctx); err != nil {
		return nil, err
	}
	for _, item := range q.Items {
		if item.Expr != nil && len(item.Expr.Calls()) > 0 || len(q.Group) > 0 || q.Having != nil {
			return one.grouped(), nil
		}
	}
	return one.linear(), nil
}

// from makes a relation of what a SELECT reads.
func (t *tracer) from(ctx context.Context, s scope, f *sqltext.From) (r *relation, err error) {
	switch {
	case f.Table != nil:
		r, err = s.table(ctx, *f.Table)
	case f.Sub != nil:
		r, err = t.walk(ctx, s, f.Sub)
	case f.Window != nil:
		r, err = t.windowed(ctx, s, f.Window)
	default:
		return nil, lost("it joins tables, and which rows of each belong together is not walked back")
	}
	if err != nil {
		return nil, err
	}
	return t.renamed(r, f.Columns), nil
}

// windowed is TUMBLE or HOP. Rows that came too late for a window are in its trace, marked, and not among its rows.
func (t *tracer) windowed(ctx context.Context, s scope, w *sqltext.Window) (*relation, error) {
	of, err := t.from(ctx, s, w.Of)
	if err != nil {
		return nil, err
	}
	mine := *w
	if mine.Column = of.column(w.Column); mine.Column == "" {
		return nil, lost("%s is of a column %s that is not there", w.Kind, w.Column)
	}
	out := *of
	out.columns, out.key, out.single = append(slices.Clone(of.columns), "window_start", "window_end"), nil, false
	text := func(of string) string { return sqltext.WindowSQL(mine, "(SELECT * FROM "+of+")") }
	late := ""
	if !of.grouped && s.pipeline != "" {
		if late, err = t.late(ctx, s.pipeline, of.leaves); err != nil {
			return nil, err
		}
	}
	if late == "" {
		out.rows, out.trace = t.with(text(of.rows)), t.with(text(of.trace))
		return &out, nil
	}
	items := "w." + strings.Join(duck.Idents(out.columns), ", w.")
	for _, h := range hidden {
		if h != lateColumn {
			items += ", w." + duck.Ident(h)
		}
	}
	out.trace = t.with(fmt.Sprintf(`SELECT %s, l."_o" IS NOT NULL AS %s FROM (%s) AS w LEFT JOIN %s AS l ON w."_s" = l."_s" AND w."_p" = l."_p" AND w."_o" = l."_o"`+
		` AND epoch_us(w."window_start") = l."_ws" AND epoch_us(w."window_end") = l."_we"`, items, duck.Ident(lateColumn), text(of.trace), late))
	out.rows = t.with("SELECT " + duck.List(out.columns) + " FROM " + out.trace + " WHERE NOT " + duck.Ident(lateColumn))
	return &out, nil
}

// selection is a SELECT over a relation.
type selection struct {
	t     *tracer
	q     *sqltext.Query
	from  *relation
	alias string

	items []item
	where string
	keys  []string // the expressions of GROUP BY
	plain []string // the columns of the relation that they are; "" for what is no plain column
	after string   // HAVING
}

// item is a column of a SELECT; column is that of the relation that it is, if it is one and no more.
type item struct{ text, name, column string }

// render puts the SELECT's expressions into words.
func (s *selection) render(ctx context.Context) (err error) {
	text := func(e *sqltext.Expr, before string) (out string) {
		if e == nil || err != nil {
			return ""
		}
		out, err = s.t.parser.SQL(ctx, e, nil)
		return before + out
	}
	for _, i := range s.q.Items {
		if i.Star {
			for _, c := range s.from.columns {
				if !slices.ContainsFunc(i.Exclude, func(x string) bool { return strings.EqualFold(x, c) }) {
					s.items = append(s.items, item{duck.Ident(s.alias) + "." + duck.Ident(c), c, c})
				}
			}
			continue
		}
		s.items = append(s.items, item{text(i.Expr, ""), i.Name, s.plainColumn(i.Expr)})
	}
	s.where, s.after = text(s.q.Where, " WHERE "), text(s.q.Having, " HAVING ")
	for _, g := range s.q.Group {
		s.keys, s.plain = append(s.keys, text(g, "")), append(s.plain, s.plainColumn(g))
	}
	return err
}

func (s *selection) plainColumn(e *sqltext.Expr) string {
	if ref, ok := e.Column(); ok {
		return s.from.column(ref.Name)
	}
	return ""
}

// list are the items; with a relation's name before each they are columns of it.
func (s *selection) list(of string) []string {
	out := make([]string, len(s.items))
	for n, i := range s.items {
		if out[n] = i.text + " AS " + duck.Ident(i.name); of != "" {
			out[n] = of + "." + duck.Ident(i.name)
		}
	}
	return out
}

func (s *selection) names() []string {
	out := make([]string, len(s.items))
	for n, i := range s.items {
		out[n] = i.name
	}
	return out
}

// source is the FROM over the rows or the trace.
func (s *selection) source(of string) string {
	return " FROM " + of + " AS " + duck.Ident(s.alias) + s.where
}

// linear is a SELECT that makes one row of each.
func (s *selection) linear() *relation {
	out := &relation{columns: s.names(), grouped: s.from.grouped || s.q.Distinct, single: s.from.single, leaves: s.from.leaves}
	list, distinct := strings.Join(s.list(""), ", "), "SELECT "
	if s.q.Distinct {
		distinct, out.single = "SELECT DISTINCT ", false
	}
	carried := list
	for _, h := range hidden {
		carried += ", " + duck.Ident(s.alias) + "." + duck.Ident(h)
	}
	out.rows, out.trace = s.t.with(distinct+list+s.source(s.from.rows)), s.t.with("SELECT "+carried+s.source(s.from.trace))
	for _, k := range s.from.key {
		at := slices.IndexFunc(s.items, func(i item) bool { return i.column == k })
		if at < 0 {
			out.key = nil
			break
		}
		out.key = append(out.key, s.items[at].name)
	}
	return out
}

// grouped is a SELECT with GROUP BY or aggregates: the answers of the groups, and beside each of them the events with its keys.
func (s *selection) grouped() *relation {
	out := &relation{columns: s.names(), grouped: true, single: len(s.keys) == 0, leaves: s.from.leaves}
	var named, on []string
	for i, k := range s.keys {
		name := duck.Ident(fmt.Sprintf("_k%d", i))
		named = append(named, k+" AS "+name)
		on = append(on, "g."+name+" IS NOT DISTINCT FROM e."+name)
	}
	by := ""
	if len(s.keys) > 0 {
		by = " GROUP BY " + strings.Join(s.keys, ", ")
	}
	groups := s.t.with("SELECT " + strings.Join(append(s.list(""), named...), ", ") + s.source(s.from.rows) + by + s.after)
	events := slices.Clone(named)
	for _, h := range hidden {
		events = append(events, duck.Ident(s.alias)+"."+duck.Ident(h))
	}
	traced := s.t.with("SELECT " + strings.Join(events, ", ") + s.source(s.from.trace))
	list := s.list("g")
	for _, h := range hidden {
		if h != groupColumn {
			list = append(list, "e."+duck.Ident(h))
		}
	}
	group, condition := "''", " ON true"
	if len(s.keys) > 0 {
		var keys []string
		for i := range s.keys {
			keys = append(keys, fmt.Sprintf(`g."_k%d"::VARCHAR`, i))
		}
		group, condition = "to_json(list_value("+strings.Join(keys, ", ")+"))::VARCHAR", " ON "+strings.Join(on, " AND ")
	}
	out.rows = s.t.with("SELECT " + duck.List(out.columns) + " FROM " + groups)
	out.trace = s.t.with("SELECT " + strings.Join(append(list, group+" AS "+duck.Ident(groupColumn)), ", ") + " FROM " + groups + " AS g JOIN " + traced + " AS e" + condition)
	out.key = s.groupKey()
	return out
}

// groupKey are the output's columns that tell the groups apart; nil where one of the keys is not in the output.
func (s *selection) groupKey() (out []string) {
	for n := range s.keys {
		at := slices.IndexFunc(s.items, func(i item) bool { return s.plain[n] != "" && i.column == s.plain[n] || i.text == s.keys[n] })
		if at < 0 {
			return nil
		}
		if name := s.items[at].name; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
