//go:build duckdb_arrow

package provenance

import (
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/duck"
)

// The hidden columns of a trace, which no column of a pipeline may be called.
const (
	leafColumn      = "_s"  // the number of the leaf that an event is of
	partitionColumn = "_p"  // of the event
	offsetColumn    = "_o"  // of the event
	lateColumn      = "_fl" // it came too late for the window
	groupColumn     = "_g"  // tells apart the groups that rows are of
)

var hidden = []string{leafColumn, partitionColumn, offsetColumn, lateColumn, groupColumn}

// relation is a step of a query as two named queries: rows is what it answers, and trace has each of its rows once for
// each event that the row is made of, with the hidden columns.
type relation struct {
	rows, trace string
	columns     []string // visible ones, in order
	key         []string // columns that tell its groups apart; nil where they do not
	grouped     bool     // its rows are made of many events
	single      bool     // it is one row over everything
	leaves      []int
}

// column finds a visible column in any case of letters.
func (r *relation) column(name string) string {
	i := slices.IndexFunc(r.columns, func(c string) bool { return strings.EqualFold(c, name) })
	if i < 0 {
		return ""
	}
	return r.columns[i]
}

// with adds a named query, and returns its name.
func (t *tracer) with(query string) string {
	name := fmt.Sprintf("_q%d", len(t.queries))
	t.queries = append(t.queries, duck.Ident(name)+" AS ("+query+")")
	return name
}

// lists are the relation's columns under other names, of its rows and of its trace.
func (r *relation) lists(names []string) (rows, trace string) {
	items := make([]string, len(names))
	for i, name := range names {
		items[i] = duck.Ident(r.columns[i]) + " AS " + duck.Ident(name)
	}
	return strings.Join(items, ", "), strings.Join(append(items, duck.Idents(hidden)...), ", ")
}

// renamed gives the first visible columns other names.
func (t *tracer) renamed(r *relation, names []string) *relation {
	if len(names) == 0 {
		return r
	}
	all := slices.Clone(r.columns)
	copy(all, names)
	rows, trace := r.lists(all)
	out := *r
	out.rows, out.trace, out.columns, out.key = t.with("SELECT "+rows+" FROM "+r.rows), t.with("SELECT "+trace+" FROM "+r.trace), all, nil
	for _, k := range r.key {
		out.key = append(out.key, all[slices.Index(r.columns, k)])
	}
	return &out
}

// union puts relations below each other, under the names of the first.
func (t *tracer) union(sides []*relation) *relation {
	out := &relation{columns: sides[0].columns}
	var rows, traces []string
	for i, r := range sides {
		list, traced := r.lists(out.columns)
		rows = append(rows, "SELECT "+list+" FROM "+r.rows)
		side := fmt.Sprintf("'%d ' || coalesce(%s, '') AS %[2]s", i, duck.Ident(groupColumn))
		traces = append(traces, "SELECT "+strings.TrimSuffix(traced, duck.Ident(groupColumn))+side+" FROM "+r.trace)
		out.grouped = out.grouped || r.grouped
		for _, l := range r.leaves {
			if !slices.Contains(out.leaves, l) {
				out.leaves = append(out.leaves, l)
			}
		}
	}
	out.rows, out.trace = t.with(strings.Join(rows, " UNION ALL ")), t.with(strings.Join(traces, " UNION ALL "))
	return out
}
