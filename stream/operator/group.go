package operator

import (
	"fmt"
	"strings"

	"tarn/embedded/duck"
)

// Group aggregates by keys and emits each change of an answer: the old row goes, the new one
// comes. Its input may be a changelog. Where all calls are mergeable the state has a row of
// partial answers for each key, with the number of its rows; else it is a multiset of the
// arguments, from which the answers of the keys that a tick touches are computed again. Without Keys
// it has one answer, which is there before any row came.
type Group struct {
	Number  int
	Input   string
	From    []string
	Keys    []string
	Calls   []Call
	Changes bool // the input has Weight
}

var _ Operator = (*Group)(nil)

// rows counts the rows of a key, or equal ones of a multiset.
const rows = "_n"

func (o *Group) table(kind string) string { return fmt.Sprintf("%s%d", kind, o.Number) }

// Relation is as in Operator.
func (o *Group) Relation() string { return o.table("op") }

// Mapped is as in Mapper.
func (o *Group) Mapped() string { return o.Input }

// Reads is as in Operator.
func (o *Group) Reads() []string { return o.From }

// Windows is as in Operator.
func (o *Group) Windows() *Windows { return nil }

// Emits is as in Operator.
func (o *Group) Emits() bool { return true }

// Close is as in Operator.
func (o *Group) Close(Closing, Closing) []string { return nil }

// Late is as in Operator.
func (o *Group) Late() string { return "" }

// State is as in Operator.
func (o *Group) State() string { return "SELECT count(*) FROM " + duck.Ident(o.table("s")) }

func (o *Group) merges() bool { return mergeable(o.Calls, o.Changes) }

// kept are the columns of the state by which its rows are told apart.
func (o *Group) kept() []string {
	if o.merges() {
		return o.Keys
	}
	return append(append([]string{}, o.Keys...), args(o.Calls)...)
}

func (o *Group) counted() string {
	if o.Changes {
		return "coalesce(sum(" + duck.Ident(Weight) + "), 0)::BIGINT AS " + duck.Ident(rows)
	}
	return "count(*) AS " + duck.Ident(rows)
}

// change is the state that the tick's rows alone would make.
func (o *Group) change() string {
	items := append(duck.Idents(o.kept()), o.counted())
	if o.merges() && len(o.Calls) > 0 {
		items = append(items, computed(o.Calls, o.Changes))
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM (" + o.Input + ")" + grouped(o.kept())
}

// grouped is the GROUP BY of columns; of none there is one group, also of no rows.
func grouped(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return " GROUP BY " + duck.List(columns)
}

// columns of the state.
func (o *Group) columns() []string {
	out := append(append([]string{}, o.kept()...), rows)
	if o.merges() {
		for _, names := range partialNames(o.Calls, o.Changes) {
			out = append(out, names...)
		}
	}
	return out
}

// Setup is as in Operator.
func (o *Group) Setup() []string {
	return []string{"CREATE TABLE " + duck.Ident(o.table("s")) + " AS " + none(o.change())}
}

// merged puts the old state and the change together.
func (o *Group) merged() string {
	items := append(duck.Idents(o.kept()), "sum("+duck.Ident(rows)+")::BIGINT AS "+duck.Ident(rows))
	if o.merges() {
		names := partialNames(o.Calls, o.Changes)
		for i := range o.Calls {
			for n, p := range o.Calls[i].partials(o.Changes) {
				items = append(items, p.merge+"("+duck.Ident(names[i][n])+") AS "+duck.Ident(names[i][n]))
			}
		}
	}
	all, last := duck.List(o.columns()), ""
	if len(o.kept()) > 0 {
		last = grouped(o.kept()) + " HAVING sum(" + duck.Ident(rows) + ") <> 0"
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT %s FROM %s UNION ALL SELECT %s FROM %s)%s", strings.Join(items, ", "),
		all, duck.Ident(o.table("o")), all, duck.Ident(o.table("d")), last)
}

// answers are the rows that a table of state stands for.
func (o *Group) answers(from string) string {
	items := duck.Idents(o.Keys)
	if o.merges() {
		names := partialNames(o.Calls, o.Changes)
		for i := range o.Calls {
			items = append(items, o.Calls[i].final(duck.Idents(names[i]))+" AS "+duck.Ident(o.Calls[i].Result))
		}
		return "SELECT " + strings.Join(items, ", ") + " FROM " + duck.Ident(from)
	}
	return "SELECT " + strings.Join(append(items, directs(o.Calls)), ", ") +
		" FROM (SELECT " + duck.List(o.kept()) + ", unnest(range(" + duck.Ident(rows) + ")) FROM " + duck.Ident(from) + ")" + grouped(o.Keys)
}

// emitted is the relation: what went and what came, by tables of state.
func (o *Group) emitted(went, came string) string {
	return delta(append(append([]string{}, o.Keys...), results(o.Calls)...), o.answers(went), o.answers(came))
}

// Empty is as in Operator.
func (o *Group) Empty() string {
	return temp(o.Relation(), none(o.emitted(o.table("s"), o.table("s"))))
}

// Tick is as in Operator.
func (o *Group) Tick(bool) []string {
	s, d := duck.Ident(o.table("s")), duck.Ident(o.table("d"))
	return []string{
		temp(o.table("d"), o.change()),
		temp(o.table("o"), fmt.Sprintf("SELECT %s.rowid AS _r, %s.* FROM %s SEMI JOIN %s ON %s", s, s, s, d, sameKeys(s, d, o.Keys))),
		fmt.Sprintf("DELETE FROM %s WHERE rowid IN (SELECT _r FROM %s)", s, duck.Ident(o.table("o"))),
		temp(o.table("n"), o.merged()),
		fmt.Sprintf("INSERT INTO %s SELECT * FROM %s", s, duck.Ident(o.table("n"))),
		temp(o.Relation(), o.emitted(o.table("o"), o.table("n"))),
	}
}

// Begin is as in Operator.
func (o *Group) Begin() []string {
	if len(o.Keys) > 0 {
		return nil
	}
	answer := o.answers(o.table("n"))
	return []string{temp(o.Relation(), delta(results(o.Calls), none(answer), answer))}
}

// Sweep is as in Operator.
func (o *Group) Sweep(string, int64) []string { return nil }

// String is as in Operator.
func (o *Group) String() string {
	if len(o.Keys) == 0 {
		return "one row over everything, each change told: " + said(o.Calls)
	}
	return fmt.Sprintf("groups, each change told: %s by (%s)", said(o.Calls), strings.Join(o.Keys, ", "))
}
