//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go"
	icecatalog "github.com/apache/iceberg-go/catalog"
	icesql "github.com/apache/iceberg-go/catalog/sql"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/disk"
	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// CatalogName is the catalog's name within catalog.db:
// SqlCatalog('tarn', uri='sqlite:///DATA/lake/catalog.db', warehouse='file://DATA/lake/warehouse').
const CatalogName = "tarn"

// keysShare is the keyCache's part of the memory.
const keysShare = 4

const catalogFile = "catalog.db"

// namespaces exist from the first start on.
var namespaces = []string{"bronze", "silver", "gold", table.SystemNamespace}

// Options of a store.
type Options struct {
	Dir         string // holds catalog.db and warehouse/
	Disk        *disk.FS
	Clock       life.Clock
	Log         *slog.Logger
	Metrics     prometheus.Registerer
	MemoryBytes int64  // of the keys in memory, and of the DuckDB that looks others up
	Threads     int    // of that DuckDB, at most
	TempDir     string // where it may spill; "" = nowhere
	// Committed is told of each commit after it is on disk, in the order of a table's
	// commits; it must not commit to the table itself. nil: nobody is told.
	Committed func(table.Committed)
	// DiskReserve is what other parts leave free, in bytes; upkeep stops at a quarter of it.
	DiskReserve uint64
}

// Store is an open lake. Safe for concurrent use.
type Store struct {
	Options
	root    table.Root
	pointer *pointers
	library *icesql.Catalog // namespaces and new tables
	duck    *duck.Instance
	metrics *metrics
	leases  leases
	upkeep  upkeep
	keys    keyCache
	joins   chan struct{} // has one for each join of keys that runs: of so many their memory is
	steady  life.Steady
	sweeper *sweeper

	// naming is held to write while names change in the catalog and here, and to read while somebody goes from
	// a name to its table. It is taken with turns held and with the catalog's lock, never the other way round, and
	// before handle.moving and mu.
	naming sync.RWMutex

	mu      sync.Mutex // guards what follows; held for moments only
	tables  map[table.Ident]*handle
	damaged map[table.Ident]error
}

// Open opens the lake in a folder or makes a new one. A damaged catalog is a fault
// and stays as it is; a table whose metadata is damaged is reported by Damaged, and the
// others go on.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, err
	}
	if !s.root.Plain() {
		o.Log.Warn("the data folder's path has characters that other Iceberg engines do not find files by", "path", s.root.Dir())
	}
	if err := o.Disk.MkdirAll(o.Dir); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "make "+o.Dir, "check that the data folder can be written by this user")
	}
	if s.pointer, err = openPointers(ctx, filepath.Join(o.Dir, catalogFile), s.root); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// newStore is a store that has nothing open yet.
func newStore(o Options) (*Store, error) {
	takeFileScheme()
	root, err := table.NewRoot(filepath.Join(o.Dir, "warehouse"))
	if err != nil {
		return nil, err
	}
	return &Store{
		Options: o, root: root, metrics: newMetrics(o.Metrics), leases: newLeases(), upkeep: newUpkeep(), keys: newKeyCache(o.MemoryBytes / keysShare), steady: life.NewSteady(o.Clock), sweeper: newSweeper(),
		tables: map[table.Ident]*handle{}, damaged: map[table.Ident]error{},
	}, nil
}

func (s *Store) start(ctx context.Context) error {
	library, err := icesql.NewCatalog(CatalogName, s.pointer.writer, icesql.SQLite, iceberg.Properties{
		"warehouse": s.root.URI(s.root.Dir()), "init_catalog_tables": "true",
	})
	if err != nil {
		return fmt.Errorf("open the catalog: %w", err)
	}
	s.library = library
	if _, err := s.pointer.writer.ExecContext(ctx, unnamedTables); err != nil {
		return fmt.Errorf("open the catalog: %w", err)
	}
	for _, ns := range namespaces {
		if err := s.ensureNamespace(ctx, ns); err != nil {
			return err
		}
	}
	if err := s.Disk.SyncDir(s.Dir); err != nil {
		return err
	}
	memory := s.duckBytes()
	s.joins = make(chan struct{}, max(1, memory/joinBytes))
	s.duck, err = duck.Open(ctx, duck.Options{MemoryBytes: memory, Threads: int(max(1, min(int64(s.Threads), memory/threadBytes))), TempDir: s.TempDir})
	if err != nil {
		return err
	}
	return s.loadAll(ctx)
}

// loadAll reads the metadata of every table, so that Recorded knows all offsets before the
// bus asks, and damage is told at the start.
func (s *Store) loadAll(ctx context.Context) error {
	spaces, err := s.pointer.namespaces(ctx)
	if err != nil {
		return err
	}
	for _, ns := range spaces {
		ids, err := s.List(ctx, ns)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, _, err := s.find(ctx, id); err != nil && !errors.Is(err, table.ErrNotFound) {
				s.Log.Error("table cannot be read", "table", id.String(), "error", err)
			}
		}
	}
	return nil
}

// duckBytes is the memory that the keys in memory leave to DuckDB.
func (s *Store) duckBytes() int64 { return s.MemoryBytes - s.keys.limit }

// Close closes the catalog and the DuckDB instance. Commits must have returned.
func (s *Store) Close() error {
	var errs []error
	if s.library != nil {
		errs = append(errs, s.library.Close())
	}
	if s.duck != nil {
		errs = append(errs, s.duck.Close())
	}
	return errors.Join(append(errs, s.pointer.Close())...)
}

func (s *Store) io() *fileIO { return &fileIO{disk: s.Disk, root: s.root, live: &s.sweeper.live} }

func (s *Store) ensureNamespace(ctx context.Context, ns string) error {
	exists, err := s.library.CheckNamespaceExists(ctx, []string{ns})
	if err != nil || exists {
		return err
	}
	location := s.root.URI(filepath.Join(s.root.Dir(), ns))
	err = s.library.CreateNamespace(ctx, []string{ns}, iceberg.Properties{"location": location})
	if errors.Is(err, icecatalog.ErrNamespaceAlreadyExists) {
		return nil
	}
	return err
}

// find returns the one handle of a table with its state as the catalog has it. Names of
// no table leave nothing behind.
func (s *Store) find(ctx context.Context, id table.Ident) (*handle, *state, error) {
	s.naming.RLock()
	defer s.naming.RUnlock()
	for {
		h := s.handleOf(id)
		fresh := h == nil
		if fresh {
			h = newHandle(s, id)
		}
		st, err := h.follow(ctx)
		switch {
		case errors.Is(err, errOther):
			s.lose(h)
		case err != nil:
			return nil, nil, err
		case !fresh || s.keep(h):
			return h, st, nil
		}
	}
}

func (s *Store) handleOf(id table.Ident) *handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tables[id]
}

// keep makes a handle the one of its name; false if there is one.
func (s *Store) keep(h *handle) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables[h.Ident()] != nil {
		return false
	}
	s.tables[h.Ident()] = h
	return true
}

// lose forgets a handle whose table has the name no more.
func (s *Store) lose(h *handle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables[h.Ident()] == h {
		delete(s.tables, h.Ident())
	}
}

func (s *Store) setDamage(id table.Ident, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.damaged, id)
	} else {
		s.damaged[id] = err
	}
	s.metrics.damaged.Set(float64(len(s.damaged)))
}

// Damaged names the tables that cannot be read, each with why.
func (s *Store) Damaged() map[table.Ident]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.damaged)
}

// Open implements table.Tables.
func (s *Store) Open(ctx context.Context, id table.Ident) (table.Table, error) {
	h, _, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Ensure implements table.Tables.
func (s *Store) Ensure(ctx context.Context, spec table.Spec) (table.Table, error) {
	t, err := s.Open(ctx, spec.Ident)
	if !errors.Is(err, table.ErrNotFound) {
		return t, err
	}
	if err := s.create(ctx, spec); err != nil && !errors.Is(err, icecatalog.ErrTableAlreadyExists) {
		if errors.Is(err, icecatalog.ErrViewAlreadyExists) {
			return nil, fault.Wrap(table.ErrExists, fault.Exists, "make table "+spec.String(), "a view has that name: drop it or choose another name")
		}
		return nil, fmt.Errorf("make table %s: %w", spec, err)
	}
	return s.Open(ctx, spec.Ident)
}

func (s *Store) create(ctx context.Context, spec table.Spec) error {
	if err := checkName(spec.Ident); err != nil {
		return err
	}
	schema, err := newSchema(spec.Columns)
	if err != nil {
		return err
	}
	if err := s.ensureNamespace(ctx, spec.Namespace); err != nil {
		return err
	}
	props := s.properties(spec)
	location, own, err := s.placeFor(ctx, spec.Ident)
	if err != nil {
		return err
	}
	if own {
		props[table.PropName] = spec.String()
	}
	io := s.io()
	made, err := s.library.CreateTable(withIO(ctx, io), []string{spec.Namespace, spec.Name}, schema,
		icecatalog.WithLocation(location), icecatalog.WithProperties(props))
	if err != nil {
		s.undoUnlessNamed(ctx, spec.Ident, io)
		return err
	}
	s.sweeper.wrote(made.Metadata().TableUUID().String(), io.made)
	return nil
}

// properties are those of a new table.
func (s *Store) properties(spec table.Spec) iceberg.Properties {
	props := iceberg.Properties{
		icetable.PropertyFormatVersion:               "2",
		"write.parquet.compression-codec":            "zstd",
		icetable.MetadataDeleteAfterCommitEnabledKey: "true",
		icetable.MetadataPreviousVersionsMaxKey:      "10",
		icetable.ManifestMergeEnabledKey:             "true",
		table.PropSchema + "0":                       s.Clock.Now().UTC().Format(time.RFC3339Nano),
	}
	if keys := keyProperty(spec.Columns); keys != "" {
		props[propKeys] = keys
	}
	for i, c := range spec.Columns { // whose ids count from 1
		id := strconv.Itoa(i + 1)
		if c.Length > 0 {
			props[table.PropLength+id] = strconv.Itoa(c.Length)
		}
		if c.Default != "" {
			props[table.PropDefault+id] = c.Default
		}
	}
	maps.Copy(props, spec.Properties)
	return props
}

// undoUnlessNamed removes the files of a failed creation, but never those that the
// catalog has come to name.
func (s *Store) undoUnlessNamed(ctx context.Context, id table.Ident, io *fileIO) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	named, _, err := s.pointer.get(ctx, id)
	if err != nil && !errors.Is(err, dbsql.ErrNoRows) {
		return
	}
	if path, err := s.root.Path(named); err == nil && slices.Contains(io.made, path) {
		return
	}
	io.undo()
}

func checkName(id table.Ident) error {
	for _, part := range []string{id.Namespace, id.Name} {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "./\\\x00%?#") {
			return fault.Newf(fault.Invalid, "use letters, digits and _ in names", "%q is no name for a table", id.String())
		}
	}
	return nil
}

// List implements table.Tables.
func (s *Store) List(ctx context.Context, namespace string) ([]table.Ident, error) {
	entries, err := s.pointer.entries(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var out []table.Ident
	for _, e := range entries {
		if !e.View {
			out = append(out, e.Ident)
		}
	}
	return out, nil
}

// Recorded is the highest next offset, with the places of its sources, that any table
// has recorded for a partition; the zero value where none has.
func (s *Store) Recorded(topic string, partition int32) record.PartitionOffsets {
	highest := record.Offsets{}
	for _, h := range s.handles() {
		if st := h.state.Load(); !h.dropped.Load() {
			highest.Raise(record.Offsets{topic: st.offsets[topic]})
		}
	}
	return highest.At(topic, partition)
}

// handles are those of all tables that have been opened.
func (s *Store) handles() []*handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.tables))
}
