package pipeline

import (
	"context"
	"time"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// Stream is a topic that is read with columns and a watermark: what CREATE SOURCE declares. It is
// kept as JSON; Statement is the text that made it.
type Stream struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Statement string    `json:"statement"`
	Owner     string    `json:"owner"`
	CreatedAt time.Time `json:"created_at"`
}

// Definition is a pipeline as it was declared. It is kept as JSON.
type Definition struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Statement string      `json:"statement"`
	Owner     string      `json:"owner"`
	Into      table.Ident `json:"into"`
	Paused    bool        `json:"paused,omitempty"`
	// Head is the statement that made it first, where Statement is an ALTER PIPELINE.
	Head string `json:"head,omitempty"`
	// Replaces is the id of the pipeline whose place it takes when it has caught up.
	Replaces string `json:"replaces,omitempty"`
	Reads    []Read `json:"reads,omitempty"` // as of its making, in the order of its plan's scans
	// Starts are the offsets from which it reads the topics that it reads from no mirror, by exec.StartKey: so
	// that it is made anew of the same records, or is not.
	Starts    map[string]int64 `json:"starts,omitempty"`
	CreatedAt time.Time        `json:"created_at"`
}

// Read is one thing that a pipeline reads: a topic, or a mirror and then the mirror's topic.
type Read struct {
	Topic  string      `json:"topic"`
	Mirror table.Ident `json:"mirror,omitzero"`
	// Columns are those of the mirror that it reads, so that a star means what it meant then: a mirror gets more. None
	// where a version before did not note them, and it has had no state since.
	Columns []string `json:"columns,omitempty"`
}

// From is the name that the statement reads it by, or that of the topic.
func (r Read) From() string {
	if r.Mirror.Name != "" {
		return r.Mirror.String()
	}
	return r.Topic
}

// The states of a pipeline.
const (
	Starting = "starting" // its lag is not known yet
	Running  = "running"
	Paused   = "paused"
	Waiting  = "waiting" // for something that comes back by itself: it is tried again
	Failed   = "failed"  // a person must do something
)

// Status is what a pipeline says of itself.
type Status struct {
	Definition
	State       string
	Error, Hint string
	// Rows came in since start, Emitted went to the table; Late and Dead are those of them that
	// came too late or could not be read.
	Rows, Emitted, Late, Dead int64
	Ahead                     int64 // rows whose time lay so far ahead that it was not believed
	Ticks, Epoch              int64
	LagRecords                int64         // durable on the bus and not yet taken
	Watermark                 time.Time     // zero for none yet
	Holder                    string        // the partition that holds the watermark back
	Stateful                  bool          // it has a state file
	StateRows                 *int64        // rows of its operators' state, as of a moment ago; nil until they were counted
	TickTime                  time.Duration // of the last tick
	TicksTime                 time.Duration // of all ticks since start
	CommittedAt               time.Time     // of the last commit of its table since start
	Caught                    bool          // it has read nearly all that there is, and committed it
	Unusable                  bool          // its state is of no use, and its table has rows: it must be made anew
}

// Answer is what a command answers: rows of columns, or a tag alone.
type Answer struct {
	Tag     string
	Columns []record.Column
	Rows    [][]any // nil, bool, int64, float64, string or time.Time
}

// Result takes it apart.
func (a Answer) Result() (tag string, columns []record.Column, rows [][]any) {
	return a.Tag, a.Columns, a.Rows
}

// Command is a statement that the room runs. Verbs are its first words, as in engine.Command.
type Command struct {
	Verbs []string
	Run   func(ctx context.Context, who guard.Principal, statement string) (Answer, error)
}
