// Package pipeline is the room's contract: what others may know of the work that
// turns topics into tables. Landing is its first kind; SQL pipelines come beside it.
package pipeline

import (
	"time"

	"tarn/lake/table"
)

// Landing is one topic's way into its tables, as system.landing and the page show it.
type Landing struct {
	Topic  string
	Bronze table.Ident // where every record goes
	Silver table.Ident // the mirror; the zero Ident for a topic without keyed changes
	// Rows are records landed in bronze and changes applied to silver since start.
	BronzeRows, SilverRows int64
	// Next is the lowest offset not yet committed in bronze and in silver, over all partitions summed.
	BronzeNext, SilverNext int64
	// LagRecords are records durable on the bus that the slower table has not committed.
	LagRecords int64
	LagMillis  int64 // age of the oldest of them; 0 when there is none
	// CommittedAt is the last commit of either table; zero before the first since start.
	CommittedAt time.Time
	// DeadLetters and Misfits count records that went to system.dead_letter, and cells that went to _extra or values to _value, since start.
	DeadLetters, Misfits int64
	State                string // "landing", "retrying", "quarantined"
	Error, Hint          string
	Findings             []string
}
