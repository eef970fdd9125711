package home_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/life"
	"tarn/ingest/source"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/home"
	"tarn/ui/uitest"
)

// watch is a sampler over a feed with a clock of its own.
type watch struct {
	*home.Sampler
	feed  *uitest.Feed
	clock *uitest.Clock
}

func newWatch(feed func(time.Time) *uitest.Feed) *watch {
	clock := uitest.NewClock()
	return &watch{home.NewSampler(), feed(clock.Now()), clock}
}

func (w *watch) look() home.State {
	return w.Sample(home.Input{
		Now: w.clock.Now(), Parts: w.feed.Parts(), Sources: w.feed.Sources(), Topics: w.feed.Topics(), Landings: w.feed.Landings(), Pipelines: w.feed.Pipelines(),
		Lake: home.Lake{Known: true, Stats: w.feed.StatsNow, Views: w.feed.ViewsNow, Err: w.feed.CatalogErr}, Ports: w.feed.Ports(),
	})
}

// run lets rows flow for a number of half seconds.
func (w *watch) run(halves int, rows int64) home.State {
	for range halves {
		w.clock.Add(500 * time.Millisecond)
		w.feed.Step(rows, w.clock.Now())
		w.look()
	}
	return w.look()
}

func node(t *testing.T, s home.State, name string) home.Node {
	t.Helper()
	i := slices.IndexFunc(s.Nodes, func(n home.Node) bool { return n.Name == name })
	if i < 0 {
		t.Fatalf("no node %s", name)
	}
	return s.Nodes[i]
}

func figure(t *testing.T, s home.State, key string) home.Figure {
	t.Helper()
	i := slices.IndexFunc(s.Figures, func(f home.Figure) bool { return f.Key == key })
	if i < 0 {
		t.Fatalf("no figure %s", key)
	}
	return s.Figures[i]
}

func TestTheChainFromSourceToView(t *testing.T) {
	s := newWatch(uitest.Port).look()
	var names []string
	for _, n := range s.Nodes {
		names = append(names, n.Name)
	}
	want := []string{
		"port", "port.main.calls", "port.main.moves", "port.main.ports", "port.main.vessels",
		"bronze.port_main_calls", "bronze.port_main_moves", "bronze.port_main_ports", "bronze.port_main_vessels",
		"silver.calls", "silver.moves", "silver.ports", "silver.vessels", "gold.berth_productivity", "gold.busiest_vessels",
	}
	if !slices.Equal(names, want) {
		t.Fatalf("nodes %q", names)
	}
	key := func(name string) string { return node(t, s, name).Key }
	for _, pair := range [][2]string{
		{"port", "port.main.calls"},
		{"port.main.calls", "bronze.port_main_calls"},
		{"bronze.port_main_calls", "silver.calls"},
		{"silver.calls", "gold.berth_productivity"},
		{"bronze.port_main_calls", "gold.busiest_vessels"},
	} {
		if !slices.ContainsFunc(s.Edges, func(e home.Edge) bool { return e.From == key(pair[0]) && e.To == key(pair[1]) }) {
			t.Errorf("no edge %v", pair)
		}
	}
	if len(s.Edges) != 4+4+4+3+2 {
		t.Errorf("%d edges", len(s.Edges))
	}
}

func TestRatesAreOfTheLastSeconds(t *testing.T) {
	w := newWatch(uitest.Port)
	if s := w.look(); figure(t, s, "in").Value.String() != home.Unknown || node(t, s, "port").Rate != nil {
		t.Error("a rate after one look")
	}
	s := w.run(40, 50)
	if got := *node(t, s, "port.main.calls").Rate; got < 95 || got > 105 {
		t.Errorf("a hundred a second shows as %v", got)
	}
	if got := node(t, s, "bronze.port_main_calls").Left().String(); got != "100\u202frows/s" {
		t.Errorf("the node says %q", got)
	}
	if s := w.run(20, 0); *node(t, s, "port.main.calls").Rate != 0 {
		t.Error("what has stopped still flows")
	}
	w.feed.TopicsNow[0].NextOffset = 3 // the topic was made again
	if got := node(t, w.run(1, 0), "port.main.calls").Rate; got != nil && *got < 0 {
		t.Errorf("a rate of %v", *got)
	}
}

func TestFreshnessIsTheWorstOfTheLastSeconds(t *testing.T) {
	w := newWatch(uitest.Port)
	w.feed.LandingsNow[1].LagMillis = 42_000
	s := w.look()
	if f := figure(t, s, "behind"); f.Level != home.Warn || !strings.HasPrefix(f.Value.String(), "42.0") || !strings.Contains(f.Note.String(), "port.main.moves") {
		t.Errorf("%+v", f)
	}
	if got := *node(t, s, "gold.berth_productivity").BehindMillis; got != 42_000 {
		t.Errorf("the view is %d behind, its input 42000", got)
	}
	w.feed.LandingsNow[1].LagMillis = 0
	w.clock.Add(time.Second)
	if got := *node(t, w.look(), "silver.moves").BehindMillis; got != 42_000 {
		t.Errorf("forgotten after a second: %d", got)
	}
	w.clock.Add(10 * time.Second)
	w.look()
	if got := *node(t, w.look(), "silver.moves").BehindMillis; got != 0 {
		t.Errorf("still %d after ten seconds", got)
	}
}

func TestTroubleIsNamedWithItsHint(t *testing.T) {
	w := newWatch(uitest.Port)
	w.feed.Trouble()
	w.feed.CatalogErr = errors.New("catalog.db is busy")
	s := w.look()
	if s.Health != "degraded" || s.Problems[0].Level != home.Bad {
		t.Errorf("health %s, first %+v", s.Health, s.Problems[0])
	}
	text, _ := json.Marshal(s.Problems)
	for _, part := range []string{"disk full", "free some room", "database is locked", "table log", "add a PRIMARY KEY", "set aside", "catalog.db is busy"} {
		if strings.Count(string(text), part) != 1 {
			t.Errorf("%q is there %d times in %s", part, strings.Count(string(text), part), text)
		}
	}
	for name, want := range map[string]home.Level{"port": home.Warn, "bronze.port_main_moves": home.Bad, "silver.ports": home.Warn, "silver.calls": home.OK} {
		if got := node(t, s, name).Level; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestTarnsOwnTopicsStayOffThePicture(t *testing.T) {
	w := newWatch(uitest.Port)
	w.feed.AddTopic("tarn.commits", "commits", "", 5000, w.clock.Now())
	l := &w.feed.LandingsNow[len(w.feed.LandingsNow)-1]
	l.Bronze.Namespace, l.Silver, l.LagRecords, l.LagMillis = "system", table.Ident{}, 900, 99_000
	for i := range w.feed.StatsNow[8:] {
		w.feed.StatsNow[8+i].Namespace = "system"
	}
	s := w.look()
	if len(s.Nodes) != 15 || figure(t, s, "tables").Value.String() != "8" || figure(t, s, "lag").Value.String() != "12" || figure(t, s, "behind").Level != home.OK {
		t.Errorf("%d nodes, %+v", len(s.Nodes), s.Figures)
	}
	l.State, l.Error = "retrying", "commit system.commits: disk full"
	if s := w.look(); len(s.Faults()) != 1 {
		t.Errorf("its trouble is hidden: %+v", s.Problems)
	}
}

func TestFindingsThatAreNoFaultsAreNotes(t *testing.T) {
	w := newWatch(uitest.Port)
	w.feed.SourcesNow[0].Findings = []source.Finding{{Table: "log", Message: "no key"}}
	s := w.look()
	if len(s.Faults()) != 0 || len(s.Notes()) != 1 || node(t, s, "port").Level != home.OK || figure(t, s, "health").Level != home.OK {
		t.Errorf("%+v", s.Problems)
	}
	w.feed.SourcesNow[0].Findings[0].Fatal = true
	if s := w.look(); len(s.Faults()) != 1 || node(t, s, "port").Level != home.Bad {
		t.Errorf("%+v", s.Problems)
	}
}

func TestViewsOnViewsAndMissingInputs(t *testing.T) {
	w := newWatch(uitest.Port)
	w.feed.AddView("gold", "a_top", "gold.berth_productivity")
	w.feed.AddView("gold", "broken", "silver.none")
	w.feed.AddView("gold", "ring_a", "gold.ring_b")
	w.feed.AddView("gold", "ring_b", "gold.ring_a")
	s := w.look()
	if a, b := node(t, s, "gold.a_top").Lane, node(t, s, "gold.berth_productivity").Lane; a != b+1 {
		t.Errorf("the view on a view is in lane %d, the other in %d", a, b)
	}
	if n := node(t, s, "gold.broken"); n.Level != home.Warn || !strings.Contains(n.Error, "silver.none") {
		t.Errorf("%+v", n)
	}
	node(t, s, "gold.ring_a")
}

func TestQueriesQuoteWhatDataChose(t *testing.T) {
	s := newWatch(uitest.HostileNames).look()
	for _, n := range s.Nodes {
		if n.Kind == home.Silver && n.Query != `SELECT *
FROM silver."`+strings.ReplaceAll(uitest.Hostile, `"`, `""`)+`"
ORDER BY _offset DESC
LIMIT 20` {
			t.Errorf("silver: %s", n.Query)
		}
		if n.Kind == home.Source && n.Query != "SELECT * FROM system.sources WHERE name = '"+strings.ReplaceAll(uitest.Hostile, "'", "''")+"'" {
			t.Errorf("source: %s", n.Query)
		}
	}
}

func TestShapeChangesWithWhatValuesDoNotCarry(t *testing.T) {
	w := newWatch(uitest.Port)
	w.look()
	first := w.run(3, 10)
	if next := w.run(3, 10); next.Shape() != first.Shape() {
		t.Error("numbers changed the shape")
	}
	w.feed.PartsNow[2].State = life.Degraded
	degraded := w.look()
	w.feed.SourcesNow[0].Findings = []source.Finding{{Message: "no key"}}
	found := w.look()
	w.feed.AddTopic("new", "new", "new", 1, w.clock.Now())
	if grown := w.look(); slices.Contains([]string{first.Shape(), degraded.Shape(), found.Shape()}, grown.Shape()) || degraded.Shape() == found.Shape() {
		t.Error("a change of shape went unseen")
	}
}

func TestTheTwinIsWholeJSON(t *testing.T) {
	for name, s := range map[string]home.State{"starting": home.Starting("1", false), "port": newWatch(uitest.Port).look(), "empty": home.NewSampler().Sample(home.Input{})} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "null") {
			t.Errorf("%s: null in %s", name, text)
		}
	}
}

// TestUpkeepThatIsOverdue: what is due is no problem until it has been so for long, without a
// break that anybody knows of; many at once are one line.
func TestUpkeepThatIsOverdue(t *testing.T) {
	now := uitest.NewClock().Now()
	var list []catalog.Health
	for _, name := range []string{"calls", "moves", "ports", "vessels"} {
		list = append(list, catalog.Health{Ident: table.Ident{Namespace: "silver", Name: name}, Rows: 8, Deleted: 2, Action: catalog.Compact, Reason: "40 small files"})
	}
	list[3].Action, list[3].Reason = "", "a snapshot cannot be read"
	type problem struct {
		Level                home.Level
		Where, Message, Hint string
	}
	problems := func(c home.Care) (out []problem) {
		for _, p := range home.NewSampler().Sample(home.Input{Now: now, Care: c}).Problems {
			out = append(out, problem{p.Level, p.Where.String(), p.Message.String(), p.Hint.String()})
		}
		return out
	}
	note := problem{Level: home.Note, Where: "table silver.vessels", Message: "a snapshot cannot be read"}

	c := home.Care{}.Next(now, list)
	for range 14 {
		now = now.Add(time.Minute)
		c = c.Next(now, list)
	}
	if got := problems(c); len(got) != 1 || got[0] != note {
		t.Errorf("after 14 minutes: %+v", got)
	}
	list[1].Action = catalog.ExpireSnapshots // another action is due since now
	now = now.Add(time.Minute)
	c = c.Next(now, list)
	got := problems(c)
	want := problem{
		Level: home.Warn, Where: "table silver.calls", Message: "compact has been due for 15\u202fmin: 40 small files", Hint: "ALTER TABLE silver.calls EXECUTE compact does it now",
	}
	if len(got) != 3 || got[0] != want || got[1].Where != "table silver.ports" || got[2] != note {
		t.Errorf("after 15 minutes: %+v", got)
	}
	busy := slices.Clone(list)
	busy[0].SmallFiles, busy[2].SmallFiles = 60, 60
	worked := c.Next(now, busy)
	busy[0].SmallFiles, busy[2].SmallFiles = 55, 61 // the first was compacted, and has as many again
	if got := problems(worked.Next(now, busy)); len(got) != 2 || got[0].Where != "table silver.ports" {
		t.Errorf("when upkeep works: %+v", got)
	}
	if got := problems(c.Next(now.Add(time.Hour), list)); len(got) != 1 {
		t.Errorf("after a break: %+v", got)
	}
	if got := problems(c.Next(now.Add(time.Minute), nil)); len(got) != 0 {
		t.Errorf("when all is well: %+v", got)
	}

	for range 20 {
		now = now.Add(time.Minute)
		list = append(list, catalog.Health{Ident: table.Ident{Namespace: "gold", Name: now.Format("15:04")}, Action: catalog.Compact})
		c = c.Next(now, list)
	}
	if got := problems(c); len(got) != 2 || got[0].Message != "8 tables have waited for upkeep, one of them for 35\u202fmin" {
		t.Errorf("of many: %+v", got)
	}
}

// TestUpkeepIsAmongTheFacts of a table's node, once it is known.
func TestUpkeepIsAmongTheFacts(t *testing.T) {
	w := newWatch(uitest.Port)
	facts := func() (out []string) {
		in := home.Input{Now: w.clock.Now(), Topics: w.feed.Topics(), Landings: w.feed.Landings(), Lake: home.Lake{Known: true, Stats: w.feed.StatsNow}}
		if w.feed.HealthRead > 0 {
			in.Care = home.Care{}.Next(w.clock.Now(), w.feed.HealthNow)
		}
		for _, f := range node(t, w.Sample(in), "silver.moves").Facts {
			out = append(out, f.Label.String()+" "+f.Value.String())
		}
		return out
	}
	const upkeep = "Upkeep compact: 20% of its rows are deleted"
	if slices.Contains(facts(), upkeep) {
		t.Error("it is known before it was read")
	}
	w.feed.HealthRead++
	for _, want := range []string{upkeep, "Small files 27", "Deleted rows 720, 20\u202f%", "Snapshots 61", "Orphans 48.2\u202fMB"} {
		if got := facts(); !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}
