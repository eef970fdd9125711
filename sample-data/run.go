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

// stepPatiently is one transaction, tried again while others hold the database.
func stepPatiently(ctx context.Context, db *dbsql.DB, o Options) error {
	for {
		err := inTx(ctx, db, func(tx *dbsql.Tx) error { return step(ctx, tx, o.Seed) })
		if err == nil || !isBusy(err) {
			return err
		}
		o.Log.Debug("sample database is busy", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

func isBusy(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	const primaryCode = 0xff // the rest of a code is detail
	code := e.Code() & primaryCode
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}
