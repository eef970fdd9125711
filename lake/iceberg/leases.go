//go:build duckdb_arrow

package iceberg

import (
	"sync"

	"tarn/lake/table"
)

// lease names a snapshot in use.
type lease struct {
	table    table.Ident
	snapshot int64
}

// leases counts the readers of each snapshot: upkeep removes no file of one that has any
// (rule 11).
type leases struct {
	mu sync.Mutex
	n  map[lease]int
}

func newLeases() leases { return leases{n: map[lease]int{}} }

// take counts a reader in; the function it returns counts it out, once however often called.
func (l *leases) take(key lease) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n[key]++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.n[key]--; l.n[key] == 0 {
			delete(l.n, key)
		}
	})
}

// Leased tells whether a reader holds a snapshot of a table.
func (s *Store) Leased(id table.Ident, snapshot int64) bool {
	s.leases.mu.Lock()
	defer s.leases.mu.Unlock()
	return s.leases.n[lease{id, snapshot}] > 0
}
