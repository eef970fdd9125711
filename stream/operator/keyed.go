package operator

import (
	"fmt"
	"strings"

	"tarn/embedded/duck"
)

// Keyed makes a changelog of records that say, for each key, what its row is now or that it is
// gone: it keeps the last row of each key, so that it can tell what went. Records are in the
// order of their offsets; all of one key are in one partition. Of one record a row may go and then come.
type Keyed struct {
	Number  int
	From    string // the scan's relation
	Columns []string
	Keys    []string
}

var _ Operator = (*Keyed)(nil)

func (o *Keyed) table(kind string) string { return fmt.Sprintf("%s%d", kind, o.Number) }

// Relation is as in Operator.
func (o *Keyed) Relation() string { return o.table("op") }

// Reads is as in Operator.
func (o *Keyed) Reads() []string { return []string{o.From} }

// Windows is as in Operator.
func (o *Keyed) Windows() *Windows { return nil }

// Begin is as in Operator.
func (o *Keyed) Begin() []string { return nil }

// Emits is as in Operator.
func (o *Keyed) Emits() bool { return true }

// Close is as in Operator.
func (o *Keyed) Close(Closing, Closing) []string { return nil }

// Late is as in Operator.
func (o *Keyed) Late() string { return "" }

// State is as in Operator.
func (o *Keyed) State() string { return "SELECT count(*) FROM " + duck.Ident(o.table("s")) }

// kept are the columns of the state.
func (o *Keyed) kept() []string { return append(append([]string{}, o.Columns...), Generation) }

// Held is the table of its state, which has Columns.
func (o *Keyed) Held() string { return o.table("s") }

// Setup is as in Operator.
func (o *Keyed) Setup() []string {
	return []string{fmt.Sprintf("CREATE TABLE %s AS SELECT %s FROM %s LIMIT 0", duck.Ident(o.table("s")), duck.List(o.kept()), duck.Ident(o.From))}
}

// Empty is as in Operator.
func (o *Keyed) Empty() string {
	s := "SELECT * FROM " + duck.Ident(o.table("s"))
	return temp(o.Relation(), none(delta(o.Columns, s, s)))
}

// Tick is as in Operator.
func (o *Keyed) Tick(bool) []string {
	s, d, old := duck.Ident(o.table("s")), duck.Ident(o.table("d")), duck.Ident(o.table("o"))
	came := func(columns []string) string {
		return fmt.Sprintf("SELECT %s FROM %s WHERE NOT %s", duck.List(columns), d, duck.Ident(Deleted))
	}
	return []string{
		temp(o.table("d"), fmt.Sprintf("SELECT %s, %s FROM %s QUALIFY row_number() OVER (PARTITION BY %s ORDER BY %s DESC, %s) = 1",
			duck.List(o.kept()), duck.Ident(Deleted), duck.Ident(o.From), duck.List(o.Keys), duck.Ident(Offset), duck.Ident(Deleted))),
		temp(o.table("o"), fmt.Sprintf("SELECT %s.rowid AS _r, %s.* FROM %s SEMI JOIN %s ON %s", s, s, s, d, sameKeys(s, d, o.Keys))),
		fmt.Sprintf("DELETE FROM %s WHERE rowid IN (SELECT _r FROM %s)", s, old),
		fmt.Sprintf("INSERT INTO %s %s", s, came(o.kept())),
		temp(o.Relation(), delta(o.Columns, "SELECT "+duck.List(o.Columns)+" FROM "+old, came(o.Columns))),
	}
}

// Sweep is as in Operator.
func (o *Keyed) Sweep(relation string, generation int64) []string {
	if relation != o.From {
		return nil
	}
	s := duck.Ident(o.table("s"))
	older := fmt.Sprintf(" FROM %s WHERE %s < %d", s, duck.Ident(Generation), generation)
	return []string{
		temp(o.Relation(), fmt.Sprintf("SELECT %s, (-1)::TINYINT AS %s%s", duck.List(o.Columns), duck.Ident(Weight), older)),
		"DELETE" + older,
	}
}

// String is as in Operator.
func (o *Keyed) String() string {
	return "keep the last row by (" + strings.Join(o.Keys, ", ") + ")"
}
