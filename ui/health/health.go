// Package health is what the page of Tarn's own state knows: its parts with how long each has been as it
// is, what it takes of disk and memory, and the last lines of its log. It draws nothing; its State is also
// the page's JSON twin.
package health

import (
	"time"

	"tarn/embedded"
	"tarn/embedded/life"
	"tarn/embedded/telemetry"
	"tarn/ui/home"
	"tarn/ui/words"
)

// State is the whole page at one moment.
type State struct {
	At       time.Time        `json:"at"`
	Health   string           `json:"health"`
	Problems []home.Problem   `json:"problems"`
	Parts    []Part           `json:"parts"`
	Doors    []home.Door      `json:"doors"`
	Usage    *embedded.Usage  `json:"usage,omitempty"`
	Log      []telemetry.Line `json:"log"` // the oldest first
}

// Part is a part with how long it has been as it is.
type Part struct {
	home.Part
	Since time.Time `json:"since,omitzero"`
	ForMS int64     `json:"for_ms"`
}

// Look makes a state of what Home has seen.
func Look(h home.State, parts []life.Status) State {
	s := State{At: h.At, Health: h.Health, Problems: h.Problems, Parts: []Part{}, Doors: h.Doors, Log: []telemetry.Line{}}
	since := map[string]time.Time{}
	for _, p := range parts {
		since[p.Name] = p.Since
	}
	for _, p := range h.Parts {
		one := Part{Part: p, Since: since[p.Name]}
		if !one.Since.IsZero() {
			one.ForMS = max(0, h.At.Sub(one.Since).Milliseconds())
		}
		s.Parts = append(s.Parts, one)
	}
	return s
}

// Values are the texts that move, in a language, by the names that the page gives them.
func (s State) Values(l words.Language) map[string]string {
	out := make(map[string]string, len(s.Parts))
	for _, p := range s.Parts {
		out[p.ForKey()] = p.ForText().In(l)
	}
	return out
}

// ForKey names how long the part has been as it is.
func (p Part) ForKey() string { return p.Key + ".for" }

// ForText is how long the part has been as it is.
func (p Part) ForText() words.Text {
	if p.Since.IsZero() {
		return words.Plain(words.Unknown)
	}
	return words.Millis(p.ForMS / 1000 * 1000)
}
