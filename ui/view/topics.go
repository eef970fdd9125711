package view

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
	"tarn/ui/topics"
	"tarn/ui/words"
)

// TopicsQuery is what the address of the page of topics holds: those of all with a part of a name, or the
// records of one.
type TopicsQuery struct {
	Find      string // a part of names, or of keys and values
	Topic     string
	Partition string
	From      string
	Raw       bool
}

func (q TopicsQuery) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"find": q.Find, "topic": q.Topic, "partition": q.Partition, "from": q.From} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Raw {
		values.Set("raw", "1")
	}
	return values
}

func (q TopicsQuery) path() string {
	if values := q.values(); len(values) > 0 {
		return topicsWindow.path + "?" + values.Encode()
	}
	return topicsWindow.path
}

func (q TopicsQuery) from(place string) string {
	q.From = place
	return q.path()
}

func (q TopicsQuery) raw(on bool) string {
	q.Raw = on
	return q.path()
}

// records is the address of the JSON twin of what the page shows.
func (q TopicsQuery) records() string {
	values := q.values()
	values.Del("topic")
	values.Del("raw")
	path := "/api/topics/" + url.PathEscape(q.Topic) + "/records"
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	return path
}

// inTopics is the address of a topic's records.
func inTopics(name string) string { return TopicsQuery{Topic: name}.path() }

// TopicsPage is what the templates of the page of topics show.
type TopicsPage struct {
	Frame
	State topics.State
	Query TopicsQuery
	Rows  []topics.Topic // what of Found the page has room for
	Found int

	Groups []topics.Group // what of the state's the page has room for

	Host   string        // by which the page was asked for
	Topic  topics.Topic  // the chosen one
	Answer topics.Answer // its records
	Error  *fault.Error  // why there are none

	Settings []topics.Setting // of the chosen one
	Own      bool             // it is Tarn's own, and nobody else's to change
	Filled   bool             // a source fills it
}

// With adds what the chosen topic is made to be.
func (p TopicsPage) With(t *bus.Topic) TopicsPage {
	p.Settings, p.Own, p.Filled = topics.Settings(t), bus.Own(t.Name()), t.Config().Filled()
	return p
}

// settings are those in force, or the others.
func (p TopicsPage) settings(inForce bool) (out []topics.Setting) {
	for _, s := range p.Settings {
		if s.InForce == inForce {
			out = append(out, s)
		}
	}
	return out
}

// alterable tells whether somebody may change a setting.
func (p TopicsPage) alterable(s topics.Setting) bool {
	return !p.Own && (s.Name != topics.Partitions || !p.Filled)
}

// describe is the statement that tells all settings.
func (p TopicsPage) describe() string { return "DESCRIBE TOPIC " + sqltext.Name(p.Topic.Name) }

// NewTopicsPage finds the topics of a state.
func NewTopicsPage(f Frame, s topics.State, q TopicsQuery) TopicsPage {
	found := s.Find(q.Find)
	return TopicsPage{Frame: f, State: s, Query: q, Rows: found[:min(len(found), tableRowsMax)], Found: len(found), Groups: s.Groups[:min(len(s.Groups), tableRowsMax)]}
}

// NewTopicPage shows records of a topic, or the fault for which there are none.
func NewTopicPage(f Frame, s topics.State, q TopicsQuery, host string, a topics.Answer, err *fault.Error) TopicsPage {
	t, _ := s.Topic(q.Topic)
	t.Name = q.Topic
	return TopicsPage{Frame: f, State: s, Query: q, Host: host, Topic: t, Answer: a, Error: err}
}

// curl is the command that gets what the page shows.
func (p TopicsPage) curl() string {
	return "curl '" + strings.ReplaceAll("http://"+p.Host+p.Query.records(), "'", "%27") + "'"
}

// one is the address of a record's JSON twin, which holds all of it.
func (p TopicsPage) one(r topics.Record) string {
	return TopicsQuery{Topic: p.Query.Topic, Partition: strconv.Itoa(int(r.Partition)), From: strconv.FormatInt(r.Offset, 10)}.records() + "&limit=1"
}

// looked tells what the answer is of.
func (p TopicsPage) looked() words.Text {
	n := len(p.Answer.Records)
	if p.Query.Find != "" {
		return words.Many(n, "%s record of %s that were read", "%s records of %s that were read", words.Count(int64(p.Answer.Looked)))
	}
	return words.Many(n, "%s record", "%s records")
}

// detailMax is what the page shows of one key, value or header, in bytes; its twin has more.
const detailMax = 8 << 10

func detail(t topics.Text, raw bool) (text string, cut bool) {
	text = t.Text
	if !raw {
		text = t.Pretty()
	}
	if len(text) > detailMax {
		return strings.ToValidUTF8(text[:detailMax], "") + "…", true
	}
	return text, t.Cut
}

// topicLabels are the heads of topicCells.
var topicLabels = []words.Text{words.Say("Records"), words.Say("Written"), words.Say("Size"), words.Say("Partitions"), words.Say("Lag")}

// topicCells are a topic's numbers.
func topicCells(t topics.Topic) []cell {
	v := t.Texts()
	key := t.Key()
	return []cell{
		{key + "records", v[key+"records"]},
		{key + "written", v[key+"written"]},
		{key + "bytes", v[key+"bytes"]},
		{key + "partitions", v[key+"partitions"]},
		{key + "lag", v[key+"lag"]},
	}
}

// placeOf is a record's offset, with its partition where there are several.
func placeOf(p TopicsPage, r topics.Record) string {
	if len(p.Answer.Partitions) > 1 {
		return fmt.Sprintf("%d/%d", r.Partition, r.Offset)
	}
	return strconv.FormatInt(r.Offset, 10)
}

// keyLine is a key in one line.
func keyLine(t topics.Text) string { return topics.OneLine(t.Text) }

// formatOf tells what a text is.
func formatOf(t topics.Text) words.Text {
	if t.Format == "null" {
		return words.Plain("null")
	}
	return words.Join(", ", words.Plain(t.Format), words.Bytes(int64(t.Bytes)))
}

const (
	topicsQuery = "SELECT * FROM system.topics"
	groupsQuery = "SELECT * FROM system.groups"
)
