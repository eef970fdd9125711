package operator

import (
	"fmt"
	"strings"

	"tarn/embedded/duck"
)

// The columns of Window's input that hold a row's window.
const (
	WindowBegin = "_ws"
	WindowEnd   = "_we"
)

// Window aggregates rows that only come by window and keys, and emits each window once, when
// it closes. Its state are partial answers of each tick, merged when they are read; where a
// call needs the rows themselves (median, DISTINCT) those are the state. Input has Keys, the
// arguments of the calls, WindowBegin and WindowEnd, and the hidden columns of an append-only
// relation. Keys may hold the window or one end of it.
type Window struct {
	Number int
	Input  string
	From   []string // the relations that Input reads
	Keys   []string
	Calls  []Call
	Of     Windows
}

var _ Operator = (*Window)(nil)

func (o *Window) state() string { return fmt.Sprintf("s%d", o.Number) }

// Relation is as in Operator.
func (o *Window) Relation() string { return fmt.Sprintf("op%d", o.Number) }

// Mapped is as in Mapper. Rows that are too late are not computed with.
func (o *Window) Mapped() string {
	return "SELECT * FROM (" + o.Input + ") WHERE NOT (" + overdue() + ")"
}

// Reads is as in Operator.
func (o *Window) Reads() []string { return o.From }

// Windows is as in Operator.
func (o *Window) Windows() *Windows { return &o.Of }

// Begin is as in Operator.
func (o *Window) Begin() []string { return nil }

// Emits is as in Operator.
func (o *Window) Emits() bool { return false }

// front are the columns of the state before the partial answers.
func (o *Window) front() []string {
	return append(append([]string{}, o.Keys...), WindowBegin, WindowEnd)
}

// taken is what a tick adds to the state.
func (o *Window) taken(condition string) string {
	front := duck.List(o.front())
	if mergeable(o.Calls, false) {
		items := front
		if len(o.Calls) > 0 {
			items += ", " + computed(o.Calls, false)
		}
		return "SELECT " + items + " FROM (" + o.Input + ")" + condition + " GROUP BY " + front
	}
	return "SELECT " + strings.Join(append([]string{front}, duck.Idents(args(o.Calls))...), ", ") + " FROM (" + o.Input + ")" + condition
}

// overdue is the condition for rows whose window was closed for their partition.
func overdue() string {
	begin, end := "epoch_us("+duck.Ident(WindowBegin)+")", "epoch_us("+duck.Ident(WindowEnd)+")"
	return fmt.Sprintf("coalesce(%s <= %s, false) OR coalesce(%s <= %s, false)", end, duck.Ident(Mark), begin, duck.Ident(Flushed))
}

// Setup is as in Operator.
func (o *Window) Setup() []string {
	return []string{"CREATE TABLE " + duck.Ident(o.state()) + " AS " + none(o.taken(""))}
}

// final is the answers of the state's rows under a condition.
func (o *Window) final(condition string) string {
	items := duck.Idents(o.Keys)
	if mergeable(o.Calls, false) {
		names := partialNames(o.Calls, false)
		for i := range o.Calls {
			var merged []string
			for n, p := range o.Calls[i].partials(false) {
				merged = append(merged, p.merge+"("+duck.Ident(names[i][n])+")")
			}
			items = append(items, o.Calls[i].final(merged)+" AS "+duck.Ident(o.Calls[i].Result))
		}
	} else {
		items = append(items, directs(o.Calls))
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM " + duck.Ident(o.state()) + condition + " GROUP BY " + duck.List(o.front())
}

// Empty is as in Operator.
func (o *Window) Empty() string { return temp(o.Relation(), none(o.final(""))) }

// Tick is as in Operator.
func (o *Window) Tick(late bool) []string {
	condition := ""
	if late {
		condition = " WHERE NOT (" + overdue() + ")"
	}
	return []string{"INSERT INTO " + duck.Ident(o.state()) + " " + o.taken(condition)}
}

// Close is as in Operator.
func (o *Window) Close(_, c Closing) []string {
	condition := fmt.Sprintf(" WHERE epoch_us(%s) <= %d OR epoch_us(%s) <= %d", duck.Ident(WindowEnd), c.Mark, duck.Ident(WindowBegin), c.Flushed)
	return []string{temp(o.Relation(), o.final(condition)), "DELETE FROM " + duck.Ident(o.state()) + condition}
}

// Late is as in Operator.
func (o *Window) Late() string {
	return fmt.Sprintf("SELECT %s, epoch_us(%s), epoch_us(%s), %s FROM (%s) WHERE %s", duck.List([]string{Scanned, Partition, Offset}),
		duck.Ident(WindowBegin), duck.Ident(WindowEnd), duck.Ident(Mark), o.Input, overdue())
}

// State is as in Operator.
func (o *Window) State() string { return "SELECT count(*) FROM " + duck.Ident(o.state()) }

// Sweep is as in Operator.
func (o *Window) Sweep(string, int64) []string { return nil }

// String is as in Operator.
func (o *Window) String() string {
	return fmt.Sprintf("windows of %s each %s, closed by the watermark: %s by (%s)", o.Of.Size, o.Of.Slide, said(o.Calls), strings.Join(o.Keys, ", "))
}
