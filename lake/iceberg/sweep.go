//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"time"

	"tarn/lake/table"
)

// The bounds of a sweep. A file that nothing names may be of a foreign writer's commit that is
// not done, or of a snapshot that was thinned under a slow foreign reader (rule 11), so it
// stays for a day.
const (
	sweepAge = 24 * time.Hour
	sweptMax = 20_000 // files of one sweep
)

// Swept is what a sweep removed.
type Swept struct{ Files, Bytes int64 }

// Sweep removes the files in the tables' folders that no table's metadata leads to: those of
// thinned snapshots, and of commits that failed or were killed. Each must be a day old, and
// have been found by the sweep before this one too, for a clock may jump. Nothing is removed
// while a table cannot be read, for its files are not known, nor in a table's folder while a
// reader holds a snapshot of it that was thinned. One sweep at a time.
func (s *Store) Sweep(ctx context.Context) (swept Swept, err error) {
	states := map[table.Ident]*state{}
	n := s.names()
	err = s.each(ctx, func(id table.Ident, st *state) error {
		states[id] = st
		n.state(ctx, st)
		return n.err
	})
	if err != nil {
		return swept, err
	}
	if known, err := s.tableCount(ctx); err != nil || known != len(states) {
		return swept, errors.Join(err, ctx.Err())
	}
	found := map[string]bool{}
	var errs []error
	for id, st := range states {
		if s.leases.thinned(id, st) {
			continue
		}
		err := s.orphans(ctx, id, st, n.paths, s.Clock.Now().Add(-sweepAge), func(path string, size int64) {
			if !s.unnamed[path] {
				if len(found) < sweptMax {
					found[path] = true
				}
				return
			}
			if err := s.Disk.Remove(path); err != nil {
				errs = append(errs, err)
				return
			}
			swept.Files++
			swept.Bytes += size
		})
		errs = append(errs, err)
	}
	s.unnamed = found
	s.metrics.swept.Add(float64(swept.Files))
	return swept, errors.Join(errs...)
}

// tableCount counts the tables of the catalog, also those that cannot be read.
func (s *Store) tableCount(ctx context.Context) (n int, err error) {
	spaces, err := s.pointer.namespaces(ctx)
	if err != nil {
		return 0, err
	}
	for _, ns := range spaces {
		ids, err := s.List(ctx, ns)
		if err != nil {
			return 0, err
		}
		n += len(ids)
	}
	return n, nil
}

// thinned tells whether a reader holds a snapshot of a table that its metadata has no more.
func (l *leases) thinned(id table.Ident, st *state) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for held := range l.n {
		if held.table == id && held.snapshot != 0 && st.meta.SnapshotByID(held.snapshot) == nil {
			return true
		}
	}
	return false
}
