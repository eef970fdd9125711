package e2e_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ui/uitest"
)

// answerOfRow answers where a row comes from.
func answerOfRow(w http.ResponseWriter, text string) {
	switch {
	case strings.Contains(text, "wrong"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"code":"not_found","message":"no row of gold.by_berth is so","hint":"a row that has changed since is another row: ask by the columns of its key"}}`)
		return
	case strings.Contains(text, "silver.calls"):
		rowSteps(w, [][]any{
			{1, "silver", "silver.calls", nil, 17, `{"call_id":9007199254740996}`, `{"call_id":9007199254740996,"berth":"B3"}`, "the mirror of topic port.main.calls: it is what event 17 says"},
			{2, "bronze", "bronze.port_main_calls", 0, 17, `{"call_id":9007199254740996}`, `{"op":"u","before":{"berth":"B2"},"after":{"berth":"B3"}}`, "made the row what it is"},
			{3, "topic", "port.main.calls", 0, 17, nil, nil, "no longer in the log: bronze has it"},
		})
		return
	}
	what := `{"gate":"north","value":"a longer value that a line cuts off at its edge, until somebody opens it, as they do in any other place of the pages"}`
	note := "filled by pipeline gold.by_berth; made of 3 events; computed again from them it is the same; 1 came too late, and is not in it"
	if strings.Contains(text, "onerror") {
		what, note = uitest.Hostile, uitest.Hostile
	}
	rows := [][]any{{1, "gold", "gold.by_berth", nil, nil, `{"berth":"TM-4"}`, `{"berth":"TM-4","calls":3}`, note}}
	for i := range 4 {
		late := any(nil)
		if i == 3 {
			late = "came too late for the window: not in the row"
		}
		rows = append(rows, []any{2, "bronze", "bronze.port_main_moves", 0, 118 + i, nil, what, late})
	}
	for i := range 4 {
		rows = append(rows, []any{3, "topic", "port.main.moves", 0, 118 + i, nil, nil, "in the log"})
	}
	rowSteps(w, rows)
}

func rowSteps(w http.ResponseWriter, rows [][]any) {
	answer(w, []string{"step", "layer", "name", "partition", "offset", "key", "value", "note"}, []string{"BIGINT", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR"}, rows)
}

func rowPath(of, where string) string {
	return "row?" + url.Values{"of": {of}, "where": {where}}.Encode()
}

// rowLooks are the states of the page of a row, by address.
func rowLooks() map[string]pageLook {
	port := uitest.Port(time.Now())
	return map[string]pageLook{
		"steps":   {port, rowPath("gold.by_berth", "berth = 'TM-4'")},
		"empty":   {port, "row"},
		"hostile": {port, rowPath("gold.by_berth", "berth = '"+uitest.Hostile+"'")},
	}
}

// TestTheWayFromAGridToWhereARowComesFrom: a row of the page SQL has the way to its events, with the key of its table; the address holds what was
// asked, back goes back, and all of it works from the keyboard.
func TestTheWayFromAGridToWhereARowComesFrom(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql")
	b.statement("SELECT * FROM silver.calls WHERE port <> 'a join'")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(gridShown)
	b.follow(`.grid [role="row"]:nth-child(3) .grid-number, .grid-body .grid-row:nth-child(3) .grid-number`)
	const button = `[...document.querySelectorAll("#panel-body button")].find((e) => e.textContent === "Where does it come from?")`
	b.until(button)
	eval[bool](b, `(`+button+`.focus(), true)`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.pathname === "/row" && document.querySelectorAll(".row-step").length === 3`)
	if got := eval[string](b, `new URLSearchParams(location.search).get("of") + " " + new URLSearchParams(location.search).get("where").replace(/\d+/, "N")`); got != `silver.calls "call_id" = N` {
		t.Errorf("asked for %s", got)
	}
	if got := eval[string](b, `[...document.querySelectorAll(".row-step h3 a")].map((a) => a.getAttribute("href")).join(" ")`); got != "/lake/silver.calls /lake/bronze.port_main_calls /topics?topic=port.main.calls" {
		t.Errorf("links: %s", got)
	}

	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "row-where"`)
	eval[bool](b, `((t, w) => { t.value = "gold.by_berth"; w.value = ""; w.focus(); return true; })(document.getElementById("row-table"), document.getElementById("row-where"))`)
	b.insert("berth = 'TM-4'")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelectorAll(".thing").length === 9 && document.querySelectorAll(".thing.beside").length === 1 && location.search === "?of=gold.by_berth&where=berth+%3D+%27TM-4%27"`)
	if got := eval[string](b, `document.querySelector(".k-topic .thing a").getAttribute("href")`); got != "/topics?topic=port.main.moves&partition=0&from=118" {
		t.Errorf("the record is at %s", got)
	}
	asked := s.statements()
	if got := asked[len(asked)-1]; got != "EXPLAIN ROW OF gold.by_berth WHERE berth = 'TM-4'" {
		t.Errorf("asked %s", got)
	}
	eval[bool](b, `((w) => { w.value = ""; w.focus(); return true; })(document.getElementById("row-where"))`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector("#row-steps .nothing")?.textContent === "Say which row: a condition that is true of it alone."`)
	b.insert("wrong")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector("#row-steps .fault .hint")?.textContent.includes("by the columns of its key")`)
	b.shot("row-refused")
	b.accessible()
	eval[bool](b, `(history.go(-3), true)`)
	b.until(`document.querySelectorAll(".row-step").length === 3 && document.getElementById("row-table").value === "silver.calls"`)
	b.clean("400 (Bad Request)")
}

// TestNotesOfARowAreInFrench: what SQL answers in English the page says in the reader's language.
func TestNotesOfARowAreInFrench(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + rowPath("gold.by_berth", "berth = 'TM-4'") + "&lang=fr")
	b.until(`[...document.querySelectorAll(".thing-note")].map((e) => e.textContent).join("|").startsWith("remplie par le pipeline gold.by_berth; faite de 3 événements; recalculée à partir d’eux, elle est la même; venus trop tard, et pas dedans\u202f: 1|venu trop tard")`)
	b.clean()
}

// TestTheWayFromATableToWhereARowComesFrom: each row that the page of a table shows of the newest snapshot has the way, one of an older has not.
func TestTheWayFromATableToWhereARowComesFrom(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake/silver.calls?show=rows&at=8471236109345672001")
	b.until(`document.querySelectorAll("[data-rows] tbody tr").length === 20 && !document.querySelector("[data-rows] button")`)
	b.visit(s.url + "lake/silver.calls?show=rows")
	b.until(`document.querySelectorAll("[data-rows] tbody tr").length === 20`)
	b.shot("table-rows")
	b.accessible()
	b.focus(`[data-rows] tbody tr:nth-child(3) button`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.pathname === "/row" && document.querySelectorAll(".row-step").length === 3`)
	if got := eval[string](b, `new URLSearchParams(location.search).get("of") + " " + new URLSearchParams(location.search).get("where").replace(/\d+/, "N")`); got != `silver.calls "call_id" = N` {
		t.Errorf("asked for %s", got)
	}
	b.clean()
}
