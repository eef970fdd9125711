// Package view draws the page: templ parts that take plain structs. It decides nothing.
// templ escapes all text, so what came from data stays text.
package view

import (
	"cmp"
	"slices"
	"strconv"

	"tarn/ui/home"
	"tarn/ui/layout"
	"tarn/ui/words"
)

// The bounds of one page.
const (
	laneNodesMax = 18  // of the picture; the table below it shows more
	tableRowsMax = 300 // of that table; /api/home has all
	labelRunes   = 22  // of a node's name that fit its box
)

// footHeight is the room of the line "and 3 more", in the picture's units.
const footHeight = 18.0

// laneLabels head the picture's lanes.
var laneLabels = [...]words.Text{words.Say("Sources"), words.Say("Topics"), words.Say("Bronze"), words.Say("Silver"), words.Say("Gold")}

// Frame is what all pages have around them.
type Frame struct {
	Build   string
	URL     func(name string) string // of an asset
	Shape   string                   // of all that is no value
	Version string
	Sample  bool
	Health  string // of all parts
	At      string // the moment that the page is of
}

// window is one of the pages.
type window struct {
	name         words.Text
	path, twin   string
	title, about words.Text
	script       string
	sheets       []string
}

var (
	homeWindow = window{
		words.Say("Home"), "/", "/api/home", words.Plain("Tarn"), words.Say("Data on its way: sources, topics, tables, views"), "js/home.js", []string{"css/flow.css", "css/sql.css"},
	}
	lakeWindow = window{
		words.Say("Tables"), "/lake", "/api/lake", words.Say("Tables · Tarn"), words.Say("The tables of the lake and their upkeep"), "js/list.js", []string{"css/lake.css"},
	}
	topicsWindow = window{
		words.Say("Topics"), "/topics", "/api/topics", words.Say("Topics · Tarn"), words.Say("The topics of the log"), "js/topics.js", []string{"css/lake.css", "css/pipelines.css", "css/topics.css"},
	}
	recordsWindow = window{
		words.Say("Topics"), "/topics", "/api/topics", words.Say("Topics · Tarn"), words.Say("The records of a topic"), "js/records.js", []string{"css/lake.css", "css/pipelines.css", "css/topics.css"},
	}
	pipelinesWindow = window{
		words.Say("Pipelines"), "/pipelines", "/api/pipelines", words.Say("Pipelines · Tarn"), words.Say("The pipelines and what ails them"), "js/list.js", []string{"css/lake.css", "css/sql.css", "css/pipelines.css"},
	}
	sqlWindow = window{
		words.Plain("SQL"), "/sql", "/api/sql", words.Plain("SQL · Tarn"), words.Say("Statements over the lake"), "js/query.js", []string{"css/sql.css", "css/query.css"},
	}
	sourcesWindow = window{
		words.Say("Sources"), "/sources", "/api/sources", words.Say("Sources · Tarn"), words.Say("The sources and what ails them"), "js/list.js", []string{"css/lake.css", "css/pipelines.css", "css/sources.css"},
	}
	healthWindow = window{
		words.Say("Health"), "/status", "/api/status", words.Say("Health · Tarn"), words.Say("Tarn's own state: parts, doors, disk, memory, log"), "js/health.js", []string{"css/health.css"},
	}
	windows = []window{homeWindow, sourcesWindow, topicsWindow, pipelinesWindow, lakeWindow, sqlWindow, healthWindow, labWindow}
)

// Page is what the templates of Home show.
type Page struct {
	Frame
	State home.State
	Flow  Flow
}

// Flow is the picture: the state's nodes with their places.
type Flow struct {
	Width, Height float64
	Foot          float64 // the room below for what the picture leaves out
	Lanes         []Lane
	Boxes         []Box
	Lines         []Line
	Rows          []home.Node
}

// Lane is the head of a lane; More counts nodes that the picture leaves out.
type Lane struct {
	Label words.Text
	X     float64
	Empty bool
	More  int
}

// Box is a node in its place.
type Box struct {
	home.Node
	layout.Point
}

// Line is an edge with its path.
type Line struct {
	home.Edge
	D string
}

// NewPage places the nodes of a state.
func NewPage(f Frame, s home.State) Page {
	return Page{Frame: f, State: s, Flow: newFlow(s)}
}

func newFlow(s home.State) Flow {
	byLane := map[int][]home.Node{}
	lanes := len(laneLabels)
	for _, n := range s.Nodes {
		byLane[n.Lane] = append(byLane[n.Lane], n)
		lanes = max(lanes, n.Lane+1)
	}
	f := Flow{Rows: s.Nodes[:min(len(s.Nodes), tableRowsMax)]}
	var shown []home.Node
	for lane := range lanes {
		all := byLane[lane]
		kept := firstNodes(all)
		shown = append(shown, kept...)
		l := Lane{X: float64(lane) * layout.LaneStep, Empty: len(all) == 0, More: len(all) - len(kept)}
		if lane < len(laneLabels) {
			l.Label = laneLabels[lane]
		}
		if l.More > 0 {
			f.Foot = footHeight
		}
		f.Lanes = append(f.Lanes, l)
	}
	nodes := make([]layout.Node, len(shown))
	for i, n := range shown {
		nodes[i] = layout.Node{Key: n.Key, Lane: n.Lane}
	}
	edges := make([]layout.Edge, len(s.Edges))
	for i, e := range s.Edges {
		edges[i] = layout.Edge{From: e.From, To: e.To}
	}
	d := layout.Place(nodes, edges)
	f.Width, f.Height = float64(lanes-1)*layout.LaneStep+layout.NodeWidth, max(d.Height, layout.NodeHeight)
	for _, n := range shown {
		f.Boxes = append(f.Boxes, Box{n, d.At[n.Key]})
	}
	for _, e := range s.Edges {
		if path := d.Paths[layout.Edge{From: e.From, To: e.To}]; path != "" {
			f.Lines = append(f.Lines, Line{e, path})
		}
	}
	return f
}

// firstNodes are the nodes of a lane that the picture has room for: those with trouble first.
func firstNodes(all []home.Node) []home.Node {
	if len(all) <= laneNodesMax {
		return all
	}
	rank := func(n home.Node) int {
		return -slices.Index([]home.Level{home.OK, home.Idle, home.Note, home.Warn, home.Bad}, n.Level)
	}
	byTrouble := slices.Clone(all)
	slices.SortStableFunc(byTrouble, func(a, b home.Node) int { return cmp.Compare(rank(a), rank(b)) })
	return byTrouble[:laneNodesMax]
}

// short cuts the middle out of a long name: its ends tell more.
func short(n home.Node) string {
	runes, room := []rune(n.Label), labelRunes
	if marked(n) {
		room -= 2
	}
	if len(runes) <= room {
		return n.Label
	}
	head := room / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(room-head-1):])
}

// marked tells whether a node has a mark for trouble behind its name.
func marked(n home.Node) bool { return n.Level == home.Bad || n.Level == home.Warn }

func num(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// badge is the class of a pill of a level.
func badge(l home.Level) string { return "pill pill-" + string(l) }

// said is what a pill says for a level.
func said(health string) words.Text {
	switch health {
	case "ok":
		return words.Say("All parts ready")
	case "degraded":
		return words.Say("Degraded")
	case "failed":
		return words.Say("Failed")
	}
	return words.Say("Starting")
}

func healthLevel(health string) home.Level {
	switch health {
	case "ok":
		return home.OK
	case "degraded":
		return home.Warn
	case "failed":
		return home.Bad
	}
	return home.Idle
}

// kindOf is the word for a problem's level.
func kindOf(l home.Level) words.Text {
	switch l {
	case home.Bad:
		return words.Say("failed")
	case home.Note:
		return words.Say("note")
	}
	return words.Say("warning")
}

// pageOf is the address of a node's page.
func pageOf(n home.Node) string {
	switch n.Kind {
	case home.Source:
		return inSources(n.Name)
	case home.Topic:
		return inTopics(n.Name)
	}
	return inLake(n.Name)
}

func layer(n home.Node) words.Text {
	if n.View {
		return words.State("view")
	}
	return words.State(string(n.Kind))
}

func firstQuery(s home.State) string {
	if len(s.Examples) == 0 {
		return ""
	}
	return s.Examples[0].SQL
}

// sqlExamples are statements that any Tarn answers, one without data too.
var sqlExamples = []struct {
	title words.Text
	sql   string
}{
	{words.Say("tables and views"), "SHOW TABLES"},
	{words.Say("newest snapshot of each table"), "SELECT layer, name, rows, snapshot_id, committed_at\nFROM system.tables\nORDER BY committed_at DESC"},
	{words.Say("what upkeep would do"), "SELECT layer, name, action, reason\nFROM system.health\nWHERE action IS NOT NULL"},
	{words.Say("small files and deletes of each table"), "SELECT layer, name, files, small_files, delete_files, deleted_rows, bytes\nFROM system.health\nORDER BY small_files DESC"},
	{words.Say("size of each topic"), "SELECT name, sum(next_offset - log_start) AS records, sum(bytes) AS bytes\nFROM system.topics\nGROUP BY name\nORDER BY bytes DESC"},
	{words.Say("state of each source"), "SELECT name, kind, state, lag_ms, rows, error, hint\nFROM system.sources"},
	{words.Say("parts of Tarn"), "SELECT *\nFROM system.parts"},
}

// The words of the empty page.
const (
	sampleCommand = "tarn up --sample"
	exampleFile   = "connectors/shop.json"
	exampleJSON   = `{
  "name": "shop",
  "config": {
    "connector.class": "io.tarn.sqlite.SqliteConnector",
    "database.path": "/path/to/shop.db",
    "topic.prefix": "shop"
  }
}`
)
