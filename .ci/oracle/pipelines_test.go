//go:build duckdb_arrow

package oracle_test

import (
	"fmt"
	"time"
)

// kinds are the operators that cases are for.
var kinds = []string{
	"project", "union", "rows in windows", "tumble", "hop", "windows of a union", "windows again", "several windows", "updating windows",
	"group", "group by rows", "everything", "keyed everything", "keyed", "keyed group", "keyed group by rows", "keyed union", "windows of a changelog", "group twice",
}

// conditions are for WHERE and FILTER.
var conditions = []string{
	"{a} > 3", "{t}", "{s} LIKE '%e%'", "{k} IS NOT NULL", "{b} IN (1, 2, 3) OR {a} < 100", "NOT {t} OR {a} < 5", "{d} BETWEEN -1 AND 12.5", "{k} <> 'hot'",
	"{g} IS DISTINCT FROM 1", "length({s}) < 5", "coalesce({f} > 10, true)", "{e} < 2", "{h} >= 0", "{a} % 2 = 0",
}

// scalars are for projections; all of a group have one type.
var scalars = []string{
	"TRY({a} + {b})", "{a} % 7", "abs({a})", "coalesce({a}, 0)", "CASE WHEN {t} THEN {a} ELSE {b} END", "upper({s})", "substr({s}, 1, 2)", "{s} || '/' || {k}",
	"nullif({a}, 3)", "greatest({a}, {b})", "date_trunc('minute', {ts})", "hour({ts})", "CAST({a} AS VARCHAR)", "{a} / 4", "{d} * 2", "round({f}, 2)", "md5({s})",
	"{t} AND {a} > 0", "CAST({d} AS DOUBLE)", "length({k})", "{h} + {d}", "epoch_ms({ts})", "concat({k}, {g})",
}

// groupings are for keys.
var groupings = []Item{
	{"{k}", "k"}, {"{g}", "g"}, {"{h}", "h"}, {"{e}", "e"}, {"{t}", "t"}, {"upper({k})", "uk"}, {"{a} % 3", "a3"}, {"coalesce({g}, 0)", "g0"}, {"length({s})", "ls"},
}

// merged are aggregates that partial answers can be put together of; whole are those that need the rows, over a
// changelog at least.
var (
	merged = []string{"count(*)", "count({a})", "sum({a})", "sum({b})", "sum({d})", "avg({a})", "avg({d})", "count({s})", "sum({a} + 1)", "sum({m})", "count({e})", "count(*) FILTER (WHERE {t})", "sum({b}) FILTER (WHERE {a} > 0)"}
	highs  = []string{"min({a})", "max({b})", "min({s})", "max({d})", "max({ts})", "min({f})", "bool_and({t})", "bool_or({t})", "sum({f})", "avg({f})", "avg({ts})", "max({k}) FILTER (WHERE {a} < 50)"}
	whole  = []string{"median({a})", "median({f})", "count(DISTINCT {k})", "count(DISTINCT {a})", "sum(DISTINCT {a})", "median({d})", "count(DISTINCT {s}) FILTER (WHERE {t})", "avg(DISTINCT {b})"}
	floats = []string{"sum({f})", "avg({f})", "sum({m})", "avg({m})", "max({e})", "min({e})"}
	// poisons are expressions with which some records cannot be computed, and the others not to null.
	poisons = []string{"CAST(CAST({b} AS SMALLINT) AS INTEGER)", "CAST(CAST({a} AS TINYINT) AS INTEGER)", "CAST(CAST({f} AS SMALLINT) AS INTEGER)", "{b} * 9223372036854775"}
	havings = []string{"count(*) > 1", "sum({a}) > 0", "count(*) % 2 = 1", "max({a}) > 20"}
)

// maker makes cases over sources: first the append-only ones, then the changelogs.
type maker struct {
	chance
	sources []*Source
	streams []int
	logs    []int
}

func (m maker) stream() int    { return pick(m.chance, m.streams...) }
func (m maker) changelog() int { return pick(m.chance, m.logs...) }

func (m maker) condition(percent int) string {
	if m.percent(percent) {
		return pick(m.chance, conditions...)
	}
	return ""
}

// keys are one to three.
func (m maker) keys(most int) (out []Item) {
	for _, i := range m.Perm(len(groupings))[:1+m.IntN(most)] {
		out = append(out, groupings[i])
	}
	return out
}

// calls are one to four aggregates out of lists.
func (m maker) calls(lists ...[]string) (out []Item) {
	for i := range 1 + m.IntN(4) {
		list := lists[0]
		if i > 0 {
			list = pick(m.chance, lists...)
		}
		out = append(out, Item{pick(m.chance, list...), fmt.Sprintf("x%d", i)})
	}
	return out
}

func (m maker) projection() (out []Item) {
	for _, i := range m.Perm(len(valueColumns))[:1+m.IntN(3)] {
		out = append(out, Item{"{" + valueColumns[i].Name + "}", valueColumns[i].Name})
	}
	for i := range m.IntN(4) {
		out = append(out, Item{pick(m.chance, scalars...), fmt.Sprintf("x%d", i)})
	}
	return out
}

// leg is a side of a union: all value columns and the time, some of them changed.
func (m maker) leg(source int) Leg {
	l := Leg{Source: source, Where: m.condition(40)}
	for _, c := range valueColumns {
		i := Item{"{" + c.Name + "}", c.Name}
		switch {
		case !m.percent(20):
		case c.Type == "VARCHAR":
			i.Expr = fmt.Sprintf("upper({%s})", c.Name)
		case c.Type == "INTEGER":
			i.Expr = fmt.Sprintf("nullif({%s}, 4)", c.Name)
		}
		l.Items = append(l.Items, i)
	}
	l.Items = append(l.Items, Item{"{ts}", "ts"})
	return l
}

func (m maker) window(hop bool) *Window {
	w := &Window{Size: time.Duration(pick(m.chance, 5, 10, 15, 60, 7)) * time.Second}
	if m.percent(10) {
		w.Size = 2500 * time.Millisecond
	}
	if hop {
		w.Slide = pick(m.chance, w.Size/5, w.Size/2, w.Size*2/5, w.Size*3/5, w.Size/3, w.Size*3/2).Truncate(100 * time.Millisecond)
	}
	if m.percent(25) {
		w.Shift = time.Duration(pick(m.chance, 1, 3, -2, 11)) * time.Second
	}
	return w
}

// bounds are the window's ends as keys.
func (m maker) bounds() []Item {
	begin, end := Item{"{window_start}", "window_start"}, Item{"{window_end}", "window_end"}
	return pick(m.chance, []Item{begin, end}, []Item{begin}, []Item{end})
}

// make makes a case of a kind; nil where the sources are not for it.
func (m maker) make(kind string, number int) *Case {
	c := &Case{Name: fmt.Sprintf("p%02d", number), Kind: kind, Where: m.condition(40), Group: true}
	if m.percent(30) {
		c.Having = pick(m.chance, havings...)
	}
	var ok bool
	switch kind {
	case "project", "union", "rows in windows":
		ok = m.linear(c)
	case "tumble", "hop", "windows of a union", "windows again", "several windows", "updating windows":
		ok = m.windows(c)
	case "group", "group by rows":
		if ok = len(m.streams) > 0; ok {
			c.Legs, c.Keys = []Leg{{Source: m.stream()}}, m.keys(3)
			if c.Items = m.calls(merged, highs); kind == "group by rows" {
				c.Items = m.calls(whole, merged, highs)
			}
		}
	case "everything":
		if ok = len(m.streams) > 0; ok {
			c.Legs, c.Items = []Leg{{Source: m.stream()}}, m.calls(merged, highs, whole)
		}
	case "keyed everything":
		if ok = len(m.logs) > 0; ok {
			c.Legs, c.Items = []Leg{{Source: m.changelog()}}, m.calls(merged, highs, whole)
		}
	default:
		if ok = len(m.logs) > 0; ok {
			m.changes(c)
		}
	}
	if !ok {
		return nil
	}
	if (kind == "project" || kind == "group" || kind == "everything") && m.percent(40) {
		c.Poison = pick(m.chance, poisons...)
		one := Item{c.Poison, "y"}
		if c.Group {
			one.Expr = "max(" + c.Poison + ")"
		}
		c.Items = append(c.Items, one)
	}
	c.print(m.chance, m.sources)
	return c
}

func (m maker) linear(c *Case) bool {
	if len(m.streams) == 0 {
		return false
	}
	c.Group, c.Having = false, ""
	c.Legs, c.Items = []Leg{{Source: m.stream()}}, m.projection()
	switch c.Kind {
	case "union":
		c.Legs = []Leg{m.leg(m.stream()), m.leg(m.stream())}
	case "rows in windows":
		c.Window = m.window(m.percent(50))
		c.Items = append(c.Items, Item{"{window_start}", "window_start"})
	}
	return true
}

func (m maker) windows(c *Case) bool {
	if len(m.streams) == 0 {
		return false
	}
	c.Close, c.Legs = c.Kind != "updating windows", []Leg{{Source: m.stream()}}
	c.Window = m.window(c.Kind == "hop" || c.Kind != "tumble" && m.percent(50))
	c.Keys = m.bounds()
	if m.percent(80) {
		c.Keys = append(m.keys(2), c.Keys...)
	}
	if c.Items = m.calls(merged, highs); m.percent(40) {
		c.Items = m.calls(whole, highs, merged)
	}
	switch c.Kind {
	case "several windows": // of one source, in one statement
		c.Keys, c.Items = append(m.keys(1), Item{"{window_end}", "window_end"}), []Item{{"count(*)", "n"}, {"sum({a})", "x0"}}
		for range 1 + m.IntN(2) {
			also := *c
			also.Also, also.Window, also.Where = nil, m.window(m.percent(50)), m.condition(30)
			c.Also = append(c.Also, &also)
		}
	case "windows of a union":
		c.Legs = []Leg{m.leg(m.stream()), m.leg(m.stream())}
	case "windows again":
		c.Keys = append(m.keys(2), Item{"{window_end}", "window_end"})
		c.Items = []Item{{"count(*)", "n"}, {"sum({a})", "x0"}}
		c.Outer = &Outer{Keys: []Item{{"window_end", "till"}}, Items: []Item{{"max(n)", "most"}, {"count(*)", "groups"}, {"sum(x0)", "total"}}}
		switch {
		case m.percent(30):
			c.Outer.Hidden = true // the SELECT leaves the window out
		case m.percent(30):
			c.Outer.Keys = []Item{{"n", "many"}}
			c.Outer.Items = c.Outer.Items[1:]
		}
	}
	return true
}

// changes are the kinds over changelogs.
func (m maker) changes(c *Case) {
	source := m.changelog()
	c.Legs, c.Keys = []Leg{{Source: source}}, m.keys(3)
	c.Items = m.calls(merged, merged, floats)
	switch c.Kind {
	case "keyed":
		c.Group, c.Having = false, ""
		c.Items = nil
		for _, k := range m.sources[source].Key {
			c.Items = append(c.Items, Item{"{" + k + "}", k})
		}
		c.Keys, c.Items = c.Items, m.projection()
	case "keyed group by rows":
		c.Items = m.calls(whole, highs, merged)
	case "keyed union":
		other := m.changelog()
		if len(m.streams) > 0 {
			other = m.stream()
		}
		c.Legs = []Leg{m.leg(source), m.leg(other)}
		c.Items = m.calls(merged, highs)
	case "windows of a changelog":
		c.Window = m.window(m.percent(50))
		c.Keys = append(m.keys(2), m.bounds()...)
		c.Items = m.calls(merged, highs, whole)
	case "group twice":
		c.Keys, c.Items, c.Having = m.keys(2), []Item{{"count(*)", "n"}, {"sum({a})", "x0"}}, ""
		c.Outer = &Outer{Keys: []Item{{"n", "many"}}, Items: []Item{{"count(*)", "groups"}, {"sum(x0)", "total"}, {"max(x0)", "most"}}}
	}
}
