//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icecatalog "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// Create implements table.Tables. The table and its rows come with one transaction of the catalog.
func (s *Store) Create(ctx context.Context, spec table.Spec, replace bool, query table.Query) (table.Table, int64, error) {
	for range attemptsMax {
		old, err := s.replaced(ctx, spec, replace)
		if err != nil {
			return nil, 0, err
		}
		var rows iter.Seq2[arrow.RecordBatch, error]
		if query != nil {
			if spec.Columns, rows, err = query(ctx); err != nil {
				return nil, 0, err
			}
		}
		t, n, err := s.makeWith(ctx, spec, old, rows)
		switch {
		case err == nil:
			return t, n, nil
		case !errors.Is(err, errMoved):
			return nil, 0, fmt.Errorf("make table %s: %w", spec, err)
		case rows != nil: // which are read but once
			return nil, 0, fault.Wrap(table.ErrConflict, fault.Conflict, "replace "+spec.String(), "somebody else has changed it meanwhile: try again")
		}
	}
	return nil, 0, fault.Wrap(table.ErrConflict, fault.Conflict, "replace "+spec.String(), "try again when the other writer has stopped")
}

// replaced is the table in whose place another one comes; nil for none.
func (s *Store) replaced(ctx context.Context, spec table.Spec, replace bool) (*state, error) {
	if err := checkName(spec.Ident); err != nil {
		return nil, err
	}
	spaces, err := s.pointer.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(spaces, spec.Namespace) {
		return nil, fault.Wrap(table.ErrNotFound, fault.NotFound, "schema "+spec.Namespace, "write CREATE SCHEMA "+spec.Namespace+" first")
	}
	_, view, err := s.pointer.get(ctx, spec.Ident)
	switch {
	case errors.Is(err, dbsql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look %s up: %w", spec.Ident, err)
	case view:
		return nil, fault.Wrap(table.ErrExists, fault.Exists, "make table "+spec.String(), "a view has that name: drop it, or choose another name")
	case !replace:
		return nil, fault.Wrap(table.ErrExists, fault.Exists, spec.String(), "choose another name, or drop "+spec.String()+" first")
	}
	_, st, err := s.find(ctx, spec.Ident)
	if err != nil {
		return nil, err
	}
	return st, st.ownedBy("replace "+spec.String(), spec.Properties[table.PropOwner])
}

// makeWith writes a table beside the catalog, and then its row in there.
func (s *Store) makeWith(ctx context.Context, spec table.Spec, old *state, rows iter.Seq2[arrow.RecordBatch, error]) (table.Table, int64, error) {
	began := s.Clock.Now()
	schema, err := newSchema(spec.Columns)
	if err != nil {
		return nil, 0, err
	}
	place, own, err := s.placeFor(ctx, spec.Ident)
	if err == nil && old != nil {
		place, own = s.ownPlace(spec.Ident), true
	}
	if err != nil {
		return nil, 0, err
	}
	props := s.properties(spec)
	if own {
		props[table.PropName] = spec.String()
	}
	meta, err := icetable.NewMetadata(schema, iceberg.UnpartitionedSpec, icetable.UnsortedSortOrder, place, props)
	if err != nil {
		return nil, 0, err
	}
	base := newState("", meta)
	h := newHandle(s, spec.Ident)
	h.state.Store(base)
	w := &work{handle: h, base: base, io: s.io()}
	w.enter = func(ctx context.Context, to string) error { return s.enter(ctx, spec.Ident, old, to) }
	var files *bulkFiles
	_, told, err := w.finish(func() (*table.Committed, *fileSet, error) {
		if rows != nil {
			if files, err = w.bulk(ctx, s.noting(ctx, place, rows)); err != nil {
				return nil, nil, err
			}
			files.io = &fileIO{} // its files are of w.io
		}
		return w.establish(ctx, files)
	})
	if err != nil {
		return nil, 0, err
	}
	made, _, err := s.find(context.WithoutCancel(ctx), spec.Ident)
	if err != nil { // by now it has another name, say: what was committed stays so
		made = h
	}
	if files == nil || files.rows == 0 {
		return made, 0, nil
	}
	made.tell(told, began)
	return made, files.rows, nil
}

// establish commits the first state of a table.
func (w *work) establish(ctx context.Context, files *bulkFiles) (*table.Committed, *fileSet, error) {
	if files == nil || len(files.files) == 0 {
		_, _, err := w.CommitTable(ctx, nil, nil, nil)
		return nil, nil, err
	}
	tx := icetable.New(w.handle.name(), w.base.meta, "", fixedIO(w.io), w).NewTransaction()
	if err := stage(ctx, tx, files.files, nil); err != nil {
		return nil, nil, err
	}
	_, err := tx.Commit(ctx)
	if w.landed == nil {
		return nil, nil, err
	}
	return w.told(files.files, nil), nil, err
}

// noting notes a folder for the sweep before the first rows are written there: a crash leaves no table that would lead to it.
func (s *Store) noting(ctx context.Context, place string, rows iter.Seq2[arrow.RecordBatch, error]) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		noted := false
		for b, err := range rows {
			if err == nil && !noted {
				var dir string
				if dir, err = s.root.Path(place); err == nil {
					_, err = s.pointer.writer.ExecContext(ctx, "INSERT OR IGNORE INTO tarn_dropped VALUES (?)", s.folderName(dir))
				}
				noted = true
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// enter is the one transaction by which a table is there, or in another's place.
func (s *Store) enter(ctx context.Context, id table.Ident, old *state, to string) error {
	locked := false
	defer func() {
		if locked {
			s.naming.Unlock()
		}
	}()
	err := s.pointer.write(ctx, func(tx *dbsql.Tx) error {
		s.naming.Lock() // not before the catalog's own lock, as in naming.run
		locked = true
		if old == nil {
			_, err := tx.ExecContext(ctx, `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location) VALUES (?,?,?,'TABLE',?)`,
				CatalogName, id.Namespace, id.Name, to)
			if err != nil && strings.Contains(err.Error(), "UNIQUE") {
				return fault.Wrap(table.ErrExists, fault.Exists, id.String(), "somebody else has just made it")
			}
			return err
		}
		dir, ours := s.folderOf(id, old.meta)
		if err := dropped(ctx, tx, id, old.location, s.folderName(dir), ours); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location) VALUES (?,?,?,'TABLE',?)`,
			CatalogName, id.Namespace, id.Name, to)
		return err
	})
	if err != nil || old == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.tables[id]; h != nil {
		h.dropped.Store(true)
		delete(s.tables, id)
	}
	return nil
}

// CreateNamespace implements table.Tables.
func (s *Store) CreateNamespace(ctx context.Context, name string) error {
	if err := checkName(table.Ident{Namespace: name, Name: "x"}); err != nil {
		return err
	}
	spaces, err := s.pointer.namespaces(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(spaces, name) {
		return fault.Wrap(table.ErrExists, fault.Exists, "schema "+name, "write CREATE SCHEMA IF NOT EXISTS, or take another name")
	}
	return s.ensureNamespace(ctx, name)
}

// DropNamespace implements table.Tables.
func (s *Store) DropNamespace(ctx context.Context, name string) error {
	if slices.Contains(namespaces, name) {
		return fault.New(fault.Denied, "the schema "+name+" is Tarn's own", "leave it; schemas of your own can go")
	}
	err := s.library.DropNamespace(ctx, []string{name})
	switch {
	case errors.Is(err, icecatalog.ErrNoSuchNamespace):
		return fault.Wrap(table.ErrNotFound, fault.NotFound, "schema "+name, "see SHOW SCHEMAS")
	case errors.Is(err, icecatalog.ErrNamespaceNotEmpty):
		return fault.New(fault.Invalid, "the schema "+name+" has tables or views", "drop those first, or write DROP SCHEMA "+name+" CASCADE")
	}
	if err == nil {
		s.removeFolder(filepath.Join(s.root.Dir(), name))
	}
	return err
}
