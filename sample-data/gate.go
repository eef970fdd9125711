package sampledata

import (
	"fmt"
	"slices"
	"time"
)

const (
	fleet       = 120 // trucks
	keepVisits  = 800 // visits kept after the truck left
	onSiteMax   = 60
	visitAtRest = 15 * time.Minute // the shortest visit
	brokenEvery = 40               // steps between two lines that are none
)

type gate struct {
	id, port string
	lanes    int64
}

var gateColumns = []string{"id", "port", "lanes"}

func (g *gate) fields() []any { return []any{&g.id, &g.port, &g.lanes} }

type truck struct{ plate, haulier string }

var truckColumns = []string{"plate", "haulier"}

func (t *truck) fields() []any { return []any{&t.plate, &t.haulier} }

// visit is a truck's way in and out: it brings a container or fetches one.
type visit struct {
	id                            int64
	truck, gate, purpose, contain string
	inAt                          string
	outAt                         text
}

var visitColumns = []string{"id", "truck", "gate", "purpose", "container", "in_at", "out_at"}

func (v *visit) fields() []any {
	return []any{&v.id, &v.truck, &v.gate, &v.purpose, &v.contain, &v.inAt, &v.outAt}
}

// gateLine is a line of the gates' access log: a camera has read a plate and asked the terminal.
type gateLine struct {
	at               time.Time
	gate, way, truck string
	status, bytes    int
	broken           string // a line that is none
}

func (l gateLine) String() string {
	if l.broken != "" {
		return l.broken
	}
	return fmt.Sprintf(`10.20.0.%d - - [%s] "GET /gates/%s/%s?truck=%s HTTP/1.1" %d %d "-" "anpr/3.2"`,
		10+int(l.gate[len(l.gate)-1]-'0'), l.at.Format("02/Jan/2006:15:04:05 -0700"), l.gate, l.way, l.truck, l.status, l.bytes)
}

// arrive lets a truck in, or not.
func (w *world) arrive() {
	if !w.chance(0.4) {
		return
	}
	g := w.gates.rows[w.rng.IntN(len(w.gates.rows))]
	t := w.trucks.rows[w.rng.IntN(len(w.trucks.rows))]
	onSite := func(v *visit) bool { return v.outAt == "" }
	switch {
	case w.visits.find(func(v *visit) bool { return onSite(v) && v.truck == t.plate }) != nil: // it is there already
	case w.visits.count(onSite) >= onSiteMax || w.chance(0.06):
		w.pass(g, "in", t.plate, 403) // no booking
	default:
		v := &visit{id: w.visits.next(), truck: t.plate, gate: g.id, inAt: stamp(w.now)}
		if c := w.collectable(g.port); c != nil && w.chance(0.5) {
			v.purpose, v.contain = "fetch", c.no
			w.containers.set(c, func() { c.outAt = text(stamp(w.now)) })
		} else {
			v.purpose, v.contain = "bring", w.draw()
			w.store(v.contain, byExport, g.port, w.now)
		}
		w.visits.add(v)
		w.pass(g, "in", t.plate, 200)
	}
}

// leave lets trucks out that are done.
func (w *world) leave() {
	for _, v := range w.visits.rows {
		if v.outAt != "" || w.since(v.inAt) < visitAtRest || !w.chance(0.02) {
			continue
		}
		w.visits.set(v, func() { v.outAt = text(stamp(w.now)) })
		if g := w.gates.find(func(g *gate) bool { return g.id == v.gate }); g != nil {
			w.pass(g, "out", v.truck, 200)
		}
	}
}

// pass writes what a camera read into the gates' log.
func (w *world) pass(g *gate, way, plate string, status int) {
	l := gateLine{at: w.moment(), gate: g.id, way: way, truck: plate, status: status, bytes: 180 + w.rng.IntN(400)}
	at := len(w.out.lines)
	for at > 0 && w.out.lines[at-1].at.After(l.at) {
		at--
	}
	w.out.lines = slices.Insert(w.out.lines, at, l)
}

// smear is what goes wrong with the cameras.
func (w *world) smear() {
	if w.faults.has(Duplicates) {
		var lines []gateLine
		for _, l := range w.out.lines {
			lines = append(lines, l)
			if w.chance(0.05) {
				lines = append(lines, l)
			}
		}
		w.out.lines = lines
	}
	if w.faults.has(PoisonRows) && w.step%brokenEvery == 0 {
		w.out.lines = append(w.out.lines, gateLine{broken: fmt.Sprintf("anpr/3.2: camera %d: no answer", w.step)})
	}
}
