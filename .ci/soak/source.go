//go:build duckdb_arrow

package main

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	proof "tarn/.ci/proof"
)

// A table gets one transaction a second: as many new rows as old ones go, so that its mirror
// stays as large as it is.
const (
	inserts    = 3 // and deletes
	updates    = 4
	changes    = 2*inserts + updates
	noteLength = 100 // bytes
)

// source is the database that an application writes to.
type source struct {
	path   string
	tables int
	rows   int64

	db      *dbsql.DB
	rounds  []int64 // of each table
	notMore string  // a note
}

func tableName(i int) string { return fmt.Sprintf("t%02d", i) }

func (s *source) open(ctx context.Context) (err error) {
	if s.db, err = proof.OpenSource(s.path, "WAL"); err != nil {
		return err
	}
	s.rounds, s.notMore = make([]int64, s.tables), strings.Repeat("x", noteLength)
	for i := range s.tables {
		_, err := s.db.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE %[1]s (id INTEGER PRIMARY KEY, n INTEGER, x REAL, name TEXT, note TEXT);
			WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < %[2]d)
			INSERT INTO %[1]s SELECT i, 0, i / 3.0, 'row ' || i, hex(randomblob(%[3]d)) FROM c`, tableName(i), s.rows, noteLength/2))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *source) close() { _ = s.db.Close() }

// write writes to each table once a second, to one after the other, until ctx ends.
func (s *source) write(ctx context.Context) error {
	pace := time.NewTicker(time.Second / time.Duration(s.tables))
	defer pace.Stop()
	for i := 0; ; i = (i + 1) % s.tables {
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
			// A transaction that has begun is ended.
			if err := s.transact(context.WithoutCancel(ctx), i); err != nil {
				return fmt.Errorf("write to %s: %w", tableName(i), err)
			}
		}
	}
}

func (s *source) transact(ctx context.Context, i int) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	lo := s.rounds[i] * inserts
	hi := lo + s.rows // rows are from lo up to it
	do := func(format string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, fmt.Sprintf(format, tableName(i)), args...)
		}
	}
	do("DELETE FROM %s WHERE id >= ? AND id < ?", lo, lo+inserts)
	for n := range int64(inserts) {
		do("INSERT INTO %s VALUES (?, ?, 0.5, 'row', ?)", hi+n, s.rounds[i], s.notMore)
	}
	for range updates {
		do("UPDATE %s SET n = n + 1, x = x + 0.25 WHERE id = ?", lo+inserts+rand.Int64N(s.rows))
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.rounds[i]++
	return nil
}

// sums are a table's rows, sums of id and n, and the changes that there have been.
func (s *source) sums(ctx context.Context, i int) ([]int64, error) {
	out := make([]int64, 4)
	err := s.db.QueryRowContext(ctx, "SELECT count(*), sum(id), sum(n) FROM "+tableName(i)).Scan(&out[0], &out[1], &out[2])
	out[3] = s.rounds[i] * changes
	return out, err
}
