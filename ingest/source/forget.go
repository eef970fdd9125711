package source

import (
	"context"
	"encoding/json"
	"errors"

	"tarn/embedded/meta"
)

// Forget ends a connector for good: its position goes, and what it keeps in its source.
// Its topics and tables stay. A connector made again under the name is snapshotted anew.
func Forget(ctx context.Context, m *meta.Store, k Kind, c Config) error {
	value, err := m.Get(ctx, meta.Sources, c.Name)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var known identity
	if err := json.Unmarshal(value, &known); err != nil {
		return err
	}
	if err := m.Put(ctx, meta.Entry{Bucket: meta.Positions, Key: known.ID}); err != nil {
		return err
	}
	if k.Forget == nil {
		return nil
	}
	return k.Forget(ctx, c, known.ID)
}
