//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var _ catalog.Upkeep = (*Store)(nil)

// Execute implements catalog.Upkeep.
func (s *Store) Execute(ctx context.Context, id table.Ident, o catalog.Order) (catalog.Done, error) {
	h, _, err := s.find(ctx, id)
	if err != nil {
		return catalog.Done{}, err
	}
	switch o.Action {
	case catalog.Compact:
		return h.compact(ctx, o)
	case catalog.ExpireSnapshots:
		return h.expire(ctx, o)
	case catalog.RemoveOrphanFiles:
		return s.removeOrphans(ctx, id, o)
	}
	return catalog.Done{}, fault.Newf(fault.Invalid, "say compact, expire_snapshots or remove_orphan_files", "%q is nothing that upkeep does", o.Action)
}

// What upkeep may take. Its work is bounded by rest: after a table it waits three times as long as the
// table took, so that it has a quarter of one core at most; the more tables wait, the less it rests, for
// files that are left lying make commits and queries dearer than their compaction is.
const (
	restShare    = 3
	sweepEvery   = 5 * time.Minute
	retryAfter   = time.Minute // a table that could not be compacted
	reserveShare = 4           // upkeep goes on down to a quarter of the disk's reserve
)

// upkeep is the list of tables to look at. Commits add to it, one goroutine works on it.
type upkeep struct {
	wake chan struct{}

	mu    sync.Mutex
	due   []*handle
	await map[*handle]time.Time // monotonic: not before
}

func newUpkeep() upkeep {
	return upkeep{wake: make(chan struct{}, 1), await: map[*handle]time.Time{}}
}

// look puts a table on the list if its files need work and it is not there yet.
func (u *upkeep) look(h *handle) {
	if !h.state.Load().mayBeDue() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if time.Now().Before(u.await[h]) {
		return
	}
	if slices.Contains(u.due, h) {
		return
	}
	u.due = append(u.due, h)
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// mayBeDue is due, by the snapshot's summary where the files have not been read.
func (s *state) mayBeDue() bool {
	if files := s.known(); files != nil {
		return files.due() != ""
	}
	snap := s.meta.CurrentSnapshot()
	return total(snap, "total-data-files") >= smallFilesMax || total(snap, "total-delete-files") >= deleteFilesMax
}

func (u *upkeep) next() *handle {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.due) == 0 {
		return nil
	}
	h := u.due[0]
	u.due = u.due[1:]
	return h
}

func (u *upkeep) waiting() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.due)
}

// failed keeps a table off the list for a while.
func (u *upkeep) failed(h *handle) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.await[h] = time.Now().Add(retryAfter)
}

// Maintain compacts tables as commits make it necessary, and sweeps orphans beside that, until ctx ends.
func (s *Store) Maintain(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.sweepForever(ctx) })
	both.Go(func() { s.compactForever(ctx) })
	both.Wait()
}

func (s *Store) compactForever(ctx context.Context) {
	for _, h := range s.handles() {
		s.upkeep.look(h)
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.upkeep.wake:
			for h := s.upkeep.next(); h != nil && ctx.Err() == nil; h = s.upkeep.next() {
				s.tend(ctx, h)
			}
		}
	}
}

func (s *Store) sweepForever(ctx context.Context) {
	for ctx.Err() == nil {
		err := life.Guarded(s.Log, func() error { return s.Sweep(ctx) })
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("orphan files are not all removed", "error", err, "hint", fault.HintOf(err))
		}
		rest(ctx, sweepEvery)
	}
}

// tend compacts a table, and rests.
func (s *Store) tend(ctx context.Context, h *handle) {
	began := time.Now()
	err := life.Guarded(s.Log, func() error { return h.maintain(ctx) })
	took := time.Since(began)
	s.metrics.upkeepSeconds.Observe(took.Seconds())
	if err != nil && ctx.Err() == nil && !errors.Is(err, table.ErrNotFound) {
		s.upkeep.failed(h)
		s.Log.Warn("upkeep will try again", "table", h.Ident().String(), "error", err, "hint", fault.HintOf(err))
	}
	rest(ctx, restShare*took/time.Duration(1+s.upkeep.waiting()))
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// maintain does what is due to a table.
func (h *handle) maintain(ctx context.Context) error {
	st, err := h.refresh(ctx)
	if err != nil {
		return err
	}
	if !st.ours() {
		return nil
	}
	files, err := st.fileSet(ctx, h.store)
	if err != nil {
		return err
	}
	if files.due() == "" {
		return nil
	}
	_, err = h.runPlan(ctx, st, files, files.compaction(compactBytes, st.targetBytes(), false), false)
	return err
}

// room refuses a compaction that the disk has no room for. Upkeep goes on below the reserve, for it is
// what makes room again.
func (s *Store) room(bytes int64) error {
	free, err := s.Disk.Free(s.root.Dir())
	if err != nil {
		return err
	}
	if need := uint64(bytes) + s.DiskReserve/reserveShare; free < need { //nolint:gosec // not negative
		return fault.Newf(fault.NoSpace, "free some room on the disk; upkeep tries again by itself", "compaction needs %d MB of the disk, and %d MB are free", need>>20, free>>20)
	}
	return nil
}
