package sqlite

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tarn/embedded/fault"
)

// How long a connection waits for a lock: readers give up soon and are called again,
// writers (few, small) wait for their turn, yet not past the time that a stop may take.
const (
	readBusy  = 500 * time.Millisecond
	writeBusy = 1500 * time.Millisecond
)

// database is a user's database, with one connection that only reads and one that writes
// Tarn's own tables. The file's identity at the time of opening tells when it was replaced.
type database struct {
	path   string
	read   *dbsql.DB
	write  *dbsql.DB
	conn   *dbsql.Conn // of read: PRAGMA data_version counts what others than this one commit
	opened os.FileInfo
}

// openDatabase never makes a file.
func openDatabase(ctx context.Context, path string) (*database, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(err, fault.NotFound, "open database "+path, "check "+keyPath+", or let the application make the file; Tarn goes on by itself when it is there")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "open database "+path, "check the rights on the file and its folder")
	}
	if info.IsDir() {
		return nil, fault.New(fault.Invalid, "open database "+path+": it is a folder", "name the file in "+keyPath)
	}
	d := &database{path: path, opened: info}
	if d.read, err = connect(path, readBusy, "deferred"); err == nil {
		d.write, err = connect(path, writeBusy, "immediate")
	}
	if err == nil {
		d.conn, err = d.read.Conn(ctx)
	}
	if err == nil {
		var n int64
		err = d.conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n)
	}
	if err != nil {
		return nil, errors.Join(d.fault(err, "open database"), d.close())
	}
	return d, nil
}

func connect(path string, busy time.Duration, txlock string) (*dbsql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?mode=rw&_txlock=%s&_pragma=busy_timeout(%d)", txlock, busy.Milliseconds())
	db, err := dbsql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func (d *database) close() error {
	var errs []error
	if d.conn != nil {
		errs = append(errs, d.conn.Close())
	}
	for _, db := range []*dbsql.DB{d.read, d.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// replaced tells whether another file is at the path now.
func (d *database) replaced() bool {
	now, err := os.Stat(d.path)
	return err != nil || !os.SameFile(now, d.opened)
}

// reading runs f in one read transaction. It is short: in a rollback journal a reader
// keeps writers from committing.
func (d *database) reading(ctx context.Context, f func() error) (err error) {
	if _, err := d.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		// The transaction ends also when ctx has.
		if _, e := d.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err == nil && e != nil {
			err = e
		}
	}()
	return f()
}

// writing runs f in one write transaction.
func (d *database) writing(ctx context.Context, f func(tx *dbsql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// querier is what a connection and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*dbsql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (dbsql.Result, error)
}

// number reads one number.
func number(ctx context.Context, q querier, query string, args ...any) (n int64, err error) {
	err = each(ctx, q, func(rows *dbsql.Rows) error { return rows.Scan(&n) }, query, args...)
	return n, err
}

// each calls f for every row of a query.
func each(ctx context.Context, q querier, f func(*dbsql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fault says what SQLite's error means for a person.
func (d *database) fault(err error, doing string) error {
	var e *driver.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	what := doing + " " + d.path
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Wrap(err, fault.Unavailable, what, "another program holds the database locked; Tarn goes on when it is free. If it stays so, look for an open transaction or PRAGMA locking_mode=EXCLUSIVE")
	case sqlite3.SQLITE_NOTADB:
		return fault.Wrap(err, fault.Damaged, what, "the file is not an SQLite database, or it is encrypted; check "+keyPath)
	case sqlite3.SQLITE_CORRUPT:
		return fault.Wrap(err, fault.Damaged, what, "put back a backup, or try the .recover command of the sqlite3 shell; Tarn goes on when the file is sound")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return fault.Wrap(err, fault.Invalid, what, "Tarn keeps triggers and shadow tables in the database: give this user the right to write the file and its folder")
	case sqlite3.SQLITE_CANTOPEN:
		return fault.Wrap(err, fault.Invalid, what, "check the rights on the file and its folder")
	case sqlite3.SQLITE_FULL:
		return fault.Wrap(err, fault.NoSpace, what, "make room on the disk that holds the database")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA:
		return fault.Wrap(err, fault.Unavailable, what, "Tarn tries again; if it stays so, check the disk that holds the database")
	}
	return fmt.Errorf("%s: %w", what, err)
}
