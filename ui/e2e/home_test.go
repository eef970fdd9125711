package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ui/uitest"
)

const resultShown = `document.querySelector(".rows tbody tr") && !document.getElementById("answer").ariaBusy`

func TestThePageIsLiveAndNumbersMove(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.until(`document.querySelectorAll(".node").length === 15`)
	node := `document.querySelector('[aria-label^="bronze bronze.port_main_calls"] .sub').textContent`
	b.until(`/\d\srows\/s/.test(` + node + `)`)
	before := eval[string](b, `document.querySelector('[data-v="f.in"]').textContent + document.querySelector("time").textContent`)
	b.until(fmt.Sprintf(`document.querySelector('[data-v="f.in"]').textContent + document.querySelector("time").textContent !== %q`, before))
	b.until(`document.querySelectorAll("path.flow-1, path.flow-2, path.flow-3").length > 8`) // edges move
	s.feed.Lock()
	s.feed.AddTopic("port.main.berths", "port_main_berths", "berths", 5, time.Now())
	s.feed.AddView("gold", "calm_berths", "silver.berths")
	s.feed.Unlock()
	b.until(`document.querySelector('[aria-label^="view gold.calm_berths"]')`)
	b.clean()
}

func TestOneStreamForAllTabs(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	const tabs = 7 // above the six connections that a browser opens to a host
	for i := range tabs {
		eval[bool](b, fmt.Sprintf(`(() => { const f = document.createElement("iframe"); window.frame%d = window.open("/", "tab%d"); return true })()`, i, i))
	}
	b.until(`[0,1,2,3,4,5,6].every((i) => window["frame" + i]?.document?.getElementById("live")?.dataset.state === "live")`)
	if n := eval[int](b, `fetch("/api/home").then((r) => r.json()).then((s) => s.nodes.length)`); n == 0 {
		t.Error("no connection is left to fetch with")
	}
	for deadline := time.Now().Add(waitLimit); s.streams() != 1; time.Sleep(10 * time.Millisecond) { // one that has broken off is counted for a while
		if time.Now().After(deadline) {
			t.Fatalf("%d streams for %d tabs", s.streams(), tabs+1)
		}
	}
}

func TestWithoutASharedWorker(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.before(`delete window.SharedWorker`)
	b.visit(s.url)
	b.until(`document.querySelectorAll("path.flow-1, path.flow-2").length > 4`)
	b.clean()
}

func TestSQLRunsFromTheKeyboard(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "text"`)
	b.typed("SELECT * FROM silver.calls")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(resultShown)
	asked := s.statements()
	if len(asked) != 1 || asked[0] != "SELECT * FROM silver.calls" {
		t.Fatalf("asked %q", asked)
	}
	for what, js := range map[string]string{
		"a long number is whole":   `document.querySelector(".rows tbody td").textContent === "9007199254740993"`,
		"numbers stand right":      `getComputedStyle(document.querySelector(".rows tbody td")).textAlign === "right"`,
		"text stands left":         `getComputedStyle(document.querySelector(".rows tbody td:nth-child(2)")).textAlign !== "right"`,
		"null is shown as such":    `document.querySelector(".rows tbody tr:nth-child(4) td:nth-child(2) .null").textContent === "null"`,
		"the time it took":         `document.getElementById("status").textContent.includes("20 rows in 12 ms")`,
		"the snapshots it read":    `document.querySelector(".snapshots li").textContent === "silver.calls at 8471236109345672001"`,
		"the caret is still there": `document.activeElement.id === "text"`,
	} {
		if !eval[bool](b, js) {
			t.Errorf("not so: %s", what)
		}
	}
	b.typed("SELECT many")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.querySelector(".more")?.textContent === "Show 500 more of 1\u202f300"`)
	b.press(".more")
	b.until(`document.querySelectorAll(".rows tbody tr").length === 700`)
	b.clean()
}

func TestSQLErrorsAreShownWhereTheyAre(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.prefers("light")
	b.visit(s.url)
	b.typed("SELECT port,\n  wrong\nFROM silver.calls")
	b.press("#run")
	b.until(`document.querySelector(".fault")`)
	for _, part := range []string{"syntax", "line 2, column 3", `column "wrong" not found`, "DESCRIBE silver.calls"} {
		if text := eval[string](b, `document.querySelector(".fault").textContent`); !strings.Contains(text, part) {
			t.Errorf("%q is not in %q", part, text)
		}
	}
	if marked := eval[string](b, `document.querySelector(".t-wrong").textContent`); marked != "wrong" {
		t.Errorf("%q is marked", marked)
	}
	b.shot("sql-error")
	b.clean("400 (Bad Request)")
}

func TestEscapeCancels(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.typed("SELECT slow")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`!document.getElementById("cancel").hidden`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`document.getElementById("answer").textContent.includes("Canceled")`)
	select {
	case <-s.hangup:
	case <-time.After(waitLimit):
		t.Error("the server was not told")
	}
	b.clean()
}

func TestANodeShowsItsFactsAndNewestRows(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.until(`document.querySelector('[aria-label^="view gold."]')`)
	b.focus(`[aria-label^="silver silver.moves"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(resultShown)
	if got := s.statements(); got[len(got)-1] != "SELECT *\nFROM silver.moves\nORDER BY _offset DESC\nLIMIT 20" {
		t.Errorf("asked %q", got)
	}
	for _, part := range []string{"8471236109345672001", "Topic", "port.main.moves", "Committed"} {
		b.until(fmt.Sprintf(`document.getElementById("facts").textContent.includes(%q)`, part))
	}
	b.shot("facts")
	if hash := eval[string](b, `location.hash`); hash != "#show=silver.moves" {
		t.Errorf("the address holds %q", hash)
	}
	asked := len(s.statements())
	b.do(chromedp.Navigate("about:blank"))
	b.visit(s.url + "#show=silver.calls")
	b.until(`document.getElementById("facts-name").textContent === "silver.calls"`)
	if len(s.statements()) != asked {
		t.Error("a link ran a statement")
	}
	b.clean()
}

func TestThemes(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.prefers("dark")
	b.visit(s.url)
	background := `getComputedStyle(document.body).backgroundColor`
	const dark, light = "rgb(11, 18, 22)", "rgb(243, 246, 247)"
	expect := func(want string) {
		t.Helper()
		if got := eval[string](b, background); got != want {
			t.Fatalf("the background is %s, want %s", got, want)
		}
	}
	expect(dark)
	b.press("#theme")
	expect(light)
	b.visit(s.url)
	expect(light)
	b.press("#theme")
	expect(dark)
	b.prefers("light")
	expect(dark)
	b.press("#theme")
	b.press("#theme")
	b.until(`document.getElementById("theme").textContent === "Theme: auto"`)
	expect(light)
	b.clean()
}

func TestOfflineIsSaidAndHeals(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.prefers("dark")
	b.visit(s.url)
	b.until(`document.querySelector('[aria-label^="view gold."]')`)
	s.stop()
	b.until(`document.getElementById("live").dataset.state === "offline" && !document.getElementById("offline").hidden`)
	b.typed("SELECT 1")
	b.press("#run")
	b.until(`document.querySelector(".fault")?.textContent.includes("tarn up")`)
	b.shot("offline")
	serve(t, s.feed, s.addr)
	b.until(`document.getElementById("live").dataset.state === "live" && document.getElementById("offline").hidden`)
	b.clean("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
}

func TestHostileTextStaysText(t *testing.T) {
	s := serve(t, uitest.HostileNames(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.until(`document.querySelectorAll("g.node").length >= 5`)
	b.typed("SELECT hostile")
	b.press("#run")
	b.until(resultShown)
	eval[bool](b, `(document.querySelector('g.k-silver').dispatchEvent(new MouseEvent("click", {bubbles: true})), true)`)
	b.until(`!document.getElementById("facts").hidden`)
	now := eval[string](b, `document.querySelector("time").textContent`)
	b.until(fmt.Sprintf(`document.querySelector("time").textContent !== %q`, now)) // what would run has run by then
	if got := eval[string](b, `document.title + document.querySelectorAll("main img, main script, main iframe").length`); got != "Tarn0" {
		t.Errorf("something became HTML: %s", got)
	}
	if !eval[bool](b, fmt.Sprintf(`document.querySelector("#parts td").textContent === %q`, uitest.Hostile)) {
		t.Error("the name is not shown as it is")
	}
	b.shot("hostile")
	b.clean()
}

func TestEmptySaysHowToBegin(t *testing.T) {
	s := serve(t, &uitest.Feed{PartsNow: uitest.Port(time.Now()).PartsNow, PortsNow: map[string]string{"http": "127.0.0.1:7700"}}, "127.0.0.1:0")
	b := open(t)
	b.prefers("dark")
	b.visit(s.url)
	b.until(`document.querySelector(".empty")?.textContent.includes("tarn up --sample")`)
	if !eval[bool](b, `JSON.parse(document.querySelectorAll(".empty [data-copy]")[1].dataset.copy).config["connector.class"].endsWith("SqliteConnector")`) {
		t.Error("the example is no connector")
	}
	b.shot("empty")
	b.clean()
}
