// Package home is what the page knows: it turns what the rooms say of themselves into one
// picture of the data on its way, with rates, lag, freshness and what is wrong. It draws
// nothing, serves nothing and reads nothing by itself; its State is also the page's JSON twin.
package home

import (
	"slices"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/ingest/source"
	"tarn/lake/catalog"
	"tarn/stream/pipeline"
	"tarn/ui/words"
)

// Input is one look at every room.
type Input struct {
	Now       time.Time
	Parts     []life.Status
	Sources   []source.Status
	Topics    []bus.PartitionStats
	Landings  []pipeline.Landing
	Pipelines []pipeline.Status
	Lake      Lake
	Care      Care
	Ports     map[string]string
	Version   string
	Sample    bool
}

// Lake is what the catalog said last. Err is why a later look did not answer.
type Lake struct {
	Known bool
	Stats []catalog.Stats
	Views []catalog.View
	Err   error
}

// Kind of a node of the picture.
type Kind string

// The kinds. Bronze, Silver and Gold are layers; a node of them is a table or a view.
const (
	Source Kind = "source"
	Topic  Kind = "topic"
	Bronze Kind = "bronze"
	Silver Kind = "silver"
	Gold   Kind = "gold"
)

// Level says how well a thing is.
type Level string

// The levels, from well to worst. Idle was told to rest; Note is worth knowing, and no fault.
const (
	OK   Level = "ok"
	Idle Level = "idle"
	Note Level = "note"
	Warn Level = "warn"
	Bad  Level = "bad"
)

// State is the whole page at one moment. Texts are as the page shows them; a number that
// is not known is absent.
type State struct {
	Ready         bool       `json:"ready"` // false before the first look
	At            time.Time  `json:"at"`
	Version       string     `json:"version"`
	Sample        bool       `json:"sample"`
	Health        string     `json:"health"` // starting, ok, degraded, failed
	Figures       []Figure   `json:"figures"`
	Nodes         []Node     `json:"nodes"` // in order of lane, then name
	Edges         []Edge     `json:"edges"`
	Pipelines     []Pipeline `json:"pipelines"` // those in trouble first, then in order of name
	Problems      []Problem  `json:"problems"`
	Parts         []Part     `json:"parts"`
	Doors         []Door     `json:"doors"`
	Examples      []Example  `json:"examples"`
	Spark         string     `json:"-"` // the recent rows a second, as an SVG path
	FirstPipeline string     `json:"-"` // a statement that makes one, while there is none
}

// Starting is the state before the first look.
func Starting(version string, sample bool) State {
	return State{
		Version: version, Sample: sample, Health: "starting", Figures: []Figure{}, Nodes: []Node{}, Edges: []Edge{}, Pipelines: []Pipeline{},
		Problems: []Problem{}, Parts: []Part{}, Doors: []Door{}, Examples: examples(nil),
	}
}

// Empty tells that nothing feeds this Tarn yet.
func (s State) Empty() bool { return s.Ready && len(s.Nodes) == 0 }

// HasView tells whether there is a view of a name.
func (s State) HasView(name string) bool {
	return slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.View && n.Name == name })
}

// Faults are the problems that are more than notes.
func (s State) Faults() []Problem { return s.problems(func(p Problem) bool { return p.Level != Note }) }

// Notes are the other ones.
func (s State) Notes() []Problem { return s.problems(func(p Problem) bool { return p.Level == Note }) }

func (s State) problems(want func(Problem) bool) []Problem {
	return slices.DeleteFunc(slices.Clone(s.Problems), func(p Problem) bool { return !want(p) })
}

// Figure is one of the key figures on top.
type Figure struct {
	Key   string     `json:"key"`
	Label words.Text `json:"label"`
	Value words.Text `json:"value"`
	Note  words.Text `json:"note"` // what the value is of
	Level Level      `json:"level"`
}

// Node is one thing that data passes: a source, a topic, a table or a view.
type Node struct {
	Key      string `json:"key"` // short, stable while the name is
	Kind     Kind   `json:"kind"`
	Name     string `json:"name"`
	Label    string `json:"-"` // the name without its layer
	View     bool   `json:"view,omitempty"`
	Pipeline string `json:"pipeline,omitempty"` // the one that fills it
	Lane     int    `json:"lane"`
	Level    Level  `json:"level"`
	Word     string `json:"state"` // streaming, landing, retrying, …

	Rate         *float64   `json:"rows_per_second,omitempty"`
	LagRecords   *int64     `json:"lag_records,omitempty"`
	BehindMillis *int64     `json:"behind_ms,omitempty"`
	Rows         *int64     `json:"rows,omitempty"`
	Files        *int64     `json:"files,omitempty"`
	Bytes        *int64     `json:"bytes,omitempty"`
	SnapshotID   string     `json:"snapshot_id,omitempty"` // text: above what a JSON number keeps
	CommittedAt  *time.Time `json:"committed_at,omitempty"`

	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	Facts []Fact `json:"facts"`
	Query string `json:"query"` // shows its newest rows
}

// Fact is one line of what is known of a node, as the page shows it.
type Fact struct {
	Label words.Text `json:"label"`
	Value words.Text `json:"value"`
	Wrong bool       `json:"-"` // it is an error
}

// longFact is from how many bytes on a fact has a line of its own.
const longFact = 60

// Long tells that it has.
func (f Fact) Long() bool { return len(f.Value.String()) > longFact }

// Edge says that data goes from one node to another, by their keys.
type Edge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Speed int    `json:"speed"` // 0 rests, 3 is above a thousand rows a second
}

// Problem is one thing that somebody should look at, or know where its level is Note.
type Problem struct {
	Level   Level      `json:"level"`
	Where   words.Text `json:"where"`
	Message words.Text `json:"message"`
	Hint    words.Text `json:"hint,omitzero"`
	To      string     `json:"to,omitempty"` // the page that shows it
}

// Part is a part of Tarn with its state.
type Part struct {
	Key   string     `json:"-"`
	Name  string     `json:"name"`
	State string     `json:"state"`
	Level Level      `json:"level"`
	Lag   words.Text `json:"lag"`
	Error string     `json:"error,omitempty"`
	Hint  string     `json:"hint,omitempty"`
}

// Door is a listener with its address.
type Door struct {
	Name    string     `json:"name"`
	Address string     `json:"address"`
	Speaks  words.Text `json:"speaks"`
	Connect []string   `json:"connect"` // what a client is given, or a shell, to come in here
}

// Example is a statement to begin with.
type Example struct {
	Title string `json:"title"`
	SQL   string `json:"sql"`
}
