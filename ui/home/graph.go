package home

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/ingest/source"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/stream/pipeline"
	"tarn/ui/words"
)

// The lanes of the picture, from left to right. A view that reads a view stands one lane further.
const (
	laneSource = iota
	laneTopic
	laneBronze
	laneSilver
	laneGold
	lanesMax = laneGold + 3
)

// graph grows node by node, floor first: what stands further right reads what its inputs know.
type graph struct {
	in        Input
	nodes     map[string]*Node
	edges     []Edge
	pipelines []Pipeline
	landed    map[string]pipeline.Landing // by topic
	stats     map[string]catalog.Stats    // by table

	records  int64 // appended to all topics
	lag      int64
	behind   int64
	behindIn string // the topic that is furthest behind

	rows, files, bytes int64
}

func (s *Sampler) graph(in Input) *graph {
	g := &graph{in: in, nodes: map[string]*Node{}, edges: []Edge{}, landed: map[string]pipeline.Landing{}, stats: map[string]catalog.Stats{}}
	for _, l := range in.Landings {
		g.landed[l.Topic] = l
	}
	for _, t := range in.Lake.Stats {
		if t.Namespace == table.SystemNamespace {
			continue
		}
		g.stats[t.String()] = t
		g.rows, g.files, g.bytes = g.rows+t.Rows, g.files+t.Files, g.bytes+t.Bytes
	}
	for _, src := range in.Sources {
		s.source(g, src)
	}
	for _, parts := range byTopic(in.Topics) {
		s.topic(g, parts)
	}
	for _, l := range in.Landings {
		if !strings.HasPrefix(l.Topic, record.OwnPrefix) {
			s.landing(g, l)
		}
	}
	for _, p := range in.Pipelines {
		s.pipeline(g, p)
	}
	for _, t := range in.Lake.Stats {
		g.lonely(t)
	}
	g.views()
	return g
}

// key is a node's name on the page: names are untrusted and may hold anything.
func key(kind, name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + "\x00" + name))
	return kind[:1] + strconv.FormatUint(h.Sum64(), 36)
}

// TableKey is key for a table or a view.
func TableKey(id table.Ident) string { return key("table", id.String()) }

func (g *graph) add(n Node) *Node {
	if old := g.nodes[n.Key]; old != nil {
		return old
	}
	n.Label = cmp.Or(n.Label, n.Name)
	g.nodes[n.Key] = &n
	return &n
}

func (g *graph) connect(from, to string, rate *float64) {
	e := Edge{From: from, To: to}
	if rate != nil && *rate >= 0.05 {
		e.Speed = 1 + min(2, int(math.Log10(max(*rate, 1))/1.5))
	}
	if !slices.ContainsFunc(g.edges, func(o Edge) bool { return o.From == from && o.To == to }) {
		g.edges = append(g.edges, e)
	}
}

func (s *Sampler) source(g *graph, src source.Status) {
	n := Node{
		Key: key("source", src.Name), Kind: Source, Name: src.Name, Lane: laneSource, Level: sourceLevel(src.State), Word: src.State,
		Rate: s.windows.rate("source/"+src.Name, g.in.Now, src.Rows), Rows: new(src.Rows), Error: src.Error, Hint: src.Hint,
		BehindMillis: new(s.windows.worst("source/lag/"+src.Name, g.in.Now, src.Lag.Millis)),
		Query:        "SELECT * FROM system.sources WHERE name = " + sqltext.Literal(src.Name),
	}
	if slices.ContainsFunc(src.Findings, func(f source.Finding) bool { return f.Fatal }) {
		n.Level = Bad
	}
	if src.Lag.Events >= 0 {
		n.LagRecords = new(src.Lag.Events)
	}
	n.Facts = facts(fact("State", words.State(cmp.Or(src.Lag.Snapshot, src.State))), fact("Kind", words.Plain(src.Kind)), fact("Changes since start", words.Count(src.Rows)),
		fact("Waiting", words.Optional(n.LagRecords, words.Count)), fact("Behind", words.Optional(n.BehindMillis, words.Millis)), fact("Since", words.Stamp(src.Since)),
		fact("Set aside", nonzero(src.Dead)),
		fact("Error", words.Plain(src.Error)), fact("Hint", words.Plain(src.Hint)), fact("Position", words.Plain(src.Position)))
	g.add(n)
	for _, topic := range src.Topics {
		g.connect(n.Key, key("topic", topic), nil)
	}
}

// byTopic leaves Tarn's own topics out. They and their tables, in the
// namespace system, stay off the picture and out of its figures: it is of the user's data.
func byTopic(lines []bus.PartitionStats) [][]bus.PartitionStats {
	var out [][]bus.PartitionStats
	at := map[string]int{}
	for _, p := range lines {
		if strings.HasPrefix(p.Topic, record.OwnPrefix) {
			continue
		}
		i, ok := at[p.Topic]
		if !ok {
			i = len(out)
			at[p.Topic] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

func (s *Sampler) topic(g *graph, parts []bus.PartitionStats) {
	name := parts[0].Topic
	var first, next, size int64
	finding := ""
	for _, p := range parts {
		first, next, size = first+p.LogStart, next+p.NextOffset, size+p.Bytes
		finding = cmp.Or(finding, p.Finding)
	}
	g.records += next
	n := Node{
		Key: key("topic", name), Kind: Topic, Name: name, Lane: laneTopic, Level: OK, Word: "open",
		Rate: s.windows.rate("topic/"+name, g.in.Now, next), Rows: new(next - first), Bytes: new(size), Error: finding,
		Query: "SELECT * FROM system.topics WHERE name = " + sqltext.Literal(name),
	}
	if finding != "" {
		n.Level, n.Word = Warn, "held back"
	}
	if l, ok := g.landed[name]; ok {
		n.LagRecords = new(l.LagRecords)
		n.BehindMillis = new(s.windows.worst("behind/"+name, g.in.Now, l.LagMillis))
		n.Query = Newest(l.Bronze, "_timestamp DESC, _offset DESC")
		g.lag += l.LagRecords
		if g.behindIn == "" || *n.BehindMillis > g.behind {
			g.behind, g.behindIn = *n.BehindMillis, name
		}
	}
	n.Facts = facts(fact("Partitions", words.Count(int64(len(parts)))), fact("Log start", words.Count(first)), fact("Next offset", words.Count(next)),
		fact("Records kept", words.Count(next-first)), fact("Bytes", words.Bytes(size)), fact("Not yet landed", words.Optional(n.LagRecords, words.Count)),
		fact("Lands", yes(parts[0].Land)), fact("Finding", words.Plain(finding)))
	g.add(n)
	for i, e := range g.edges {
		if e.To == n.Key {
			g.edges = slices.Delete(g.edges, i, i+1)
			g.connect(e.From, e.To, n.Rate)
			break
		}
	}
}

// landing adds the tables of a topic: bronze, and the mirror behind it.
func (s *Sampler) landing(g *graph, l pipeline.Landing) {
	from := key("topic", l.Topic)
	for _, to := range []struct {
		id         table.Ident
		kind       Kind
		lane       int
		rows, next int64
		order      string
	}{
		{l.Bronze, Bronze, laneBronze, l.BronzeRows, l.BronzeNext, "_timestamp DESC, _offset DESC"},
		{l.Silver, Silver, laneSilver, l.SilverRows, l.SilverNext, "_offset DESC"},
	} {
		if to.id == (table.Ident{}) {
			continue
		}
		n := g.table(to.id, to.kind, to.lane)
		n.Rate = s.windows.rate("table/"+to.id.String(), g.in.Now, to.rows)
		n.Level, n.Word, n.Error, n.Hint = landingLevel(l.State), l.State, l.Error, l.Hint
		if l.DeadLetters > 0 {
			n.Level = worse(n.Level, Warn)
		}
		if t := g.nodes[from]; t != nil {
			n.BehindMillis = t.BehindMillis
		}
		if n.BehindMillis != nil && *n.BehindMillis > behindWarn.Milliseconds() {
			n.Level = worse(n.Level, Warn)
		}
		if !l.CommittedAt.IsZero() && (n.CommittedAt == nil || l.CommittedAt.After(*n.CommittedAt)) {
			n.CommittedAt = new(l.CommittedAt)
		}
		n.Query = Newest(to.id, to.order)
		n.Facts = append(g.tableFacts(n), facts(fact("Topic", words.Plain(l.Topic)), fact("Landed up to", words.Count(to.next)), fact("Landed since start", words.Count(to.rows)),
			fact("Behind", words.Optional(n.BehindMillis, words.Millis)), fact("Set aside", nonzero(l.DeadLetters)), fact("Cells in _extra", nonzero(l.Misfits)),
			fact("Error", words.Plain(l.Error)), fact("Hint", words.Plain(l.Hint)))...)
		g.add(*n)
		g.connect(from, n.Key, n.Rate)
		from = n.Key
	}
}

// table is a table's node as the catalog knows it.
func (g *graph) table(id table.Ident, kind Kind, lane int) *Node {
	n := &Node{Key: TableKey(id), Kind: kind, Name: id.String(), Label: id.Name, Lane: lane, Level: OK, Word: "table", Query: Newest(id, "")}
	if t, ok := g.stats[id.String()]; ok {
		n.Rows, n.Files, n.Bytes = new(t.Rows), new(t.Files), new(t.Bytes)
		if t.SnapshotID != 0 {
			n.SnapshotID = strconv.FormatInt(t.SnapshotID, 10)
		}
		if !t.CommittedAt.IsZero() {
			n.CommittedAt = new(t.CommittedAt)
		}
	}
	n.Facts = g.tableFacts(n)
	return n
}

func (g *graph) tableFacts(n *Node) []Fact {
	committed := words.Plain(Unknown)
	if n.CommittedAt != nil {
		committed = words.Say("%s, %s ago", words.Clock(*n.CommittedAt), words.Millis(max(0, g.in.Now.Sub(*n.CommittedAt).Milliseconds())))
	}
	known := facts(fact("State", words.State(n.Word)), fact("Rows", n.RowsText()), fact("Files", n.FilesText()), fact("Bytes", n.BytesText()),
		fact("Snapshot", words.Plain(cmp.Or(n.SnapshotID, Unknown))), fact("Committed", committed))
	return append(known, g.in.Care.facts(n.Name)...)
}

// lonely adds a table that no landing speaks of: somebody else's, or one that was landed
// before this start.
func (g *graph) lonely(t catalog.Stats) {
	if t.Namespace == table.SystemNamespace || g.nodes[TableKey(t.Ident)] != nil {
		return
	}
	kind, lane := layerOf(t.Namespace)
	n := g.add(*g.table(t.Ident, kind, lane))
	if from := key("topic", t.Topic); t.Topic != "" && g.nodes[from] != nil {
		g.connect(from, n.Key, nil)
	}
}

func layerOf(namespace string) (Kind, int) {
	switch namespace {
	case "bronze":
		return Bronze, laneBronze
	case "gold":
		return Gold, laneGold
	}
	return Silver, laneSilver
}

// views adds the views, those that read views after what they read.
func (g *graph) views() {
	waiting := slices.Clone(g.in.Lake.Views)
	byName := map[string]bool{}
	for _, v := range waiting {
		byName[v.String()] = true
	}
	for len(waiting) > 0 {
		var later []catalog.View
		for _, v := range waiting {
			if slices.ContainsFunc(v.Inputs, func(in string) bool {
				name := strings.TrimPrefix(in, catalog.Name+".")
				return byName[name] && g.nodes[key("table", name)] == nil
			}) {
				later = append(later, v)
				continue
			}
			g.view(v)
		}
		if len(later) == len(waiting) { // they wait for each other: a damaged catalog
			for _, v := range later {
				g.view(v)
			}
			return
		}
		waiting = later
	}
}

func (g *graph) view(v catalog.View) {
	n := Node{Key: TableKey(v.Ident), Kind: Gold, Name: v.String(), Label: v.Name, View: true, Lane: laneGold, Level: OK, Word: "view", Query: Newest(v.Ident, "")}
	var rate float64
	missing := []string{}
	for _, input := range v.Inputs {
		name := strings.TrimPrefix(input, catalog.Name+".")
		from := g.nodes[key("table", name)]
		if from == nil {
			if !strings.HasPrefix(name, table.SystemNamespace+".") {
				missing = append(missing, name)
			}
			continue
		}
		n.Lane = min(max(n.Lane, from.Lane+1), lanesMax-1)
		if from.BehindMillis != nil && (n.BehindMillis == nil || *from.BehindMillis > *n.BehindMillis) {
			n.BehindMillis = from.BehindMillis
		}
		if from.Rate != nil {
			rate += *from.Rate
		}
		g.connect(from.Key, n.Key, from.Rate)
	}
	if len(missing) > 0 && g.in.Lake.Known {
		n.Level, n.Word = Warn, "waits for input"
		n.Error, n.Hint = "it reads "+strings.Join(missing, ", ")+", which is not there", "a mirror appears with its first row"
	}
	n.Facts = facts(fact("State", words.State(n.Word)), fact("Reads", words.Plain(strings.Join(v.Inputs, ", "))), fact("Behind", n.BehindText()),
		fact("Changes in its inputs", words.Rate(&rate)), fact("Columns", words.Count(int64(len(v.Columns)))), fact("Error", words.Plain(n.Error)), fact("Hint", words.Plain(n.Hint)))
	g.add(n)
}

func (g *graph) sorted() []Node {
	out := make([]Node, 0, len(g.nodes))
	for _, n := range g.nodes {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key))
	})
	g.edges = slices.DeleteFunc(g.edges, func(e Edge) bool { return g.nodes[e.From] == nil || g.nodes[e.To] == nil })
	return out
}

// newestRows is how many rows a click on a table shows.
const newestRows = 20

// Newest is the query of a table's newest rows by an order; the table's own where it is empty.
func Newest(id table.Ident, order string) string {
	if order != "" {
		order = "\nORDER BY " + order
	}
	return fmt.Sprintf("SELECT *\nFROM %s%s\nLIMIT %d", sqltext.Name(id.Namespace, id.Name), order, newestRows)
}
