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

// handle is one table: its committer's turn and its newest known state. It goes by the table's uuid, not by
// its name: it follows the table to another name, and is of no table any more when the name has come to be
// another one's.
type handle struct {
	store *Store
	ident atomic.Pointer[table.Ident] // changes with the turn and Store.naming held
	turn  chan struct{}               // holds one token while somebody commits

	// moving is held while the state follows the catalog, so that it never goes back. It is
	// taken with the turn held or without; nothing is taken under it but Store.mu.
	moving  sync.Mutex
	state   atomic.Pointer[state] // never nil once Open has returned the handle
	dropped atomic.Bool           // the catalog has the name no more
}

var _ table.Table = (*handle)(nil)

func newHandle(s *Store, id table.Ident) *handle {
	h := &handle{store: s, turn: make(chan struct{}, 1)}
	h.ident.Store(&id)
	return h
}

// Ident implements table.Table.
func (h *handle) Ident() table.Ident { return *h.ident.Load() }

// ID implements table.Table.
func (h *handle) ID() string { return h.state.Load().id() }

// Columns implements table.Table.
func (h *handle) Columns() []table.Column { return slices.Clone(h.state.Load().columns) }

// Property implements table.Table.
func (h *handle) Property(key string) (string, bool) {
	v, ok := h.state.Load().props[key]
	return v, ok
}

// errOther says that the name has come to be another table's.
var errOther = fmt.Errorf("%w: another one has its name", table.ErrNotFound)

// refresh follows the catalog: one look-up in SQLite, and a metadata file only if
// somebody else has committed.
func (h *handle) refresh(ctx context.Context) (*state, error) {
	h.store.naming.RLock()
	defer h.store.naming.RUnlock()
	return h.follow(ctx)
}

// follow is refresh with Store.naming held.
func (h *handle) follow(ctx context.Context) (*state, error) {
	h.moving.Lock()
	defer h.moving.Unlock()
	id, known := h.Ident(), h.state.Load()
	location, view, err := h.store.pointer.get(ctx, id)
	if errors.Is(err, dbsql.ErrNoRows) || err == nil && view {
		h.dropped.Store(true)
		h.store.setDamage(id, nil)
		return nil, fault.Wrap(table.ErrNotFound, fault.NotFound, id.String(), "SHOW TABLES lists what there is")
	}
	if err != nil {
		return nil, fmt.Errorf("look %s up: %w", id, err)
	}
	if known != nil && known.location == location {
		h.dropped.Store(false)
		return known, nil
	}
	st, err := h.load(ctx, location)
	if err == nil && known != nil && known.id() != st.id() {
		h.dropped.Store(true)
		return nil, fault.Wrap(errOther, fault.NotFound, id.String(), "open the table again by its name")
	}
	if err == nil && known == nil { // what comes later is told by who reads it
		err = h.store.trusted(st)
	}
	if err != nil {
		err = h.store.damagedBy(id, err)
		if ctx.Err() == nil {
			h.store.setDamage(id, err)
		}
		return nil, err
	}
	h.dropped.Store(false)
	h.store.setDamage(id, nil)
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

func (h *handle) name() icetable.Identifier { return []string{h.Ident().Namespace, h.Ident().Name} }

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
