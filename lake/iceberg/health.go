//go:build duckdb_arrow

package iceberg

import (
	"context"
	"time"

	"tarn/lake/catalog"
	"tarn/lake/table"
)

// What Health counts by.
const (
	smallBytes = 8 << 20   // a data file below this is small
	orphanAge  = time.Hour // a younger file may be of a commit in flight, or of a snapshot just thinned
)

// Health implements catalog.Catalog. A table whose files cannot be read is passed over, and
// told as damaged.
func (s *Store) Health(ctx context.Context) ([]catalog.Health, error) {
	var out []catalog.Health
	err := s.each(ctx, func(id table.Ident, st *state) error {
		h, err := s.healthOf(ctx, id, st)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.setDamage(id, err)
			return nil
		}
		out = append(out, h)
		return nil
	})
	return out, err
}

func (s *Store) healthOf(ctx context.Context, id table.Ident, st *state) (catalog.Health, error) {
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
		if d.bytes < smallBytes {
			h.SmallFiles++
		}
	}
	n := s.names()
	n.state(ctx, st)
	if n.err != nil {
		return h, n.err
	}
	h.OrphanFiles, h.OrphanBytes, err = s.orphans(ctx, id, st, n.paths)
	return h, err
}
