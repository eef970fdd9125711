package home

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"tarn/embedded/life"
	"tarn/ui/words"
)

// The line of recent rows a second: one point every two seconds, two minutes long.
const (
	sparkPoints = 60
	sparkEvery  = 2 * time.Second
	sparkWidth  = 120
	sparkHeight = 24
)

// behindWarn is when a table is called slow.
const behindWarn = 10 * time.Second

// Sampler makes a State of each Input; what it keeps between them is for rates. One
// goroutine uses it.
type Sampler struct {
	windows windows
	spark   []float64
	sparkAt time.Time
}

// NewSampler returns a sampler that has seen nothing.
func NewSampler() *Sampler {
	return &Sampler{windows: windows{byKey: map[string]*window{}}}
}

// Sample looks once. Inputs come in order of time.
func (s *Sampler) Sample(in Input) State {
	g := s.graph(in)
	st := State{
		Ready: true, At: in.Now, Version: in.Version, Sample: in.Sample,
		Health: health(in.Parts), Nodes: g.sorted(), Edges: g.edges, Pipelines: pipelineList(g.pipelines),
		Problems: problems(in), Parts: parts(in.Parts), Doors: doors(in.Ports),
	}
	rowsIn := s.windows.rate("in", in.Now, g.records)
	s.note(in.Now, rowsIn)
	st.Spark = sparkPath(s.spark)
	st.Figures = figures(in, g, st, rowsIn)
	st.Examples = examples(st.Nodes)
	if len(st.Pipelines) == 0 {
		st.FirstPipeline = FirstPipeline(st.Nodes, st.Sample)
	}
	s.windows.sweep()
	return st
}

func (s *Sampler) note(now time.Time, rate *float64) {
	if rate == nil || now.Sub(s.sparkAt) < sparkEvery {
		return
	}
	s.sparkAt = now
	s.spark = append(s.spark, *rate)
	s.spark = s.spark[max(0, len(s.spark)-sparkPoints):]
}

// sparkPath draws values from the right edge leftwards, the highest at the top.
func sparkPath(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	top := max(slices.Max(values), 1)
	var b strings.Builder
	for i, v := range values {
		x := sparkWidth * float64(sparkPoints-len(values)+i) / float64(sparkPoints-1)
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], x, sparkHeight-1-(sparkHeight-4)*v/top)
	}
	return b.String()
}

func figures(in Input, g *graph, st State, rowsIn *float64) []Figure {
	unknown := words.Plain(Unknown)
	behind := Figure{Key: "behind", Label: words.Say("Freshness"), Value: unknown, Note: words.Say("oldest row not yet in its table"), Level: OK}
	if g.behindIn != "" {
		behind.Value = words.Millis(g.behind)
		if g.behind > behindWarn.Milliseconds() {
			behind.Level, behind.Note = Warn, words.Say("behind in %s", g.behindIn)
		}
	}
	lag := Figure{Key: "lag", Label: words.Say("Lag"), Value: words.Count(g.lag), Note: words.Say("records not yet in tables"), Level: OK}
	if g.behindIn == "" {
		lag.Value = unknown
	}
	tables := Figure{Key: "tables", Label: words.Say("Tables"), Value: unknown, Note: words.Many(len(in.Lake.Views), "and %s view", "and %s views"), Level: OK}
	size := Figure{Key: "bytes", Label: words.Say("Lake"), Value: unknown, Note: words.Say("data files"), Level: OK}
	if in.Lake.Known {
		tables.Value = words.Count(int64(len(g.stats)))
		size.Value = words.Bytes(g.bytes)
		size.Note = words.Join(", ", words.Many(g.files, "%s file", "%s files"), words.Many(g.rows, "%s row", "%s rows"))
	}
	return []Figure{
		{Key: "in", Label: words.Say("Rows in"), Value: words.Rate(rowsIn), Note: words.Say("records into topics"), Level: OK},
		lag, behind, tables, size, healthFigure(in, st),
	}
}

func healthFigure(in Input, st State) Figure {
	ready := 0
	for _, p := range in.Parts {
		if p.State == life.Ready {
			ready++
		}
	}
	f := Figure{Key: "health", Label: words.Say("Health"), Level: OK, Value: words.Say("OK"), Note: words.Say("%d of %d parts ready", ready, len(in.Parts))}
	switch {
	case st.Health == "failed":
		f.Level, f.Value = Bad, words.Say("Failed")
	case st.Health == "degraded":
		f.Level, f.Value = Warn, words.Say("Degraded")
	case st.Health == "starting":
		f.Level, f.Value = Idle, words.Say("Starting")
	case len(st.Faults()) > 0:
		f.Level, f.Note = Warn, words.Many(len(st.Faults()), "%s thing needs a look", "%s things need a look")
	}
	return f
}

func health(parts []life.Status) string {
	overall := life.Overall(parts)
	if overall == "ok" && slices.ContainsFunc(parts, func(p life.Status) bool { return p.State == life.Starting }) {
		return "starting"
	}
	return overall
}

func parts(in []life.Status) []Part {
	out := make([]Part, 0, len(in))
	for _, p := range in {
		level := OK
		switch p.State {
		case life.Failed:
			level = Bad
		case life.Degraded:
			level = Warn
		case life.Starting, life.Stopped:
			level = Idle
		}
		lag := words.Plain(Unknown)
		if p.LagMillis > 0 {
			lag = words.Millis(p.LagMillis)
		}
		out = append(out, Part{Key: key("part", p.Name), Name: p.Name, State: string(p.State), Level: level, Lag: lag, Error: p.Error, Hint: p.Hint})
	}
	return out
}

// speaks says what a door of a name is for.
var speaks = map[string]string{
	"kafka": "Kafka", "registry": "Confluent Schema Registry", "connect": "Kafka Connect",
	"nats": "NATS", "mqtt": "MQTT", "beats": "Lumberjack (Filebeat, Logstash)", "otlp": "OTLP over HTTP", "syslog": "syslog",
	"iceberg": "Iceberg REST catalog", "s3": "S3 over the warehouse", "postgres": "Postgres", "trino": "Trino", "flight": "Arrow Flight SQL", "mlflow": "MLflow",
}

func spoken(door string) words.Text {
	if door == "http" {
		return words.Say("this page, /api/sql, /health, /metrics")
	}
	return words.Plain(cmp.Or(speaks[door], Unknown))
}

func doors(ports map[string]string) []Door {
	out := make([]Door, 0, len(ports))
	for name, address := range ports {
		out = append(out, Door{Name: name, Address: address, Speaks: spoken(name), Connect: connect(name, address)})
	}
	slices.SortFunc(out, func(a, b Door) int {
		if a.Name == "http" || b.Name == "http" {
			return cmp.Compare(rank(a.Name), rank(b.Name))
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out
}

// connect is what connects to a door. On loopback any user is let in; database and catalog are lake.
func connect(door, address string) []string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return []string{}
	}
	switch door {
	case "http":
		return []string{"http://" + address, "curl -sS http://" + address + "/api/sql --data-raw 'SELECT 1'"}
	case "kafka":
		return []string{"bootstrap.servers=" + address}
	case "connect":
		return []string{"curl -sS http://" + address + "/connectors"}
	case "postgres":
		return []string{"psql -h " + host + " -p " + port + " -U lake lake", "postgresql://lake@" + address + "/lake"}
	case "flight":
		return []string{"grpc://" + address, "jdbc:arrow-flight-sql://" + address + "?useEncryption=false"}
	case "trino":
		return []string{"trino --server http://" + address + " --catalog lake", "jdbc:trino://" + address + "/lake"}
	}
	return []string{address}
}

func rank(door string) int {
	if door == "http" {
		return 0
	}
	return 1
}

// examples are statements to begin with: what people read first, then how to find more.
func examples(nodes []Node) []Example {
	var out []Example
	for _, want := range []Kind{Gold, Silver, Bronze} {
		i := slices.IndexFunc(nodes, func(n Node) bool { return n.Kind == want })
		if i >= 0 {
			out = append(out, Example{Title: nodes[i].Name, SQL: nodes[i].Query})
		}
	}
	return append(out,
		Example{Title: "tables", SQL: "SELECT * FROM system.tables"},
		Example{Title: "parts", SQL: "SELECT * FROM system.parts"})
}
