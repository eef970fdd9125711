// Package catalog is the lake's contract for those who read: which tables and
// views there are, and which files make one snapshot of a table.
package catalog

import (
	"context"
	"time"

	"tarn/lake/table"
)

// Name of the one catalog: lake.<namespace>.<table>.
const Name = "lake"

// Entry is a table or a view of a namespace.
type Entry struct {
	table.Ident
	View bool
}

// At picks a snapshot: by id, by the name of a tag, or the last kept one not after
// Time. The zero At is the current snapshot.
type At struct {
	SnapshotID int64
	Ref        string
	Time       time.Time
}

// File is one Parquet data file of a snapshot. Path is a native path. Dirty files
// have rows that the snapshot's delete files take out. NoNaN are the field ids of columns
// of floats that surely have no NaN, which the bounds in a file leave out.
type File struct {
	Path  string
	Rows  int64
	Bytes int64
	Dirty bool
	NoNaN []int
}

// Scan is one resolved snapshot: what a query reads in place of a table.
type Scan struct {
	table.Ident
	TableID     string
	Comment     string // of the table, "" for none
	SnapshotID  int64  // 0 for a table without a snapshot
	CommittedAt time.Time
	Columns     []table.Column // of the snapshot's schema, with field ids
	Files       []File
	// Deletes are native paths of position-delete Parquet files (columns file_path,
	// pos). A file_path is PathPrefix + the Path of the data file it names.
	Deletes    []string
	PathPrefix string
	// Only lists those of Files that may hold a row for which all conditions are true, by the bounds of their columns, and about how many
	// rows of theirs there are. Nil for a catalog that knows none.
	Only func(where []Condition) (files []File, rows int64)
	// Release ends the lease under which no file of the scan is removed. Call it once.
	Release func()
	// Damaged tells the lake that a file of the scan cannot be read, and returns the fault that
	// says so, with what to do.
	Damaged func(path, what string) error
}

// Condition is what a reader asks of each row: that a column compares so with one of some values.
type Condition struct {
	Column table.Column
	Op     string // =, <, <=, > or >=; = alone has more than one value
	// Values are int64 of whole numbers, of days since 1970, and of microseconds since then (in UTC, where the column has a zone); string of texts.
	Values []any
}

// View is a stored query. Text is the statement as it was written, in Dialect;
// Columns are its output.
type View struct {
	table.Ident
	Text    string
	Dialect string
	Schemas []string // in which its names without a schema are looked for; nil: the reader's engine says
	Columns []table.Column
	Comment string   // "" for none
	Inputs  []string // the tables and views it reads, lake.<schema>.<name>
	// Lineage is for each of Columns what it is computed from, <schema>.<table>.<column>; an
	// input that nobody could follow is <schema>.<table>.*. Nil for another engine's view.
	Lineage [][]string
}

// Stats is what is known of a table without reading its rows.
type Stats struct {
	table.Ident
	ID          string
	Rows        int64
	Files       int64
	Bytes       int64
	DeleteFiles int64
	SnapshotID  int64
	CommittedAt time.Time
	Owner       string
	Topic       string // the topic that fills it, "" for none
}

// FileStats is a row of system.files.
type FileStats struct {
	TableID string
	File
	Deleted int64 // rows of the file that deletes take out; -1 where unknown
	Deletes bool  // it is a file of position deletes, and its Rows count positions
}

// Health is what upkeep would look at in a table: its current files, its snapshots, and what
// lies in its folder without being named by any of them.
type Health struct {
	table.Ident
	Files       int64 // data files
	SmallFiles  int64 // those of less than 16 MiB
	Bytes       int64 // of the data files
	Rows        int64 // in the data files, deleted ones among them
	DeleteFiles int64
	Deleted     int64 // rows that deletes take out
	Snapshots   int64
	OrphanFiles int64 // older than an hour, and named by no snapshot that was kept at the last sweep
	OrphanBytes int64
	// Action is what upkeep would do next, "" for nothing; Reason says why in a few words.
	Action Action
	Reason string
}

// DeleteRatio is the share of the rows in data files that deletes take out.
func (h Health) DeleteRatio() float64 { return float64(h.Deleted) / float64(max(h.Rows, 1)) }

// Action is something that upkeep does to a table, by itself or when it is told to.
type Action string

// The actions, as ALTER TABLE … EXECUTE spells them.
const (
	Compact           Action = "compact"
	ExpireSnapshots   Action = "expire_snapshots"
	RemoveOrphanFiles Action = "remove_orphan_files"
)

// Order asks for an action. What is zero is as upkeep does it by itself.
type Order struct {
	Action Action
	DryRun bool // only tell what would be done
	// Retention is the age above which snapshots are expired, or orphans removed.
	Retention time.Duration
	FileBytes int64 // compact: files below this are put together
}

// Done is what an order did, or with DryRun what it would do.
type Done struct {
	Snapshots      int64    // expired
	FilesRemoved   int64    // data and delete files that the table names no more; for remove_orphan_files, files of any kind
	FilesAdded     int64    // data files
	BytesRemoved   int64    // of FilesRemoved
	BytesAdded     int64    // of FilesAdded
	DeletesApplied int64    // rows that position deletes took out, and that are now gone from the files
	Paths          []string // remove_orphan_files: native paths, the first PathsMax of them
}

// PathsMax bounds Done.Paths.
const PathsMax = 1000

// Upkeep does to tables on demand what it does by itself all the time. Safe for concurrent use.
type Upkeep interface {
	// Execute returns when the action is on disk; table.ErrNotFound for an unknown table. An
	// action that finds nothing to do is done, with zeros.
	Execute(ctx context.Context, id table.Ident, o Order) (Done, error)
}

// Catalog reads the lake. Safe for concurrent use.
type Catalog interface {
	Namespaces(ctx context.Context) ([]string, error)
	// Entries lists tables and views of a namespace in order of name.
	Entries(ctx context.Context, namespace string) ([]Entry, error)
	// Scan resolves a snapshot and leases its files; table.ErrNotFound for an unknown
	// table, and a fault that names the kept range for an At that finds nothing.
	Scan(ctx context.Context, id table.Ident, at At) (*Scan, error)
	View(ctx context.Context, id table.Ident) (View, error) // table.ErrNotFound
	CreateView(ctx context.Context, v View, replace bool) error
	// ChangeView replaces a view by what change makes of it, unless somebody else has replaced it since: table.ErrConflict. It is
	// table.ErrNotFound for none, and a fault for one that another engine has made.
	ChangeView(ctx context.Context, id table.Ident, change func(*View) error) error
	DropView(ctx context.Context, id table.Ident) error
	Stats(ctx context.Context) ([]Stats, error)
	// Files are those of the current snapshots of some tables, or of all. A named table that cannot be read is an error,
	// table.ErrNotFound among them; of all, it is passed over. So it is with Histories, which come in order of name.
	Files(ctx context.Context, only ...table.Ident) ([]FileStats, error)
	Histories(ctx context.Context, only ...table.Ident) ([]History, error)
	// Health reads the manifests of all snapshots and the folders of all tables.
	Health(ctx context.Context) ([]Health, error)
}
