package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ui/uitest"
)

// TestAnAddressThatIsNone has the shell, what was asked for, and the way to all pages; its twin says so in JSON.
func TestAnAddressThatIsNone(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	for path, want := range map[string]string{"nope": "<!doctype html>", "api/nope": `{"error":{"code":"not_found"`, "lake/x/y": "<!doctype html>"} {
		answer, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusNotFound || !strings.HasPrefix(strings.ToLower(string(body)), want) {
			t.Errorf("%s: %s, %v, %.60s", path, answer.Status, err, body)
		}
	}
	b := open(t)
	b.visit(s.url + "no%3Cb%3Epe")
	if got := eval[string](b, `document.querySelector(".message").textContent + "|" + (document.querySelectorAll(".pages a").length - document.querySelectorAll(".top nav a").length) + "|" + document.querySelector(".foot a").getAttribute("href") + "|" + document.querySelectorAll("nav [aria-current], main b").length`); got != "there is no page /no%3Cb%3Epe|0|/api/no%3Cb%3Epe|0" {
		t.Errorf("it says %s", got)
	}
	for _, theme := range []string{"dark", "light"} {
		b.prefers(theme)
		b.shot("missing-" + theme)
		b.accessible()
	}
	b.do(chromedp.EmulateViewport(390, 844))
	b.fits("missing", 390)
	b.follow(`.pages a[href="/sources"]`)
	b.arrives(`location.pathname === "/sources" && document.querySelector(".sources-list")`)
	b.clean("404 (Not Found)")
}

// TestTheNavigationOfAPhone: the page that one is on is in sight, what is cut off has a shadow, and the keyboard comes to all.
func TestTheNavigationOfAPhone(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.do(chromedp.EmulateViewport(400, 844))
	b.visit(s.url + "status")
	const inSight = `((a) => { const n = document.querySelector(".top nav").getBoundingClientRect(), r = a.getBoundingClientRect(); return r.left >= n.left - 1 && r.right <= n.right + 1; })`
	b.until(inSight + `(document.querySelector(".top nav [aria-current]"))`)
	if got := eval[bool](b, `((n) => n.scrollWidth > n.clientWidth && n.clientWidth > 100)(document.querySelector(".top nav"))`); !got {
		t.Error("nothing of the navigation is cut off, or next to nothing is seen of it")
	}
	// The shadow is as dark as where it lies: looked at in the pictures.
	for _, theme := range []string{"dark", "light"} {
		b.prefers(theme)
		b.shot("nav-400-" + theme)
	}
	b.do(chromedp.Focus(".logo"))
	for path := range strings.FieldsSeq(eval[string](b, `[...document.querySelectorAll(".top nav a")].map((a) => a.getAttribute("href")).join(" ")`)) {
		b.do(chromedp.KeyEvent(kb.Tab))
		b.until(fmt.Sprintf(`document.activeElement.getAttribute("href") === %q && %s(document.activeElement)`, path, inSight))
	}
	b.clean()
}

// TestANodeLeadsToItsPage, from its facts and from the table; a table also to the pipeline that fills it.
func TestANodeLeadsToItsPage(t *testing.T) {
	s := serve(t, withPipelines(), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "#show=gold.moves_per_minute")
	b.until(`document.getElementById("facts-page")?.getAttribute("href") === "/lake/gold.moves_per_minute" && document.getElementById("facts-pipeline")?.getAttribute("href") === "/pipelines/gold.moves_per_minute"`)
	if got := eval[string](b, `[...document.querySelectorAll(".flow-table tbody tr")].filter((r) => /^(port|port.main.calls|bronze.port_main_calls|silver.calls)$/.test(r.querySelector("button").textContent)).map((r) => r.querySelector(".to").getAttribute("href")).join(" ")`); got != "/sources/port /topics?topic=port.main.calls /lake/bronze.port_main_calls /lake/silver.calls" {
		t.Errorf("the table leads to %s", got)
	}
	b.shot("home-facts")
	b.follow(`[data-flow="table"]`)
	b.shot("home-table")
	b.do(chromedp.Focus(`[data-node] + .to`), chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.pathname === "/sources/port"`)
	b.clean()
}

// TestMarksOfDirectionAreShown: a link's statement reads as what it is.
func TestMarksOfDirectionAreShown(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql#q=SELECT%20'%E2%80%AEnimda'%20--%20%E2%81%A6x%E2%81%A9")
	b.until(`[...document.getElementById("editor").shadowRoot?.querySelectorAll(".cm-unseen") ?? []].map((e) => e.dataset.mark).join(" ") === "U+202E U+2066 U+2069"`)
	if got := eval[string](b, editorText); got != "SELECT '\u202enimda' -- \u2066x\u2069" {
		t.Errorf("the text is %q", got)
	}
	b.shot("sql-marks")
	b.clean()
}

// TestMarksOfDirectionAreWrittenOut: a name that a mark would turn around is read as it is, from the server and from scripts.
func TestMarksOfDirectionAreWrittenOut(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake?find=a%E2%80%AEgpj.exe")
	b.until(`document.querySelector("main").innerText.includes("a‹U+202E›gpj.exe") && document.getElementById("find").value === "a\u202egpj.exe"`)
	eval[bool](b, `(document.querySelector("main").append(Object.assign(document.createElement("p"), { id: "turned", textContent: "x\u202ey" })), true)`)
	b.until(`document.getElementById("turned").textContent === "x‹U+202E›y"`)
	eval[bool](b, `(document.getElementById("turned").firstChild.data = "\u2067z", true)`)
	b.until(`document.getElementById("turned").textContent === "‹U+2067›z"`)
	b.clean()
}
