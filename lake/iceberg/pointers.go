//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the SQLite driver

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

const (
	readersMax     = 2               // connections that only look tables up
	outcomeTimeout = 5 * time.Second // to find out what became of a commit
)

// pointers is catalog.db: which metadata file is a table's current one. The tables in
// it are those of Iceberg's SQL catalogs (iceberg_tables), so PyIceberg and iceberg-go open it.
// Writes go through one connection; look-ups have their own, so that a query
// does not wait for a commit's fsync.
type pointers struct {
	writer, reader *dbsql.DB
	look           atomic.Pointer[dbsql.Stmt] // of get, once it was asked: each statement of a client asks
}

func openPointers(ctx context.Context, path string, root table.Root) (*pointers, error) {
	writer, err := dbsql.Open("sqlite", dsn(path, "WAL"))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	p := &pointers{writer: writer}
	if err := p.check(ctx, path, root); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if p.reader, err = dbsql.Open("sqlite", dsn(path, "WAL")+"&_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.reader.SetMaxOpenConns(readersMax)
	p.reader.SetMaxIdleConns(readersMax)
	return p, nil
}

func dsn(path, journal string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(" + journal + ")&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)"
}

// Close closes the database.
func (p *pointers) Close() error {
	var err error
	if p.reader != nil {
		err = p.reader.Close()
	}
	return errors.Join(err, p.writer.Close())
}

// check refuses a damaged catalog, and an empty one beside a warehouse that has tables:
// to start over there would land everything a second time.
func (p *pointers) check(ctx context.Context, path string, root table.Root) error {
	damaged := func(err error) error {
		return fault.Wrap(err, fault.Damaged, "open "+path,
			"`tarn repair` makes it anew of the tables in "+root.Dir()+", and with --yes puts it in place")
	}
	var verdict string
	if err := p.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fault.Full(err) {
			return fmt.Errorf("open %s: %w", path, err)
		}
		for _, clue := range []string{"unable to open", "readonly", "permission", "locked"} {
			if strings.Contains(err.Error(), clue) {
				return fault.Wrap(err, fault.Invalid, "open "+path, "check that the data folder can be written by this user and that no other program holds catalog.db")
			}
		}
		return damaged(err)
	}
	if verdict != "ok" {
		return damaged(errors.New(verdict))
	}
	var tables int
	err := p.writer.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type='table' AND name='iceberg_tables'").Scan(&tables)
	if err != nil {
		return damaged(err)
	}
	if tables == 0 {
		if metadata, _ := filepath.Glob(filepath.Join(globEscape(root.Dir()), "*", "*", "metadata", "*.json")); len(metadata) > 0 {
			return damaged(fmt.Errorf("it holds no tables, but the warehouse does (%s)", metadata[0]))
		}
	}
	return nil
}

func globEscape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// get returns a table's or view's current metadata file; dbsql.ErrNoRows if there is none.
func (p *pointers) get(ctx context.Context, id table.Ident) (location string, view bool, err error) {
	look := p.look.Load() //nolint:sqlclosecheck // it ends with its database
	if look == nil {
		look, err = p.reader.PrepareContext(ctx, `SELECT coalesce(metadata_location,''), coalesce(iceberg_type,'TABLE') FROM iceberg_tables
			WHERE catalog_name=? AND table_namespace=? AND table_name=?`)
		if err != nil {
			return "", false, err
		}
		if !p.look.CompareAndSwap(nil, look) { // another was first
			_ = look.Close()     //nolint:sqlclosecheck // not the one that is used
			look = p.look.Load() //nolint:sqlclosecheck // as above
		}
	}
	var kind string
	err = look.QueryRowContext(ctx, CatalogName, id.Namespace, id.Name).Scan(&location, &kind)
	return location, kind == "VIEW", err
}

// swap moves a pointer from one metadata file to the next, in one synced
// transaction; false if it was not at from any more.
func (p *pointers) swap(ctx context.Context, id table.Ident, kind, from, to string) (bool, error) {
	res, err := p.writer.ExecContext(ctx,
		`UPDATE iceberg_tables SET metadata_location=?, previous_metadata_location=?, iceberg_type=?
		 WHERE catalog_name=? AND table_namespace=? AND table_name=? AND metadata_location=?`,
		to, from, kind, CatalogName, id.Namespace, id.Name, from)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// entries lists the tables and views of a namespace in order of name.
func (p *pointers) entries(ctx context.Context, namespace string) ([]catalog.Entry, error) {
	rows, err := p.reader.QueryContext(ctx,
		`SELECT table_name, coalesce(iceberg_type,'TABLE')='VIEW' FROM iceberg_tables
		 WHERE catalog_name=? AND table_namespace=? ORDER BY table_name`, CatalogName, namespace)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", namespace, err)
	}
	defer func() { _ = rows.Close() }()
	var out []catalog.Entry
	for rows.Next() {
		e := catalog.Entry{Ident: table.Ident{Namespace: namespace}}
		if err := rows.Scan(&e.Name, &e.View); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

func (p *pointers) namespaces(ctx context.Context) ([]string, error) {
	rows, err := p.reader.QueryContext(ctx,
		`SELECT namespace FROM iceberg_namespace_properties WHERE catalog_name=?1
		 UNION SELECT table_namespace FROM iceberg_tables WHERE catalog_name=?1 ORDER BY 1`, CatalogName)
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var ns string
		if err := rows.Scan(&ns); err != nil {
			return nil, err
		}
		out = append(out, ns)
	}
	return out, rows.Err()
}

// missing tells whether a metadata file is not there.
func missing(err error) bool { return errors.Is(err, os.ErrNotExist) }
