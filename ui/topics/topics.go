// Package topics is what the page of topics knows: each topic of the log with what the bus and
// landing say of it from moment to moment, and records of one as somebody asks for them. It draws
// nothing; its State and Answer are also the page's JSON twins.
package topics

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/stream/pipeline"
	"tarn/ui/home"
	"tarn/ui/words"
)

// Input is one look.
type Input struct {
	Now      time.Time
	Topics   []bus.PartitionStats
	Landings []pipeline.Landing
	Groups   []group.Line
}

// State is all topics at one moment.
type State struct {
	At     time.Time `json:"at"`
	Topics []Topic   `json:"topics"` // by name
	Groups []Group   `json:"groups"` // by name
}

// Topic is one topic over all its partitions.
type Topic struct {
	Name       string   `json:"name"`
	Partitions int      `json:"partitions"`
	Records    int64    `json:"records"` // offsets that the log still holds
	Written    int64    `json:"written"` // records ever written
	Bytes      int64    `json:"bytes"`
	Land       bool     `json:"land"`
	Tables     []string `json:"tables"` // that landing fills from it
	Lag        int64    `json:"lag_records"`
	Query      string   `json:"query,omitempty"`   // of its newest rows in bronze
	Finding    string   `json:"finding,omitempty"` // what is wrong; empty when all is well
}

// Look makes a state of what is known.
func Look(in Input) State {
	byName := map[string]*Topic{}
	for _, p := range in.Topics {
		t := byName[p.Topic]
		if t == nil {
			t = &Topic{Name: p.Topic, Tables: []string{}}
			byName[p.Topic] = t
		}
		t.Partitions++
		t.Records += p.NextOffset - p.LogStart
		t.Written += p.NextOffset
		t.Bytes += p.Bytes
		t.Land = p.Land
		if p.Finding != "" {
			t.Finding = p.Finding
		}
	}
	for _, l := range in.Landings {
		t := byName[l.Topic]
		if t == nil {
			continue
		}
		if l.Bronze.Name != "" { // which it has with its first record
			t.Tables = append(t.Tables, l.Bronze.String())
			t.Query = home.Newest(l.Bronze, "_timestamp DESC, _offset DESC")
		}
		if l.Silver.Name != "" {
			t.Tables = append(t.Tables, l.Silver.String())
		}
		t.Lag = l.LagRecords
		if l.Error != "" {
			t.Finding = l.Error
		}
	}
	s := State{At: in.Now, Topics: make([]Topic, 0, len(byName)), Groups: lookGroups(in.Groups)}
	for _, t := range byName {
		s.Topics = append(s.Topics, *t)
	}
	slices.SortFunc(s.Topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Find returns the topics that have text in their name, in any case.
func (s State) Find(text string) []Topic {
	text = strings.ToLower(text)
	return slices.DeleteFunc(slices.Clone(s.Topics), func(t Topic) bool { return !strings.Contains(strings.ToLower(t.Name), text) })
}

// Topic returns the topic of a name.
func (s State) Topic(name string) (Topic, bool) {
	at, ok := slices.BinarySearchFunc(s.Topics, name, func(t Topic, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return Topic{}, false
	}
	return s.Topics[at], true
}

// Shape names all that is no value: while it stays, only values move.
func (s State) Shape() string {
	h := fnv.New64a()
	for _, t := range s.Topics {
		_, _ = fmt.Fprintf(h, "%s\x00%d\x00%t\x00%s\x00%s\x00", t.Name, t.Partitions, t.Land, strings.Join(t.Tables, ","), t.Finding)
	}
	for _, g := range s.Groups {
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00", g.shape(), strings.Join(g.Topics, ","))
	}
	return fmt.Sprintf("%x", h.Sum64())
}

// Values are the texts that move, in a language, by the names that the page gives them.
func (s State) Values(l words.Language) map[string]string {
	out := make(map[string]string, 4*len(s.Topics))
	for _, t := range s.Topics {
		for name, text := range t.Texts() {
			out[name] = text.In(l)
		}
	}
	for _, g := range s.Groups {
		for name, text := range g.Texts() {
			out[name] = text.In(l)
		}
	}
	return out
}

// Key begins the names of the topic's values.
func (t Topic) Key() string { return "t." + t.Name + "." }

// Texts are those of one topic that move.
func (t Topic) Texts() map[string]words.Text {
	key := t.Key()
	return map[string]words.Text{
		key + "partitions": words.Count(int64(t.Partitions)),
		key + "records":    words.Count(t.Records), key + "written": words.Count(t.Written), key + "bytes": words.Bytes(t.Bytes), key + "lag": words.Count(t.Lag),
	}
}
