//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"slices"
	"time"

	icetable "github.com/apache/iceberg-go/table"
)

// Snapshots are thinned as they age (rule 11), for a metadata file holds all that are kept and
// is written whole by each commit: 1000 of them make a commit seven times slower.
const (
	snapshotsMax    = 64  // more than this, and a commit thins them; each costs some 2 KB of heap
	snapshotsNewest = 50  // these are kept whatever their age
	snapshotsDoubt  = 256 // as many are kept where clocks differ about ages; thinned, 134 are left
)

// thinned names the snapshots to leave out where there are more than most: all but the newest, one a
// minute of the last hour, one an hour of the last day, what a tag or branch names and what is read
// now. Only the metadata forgets them here; their files are the sweep's to remove, later.
//
// Where a snapshot's age is not sure it is the lesser of two, by our clock and by the newest snapshot: one
// that was stamped by a clock that ran ahead makes the others look old, and so does a clock that is set
// ahead now. Only where that would keep too many for too long is the newest snapshot alone believed.
func (s *Store) thinned(meta icetable.Metadata, most int) []int64 {
	snaps := meta.Snapshots()
	if len(snaps) <= most {
		return nil
	}
	newestFirst(snaps)
	kept, age, newest := s.pinned(meta), s.ages(), stamp(snaps[0])
	out := spent(snaps, kept, func(snap icetable.Snapshot) made {
		m := age(snap)
		if !m.sure {
			m.age = min(m.age, newest.Sub(m.at))
		}
		return m
	})
	if len(snaps)-len(out) > snapshotsDoubt {
		out = spent(snaps, kept, func(snap icetable.Snapshot) made { return made{at: stamp(snap), age: newest.Sub(stamp(snap))} })
	}
	return out
}

// markKey is where a snapshot's summary has the Mark of when we made it. Its stamp is what the clock said,
// which may have been anything.
const markKey = "tarn.mark"

// made is when a snapshot was made.
type made struct {
	at   time.Time
	age  time.Duration
	sure bool // whatever the clock was, and is, set to
}

// ages tells of snapshots when they were made: by their marks, or by their stamps and time that does not jump
// ahead, as for those of others and from before the machine's last start.
func (s *Store) ages() func(icetable.Snapshot) made {
	now, mark := s.steady.Now(), s.steady.Mark()
	return func(snap icetable.Snapshot) made {
		if snap.Summary != nil {
			if age, at, ok := s.steady.Age(snap.Summary.Properties[markKey], mark); ok {
				return made{at, age, true}
			}
		}
		return made{at: stamp(snap), age: now.Sub(stamp(snap))}
	}
}

func stamp(s icetable.Snapshot) time.Time { return time.UnixMilli(s.TimestampMs) }

func newestFirst(snaps []icetable.Snapshot) {
	slices.SortStableFunc(snaps, func(a, b icetable.Snapshot) int { return cmp.Compare(b.SequenceNumber, a.SequenceNumber) })
}

// pinned are the snapshots that stay whatever their age: the current one, those that a tag or branch
// names, and those that somebody reads.
func (s *Store) pinned(meta icetable.Metadata) map[int64]bool {
	kept := s.leases.of(meta.TableUUID().String())
	for _, ref := range meta.Refs() {
		kept[ref.SnapshotID] = true
	}
	if snap := meta.CurrentSnapshot(); snap != nil {
		kept[snap.SnapshotID] = true
	}
	return kept
}

// spent lists those of the snapshots, newest first, that are not kept for another reason and whose
// slot of time has its snapshot.
func spent(snaps []icetable.Snapshot, kept map[int64]bool, age func(icetable.Snapshot) made) []int64 {
	filled := map[time.Time]bool{} // the slots of time that have their snapshot
	var out []int64
	for i, s := range snaps {
		m := age(s)
		at := m.at.UTC()
		slot, keep := at.Truncate(time.Minute), i < snapshotsNewest || kept[s.SnapshotID]
		if m.age > time.Hour {
			slot = at.Truncate(time.Hour).Add(time.Nanosecond) // no minute's slot
		}
		if !keep && m.age <= 24*time.Hour && !filled[slot] {
			filled[slot], keep = true, true
		}
		if !keep {
			out = append(out, s.SnapshotID)
		}
	}
	return out
}
