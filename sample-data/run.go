package sampledata

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DefaultEvery is the pace of Run: four transactions a second. As each one is
// stepTime of the port's own time, its clock runs sixty times as fast as ours.
const DefaultEvery = 250 * time.Millisecond

// retryAfter is the wait after a busy database, on top of busyMillis.
const retryAfter = 100 * time.Millisecond

// Options of Run; the zero value is the sample as `tarn up --sample` runs it.
type Options struct {
	Seed  uint64        // DefaultSeed where 0
	Every time.Duration // from one transaction to the next; DefaultEvery where 0
	Steps int           // transactions after which Run returns; 0 means until ctx ends
	Log   *slog.Logger  // nothing is logged where nil
}

// Run is the application: until ctx ends it writes to the database at dbPath, which
// Prepare has made, through a connection of its own. What it writes depends on the
// seed and on what is in the database, not on the time of day, so it goes on where
// it stopped. A database that somebody else keeps busy is tried again for as long
// as it takes. It returns nil when ctx ends.
func Run(ctx context.Context, dbPath string, o Options) (err error) {
	o = o.withDefaults()
	db, err := open(dbPath, "rw")
	if err != nil {
		return fmt.Errorf("open %s: %w", dbPath, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	pace := time.NewTicker(o.Every)
	defer pace.Stop()
	for done := 0; o.Steps == 0 || done < o.Steps; done++ {
		if err := stepPatiently(ctx, db, o); err != nil {
			if ctx.Err() != nil {
				return nil // the end of ctx is how the application stops
			}
			return fmt.Errorf("write to %s: %w", dbPath, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Seed == 0 {
		o.Seed = DefaultSeed
	}
	if o.Every <= 0 {
		o.Every = DefaultEvery
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// stepPatiently is one transaction, tried again while others hold the database or the disk takes no writes.
func stepPatiently(ctx context.Context, db *dbsql.DB, o Options) error {
	for {
		err := inTx(ctx, db, func(tx *dbsql.Tx) error { return step(ctx, tx, o.Seed) })
		if err == nil || !mayPass(err) {
			return err
		}
		o.Log.Debug("sample database takes no writes", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

// mayPass tells whether a later try may succeed.
func mayPass(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	const primaryCode = 0xff // the rest of a code is detail
	code := e.Code() & primaryCode
	switch code {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, // by others
		sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR: // a disk that takes no writes
		return true
	}
	return false
}
