//go:build duckdb_arrow

package oracle_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Case is a pipeline in parts, which are printed twice: as a user writes it, and as a batch query over tables of
// rows. Texts of expressions are DuckDB's, with columns in braces.
type Case struct {
	Name, Kind string
	Statement  string
	Altered    string `json:",omitempty"` // an ALTER PIPELINE, by which it becomes what the parts below say
	At         int    `json:",omitempty"` // before which step that is said
	Poison     string `json:",omitempty"` // an expression of an item with which not every record can be computed

	Legs   []Leg // more than one are a UNION ALL
	Window *Window
	Close  bool // windows emit once, when they close
	Where  string
	Group  bool
	Keys   []Item
	Items  []Item // answers of a GROUP BY, or the columns of a projection
	Having string
	Outer  *Outer // groups the result again

	Also []*Case `json:",omitempty"` // more sides of a UNION ALL, which give rows alike
}

// parts are the sides of a case, mostly itself alone.
func (c *Case) parts() []*Case { return append([]*Case{c}, c.Also...) }

// Leg reads a source; without Items as it is.
type Leg struct {
	Source int
	Items  []Item
	Where  string
}

// Item is an expression and its name; a plain column has its own.
type Item struct{ Expr, Name string }

// Window is TUMBLE, or HOP where Slide is not 0.
type Window struct{ Size, Slide, Shift time.Duration }

// Outer is a second GROUP BY over the first; Hidden keys are not in the result.
type Outer struct {
	Keys, Items []Item
	Hidden      bool
}

func (o *Outer) selected() []Item {
	if o.Hidden {
		return o.Items
	}
	return slices.Concat(o.Keys, o.Items)
}

var braced = regexp.MustCompile(`\{(\w+)\}`)

// columnsOf are the columns that texts name.
func columnsOf(texts ...string) (out []string) {
	for _, text := range texts {
		for _, m := range braced.FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// used are all names that the pipeline's statement has, which decide what is decoded of a record.
func (c *Case) used() []string {
	texts := []string{c.Where, c.Having}
	for _, i := range slices.Concat(c.Keys, c.Items) {
		texts = append(texts, i.Expr)
	}
	for _, l := range c.Legs {
		texts = append(texts, l.Where)
		for _, i := range l.Items {
			texts = append(texts, i.Expr)
		}
	}
	out := columnsOf(texts...)
	if c.Window != nil {
		out = append(out, "ts")
	}
	for _, also := range c.Also {
		out = append(out, also.used()...)
	}
	return out
}

func bare(text string) string { return braced.ReplaceAllString(text, "$1") }

func (i Item) plain() bool { return i.Expr == "{"+i.Name+"}" }

func (i Item) print() string {
	if i.plain() {
		return i.Name
	}
	return bare(i.Expr) + " AS " + i.Name
}

func printed(items []Item) string {
	var out []string
	for _, i := range items {
		out = append(out, i.print())
	}
	return strings.Join(out, ", ")
}

func exprs(items []Item) string {
	var out []string
	for _, i := range items {
		out = append(out, bare(i.Expr))
	}
	return strings.Join(out, ", ")
}

func clause(word, text string) string {
	if text == "" {
		return ""
	}
	return " " + word + " " + bare(text)
}

// print renders the statement in one of the spellings.
func (c *Case) print(r chance, sources []*Source) {
	var bodies []string
	for _, part := range c.parts() {
		bodies = append(bodies, part.body(r, sources))
	}
	c.Statement, c.Altered = c.around(r, strings.Join(bodies, " UNION ALL ")), ""
}

// alter makes it a pipeline that begins with another SELECT, or with the same, and is made anew while it runs.
func (c *Case) alter(r chance, sources []*Source) {
	if r.percent(30) || len(c.Also) > 0 {
		c.Altered = "ALTER PIPELINE " + c.pipeline() + " REBUILD"
		return
	}
	first := *c
	if first.Where = pick(r, conditions...); c.Group && c.Outer == nil {
		first.Items = c.Items[:1]
	}
	body := c.body(r, sources)
	if c.Altered = "ALTER PIPELINE " + c.pipeline() + " AS " + body; strings.HasSuffix(c.Statement, onClose) {
		c.Altered += onClose
	}
	// The head stays, as it says when windows are told.
	head, _, _ := strings.Cut(c.Statement, " AS ")
	if begins := "INSERT INTO gold." + c.Name + " "; strings.HasPrefix(c.Statement, begins) {
		head = begins
	} else {
		head += " AS "
	}
	tail := ""
	if strings.HasSuffix(c.Statement, onClose) {
		tail = onClose
	}
	c.Statement = head + first.body(r, sources) + tail
}

// onClose ends the statement of a pipeline whose windows are told when they close.
const onClose = " EMIT ON WINDOW CLOSE"

// body is the SELECT.
func (c *Case) body(r chance, sources []*Source) string {
	flink := r.percent(50)
	with, from := "", sources[c.Legs[0].Source].from()
	if len(c.Legs) > 1 || c.Legs[0].Items != nil {
		var sides []string
		for _, l := range c.Legs {
			sides = append(sides, "SELECT "+printed(l.Items)+" FROM "+sources[l.Source].from()+clause("WHERE", l.Where))
		}
		if union := strings.Join(sides, " UNION ALL "); c.Window != nil || r.percent(30) {
			with, from = "WITH u AS ("+union+") ", "u"
		} else {
			from = "(" + union + ") AS u"
		}
	}
	if c.Window != nil {
		from = c.Window.print(r, from, flink)
	}
	body := "SELECT " + printed(slices.Concat(c.Keys, c.Items)) + " FROM " + from + clause("WHERE", c.Where)
	if c.Group {
		by := exprs(c.Keys)
		switch r.IntN(3) {
		case 0:
			by = "ALL"
		case 1:
			var places []string
			for i := range c.Keys {
				places = append(places, fmt.Sprint(i+1))
			}
			by = strings.Join(places, ", ")
		}
		if len(c.Keys) > 0 {
			body += " GROUP BY " + by
		}
		body += clause("HAVING", c.Having)
	}
	if o := c.Outer; o != nil {
		body = "SELECT " + printed(o.selected()) + " FROM (" + body + ") AS q GROUP BY " + exprs(o.Keys)
	}
	return with + body
}

// pipeline is its name.
func (c *Case) pipeline() string {
	if strings.HasPrefix(c.Statement, "CREATE PIPELINE") {
		return c.Name
	}
	return "gold." + c.Name
}

// around is the statement around the body.
func (c *Case) around(r chance, body string) string {
	into := "gold." + c.Name
	if c.Window == nil || c.Close {
		n := r.IntN(3)
		if o := c.Outer; o != nil && c.Close && o.Keys[0].Name == "many" {
			n = r.IntN(2) // what is grouped at last are no windows, so it cannot be said of it that they close
		}
		switch n {
		case 0:
			return "INSERT INTO " + into + " " + body
		case 1:
			return "CREATE PIPELINE " + c.Name + " INTO " + into + " AS " + body
		}
	}
	if c.Close {
		body += onClose
	}
	return "CREATE MATERIALIZED VIEW " + into + " AS " + body
}

func (w *Window) print(r chance, from string, flink bool) string {
	interval := func(d time.Duration) string {
		if flink {
			if d%time.Second == 0 {
				return fmt.Sprintf("INTERVAL '%d' SECOND", d/time.Second)
			}
			return fmt.Sprintf("INTERVAL '%.3f' SECOND", d.Seconds())
		}
		if d%time.Second == 0 {
			return fmt.Sprintf("INTERVAL '%d SECONDS'", d/time.Second)
		}
		return fmt.Sprintf("INTERVAL '%d MILLISECONDS'", d/time.Millisecond)
	}
	name, args := "TUMBLE", []string{interval(w.Size)}
	if w.Slide > 0 {
		name, args = "HOP", []string{interval(w.Slide), interval(w.Size)}
	}
	if w.Shift != 0 {
		args = append(args, interval(w.Shift))
	}
	if flink {
		return fmt.Sprintf("TABLE(%s(TABLE %s, DESCRIPTOR(%s), %s))", name, from, pick(r, "ts", "`ts`"), strings.Join(args, ", "))
	}
	return fmt.Sprintf("%s(%s, ts, %s)", name, from, strings.Join(args, ", "))
}

// batch is the query over rows: "src0" … have the sources' rows as the case sees them, "win0" … those of
// windows, with lateness. It gives the result; late gives the late rows.
func (c *Case) batch() (result, late string) {
	first := 0
	var results, lates []string
	for _, part := range c.parts() {
		one, late := part.query(first)
		first += len(part.Legs)
		if results = append(results, one); late != "" {
			lates = append(lates, late)
		}
	}
	return strings.Join(results, " UNION ALL "), strings.Join(lates, " UNION ")
}

// query is that of one part, whose first leg has this number.
func (c *Case) query(first int) (result, late string) {
	kind := "src"
	if c.Window != nil {
		kind = "win"
	}
	var sides []string
	for i, l := range c.Legs {
		hidden := ""
		if c.Window != nil {
			hidden = ", window_start, window_end, _late, _closed, _source, _p, _o"
		}
		items := "*"
		if l.Items != nil {
			items = printed(l.Items) + hidden
		}
		sides = append(sides, fmt.Sprintf("SELECT %s FROM %s%d%s", items, kind, first+i, clause("WHERE", l.Where)))
	}
	from := "(" + strings.Join(sides, " UNION ALL ") + ")"
	where := clause("WHERE", c.Where)
	if c.Close {
		late = "SELECT _source, _p, _o, window_start, window_end FROM (SELECT * FROM " + from + where + ") WHERE _late"
		from = "(SELECT * FROM " + from + " WHERE NOT _late AND _closed)"
	}
	result = "SELECT " + printed(slices.Concat(c.Keys, c.Items)) + " FROM " + from + where
	if c.Group {
		if len(c.Keys) > 0 {
			result += " GROUP BY " + exprs(c.Keys)
		}
		result += clause("HAVING", c.Having)
	}
	if o := c.Outer; o != nil {
		result = "SELECT " + printed(o.selected()) + " FROM (" + result + ") GROUP BY " + exprs(o.Keys)
	}
	return result, late
}
