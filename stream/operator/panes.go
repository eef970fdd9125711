package operator

import (
	"fmt"
	"strings"

	"tarn/embedded/duck"
)

// Panes is a Window of which several overlap, and one begins where an earlier one has a whole number
// of slides behind it. A row is aggregated once, in the pane between two begins; a window that closes
// puts its panes together. That a row came too late is told by window: it may have missed the first of those
// that its pane is in, so partial answers are kept apart by how many their rows have missed. Only for calls
// that come to the same however their rows are put together.
type Panes struct {
	Window        // its Input has a row for each window, for Late
	Panes  string // as Input, but a row once, with the pane's begin as WindowBegin
	Starts string // the key that is the window's begin, "" for none
	Ends   string // and its end
}

var _ Operator = (*Panes)(nil)

// missed counts the windows, from the first on, that had closed for a row's partition before it came.
const missed = "_n"

// InPanes tells whether the answers of such windows can be put together of panes'.
func InPanes(of Windows, calls []Call) bool {
	for i := range calls {
		if c := &calls[i]; !c.Mergeable(false) || !c.Exact && (c.Function == "sum" || c.Function == "avg") {
			return false
		}
	}
	return of.Slide > 0 && of.Size > of.Slide && of.Size%of.Slide == 0
}

func (o *Panes) slide() int64 { return o.Of.Slide.Microseconds() }

// windows is how many a pane is in.
func (o *Panes) windows() int64 { return int64(o.Of.Size / o.Of.Slide) }

// kept are the keys that the state has.
func (o *Panes) kept() (out []string) {
	for _, k := range o.Keys {
		if k != o.Starts && k != o.Ends {
			out = append(out, k)
		}
	}
	return out
}

// taken is what a tick adds to the state.
func (o *Panes) taken(late bool) string {
	front := duck.List(append(o.kept(), WindowBegin))
	from, misses, condition, by := o.Panes, "0::BIGINT AS "+duck.Ident(missed), "", front
	if late {
		from = "SELECT *, " + o.misses() + " AS " + duck.Ident(missed) + " FROM (" + o.Panes + ")"
		misses = duck.Ident(missed)
		condition = fmt.Sprintf(" WHERE %s < %d", misses, o.windows())
		by += ", " + misses
	}
	items := front + ", " + misses
	if len(o.Calls) > 0 {
		items += ", " + computed(o.Calls, false)
	}
	return "SELECT " + items + " FROM (" + from + ")" + condition + " GROUP BY " + by
}

// misses is how many of its windows a row has missed: those that end at or before the mark, or begin at or
// before where its partition was flushed.
func (o *Panes) misses() string {
	first := fmt.Sprintf("(epoch_us(%s) - %d)", duck.Ident(WindowBegin), o.Of.Size.Microseconds()-o.slide())
	closed := fmt.Sprintf("greatest(coalesce(%s - %d, %d), coalesce(%s, %d))", duck.Ident(Mark), o.Of.Size.Microseconds(), None, duck.Ident(Flushed), None)
	return fmt.Sprintf("least(%d, greatest(0, (%s - %s + %d) // %d))::BIGINT", o.windows(), closed, first, o.slide(), o.slide())
}

// closed is the latest time at which a window may begin that is closed.
func (o *Panes) closed(c Closing) int64 {
	return max(c.Mark-o.Of.Size.Microseconds(), c.Flushed, None)
}

// closing are the windows that close between two moments, by pane: "_b" is where one begins, and "_j" how many of
// the pane's begin before it.
func (o *Panes) closing(before, after Closing) string {
	begin := "epoch_us(" + duck.Ident(WindowBegin) + ")"
	from, to := o.closed(before), o.closed(after)
	return fmt.Sprintf(`SELECT %[1]s, %[1]s - to_microseconds(i * %[2]d) AS "_b", %[3]d - 1 - i AS "_j" FROM (
		SELECT %[1]s, unnest(range(greatest(0, (%[4]s - (%[5]d) + %[2]d - 1) // %[2]d), least(%[3]d, (%[4]s - (%[6]d) - 1) // %[2]d + 1))) AS i FROM (
		SELECT DISTINCT %[1]s FROM %[7]s WHERE %[4]s > %[6]d))`,
		duck.Ident(WindowBegin), o.slide(), o.windows(), begin, to, from, duck.Ident(o.state()))
}

// final is the answers of the windows that close between two moments.
func (o *Panes) final(before, after Closing) string {
	var items, by []string
	for _, k := range o.Keys {
		text := "s." + duck.Ident(k)
		switch k {
		case o.Starts:
			text = `c."_b"`
		case o.Ends:
			text = fmt.Sprintf(`c."_b" + to_microseconds(%d)`, o.Of.Size.Microseconds())
		default:
			by = append(by, text)
		}
		items = append(items, text+" AS "+duck.Ident(k))
	}
	for i, names := range partialNames(o.Calls, false) {
		var merged []string
		for n, p := range o.Calls[i].partials(false) {
			merged = append(merged, p.merge+"(s."+duck.Ident(names[n])+")")
		}
		items = append(items, o.Calls[i].final(merged)+" AS "+duck.Ident(o.Calls[i].Result))
	}
	return fmt.Sprintf(`SELECT %s FROM %s AS s JOIN (%s) AS c ON s.%[4]s = c.%[4]s AND s.%[5]s <= c."_j" GROUP BY %s`, strings.Join(items, ", "),
		duck.Ident(o.state()), o.closing(before, after), duck.Ident(WindowBegin), duck.Ident(missed), strings.Join(append(by, `c."_b"`), ", "))
}

// Setup is as in Operator.
func (o *Panes) Setup() []string {
	return []string{"CREATE TABLE " + duck.Ident(o.state()) + " AS " + none(o.taken(false))}
}

// Empty is as in Operator.
func (o *Panes) Empty() string {
	return temp(o.Relation(), none(o.final(Closing{None, None}, Closing{None, None})))
}

// Tick is as in Operator.
func (o *Panes) Tick(late bool) []string {
	return []string{"INSERT INTO " + duck.Ident(o.state()) + " " + o.taken(late)}
}

// Close is as in Operator. A pane goes with the last window that it is in, which is the one that begins with it.
func (o *Panes) Close(before, after Closing) []string {
	return []string{
		temp(o.Relation(), o.final(before, after)),
		fmt.Sprintf("DELETE FROM %s WHERE epoch_us(%s) <= %d", duck.Ident(o.state()), duck.Ident(WindowBegin), o.closed(after)),
	}
}

// String is as in Operator.
func (o *Panes) String() string { return o.Window.String() + ", put together of panes" }
