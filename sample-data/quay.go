package sampledata

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A crane lifts some 28 containers an hour.
const (
	timePerLift  = 128 * time.Second
	expectedMax  = 10 // calls planned ahead
	keepDeparted = 40 // calls kept after departure, with their moves
)

type terminal struct {
	port   string
	berths []string
}

// terminals are the two ports of the database that are ours; the others are those that the vessels come from and go to.
var terminals = []terminal{
	{"MAPTM", []string{"TM-1", "TM-2", "TM-3", "TM-4", "TM-5"}},
	{"ESALG", []string{"AL-1", "AL-2", "AL-3"}},
}

const (
	planned  = "planned"
	berthed  = "berthed"
	departed = "departed"
)

type port struct {
	locode, name, country string
	latitude, longitude   float64
	timezone              text
}

var portColumns = []string{"locode", "name", "country", "latitude", "longitude", "timezone"}

func (p *port) fields() []any {
	return []any{&p.locode, &p.name, &p.country, &p.latitude, &p.longitude, &p.timezone}
}

type vessel struct {
	imo                 int64
	name, flag, service string
	teuCapacity         int64
	lengthM             float64
}

var vesselColumns = []string{"imo", "name", "flag", "service", "teu_capacity", "length_m"}

func (v *vessel) fields() []any {
	return []any{&v.imo, &v.name, &v.flag, &v.service, &v.teuCapacity, &v.lengthM}
}

// call is one visit of a vessel to a terminal.
type call struct {
	id, vesselIMO         int64
	voyage, port          string
	berth                 text // until it has one
	fromPort, toPort      string
	status                string
	cranes, movesPlanned  int64
	eta                   string
	berthedAt, departedAt text
}

var callColumns = []string{
	"id", "vessel_imo", "voyage", "port", "berth", "from_port", "to_port", "status", "cranes", "moves_planned", "eta", "berthed_at", "departed_at",
}

func (c *call) fields() []any {
	return []any{
		&c.id, &c.vesselIMO, &c.voyage, &c.port, &c.berth, &c.fromPort, &c.toPort, &c.status, &c.cranes, &c.movesPlanned, &c.eta, &c.berthedAt, &c.departedAt,
	}
}

// move is one lift of one container by one crane.
type move struct {
	id, callID             int64
	container, kind, crane string
	weightKg               int64
	movedAt                string
}

var moveColumns = []string{"id", "call_id", "container", "kind", "crane", "weight_kg", "moved_at"}

func (m *move) fields() []any {
	return []any{&m.id, &m.callID, &m.container, &m.kind, &m.crane, &m.weightKg, &m.movedAt}
}

// countLifts counts the moves of each call, as a world that was loaded has them.
func (w *world) countLifts() {
	for _, m := range w.moves.rows {
		w.lifted[m.callID]++
	}
}

// depart closes the calls that have all their moves.
func (w *world) depart() {
	for _, c := range w.calls.rows {
		if c.status == berthed && c.movesPlanned <= w.lifted[c.id] {
			w.calls.set(c, func() { c.status, c.departedAt = departed, text(stamp(w.now)) })
		}
	}
}

// berth gives each free berth to the vessel that waits longest for its port.
func (w *world) berth() {
	now := stamp(w.now)
	for _, t := range terminals {
		for _, b := range t.berths {
			if w.calls.find(func(c *call) bool { return c.status == berthed && string(c.berth) == b }) != nil {
				continue
			}
			var first *call
			for _, c := range w.calls.rows {
				if c.status == planned && c.port == t.port && c.eta <= now && (first == nil || c.eta < first.eta) {
					first = c
				}
			}
			if first != nil {
				w.calls.set(first, func() { first.status, first.berth, first.berthedAt = berthed, text(b), text(now) })
			}
		}
	}
}

// work lets every crane at every berth lift a container, or not yet. In a storm none does.
func (w *world) work() {
	for _, c := range w.calls.rows {
		if c.status != berthed || w.wind(c.port) > windMax {
			continue
		}
		for crane := int64(0); crane < c.cranes && w.lifted[c.id] < c.movesPlanned; crane++ {
			if w.chance(float64(stepTime) / float64(timePerLift)) {
				w.lift(c, fmt.Sprintf("%s-%c", c.berth, 'A'+crane))
			}
		}
	}
}

// lift is one move: first all that comes off the vessel, then all that goes on. The crane tells its sensors' gateway.
func (w *world) lift(c *call, crane string) {
	at := w.moment()
	kind, box := "shift", w.draw() // out of the way of another
	switch ready := w.loadable(c.port); {
	case w.chance(0.03):
	case w.lifted[c.id] < c.movesPlanned/2:
		kind = "discharge"
		w.land(box, c.port, at)
	case ready != nil:
		kind, box = "load", ready.no
		w.containers.set(ready, func() { ready.outAt = text(stamp(at)) })
	}
	m := &move{w.moves.next(), c.id, box, kind, crane, int64(2200 + w.rng.IntN(28300)), stamp(at)}
	w.moves.add(m)
	w.lifted[c.id]++
	w.read(reading{Kind: "lift", Port: c.port, ID: crane, at: at, Value: float64(m.weightKg), Lift: m.id})
}

// correct mends what the terminal's people got wrong: a weight that was weighed again, a
// move that two cranes reported.
func (w *world) correct() {
	nth := func(back int64) *move {
		return w.moves.find(func(m *move) bool { return m.id == w.moves.last-back })
	}
	if m := nth(20); m != nil && w.chance(0.05) {
		more := int64(w.rng.IntN(900) + 10)
		w.moves.set(m, func() { m.weightKg += more })
	}
	m := nth(5)
	if m == nil || !w.chance(0.02) {
		return
	}
	if c := w.calls.find(func(c *call) bool { return c.id == m.callID }); c != nil && c.status == berthed {
		w.moves.remove(func(one *move) bool { return one == m })
		w.lifted[c.id]--
	}
}

// plan announces the next call of a vessel that has none, and now and then a vessel's new flag.
func (w *world) plan() {
	if w.calls.count(func(c *call) bool { return c.status == planned }) >= expectedMax || !w.chance(0.2) {
		return
	}
	var idle []*vessel
	for _, v := range w.vessels.rows {
		if w.calls.find(func(c *call) bool { return c.vesselIMO == v.imo && c.status != departed }) == nil {
			idle = append(idle, v)
		}
	}
	if len(idle) == 0 {
		return
	}
	v := idle[w.rng.IntN(len(idle))]
	if w.chance(0.05) {
		flags := []string{"Panama", "Liberia", "Malta", "Morocco", "Portugal", "Singapore"}
		flag := flags[w.rng.IntN(len(flags))]
		w.vessels.set(v, func() { v.flag = flag })
	}
	from, at, to := w.leg(v.service)
	if at == "" {
		return // a service that somebody wrote into the database
	}
	eta := w.now.Add(30*time.Minute + time.Duration(w.rng.Int64N(int64(3*time.Hour))))
	w.calls.add(&call{
		id: w.calls.next(), vesselIMO: v.imo, voyage: fmt.Sprintf("V%06d", w.step), port: at, fromPort: from, toPort: to,
		status: planned, cranes: int64(2 + w.rng.IntN(3)), movesPlanned: int64(60 + w.rng.IntN(240)), eta: stamp(eta),
	})
}

// leg draws one of the two terminals on a service, with the stops around it.
func (w *world) leg(service string) (from, at, to string) {
	stops := w.services[service]
	if len(stops) == 0 {
		return "", "", ""
	}
	start := w.rng.IntN(len(stops))
	for i := range stops {
		n := (start + i) % len(stops)
		if ours(stops[n]) {
			return stops[(n+len(stops)-1)%len(stops)], stops[n], stops[(n+1)%len(stops)]
		}
	}
	return "", "", ""
}

func ours(port string) bool {
	return slices.ContainsFunc(terminals, func(t terminal) bool { return t.port == port })
}

// replan moves a planned call's time, or cancels the call.
func (w *world) replan() {
	var newest *call
	for _, c := range w.calls.rows {
		if c.status == planned {
			newest = c
		}
	}
	if newest != nil && w.chance(0.05) {
		later := w.now.Add(time.Duration(w.rng.Int64N(int64(3 * time.Hour))))
		w.calls.set(newest, func() { newest.eta = stamp(later) })
	}
	if newest != nil && w.chance(0.005) {
		w.calls.remove(func(c *call) bool { return c == newest })
	}
}

// readServices reads the lanes that vessels sail, each a round of ports.
func readServices() (map[string][]string, error) {
	lines, err := readCSV("services.csv")
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, line := range lines[1:] {
		out[line[0]] = strings.Fields(line[1])
	}
	return out, nil
}
