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

// Health implements catalog.Catalog. A table whose files cannot be read is passed over, and
// told as damaged.
func (s *Store) Health(ctx context.Context) ([]catalog.Health, error) {
	n, err := s.collect(ctx, false)
	if err != nil {
		return nil, err
	}
	defer n.done()
	s.tellBroken(n)
	var out []catalog.Health
	err = s.each(ctx, func(id table.Ident, st *state) error {
		if _, broken := n.broken[tableKey{CatalogName, id}]; broken {
			return nil
		}
		h, err := s.healthOf(ctx, id, st, n)
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

func (s *Store) healthOf(ctx context.Context, id table.Ident, st *state, n *names) (catalog.Health, error) {
	h := catalog.Health{Ident: id, Snapshots: int64(len(st.meta.Snapshots()))}
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
	dir, ours := s.folderOf(id, st.meta)
	if ours {
		before := s.Clock.Now().Add(-orphanAge).UnixNano()
		err := strays(ctx, dir, n, func(f stray) error {
			if f.mtime < before {
				h.OrphanFiles++
				h.OrphanBytes += f.bytes
			}
			return nil
		})
		if err != nil {
			return h, err
		}
	}
	h.Action, h.Reason, err = s.advice(ctx, &h, st, files, n)
	return h, err
}

// advice is what upkeep would do next, and why.
func (s *Store) advice(ctx context.Context, h *catalog.Health, st *state, files *fileSet, n *names) (catalog.Action, string, error) {
	if why := files.due(); why != "" && st.canWrite(h.Ident) == nil {
		return catalog.Compact, why, nil
	}
	if old := len(s.thinned(st.meta, snapshotsMax)); old >= expiryFrom && st.canWrite(h.Ident) == nil {
		return catalog.ExpireSnapshots, fmt.Sprintf("%d of %d snapshots are not needed", old, h.Snapshots), nil
	}
	ripe, bytes, err := s.pointer.ripe(ctx, h.Namespace+"/"+h.Name)
	if err != nil || ripe == 0 {
		return "", "", err
	}
	why := fmt.Sprintf("%d files of %d MB are named by nothing", ripe, bytes>>20)
	for key := range n.broken {
		return catalog.RemoveOrphanFiles, why + "; they stay as long as " + key.String() + " cannot be read", nil
	}
	return catalog.RemoveOrphanFiles, why, nil
}
