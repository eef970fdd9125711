package sqltext

import "time"

// Query is one SELECT of a pipeline, in the terms of a planner. Names are as written.
type Query struct {
	Union    []*Query // UNION ALL of these; then all else is empty
	Items    []Item
	From     *From // nil for none
	Where    *Expr
	Group    []*Expr // GROUP BY ALL, positions and output aliases resolved to expressions
	Having   *Expr
	Distinct bool // SELECT DISTINCT
	// Aliases are the names that were taken for an output alias and put in place, with their
	// places. Where From has a column of that name DuckDB would take the column: refuse it.
	Aliases []ColumnRef
	Offset  int // where it begins, in the body; -1 unknown
}

// Item is one of a select list. A star has Star set and no Expr; StarOf is the table of t.*,
// Exclude the names behind EXCLUDE. Name is the alias, or what DuckDB would call the column.
type Item struct {
	Expr    *Expr
	Name    string
	Star    bool
	StarOf  string
	Exclude []string
	Offset  int
}

// From is a table of a FROM; exactly one of Table, Sub, Window and Join is set. Alias is
// empty where there is none: SourceName tells what columns may be qualified with.
type From struct {
	Table   *Table
	Sub     *Query // a derived table, or a CTE put in its place
	Window  *Window
	Join    *Join
	Alias   string
	Columns []string // alias list of the first columns
	Offset  int      // -1 unknown
}

// SourceName is the name by which a query knows the table: its alias, or its bare name.
func (f *From) SourceName() string {
	switch {
	case f.Alias != "":
		return f.Alias
	case f.Table != nil:
		return f.Table.Name
	case f.Window != nil && f.Window.Of.SourceName() != "":
		return f.Window.Of.SourceName()
	case f.Window != nil:
		return f.Window.Kind
	}
	return ""
}

// Window is a call of a window table function: TUMBLE (Slide = Size) or HOP. Shift is the
// optional offset of its windows from the epoch. Type is the column's, TIMESTAMP or TIMESTAMPTZ,
// where it is known: WindowSQL is cheaper then.
type Window struct {
	Kind               string
	Of                 *From
	Column, Type       string
	Size, Slide, Shift time.Duration
}

// Join is two tables. Kind is INNER, LEFT, RIGHT, OUTER (FULL), SEMI, ANTI, or CROSS, which
// has neither On nor Using.
type Join struct {
	Kind        string
	Left, Right *From
	On          *Expr
	Using       []string
}
