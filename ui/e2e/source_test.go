package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ingest/source"
	"tarn/ui/uitest"
)

func TestThePagesOfSources(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sources")
	const line = `document.querySelector(".sources-list tbody tr")`
	b.until(line + `?.cells[1].textContent === "streaming"`)
	before := eval[string](b, line+`.cells[4].textContent`)
	b.until(line + fmt.Sprintf(`.cells[4].textContent !== %q`, before)) // its rows move
	b.follow(`.sources-list .name`)
	b.arrives(`location.pathname === "/sources/port" && document.querySelectorAll(".source-topics tbody tr").length === 4 && document.querySelectorAll("#dead .aside tbody tr").length === 4`)
	sendAgain(s, b)
	if got := eval[string](b, `[...document.querySelector(".source-topics tbody tr").querySelectorAll("a")].map((a) => a.getAttribute("href")).join(" ")`); got != "/topics?topic=port.main.calls /lake/bronze.port_main_calls /lake/silver.calls" {
		t.Errorf("links: %s", got)
	}
	s.feed.Lock()
	src := &s.feed.SourcesNow[0]
	src.State, src.Lag.Snapshot, src.Findings = "snapshot", "chunk 3 of moves", []source.Finding{{Table: "log", Message: "the table has no key: it gets no mirror", Hint: "add a PRIMARY KEY"}}
	s.feed.Unlock()
	b.until(`document.querySelector(".snapshot b")?.textContent === "chunk 3 of moves" && document.querySelector(".findings").textContent.includes("add a PRIMARY KEY")`)
	s.feed.Lock()
	src.Lag.Snapshot = "chunk 4 of moves"
	s.feed.Unlock()
	b.until(`document.querySelector(".snapshot b")?.textContent === "chunk 4 of moves"`)
	b.follow(`[data-run="PAUSE CONNECTOR port"]`)
	b.until(`document.getElementById("said").textContent === "Done: PAUSE CONNECTOR port"`)
	s.feed.Lock()
	src.State, src.Lag.Snapshot = source.Paused, ""
	s.feed.Unlock()
	b.until(`document.querySelector('[data-run="RESUME CONNECTOR port"]') && !document.querySelector(".snapshot")`)
	b.clean("400 (Bad Request)")
}

// TestTheTablesOfASource: how far a snapshot is moves, a table is snapshotted anew and the source is checked and ended by the
// keyboard, and what mends a finding is there to copy.
func TestTheTablesOfASource(t *testing.T) {
	feed := uitest.Port(time.Now())
	feed.Trouble()
	s := serve(t, feed, "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sources/port")
	const rows = `[...document.querySelectorAll(".source-tables tbody tr")].map((r) => r.innerText.trim().replace(/\s+/g, " ")).join("|")`
	b.until(rows + `.startsWith("calls streaming 4 800 18 ms Snapshot anew|moves quarantined 3 600 18 ms Snapshot anew|table moves is quarantined")`)
	s.feed.Lock()
	s.feed.SourcesNow[0].Tables[0].State, s.feed.SourcesNow[0].Tables[0].Done = source.Snapshotting, .37
	s.feed.Unlock()
	b.until(`document.querySelector(".source-tables progress")?.value === 37 && ` + rows + `.startsWith("calls snapshot 37 %")`)
	s.feed.Lock()
	s.feed.SourcesNow[0].Tables[0].Done = .5
	s.feed.Unlock()
	b.until(`document.querySelector(".source-tables progress")?.value === 50`)
	b.do(chromedp.Focus(`[data-run="RESNAPSHOT CONNECTOR port TABLE moves"]`), chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("said").textContent === "Done: RESNAPSHOT CONNECTOR port TABLE moves"`)
	b.do(chromedp.Focus(`[data-check]`), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector("#said .fatal code")?.textContent === "ALTER ROLE tarn REPLICATION" && document.querySelectorAll("#said .findings li").length === 2`)
	for _, theme := range []string{"dark", "light"} {
		b.prefers(theme)
		b.shot("source-checked-" + theme)
		b.accessible()
	}
	b.do(chromedp.Focus(`[data-ask="end"]`), chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("end").open`)
	for _, theme := range []string{"dark", "light"} {
		b.prefers(theme)
		b.shot("source-end-" + theme)
		b.accessible()
	}
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.getElementById("end").open`)
	b.do(chromedp.Focus(`[data-ask="end"]`), chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("end").open`)
	b.press("#end-yes")
	b.arrives(`location.pathname === "/sources" && document.querySelector(".sources-list")`)
	if asked := s.statements(); !slices.Contains(asked, "DROP CONNECTOR port") {
		t.Errorf("asked %q", asked)
	}
	b.clean()
}

// sendAgain sends a letter again that a source found: what is no object is refused, and what was typed stays.
func sendAgain(s *site, b *tab) {
	b.t.Helper()
	if got := eval[string](b, `[...document.querySelectorAll("#dead .aside tbody tr")].map((r) => [...r.querySelectorAll(".next > :not([data-copy])")].map((e) => e.textContent).join("/")).join("|")`); got !=
		"Mend the row in the source: its next change comes by itself.|Mend the line in a new file of the directory: it is read as any other./Send again…|Sent again: /gate 0/204|Mend the line in a new file of the directory: it is read as any other." {
		b.t.Errorf("what may be done with the letters: %s", got)
	}
	b.do(chromedp.Focus(`[data-letter="8"]`), chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("replay").open && document.activeElement.id === "replay-value" && document.getElementById("replay-sql").textContent === "REPLAY DEAD LETTER 8"`)
	for _, theme := range []string{"dark", "light"} {
		b.prefers(theme)
		b.shot("source-replay-" + theme)
		b.accessible()
	}
	for _, text := range []string{"wrong", `{"gate": "it's"}`} {
		eval[bool](b, `(document.getElementById("replay-value").select(), true)`)
		b.insert(text)
		b.until(fmt.Sprintf(`document.getElementById("replay-sql").textContent === %q`, "REPLAY DEAD LETTER 8 AS '"+strings.ReplaceAll(text, "'", "''")+"'"))
		b.press("#replay-yes")
		if text == "wrong" {
			b.until(`document.querySelector("#replay-said .fault")?.textContent.includes("no JSON object") && document.getElementById("replay").open`)
		}
	}
	b.until(`!document.getElementById("replay").open && document.getElementById("said").textContent === "Sent again: gate 0/205" && document.activeElement.matches(".aside")`)
	asked := s.statements()
	if n := slices.Index(asked, `REPLAY DEAD LETTER 8 AS '{"gate": "it''s"}'`); n < 0 || !strings.Contains(asked[len(asked)-1], "FROM system.dead_letter") {
		b.t.Errorf("asked %q", asked)
	}
}

func TestASourceIsAddedByAForm(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sources")
	b.follow(`a.main`)
	b.arrives(`document.getElementById("add-file")?.textContent === "connectors/sqlite.json"`)
	b.until(`document.getElementById("add-missing").textContent === "Still to say: database.path, topic.prefix." && document.getElementById("add-copy").disabled && document.getElementById("add-cli").disabled`)
	b.follow(`.add .switch a[href*="kind=files"]`)
	b.arrives(`document.getElementById("add-file")?.textContent === "connectors/files.json"`)
	for id, text := range map[string]string{"add-name": "the gate's", "add-0": "in <box>", "add-1": "gate"} {
		eval[bool](b, fmt.Sprintf(`((f) => { f.focus(); f.select(); return true; })(document.getElementById(%q))`, id))
		b.do(chromedp.KeyEvent(text))
	}
	b.until(`document.getElementById("add-missing").textContent === "" && !document.getElementById("add-copy").disabled && !document.getElementById("add-cli").disabled`)
	want := `{"name":"the gate's","config":{"connector.class":"io.tarn.files.FilesConnector","files.path":"in <box>","topic":"gate"}}`
	if got := eval[string](b, `document.getElementById("add-file").textContent + " " + JSON.stringify(JSON.parse(document.getElementById("add-json").textContent))`); got != "connectors/the_gate_s.json "+want {
		t.Errorf("%s", got)
	}
	b.press("#add-test")
	b.until(`document.getElementById("add-said").textContent === "Nothing to mend."`)
	b.press("#add-make")
	b.until(`document.getElementById("add-said").textContent === "Written: connectors/the_gate_s.json. Show the gate'sdirectory in <box> has no file to read yet"`)
	if got := eval[string](b, `document.querySelector("#add-said a").getAttribute("href")`); got != "/sources/the%20gate's" {
		t.Errorf("the link to it: %s", got)
	}
	eval[bool](b, `((f) => { f.focus(); f.select(); return true; })(document.getElementById("add-1"))`)
	b.do(chromedp.KeyEvent("wrong"), chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.id === "add-1" && document.getElementById("add-1-wrong")?.textContent === "topic is wrong (use letters)" && document.activeElement.ariaInvalid === "true"`)
	b.shot("source-form-wrong")
	b.accessible()
	b.do(chromedp.KeyEvent("x"))
	b.until(`!document.getElementById("add-1-wrong") && !document.getElementById("add-1").hasAttribute("aria-invalid")`)
	asked := s.statements()
	if got := asked[0]; !strings.HasPrefix(got, "CHECK CONNECTOR \"the gate's\" WITH (") {
		t.Errorf("tested by %s", got)
	}
	if got := asked[1]; got != "CREATE CONNECTOR \"the gate's\" WITH (\n  'connector.class' = 'io.tarn.files.FilesConnector',\n  'files.path' = 'in <box>',\n  'topic' = 'gate'\n)" {
		t.Errorf("asked %s", got)
	}
	b.clean("400 (Bad Request)")
}

// sourceLooks are the states of the pages of sources, by address.
func sourceLooks() map[string]pageLook {
	port, trouble, hostile := uitest.Port(time.Now()), uitest.Port(time.Now()), uitest.HostileNames(time.Now())
	trouble.Trouble()
	snapshot := uitest.Port(time.Now())
	snapshot.SourcesNow[0].State, snapshot.SourcesNow[0].Lag.Snapshot = "snapshot", "chunk 3 of moves"
	for i, state := range []string{source.Streaming, source.Snapshotting, source.Waiting, source.Gone} {
		snapshot.SourcesNow[0].Tables[i].State, snapshot.SourcesNow[0].Tables[i].Done = state, .37
	}
	lost := uitest.Port(time.Now())
	lost.SourcesNow[0].State, lost.SourcesNow[0].Error, lost.SourcesNow[0].Hint = source.NeedsSnapshot, "needs a new snapshot of calls: the slot is gone", "look at what was lost, then say RESNAPSHOT CONNECTOR port"
	lost.SourcesNow[0].Tables[0].State, lost.SourcesNow[0].Tables[0].Error = source.NeedsSnapshot, "the slot is gone"
	return map[string]pageLook{
		"list":         {trouble, "sources"},
		"list-empty":   {&uitest.Feed{}, "sources"},
		"list-hostile": {hostile, "sources"},
		"new":          {port, "sources?new=1"},
		"one":          {snapshot, "sources/port"},
		"one-trouble":  {trouble, "sources/port"},
		"one-lost":     {lost, "sources/port"},
		"one-missing":  {port, "sources/nothing"},
		"one-hostile":  {hostile, "sources/" + escaped(uitest.Hostile)},
	}
}
