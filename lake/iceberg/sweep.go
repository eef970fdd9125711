//go:build duckdb_arrow

package iceberg

import (
	"context"
	dbsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// When a file goes.
//
// What counts is how long nothing has named a file, as sweeps saw it, and not how old it is: its age says
// nothing of a table that was dropped and made again, of files that were put back from a backup, or
// of a snapshot that was kept for a year and expired a minute ago. The time is that for which
// the house ran between sweeps, at most stepMax from one to the next: no clock that jumps makes it
// longer, it goes on after a restart, and whatever happens to a file in grace, several sweeps have looked.
//
//   - A file of ours, which its table has named and which was expired or written anew, goes after grace: a slow
//     reader of another engine may still read it.
//   - A file that we never saw named goes after strayGrace: somebody's transaction may be open over a
//     weekend. Left over by a crash, or by a table that was dropped, it does not matter how late it goes.
//   - Nothing goes while any table cannot be read, for it may name any file; nor what a lease needs.
//
// Just before they go, all tables that have moved are read once more, and nobody can commit until the files
// are gone.
const (
	grace       = time.Hour
	strayGrace  = 72 * time.Hour
	stepMax     = 15 * time.Minute
	sweptMax    = 100_000 // files that one sweep removes; forty tables with a commit each second leave some 70,000
	removeBatch = 64      // files under one hold of the catalog's lock
	recordedMax = 100_000 // files of a table that are waited for; others follow when they are gone
	madeMax     = 1 << 20 // names of our commits' files that are kept from one sweep to the next
)

// sweeper is what one sweep leaves to the next.
type sweeper struct {
	turn      chan struct{} // one sweep at a time
	looked    time.Duration // steady.Elapsed at the last look; whoever has the turn
	seen      *names        // by that look; nil before the first
	manifests atomic.Pointer[manifests]
	live      inFlight

	mu      sync.Mutex                     // guards what follows
	made    map[string]map[uint64]struct{} // by a table's uuid, the files of its commits since the last look
	madeAll int
	broken  map[table.Ident]error // what the last sweep told as damaged
	unread  string                // what it could not read, "" for nothing
}

func newSweeper() *sweeper {
	s := &sweeper{turn: make(chan struct{}, 1), live: inFlight{files: map[uint64]bool{}}, made: map[string]map[uint64]struct{}{}, broken: map[table.Ident]error{}}
	s.manifests.Store(newManifests())
	return s
}

// wrote notes the files of a commit that is on disk: the table has named them, even if the next
// sweep does not see that any more.
func (s *sweeper) wrote(uuid string, paths []string) {
	defer s.live.end(paths) // after they are noted
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.madeAll += len(paths); s.madeAll > madeMax {
		return // they wait longer
	}
	if s.made[uuid] == nil {
		s.made[uuid] = map[uint64]struct{}{}
	}
	for _, p := range paths {
		s.made[uuid][hash(filepath.Base(p))] = struct{}{}
	}
}

// inFlight are the files that commits of this process have written and not named yet: a compaction may
// take hours. What a commit leaves in doubt stays among them until the next start.
type inFlight struct {
	mu    sync.Mutex
	files map[uint64]bool
}

func (f *inFlight) begin(path string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[hash(filepath.Base(path))] = true
}

func (f *inFlight) end(paths []string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range paths {
		delete(f.files, hash(filepath.Base(p)))
	}
}

func (f *inFlight) has(key uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files[key]
}

// hindered is something that the last sweep could not read, for which nothing is removed; "" for nothing.
func (s *sweeper) hindered() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unread
}

// takeMade hands over the files of commits since the last call.
func (s *sweeper) takeMade() map[string]map[uint64]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.made
	s.made, s.madeAll = map[string]map[uint64]struct{}{}, 0
	return made
}

// Sweep looks at all tables' folders once and removes what has been unnamed for long enough. It is to be called
// soon after the start and every few minutes from then on: time counts from one call to the next, up
// to a quarter of an hour. It takes a quarter of one core at most. Orders to remove orphans wait
// for it, and it for them.
func (s *Store) Sweep(ctx context.Context) error {
	_, err := s.sweep(ctx, sweeping{pause: true, auto: true})
	return err
}

// removeOrphans is a sweep of all tables that removes files of one.
func (s *Store) removeOrphans(ctx context.Context, id table.Ident, o catalog.Order) (catalog.Done, error) {
	_, st, err := s.find(ctx, id)
	if err != nil {
		return catalog.Done{}, err
	}
	if _, ours := s.folderOf(id, st.meta); !ours {
		return catalog.Done{}, fault.New(fault.Invalid, "remove orphan files of "+id.String(),
			"Tarn removes files of unpartitioned tables in folders of its own: let the engine that made this one do it")
	}
	return s.sweep(ctx, sweeping{only: id, retention: o.Retention, dry: o.DryRun})
}

// sweeping is one sweep.
type sweeping struct {
	auto      bool        // all tables, at the usual ages
	only      table.Ident // else files of this one are removed
	retention time.Duration
	dry       bool // nothing is removed, or recorded
	pause     bool

	store  *Store
	names  *names
	steady bool          // since the last look no table was dropped, or put back to an older state
	ran    time.Duration // how long the house has run
	made   map[string]map[uint64]struct{}
	due    []doomed
}

// doomed is a file that may go.
type doomed struct {
	stray
	dir, folder string
}

func (s *Store) sweep(ctx context.Context, w sweeping) (done catalog.Done, err error) {
	select {
	case s.sweeper.turn <- struct{}{}:
		defer func() { <-s.sweeper.turn }()
	case <-ctx.Done():
		return done, ctx.Err()
	}
	w.store = s
	if w.names, err = s.collect(ctx, w.pause); err != nil {
		return done, fmt.Errorf("sweep: %w", err)
	}
	defer w.names.done()
	if err := w.names.catchUp(ctx, s.pointer.reader); err != nil {
		return done, fmt.Errorf("sweep: %w", err)
	}
	s.tellBroken(w.names)
	if err := w.names.whole(); err != nil {
		if w.auto {
			return done, nil // told as damage of the table
		}
		return done, err
	}
	if !w.dry {
		w.made = s.sweeper.takeMade()
	}
	w.steady = w.names.follows(s.sweeper.seen)
	if err := w.look(ctx); err != nil {
		return done, fmt.Errorf("sweep: %w", err)
	}
	return w.remove(ctx)
}

// follows tells whether all tables that were there are there still, by whatever name, and none at an older
// state. With nil there was none.
func (n *names) follows(seen *names) bool {
	if seen == nil {
		return true
	}
	type known struct{ catalog, uuid string }
	renamed := map[known]int64{}
	for key, uuid := range n.uuids {
		if seen.uuids[key] != uuid {
			renamed[known{key.catalog, uuid}] = n.last[key]
		}
	}
	for key, uuid := range seen.uuids {
		last, there := n.last[key], n.uuids[key] == uuid
		if !there {
			last, there = renamed[known{key.catalog, uuid}]
		}
		if !there || last < seen.last[key] {
			return false
		}
	}
	return true
}

// whole is why nothing may be removed; nil if all names are known.
func (n *names) whole() error {
	for key, err := range n.broken {
		return fault.Wrap(err, fault.Damaged, "no file is removed as long as "+key.String()+" cannot be read, for it may need it",
			"put that table's files back from a backup, or drop it")
	}
	return nil
}

// tellBroken reports the tables that the sweep could not read, and takes back what it reported before.
func (s *Store) tellBroken(n *names) {
	now := map[table.Ident]error{}
	for key, err := range n.broken {
		if key.catalog == CatalogName {
			now[key.Ident] = fault.Wrap(err, fault.Damaged, "read all snapshots of "+key.String(),
				"put the table's folder back from a backup, or drop the table; until then no orphan file of any table is removed")
		}
	}
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()
	before := s.sweeper.broken
	s.sweeper.broken, s.sweeper.unread = now, ""
	for key := range n.broken {
		s.sweeper.unread = key.String()
	}
	damaged := s.Damaged()
	for id, err := range before {
		if now[id] == nil && damaged[id] == err { //nolint:errorlint // the very same one
			s.setDamage(id, nil)
		}
	}
	for id, err := range now {
		if damaged[id] == nil || damaged[id] == before[id] { //nolint:errorlint // as above
			s.setDamage(id, err)
		}
	}
}

// look compares the folders with the record, and brings it up to date.
func (w *sweeping) look(ctx context.Context) error {
	s := w.store
	ran, err := s.pointer.ran(ctx)
	if err != nil {
		return err
	}
	now := s.steady.Elapsed()
	w.ran = ran + min(now-s.sweeper.looked, stepMax)
	folders := map[string]bool{}
	for key, dir := range w.names.dirs {
		if w.dry && key.Ident != w.only {
			continue
		}
		folder := s.folderName(dir)
		folders[folder] = true
		began := s.steady.Elapsed()
		if err := w.folder(ctx, key, dir, folder); err != nil {
			return err
		}
		if w.pause {
			rest(ctx, restShare*(s.steady.Elapsed()-began))
		}
	}
	if w.dry {
		return nil
	}
	left, err := w.dropped(ctx)
	if err != nil {
		return err
	}
	for _, folder := range left {
		folders[folder] = true
	}
	if err := s.pointer.forget(ctx, folders); err != nil {
		return err
	}
	s.sweeper.looked, s.sweeper.seen = now, w.names
	return s.pointer.setRan(ctx, w.ran)
}

// folder looks at one table's folder.
func (w *sweeping) folder(ctx context.Context, key tableKey, dir, folder string) error {
	s := w.store
	before, err := s.pointer.unnamed(ctx, folder)
	if err != nil {
		return err
	}
	recorded := len(before)
	fresh := map[string]unnamed{}
	err = strays(ctx, dir, w.names, func(f stray) error {
		u, known := before[f.path]
		delete(before, f.path)
		if known && u.bytes == f.bytes && u.mtime == f.mtime && !w.madeSince(key, f) {
			if w.ripe(u, f) && (w.auto || key.Ident == w.only) && len(w.due) < sweptMax {
				w.due = append(w.due, doomed{f, dir, folder})
			}
			return nil
		}
		if known || recorded < recordedMax {
			fresh[f.path] = unnamed{since: w.ran, ours: w.named(key, f), bytes: f.bytes, mtime: f.mtime}
			recorded++
		}
		return nil
	})
	if err != nil || w.dry {
		return err
	}
	gone := make([]string, 0, len(before)) // or named again
	for path := range before {
		gone = append(gone, path)
	}
	return s.pointer.record(ctx, folder, fresh, gone)
}

// ripe tells whether a file has been unnamed for long enough. An order with an age is somebody's word that
// no transaction is open for longer: then the file's own age counts too, but for the grace.
func (w *sweeping) ripe(u unnamed, f stray) bool {
	age := w.ran - u.since
	switch {
	case age < grace:
		return false
	case w.retention > 0:
		return age >= w.retention || w.store.steady.Now().Sub(f.changed) >= w.retention
	}
	return u.ours || age >= strayGrace
}

func (w *sweeping) madeSince(key tableKey, f stray) bool {
	_, made := w.made[w.names.uuids[key]][hash(filepath.Base(f.path))]
	return made
}

// named tells whether the folder's table named a file before: a commit of ours made it, or the last look
// saw it named. After a table was dropped, or put back, that does not count: it may be taken back, by
// registering the newer metadata again.
func (w *sweeping) named(key tableKey, f stray) bool {
	seen := w.store.sweeper.seen
	return w.steady && (w.madeSince(key, f) || seen != nil && seen.knew(w.names.uuids[key]) && seen.has(filepath.Base(f.path)))
}

// knew tells whether there was a table, by its uuid.
func (n *names) knew(uuid string) bool {
	for _, known := range n.uuids {
		if known == uuid {
			return true
		}
	}
	return false
}

// remove removes what is due, a few files at a time under the catalog's lock.
func (w *sweeping) remove(ctx context.Context) (done catalog.Done, err error) {
	s := w.store
	defer func() {
		if !w.dry {
			s.metrics.swept.Add(float64(done.FilesRemoved))
			s.metrics.sweptBytes.Add(float64(done.BytesRemoved))
		}
	}()
	var errs error
	for len(w.due) > 0 && ctx.Err() == nil && errs == nil {
		some := w.due[:min(removeBatch, len(w.due))]
		w.due = w.due[len(some):]
		if w.dry {
			for _, f := range some {
				w.tell(&done, f)
			}
			continue
		}
		began := s.steady.Elapsed()
		if err := w.names.catchUp(ctx, s.pointer.reader); err != nil { // most of it before the lock
			return done, err
		}
		err := s.pointer.write(ctx, func(tx *dbsql.Tx) error {
			if err := w.names.catchUp(ctx, tx); err != nil {
				return err
			}
			if err := w.names.whole(); err != nil {
				return err
			}
			for _, f := range some {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				removed, err := w.removeOne(ctx, tx, f)
				errs = errors.Join(errs, err)
				if removed {
					w.tell(&done, f)
				}
			}
			return nil
		})
		errs = errors.Join(errs, err)
		if w.pause {
			rest(ctx, restShare*(s.steady.Elapsed()-began))
		}
	}
	if done.FilesRemoved > 0 && w.auto {
		s.Log.Info("orphan files removed", "files", done.FilesRemoved, "bytes", done.BytesRemoved)
	}
	return done, errors.Join(errs, ctx.Err())
}

func (w *sweeping) removeOne(ctx context.Context, tx *dbsql.Tx, f doomed) (bool, error) {
	if w.names.has(filepath.Base(f.path)) {
		return false, nil
	}
	if now, is, err := strayAt(f.dir, f.path); err != nil || !is || now != f.stray {
		return false, err
	}
	if err := w.store.Disk.Remove(filepath.Join(f.dir, f.path)); err != nil {
		return false, fmt.Errorf("remove orphan: %w", err)
	}
	fault.Point("lake.removed")
	_, err := tx.ExecContext(ctx, "DELETE FROM tarn_unnamed WHERE folder=? AND path=?", f.folder, f.path)
	return true, err
}

func (w *sweeping) tell(done *catalog.Done, f doomed) {
	done.FilesRemoved++
	done.BytesRemoved += f.bytes
	if len(done.Paths) < catalog.PathsMax {
		done.Paths = append(done.Paths, filepath.Join(f.dir, f.path))
	}
}
