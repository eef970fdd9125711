package catalog

import (
	"slices"
	"time"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// History is what a table's metadata keeps of its past: all schemas, and the snapshots that are kept.
type History struct {
	table.Ident
	ID        string
	Owner     string
	Topic     string
	SchemaID  int // the current schema
	Schemas   []Schema
	Snapshots []Snapshot // the oldest first
}

// Schema is the columns that a table had from some commit on. At is zero where nobody knows when that was.
type Schema struct {
	ID      int
	At      time.Time
	Columns []table.Column
}

// Those who make snapshots beside a table's owner.
const (
	ByUpkeep = "upkeep"
	ByRepair = "repair"
)

// Snapshot is one that is kept. Numbers that its summary does not tell are -1.
type Snapshot struct {
	ID          int64
	ParentID    int64 // 0 for none; it need not be kept any more
	CommittedAt time.Time
	Operation   string // in Iceberg's words: append, overwrite, delete, replace
	By          string // the owner's name or id, ByUpkeep, ByRepair, or "" where nobody knows
	Epoch       int64  // of the pipeline that made it; 0 for none
	SchemaID    int
	// AddedRows and DeletedRows are those that came and went for a reader: none where files were written anew.
	AddedRows, DeletedRows   int64
	AddedFiles, RemovedFiles int64 // of data and deletes
	Rows                     int64 // live ones
	Files, DeleteFiles       int64
	Bytes                    int64
	Thinned                  int64 // snapshots right before it that are no longer kept
	Current                  bool
	Tags                     []string
}

// The kinds of changes of a column.
const (
	ColumnAdded   = "added"
	ColumnDropped = "dropped"
	ColumnRenamed = "renamed"
	ColumnWidened = "widened"
	ColumnRelaxed = "relaxed" // it may be null from then on
	ColumnBound   = "required"
)

// ColumnChange is one thing that a schema changed. Before is the former name or type.
type ColumnChange struct {
	FieldID int
	Column  string
	Type    record.Type
	Change  string
	Before  string
}

// Changes are what a schema of columns made of one before it: by field id, so that a rename is none of
// a column that goes and one that comes. In the order of after, then what is gone.
func Changes(before, after []table.Column) []ColumnChange {
	var out []ColumnChange
	for _, c := range after {
		add := func(change, former string) {
			out = append(out, ColumnChange{FieldID: c.ID, Column: c.Name, Type: c.Type, Change: change, Before: former})
		}
		i := slices.IndexFunc(before, func(b table.Column) bool { return b.ID == c.ID })
		if i < 0 {
			add(ColumnAdded, "")
			continue
		}
		b := before[i]
		if b.Name != c.Name {
			add(ColumnRenamed, b.Name)
		}
		if b.Type != c.Type {
			add(ColumnWidened, string(b.Type))
		}
		if b.Required && !c.Required {
			add(ColumnRelaxed, "")
		}
		if !b.Required && c.Required {
			add(ColumnBound, "")
		}
	}
	for _, b := range before {
		if !slices.ContainsFunc(after, func(c table.Column) bool { return c.ID == b.ID }) {
			out = append(out, ColumnChange{FieldID: b.ID, Column: b.Name, Type: b.Type, Change: ColumnDropped})
		}
	}
	return out
}

// Schema is one of the table's schemas, or none.
func (h History) Schema(id int) (Schema, bool) {
	i := slices.IndexFunc(h.Schemas, func(s Schema) bool { return s.ID == id })
	if i < 0 {
		return Schema{}, false
	}
	return h.Schemas[i], true
}

// Snapshot is one of those that are kept, or none.
func (h History) Snapshot(id int64) (Snapshot, bool) {
	i := slices.IndexFunc(h.Snapshots, func(s Snapshot) bool { return s.ID == id })
	if i < 0 {
		return Snapshot{}, false
	}
	return h.Snapshots[i], true
}
