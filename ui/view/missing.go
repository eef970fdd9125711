package view

import (
	"tarn/embedded/fault"
	"tarn/ui/words"
)

// MissingPage is what the template of a page that is not there shows.
type MissingPage struct {
	Frame
	Path  string // as it was asked for
	Fault *fault.Error
}

func (p MissingPage) window() window {
	return window{
		path: p.Path, twin: "/api" + p.Path, title: words.Say("No such page · Tarn"), about: words.Say("An address that is none"),
		script: "js/plain.js", sheets: []string{"css/health.css"},
	}
}
