//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"time"
)

// The record of what the sweep saw, in tables of Tarn's own beside Iceberg's in catalog.db: which
// files nothing named, since when, in time that the house ran. That time is kept as well.
const unnamedTables = `
CREATE TABLE IF NOT EXISTS tarn_sweep (only INTEGER PRIMARY KEY CHECK (only = 1), ran_ms INTEGER NOT NULL);
INSERT OR IGNORE INTO tarn_sweep VALUES (1, 0);
CREATE TABLE IF NOT EXISTS tarn_unnamed (
	folder TEXT, path TEXT, since_ms INTEGER NOT NULL, ours INTEGER NOT NULL,
	bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, PRIMARY KEY (folder, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tarn_dropped (folder TEXT PRIMARY KEY) WITHOUT ROWID`

const rowsPerWrite = 1000 // of the record in one transaction, so that commits do not wait long

// unnamed is a file that the sweep saw unnamed.
type unnamed struct {
	since time.Duration // of the house's running time
	ours  bool          // the table named it before
	bytes int64
	mtime int64
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error)
}

// heads lists all tables and views of all catalogs in the file.
func (p *pointers) heads(ctx context.Context, q querier) ([]head, error) {
	return p.headsWhere(ctx, q, "1=1")
}

func (p *pointers) head(ctx context.Context, q querier, key tableKey) (head, bool, error) {
	all, err := p.headsWhere(ctx, q, "catalog_name=? AND table_namespace=? AND table_name=?", key.catalog, key.Namespace, key.Name)
	if err != nil || len(all) == 0 {
		return head{}, false, err
	}
	return all[0], true, nil
}

func (p *pointers) headsWhere(ctx context.Context, q querier, where string, args ...any) ([]head, error) {
	rows, err := q.QueryContext(ctx, `SELECT catalog_name, table_namespace, table_name, coalesce(metadata_location,''),
		coalesce(previous_metadata_location,''), coalesce(iceberg_type,'TABLE')='VIEW' FROM iceberg_tables WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list all tables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []head
	for rows.Next() {
		var h head
		if err := rows.Scan(&h.catalog, &h.Namespace, &h.Name, &h.location, &h.previous, &h.view); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// ran is how long the house had run at the last look.
func (p *pointers) ran(ctx context.Context) (time.Duration, error) {
	var ms int64
	err := p.reader.QueryRowContext(ctx, "SELECT ran_ms FROM tarn_sweep").Scan(&ms)
	return time.Duration(ms) * time.Millisecond, err
}

func (p *pointers) setRan(ctx context.Context, ran time.Duration) error {
	_, err := p.writer.ExecContext(ctx, "UPDATE tarn_sweep SET ran_ms=?", ran.Milliseconds())
	return err
}

// unnamed reads the record of a folder.
func (p *pointers) unnamed(ctx context.Context, folder string) (map[string]unnamed, error) {
	rows, err := p.reader.QueryContext(ctx, "SELECT path, since_ms, ours, bytes, mtime_ns FROM tarn_unnamed WHERE folder=?", folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[string]unnamed{}
	for rows.Next() {
		var path string
		var ms int64
		var u unnamed
		if err := rows.Scan(&path, &ms, &u.ours, &u.bytes, &u.mtime); err != nil {
			return nil, err
		}
		u.since = time.Duration(ms) * time.Millisecond
		out[path] = u
	}
	return out, rows.Err()
}

// tally is a number of files and their size.
type tally struct{ files, bytes int64 }

// orphans are the files of a folder that nothing named at the last look.
type orphans struct {
	old  tally // last written before a time
	ripe tally // what the next sweep would remove
}

func (p *pointers) orphans(ctx context.Context, folder string, before time.Time) (o orphans, err error) {
	err = p.reader.QueryRowContext(ctx, `SELECT
			count(*) FILTER (WHERE old), coalesce(sum(bytes) FILTER (WHERE old), 0),
			count(*) FILTER (WHERE ripe), coalesce(sum(bytes) FILTER (WHERE ripe), 0)
		FROM (SELECT bytes, mtime_ns < ? AS old, since_ms <= ran_ms - CASE WHEN ours THEN ? ELSE ? END AS ripe
			FROM tarn_unnamed, tarn_sweep WHERE folder=?)`,
		before.UnixNano(), grace.Milliseconds(), strayGrace.Milliseconds(), folder).
		Scan(&o.old.files, &o.old.bytes, &o.ripe.files, &o.ripe.bytes)
	return o, err
}

// record puts files of a folder into the record, and others out of it.
func (p *pointers) record(ctx context.Context, folder string, in map[string]unnamed, out []string) error {
	paths := out
	for path := range in {
		paths = append(paths, path)
	}
	for some := range slices.Chunk(paths, rowsPerWrite) {
		err := p.write(ctx, func(tx *dbsql.Tx) error {
			for _, path := range some {
				u, stays := in[path]
				var err error
				if stays {
					_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO tarn_unnamed VALUES (?,?,?,?,?,?)",
						folder, path, u.since.Milliseconds(), u.ours, u.bytes, u.mtime)
				} else {
					_, err = tx.ExecContext(ctx, "DELETE FROM tarn_unnamed WHERE folder=? AND path=?", folder, path)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("keep what nothing names in %s: %w", folder, err)
		}
	}
	return nil
}

// forget drops the record of folders that are no table's any more.
func (p *pointers) forget(ctx context.Context, folders map[string]bool) error {
	rows, err := p.reader.QueryContext(ctx, "SELECT DISTINCT folder FROM tarn_unnamed")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var gone []string
	for rows.Next() {
		var f string
		if err := rows.Scan(&f); err != nil {
			return err
		}
		if !folders[f] {
			gone = append(gone, f)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, f := range gone {
		if _, err := p.writer.ExecContext(ctx, "DELETE FROM tarn_unnamed WHERE folder=?", f); err != nil {
			return err
		}
	}
	return nil
}

// write runs f in a transaction, holding the catalog's lock from the start: as long as f runs, nobody
// commits to any table, by this program or another one. An end of ctx does not give the lock away
// under f.
func (p *pointers) write(ctx context.Context, f func(*dbsql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	tx, err := p.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // of nothing after a commit; also when f panics, for commits wait for the connection
	if _, err = tx.ExecContext(ctx, "UPDATE tarn_sweep SET ran_ms=ran_ms"); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
