package sampledata

import (
	"maps"
	"slices"
	"time"
)

// mark is how far the time of a topic has come: nothing earlier is waited for.
type mark struct {
	delay   time.Duration
	highest time.Time
}

func (m *mark) move(at time.Time) {
	if at.After(m.highest) {
		m.highest = at
	}
}

func (m *mark) passed(t time.Time) bool {
	return !m.highest.IsZero() && !t.After(m.highest.Add(-m.delay))
}

// windows hold what was seen in each window of a size, by key.
type windows[W any] struct {
	size time.Duration
	at   map[window]*W
}

type window struct {
	begin time.Time
	key   string
}

// of is the window of a time, or nil where that was closed before.
func (s *windows[W]) of(at time.Time, key string, m mark) *W {
	begin := at.Truncate(s.size)
	if m.passed(begin.Add(s.size)) {
		return nil
	}
	if s.at == nil {
		s.at = map[window]*W{}
	}
	w := window{begin, key}
	if s.at[w] == nil {
		s.at[w] = new(W)
	}
	return s.at[w]
}

// closed are lines of those that are closed.
func (s *windows[W]) closed(m mark, line func(window, *W) string) (rows []string) {
	for w, of := range s.at {
		if m.passed(w.begin.Add(s.size)) {
			if text := line(w, of); text != "" {
				rows = append(rows, text)
			}
		}
	}
	return rows
}

type set map[string]bool

func (s *set) add(one string) {
	if *s == nil {
		*s = set{}
	}
	(*s)[one] = true
}

type liftWindow struct {
	readings      int
	lifts, cranes set
}

type windWindow struct{ strongest float64 }

type reeferWindow struct {
	seen              bool
	warmest, setpoint float64
}

func (w *reeferWindow) note(value, setpoint float64) {
	if !w.seen || value > w.warmest {
		w.warmest = value
	}
	w.seen, w.setpoint = true, setpoint
}

type trafficWindow struct {
	read, refused int
	trucks        set
}

type expectedDay struct{ containers, teu, weightKg, dangerous int64 }

// gold is what people read: names, columns and rows.
func (t *Truth) gold() []Figure {
	lifts := t.lifts.closed(t.sensors, func(w window, l *liftWindow) string {
		return Line(w.key, w.begin, len(l.lifts), len(l.cranes), l.readings)
	})
	wind := t.wind.closed(t.sensors, func(w window, one *windWindow) string {
		return Line(w.key, w.begin, one.strongest, one.strongest > windMax)
	})
	reefers := t.reefers.closed(t.sensors, func(w window, r *reeferWindow) string {
		if r.warmest <= r.setpoint+3 {
			return ""
		}
		return Line(w.key, w.begin, r.warmest, r.setpoint)
	})
	traffic := t.traffic.closed(t.gate, func(w window, g *trafficWindow) string {
		return Line(w.key, w.begin, g.read, len(g.trucks), g.refused)
	})
	var expected []string
	for _, day := range slices.Sorted(maps.Keys(t.expected)) {
		e := t.expected[day]
		expected = append(expected, Line(day, e.containers, e.teu, e.weightKg, e.dangerous))
	}
	return []Figure{
		{"crane_moves_per_minute", "port, minute, moves, cranes, readings", lifts},
		{"wind", "port, mast, since, strongest_kmh, stop", wind},
		{"reefer_alarms", "container, port, since, warmest, setpoint", reefers},
		{"gate_traffic", "gate, quarter, plates_read, trucks, refused", traffic},
		{"expected", "day, containers, teu, weight_kg, dangerous", expected},
		{"truck_turn_time", "gate, purpose, visits, average_minutes, median_minutes, longest_minutes", t.world.turnTimes()},
		{"dwell_time", "port, way, containers, average_hours, median_hours, longest_hours", t.world.dwellTimes()},
		{"held_containers", "container, reason, since, port, iso_type", t.world.heldContainers()},
		{"berth_productivity", "port, berth, calls, alongside, moves, moves_per_hour", t.world.berthProductivity()},
	}
}
