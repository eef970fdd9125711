//go:build duckdb_arrow

package iceberg

import (
	"sync"

	icetable "github.com/apache/iceberg-go/table"
)

// lease names a snapshot in use. It goes by the table's uuid: a name may come to be another table's.
type lease struct {
	table    string
	snapshot int64
}

// leases are the snapshots that somebody reads. As long as he does they are not expired, and no
// file of theirs is removed (rule 11), also when another engine's expiry has taken them out of the
// metadata: a lease remembers where the snapshot's own list of files is.
type leases struct {
	mu   sync.Mutex
	held map[lease]*leased
}

type leased struct {
	readers  int
	snapshot *icetable.Snapshot
}

func newLeases() leases { return leases{held: map[lease]*leased{}} }

// lease counts a reader of a snapshot in, nil being one of a table that has none; the function it
// returns counts him out, once however often called. Whoever reads files outside of a committer's
// turn takes one before he looks them up.
func (s *Store) lease(st *state, snap *icetable.Snapshot) (release func()) {
	if snap == nil {
		return func() {}
	}
	l, key := &s.leases, lease{st.id(), snap.SnapshotID}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[key] == nil {
		own := *snap // not in the list of its metadata, which it would keep in memory
		l.held[key] = &leased{snapshot: &own}
	}
	l.held[key].readers++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.held[key].readers--; l.held[key].readers == 0 {
			delete(l.held, key)
		}
	})
}

// of tells which snapshots of a table are read, by its uuid.
func (l *leases) of(table string) map[int64]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[int64]bool{}
	for key := range l.held {
		if key.table == table {
			out[key.snapshot] = true
		}
	}
	return out
}

// all lists the snapshots that are read.
func (l *leases) all() []*icetable.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*icetable.Snapshot, 0, len(l.held))
	for _, h := range l.held {
		out = append(out, h.snapshot)
	}
	return out
}
