package sampledata

import (
	"math/rand/v2"
	"time"
)

// The port's own time.
const (
	stepTime   = 15 * time.Second
	timeLayout = "2006-01-02 15:04:05.000"
)

// dayOne is where the port's clock starts: Monday, six in the morning.
var dayOne = time.Date(2026, time.January, 5, 6, 0, 0, 0, time.UTC)

// world is the port as it is. It moves by steps of stepTime. What happens in a step depends
// on the seed, the step's number and what is there, and on nothing else: so a world that was
// loaded from the database goes on as the one that wrote it would have.
type world struct {
	seed     uint64
	step     uint32 // how many there were since dayOne
	faults   Faults
	services map[string][]string

	ports      *table[*port]
	vessels    *table[*vessel]
	calls      *table[*call]
	moves      *table[*move]
	containers *table[*container]
	gates      *table[*gate]
	trucks     *table[*truck]
	visits     *table[*visit]
	holds      *table[*hold]

	lifted map[int64]int64 // moves of each call

	held []heldReading // by a gateway without network

	// Of the step that is being taken.
	rng *rand.Rand
	now time.Time
	out happened
}

// happened is what one step means to each of the four systems.
type happened struct {
	step     uint32
	alter    string      // a change of the database's schema
	changes  []change    // in the harbour's database
	lines    []gateLine  // of the gates' access log
	posts    [][]reading // of the sensors' gateway
	manifest *manifest   // a file that the shipping lines send
}

func newWorld(seed uint64) (*world, error) {
	services, err := readServices()
	if err != nil {
		return nil, err
	}
	w := &world{seed: seed, services: services, lifted: map[int64]int64{}}
	noted := &w.out.changes
	w.ports = &table[*port]{name: "ports", columns: portColumns, noted: noted}
	w.vessels = &table[*vessel]{name: "vessels", columns: vesselColumns, noted: noted}
	w.calls = &table[*call]{name: "calls", columns: callColumns, noted: noted}
	w.moves = &table[*move]{name: "moves", columns: moveColumns, noted: noted}
	w.containers = &table[*container]{name: "containers", columns: containerColumns, noted: noted}
	w.gates = &table[*gate]{name: "gates", columns: gateColumns, noted: noted}
	w.trucks = &table[*truck]{name: "trucks", columns: truckColumns, noted: noted}
	w.visits = &table[*visit]{name: "truck_visits", columns: visitColumns, noted: noted}
	w.holds = &table[*hold]{name: "customs_holds", columns: holdColumns, noted: noted}
	return w, nil
}

// found is a port on its first morning: what never changes is there, and a yard that is half full.
func found(seed uint64) (*world, error) {
	w, err := newWorld(seed)
	if err != nil {
		return nil, err
	}
	w.begin()
	if err := w.register(); err != nil {
		return nil, err
	}
	w.fillYard()
	return w, nil
}

// advance takes a step.
func (w *world) advance() happened {
	w.begin()
	if w.faults.has(SchemaChange) && !w.sealed() {
		w.seal() // the terminal's software is changed while nobody works
		w.announce()
	} else {
		for _, part := range []func(){
			w.depart, w.berth, w.work, w.correct, w.plan, w.replan, // the quay
			w.inspect, w.release, // customs
			w.leave, w.arrive, w.smear, // the gates
			w.forget, w.sense, w.announce,
		} {
			part()
		}
	}
	w.step++
	w.out.step = w.step
	return w.out
}

func (w *world) begin() {
	w.rng = rand.New(rand.NewPCG(w.seed, uint64(w.step)))
	w.now = dayOne.Add(time.Duration(w.step) * stepTime)
	w.out = happened{}
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// moment is some time within the step.
func (w *world) moment() time.Time {
	return w.now.Add(time.Duration(w.rng.Int64N(int64(stepTime))).Truncate(time.Millisecond))
}

func stamp(t time.Time) string { return t.Format(timeLayout) }

// since is how long ago a stamp was.
func (w *world) since(stamped string) time.Duration {
	t, err := time.Parse(timeLayout, stamped)
	if err != nil {
		return 0 // somebody wrote another text there
	}
	return w.now.Sub(t)
}

// snapshot is what makes an empty database equal to the world.
func (w *world) snapshot() happened {
	h := happened{step: w.step}
	for _, t := range w.tables() {
		h.changes = append(h.changes, t.inserts()...)
	}
	return h
}

// rowsOf is a table, whatever its rows are.
type rowsOf interface {
	inserts() []change
	numbered() (name string, last int64)
	text() (name string, columns, rows []string)
}

// tables are all of them, in an order in which they may be filled.
func (w *world) tables() []rowsOf {
	return []rowsOf{w.ports, w.vessels, w.calls, w.moves, w.containers, w.gates, w.trucks, w.visits, w.holds}
}
