package view_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"tarn/embedded/fault"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/home"
	"tarn/ui/tables"
	"tarn/ui/uitest"
	"tarn/ui/view"
	"tarn/ui/words"
)

func state(feed *uitest.Feed) home.State {
	return home.NewSampler().Sample(home.Input{
		Now: time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC), Parts: feed.Parts(), Sources: feed.Sources(), Topics: feed.Topics(), Landings: feed.Landings(), Pipelines: feed.Pipelines(),
		Lake: home.Lake{Known: true, Stats: feed.StatsNow, Views: feed.ViewsNow}, Ports: feed.Ports(), Version: "1.2.3", Sample: true,
	})
}

// looked is what the page of tables knows of a feed.
func looked(feed *uitest.Feed) tables.State {
	now := time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC)
	return tables.Look(tables.Input{Now: now, Parts: feed.Parts(), Pipelines: feed.Pipelines(), Lake: home.Lake{Known: true, Stats: feed.StatsNow}, Care: home.Care{}.Next(now, feed.HealthNow)})
}

// draw renders and parses Home.
func draw(t *testing.T, s home.State) (*html.Node, string) {
	t.Helper()
	return render(t, view.Home(view.NewPage(frame(s), s)))
}

// lake renders and parses the page of tables.
func lake(t *testing.T, s tables.State, q view.LakeQuery) (*html.Node, string) {
	t.Helper()
	return render(t, view.Lake(view.NewLakePage(frame(home.Starting("1", false)), s, q, "here:1")))
}

// one renders and parses a part of the page of one table, as a feed tells of it.
func one(t *testing.T, s tables.State, feed *uitest.Feed, q view.TableQuery) (*html.Node, string) {
	t.Helper()
	known, _ := s.Find(q.Name)
	past, err := feed.Catalog().Histories(t.Context(), table.ParseIdent(q.Name))
	if err != nil {
		return render(t, view.Table(view.NewTablePage(frame(home.Starting("1", false)), s, tables.Detail{Table: known}, q, "here:1", fault.New(fault.CodeOf(err), err.Error(), ""))))
	}
	files, _ := feed.Catalog().Files(t.Context(), table.ParseIdent(q.Name))
	return render(t, view.Table(view.NewTablePage(frame(home.Starting("1", false)), s, known.Detail(past[0], files, q.From, q.To), q, "here:1", nil)))
}

func frame(s home.State) view.Frame {
	return view.Frame{Build: "b1", URL: func(name string) string { return "/assets/b1/" + name }, Version: s.Version, Sample: s.Sample, Health: s.Health, At: s.AtText()}
}

func render(t *testing.T, page templ.Component) (*html.Node, string) {
	t.Helper()
	return renderIn(t, words.English, page)
}

func renderIn(t *testing.T, l words.Language, page templ.Component) (*html.Node, string) {
	t.Helper()
	var b bytes.Buffer
	if err := page.Render(words.With(t.Context(), l), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return doc, b.String()
}

func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := range n.ChildNodes() {
		walk(c, visit)
	}
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})
	return b.String()
}

// TestWhatIsDrawnIsWhatIsSent: each value of the stream has its place, and says the same there.
func TestWhatIsDrawnIsWhatIsSent(t *testing.T) {
	port := uitest.Port(time.Now())
	port.AddPipelines(time.Now())
	s, u := state(port), looked(port)
	for page, c := range map[string]struct {
		page   templ.Component
		values func(words.Language) map[string]string
	}{
		"home": {view.Home(view.NewPage(frame(s), s)), s.Values},
		"lake": {view.Lake(view.NewLakePage(frame(home.Starting("1", false)), u, view.LakeQuery{}, "here:1")), u.Values},
	} {
		for _, l := range words.Languages {
			t.Run(page+" "+l.Name, func(t *testing.T) {
				doc, _ := renderIn(t, l.Language, c.page)
				drawnIsSent(t, doc, c.values(l.Language))
			})
		}
	}
}

func drawnIsSent(t *testing.T, doc *html.Node, values map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	walk(doc, func(n *html.Node) {
		name, ok := attr(n, "data-v")
		if !ok {
			return
		}
		if want, ok := values[name]; ok {
			seen[name] = true
			if got := text(n); got != want {
				t.Errorf("%s: drawn %q, sent %q", name, got, want)
			}
		}
		for _, a := range []string{"class", "d"} {
			if want, ok := values[name+"@"+a]; ok {
				seen[name+"@"+a] = true
				if got, _ := attr(n, a); got != want {
					t.Errorf("%s@%s: drawn %q, sent %q", name, a, got, want)
				}
			}
		}
	})
	for name := range values {
		if !seen[name] {
			t.Errorf("%s is sent and has no place", name)
		}
	}
}

// TestHostileTextStaysText: no element and no attribute of the page comes from data.
func TestHostileTextStaysText(t *testing.T) {
	hostileStaysText(t, func() (*html.Node, string) { return draw(t, state(uitest.HostileNames(time.Now()))) })
	hostileStaysText(t, func() (*html.Node, string) {
		return lake(t, looked(uitest.HostileNames(time.Now())), view.LakeQuery{Find: "<IMG", Sort: uitest.Hostile})
	})
	for _, show := range []string{view.ShowSchema, view.ShowSnapshots, view.ShowFiles, view.ShowRows, view.ShowUpkeep, uitest.Hostile} {
		hostileStaysText(t, func() (*html.Node, string) {
			feed := uitest.HostileNames(time.Now())
			return one(t, looked(feed), feed, view.TableQuery{Name: "silver." + uitest.Hostile, Show: show, From: uitest.Hostile, To: uitest.Hostile})
		})
	}
}

func hostileStaysText(t *testing.T, draw func() (*html.Node, string)) {
	t.Helper()
	doc, raw := draw()
	if strings.Contains(raw, "<img") {
		t.Error("an element came from data")
	}
	walk(doc, func(n *html.Node) {
		if n.Type != html.ElementNode {
			return
		}
		src, _ := attr(n, "src")
		if n.Data == "script" && (!strings.HasPrefix(src, "/assets/b1/js/") || text(n) != "") {
			t.Errorf("a script %v", n.Attr)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	})
	if !strings.Contains(text(doc), uitest.Hostile) {
		t.Error("the text is not shown as it is")
	}
}

func TestStates(t *testing.T) {
	pipes := uitest.Port(time.Now())
	pipes.AddPipelines(time.Now())
	for name, c := range map[string]struct {
		state home.State
		has   []string
	}{
		"starting":  {home.Starting("1", false), []string{"Tarn is starting", "SELECT * FROM system.tables"}},
		"empty":     {state(&uitest.Feed{}), []string{"No data is moving yet", "tarn up --sample", "io.tarn.sqlite.SqliteConnector"}},
		"pipelines": {state(pipes), []string{"gold.by_berth", "there is no such topic", "it is waited for", "counters are since start"}},
		"port":      {state(uitest.Port(time.Now())), []string{"No pipeline yet", "CREATE MATERIALIZED VIEW gold.calls_by_status", "gold.berth_productivity", "127.0.0.1:7700", "sample", "All parts ready"}},
	} {
		doc, _ := draw(t, c.state)
		for _, part := range c.has {
			if !strings.Contains(text(doc), part) {
				t.Errorf("%s: %q is not on the page", name, part)
			}
		}
	}
}

func TestThousandsOfTablesStayDrawable(t *testing.T) {
	feed := uitest.Port(time.Now())
	for i := range 2000 {
		feed.AddTopic(fmt.Sprintf("t%04d", i), fmt.Sprintf("b%04d", i), fmt.Sprintf("s%04d", i), 1, time.Now())
	}
	feed.LandingsNow[1500].State, feed.LandingsNow[1500].Error = "quarantined", "x"
	_, raw := draw(t, state(feed))
	if len(raw) > 1<<20 {
		t.Errorf("the page has %d bytes", len(raw))
	}
	if !regexp.MustCompile(`and \d+ more, see the table`).MatchString(raw) || !strings.Contains(raw, `aria-label="bronze bronze.b1496, quarantined"`) {
		t.Error("what is left out is not said, or trouble is left out")
	}
}

func TestTablesAreListed(t *testing.T) {
	full := looked(uitest.Port(time.Now()))
	damaged := uitest.Port(time.Now())
	damaged.Damage()
	for name, c := range map[string]struct {
		state    tables.State
		query    view.LakeQuery
		has, not []string
	}{
		"starting":  {tables.Look(tables.Input{}), view.LakeQuery{}, []string{"Reading the catalog"}, []string{"No data"}},
		"empty":     {looked(&uitest.Feed{}), view.LakeQuery{}, []string{"No data is moving yet", "tarn up --sample"}, nil},
		"found":     {full, view.LakeQuery{Find: "Vessel"}, []string{"silver.vessels", "bronze.port_main_vessels"}, []string{"silver.calls"}},
		"not found": {full, view.LakeQuery{Find: "<nothing>"}, []string{"No table has “<nothing>” in its name"}, []string{"silver.calls"}},
		"damaged": {
			looked(damaged),
			view.LakeQuery{},
			[]string{"damaged", "it ends after 4096", "waits", "its orphans are left where they are"},
			[]string{"put the file back"},
		},
	} {
		doc, _ := lake(t, c.state, c.query)
		for _, part := range c.has {
			if !strings.Contains(text(doc), part) {
				t.Errorf("%s: %q is not on the page", name, part)
			}
		}
		for _, part := range c.not {
			if strings.Contains(text(doc), part) {
				t.Errorf("%s: %q is on the page", name, part)
			}
		}
	}
}

func TestATableIsShown(t *testing.T) {
	port, damaged, piped := uitest.Port(time.Now()), uitest.Port(time.Now()), uitest.Port(time.Now())
	damaged.Damage()
	piped.AddPipelines(time.Now())
	const first, last = "8471236109345671990", "8471236109345672001"
	for name, c := range map[string]struct {
		feed     *uitest.Feed
		state    tables.State
		query    view.TableQuery
		has, not []string
	}{
		"not cared": {
			port, tables.Look(tables.Input{Lake: home.Lake{Known: true, Stats: port.StatsNow}}),
			view.TableQuery{Name: "silver.calls", Show: view.ShowUpkeep},
			[]string{"reading the manifests", "silver.calls", "ALTER TABLE silver.calls EXECUTE compact"},
			[]string{"nothing to do", "recommended"},
		},
		"upkeep": {
			port, looked(port),
			view.TableQuery{Name: "silver.moves", Show: view.ShowUpkeep},
			[]string{"20% of its rows are deleted", "ALTER TABLE silver.moves EXECUTE remove_orphan_files", "recommended", "48.2 MB"},
			[]string{"damaged"},
		},
		"filled by a pipeline": {
			piped, looked(piped),
			view.TableQuery{Name: "gold.vessels_of_flag", Show: view.ShowSnapshots},
			[]string{"Filled by pipeline gold.vessels_of_flag waiting from silver.vessels", "there is no such topic", "SELECT flag, count(*) AS n", "gold.vessels_of_flag, epoch 1 211"},
			[]string{"id of"},
		},
		"damaged": {
			damaged, looked(damaged),
			view.TableQuery{Name: "silver.ports", Show: view.ShowUpkeep},
			[]string{"damaged", "it ends after 4096", "put the file back"},
			[]string{"ALTER TABLE"},
		},
		"schema": {
			port, looked(port),
			view.TableQuery{Name: "silver.calls"},
			[]string{"6 columns of schema 2", "renamed state to status", "added reefers_on, decimal(6,2)", "2026-07-01 11:00:00", "berth may be null", "widened moves from int to long", "nobody noted when", "the first one, of 4 columns"},
			[]string{"Compare"},
		},
		"snapshots": {
			port, looked(port),
			view.TableQuery{Name: "silver.calls", Show: view.ShowSnapshots},
			[]string{"37 snapshots thinned out", "before-the-storm", "replace", "upkeep", "+4 800", "Choose two"},
			nil,
		},
		"compared": {
			port, looked(port),
			view.TableQuery{Name: "silver.calls", Show: view.ShowSnapshots, From: first, To: last},
			[]string{"renamed state to status", "by their key call_id", "Reading…"},
			[]string{"Choose two"},
		},
		"not kept":   {port, looked(port), view.TableQuery{Name: "silver.calls", Show: view.ShowSnapshots, From: "12", To: last}, []string{"snapshot 12 is not kept"}, []string{"Reading…"}},
		"none older": {port, looked(port), view.TableQuery{Name: "silver.calls", Show: view.ShowSnapshots, To: first}, []string{"there is none before it"}, []string{"Reading…"}},
		"files":      {port, looked(port), view.TableQuery{Name: "silver.calls", Show: view.ShowFiles}, []string{"9 data files, 7 of them small, 3 of deletes", "00000-calls.parquet"}, nil},
	} {
		doc, _ := one(t, c.state, c.feed, c.query)
		said := strings.Join(strings.Fields(text(doc)), " ")
		for _, part := range c.has {
			if !strings.Contains(said, part) {
				t.Errorf("%s: %q is not on the page: %s", name, part, said)
			}
		}
		for _, part := range c.not {
			if strings.Contains(said, part) {
				t.Errorf("%s: %q is on the page", name, part)
			}
		}
	}
}

// TestTablesAreOrdered: by layer and name, what is in trouble first; or by a number.
func TestTablesAreOrdered(t *testing.T) {
	feed := uitest.Port(time.Now())
	feed.Damage()
	feed.StatsNow = append(feed.StatsNow, catalog.Stats{Ident: table.Ident{Namespace: "system", Name: "commits"}}, catalog.Stats{Ident: table.Ident{Namespace: "gold", Name: "a"}})
	for by, want := range map[string]string{
		"":        "silver.ports bronze.port_main_calls bronze.port_main_moves bronze.port_main_ports bronze.port_main_vessels silver.calls silver.moves silver.vessels gold.a system.commits",
		"nothing": "silver.ports bronze.port_main_calls",
		"rows":    "bronze.port_main_calls silver.calls bronze.port_main_moves silver.moves",
		"deleted": "silver.moves silver.calls bronze.port_main_calls",
		"orphans": "silver.moves",
		"upkeep":  "silver.ports bronze.port_main_calls silver.moves",
	} {
		var names []string
		for _, t := range looked(feed).List("", by) {
			names = append(names, t.Name)
		}
		if got := strings.Join(names, " "); !strings.HasPrefix(got, want) {
			t.Errorf("by %q: %s", by, got)
		}
	}
}

func TestThousandsOfTablesAreListed(t *testing.T) {
	feed := uitest.Port(time.Now())
	for i := range 2000 {
		feed.AddTopic(fmt.Sprintf("t%04d", i), fmt.Sprintf("b%04d", i), fmt.Sprintf("s%04d", i), 1, time.Now())
	}
	doc, raw := lake(t, looked(feed), view.LakeQuery{})
	if len(raw) > 1<<20 || !strings.Contains(text(doc), "The first 300 of 4008") {
		t.Errorf("the page has %d bytes", len(raw))
	}
}
