package view

import (
	"fmt"
	"net/url"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/ui/home"
	"tarn/ui/pipelines"
	"tarn/ui/words"
)

// PipelinesQuery is what the address of the page of pipelines holds.
type PipelinesQuery struct {
	Find string
	New  bool // somebody writes one
}

// inPipelines is the address of a pipeline.
func inPipelines(name string) string { return pipelinesWindow.path + "/" + url.PathEscape(name) }

// PipelinesPage is what the templates of the list show.
type PipelinesPage struct {
	Frame
	State pipelines.State
	Query PipelinesQuery
	Rows  []pipelines.Pipeline // what of Found the page has room for
	Found int
	Host  string
}

// NewPipelinesPage finds the pipelines of a state.
func NewPipelinesPage(f Frame, s pipelines.State, q PipelinesQuery, host string) PipelinesPage {
	found := s.Find(q.Find)
	return PipelinesPage{Frame: f, State: s, Query: q, Rows: found[:min(len(found), tableRowsMax)], Found: len(found), Host: host}
}

// window has the script that the page needs: one to write a pipeline, or to find one.
func (p PipelinesPage) window() window {
	w := pipelinesWindow
	if p.Query.New {
		w.script = "js/pipeline.js"
	}
	return w
}

// PipelinePage is what the templates of one pipeline show.
type PipelinePage struct {
	Frame
	pipelines.Pipeline
	Edit    bool
	Missing *fault.Error // why there is none
	Host    string
}

// NewPipelinePage shows a pipeline.
func NewPipelinePage(f Frame, p pipelines.Pipeline, host string) PipelinePage {
	return PipelinePage{Frame: f, Pipeline: p, Host: host}
}

func (p PipelinePage) window() window {
	w := pipelinesWindow
	w.script, w.twin = "js/pipeline.js", "/api/pipelines/"+url.PathEscape(p.Name)
	w.title = words.Join(" · ", words.Plain(p.Name), w.title)
	return w
}

// Figures are the numbers of a pipeline: each has the name of its value and of its note.
func (p PipelinePage) figures() []pipeFigure {
	list := []pipeFigure{
		{words.Say("Rows in"), ".rows", p.RowsText(), ".rate", p.RateText(), home.OK},
		{words.Say("Rows out"), ".out", words.Count(p.Emitted), ".commit", p.CommitText(), home.OK},
		{words.Say("Lag"), ".lag", p.LagText(), "", words.Say("records not taken yet"), home.OK},
		{words.Say("Watermark behind"), ".behind", p.BehindText(), ".mark", p.WatermarkText(), home.OK},
		{words.Say("Late rows"), ".late", p.LateText(), "", words.Say("too late for their windows"), home.OK},
		{words.Say("Dead letters"), ".dead", p.DeadText(), "", words.Say("could not be read"), home.OK},
		{words.Say("Ticks"), ".ticks", p.TicksText(), ".tick", p.TickText(), home.OK},
		{words.Say("State"), ".state", p.StateText(), "", words.Say("rows that are kept"), home.OK},
	}
	if p.Late > 0 {
		list[4].level = home.Warn
	}
	if p.Dead > 0 {
		list[5].level = home.Warn
	}
	return list
}

type pipeFigure struct {
	label    words.Text
	value    string // the name of its value
	text     words.Text
	note     string // the name of its note
	noteText words.Text
	level    home.Level
}

// holder is the partition that holds the watermark: where its records are.
func (p PipelinePage) holderPath() string {
	topic, partition, ok := cutLast(p.Holder, "/")
	if !ok {
		return inTopics(p.Holder)
	}
	return TopicsQuery{Topic: topic, Partition: partition}.path()
}

func cutLast(text, sep string) (before, after string, found bool) {
	at := strings.LastIndex(text, sep)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(sep):], true
}

// quotedName is the pipeline's name in a statement.
func (p PipelinePage) quotedName() string { return sqltext.Dotted(p.Name) }

// The statements that the page sends or tells of.
func (p PipelinePage) explainSQL() string { return "EXPLAIN PIPELINE " + p.quotedName() }

func (p PipelinePage) ticksSQL() string {
	return fmt.Sprintf("SELECT \"at\", epoch, ticks, rows, emitted, late, dead, tick_ms, watermark, lag\nFROM system.ticks\nWHERE pipeline = %s\nORDER BY \"at\" DESC\nLIMIT 60", sqltext.Literal(p.Name))
}

func (p PipelinePage) lateSQL() string {
	return fmt.Sprintf("SELECT topic, partition, \"offset\", \"at\", window_start, window_end, watermark, value\nFROM system.late\nWHERE pipeline = %s\nORDER BY \"at\" DESC\nLIMIT 50", sqltext.Literal(p.Name))
}

func (p PipelinePage) deadSQL() string { return deadOf(p.Topics) }

// deadOf shows the dead letters of topics, and where those went that were sent again.
func deadOf(topics []string) string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = sqltext.Literal(t)
	}
	if len(names) == 0 {
		names = []string{"''"}
	}
	return fmt.Sprintf("SELECT d.topic, d.partition, d.\"offset\", d.\"at\", d.error, d.key, d.value, d.reader, d.letter, r.\"at\" AS replayed, r.partition AS to_partition, r.\"offset\" AS to_offset\n"+
		"FROM system.dead_letter AS d LEFT JOIN system.replays AS r ON r.letter = d.letter\nWHERE d.topic IN (%s)\nORDER BY d.\"at\" DESC\nLIMIT 50", strings.Join(names, ", "))
}

// firstText is what the editor begins with.
func (p PipelinePage) altered() string {
	if text := pipelines.Altered(p.Name, p.Statement); text != "" {
		return text
	}
	return "ALTER PIPELINE " + p.quotedName() + " REBUILD"
}

// onCurl is a statement as curl posts it.
func onCurl(host, sql string) string {
	return "curl -sS http://" + host + "/api/sql --data-raw '" + strings.ReplaceAll(sql, "'", `'\''`) + "'"
}
