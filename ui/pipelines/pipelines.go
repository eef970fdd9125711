// Package pipelines is what the pages of pipelines know: each pipeline with what it says of itself from
// moment to moment, and what the statements of a script are, for whoever writes one. It draws nothing and
// runs nothing; its State is also the JSON twin.
package pipelines

import (
	"strings"
	"time"

	"tarn/stream/pipeline"
	"tarn/ui/home"
	"tarn/ui/words"
)

// Input is one look.
type Input struct {
	Home      home.State
	Pipelines []pipeline.Status
}

// State is all pipelines at one moment.
type State struct {
	At        time.Time  `json:"at"`
	Pipelines []Pipeline `json:"pipelines"` // those in trouble first
	First     string     `json:"first"`     // a statement that makes one of what there is
}

// Pipeline is one of them. Counters are since start.
type Pipeline struct {
	home.Pipeline
	Paused     bool      `json:"paused"`
	Stateful   bool      `json:"stateful"` // it keeps a state file
	Holder     string    `json:"watermark_holder,omitempty"`
	Topics     []string  `json:"topics"` // that it reads, also behind mirrors
	Ticks      int64     `json:"ticks"`
	Epoch      int64     `json:"epoch"`
	TickMillis *float64  `json:"tick_ms,omitempty"` // the last one took
	Owner      string    `json:"owner"`
	CreatedAt  time.Time `json:"created_at"`
	Replaces   string    `json:"replaces,omitempty"` // the id of the one whose place it takes
	Head       string    `json:"head,omitempty"`     // the statement that made it first, where it was altered
}

// Look makes a state of what is known.
func Look(in Input) State {
	byName := map[string]pipeline.Status{}
	for _, p := range in.Pipelines {
		byName[p.Name] = p
	}
	s := State{At: in.Home.At, Pipelines: make([]Pipeline, 0, len(in.Home.Pipelines)), First: home.FirstPipeline(in.Home.Nodes, in.Home.Sample)}
	for _, line := range in.Home.Pipelines {
		p := byName[line.Name]
		one := Pipeline{
			Pipeline: line, Paused: p.State == pipeline.Paused, Stateful: p.Stateful, Holder: p.Holder, Topics: topicsOf(p), Ticks: p.Ticks, Epoch: p.Epoch,
			Owner: p.Owner, CreatedAt: p.CreatedAt, Replaces: p.Replaces, Head: p.Head,
		}
		if p.Ticks > 0 {
			one.TickMillis = new(float64(p.TickTime.Microseconds()) / 1000)
		}
		if p.Watermark.IsZero() {
			one.Holder = ""
		}
		s.Pipelines = append(s.Pipelines, one)
	}
	return s
}

func topicsOf(p pipeline.Status) []string {
	out, seen := []string{}, map[string]bool{}
	for _, r := range p.Reads {
		if !seen[r.Topic] {
			out, seen[r.Topic] = append(out, r.Topic), true
		}
	}
	return out
}

// Find returns the pipelines that have text in their name, or in that of what they read, in any case.
func (s State) Find(text string) []Pipeline {
	text = strings.ToLower(text)
	out := []Pipeline{}
	for _, p := range s.Pipelines {
		if strings.Contains(strings.ToLower(p.Name+"\x00"+p.Into+"\x00"+strings.Join(p.Reads, "\x00")), text) {
			out = append(out, p)
		}
	}
	return out
}

// Pipeline returns the pipeline of a name.
func (s State) Pipeline(name string) (Pipeline, bool) {
	for _, p := range s.Pipelines {
		if p.Name == name {
			return p, true
		}
	}
	return Pipeline{}, false
}

// Shape names all that is no value: while it stays, only values move.
func (s State) Shape() string {
	type line struct {
		Name, Word, Error, Hint, Statement string
		Level                              home.Level
		Late, Dead, Ahead, Held            bool
	}
	lines := make([]line, len(s.Pipelines))
	for i, p := range s.Pipelines {
		lines[i] = line{p.Name, p.Word, p.Error, p.Hint, p.Statement, p.Level, p.Late > 0, p.Dead > 0, p.Ahead > 0, p.Holder != ""}
	}
	return home.Hash(lines)
}

// Values are the texts that move, in a language, by the names that the page gives them; home has more of the same pipelines.
func (s State) Values(l words.Language) map[string]string {
	out := make(map[string]string, 8*len(s.Pipelines))
	for _, p := range s.Pipelines {
		for name, text := range map[string]words.Text{
			".rows": p.RowsText(), ".out": words.Count(p.Emitted), ".ticks": p.TicksText(), ".tick": p.TickText(),
			".held": words.Plain(p.HeldText()), ".state": p.StateText(), ".ahead": words.Count(p.Ahead),
		} {
			out[p.Key+name] = text.In(l)
		}
	}
	return out
}

// RowsText is the number of rows that came in, as the page shows it; so are the texts below.
func (p Pipeline) RowsText() words.Text { return words.Count(p.Rows) }

// TicksText is the number of ticks.
func (p Pipeline) TicksText() words.Text { return words.Count(p.Ticks) }

// TickText is how long the last tick took.
func (p Pipeline) TickText() words.Text {
	return words.Optional(p.TickMillis, func(ms float64) words.Text {
		if ms < 1 {
			return words.Plain("<\u202f1\u202fms")
		}
		return words.Millis(int64(ms + 0.5))
	})
}

// HeldText is what holds the watermark back.
func (p Pipeline) HeldText() string {
	if p.Holder == "" {
		return home.Unknown
	}
	return p.Holder
}

// StateText is the number of rows of the state.
func (p Pipeline) StateText() words.Text { return words.Optional(p.StateRows, words.Count) }
