//go:build duckdb_arrow

package iceberg

import (
	"time"

	"tarn/embedded/life"
)

// steady is time that does not jump ahead. A clock that somebody sets, or that was wrong when the
// machine started, must not make anything look old: what is old is expired or removed.
type steady struct {
	clock   life.Clock
	opened  time.Time            // by the clock
	elapsed func() time.Duration // since then, whatever the clock was set to
}

// newSteady begins to count. A clock that has Elapsed counts for itself, as one of a test does.
func newSteady(clock life.Clock) steady {
	s := steady{clock: clock, opened: clock.Now().Round(0)}
	if own, ok := clock.(interface{ Elapsed() time.Duration }); ok {
		began := own.Elapsed()
		s.elapsed = func() time.Duration { return own.Elapsed() - began }
		return s
	}
	began := time.Now()
	s.elapsed = func() time.Duration { return time.Since(began) }
	return s
}

// now is the lesser of what the clock says and what it said at the start with the time since then.
func (s steady) now() time.Time {
	now, counted := s.clock.Now().Round(0), s.opened.Add(s.elapsed())
	if counted.Before(now) {
		return counted
	}
	return now
}
