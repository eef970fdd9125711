package sampledata

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"
)

// DefaultSpeed is how many times as fast as ours the port's clock runs: four steps a second.
const DefaultSpeed = 60

// Options of Run; the zero value is the port without sensors, for as long as ctx lasts.
type Options struct {
	Seed   uint64        // DefaultSeed where 0
	Speed  float64       // of the port's clock; DefaultSpeed where 0
	Steps  int           // steps after which Run returns; 0 means until ctx ends
	Faults Faults        // that are on, beside those that the folder's file switches
	Tarn   func() string // the base URL that sensors are posted to, "" while there is none; nil posts nothing
	Truth  *Truth        // keeps book of what happens
	Log    *slog.Logger  // nothing is logged where nil
}

// Run is the port at work: until ctx ends it writes to the database, the log and the folder
// of manifests under dir, which Prepare has made, and posts what sensors read. What happens
// depends on the seed, the switches and what is in the database, not on the time of day, so it goes on where
// it stopped. A database that somebody else keeps busy is tried again for as long
// as it takes. It returns nil when ctx ends.
func Run(ctx context.Context, dir string, o Options) (err error) {
	o = o.withDefaults()
	path := filepath.Join(dir, DatabaseName)
	db, err := open(path, "rw")
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := site{dir: dir, db: db, o: o}
	if s.world, err = s.open(ctx); err == nil {
		err = s.work(ctx)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("write to %s: %w", path, err)
	}
	return nil // the end of ctx is how the port stops
}

// site is a port that runs.
type site struct {
	dir   string
	db    *dbsql.DB
	world *world
	o     Options
}

func (s *site) open(ctx context.Context) (*world, error) {
	if s.o.Truth != nil {
		return s.o.Truth.world, nil
	}
	var w *world
	err := s.patiently(ctx, func() (err error) {
		w, err = load(ctx, s.db, s.o.Seed)
		return err
	})
	if err != nil && !mayPass(err) {
		return nil, fmt.Errorf("the database is not one that this sample has made; move %s away: %w", s.dir, err)
	}
	return w, err
}

func (s *site) work(ctx context.Context) error {
	var post func(context.Context, []reading) error
	if s.o.Tarn != nil {
		g := newGateway(s.o.Tarn, s.o.Log)
		done := make(chan struct{})
		go func() { defer close(done); g.run(ctx) }()
		defer func() { close(g.queue); <-done }()
		post = g.put
	}
	pace := time.NewTicker(max(1, time.Duration(float64(stepTime)/s.o.Speed)))
	defer pace.Stop()
	for done := 0; s.o.Steps == 0 || done < s.o.Steps; done++ {
		if err := s.step(ctx, post); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pace.C:
		}
	}
	return nil
}

// step lets each system have what happened in a step, the database first.
func (s *site) step(ctx context.Context, post func(context.Context, []reading) error) error {
	switched, err := readFaults(s.dir)
	if err != nil {
		return err
	}
	s.world.faults = append(switched, s.o.Faults...)
	h := s.world.advance()
	if err := s.record(ctx, h); err != nil {
		if !isStrange(err) || s.o.Truth != nil {
			return err
		}
		s.o.Log.Info("somebody has changed the sample's database: it is read anew", "error", err)
		if s.world, err = s.open(ctx); err != nil {
			return err
		}
		s.world.step = h.step // which is passed over
		return s.record(ctx, happened{step: h.step})
	}
	if s.o.Truth != nil {
		s.o.Truth.see(h, post != nil)
	}
	if err := h.write(s.dir); err != nil {
		if s.o.Truth != nil {
			return err
		}
		s.o.Log.Warn("the port's files take no writes", "error", err) // what a gate had to say is lost, as anywhere
	}
	for _, readings := range h.posts {
		if post != nil {
			if err := post(ctx, readings); err != nil {
				return err
			}
		}
	}
	return nil
}

// record is one transaction.
func (s *site) record(ctx context.Context, h happened) error {
	return s.patiently(ctx, func() error {
		return inTx(ctx, s.db, func(tx *dbsql.Tx) error { return h.record(ctx, tx) })
	})
}

// patiently tries again while others hold the database or the disk takes no writes.
func (s *site) patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || !mayPass(err) {
			return err
		}
		s.o.Log.Debug("sample database is busy, or takes no writes", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryAfter):
		}
	}
}

func (o Options) withDefaults() Options {
	if o.Seed == 0 {
		o.Seed = DefaultSeed
	}
	if o.Speed <= 0 {
		o.Speed = DefaultSpeed
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
