// Package schemas keeps the immutable schemas that records name by id: written by
// sources before their first use, read by landing. It lives in meta, whose every
// write is on disk when it returns.
package schemas

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// ErrNotFound is returned by Get for an id that nobody has stored.
var ErrNotFound = errors.New("no such schema")

// Store gives schemas their ids and finds them again. Safe for concurrent use.
// What it has read or written once stays in memory: schemas are few and never change.
type Store struct {
	meta *meta.Store

	mu     sync.Mutex
	loaded bool
	byID   map[int64]*record.Schema
	byText map[string]int64 // the schema as JSON with id 0 -> its id
}

// New returns a store on meta. It reads nothing yet.
func New(m *meta.Store) *Store {
	return &Store{meta: m, byID: map[int64]*record.Schema{}, byText: map[string]int64{}}
}

// Put stores a schema and returns its id, which is above 0; its own ID is not looked
// at. A schema equal to a stored one gets that one's id. It is on disk when Put returns.
func (s *Store) Put(ctx context.Context, schema record.Schema) (int64, error) {
	schema.ID = 0
	text, err := json.Marshal(schema)
	if err != nil {
		return 0, fmt.Errorf("store schema of %s: %w", schema.Table, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return 0, err
	}
	if id, ok := s.byText[string(text)]; ok {
		return id, nil
	}
	id := idOf(text)
	if other, taken := s.byID[id]; taken {
		return 0, fault.Newf(fault.Internal, "give a column of the table another name", "the schemas of %s and %s have one id", schema.Table, other.Table)
	}
	schema.ID = id
	value, err := json.Marshal(schema)
	if err != nil {
		return 0, fmt.Errorf("store schema of %s: %w", schema.Table, err)
	}
	if err := s.meta.Put(ctx, meta.Entry{Bucket: meta.Schemas, Key: strconv.FormatInt(id, 10), Value: value}); err != nil {
		return 0, err
	}
	return id, s.keep(value)
}

// idOf is a positive number made of a schema's content. So an id never means two things,
// not even to a log whose meta.db was put back from an older copy.
func idOf(text []byte) int64 {
	sum := sha256.Sum256(text)
	return int64(binary.BigEndian.Uint64(sum[:])>>1) | 1 //nolint:gosec // the shift leaves it positive
}

// Get returns the schema of an id, or ErrNotFound. The schema is shared: it must not
// be changed.
func (s *Store) Get(ctx context.Context, id int64) (*record.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema, ok := s.byID[id]; ok {
		return schema, nil
	}
	value, err := s.meta.Get(ctx, meta.Schemas, strconv.FormatInt(id, 10))
	if errors.Is(err, meta.ErrNotFound) {
		return nil, fmt.Errorf("schema %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if err := s.keep(value); err != nil {
		return nil, err
	}
	return s.byID[id], nil
}

// IDs are those of all schemas in a meta.db that nobody else has open.
func IDs(ctx context.Context, m *meta.Store) (map[int64]bool, error) {
	entries, err := m.List(ctx, meta.Schemas)
	if err != nil {
		return nil, err
	}
	out := map[int64]bool{}
	for _, e := range entries {
		id, err := strconv.ParseInt(e.Key, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read a stored schema: %w", err)
		}
		out[id] = true
	}
	return out, nil
}

// load reads all schemas once, so that equal ones are found. mu is held.
func (s *Store) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	entries, err := s.meta.List(ctx, meta.Schemas)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.keep(e.Value); err != nil {
			return err
		}
	}
	s.loaded = true
	return nil
}

// keep remembers a stored schema. It decodes the stored bytes, so that nothing is
// shared with whoever stored it. mu is held.
func (s *Store) keep(value []byte) error {
	var schema record.Schema
	if err := json.Unmarshal(value, &schema); err != nil {
		return fmt.Errorf("read a stored schema: %w", err)
	}
	bare := schema
	bare.ID = 0
	text, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	s.byID[schema.ID], s.byText[string(text)] = &schema, schema.ID
	return nil
}
