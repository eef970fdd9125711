//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	icesql "github.com/apache/iceberg-go/catalog/sql"
	icetable "github.com/apache/iceberg-go/table"
	iceview "github.com/apache/iceberg-go/view"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/repair"
	"tarn/lake/table"
)

// entry is one line of the catalog.
type entry struct {
	id       table.Ident
	location string
	view     bool
}

// catalogue reads the catalog without changing anything. One that is damaged or missing, and
// none that could not be read for another reason, is made anew of what lies in the warehouse, in mind, and with the order to do so on the disk.
func (w *ward) catalogue(ctx context.Context) ([]entry, []repair.Finding, error) {
	path := filepath.Join(w.Dir, catalogFile)
	_, gone := os.Stat(path)
	entries, err := w.readCatalog(ctx, path)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	if err == nil {
		return entries, nil, nil
	}
	problem := plain(err)
	if !errors.Is(gone, os.ErrNotExist) {
		// The copy was read to its end, so an error of reading and writing is of its own folder.
		if fault.CodeOf(err) != fault.Damaged || strings.Contains(err.Error(), "I/O error") {
			return nil, nil, fmt.Errorf("read a copy of %s: %w", path, err)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Unwrap() != nil {
			problem = f.Unwrap().Error() // what to do is said here
		}
	}
	if entries, err = w.gather(); err != nil || len(entries) == 0 && problem == plain(os.ErrNotExist) {
		return nil, nil, err
	}
	f := repair.Finding{
		Part: "lake", Of: catalogFile, Damage: []repair.Damage{{File: w.told(path), Problem: problem}},
		Action: fmt.Sprintf("makes it anew of the %d tables and views in the warehouse, each with its newest metadata; the old file is kept in %s", len(entries), w.told(filepath.Join(w.Dir, asideDir))),
	}
	if !w.o.Yes {
		return entries, []repair.Finding{f}, nil
	}
	err = w.rebuild(ctx, path, entries)
	f.Done = err == nil
	return entries, []repair.Finding{f}, err
}

// readCatalog reads a copy: opening a database writes beside it.
func (w *ward) readCatalog(ctx context.Context, path string) ([]entry, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tarn-repair-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	copied := filepath.Join(dir, catalogFile)
	if err := disk.CopyDatabase(copied, path); err != nil {
		return nil, err
	}
	p, err := openPointers(ctx, copied, w.root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	return p.all(ctx)
}

// all lists every line of the catalog.
func (p *pointers) all(ctx context.Context) ([]entry, error) {
	rows, err := p.writer.QueryContext(ctx,
		`SELECT table_namespace, table_name, coalesce(metadata_location,''), coalesce(iceberg_type,'TABLE')='VIEW'
		 FROM iceberg_tables WHERE catalog_name=? ORDER BY table_namespace, table_name`, CatalogName)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []entry
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.id.Namespace, &e.id.Name, &e.location, &e.view); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// remove takes a table out of the catalog.
func (p *pointers) remove(ctx context.Context, id table.Ident) error {
	_, err := p.writer.ExecContext(ctx, `DELETE FROM iceberg_tables WHERE catalog_name=? AND table_namespace=? AND table_name=?`,
		CatalogName, id.Namespace, id.Name)
	return err
}

// insert names a table or view that the catalog has not.
func (p *pointers) insert(ctx context.Context, e entry) error {
	kind := "TABLE"
	if e.view {
		kind = "VIEW"
	}
	_, err := p.writer.ExecContext(ctx,
		`INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location) VALUES (?,?,?,?,?)`,
		CatalogName, e.id.Namespace, e.id.Name, kind, e.location)
	return err
}

// gather finds the tables and views of the warehouse by their folders, each with the newest
// metadata file; whether that is whole is looked at later.
func (w *ward) gather() ([]entry, error) {
	folders, err := filepath.Glob(filepath.Join(globEscape(w.root.Dir()), "*", "*", "metadata"))
	if err != nil {
		return nil, err
	}
	var all []found
	for _, folder := range folders {
		dir := filepath.Dir(folder)
		f := found{entry: entry{id: w.root.NameIn(dir)}}
		path, meta, err := w.newest(folder)
		if err == nil && path == "" {
			path, err = w.newestView(folder)
			f.view = true
		}
		if err != nil {
			return nil, err
		}
		if path == "" {
			continue
		}
		f.location = w.root.URI(path)
		if meta != nil {
			f.uuid, f.at = meta.TableUUID().String(), meta.LastUpdatedMillis()
			if name := meta.Properties()[table.PropName]; name != "" {
				f.id, f.says = table.ParseIdent(name), true
			}
		}
		all = append(all, f)
	}
	return distinct(all), nil
}

// found is a folder of the warehouse with a table or view in it.
type found struct {
	entry
	uuid string
	at   int64 // its last change
	says bool  // its metadata says its name; else that is the folder's
}

// distinct gives each name to one: to the one whose metadata says it, and to the newer of two. The
// other is of a table that was dropped or has made way, and comes under a name with its uuid.
func distinct(all []found) []entry {
	slices.SortStableFunc(all, func(a, b found) int {
		if a.says != b.says {
			return map[bool]int{true: -1, false: 1}[a.says]
		}
		return cmp.Compare(b.at, a.at)
	})
	var out []entry
	for _, f := range all {
		if slices.ContainsFunc(out, func(e entry) bool { return e.id == f.id }) {
			const part = 8
			f.id.Name += "__" + f.uuid[:min(part, len(f.uuid))]
		}
		out = append(out, f.entry)
	}
	return out
}

// newest is a table's newest metadata file: the highest version of the table that was written
// last. A file that cannot be read counts where it lies above those of that table.
// The metadata is nil for one that cannot be read.
func (w *ward) newest(folder string) (string, icetable.Metadata, error) {
	files, err := metadataFiles(folder)
	if err != nil || len(files) == 0 {
		return "", nil, err
	}
	var last icetable.Metadata
	metas := map[string]icetable.Metadata{}
	for _, f := range files {
		one, bad, err := w.edition(f)
		if err != nil {
			return "", nil, err
		}
		if bad == nil {
			metas[f] = one.meta
			if last == nil || one.meta.LastUpdatedMillis() > last.LastUpdatedMillis() {
				last = one.meta
			}
		}
	}
	if last == nil {
		return files[0], nil, nil
	}
	newest := slices.MaxFunc(files, func(a, b string) int {
		rank := func(f string) (own bool, at int64) {
			m := metas[f]
			if m == nil {
				return true, 0
			}
			return m.TableUUID() == last.TableUUID(), m.LastUpdatedMillis()
		}
		ownA, atA := rank(a)
		ownB, atB := rank(b)
		switch {
		case ownA != ownB && ownA:
			return 1
		case ownA != ownB:
			return -1
		}
		return cmp.Or(cmp.Compare(version(a), version(b)), cmp.Compare(atA, atB))
	})
	return newest, metas[newest], nil
}

// newestView is a view's last metadata; "" for a folder that holds none.
func (w *ward) newestView(folder string) (string, error) {
	files, err := filepath.Glob(filepath.Join(globEscape(folder), "*"+metadataEnd))
	if err != nil {
		return "", err
	}
	best, latest := "", int64(-1)
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		meta, err := iceview.ParseMetadataBytes(content)
		if err != nil {
			continue
		}
		if at := meta.CurrentVersion(); at != nil && at.TimestampMS > latest {
			best, latest = f, at.TimestampMS
		}
	}
	return best, nil
}

// rebuild writes a catalog of the entries beside the damaged one, puts that aside, and the
// new one in its place. Stopped in between, it finds none, and begins again.
func (w *ward) rebuild(ctx context.Context, path string, entries []entry) error {
	fresh := path + ".new"
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := w.Disk.Remove(fresh + end); err != nil {
			return err
		}
	}
	if err := w.fill(ctx, fresh, entries); err != nil {
		return fmt.Errorf("make the catalog anew: %w", err)
	}
	if err := w.Disk.Sync(fresh); err != nil {
		return err
	}
	for _, end := range []string{"-wal", "-shm", ""} {
		if err := w.putAside(path + end); err != nil {
			return err
		}
	}
	return w.Disk.Rename(fresh, path)
}

// fill makes a catalog in one file.
func (w *ward) fill(ctx context.Context, path string, entries []entry) (err error) {
	db, err := dbsql.Open("sqlite", dsn(path, "DELETE"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	library, err := icesql.NewCatalog(CatalogName, db, icesql.SQLite, iceberg.Properties{
		"warehouse": w.root.URI(w.root.Dir()), "init_catalog_tables": "true",
	})
	if err != nil {
		return err
	}
	spaces := slices.Clone(namespaces)
	for _, e := range entries {
		spaces = append(spaces, e.id.Namespace)
	}
	slices.Sort(spaces)
	for _, ns := range slices.Compact(spaces) {
		if err := library.CreateNamespace(ctx, []string{ns}, iceberg.Properties{"location": w.root.URI(filepath.Join(w.root.Dir(), ns))}); err != nil {
			return err
		}
	}
	p := &pointers{writer: db}
	for _, e := range entries {
		if err := p.insert(ctx, e); err != nil {
			return err
		}
	}
	return nil
}
