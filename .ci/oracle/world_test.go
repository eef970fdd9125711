//go:build duckdb_arrow

// Package oracle_test holds pipelines against DuckDB: random statements over random logs, cut into
// random ticks and killed at random points, must give what one batch query over the same log gives.
//
// A world is one log with some pipelines over it, which one process runs; a case is one pipeline of it. What a
// log holds is known where it is made, so nothing of Tarn decodes it a second time, and lateness is computed
// here, record by record. Of Tarn's decisions alone, in tarn.clock, is read back what was decided.
package oracle_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"tarn/embedded/record"
)

// World is a log with pipelines over it. It is kept as JSON: for the process that runs it, and as a fixture.
type World struct {
	Seed    uint64
	Plant   string `json:",omitempty"` // the fault that is made on purpose, in a build that has any
	Sources []*Source
	Cases   []*Case
	Steps   []Step
	Kills   []Kill
}

// Source is a topic with the statement that declares it.
type Source struct {
	Name, Declared string
	Partitions     int32
	Huge           bool     `json:",omitempty"` // it has values that no sum of which may fit
	Key            []string // of a changelog of change events
	Mirror         bool     `json:",omitempty"` // it is read as a table of silver, which landing keeps
	Loose          bool     `json:",omitempty"` // a mirror's key may be null: in Key, and no column of the records, is _key
	Ahead          int      `json:",omitempty"` // how many of a mirror's records are there before the pipelines
	Global         bool     `json:",omitempty"` // late_policy 'global'
	Skip           bool     `json:",omitempty"` // on_error 'skip'
	Cut            []int    `json:",omitempty"` // by partition: how many records retention takes before the pipelines are there
	Delay          time.Duration
	Columns        []Column
	Records        [][]Rec // by partition, in order of offsets
}

// from is its name in a FROM.
func (s *Source) from() string {
	if s.Mirror {
		return "silver." + s.Name
	}
	return s.Name
}

// key joins a row's key.
func (s *Source) key(cells map[string]Cell) string {
	out := ""
	for _, k := range s.Key {
		out += cells[k].SQL + "\x00"
	}
	return out
}

// Column has DuckDB's type.
type Column struct{ Name, Type string }

// Rec is a record and what it means.
type Rec struct {
	Stamp int64 // of the record itself, milliseconds
	Key   *string
	Value *string
	Junk  bool            // it is no record of the format at all
	None  bool            // it has no row
	Gone  bool            // it takes the row of its key out
	Was   *string         `json:",omitempty"` // the key, as in Source.key, that its row had before
	Gen   int64           `json:",omitempty"` // of a mirror: the snapshot that it is of, or came after
	Mark  record.MarkKind `json:",omitempty"` // it is no record but begins or ends a snapshot
	Cells map[string]Cell `json:",omitempty"` // what is not here is null
}

// Cell is a value as SQL; one that its column does not take is Bad.
type Cell struct {
	SQL    string
	Bad    bool  `json:",omitempty"`
	Micros int64 `json:",omitempty"` // of a time
}

// Step appends the next records of a partition as one batch, then waits.
type Step struct {
	Source, Count int
	Partition     int32
	Pause         time.Duration
}

// Kill ends the process at a point: the nth time that the case's pipeline reaches it in one run of the
// process; any of them, where Case is empty.
type Kill struct {
	Point, Case, Pipeline string
	Nth                   int
}

// point is where it is, as the process notes it.
func (k Kill) point() string {
	if k.Pipeline == "" {
		return k.Point
	}
	return k.Point + "@" + k.Pipeline
}

// specs arm the process.
func specs(kills []Kill) string {
	var out []string
	for _, k := range kills {
		out = append(out, fmt.Sprintf("%s:%d", k.point(), k.Nth))
	}
	return strings.Join(out, ",")
}

// hit tells whether a process was killed there; another goroutine may have come to another point just then.
func (k Kill) hit(hits string) bool {
	text, err := os.ReadFile(hits) //nolint:gosec // ours
	return err == nil && slices.Contains(strings.Fields(string(text)), k.point())
}

func (w *World) write(path string) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func readWorld(path string) (*World, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	w := &World{}
	return w, json.Unmarshal(text, w)
}

// lull is a pause in which partitions go idle.
const lull = timeout + 3*pulse

// steps cut the logs into batches, in one order for all.
func (r chance) steps(sources []*Source) (out []Step) {
	type feed struct{ source, partition, left int }
	var feeds []feed
	for i, s := range sources {
		for p := range s.Records {
			if n := len(s.Records[p]); n > 0 {
				feeds = append(feeds, feed{i, p, n})
			}
		}
	}
	for len(feeds) > 0 {
		at := r.IntN(len(feeds))
		f := &feeds[at]
		n := min(f.left, 1+r.IntN(pick(r, 3, 15, 60)))
		s := Step{Source: f.source, Partition: int32(f.partition), Count: n} //nolint:gosec // few
		switch {
		case r.percent(6):
			s.Pause = lull
		case r.percent(40):
			s.Pause = time.Duration(r.IntN(120)) * time.Millisecond
		}
		out = append(out, s)
		if f.left -= n; f.left == 0 {
			feeds = slices.Delete(feeds, at, at+1)
		}
	}
	return out
}

// newWorld makes a world of so many cases of the kinds, in their order.
func newWorld(seed uint64, wanted []string) *World {
	r := newChance(seed)
	w := &World{Seed: seed}
	m := maker{chance: r}
	typ := pick(r, "TIMESTAMP", "TIMESTAMPTZ")
	for i := range 4 {
		keyed := i >= 2
		name, records := fmt.Sprintf("s%d", i), 40+r.IntN(200)
		if i == 3 && r.percent(60) {
			w.Sources = append(w.Sources, r.mirror(name, typ, records))
		} else {
			w.Sources = append(w.Sources, r.source(name, typ, keyed, records))
		}
		if !keyed && r.percent(25) {
			r.landed(w.Sources[i])
		}
		if keyed {
			m.logs = append(m.logs, i)
		} else {
			m.streams = append(m.streams, i)
		}
	}
	m.sources = w.Sources
	for i, kind := range wanted {
		w.Cases = append(w.Cases, m.make(kind, i))
	}
	w.Steps = r.steps(w.Sources)
	for _, c := range w.Cases {
		if r.percent(15) && !w.huge(c) { // one that stops for a value is never made anew
			c.alter(r, w.Sources)
			c.At = r.IntN(len(w.Steps) + 1)
		}
	}
	w.Kills = r.kills(w.Cases)
	return w
}

// doomed are kinds of which each world kills one, so that each operator is met.
var doomed = [][]string{
	{"windows again"},
	{"windows again"}, // it is the only kind of its operator, and comes to few points
	{"several windows"},
	{"updating windows"},
	{"windows of a changelog"},
	{"group by rows", "keyed group by rows"},
	{"everything", "keyed everything"},
	{"tumble"},
	{"hop", "windows of a union"},
	{"keyed"},
	{"keyed group", "keyed union", "group twice", "group"},
	{"project", "rows in windows"},
	{"union"},
}

// kills are points within a tick's transaction, within its publication, and within the table's commit.
func (r chance) kills(cases []*Case) (out []Kill) {
	for _, group := range doomed {
		var of []*Case
		for _, c := range cases {
			if slices.Contains(group, c.Kind) {
				of = append(of, c)
			}
		}
		if len(of) == 0 {
			continue
		}
		c := pick(r, of...)
		k := Kill{Case: c.Name, Pipeline: c.pipeline(), Point: pick(r, "pipeline.publishing", "pipeline.published"), Nth: 1}
		if r.percent(55) {
			k.Point, k.Nth = pick(r, "pipeline.begun", "pipeline.applied", "pipeline.ticked"), pick(r, 1, 1, 2)
		}
		out = append(out, k)
	}
	if r.percent(40) {
		out = append(out, Kill{Point: pick(r, "lake.written", "lake.committed"), Nth: 1 + r.IntN(6)})
	}
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
