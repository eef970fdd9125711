package life_test

import (
	"strings"
	"testing"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/peertest"
)

// set is a clock that is set by hand, on a machine that has been up for a while.
type set struct {
	now time.Time
	up  time.Duration
}

func (s *set) Now() time.Time         { return s.now }
func (s *set) Elapsed() time.Duration { return s.up }

func (s *set) pass(d time.Duration) { s.now, s.up = s.now.Add(d), s.up+d }

// TestMarksKnowTheirAge whatever the clock is set to, also in the next Tarn on the machine.
func TestMarksKnowTheirAge(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := &set{noon, 5 * time.Hour}
	s := life.NewSteady(clock)
	clock.pass(10 * time.Minute)
	clock.now = clock.now.Add(-time.Hour)
	mark := s.Mark()
	clock.pass(20 * time.Minute)
	look := func(s life.Steady, opened time.Time) {
		t.Helper()
		if age, at, ok := s.Age(mark, s.Mark()); !ok || age != 20*time.Minute || !at.Equal(opened.Add(10*time.Minute)) {
			t.Errorf("age %s, made at %s, %v", age, at, ok)
		}
	}
	look(s, noon)
	clock.now = noon.Add(30*time.Minute + time.Hour) // an hour ahead
	look(life.NewSteady(clock), noon.Add(time.Hour))
	clock.up = time.Minute // since the machine was started again
	for _, old := range []string{mark, "", "own", "own/", "own/x", "/1", "another" + strings.TrimPrefix(mark, "own")} {
		if _, _, ok := s.Age(old, s.Mark()); ok {
			t.Errorf("the age of %q is known", old)
		}
	}
}

func TestMarksOfTheSystem(t *testing.T) {
	s := life.NewSteady(life.SystemClock{})
	mark := s.Mark()
	if mark == "" {
		peertest.Missing(t, "the system does not tell the time since the machine's start, run this on Linux with /proc mounted")
	}
	age, at, ok := life.NewSteady(life.SystemClock{}).Age(mark, s.Mark())
	if !ok || age < 0 || age > time.Minute || time.Since(at).Abs() > time.Minute {
		t.Errorf("age %s, made at %s, %v", age, at, ok)
	}
}
