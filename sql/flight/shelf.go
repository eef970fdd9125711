//go:build duckdb_arrow

package flight

import (
	"crypto/rand"
	"sync"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
)

// The bounds of what is kept for clients between two of their calls, which have no connection in common.
const (
	ticketMax     = 5 * time.Minute // for a statement's ticket to be read
	preparedMax   = time.Hour       // for a prepared statement since it was last used
	userMax       = 1000            // of one user, of each kind
	shelfBytesMax = 32 << 20        // of all users, of each kind
	entryBytes    = 1 << 10         // that one takes beside its text
)

// shelf keeps things under handles that nobody can guess, and gives them to their owner alone. Safe for concurrent use.
type shelf[T any] struct {
	keep time.Duration
	now  func() time.Time

	mu      sync.Mutex
	entries map[string]*entry[T]
	users   map[string]int
	bytes   int
}

type entry[T any] struct {
	value T
	user  string
	bytes int
	held  bool // while it runs
	until time.Time
}

func newShelf[T any](keep time.Duration, now func() time.Time) *shelf[T] {
	return &shelf[T]{keep: keep, now: now, entries: map[string]*entry[T]{}, users: map[string]int{}}
}

// put returns the handle of a thing.
func (s *shelf[T]) put(who guard.Principal, value T, bytes int) (string, error) {
	bytes += entryBytes
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+bytes > shelfBytesMax || s.users[who.User] >= userMax {
		s.sweepLocked()
	}
	switch {
	case s.users[who.User] >= userMax:
		return "", fault.Newf(fault.TooLarge, "close prepared statements and read tickets", "there are %d statements of %s already that wait to be run", userMax, who.User)
	case s.bytes+bytes > shelfBytesMax:
		return "", errFull()
	}
	id := rand.Text()
	s.entries[id] = &entry[T]{value: value, user: who.User, bytes: bytes, until: s.now().Add(s.keep)}
	s.users[who.User]++
	s.bytes += bytes
	return id, nil
}

func errFull() error {
	return fault.New(fault.Unavailable, "too many statements wait to be run", "try again in some minutes")
}

// grow counts that a thing has so many bytes more; one that has gone has none.
func (s *shelf[T]) grow(id string, bytes int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+bytes > shelfBytesMax {
		s.sweepLocked()
	}
	e := s.entries[id]
	switch {
	case e == nil:
		return nil
	case bytes > 0 && s.bytes+bytes > shelfBytesMax:
		return errFull()
	}
	e.bytes, s.bytes = e.bytes+bytes, s.bytes+bytes
	return nil
}

// get returns a user's thing, which from now on is kept as long as a new one. hold keeps it until it is dropped, and is
// only for one that nobody holds.
func (s *shelf[T]) get(who guard.Principal, id string, hold bool) (value T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[id]
	if e == nil || e.user != who.User || !e.held && !s.now().Before(e.until) || hold && e.held {
		return value, false
	}
	e.until = s.now().Add(s.keep)
	e.held = e.held || hold
	return e.value, true
}

// drop forgets a handle; one that is not there is none.
func (s *shelf[T]) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(id)
}

func (s *shelf[T]) dropLocked(id string) {
	e := s.entries[id]
	if e == nil {
		return
	}
	delete(s.entries, id)
	s.bytes -= e.bytes
	if s.users[e.user]--; s.users[e.user] == 0 {
		delete(s.users, e.user)
	}
}

func (s *shelf[T]) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
}

func (s *shelf[T]) sweepLocked() {
	now := s.now()
	for id, e := range s.entries {
		if !e.held && !now.Before(e.until) {
			s.dropLocked(id)
		}
	}
}
