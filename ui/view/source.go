package view

import (
	"encoding/json"
	"net/url"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/ui/home"
	"tarn/ui/sources"
	"tarn/ui/words"
)

// SourcesQuery is what the address of the page of sources holds.
type SourcesQuery struct {
	Find string
	New  bool   // somebody adds one
	Kind string // of which class
}

func (q SourcesQuery) kind(class string) string {
	return sourcesWindow.path + "?" + url.Values{"new": {"1"}, "kind": {class}}.Encode()
}

// inSources is the address of a source.
func inSources(name string) string { return sourcesWindow.path + "/" + url.PathEscape(name) }

// SourcesPage is what the templates of the list show.
type SourcesPage struct {
	Frame
	State sources.State
	Query SourcesQuery
	Rows  []sources.Source // what of Found the page has room for
	Found int
	Host  string
	// Project is the project's folder; Writes tells that there is one, into which Tarn writes.
	Project string
	Writes  bool
}

// names are those of all sources, for a form that makes another.
func (p SourcesPage) names() string {
	names := make([]string, len(p.State.Sources))
	for i, s := range p.State.Sources {
		names[i] = s.Name
	}
	text, _ := json.Marshal(names) // strings always are JSON
	return string(text)
}

// NewSourcesPage finds the sources of a state.
func NewSourcesPage(f Frame, s sources.State, q SourcesQuery, host string) SourcesPage {
	found := s.Find(q.Find)
	return SourcesPage{Frame: f, State: s, Query: q, Rows: found[:min(len(found), tableRowsMax)], Found: len(found), Host: host}
}

func (p SourcesPage) window() window {
	w := sourcesWindow
	if p.Query.New {
		w.script = "js/source.js"
	}
	return w
}

// chosen is the kind whose keys the form has.
func (p SourcesPage) chosen() (sources.Kind, bool) {
	for _, k := range p.State.Kinds {
		if k.Name == p.Query.Kind {
			return k, true
		}
	}
	if len(p.State.Kinds) == 0 {
		return sources.Kind{}, false
	}
	return p.State.Kinds[0], true
}

// SourcePage is what the templates of one source show.
type SourcePage struct {
	Frame
	sources.Source
	Missing *fault.Error // why there is none
	Host    string
}

// NewSourcePage shows a source.
func NewSourcePage(f Frame, s sources.Source, host string) SourcePage {
	return SourcePage{Frame: f, Source: s, Host: host}
}

func (p SourcePage) window() window {
	w := sourcesWindow
	w.script, w.twin = "js/source.js", "/api/sources/"+url.PathEscape(p.Name)
	w.title = words.Join(" · ", words.Plain(p.Name), w.title)
	return w
}

func (p SourcePage) figures() []pipeFigure {
	n := p.Node
	list := []pipeFigure{
		{words.Say("Rows"), ".rows", n.RowsText(), "", words.Say("since start"), home.OK},
		{words.Say("Rate"), ".rate", n.RateText(), "", words.Say("that come in"), home.OK},
		{words.Say("Waiting"), ".lag", n.LagText(), "", words.Say("in the source, not in the log"), home.OK},
		{words.Say("Behind"), ".behind", n.BehindText(), "", words.Say("the oldest that waits"), home.OK},
		{words.Say("Dead letters"), ".dead", words.Count(p.Dead), "", words.Say("of its topics, since start"), home.OK},
	}
	if p.Retained > 0 {
		list[2].noteText = words.Say("%s kept in the source", words.Bytes(p.Retained))
	}
	if p.Dead > 0 {
		list[4].level = home.Warn
	}
	return list
}

// resnapshotSQL takes a new snapshot of a table; "" is all of them.
func (p SourcePage) resnapshotSQL(table string) string {
	statement := "RESNAPSHOT CONNECTOR " + sqltext.Name(p.Name)
	if table == "" {
		return statement
	}
	name := sqltext.Name(table)
	if schema, rest, ok := strings.Cut(table, "."); ok && !strings.Contains(rest, ".") {
		name = sqltext.Name(schema) + "." + sqltext.Name(rest)
	}
	return statement + " TABLE " + name
}

// tables are those that the page has room for.
func (p SourcePage) tables() []sources.Table { return p.Tables[:min(len(p.Tables), tableRowsMax)] }

func (p SourcePage) deadSQL() string {
	names := make([]string, len(p.Topics))
	for i, t := range p.Topics {
		names[i] = t.Name
	}
	return deadOf(names)
}

func (p SourcePage) statusSQL() string {
	return "SELECT * FROM system.sources WHERE name = " + sqltext.Literal(p.Name)
}

// stateOf is the word for a source's state, with how far its snapshot is.
func stateOf(s sources.Source) string {
	if s.Snapshot != "" && s.State == "snapshot" {
		return "snapshot"
	}
	return s.State
}

const sourcesQuery = "SELECT * FROM system.sources"
