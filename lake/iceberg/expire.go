//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"

	"tarn/lake/catalog"
)

func (*handle) expire(_ context.Context, _ catalog.Order) (catalog.Done, error) {
	return catalog.Done{}, errors.ErrUnsupported
}
