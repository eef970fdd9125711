//go:build duckdb_arrow

package iceberg

import (
	"slices"
	"time"

	icetable "github.com/apache/iceberg-go/table"
)

// Snapshots are thinned as they age (rule 11), for a metadata file holds all that are kept and
// is written whole by each commit: 1000 of them make a commit seven times slower.
const (
	snapshotsMax    = 64 // more than this, and a commit thins them; each costs some 30 KB of heap
	snapshotsNewest = 50 // these are kept whatever their age
)

// thinned names the snapshots to leave out: all but the newest, one a minute of the last hour,
// one an hour of the last day, and what a tag or branch names. Only the metadata forgets them here;
// their files are upkeep's to remove, later and never under a lease.
func thinned(meta icetable.Metadata) []int64 {
	snaps := meta.Snapshots()
	if len(snaps) <= snapshotsMax {
		return nil
	}
	kept := map[int64]bool{}
	for _, ref := range meta.Refs() {
		kept[ref.SnapshotID] = true
	}
	slices.SortStableFunc(snaps, func(a, b icetable.Snapshot) int { return int(b.SequenceNumber - a.SequenceNumber) })
	newest := time.UnixMilli(snaps[0].TimestampMs)
	filled := map[time.Time]bool{} // the slots of time that have their snapshot
	var out []int64
	for i, s := range snaps {
		at := time.UnixMilli(s.TimestampMs)
		slot, keep := at.Truncate(time.Minute), i < snapshotsNewest || kept[s.SnapshotID]
		if newest.Sub(at) > time.Hour {
			slot = at.Truncate(time.Hour).Add(time.Nanosecond) // no minute's slot
		}
		if !keep && newest.Sub(at) <= 24*time.Hour && !filled[slot] {
			filled[slot], keep = true, true
		}
		if !keep {
			out = append(out, s.SnapshotID)
		}
	}
	return out
}
