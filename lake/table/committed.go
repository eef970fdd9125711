package table

import "time"

// Committed tells of one commit after it is on disk: a row of system.commits.
type Committed struct {
	Table      Ident
	ID         string // the Iceberg table uuid
	SnapshotID int64  // 0 for a commit of properties or columns alone
	Operation  string // "append", "overwrite", "delete", "properties"; in Iceberg's words where it has one
	// AddedRows and DeletedRows count rows written and rows taken out by position deletes.
	AddedRows, DeletedRows int64
	AddedFiles             int
	Millis                 int64 // from the commit's turn to its catalog commit
	At                     time.Time
	// System marks a table of Tarn's own, whose commits are not told to itself.
	System bool
}

// SystemNamespace holds Tarn's own tables.
const SystemNamespace = "system"
