// Package sources is what the pages of sources know: each connector with what it says of itself from moment
// to moment, and the keys of those that there are, for the form that makes a connector's file. It draws
// nothing and changes nothing; its State is also the JSON twin.
package sources

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"tarn/ingest/source"
	"tarn/stream/pipeline"
	"tarn/ui/home"
	"tarn/ui/words"
)

// Input is one look.
type Input struct {
	Home     home.State
	Sources  []source.Status
	Landings []pipeline.Landing
	Kinds    []source.Kind
}

// State is all sources at one moment.
type State struct {
	At      time.Time `json:"at"`
	Sources []Source  `json:"sources"` // by name
	Kinds   []Kind    `json:"kinds"`   // that may be added
}

// Source is one connector. Counters are since start.
type Source struct {
	Node     home.Node `json:"-"` // in the picture of Home, whose values move
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Title    string    `json:"title"`
	State    string    `json:"state"`
	Snapshot string    `json:"snapshot,omitempty"` // how far the first snapshot is; empty when it streams
	Paused   bool      `json:"paused"`

	Level     home.Level `json:"level"`
	Error     string     `json:"error,omitempty"`
	Hint      string     `json:"hint,omitempty"`
	Findings  []Finding  `json:"findings"`
	Tables    []Table    `json:"tables"` // of a database, by name
	Topics    []Topic    `json:"topics"`
	Rows      int64      `json:"rows"`
	Waiting   *int64     `json:"waiting,omitempty"` // changes that the source has and the log has not
	LagMillis int64      `json:"lag_ms"`
	Retained  int64      `json:"retained_bytes,omitempty"` // that the source keeps until Tarn has read them
	Dead      int64      `json:"dead"`                     // letters of its own and of its topics
	Position  string     `json:"position,omitempty"`
	Since     time.Time  `json:"since"`
}

// Finding is what is to know of a source.
type Finding struct {
	Table   string `json:"table,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	SQL     string `json:"sql,omitempty"` // that mends it in the source
	Fatal   bool   `json:"fatal,omitempty"`
}

// Table is one of a source's.
type Table struct {
	Name      string     `json:"name"`
	Topic     string     `json:"topic,omitempty"`
	State     string     `json:"state"`
	Level     home.Level `json:"level"`
	Percent   *int       `json:"percent,omitempty"` // of its snapshot that is read
	Rows      int64      `json:"rows"`
	LagMillis int64      `json:"lag_ms"`
	Error     string     `json:"error,omitempty"`
	Hint      string     `json:"hint,omitempty"`

	key string
}

// Topic is one that a source fills.
type Topic struct {
	Name   string `json:"name"`
	Bronze string `json:"bronze,omitempty"`
	Silver string `json:"silver,omitempty"`
	Rows   int64  `json:"rows"` // landed since start
	Lag    int64  `json:"lag_records"`
	Dead   int64  `json:"dead"`
	Error  string `json:"error,omitempty"`
}

// Kind is a sort of connector with the keys of its file.
type Kind struct {
	Class  string  `json:"class"`
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Fields []Field `json:"fields"`
}

// Field is one key.
type Field struct {
	Key      string `json:"key"`
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required,omitempty"`
	Doc      string `json:"doc"`
}

// Look makes a state of what is known.
func Look(in Input) State {
	s := State{At: in.Home.At, Sources: make([]Source, 0, len(in.Sources)), Kinds: make([]Kind, len(in.Kinds))}
	titles := map[string]string{}
	for i, k := range in.Kinds {
		s.Kinds[i] = Kind{k.Class, k.Name, k.Title, make([]Field, 0, len(k.Fields))}
		titles[k.Name] = k.Title
		for _, f := range k.Fields {
			if !strings.HasSuffix(f.Key, ".") { // else it is the beginning of keys, which no form can have
				s.Kinds[i].Fields = append(s.Kinds[i].Fields, Field{f.Key, f.Default, f.Required, f.Doc})
			}
		}
	}
	nodes := map[string]home.Node{}
	for _, n := range in.Home.Nodes {
		if n.Kind == home.Source {
			nodes[n.Name] = n
		}
	}
	landed := map[string]pipeline.Landing{}
	for _, l := range in.Landings {
		landed[l.Topic] = l
	}
	for _, one := range in.Sources {
		s.Sources = append(s.Sources, look(one, nodes[one.Name], titles[one.Kind], landed))
	}
	return s
}

func look(from source.Status, n home.Node, title string, landed map[string]pipeline.Landing) Source {
	out := Source{
		Node: n, Name: from.Name, Kind: from.Kind, Title: title, State: from.State, Snapshot: from.Lag.Snapshot, Paused: from.State == source.Paused, Level: n.Level,
		Error: from.Error, Hint: from.Hint, Findings: []Finding{}, Tables: []Table{}, Topics: []Topic{}, Rows: from.Rows, LagMillis: from.Lag.Millis, Retained: from.Lag.Bytes, Position: pretty(from.Position), Since: from.Since,
	}
	if from.Lag.Events >= 0 {
		out.Waiting = new(from.Lag.Events)
	}
	for _, f := range from.Findings {
		out.Findings = append(out.Findings, Finding{f.Table, f.Message, f.Hint, f.SQL, f.Fatal})
	}
	for _, t := range from.Tables {
		out.Tables = append(out.Tables, tableOf(from.Name, t))
	}
	out.Dead = from.Dead
	for _, name := range from.Topics {
		t := Topic{Name: name}
		if l, ok := landed[name]; ok {
			t.Rows, t.Lag, t.Dead, t.Error = l.BronzeRows, l.LagRecords, l.DeadLetters, l.Error
			if l.Bronze.Name != "" { // which it has with its first record
				t.Bronze = l.Bronze.String()
			}
			if l.Silver.Name != "" {
				t.Silver = l.Silver.String()
			}
		}
		out.Dead += t.Dead
		out.Topics = append(out.Topics, t)
	}
	return out
}

func tableOf(of string, from source.TableState) Table {
	t := Table{
		Name: from.Table, Topic: from.Topic, State: from.State, Level: home.OK, Rows: from.Rows, LagMillis: from.Millis, Error: from.Error, Hint: from.Hint,
		key: "st." + of + "/" + from.Table + ".",
	}
	switch t.State {
	case source.Snapshotting:
		if from.Done >= 0 {
			t.Percent = new(int(from.Done * 100))
		}
	case source.Quarantined, source.NeedsSnapshot:
		t.Level = home.Bad
	case source.Waiting, source.Gone:
		t.Level = home.Idle
	}
	return t
}

func (t Table) percent() string {
	if t.Percent == nil {
		return ""
	}
	return strconv.Itoa(*t.Percent)
}

// Value is the name of one of a table's values.
func (t Table) Value(of string) string { return t.key + of }

// pretty puts a position that is JSON onto lines.
func pretty(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		return text
	}
	return b.String()
}

// Find returns the sources that have text in their name, their kind, or that of a topic, in any case.
func (s State) Find(text string) []Source {
	text = strings.ToLower(text)
	out := []Source{}
	for _, one := range s.Sources {
		names := []string{one.Name, one.Kind}
		for _, t := range one.Topics {
			names = append(names, t.Name)
		}
		if strings.Contains(strings.ToLower(strings.Join(names, "\x00")), text) {
			out = append(out, one)
		}
	}
	return out
}

// Source returns the source of a name.
func (s State) Source(name string) (Source, bool) {
	for _, one := range s.Sources {
		if one.Name == name {
			return one, true
		}
	}
	return Source{}, false
}

// Owned are the topics that sources fill.
func (s State) Owned() map[string]bool {
	out := map[string]bool{}
	for _, one := range s.Sources {
		for _, t := range one.Topics {
			out[t.Name] = true
		}
	}
	return out
}

// Shape names all that is no value: while it stays, only values move.
func (s State) Shape() string {
	type line struct {
		Name, Kind, State, Error, Hint string
		Findings                       []Finding
		Topics, Tables                 []string
		Dead, Snapshot                 bool
	}
	lines := make([]line, len(s.Sources))
	for i, one := range s.Sources {
		lines[i] = line{Name: one.Name, Kind: one.Kind, State: one.State, Error: one.Error, Hint: one.Hint, Findings: one.Findings, Dead: one.Dead > 0, Snapshot: one.Snapshot != ""}
		for _, t := range one.Tables {
			lines[i].Tables = append(lines[i].Tables, t.Name, t.State, t.Error, t.Hint, t.percent())
		}
		for _, t := range one.Topics {
			lines[i].Topics = append(lines[i].Topics, t.Name, t.Bronze, t.Silver, t.Error)
		}
	}
	return home.Hash(lines)
}

// Values are the texts that move, in a language, by the names that the page gives them; home has more of the same sources.
func (s State) Values(l words.Language) map[string]string {
	out := map[string]string{}
	for _, one := range s.Sources {
		key := one.Node.Key
		out[key+".snap"], out[key+".dead"] = one.Snapshot, words.Count(one.Dead).In(l)
		for _, t := range one.Tables {
			out[t.Value("rows")], out[t.Value("behind")] = words.Count(t.Rows).In(l), words.Millis(t.LagMillis).In(l)
		}
		for _, t := range one.Topics {
			out[t.key()+"rows"], out[t.key()+"lag"], out[t.key()+"dead"] = words.Count(t.Rows).In(l), words.Count(t.Lag).In(l), words.Count(t.Dead).In(l)
		}
	}
	return out
}

func (t Topic) key() string { return "s." + t.Name + "." }

// Value is the name of one of a topic's values.
func (t Topic) Value(of string) string { return t.key() + of }
