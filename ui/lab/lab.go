// Package lab is what the page Lab knows: the tour of README in nine steps over what a house has, and what the
// server asks itself to tell whether a step is done. It draws nothing, changes nothing, and asks through the
// Gate alone, as the reader; its State is also the JSON twin.
package lab

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
	"tarn/lake/table"
	"tarn/stream/pipeline"
	"tarn/ui/words"
)

// Topic is the one that the tour itself posts to.
const Topic = "lab"

// Input is a house, and what its reader has named.
type Input struct {
	Sources   []source.Status
	Landings  []pipeline.Landing
	Pipelines []pipeline.Status
	Columns   []Column        // of the bronze table, where there is no mirror
	Faults    map[string]bool // the sample's switches; nil where it does not run
	Database  string          // the sample's; "" where it does not run
	Process   int
	Started   time.Time

	Topic    string // the reader's, "" for the first that suits
	Pipeline string // the reader's, "" for the one of the tour
}

// Column is one that a source of the tour may declare.
type Column struct{ Name, Type string }

// ColumnsOf asks for those of a table of bronze, without the system's.
func ColumnsOf(bronze string) string {
	return "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'bronze' AND table_name = " + sqltext.Literal(bronze) +
		" AND NOT starts_with(column_name, '_') ORDER BY ordinal_position"
}

// State is the tour at one moment.
type State struct {
	Subject Subject  `json:"subject"`
	Choices []Choice `json:"choices"` // what the tour may be over
	Pipes   []string `json:"pipelines"`
	Missing string   `json:"missing,omitempty"` // a topic that the reader named and that is not there
	Steps   []Step   `json:"steps"`
	Faults  []Fault  `json:"faults"` // the sample's switches; none where it does not run
}

// Subject is what the steps are over: one way through the house.
type Subject struct {
	Source   string `json:"source,omitempty"`
	Topic    string `json:"topic,omitempty"`
	Bronze   string `json:"bronze,omitempty"`
	Silver   string `json:"silver,omitempty"` // "" for a topic without a mirror
	Pipeline string `json:"pipeline"`
	Gold     string `json:"gold"`
}

// Choice is a topic with the table that it is best known by.
type Choice struct {
	Topic string `json:"topic"`
	Table string `json:"table"`
}

// Fault is a switch of the sample.
type Fault struct {
	Name string     `json:"name"`
	On   bool       `json:"on"`
	Does words.Text `json:"does"`
}

// Step is one of the nine.
type Step struct {
	Number int        `json:"number"`
	ID     string     `json:"id"`
	Title  words.Text `json:"title"`
	Learn  words.Text `json:"learn"`
	Do     []Act      `json:"do"`
	Page   string     `json:"page"` // that shows it
	Asks   []string   `json:"asks"` // statements whose answers the server judges

	judge func([]Rows) Found
}

// The kinds of acts.
const (
	SQL   = "sql"   // a statement, which the page runs
	Post  = "post"  // a record for the topic lab, which the page posts
	Shell = "shell" // a command, which the reader runs
)

// Act is one thing to do.
type Act struct {
	Kind string     `json:"kind"`
	Why  words.Text `json:"why"`
	Text string     `json:"text"`
}

// Found is what a check has found.
type Found struct {
	Done bool       `json:"done"`
	Text words.Text `json:"found"`
	Next words.Text `json:"next,omitzero"` // what to do, where it is not done
}

// Rows are an answer; nil where what was asked for is not there.
type Rows [][]string

// Ask runs a statement as the reader; its errors are faults.
type Ask func(ctx context.Context, statement string) (Rows, error)

// Check asks what a step asks, and judges the answers.
func (s Step) Check(ctx context.Context, ask Ask) (Found, error) {
	answers := make([]Rows, len(s.Asks))
	for i, statement := range s.Asks {
		rows, err := ask(ctx, statement)
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return Found{}, err
		}
		if err == nil {
			answers[i] = rows
		}
	}
	return s.judge(answers), nil
}

// text is a cell of an answer, "" where there is none.
func (r Rows) text(column int) string {
	if len(r) == 0 || column >= len(r[0]) {
		return ""
	}
	return r[0][column]
}

// number is a cell of an answer, 0 where there is none.
func (r Rows) number(column int) int64 {
	n, _ := strconv.ParseInt(r.text(column), 10, 64) // null counts as none
	return n
}

// Step returns the step of a number or an id.
func (s State) Step(name string) (Step, bool) {
	for _, step := range s.Steps {
		if step.ID == name || strconv.Itoa(step.Number) == name {
			return step, true
		}
	}
	return Step{}, false
}

// Look makes the tour over what a house has.
func Look(in Input) State {
	s := State{Choices: choices(in.Landings), Pipes: []string{}, Faults: faults(in.Faults)}
	h := house{Input: in}
	at := h.choose()
	if at >= 0 {
		h.take(in.Landings[at])
	} else if in.Topic != "" {
		s.Missing = in.Topic
	}
	h.findPipeline()
	for _, p := range in.Pipelines {
		s.Pipes = append(s.Pipes, p.Name)
	}
	slices.Sort(s.Pipes)
	s.Subject = h.subject()
	s.Steps = h.steps()
	return s
}

// house is a house with the way through it that the tour takes.
type house struct {
	Input
	source               string
	topic                string
	bronze, silver, gold table.Ident
	pipeline             string
	makes                []string // the statements that make the tour's pipeline
}

func (h *house) subject() Subject {
	out := Subject{Source: h.source, Topic: h.topic, Pipeline: h.pipeline, Gold: h.gold.String()}
	if h.topic != "" {
		out.Bronze = h.bronze.String()
	}
	if h.silver.Name != "" {
		out.Silver = h.silver.String()
	}
	return out
}

func (h *house) take(l pipeline.Landing) {
	h.topic, h.bronze, h.silver = l.Topic, l.Bronze, l.Silver
	for _, one := range h.Sources {
		if slices.Contains(one.Topics, l.Topic) {
			h.source = one.Name
		}
	}
}

// own tells that a topic is Tarn's or the tour's.
func own(topic string) bool { return topic == Topic || strings.HasPrefix(topic, record.OwnPrefix) }

// sampleTopic is what the tour of README is over.
const sampleTopic = "port.main.calls"

// sample tells that the tour is that of README.
func (h *house) sample() bool { return h.Database != "" && h.topic == sampleTopic }

// choose is the place of the landing that the reader named, by its topic or one of its tables; else of README's, else of the first
// that has a mirror, else of the first; -1 for none.
func (h *house) choose() int {
	is := func(want func(pipeline.Landing) bool) int {
		return slices.IndexFunc(h.Landings, func(l pipeline.Landing) bool { return !strings.HasPrefix(l.Topic, record.OwnPrefix) && want(l) })
	}
	if name := h.Topic; name != "" {
		return is(func(l pipeline.Landing) bool {
			return l.Topic == name || l.Bronze.String() == name || l.Silver.Name != "" && l.Silver.String() == name
		})
	}
	for _, want := range []func(pipeline.Landing) bool{
		func(l pipeline.Landing) bool { return h.Database != "" && l.Topic == sampleTopic },
		func(l pipeline.Landing) bool { return !own(l.Topic) && l.Silver.Name != "" },
		func(l pipeline.Landing) bool { return !own(l.Topic) },
		func(pipeline.Landing) bool { return true },
	} {
		if at := is(want); at >= 0 {
			return at
		}
	}
	return -1
}

func choices(landings []pipeline.Landing) []Choice {
	out := []Choice{}
	for _, l := range landings {
		if strings.HasPrefix(l.Topic, record.OwnPrefix) {
			continue
		}
		c := Choice{l.Topic, l.Bronze.String()}
		if l.Silver.Name != "" {
			c.Table = l.Silver.String()
		}
		out = append(out, c)
	}
	return out
}

// findPipeline is the one that the reader named, else the tour's, else one that reads what the tour is over.
func (h *house) findPipeline() {
	var name string
	name, h.makes = h.firstPipeline()
	h.pipeline, h.gold = "gold."+name, table.Ident{Namespace: "gold", Name: name}
	named := func(want string) bool {
		for _, p := range h.Pipelines {
			if p.Name == want {
				h.pipeline, h.gold = p.Name, p.Into
				return true
			}
		}
		return false
	}
	if h.Pipeline != "" {
		if !named(h.Pipeline) {
			h.pipeline, h.gold = h.Pipeline, table.ParseIdent(h.Pipeline)
		}
		return
	}
	if named(h.pipeline) || h.Database != "" {
		return
	}
	for _, p := range h.Pipelines {
		if slices.ContainsFunc(p.Reads, func(r pipeline.Read) bool { return r.Topic == h.topic }) {
			h.pipeline, h.gold = p.Name, p.Into
			return
		}
	}
}

// declared are the types of a CREATE SOURCE, by those of columns.
var declared = map[string]string{
	"VARCHAR": "VARCHAR", "BOOLEAN": "BOOLEAN", "BIGINT": "BIGINT", "INTEGER": "INT", "DOUBLE": "DOUBLE", "DATE": "DATE", "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
}

// firstPipeline is a pipeline over what the tour is over: the name of its table, and the statements that make it.
func (h *house) firstPipeline() (name string, makes []string) {
	switch {
	case h.sample():
		return "calls_by_berth", []string{"CREATE MATERIALIZED VIEW calls_by_berth AS\nSELECT port, berth, status, count(*) AS calls\nFROM silver.calls GROUP BY port, berth, status"}
	case h.silver.Name != "":
		name = "lab_" + h.silver.Name
		return name, []string{"CREATE MATERIALIZED VIEW gold." + sqltext.Name(name) + " AS\nSELECT count(*) AS n FROM " + quoted(h.silver)}
	case h.topic == "":
		return "lab_first", nil
	}
	name = "lab_" + h.bronze.Name
	for _, c := range h.Columns {
		if typ, ok := declared[c.Type]; ok {
			view := "SELECT count(*) AS n FROM " + sqltext.Name(name)
			if typ == "VARCHAR" || typ == "BOOLEAN" {
				view = "SELECT " + sqltext.Name(c.Name) + ", count(*) AS n FROM " + sqltext.Name(name) + " GROUP BY " + sqltext.Name(c.Name)
			}
			return name, []string{
				"CREATE SOURCE " + sqltext.Name(name) + " (" + sqltext.Name(c.Name) + " " + typ + ")\nWITH (connector = 'kafka', topic = " + sqltext.Literal(h.topic) + ", format = 'json')",
				"CREATE MATERIALIZED VIEW gold." + sqltext.Name(name) + " AS\n" + view,
			}
		}
	}
	return name, nil
}

// quoted is a table in a statement.
func quoted(id table.Ident) string { return sqltext.Name(id.Namespace, id.Name) }

// does says what a switch does, by its name.
var does = map[string]words.Text{
	"late":       words.Say("a gateway without network sends some readings ten minutes late: look at system.late"),
	"duplicates": words.Say("readings are posted twice, plates are read twice: look at readings beside moves"),
	"poison":     words.Say("the gates’ log has lines that are none, manifests a row: look at system.dead_letter"),
	"schema":     words.Say("the terminal’s software adds a column, containers.seal, which stays"),
	"wind":       words.Say("more than 72 km/h: all cranes stop: look at gold.wind"),
}

func faults(on map[string]bool) []Fault {
	out := []Fault{}
	for _, name := range slices.Sorted(maps.Keys(on)) {
		out = append(out, Fault{name, on[name], does[name]})
	}
	return out
}
