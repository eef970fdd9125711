//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"

	"tarn/lake/catalog"
	"tarn/lake/table"
)

func (*Store) removeOrphans(_ context.Context, _ table.Ident, _ catalog.Order) (catalog.Done, error) {
	return catalog.Done{}, errors.ErrUnsupported
}
