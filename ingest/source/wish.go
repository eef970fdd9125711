package source

import (
	"context"
	"errors"
	"strings"

	"tarn/embedded/meta"
)

// Wish asks for a new snapshot of a table of a source at its next start: what was landed of
// it is damaged. It is kept until the snapshot has begun.
func Wish(ctx context.Context, m *meta.Store, sourceID, table, reason string) error {
	return m.Put(ctx, meta.Entry{Bucket: meta.Wishes, Key: sourceID + "/" + table, Value: []byte(reason)})
}

// WishIn is Wish for a table named as "source id/schema.table", in a meta.db that nobody has open.
func WishIn(ctx context.Context, metaPath, of, reason string) error {
	m, err := meta.Open(ctx, metaPath)
	if err != nil {
		return err
	}
	id, name, _ := strings.Cut(of, "/")
	table := strings.TrimPrefix(name, "main.") // see TableName
	return errors.Join(Wish(ctx, m, id, table, reason), m.Close())
}

// wishes demands the snapshots that were wished for, each once.
func (r *Runner) wishes(ctx context.Context) error {
	list, err := r.o.Meta.List(ctx, meta.Wishes)
	if err != nil {
		return err
	}
	r.mu.Lock()
	clear(r.awaited)
	r.mu.Unlock()
	for _, e := range list {
		if table, ours := strings.CutPrefix(e.Key, r.id+"/"); ours && !r.wished[table] {
			r.wished[table] = true
			r.mu.Lock()
			delete(r.skip, table)
			r.mu.Unlock()
			r.demand(&NeedsResnapshot{Tables: []string{table}, Reason: string(e.Value)})
		}
	}
	return nil
}

// fulfilled forgets the wishes whose snapshot has begun, with its position saved.
func (r *Runner) fulfilled(ctx context.Context, b Batch) error {
	for _, t := range b.Topics {
		if !t.Chunk || t.Schema == nil || !r.wished[TableName(t.Schema)] {
			continue
		}
		table := TableName(t.Schema)
		if err := r.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Wishes, Key: r.id + "/" + table}); err != nil {
			return err
		}
		delete(r.wished, table)
	}
	return nil
}
