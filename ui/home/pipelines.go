package home

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/pipeline"
	"tarn/ui/words"
)

// Pipeline is a line of the list of pipelines. Counters are since start.
type Pipeline struct {
	Key   string   `json:"-"`
	Name  string   `json:"name"`
	Into  string   `json:"into"`
	Node  string   `json:"node"` // the key of its table
	Reads []string `json:"reads"`
	Level Level    `json:"level"`
	Word  string   `json:"state"`
	Error string   `json:"error,omitempty"`
	Hint  string   `json:"hint,omitempty"`

	Rate         *float64   `json:"rows_per_second,omitempty"` // that come in
	Rows         int64      `json:"rows"`
	Emitted      int64      `json:"emitted"`
	Late         int64      `json:"late"`
	Dead         int64      `json:"dead"`
	Ahead        int64      `json:"ahead"`
	LagRecords   *int64     `json:"lag_records,omitempty"` // while it runs
	StateRows    *int64     `json:"state_rows,omitempty"`
	Watermark    *time.Time `json:"watermark,omitempty"`
	BehindMillis *int64     `json:"watermark_lag_ms,omitempty"`
	CommittedAt  *time.Time `json:"committed_at,omitempty"`
	AgeMillis    *int64     `json:"-"` // of the last commit

	Statement string `json:"statement"`
	LateQuery string `json:"-"` // shows the rows that came too late
	DeadQuery string `json:"-"` // shows the records that could not be read
}

// pipeline adds a pipeline: a line of the list, and in the picture its table behind what it reads.
func (s *Sampler) pipeline(g *graph, p pipeline.Status) {
	kind, lane := layerOf(p.Into.Namespace)
	n := g.table(p.Into, kind, lane)
	line := Pipeline{
		Key: key("pipeline", p.ID+p.Name), Name: p.Name, Into: p.Into.String(), Node: n.Key, Reads: Reads(p), Error: p.Error, Hint: p.Hint,
		Rows: p.Rows, Emitted: p.Emitted, Late: p.Late, Dead: p.Dead, Ahead: p.Ahead,
		StateRows: p.StateRows, Statement: p.Statement,
		LateQuery: fmt.Sprintf("SELECT *\nFROM system.late\nWHERE pipeline = %s\nORDER BY \"at\" DESC\nLIMIT %d", sqltext.Literal(p.Name), newestRows),
		DeadQuery: deadQuery(topicsOf(p)),
	}
	line.Level, line.Word = PipelineLevel(p)
	if p.State == pipeline.Running { // one that rests does not know what waits
		line.Rate = s.windows.rate("pipeline/"+p.ID, g.in.Now, p.Rows)
		line.LagRecords = new(s.windows.worst("pipeline/lag/"+p.ID, g.in.Now, p.LagRecords))
		n.Rate = s.windows.rate("pipeline/out/"+p.ID, g.in.Now, p.Emitted)
	}
	if !p.Watermark.IsZero() {
		line.Watermark, line.BehindMillis = new(p.Watermark), new(max(0, g.in.Now.Sub(p.Watermark).Milliseconds()))
	}
	if !p.CommittedAt.IsZero() {
		line.CommittedAt, line.AgeMillis = new(p.CommittedAt), new(max(0, g.in.Now.Sub(p.CommittedAt).Milliseconds()))
	}
	g.pipelines = append(g.pipelines, line)

	n.Pipeline, n.Word, n.Error, n.Hint = p.Name, line.Word, p.Error, p.Hint
	n.Level, n.LagRecords = line.Level, line.LagRecords
	if p.Dead > 0 {
		n.Level = worse(n.Level, Warn)
	}
	if line.CommittedAt != nil && (n.CommittedAt == nil || line.CommittedAt.After(*n.CommittedAt)) {
		n.CommittedAt = line.CommittedAt
	}
	n.Facts = append(g.tableFacts(n), line.facts(p.Holder)...)
	var inputs []*Node
	for _, r := range p.Reads {
		from := g.nodes[key("topic", r.Topic)]
		if r.Mirror != (table.Ident{}) {
			from = g.nodes[key("table", r.Mirror.String())]
		}
		if from != nil {
			n.Lane = min(max(n.Lane, from.Lane+1), lanesMax-1)
			inputs = append(inputs, from)
		}
	}
	g.add(*n)
	for _, from := range inputs {
		rate := from.Rate
		if p.State != pipeline.Running {
			rate = nil
		}
		g.connect(from.Key, n.Key, rate)
	}
}

// facts are what is known of a pipeline, for its table's node.
func (p Pipeline) facts(holder string) []Fact {
	var held, mark, behind, rows words.Text
	if p.Watermark != nil {
		held, mark, behind = words.Plain(holder), p.WatermarkText(), p.BehindText()
	}
	if p.StateRows != nil {
		rows = words.Count(*p.StateRows)
	}
	return facts(fact("Pipeline", words.Plain(p.Name)), fact("Reads", words.Plain(strings.Join(p.Reads, ", "))), fact("Rows in", words.Count(p.Rows)),
		fact("Rows out", words.Count(p.Emitted)), fact("Lag", p.LagText()), fact("Watermark", mark), fact("Watermark behind", behind), fact("Held back by", held),
		fact("Late", nonzero(p.Late)), fact("Dead", nonzero(p.Dead)), fact("Far ahead", nonzero(p.Ahead)), fact("Rows of state", rows),
		fact("Error", words.Plain(p.Error)), fact("Hint", words.Plain(p.Hint)), fact("Statement", words.Plain(p.Statement)))
}

// Reads are the names of what a pipeline reads, each once.
func Reads(p pipeline.Status) []string {
	out := []string{}
	for _, r := range p.Reads {
		if name := r.From(); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func topicsOf(p pipeline.Status) []string {
	var topics []string
	for _, r := range p.Reads {
		if !slices.Contains(topics, r.Topic) {
			topics = append(topics, r.Topic)
		}
	}
	return topics
}

// deadQuery shows the dead letters of topics.
func deadQuery(topics []string) string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = sqltext.Literal(t)
	}
	return fmt.Sprintf("SELECT *\nFROM system.dead_letter\nWHERE topic IN (%s)\nORDER BY \"at\" DESC\nLIMIT %d", cmp.Or(strings.Join(names, ", "), "''"), newestRows)
}

func inPipelines(name string) string { return "/pipelines/" + url.PathEscape(name) }

// PipelineLevel is how well a pipeline is, and the word for it.
func PipelineLevel(p pipeline.Status) (Level, string) {
	switch p.State {
	case pipeline.Failed:
		return Bad, p.State
	case pipeline.Waiting:
		return Warn, p.State
	case pipeline.Paused:
		return Idle, p.State
	}
	if p.Replaces != "" {
		return OK, "catching up"
	}
	return OK, p.State
}

// pipeline adds what ails a pipeline, and what it left aside.
func (l *problemList) pipeline(p pipeline.Status) {
	where := words.Say("pipeline %s", p.Name)
	level, _ := PipelineLevel(p)
	l.add(Problem{worse(level, Warn), where, words.Plain(p.Error), words.Plain(p.Hint), ""})
	if p.Dead > 0 {
		l.add(Problem{Warn, where, words.Many(p.Dead, "%s record could not be read by %s", "%s records could not be read by %s", p.Name), words.Plain(oneLine(deadQuery(topicsOf(p)))), inPipelines(p.Name) + "#dead"})
	}
	if p.Late > 0 {
		l.add(Problem{Note, where, words.Many(p.Late, "%s row of %s came too late for its window", "%s rows of %s came too late for their windows", p.Name), words.Plain("SELECT * FROM system.late WHERE pipeline = " + sqltext.Literal(p.Name)), inPipelines(p.Name) + "#late"})
	}
	if p.Ahead > 0 {
		l.add(Problem{Note, where, words.Many(p.Ahead, "%s row of %s has a time so far ahead that it moved no watermark", "%s rows of %s have times so far ahead that they moved no watermark", p.Name), words.Say("look at the clock of what writes them"), ""})
	}
}

func oneLine(sql string) string { return strings.ReplaceAll(sql, "\n", " ") }

// pipelineList puts those in trouble first.
func pipelineList(list []Pipeline) []Pipeline {
	out := append([]Pipeline{}, list...)
	trouble := func(p Pipeline) int { return max(0, weight(p.Level)-weight(Note)) }
	slices.SortStableFunc(out, func(a, b Pipeline) int {
		return cmp.Or(cmp.Compare(trouble(b), trouble(a)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// FirstPipeline is a statement that makes a pipeline of what there is; of the sample one that tells something.
func FirstPipeline(nodes []Node, sample bool) string {
	if sample && slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == "silver.calls" }) {
		return "CREATE MATERIALIZED VIEW gold.calls_by_status AS\nSELECT status, count(*) AS calls\nFROM silver.calls GROUP BY status"
	}
	from, name := "silver.orders", "orders"
	if i := slices.IndexFunc(nodes, func(n Node) bool { return n.Kind == Silver && !n.View && n.Pipeline == "" }); i >= 0 {
		id := table.ParseIdent(nodes[i].Name)
		from, name = sqltext.Name(id.Namespace, id.Name), id.Name
	}
	return "CREATE MATERIALIZED VIEW gold." + sqltext.Name(name+"_count") + " AS SELECT " + sqltext.Literal(name) + " AS what, count(*) AS n FROM " + from + " GROUP BY 1"
}

// RateText is the rate of rows that come in, as the page shows it; so are the texts below.
func (p Pipeline) RateText() words.Text { return words.Rate(p.Rate) }

// WatermarkText is how far time has come.
func (p Pipeline) WatermarkText() words.Text { return words.Optional(p.Watermark, words.Stamp) }

// BehindText is how far the watermark is behind the clock. Where that is more than a day, the data
// have a clock of their own, and it is the watermark's day.
func (p Pipeline) BehindText() words.Text {
	if p.BehindMillis != nil && *p.BehindMillis > (24*time.Hour).Milliseconds() {
		return words.Plain(p.Watermark.UTC().Format(time.DateOnly))
	}
	return words.Optional(p.BehindMillis, words.Millis)
}

// LagText is the number of records that wait.
func (p Pipeline) LagText() words.Text { return words.Optional(p.LagRecords, words.Count) }

// LateText is the number of rows that came too late.
func (p Pipeline) LateText() words.Text { return words.Count(p.Late) }

// DeadText is the number of records that could not be read.
func (p Pipeline) DeadText() words.Text { return words.Count(p.Dead) }

// CommitText is the age of the last commit.
func (p Pipeline) CommitText() words.Text {
	switch {
	case p.AgeMillis == nil:
		return words.Plain(Unknown)
	case *p.AgeMillis < 1000: // commits come each second: what changes twice in one tells nothing
		return words.Say("just now")
	}
	return words.Say("%s ago", words.Millis(*p.AgeMillis))
}
