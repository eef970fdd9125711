// Package operator is what pipelines are made of: each operator turns the deltas of its
// inputs in one tick into one delta, and keeps in tables what it must know of earlier ticks.
// An operator is text in DuckDB's SQL; another kind of operator is another file here, and a place
// in stream/plan that makes it. It runs nothing itself.
//
// Relations of a tick are temporary tables: "in0", "in1" … are what came from the sources,
// "op0" … what the operators made of it. A relation either is append-only, or has a column Weight,
// by which it is a Z-set: +1 for a row that came, -1 for one that went; no row has another
// weight. State is in the tables "s0" …, of the operator with that number.
package operator

import (
	"fmt"
	"strings"
	"time"

	"tarn/embedded/duck"
)

// The hidden columns of a tick's relations, which no column of a source may be called.
const (
	Weight    = "_w"  // +1 or -1; of changelogs alone
	Scanned   = "_s"  // the number of the scan that a row came from
	Partition = "_p"  // of the record
	Offset    = "_o"  // of the record
	Mark      = "_wm" // the watermark of the record's own partition just before it, in microseconds; null for none
	Flushed   = "_fl" // up to where that partition had been flushed before it; null for never
	Deleted   = "_d"  // of a keyed input: the record takes its row out
	// Generation is, of a keyed input, the snapshot of the source that the record is of or came after: at
	// a snapshot's end the rows of older ones go.
	Generation = "_g"
)

// Closing is how far event time has come: windows that end at or before Mark, and those that
// begin at or before Flushed, are closed. Both in microseconds since 1970.
type Closing struct{ Mark, Flushed int64 }

// None is a time before all others.
const None = -1 << 62

// Windows are the windows of an operator: each is Size long, one begins every Slide, and
// one begins at Shift after 1970.
type Windows struct{ Size, Slide, Shift time.Duration }

// Operator keeps state. Its texts run in order, in the transaction of a tick.
type Operator interface {
	// String says in a line what it does, for EXPLAIN.
	String() string
	// Relation is the temporary table in which Tick and Close leave their delta.
	Relation() string
	// Reads are the relations that Tick reads.
	Reads() []string
	// Setup makes the tables of its state, once in the life of a pipeline.
	Setup() []string
	// Empty makes its relation without rows.
	Empty() string
	// Tick takes the rows of its relations in. late tells that rows may have come for windows
	// that their partition had left behind.
	Tick(late bool) []string
	// Begin leaves in the relation, after the first Tick of a pipeline's life, what Tick would not: the answer
	// that is there before any row came. Such an operator has that Tick whether rows came or not.
	Begin() []string
	// Emits tells whether Tick leaves rows in the relation.
	Emits() bool
	// Close leaves in the relation what is final at one moment and was not at the one before. Only of one with Windows.
	Close(before, after Closing) []string
	// Windows are nil for an operator that waits for none to close.
	Windows() *Windows
	// Late is a query for the rows of this tick that came too late: Scanned, Partition, Offset, then
	// begin and end of the window and the mark, in microseconds; "" for none.
	Late() string
	// Sweep takes out the rows of a keyed input that are of older generations; nothing for others.
	Sweep(relation string, generation int64) []string
	// State is a query for how many rows the state has.
	State() string
}

// Mapper is an operator whose input is made of the rows that it reads one by one.
type Mapper interface {
	// Mapped is the query for the rows of the input that are taken.
	Mapped() string
}

// sameKeys joins two tables on their keys; a null key is a key like another.
func sameKeys(left, right string, keys []string) string {
	if len(keys) == 0 {
		return "true"
	}
	on := make([]string, len(keys))
	for i, k := range keys {
		on[i] = fmt.Sprintf("%s.%s IS NOT DISTINCT FROM %s.%s", left, duck.Ident(k), right, duck.Ident(k))
	}
	return strings.Join(on, " AND ")
}

func temp(name, query string) string {
	return "CREATE OR REPLACE TEMP TABLE " + duck.Ident(name) + " AS " + query
}

func none(query string) string { return "SELECT * FROM (" + query + ") LIMIT 0" }

// delta is the Z-set of what went and what came, without rows that did both.
func delta(columns []string, went, came string) string {
	w := duck.Ident(Weight)
	return fmt.Sprintf("SELECT %s, sum(%s)::TINYINT AS %s FROM (SELECT %s, -1 AS %s FROM (%s) UNION ALL SELECT %s, 1 AS %s FROM (%s)) GROUP BY ALL HAVING sum(%s) <> 0",
		duck.List(columns), w, w, duck.List(columns), w, went, duck.List(columns), w, came, w)
}
