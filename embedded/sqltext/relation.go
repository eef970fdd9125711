package sqltext

import (
	"crypto/sha256"
	"fmt"
)

// Table is a reference to a table as it stands in a statement; Offset is its place, -1
// where unknown.
type Table struct {
	Catalog, Schema, Name string
	At                    Moment
	Where                 []Condition // of all that is asked of its rows, what is this simple
	Offset                int
}

// String is the reference as it was written, without quotes.
func (t Table) String() string {
	name := t.Name
	for _, front := range []string{t.Schema, t.Catalog} {
		if front != "" {
			name = front + "." + name
		}
	}
	return name
}

// Moment is what AT says: a snapshot's id, a tag, or an expression of a time, in SQL without
// columns and tables. At most one is set.
type Moment struct {
	Version int64
	Tag     string
	Time    string
}

// Relation is what stands in a table's place. Text is a query without parentheses; it is
// the caller's own and not walked. Call, where there is one, is a table function's call with
// the same rows and columns: DuckDB pushes any condition into it, but not through the query.
// A function has hidden columns too, so the call stands in no statement that holds one of the
// words in Hidden (lower case).
type Relation struct {
	Text    string
	Call    string
	Hidden  []string
	Name    string // schema.table, for lineage
	Columns []string
	Types   []string // of the columns, in DuckDB's words; nil where they are not known
	Form    string   // equal where the types of the columns surely are; for what has no Types
}

// Resolver answers a table reference, or refuses it with a fault.
type Resolver func(Table) (Relation, error)

// Form is a Relation.Form of what the statement becomes, if texts are all that it goes by besides its tables.
func (r Rewritten) Form(texts ...string) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q", texts)
	for _, t := range r.read {
		_, _ = fmt.Fprintf(h, "%q%q%q%q", t.Name, t.Columns, t.Types, t.Form)
	}
	return string(h.Sum(nil))
}
