package sampledata

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

const (
	yardAtFirst = 300  // containers of each terminal on the first morning
	keepLeft    = 1500 // containers kept after they left
	keepHolds   = 300  // holds kept after they were lifted
	forgetEvery = 40   // steps
)

// The ways of a container through the port.
const (
	byImport        = "import"        // from a vessel to a truck
	byExport        = "export"        // from a truck to a vessel
	byTransshipment = "transshipment" // from a vessel to another: most of them, for this is the strait
)

// container is one box while it is in the port, and for a while afterwards.
type container struct {
	no, isoType string // ISO 6346, with its check digit; ISO 6346's size and type
	tareKg      int64
	setpoint    degrees // of a refrigerated one
	way, port   string
	inAt        string
	outAt       text // while it is in the yard: null
	seal        text // since the terminal's software has the column
}

var containerColumns = []string{"no", "iso_type", "tare_kg", "setpoint_c", "way", "port", "in_at", "out_at"}

const sealColumn = "seal"

func (c *container) fields() []any {
	return []any{&c.no, &c.isoType, &c.tareKg, &c.setpoint, &c.way, &c.port, &c.inAt, &c.outAt, &c.seal}
}

// hold is what customs put on a container: nobody fetches it until it is released.
type hold struct {
	id                int64
	container, reason string
	placedAt          string
	releasedAt        text
}

var holdColumns = []string{"id", "container", "reason", "placed_at", "released_at"}

func (h *hold) fields() []any {
	return []any{&h.id, &h.container, &h.reason, &h.placedAt, &h.releasedAt}
}

// draw is the number of a container that is not in the port.
func (w *world) draw() string {
	for {
		no := drawContainer(w.rng)
		if w.containers.find(func(c *container) bool { return c.no == no }) == nil {
			return no
		}
	}
}

// store puts a container into the yard.
func (w *world) store(no, way, port string, at time.Time) *container {
	kinds := []struct {
		isoType  string
		tareKg   int64
		setpoint degrees
	}{
		{"22G1", 2230, degrees{}},
		{"42G1", 3740, degrees{}},
		{"45G1", 3900, degrees{}},
		{"22T1", 3600, degrees{}},
		{"45R1", 4640, degrees{-18, true}},
		{"45R1", 4640, degrees{2, true}},
	}
	kind := kinds[w.rng.IntN(4)]
	if w.chance(0.04) {
		kind = kinds[4+w.rng.IntN(2)]
	}
	c := &container{no: no, isoType: kind.isoType, tareKg: kind.tareKg, setpoint: kind.setpoint, way: way, port: port, inAt: stamp(at)}
	if w.sealed() {
		c.seal = text("S" + strconv.Itoa(1_000_000+w.rng.IntN(9_000_000)))
	}
	w.containers.add(c)
	return c
}

// land is what becomes of a container that came off a vessel.
func (w *world) land(no, port string, at time.Time) {
	way := byTransshipment
	if w.chance(0.15) {
		way = byImport
	}
	w.store(no, way, port, at)
}

// loadable is the container that waits longest for a vessel.
func (w *world) loadable(port string) *container {
	return w.containers.find(func(c *container) bool { return c.outAt == "" && c.port == port && c.way != byImport })
}

// collectable is the container that waits longest for a truck, and may leave.
func (w *world) collectable(port string) *container {
	return w.containers.find(func(c *container) bool {
		return c.outAt == "" && c.port == port && c.way == byImport && w.since(c.inAt) > 30*time.Minute && w.openHold(c.no) == nil
	})
}

// openHold is the hold on a container, nil for none.
func (w *world) openHold(no string) *hold {
	return w.holds.find(func(h *hold) bool { return h.container == no && h.releasedAt == "" })
}

// inspect lets customs choose among the imports.
func (w *world) inspect() {
	if !w.chance(0.03) {
		return
	}
	c := w.containers.find(func(c *container) bool { return c.outAt == "" && c.way == byImport && w.openHold(c.no) == nil })
	if c == nil {
		return
	}
	reasons := []string{"scan", "papers", "phytosanitary", "random"}
	w.holds.add(&hold{id: w.holds.next(), container: c.no, reason: reasons[w.rng.IntN(len(reasons))], placedAt: stamp(w.now)})
}

// release ends holds, after an hour at the earliest.
func (w *world) release() {
	for _, h := range w.holds.rows {
		if h.releasedAt == "" && w.since(h.placedAt) > time.Hour && w.chance(0.01) {
			w.holds.set(h, func() { h.releasedAt = text(stamp(w.now)) })
		}
	}
}

// fillYard is what lay there before the first morning.
func (w *world) fillYard() {
	for _, t := range terminals {
		for range yardAtFirst {
			at := w.now.Add(-time.Duration(w.rng.Int64N(int64(24 * time.Hour)))).Truncate(time.Millisecond)
			w.land(w.draw(), t.port, at)
		}
	}
}

// sealed tells whether the terminal's software knows seals.
func (w *world) sealed() bool { return len(w.containers.columns) > len(containerColumns) }

func (w *world) seal() {
	w.knowSeals()
	w.out.alter = fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s TEXT", w.containers.name, sealColumn)
}

func (w *world) knowSeals() {
	w.containers.columns = append(slices.Clip(containerColumns), sealColumn)
}

// forget removes the oldest of what is over, so that the database stays small for as long as the sample runs.
func (w *world) forget() {
	if w.step%forgetEvery != 0 {
		return
	}
	over := w.calls.count(func(c *call) bool { return c.status == departed }) - keepDeparted
	for ; over > 0; over-- {
		var oldest *call
		for _, c := range w.calls.rows {
			if c.status == departed && (oldest == nil || c.departedAt < oldest.departedAt) {
				oldest = c
			}
		}
		w.moves.remove(func(m *move) bool { return m.callID == oldest.id })
		w.calls.remove(func(c *call) bool { return c == oldest })
		delete(w.lifted, oldest.id)
	}
	forgetFirst(w.visits, keepVisits, func(v *visit) bool { return v.outAt != "" })
	forgetFirst(w.holds, keepHolds, func(h *hold) bool { return h.releasedAt != "" })
	forgetFirst(w.containers, keepLeft, func(c *container) bool { return c.outAt != "" })
}

// forgetFirst removes the first of the rows that are over, but for the last keep.
func forgetFirst[E entity](t *table[E], keep int, over func(E) bool) {
	surplus := t.count(over) - keep
	t.remove(func(e E) bool {
		gone := surplus > 0 && over(e)
		if gone {
			surplus--
		}
		return gone
	})
}
