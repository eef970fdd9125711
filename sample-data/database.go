package sampledata

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"modernc.org/sqlite" // the application's own driver
	sqlite3 "modernc.org/sqlite/lib"
)

// busyMillis is how long SQLite itself waits for another writer before it says busy.
const busyMillis = 2000

// open opens the database as any program would. Mode is SQLite's: "rw" never makes a file.
func open(path, mode string) (*dbsql.DB, error) {
	// The path is escaped, for SQLite reads it as a URI.
	uri := fmt.Sprintf("file:%s?mode=%s&_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=foreign_keys(1)",
		(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), mode, busyMillis)
	db, err := dbsql.Open("sqlite", uri)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func inTx(ctx context.Context, db *dbsql.DB, work func(tx *dbsql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone drops the error of rolling back what ended with its context.
func ignoreDone(err error) error {
	if errors.Is(err, dbsql.ErrTxDone) {
		return nil
	}
	return err
}

// record writes what a step did to the database. The number of steps is kept in user_version,
// which SQLite leaves to applications, in the same transaction.
func (h happened) record(ctx context.Context, tx *dbsql.Tx) error {
	if h.alter != "" {
		if _, err := tx.ExecContext(ctx, h.alter); err != nil {
			return err
		}
	}
	for _, c := range h.changes {
		text, args := c.statement()
		if _, err := tx.ExecContext(ctx, text, args...); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", h.step))
	return err
}

// statement is the change in SQL; an update names the cells that change.
func (c change) statement() (string, []any) {
	switch {
	case c.before == nil:
		marks := strings.TrimSuffix(strings.Repeat("?,", len(c.columns)), ",")
		return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", c.table, strings.Join(c.columns, ","), marks), c.after
	case c.after == nil:
		return fmt.Sprintf("DELETE FROM %s WHERE %s = ?", c.table, c.columns[0]), c.before[:1]
	}
	var sets []string
	var args []any
	for i, column := range c.columns {
		if c.before[i] != c.after[i] {
			sets = append(sets, column+" = ?")
			args = append(args, c.after[i])
		}
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s = ?", c.table, strings.Join(sets, ", "), c.columns[0]), append(args, c.before[0])
}

// load is the world that the database holds.
func load(ctx context.Context, db *dbsql.DB, seed uint64) (*world, error) {
	w, err := newWorld(seed)
	if err != nil {
		return nil, err
	}
	err = inTx(ctx, db, func(tx *dbsql.Tx) error {
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&w.step); err != nil {
			return err
		}
		var seals int
		const known = "SELECT count(*) FROM pragma_table_info('containers') WHERE name = ?"
		if err := tx.QueryRowContext(ctx, known, sealColumn).Scan(&seals); err != nil {
			return err
		}
		if seals > 0 {
			w.knowSeals()
		}
		return errors.Join(
			fill(ctx, tx, w.ports, func() *port { return &port{} }), fill(ctx, tx, w.vessels, func() *vessel { return &vessel{} }),
			fill(ctx, tx, w.calls, func() *call { return &call{} }), fill(ctx, tx, w.moves, func() *move { return &move{} }),
			fill(ctx, tx, w.containers, func() *container { return &container{} }), fill(ctx, tx, w.gates, func() *gate { return &gate{} }),
			fill(ctx, tx, w.trucks, func() *truck { return &truck{} }), fill(ctx, tx, w.visits, func() *visit { return &visit{} }),
			fill(ctx, tx, w.holds, func() *hold { return &hold{} }),
		)
	})
	w.countLifts()
	return w, err
}

// fill reads a table, in the order in which its rows were inserted.
func fill[E entity](ctx context.Context, tx *dbsql.Tx, t *table[E], empty func() E) error {
	rows, err := tx.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s ORDER BY rowid", strings.Join(t.columns, ","), t.name))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		e := empty()
		if err := rows.Scan(e.fields()[:len(t.columns)]...); err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		t.rows = append(t.rows, e)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, "SELECT seq FROM sqlite_sequence WHERE name = ?", t.name).Scan(&t.last)
	if errors.Is(err, dbsql.ErrNoRows) {
		return nil
	}
	return err
}

// mayPass tells whether a later try may succeed.
func mayPass(err error) bool {
	return isOne(err, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, // by others
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR) // a disk that takes no writes
}

// isStrange tells whether the database is not as this program left it: somebody else changed rows.
func isStrange(err error) bool { return isOne(err, sqlite3.SQLITE_CONSTRAINT) }

func isOne(err error, codes ...int) bool {
	const primaryCode = 0xff // the rest of a code is detail
	var e *sqlite.Error
	return errors.As(err, &e) && slices.Contains(codes, e.Code()&primaryCode)
}
