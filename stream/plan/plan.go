// Package plan turns the body of a pipeline into operators over deltas: what each tick has
// to do with the rows that came. It reads no topic and keeps no state; it knows what is
// supported and refuses the rest with its place and with what to write instead.
package plan

import (
	"time"

	"tarn/embedded/record"
	"tarn/stream/operator"
)

// Column is one column of a source.
type Column struct {
	Name string
	Type record.Type
}

// Source is what a FROM of a pipeline may name: a topic that is read with columns.
type Source struct {
	Name    string // as faults name it
	Columns []Column
	Key     []string      // makes it a changelog: the last record of a key is its row; nil for an append-only stream
	Time    string        // the column with the watermark; "" for none
	Delay   time.Duration // of the watermark behind the highest time seen
}

// Scan is a source that is read, once for all the places that name it.
type Scan struct {
	Source   *Source
	Relation string
	Columns  []Column // of the source, those that the statement needs; in the source's order
	Windows  bool     // its rows may get into windows: they carry their watermark
}

// Plan is a pipeline, ready to run.
type Plan struct {
	Scans     []*Scan
	Operators []operator.Operator
	// Output is the query for the rows that the sink gets; it reads Reads.
	Output  string
	Reads   []string
	Columns []OutputColumn
	Append  bool     // rows only come; else Output has operator.Weight as its last column, and Key is set
	Key     []string // columns of the output that tell its rows apart
	Single  bool     // the result is one row; Key are all of its columns
	Times   bool     // watermarks are needed
	Hash    string   // equal for plans that may go on with each other's state
}

// OutputColumn is a column of the result; Output casts it to Type already.
type OutputColumn struct {
	Name string
	Type record.Type
}

// Stateful tells whether the plan keeps anything between two ticks beside its offsets.
func (p *Plan) Stateful() bool { return len(p.Operators) > 0 }
