//go:build duckdb_arrow

// Package engine is the room's contract and the Gate: one statement of one
// principal goes in, Arrow batches come out. Every SQL door encodes its results. It
// opens no socket and parses no protocol.
package engine

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/guard"
	"tarn/embedded/record"
)

// Request is one statement of one principal.
type Request struct {
	Text      string
	Principal guard.Principal
	RowsMax   int64         // 0 = sql.result_rows_max
	Timeout   time.Duration // 0 = sql.timeout
	Dialect   *Dialect      // nil: the Gate's own
	// Schemas are searched in order for what is named without a schema, in place of the Gate's; nil: those.
	Schemas []string
	Zone    string   // in which times without a zone are taken, by its name in the IANA's database; "" = UTC
	Typed   bool     // the Result shall tell its Types
	UUIDs   bool     // so it shall where one of them may be a UUID, which is a text to Arrow
	Session *Session // of the door's connection; nil: no temporary tables
	// Fits is asked whether the client can take rows of such columns, before a statement with RETURNING commits what they are of: its error ends
	// the statement, and nothing is written. It may be nil, and may be asked again.
	Fits func(*arrow.Schema) error
	// Noted is told the statement's id in system.queries before it waits for its turn; may be nil.
	Noted func(id int64)

	turn bool // it has its turn
}

// Result is an answer that is being read. Rows come from Reader, which must be
// read by one goroutine; Close ends the query and frees its files' leases, and must be
// called also after an error of the reader.
type Result struct {
	Schema    *arrow.Schema
	Types     []string // the columns' types in DuckDB's words, for Arrow has none for some; nil unless a query was asked for them
	Reader    array.RecordReader
	Snapshots map[string]int64 // table -> snapshot id that was read
	Tag       string           // command tag, "SELECT", "CREATE VIEW"
	Changed   *int64           // rows that the statement wrote, changed or deleted; nil for one that does not do that
	Returned  bool             // the rows are what RETURNING asked for, and those changes are committed
	Until     time.Time        // when the statement's time is over, by a clock that nobody sets
	close     func()
}

// Close frees what the result holds. It may be called twice.
func (r *Result) Close() {
	if r.close != nil {
		r.close()
		r.close = nil
	}
}

// Command is one kind of statement that is no query. Verbs are the leading words
// it answers to, upper case: "CREATE VIEW", "SHOW TABLES".
type Command struct {
	Verbs   []string
	Run     func(ctx context.Context, who guard.Principal, stmt string) (*Result, error)
	Timeout time.Duration // in place of sql.timeout; 0 = that
	// asked is in place of Run, of a command that needs more of the request; it is the Gate's own.
	asked func(ctx context.Context, r Request, stmt string) (*Result, error)
}

// SystemColumn is a column of a live system table.
type SystemColumn struct {
	Name string
	Type record.Type
}

// SystemTable is a live table system.<Name>: Rows is called once per query that
// names it and returns its rows in the columns' order; values are nil, bool, int64,
// float64, string or time.Time. It must not block.
type SystemTable struct {
	Name    string
	Columns []SystemColumn
	Rows    func(ctx context.Context) ([][]any, error)
}
