package view_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tarn/ui/home"
	"tarn/ui/uitest"
	"tarn/ui/view"
)

func state(feed *uitest.Feed) home.State {
	return home.NewSampler().Sample(home.Input{
		Now: time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC), Parts: feed.Parts(), Sources: feed.Sources(), Topics: feed.Topics(), Landings: feed.Landings(),
		Lake: home.Lake{Known: true, Stats: feed.StatsNow, Views: feed.ViewsNow}, Ports: feed.Ports(), Version: "1.2.3", Sample: true,
	})
}

// draw renders and parses the page.
func draw(t *testing.T, s home.State) (*html.Node, string) {
	t.Helper()
	var b bytes.Buffer
	if err := view.Home(view.NewPage(s, "b1", func(name string) string { return "/assets/b1/" + name })).Render(t.Context(), &b); err != nil {
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
	s := state(uitest.Port(time.Now()))
	doc, _ := draw(t, s)
	values := s.Values()
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
	doc, raw := draw(t, state(uitest.HostileNames(time.Now())))
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
	for name, c := range map[string]struct {
		state home.State
		has   []string
	}{
		"starting": {home.Starting("1", false), []string{"Tarn is starting", "SELECT * FROM system.tables"}},
		"empty":    {state(&uitest.Feed{}), []string{"No data is moving yet", "tarn up --sample", "io.tarn.sqlite.SqliteConnector"}},
		"port":     {state(uitest.Port(time.Now())), []string{"gold.berth_productivity", "127.0.0.1:7700", "sample", "All parts ready"}},
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
