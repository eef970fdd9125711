//go:build duckdb_arrow

package iceberg

import (
	"context"
	"fmt"
	"time"

	"tarn/lake/catalog"
	"tarn/lake/table"
)

const (
	orphanAge  = time.Hour // a younger file may be of a commit in flight, or of a snapshot just thinned
	expiryFrom = 10        // snapshots that could go, for it to be worth saying
)

// Health implements catalog.Catalog. It reads the current files alone; what nothing names is as the last
// sweep found it, which reads all snapshots and folders every few minutes, and no faster than it may. A table
// whose files cannot be read is passed over, and told as damaged.
func (s *Store) Health(ctx context.Context) ([]catalog.Health, error) {
	var out []catalog.Health
	err := s.each(ctx, func(id table.Ident, st *state) error {
		dir, _ := s.folderOf(id, st.meta)
		left, err := s.pointer.orphans(ctx, s.folderName(dir), s.Clock.Now().Add(-orphanAge))
		if err != nil {
			return err
		}
		h, err := s.healthOf(ctx, id, st, left)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.setDamage(id, s.damagedBy(id, err))
			return nil
		}
		out = append(out, h)
		return nil
	})
	return out, err
}

func (s *Store) healthOf(ctx context.Context, id table.Ident, st *state, left orphans) (catalog.Health, error) {
	h := catalog.Health{
		Ident: id, Snapshots: int64(len(st.meta.Snapshots())), OrphanFiles: left.old.files, OrphanBytes: left.old.bytes,
	}
	files, err := st.fileSet(ctx, s)
	if err != nil {
		return h, err
	}
	h.DeleteFiles = int64(len(files.deletes))
	for i, d := range files.data {
		h.Files++
		h.Rows += d.rows
		h.Bytes += d.bytes
		h.Deleted += files.deleted(i)
		if d.bytes < compactBytes {
			h.SmallFiles++
		}
	}
	h.Action, h.Reason = s.advice(&h, st, files, left.ripe)
	return h, nil
}

// advice is what upkeep would do next, and why.
func (s *Store) advice(h *catalog.Health, st *state, files *fileSet, ripe tally) (catalog.Action, string) {
	if why := files.due(); why != "" && st.canWrite(h.Ident) == nil {
		return catalog.Compact, why
	}
	if old := len(s.thinned(st.meta, snapshotsMax)); old >= expiryFrom && st.canWrite(h.Ident) == nil {
		return catalog.ExpireSnapshots, fmt.Sprintf("%d of %d snapshots are not needed", old, h.Snapshots)
	}
	if ripe.files == 0 {
		return "", ""
	}
	why := fmt.Sprintf("%d files of %d MB are named by nothing", ripe.files, ripe.bytes>>20)
	if unread := s.sweeper.hindered(); unread != "" {
		why += "; they stay as long as " + unread + " cannot be read"
	}
	return catalog.RemoveOrphanFiles, why
}
