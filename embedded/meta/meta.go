// Package meta is Tarn's own small memory, DATA/meta.db: positions of sources,
// schemas, topics, log starts, ids. Every change is on disk (WAL, synchronous=FULL)
// when the call returns. It is not for rows of users.
package meta

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the SQLite driver

	"tarn/embedded/fault"
)

// ErrNotFound is returned by Get for a key that is not there.
var ErrNotFound = errors.New("no such key")

// Bucket groups keys of one owner. Each bucket has one package that writes it.
type Bucket string

// The buckets and their owners.
const (
	Topics       Bucket = "topics"       // embedded/bus: topic name -> config JSON
	LogStarts    Bucket = "log_starts"   // embedded/bus: topic/partition -> offset
	Checks       Bucket = "checks"       // embedded/bus: topic/partition -> checkpoint; may be lost
	Sealed       Bucket = "sealed"       // embedded/bus: stream/file -> what a start need not read, JSON; may be lost
	Groups       Bucket = "groups"       // embedded/bus/group: group -> generation and members, JSON
	Offsets      Bucket = "offsets"      // embedded/bus/group: group/topic/partition -> committed offset, JSON
	Pending      Bucket = "pending"      // embedded/bus/group: producer/group/topic/partition -> the same, of an open transaction
	Transactions Bucket = "transactions" // embedded/bus/txn: transactional id -> its record, JSON
	Positions    Bucket = "positions"    // ingest/source: source id -> position JSON
	Sources      Bucket = "sources"      // ingest/source: source name -> identity JSON
	Leavings     Bucket = "leavings"     // ingest/source: what ended sources left in their databases, JSON
	Wishes       Bucket = "wishes"       // ingest/source: source id/table -> why a new snapshot is asked for
	Paused       Bucket = "paused"       // ingest: names of connectors that are paused
	Replays      Bucket = "replays"      // stream/replay: number of a dead letter -> what was sent again, JSON
	Schemas      Bucket = "schemas"      // embedded/record: id -> schema JSON, immutable
	Ages         Bucket = "ages"         // Age: who counts it -> milliseconds, and Steady's mark
	IDs          Bucket = "ids"          // counters: name -> next number
	Landing      Bucket = "landing"      // stream/landing: findings and names claimed
	Streams      Bucket = "streams"      // stream/command: stream name -> definition JSON
	Pipelines    Bucket = "pipelines"    // stream/command: pipeline id -> definition JSON
	Kafka        Bucket = "kafka"        // ingest/kafka: the id of the cluster
)

// Entry is one key of a bucket with its value; a nil Value in Put deletes the key.
type Entry struct {
	Bucket Bucket
	Key    string
	Value  []byte
}

// Store is an open meta.db. Safe for concurrent use.
type Store struct {
	db   *dbsql.DB
	path string
	puts puts
}

// restore is what to do when the file is damaged.
const restore = "move meta.db and the files that begin with its name aside, and put back the last backup; without one start without it: " +
	"topics and sources are found again in the log, and the sources take new snapshots"

// migrations[i] takes a database of user_version i to i+1. Append only.
var migrations = []string{
	`CREATE TABLE kv (bucket TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (bucket, key)) WITHOUT ROWID`,
	// SQLite has no checksums. Null for counters, and for what was written before.
	`ALTER TABLE kv ADD COLUMN sum INTEGER`,
}

// Open opens or makes the database at path, checks it and migrates it. A damaged
// file is a fault with code Damaged; Open never deletes one.
func Open(ctx context.Context, path string) (*Store, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate"
	db, err := dbsql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &Store{db: db, path: path, puts: puts{turn: make(chan struct{}, 1)}}
	if err := s.check(ctx, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Store) check(ctx context.Context, path string) error {
	damaged := func(err error) error {
		return fault.Wrap(err, fault.Damaged, "open "+path, restore)
	}
	var verdict string
	if err := s.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		if fault.Full(err) {
			return fmt.Errorf("open %s: %w", path, err)
		}
		if strings.Contains(err.Error(), "unable to open") || strings.Contains(err.Error(), "readonly") || strings.Contains(err.Error(), "permission") {
			return fault.Wrap(err, fault.Invalid, "open "+path, "check that the data folder can be written by this user")
		}
		return damaged(err)
	}
	if verdict != "ok" {
		return damaged(errors.New(verdict))
	}
	var version int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return damaged(err)
	}
	if version > len(migrations) {
		return fault.Newf(fault.Invalid, "start the newer Tarn that wrote it", "%s has version %d, this Tarn knows %d", path, version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		if err := s.migrate(ctx, version); err != nil {
			return fmt.Errorf("migrate %s to version %d: %w", path, version+1, err)
		}
	}
	return nil
}

func (s *Store) migrate(ctx context.Context, version int) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, migrations[version]); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1)); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Get returns a value, or ErrNotFound.
func (s *Store) Get(ctx context.Context, b Bucket, key string) ([]byte, error) {
	var v []byte
	var sum dbsql.NullInt64
	err := s.db.QueryRowContext(ctx, "SELECT value, sum FROM kv WHERE bucket=? AND key=?", string(b), key).Scan(&v, &sum)
	if errors.Is(err, dbsql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", b, key, err)
	}
	if err := s.verify(Entry{b, key, v}, sum); err != nil {
		return nil, err
	}
	return v, nil
}

// sum is a checksum of an entry.
func (e *Entry) sum() int64 {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, part := range [][]byte{[]byte(e.Bucket), {0}, []byte(e.Key), {0}, e.Value} {
		_, _ = h.Write(part) // never fails
	}
	return int64(h.Sum32())
}

// verify tells whether an entry is what was written.
func (s *Store) verify(e Entry, sum dbsql.NullInt64) error {
	if !sum.Valid || sum.Int64 == e.sum() {
		return nil
	}
	return fault.Newf(fault.Damaged, restore, "%s is damaged: %s/%s is not what was written", s.path, e.Bucket, e.Key)
}

// List returns the entries of a bucket in key order.
func (s *Store) List(ctx context.Context, b Bucket) ([]Entry, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT key, value, sum FROM kv WHERE bucket=? ORDER BY key", string(b))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", b, err)
	}
	defer func() { _ = rows.Close() }()
	var out []Entry
	for rows.Next() {
		e := Entry{Bucket: b}
		var sum dbsql.NullInt64
		if err := rows.Scan(&e.Key, &e.Value, &sum); err != nil {
			return nil, err
		}
		if err := s.verify(e, sum); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Next returns the next number of a counter, from 1. A number is never given twice,
// also after a crash.
func (s *Store) Next(ctx context.Context, counter string) (int64, error) {
	return s.NextFrom(ctx, counter, 1)
}

// NextFrom is Next, at least: the numbers below are never given.
func (s *Store) NextFrom(ctx context.Context, counter string, least int64) (int64, error) {
	var n int64
	err := s.db.QueryRowContext(ctx,
		"INSERT INTO kv VALUES (?,?,?,NULL) ON CONFLICT DO UPDATE SET value=max(value+1, excluded.value) RETURNING value", string(IDs), counter, least).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("next of %s: %w", counter, err)
	}
	return n, nil
}
