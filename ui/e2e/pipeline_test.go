package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ui/uitest"
)

const pipelineLine = `[...document.querySelectorAll(".pipelines-list tbody tr")].find((r) => r.querySelector(".name")?.textContent === "gold.moves_per_minute")`

func withPipelines() *uitest.Feed {
	f := uitest.Port(time.Now())
	f.AddPipelines(time.Now())
	return f
}

func TestThePagesOfPipelines(t *testing.T) {
	s := serve(t, withPipelines(), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "pipelines")
	b.until(pipelineLine)
	for column, want := range map[int]string{1: "running", 4: "64", 7: "17", 8: "3"} {
		if got := eval[string](b, fmt.Sprintf(`%s.cells[%d].textContent.trim()`, pipelineLine, column)); got != want {
			t.Errorf("column %d: %q", column, got)
		}
	}
	before := eval[string](b, pipelineLine+`.cells[9].textContent`)
	b.until(pipelineLine + fmt.Sprintf(`.cells[9].textContent !== %q`, before)) // its ticks move
	b.until(`document.querySelector(".pipelines-list .why").textContent.includes("there is no such topic")`)
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "find"`)
	eval[bool](b, `(document.activeElement.select(), true)`)
	b.do(chromedp.KeyEvent("MOVES"))
	b.until(`document.querySelectorAll(".pipelines-list tbody tr").length === 1 && location.search === "?find=MOVES"`)
	b.follow(`.pipelines-list .name`)
	b.arrives(`location.pathname === "/pipelines/gold.moves_per_minute" && document.querySelectorAll(".steps .step").length === 4 && document.querySelectorAll(".steps .edge").length === 3`)
	b.until(`document.querySelectorAll(".ticks rect").length === 40`)
	b.until(`document.querySelector("#late .aside a")`)
	if got := eval[string](b, `document.querySelector("#late .aside a").getAttribute("href")`); got != "/topics?topic=port.main.moves&partition=1&from=119" {
		t.Errorf("a late row leads to %s", got)
	}
	b.until(`document.querySelectorAll("#dead .aside tbody tr").length === 4 && document.querySelectorAll("#dead [data-letter]").length === 2`)
	if got := eval[string](b, `[...document.querySelectorAll(".lines a")].map((a) => a.getAttribute("href")).join(" ")`); got != "/lake/gold.moves_per_minute /topics?topic=port.main.moves /topics?partition=0&topic=port.main.moves" {
		t.Errorf("links: %s", got)
	}
	b.follow(`[data-run^="PAUSE"]`)
	b.until(`document.getElementById("said").textContent === "Done: PAUSE PIPELINE gold.moves_per_minute"`)
	s.feed.Lock()
	s.feed.PipelinesNow[1].State = "paused"
	s.feed.Unlock()
	b.until(`document.querySelector('[data-run="RESUME PIPELINE gold.moves_per_minute"]')`)
	b.clean()
}

func TestADropAsksForTheName(t *testing.T) {
	s := serve(t, withPipelines(), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "pipelines/gold.by_berth")
	b.until(`document.querySelectorAll("#dead .aside tbody tr").length`)
	b.focus(`[data-ask="drop"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("drop").open && document.activeElement.id === "drop-name"`)
	b.do(chromedp.KeyEvent("gold.by_bert"), chromedp.KeyEvent(kb.Enter))
	if eval[bool](b, `!document.getElementById("drop-yes").disabled`) {
		t.Error("half a name drops it")
	}
	b.shot("pipeline-drop")
	b.accessible()
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.getElementById("drop").open`)
	b.focus(`[data-ask="drop"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.id === "drop-name"`)
	eval[bool](b, `(document.getElementById("drop-table").click(), true)`)
	b.focus("#drop-name")
	b.do(chromedp.KeyEvent("gold.by_berth"), chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.pathname === "/pipelines"`)
	asked := s.statements()
	if n := slices.IndexFunc(asked, func(text string) bool { return strings.HasPrefix(text, "DROP") }); n < 0 || asked[n] != "DROP MATERIALIZED VIEW gold.by_berth" {
		t.Errorf("asked %q", asked)
	}
	b.clean()
}

func TestPipelinesAreWritten(t *testing.T) {
	s := serve(t, withPipelines(), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "pipelines?new=1")
	b.until(`document.getElementById("editor")?.shadowRoot && ` + editorText + `.startsWith("CREATE MATERIALIZED VIEW gold.")`)
	b.statement("-- é 🚢\nCREATE SOURCE bid (price BIGINT) WITH (connector = 'kafka', topic = 'bid');\n\nINSERT INTO gold.sums\nSELECT wrong FROM bid")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.getElementById("status").textContent === "1 of 2 refused"`)
	if got := eval[string](b, `document.querySelector(".checked .place").textContent + "|" + document.getElementById("editor").shadowRoot.querySelector(".cm-wrong").textContent + "|" + document.activeElement.id`); got != "line 5, column 8|wrong|editor" {
		t.Errorf("the fault stands at %s", got)
	}
	b.clean("400 (Bad Request)")
	if n := slices.IndexFunc(s.statements(), func(text string) bool { return strings.HasPrefix(text, "CREATE") }); n >= 0 {
		t.Error("a check has run a statement")
	}
	b.statement("CREATE SOURCE (")
	b.press("#check")
	b.until(`document.querySelector(".checked .fault") && document.getElementById("status").textContent === "1 of 1 refused"`)
	b.statement("CREATE MATERIALIZED VIEW sums AS SELECT berth FROM silver.calls")
	b.press("#check")
	b.until(`document.querySelectorAll(".checked .step").length === 4 && document.querySelectorAll(".checked .sample tbody tr").length === 20`)
	b.until(`document.getElementById("status").textContent === "it can be applied"`)
	asked := s.statements()
	if got := strings.Join(asked[len(asked)-2:], "|"); got != "EXPLAIN CREATE MATERIALIZED VIEW sums AS SELECT berth FROM silver.calls|SELECT * FROM (SELECT berth FROM silver.calls\n) LIMIT 20" {
		t.Errorf("asked %s", got)
	}
	b.shot("pipeline-written")
	b.press("#apply")
	b.until(`document.querySelector(".checked .done a")?.getAttribute("href") === "/pipelines/gold.sums" && document.getElementById("status").textContent === "applied"`)
	asked = s.statements()
	if got := asked[len(asked)-1]; got != "CREATE MATERIALIZED VIEW sums AS SELECT berth FROM silver.calls" {
		t.Errorf("applied %q", got)
	}
	b.visit(s.url + "pipelines/gold.by_berth?edit=1")
	b.until(`document.getElementById("editor")?.shadowRoot && ` + editorText + ` === "ALTER PIPELINE gold.by_berth AS\nSELECT berth, status, count(*) AS n\nFROM silver.calls\nGROUP BY berth, status"`)
	b.clean("400 (Bad Request)")
}

// pipelineLooks are the states of the pages of pipelines, by address.
func pipelineLooks() map[string]pageLook {
	port, hostile := withPipelines(), uitest.HostileNames(time.Now())
	stuck := looks["many-pipelines"]()
	return map[string]pageLook{
		"list":         {port, "pipelines"},
		"list-many":    {stuck, "pipelines"},
		"list-empty":   {&uitest.Feed{}, "pipelines"},
		"list-none":    {uitest.Port(time.Now()), "pipelines"},
		"list-hostile": {hostile, "pipelines"},
		"new":          {port, "pipelines?new=1"},
		"one":          {port, "pipelines/gold.moves_per_minute"},
		"one-waiting":  {port, "pipelines/gold.vessels_of_flag"},
		"one-edit":     {port, "pipelines/gold.by_berth?edit=1"},
		"one-missing":  {port, "pipelines/nothing"},
		"one-hostile":  {hostile, "pipelines/" + escaped(hostile.PipelinesNow[0].Name)},
	}
}
