package record

// Mark is a snapshot's begin or end (rule 7): a control batch of Tarn's own type,
// which Kafka clients skip. It is in the log also for an empty table.
type Mark struct {
	Kind       MarkKind `json:"kind"`
	Generation int64    `json:"generation"`
	Schema     int64    `json:"schema"` // id of the table's schema at that moment
	Pos        string   `json:"pos"`    // Pos.String; marks are dropped when seen again, like records
}

// MarkKind is begin or end.
type MarkKind string

// The kinds of marks.
const (
	SnapshotBegin MarkKind = "snapshot_begin"
	SnapshotEnd   MarkKind = "snapshot_end"
)
