//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// expire takes snapshots out of a table's metadata, in the committer's turn: those that thinning
// would take, however few there are, or with Retention all that are older. What Store.pinned names
// stays, and so does the last one. Their files are left to the sweep, for slow readers of other engines.
func (h *handle) expire(ctx context.Context, o catalog.Order) (catalog.Done, error) {
	if o.DryRun {
		st, err := h.refresh(ctx)
		if err != nil {
			return catalog.Done{}, err
		}
		return catalog.Done{Snapshots: int64(len(h.expirable(st, o.Retention)))}, nil
	}
	release, err := h.take(ctx)
	if err != nil {
		return catalog.Done{}, err
	}
	defer release()
	for range attemptsMax {
		var done catalog.Done
		if done, err = h.expireNow(ctx, o.Retention); !errors.Is(err, errMoved) {
			if err != nil {
				return done, fmt.Errorf("expire snapshots of %s: %w", h.Ident(), err)
			}
			return done, nil
		}
		h.store.metrics.conflicts.Inc()
	}
	return catalog.Done{}, fault.Wrap(table.ErrConflict, fault.Conflict, "somebody else commits to "+h.Ident().String()+" all the time", "try again when the other writer has stopped")
}

// expireNow is one try on one base; errMoved if somebody else has committed meanwhile.
func (h *handle) expireNow(ctx context.Context, retention time.Duration) (catalog.Done, error) {
	base, err := h.base(ctx)
	if err != nil {
		return catalog.Done{}, err
	}
	old := h.expirable(base, retention)
	if len(old) == 0 {
		return catalog.Done{}, nil
	}
	if err := base.mayWrite(h.Ident(), base.props[table.PropOwner]); err != nil { // upkeep acts for the owner
		return catalog.Done{}, err
	}
	w := &work{handle: h, base: base, io: h.store.io()}
	_, _, err = w.CommitTable(ctx, nil, nil, []icetable.Update{icetable.NewRemoveSnapshotsUpdate(old, false)})
	if w.landed == nil {
		if !w.doubtful {
			w.io.undo()
		}
		return catalog.Done{}, w.refused(err)
	}
	w.landed.files = base.known() // the current snapshot is the same
	h.advance(w.landed)
	return catalog.Done{Snapshots: int64(len(base.meta.Snapshots()) - len(w.landed.meta.Snapshots()))}, nil
}

// expirable lists the snapshots to expire. Retention does not count by the newest snapshot, as thinning
// may: of a table that nobody writes to any more, the snapshots of its last days would never be old.
func (h *handle) expirable(st *state, retention time.Duration) []int64 {
	if retention <= 0 {
		return h.store.thinned(st.meta, 0)
	}
	snaps := st.meta.Snapshots()
	if len(snaps) == 0 {
		return nil
	}
	newestFirst(snaps)
	kept, age := h.store.pinned(st.meta), h.store.ages()
	old := h.store.thinned(st.meta, snapshotsMax) // which go with any commit
	for _, s := range snaps[1:] {
		if m := age(s); m.age > retention && !kept[s.SnapshotID] && !slices.Contains(old, s.SnapshotID) {
			old = append(old, s.SnapshotID)
		}
	}
	return old
}
