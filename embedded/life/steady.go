package life

import "time"

// Steady is time that does not jump ahead. A clock that somebody sets while Tarn runs must not
// make anything look old: what is old is expired or removed.
type Steady struct {
	clock   Clock
	opened  time.Time            // by the clock
	elapsed func() time.Duration // since then, whatever the clock was set to
}

// NewSteady begins to count. A clock that has Elapsed counts for itself, as one of a test does.
func NewSteady(clock Clock) Steady {
	s := Steady{clock: clock, opened: clock.Now().Round(0)}
	if own, ok := clock.(interface{ Elapsed() time.Duration }); ok {
		began := own.Elapsed()
		s.elapsed = func() time.Duration { return own.Elapsed() - began }
		return s
	}
	began := time.Now()
	s.elapsed = func() time.Duration { return time.Since(began) }
	return s
}

// Elapsed is the time since NewSteady.
func (s Steady) Elapsed() time.Duration { return s.elapsed() }

// Now is the lesser of what the clock says and what it said at the start with the time since then.
func (s Steady) Now() time.Time {
	now, counted := s.clock.Now().Round(0), s.opened.Add(s.elapsed())
	if counted.Before(now) {
		return counted
	}
	return now
}
