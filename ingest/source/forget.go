package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"tarn/embedded/meta"
)

// leaving is what an ended connector may have left in its database.
type leaving struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Class  string            `json:"class"`
	Keys   map[string]string `json:"keys"`
	Folder string            `json:"folder,omitempty"`
}

func leavingKey(id string, keys map[string]string) string {
	parts := []string{id}
	for _, key := range databaseKeys {
		parts = append(parts, keys[key])
	}
	return strings.Join(parts, "/")
}

// ending are the entries of meta that end a connector: its position goes, with those in its transformed tables, and what it left
// in its database is noted. Claims stay, as their topics do.
func ending(ctx context.Context, m *meta.Store, name string, known identity) ([]meta.Entry, error) {
	text, err := json.Marshal(leaving{known.ID, name, known.Class, known.Keys, known.Folder})
	if err != nil {
		return nil, err
	}
	out := []meta.Entry{
		{Bucket: meta.Positions, Key: known.ID},
		{Bucket: meta.Leavings, Key: leavingKey(known.ID, known.Keys), Value: text},
	}
	list, err := m.List(ctx, meta.Positions)
	for _, e := range list {
		if topic, ours := strings.CutPrefix(e.Key, standKey(known.ID, "")); ours && !strings.HasPrefix(topic, claimMark) {
			out = append(out, meta.Entry{Bucket: meta.Positions, Key: e.Key})
		}
	}
	return out, err
}

// End ends a connector for good. Its topics and tables stay; made again under the name, it
// is snapshotted anew. What it left in its database is for Clear.
func End(ctx context.Context, m *meta.Store, name string) error {
	known, err := identityOf(ctx, m, name)
	if errors.Is(err, meta.ErrNotFound) || known.Ended {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := ending(ctx, m, name, known)
	if err != nil {
		return err
	}
	known.Ended = true
	text, err := json.Marshal(known)
	if err != nil {
		return err
	}
	return m.Put(ctx, append(entries, meta.Entry{Bucket: meta.Sources, Key: name, Value: text})...)
}

// Clear takes out of their databases what ended connectors left there, but for databases
// that a connector of the same name reads: live tells. What cannot be taken out now stays
// noted for the next call. The errors are by connector.
func Clear(ctx context.Context, m *meta.Store, kinds []Kind, live func(c Config) bool) error {
	list, err := m.List(ctx, meta.Leavings)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range list {
		var left leaving
		if err := json.Unmarshal(e.Value, &left); err != nil {
			return fmt.Errorf("read what connector %s left: %w", e.Key, err)
		}
		c := Config{Name: left.Name, Keys: left.Keys, Folder: left.Folder}
		if live(c) {
			continue
		}
		if err := left.clear(ctx, kinds, c); err != nil {
			errs = append(errs, fmt.Errorf("connector %s: %w", left.Name, err))
			continue
		}
		if err := m.Put(ctx, meta.Entry{Bucket: meta.Leavings, Key: e.Key}); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

func (l *leaving) clear(ctx context.Context, kinds []Kind, c Config) error {
	for _, k := range kinds {
		if k.Class == l.Class && k.Forget != nil {
			return k.Forget(ctx, c, l.ID)
		}
	}
	return nil
}
