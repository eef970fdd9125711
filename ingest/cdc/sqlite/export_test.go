package sqlite

import (
	"context"

	"tarn/ingest/source"
)

// KindCutAt is Kind with drains of so many lines, whatever statement they end in.
func KindCutAt(rows int) source.Kind {
	k := Kind
	k.Open = func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		s, err := open(ctx, c, env, at, rows)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return k
}
