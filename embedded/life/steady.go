package life

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Steady is time that does not jump ahead. A clock that somebody sets while Tarn runs must not
// make anything look old: what is old is expired or removed.
type Steady struct {
	clock   Clock
	opened  time.Time            // by the clock
	elapsed func() time.Duration // since then, whatever the clock was set to

	boot   string               // names the machine's last start; "" where the system does not tell
	up     func() time.Duration // since that start; negative where the system does not tell
	before time.Duration        // up, when it was opened
}

// NewSteady begins to count. A clock that has Elapsed counts for itself, as one of a test does.
func NewSteady(clock Clock) Steady {
	s := Steady{clock: clock, opened: clock.Now().Round(0)}
	if own, ok := clock.(interface{ Elapsed() time.Duration }); ok {
		s.boot, s.up, s.before = "own", own.Elapsed, own.Elapsed()
		s.elapsed = func() time.Duration { return own.Elapsed() - s.before }
		return s
	}
	began := time.Now()
	s.elapsed = func() time.Duration { return time.Since(began) }
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		s.boot = strings.TrimSpace(string(id))
	}
	s.up, s.before = uptime, uptime()
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

// Stamp is the time to write down what a later Tarn may find old: the greater of what the clock says and Now, which
// stays behind when a clock that was behind at the start has been set right.
func (s Steady) Stamp() time.Time {
	now, steady := s.clock.Now().Round(0), s.Now()
	if steady.After(now) {
		return steady
	}
	return now
}

// Old tells whether what is kept for some time, and was stamped at, is over it. Nothing is before this Tarn has run for
// that time itself: the clock that it was stamped by may have been wrong, or this one may be.
func (s Steady) Old(at time.Time, kept time.Duration) bool {
	return s.Elapsed() >= kept && s.Now().Sub(at) >= kept
}

// Mark names this moment for Age, which no clock can change; "" where the system does not tell the time
// since the machine's start.
func (s Steady) Mark() string {
	up := s.up()
	if s.boot == "" || up < 0 {
		return ""
	}
	return fmt.Sprintf("%s/%d", s.boot, up.Milliseconds())
}

// Age tells how long before the mark now another one was made, by this Tarn or by one before it, and when
// that was by the clock as it was at NewSteady. It is false for one from before the machine's last start.
func (s Steady) Age(mark, now string) (age time.Duration, at time.Time, ok bool) {
	boot, text, _ := strings.Cut(mark, "/")
	last, until, _ := strings.Cut(now, "/")
	from, errFrom := strconv.ParseInt(text, 10, 64)
	to, errTo := strconv.ParseInt(until, 10, 64)
	if errFrom != nil || errTo != nil || boot == "" || boot != last || from > to {
		return 0, time.Time{}, false
	}
	made := time.Duration(from) * time.Millisecond
	return time.Duration(to-from) * time.Millisecond, s.opened.Add(made - s.before), true
}
