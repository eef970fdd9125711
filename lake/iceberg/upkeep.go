//go:build duckdb_arrow

package iceberg

import (
	"context"

	"tarn/embedded/fault"
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
