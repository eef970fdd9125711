package sampledata

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Truth is the port's own book: what has happened, written down as it happened, in Go and without SQL.
// From it come the right numbers of every layer, which Tarn's are held against. It begins where
// Prepare ends, and takes it that Tarn has read the database once before Run goes on.
type Truth struct {
	world *world

	events   map[string]int // of the topics, by name of the bronze table
	dead     int            // rows and lines that are none
	late     int            // readings that come after their window
	sensors  mark
	gate     mark
	lifts    windows[liftWindow]
	wind     windows[windWindow]
	reefers  windows[reeferWindow]
	traffic  windows[trafficWindow]
	expected map[string]*expectedDay
}

// NewTruth is the book of a port that Prepare has just made.
func NewTruth(seed uint64) (*Truth, error) { return truthAfter(seed, warmUpSteps) }

func truthAfter(seed uint64, steps int) (*Truth, error) {
	w, err := found(seed)
	if err != nil {
		return nil, err
	}
	t := &Truth{
		world: w, events: map[string]int{}, sensors: mark{delay: 30 * time.Second}, gate: mark{delay: 5 * time.Second},
		lifts: windows[liftWindow]{size: time.Minute}, wind: windows[windWindow]{size: 10 * time.Minute},
		reefers: windows[reeferWindow]{size: 10 * time.Minute}, traffic: windows[trafficWindow]{size: 15 * time.Minute},
		expected: map[string]*expectedDay{},
	}
	for range steps {
		h := w.advance()
		t.seeFiles(h)
	}
	for _, c := range w.snapshot().changes {
		t.events[bronzeOf(c.table)]++ // Tarn reads each row that is there
	}
	return t, nil
}

func bronzeOf(table string) string { return "bronze.port_main_" + table }

// see writes down a step that was recorded.
func (t *Truth) see(h happened, posted bool) {
	for _, c := range h.changes {
		t.events[bronzeOf(c.table)]++
		if c.after == nil {
			t.events[bronzeOf(c.table)]++ // the tombstone behind a delete
		}
	}
	if h.alter != "" {
		t.events[bronzeOf(t.world.containers.name)] += len(t.world.containers.rows) // which are read anew
	}
	t.seeFiles(h)
	if !posted {
		return
	}
	for _, post := range h.posts {
		for _, r := range post {
			t.seeReading(r)
		}
	}
}

func (t *Truth) seeFiles(h happened) {
	for _, l := range h.lines {
		t.seeLine(l)
	}
	if m := h.manifest; m != nil {
		t.seeManifest(m)
	}
}

func (t *Truth) seeLine(l gateLine) {
	if l.broken != "" {
		t.dead++
		return
	}
	t.events["bronze.gate"]++
	at := l.at.Truncate(time.Second)
	if w := t.traffic.of(at, l.gate, t.gate); w != nil {
		w.read++
		w.trucks.add(l.truck)
		if l.status == 403 {
			w.refused++
		}
	}
	t.gate.move(at)
}

func (t *Truth) seeReading(r reading) {
	t.events["bronze.sensors"]++
	came := false
	switch r.Kind {
	case "lift":
		if w := t.lifts.of(r.at, r.Port, t.sensors); w != nil {
			came = true
			w.readings++
			w.lifts.add(strconv.FormatInt(r.Lift, 10))
			w.cranes.add(r.ID)
		}
	case "wind":
		if w := t.wind.of(r.at, r.Port+"|"+r.ID, t.sensors); w != nil {
			came = true
			w.strongest = max(w.strongest, r.Value)
		}
	case "reefer":
		if w := t.reefers.of(r.at, r.ID+"|"+r.Port, t.sensors); w != nil {
			came = true
			w.note(r.Value, *r.Setpoint)
		}
	}
	if !came {
		t.late++
	}
	t.sensors.move(r.at)
}

func (t *Truth) seeManifest(m *manifest) {
	if m.broken != "" {
		t.dead++
	}
	day := &expectedDay{}
	for _, r := range m.rows {
		t.events["bronze.manifests"]++
		day.containers++
		day.teu += r.teu
		day.weightKg += r.weightKg
		if r.dangerous {
			day.dangerous++
		}
	}
	t.expected[m.day.Format(time.DateOnly)] = day
}

// Figure is a question that somebody asks of Tarn, with the right answer: its rows as text, in order.
type Figure struct {
	Name  string // the table or view
	Query string
	Rows  []string
}

// Figures are the right numbers of every layer.
func (t *Truth) Figures() []Figure {
	var out []Figure
	add := func(name, columns string, rows []string) {
		slices.Sort(rows)
		out = append(out, Figure{name, "SELECT " + columns + " FROM " + name, rows})
	}
	for name, n := range t.events {
		add(name, "count(*)", []string{strconv.Itoa(n)})
	}
	for _, table := range t.world.tables() {
		name, columns, rows := table.text()
		add("silver."+name, strings.Join(columns, ", "), rows)
	}
	add("system.dead_letter", "count(*)", []string{strconv.Itoa(t.dead)})
	add("system.late", "count(*)", []string{strconv.Itoa(t.late)})
	for _, g := range t.gold() {
		add("gold."+g.Name, g.Query, g.Rows)
	}
	slices.SortFunc(out, func(a, b Figure) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Line is a row as Figure has it: cells parted by bars, numbers in their shortest form.
func Line(cells ...any) string {
	out := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case nil:
			out[i] = "null"
		case float64:
			out[i] = strconv.FormatFloat(c, 'f', -1, 64)
		case degrees:
			out[i] = "null"
			if c.is {
				out[i] = Line(c.celsius)
			}
		case text:
			out[i] = string(c)
			if c == "" {
				out[i] = "null"
			}
		case time.Time:
			out[i] = c.Format(time.RFC3339)
		default:
			out[i] = fmt.Sprint(c)
		}
	}
	return strings.Join(out, "|")
}

// text is the table's rows as Figure has them.
func (t *table[E]) text() (name string, columns, rows []string) {
	for _, e := range t.rows {
		rows = append(rows, Line(t.values(e)...))
	}
	return t.name, t.columns, rows
}
