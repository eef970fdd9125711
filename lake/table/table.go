// Package table is the lake's contract for those who write tables: nouns and
// interfaces of one Iceberg table and its committer. The tables themselves are
// kept in lake/iceberg; readers use lake/catalog.
package table

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/record"
)

// Sentinels of this contract.
var (
	ErrNotFound = errors.New("no such table")
	ErrExists   = errors.New("already exists")
	ErrConflict = errors.New("changed by somebody else")
	// ErrOwned refuses a foreign write to a table that a pipeline or landing owns.
	ErrOwned = errors.New("owned by a pipeline")
)

// Ident names a table or view: bronze.port_main_calls.
type Ident struct{ Namespace, Name string }

// String is the name as SQL shows it.
func (i Ident) String() string { return i.Namespace + "." + i.Name }

// ParseIdent reads what String wrote.
func ParseIdent(s string) Ident {
	ns, name, _ := strings.Cut(s, ".")
	return Ident{ns, name}
}

// Column is one column. ID is the Iceberg field id, 0 in a Spec for a new column;
// it survives renames.
type Column struct {
	ID       int
	Name     string
	Type     record.Type
	Required bool
	Key      bool // an identifier field
	Doc      string
	// Length is how many characters a text has at most; 0 for any number. A longer one is not written.
	Length int
	// Default is the constant, in DuckDB's SQL, that a row has where a statement gives it no value; "" for null.
	Default string
}

// The table properties that Tarn writes beside Iceberg's own.
const (
	PropOwner   = "tarn.owner"    // who alone may write: "landing", or a pipeline's uuid
	PropOffsets = "tarn.offsets." // + reader: record.Offsets as JSON (rule 8)
	PropEpoch   = "tarn.epoch."   // + a pipeline's uuid and sink: the last epoch that is in the table
	PropSchema  = "tarn.schema."  // + a schema's id: when it came, in RFC 3339
	PropName    = "tarn.name"     // the table's name, where it is not its folder's
	PropLength  = "tarn.length."  // + a field id: Column.Length
	PropDefault = "tarn.default." // + a field id: Column.Default. Tables are of Iceberg's version 2, whose fields have no write-default
	PropTopic   = "tarn.topic"    // the topic that fills the table
	PropSource  = "tarn.source"   // the source table that a mirror claims: source id/schema.table
)

// Spec describes a table to make.
type Spec struct {
	Ident
	Columns    []Column
	Properties map[string]string
}

// Query begins to make rows for a new table: it returns the columns, and the rows as those of Table.Write, or nil for none.
type Query func(context.Context) ([]Column, iter.Seq2[arrow.RecordBatch, error], error)

// Snapshot is a committed state of a table.
type Snapshot struct {
	ID          int64
	CommittedAt time.Time
	Rows        int64 // live rows after the commit; -1 where unknown
}

// Change is one commit. Everything in it becomes visible at once or not at all,
// and is on disk when Commit returns. Properties are table properties set in the
// same Iceberg commit; a nil-length Change with only Properties is a commit too.
//
// Rows have the table's columns by name (a missing nullable column is null). With
// Keys the commit is an upsert: every row of the table whose key is in Keys goes
// and Rows come; the caller has left at most one of Rows for each key. DeleteBelow
// with a column name also deletes every row whose column is less than the value and
// whose key is not in this commit (rule 7's end mark).
type Change struct {
	Rows        []arrow.RecordBatch
	Keys        []arrow.RecordBatch // the key columns, in the table's order; may repeat keys
	DeleteBelow *Below
	Properties  map[string]string
	AddColumns  []Column               // new nullable columns, made in the same commit's metadata or one just before
	Widen       map[string]record.Type // int->long, float->double, wider decimals
	Drop        []string               // columns that go, none of them a key; their rows keep what they had in files that no reader asks for it
	Rename      map[string]string      // columns' new names, by those that they have
	Relax       []string               // columns that may be null from now on; keys among them stay keys, but Iceberg's identifier fields end
	Docs        map[string]string      // what columns are about, by name; "" for nothing
	Owner       string                 // must equal tarn.owner if that is set, else ErrOwned
	// Written are rows that Write has put into files, each for one commit. Once a commit has taken them, or
	// may have, they are the table's; of one that failed they may be given to another.
	Written []Written
	// Gone are rows to take out, by their places: positions in data files, whose paths are as those of a catalog.Scan. They are of
	// the snapshot Of: a table that has another one by now is ErrConflict. A change with Of alone asks for that, too; a table without a snapshot has 0.
	Gone map[string]*roaring.Bitmap
	Of   *int64 // nil: the change goes by no snapshot
}

// Written are rows in data files that no snapshot names yet. They are gone with this process.
type Written interface {
	Rows() int64
	// Discard removes the files, unless a commit has taken them, or may have.
	Discard()
}

// Below selects rows whose Column is less than Value.
type Below struct {
	Column string
	Value  int64
}

// Span selects rows whose Column, of whole numbers, is at least From and below To.
type Span struct {
	Column   string
	From, To int64
}

// Table is one table. Its methods may be called by many; commits take turns
// (rule 10: one committer per table). It stays that table whatever name it comes to have: who opened
// gold.x before an exchange goes on with the same rows, offsets and owner. Once it is dropped every method that
// returns an error returns ErrNotFound, also when another table has been made with its name.
type Table interface {
	// Ident is the name that it has now.
	Ident() Ident
	// ID is the Iceberg table uuid.
	ID() string
	// Columns are those of the current schema.
	Columns() []Column
	// Property reads a table property as of the last commit.
	Property(key string) (string, bool)
	// Commit applies a change in its turn. On an error nothing of it is visible and
	// nothing of it is lost to the caller, who may try again; the batches are not kept.
	Commit(ctx context.Context, c Change) (Snapshot, error)
	// Write puts rows into files that a Change commits later, beside whatever commits meanwhile: any number of rows, for it holds
	// few of them at a time. They have all of the table's columns, in their order and of the types of ArrowSchema; a null where
	// none may be is a fault with code Invalid. It releases no batch, and keeps none beyond the next.
	Write(ctx context.Context, rows iter.Seq2[arrow.RecordBatch, error]) (Written, error)
	// Rows reads rows of the current snapshot back: the named columns of those of a span, in
	// order of its column, as many as take about bytesMax, but one at least. It gives them to each, which
	// does not keep the batch and whose error it returns. There are no others below next, from
	// which on the rest is to be asked for; at the end that is s.To.
	Rows(ctx context.Context, columns []string, s Span, bytesMax int, each func(arrow.RecordBatch) error) (next int64, err error)
	// Find reads the rows of the current snapshot that have one of the keys, as Change.Keys has them: the named columns in
	// their order, under any names; the rows in no order that means anything. It gives them to each, which does not keep the
	// batch and whose error it returns.
	Find(ctx context.Context, keys []arrow.RecordBatch, columns []string, each func(arrow.RecordBatch) error) error
	// Read reads the current snapshot whole: the named columns of every live row, in no order that means
	// anything, in batches of bounded size and the shape of ArrowSchema. It gives them to each, which does not
	// keep the batch and whose error it returns. Snapshot and properties are of the very metadata that the rows
	// are of, so that PropOffsets says how far they go; the snapshot is kept as long as it is read.
	Read(ctx context.Context, columns []string, each func(arrow.RecordBatch) error) (Snapshot, map[string]string, error)
}

// Tables makes and opens tables.
type Tables interface {
	// Open returns a table or ErrNotFound.
	Open(ctx context.Context, id Ident) (Table, error)
	// Ensure opens the table of spec or makes it, with its namespace. The columns of a
	// table that exists stay as they are.
	Ensure(ctx context.Context, spec Spec) (Table, error)
	// Create makes a table with what a query answers: all of it is there, or nothing. It is ErrExists where the name is taken,
	// unless the table of that name shall be replaced, which must have the owner of spec: else ErrOwned. The query, if
	// there is one, begins after that table was looked at, so that it may read it: a change from then on is ErrConflict. The
	// namespace must be there: ErrNotFound.
	Create(ctx context.Context, spec Spec, replace bool, query Query) (t Table, n int64, err error)
	// CreateNamespace makes a namespace: ErrExists. DropNamespace ends an empty one that is not of the lake's own: ErrNotFound.
	CreateNamespace(ctx context.Context, name string) error
	DropNamespace(ctx context.Context, name string) error
	// List names the tables of a namespace, in order.
	List(ctx context.Context, namespace string) ([]Ident, error)
	// Drop takes a table out of the catalog: ErrNotFound, ErrOwned. A commit that waits for its turn fails; who reads
	// a snapshot reads it to its end. The files go with the orphans. The name is free at once.
	Drop(ctx context.Context, id Ident, owner string) error
	// Rename gives a table another name, in another namespace too: ErrNotFound, ErrExists.
	Rename(ctx context.Context, from, to Ident) error
	// RenameView gives a view another name in a namespace that is there: ErrNotFound, ErrExists.
	RenameView(ctx context.Context, from, to Ident) error
	// Exchange gives two tables each other's name at once: ErrNotFound. Rows, properties (owner and offsets among them),
	// snapshots with their tags and the id go with the table; views, and what else goes by a name, find the
	// other one behind it from then on.
	//
	// The three are done or not done when they return, also after a crash. Only where the fault says so it is not
	// known: whoever tries again compares the tables' ids first.
	Exchange(ctx context.Context, a, b Ident) error
}
