package view

import (
	"net/url"
	"strconv"
	"strings"

	"tarn/ui/lab"
	"tarn/ui/words"
)

// LabQuery is what the reader has named.
type LabQuery struct{ Topic, Pipeline string }

func (q LabQuery) values(step int) url.Values {
	v := url.Values{"step": {strconv.Itoa(step)}}
	if q.Topic != "" {
		v.Set("topic", q.Topic)
	}
	if q.Pipeline != "" {
		v.Set("pipeline", q.Pipeline)
	}
	return v
}

// LabPage is what the templates of Lab show: the tour, and one of its steps.
type LabPage struct {
	Frame
	State lab.State
	Step  lab.Step
	Query LabQuery
	Host  string
}

func (p LabPage) window() window {
	w := labWindow
	w.twin = "/api/lab"
	return w
}

// to is the address of a step.
func (p LabPage) to(step int) string { return labWindow.path + "?" + p.Query.values(step).Encode() }

// check is the address of what the step's check finds.
func (p LabPage) check() string {
	v := p.Query.values(p.Step.Number)
	v.Set("step", p.Step.ID)
	return labWindow.path + "/check?" + v.Encode()
}

// over names a choice.
func over(c lab.Choice) string {
	if c.Table == "" {
		return c.Topic
	}
	return c.Table
}

// posted is a record as curl posts it.
func (p LabPage) posted(body string) string {
	return "curl -sS -H 'Content-Type: application/json' -d '" + strings.ReplaceAll(body, "'", `'\''`) + "' http://" + p.Host + "/ingest/" + lab.Topic
}

// switched is a switch as curl turns it.
func (p LabPage) switched(f lab.Fault) string {
	wish := "on"
	if f.On {
		wish = "off"
	}
	return "curl -sS -d " + wish + " http://" + p.Host + "/api/lab/faults/" + url.PathEscape(f.Name)
}

// checksAs are the statements of a check, in one text.
func checksAs(asks []string) string { return strings.Join(asks, ";\n") }

var labWindow = window{
	words.Say("Lab"), "/lab", "/api/lab", words.Say("Lab · Tarn"), words.Say("The tour of Tarn in nine steps, each checked"), "js/lab.js", []string{"css/sql.css", "css/pipelines.css", "css/lab.css"},
}
