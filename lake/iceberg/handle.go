//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// handle is one table: its committer's turn and its newest known state.
type handle struct {
	store *Store
	ident table.Ident
	turn  chan struct{} // holds one token while somebody commits

	// moving is held while the state follows the catalog, so that it never goes back. It is
	// taken with the turn held or without; nothing is taken under it but Store.mu.
	moving  sync.Mutex
	state   atomic.Pointer[state] // never nil once Open has returned the handle
	dropped atomic.Bool           // the catalog has the name no more
}

var _ table.Table = (*handle)(nil)

// Ident implements table.Table.
func (h *handle) Ident() table.Ident { return h.ident }

// ID implements table.Table.
func (h *handle) ID() string { return h.state.Load().id() }

// Columns implements table.Table.
func (h *handle) Columns() []table.Column { return slices.Clone(h.state.Load().columns) }

// Property implements table.Table.
func (h *handle) Property(key string) (string, bool) {
	v, ok := h.state.Load().props[key]
	return v, ok
}

// refresh follows the catalog: one look-up in SQLite, and a metadata file only if
// somebody else has committed.
func (h *handle) refresh(ctx context.Context) (*state, error) {
	h.moving.Lock()
	defer h.moving.Unlock()
	location, view, err := h.store.pointer.get(ctx, h.ident)
	if errors.Is(err, dbsql.ErrNoRows) || err == nil && view {
		h.dropped.Store(true)
		h.store.setDamage(h.ident, nil)
		return nil, fault.Wrap(table.ErrNotFound, fault.NotFound, h.ident.String(), "SHOW TABLES lists what there is")
	}
	if err != nil {
		return nil, fmt.Errorf("look %s up: %w", h.ident, err)
	}
	h.dropped.Store(false)
	if st := h.state.Load(); st != nil && st.location == location {
		return st, nil
	}
	st, err := h.load(ctx, location)
	if err == nil && h.state.Load() == nil { // what comes later is told by who reads it
		err = h.store.trusted(st)
	}
	if err != nil {
		err = h.store.damagedBy(h.ident, err)
		if ctx.Err() == nil {
			h.store.setDamage(h.ident, err)
		}
		return nil, err
	}
	h.store.setDamage(h.ident, nil)
	h.state.Store(st)
	return st, nil
}

func (h *handle) load(ctx context.Context, location string) (*state, error) {
	io := h.store.io()
	loaded, err := icetable.NewFromLocation(ctx, h.name(), location, fixedIO(io), nil)
	if err != nil {
		if path, e := h.store.root.Path(location); e == nil && ctx.Err() == nil {
			what := "it cannot be read: " + err.Error()
			if missing(err) {
				what = "it is missing"
			}
			err = &spoilt{path, what}
		}
		return nil, err
	}
	return newState(location, loaded.Metadata()), nil
}

func (h *handle) name() icetable.Identifier { return []string{h.ident.Namespace, h.ident.Name} }

func fixedIO(io *fileIO) icetable.FSysF {
	return func(context.Context) (iceFS, error) { return io, nil }
}

// advance makes the state of our own commit the current one.
func (h *handle) advance(st *state) {
	h.moving.Lock()
	defer h.moving.Unlock()
	h.state.Store(st)
}

// take waits for the committer's turn.
func (h *handle) take(ctx context.Context) (release func(), err error) {
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
