package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/stream/pipeline"
	"tarn/ui/uitest"
)

// row is the line of a pipeline, in the script of a page.
func row(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".pipe-list tbody tr")].find((r) => r.querySelector(".name")?.textContent === %q)`, name)
}

func TestPipelinesMoveAndComeByThemselves(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.until(`document.querySelector(".none-yet code")?.textContent.startsWith("CREATE MATERIALIZED VIEW gold.")`)
	s.feed.Lock()
	s.feed.AddPipelines(time.Now())
	s.feed.Unlock()
	b.until(row("gold.by_berth"))
	b.until(`!document.querySelector(".none-yet")`)
	b.until(`/\d/.test(` + row("gold.by_berth") + `.cells[3].textContent)`)
	lag := row("gold.by_berth") + `.cells[4].textContent`
	b.until(lag + ` === "0"`)
	s.feed.Lock()
	s.feed.PipelinesNow[0].LagRecords = 1234
	s.feed.Unlock()
	b.until(lag + ` === "1\u202f234"`)
	s.feed.Lock()
	p := &s.feed.PipelinesNow[0]
	p.State, p.Error, p.Hint = pipeline.Failed, "the state is of no use", "say ALTER PIPELINE gold.by_berth REBUILD"
	s.feed.Unlock()
	b.until(`document.querySelector(".pipe-list tbody tr").cells[1].textContent === "failed"`)
	b.until(`document.querySelector(".problems")?.textContent.includes("the state is of no use")`)
	b.clean()
}

func TestThePipelinesWorkFromTheKeyboard(t *testing.T) {
	f := uitest.Port(time.Now())
	f.AddPipelines(time.Now())
	s := serve(t, f, "127.0.0.1:0")
	b := open(t)
	b.prefers("light")
	b.visit(s.url)
	b.until(row("gold.moves_per_minute"))
	eval[bool](b, `(`+row("gold.moves_per_minute")+`.querySelector(".name").focus(), true)`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(resultShown)
	if got := s.statements(); !strings.HasPrefix(got[len(got)-1], "SELECT *\nFROM gold.moves_per_minute") {
		t.Errorf("asked %q", got)
	}
	for _, part := range []string{"Held back by", "port.main.moves/0", "TUMBLE(moves, moved_at, INTERVAL 1 MINUTE)"} {
		b.until(fmt.Sprintf(`document.getElementById("facts").textContent.includes(%q)`, part))
	}
	b.shot("pipeline-facts")
	b.focus("#facts-close")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.closest(".pipe-list") && document.activeElement.textContent === "gold.moves_per_minute"`)
	late := row("gold.moves_per_minute") + `.querySelector(".cause")`
	eval[bool](b, `(`+late+`.focus(), true)`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("text").value.includes("FROM system.late")`)
	b.clean()
}

func TestTheFirstPipelineIsPutIntoTheBoxAndNotRun(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url)
	b.until(`document.querySelector("[data-fill]")`)
	b.press("[data-fill]")
	b.until(`document.activeElement.id === "text" && document.activeElement.value.startsWith("CREATE MATERIALIZED VIEW gold.")`)
	if got := s.statements(); len(got) != 0 {
		t.Errorf("asked %q", got)
	}
	b.clean()
}

func TestATableSaysWhichPipelineFillsIt(t *testing.T) {
	f := uitest.Port(time.Now())
	f.AddPipelines(time.Now())
	s := serve(t, f, "127.0.0.1:0")
	for _, theme := range []string{"dark", "light"} {
		b := open(t)
		b.prefers(theme)
		b.visit(s.url + "lake/gold.vessels_of_flag")
		b.until(`document.querySelector(".filled")?.textContent.includes("there is no such topic")`)
		if got := eval[string](b, `document.querySelector(".filled pre").textContent`); !strings.HasPrefix(got, "CREATE MATERIALIZED VIEW vessels_of_flag") {
			t.Errorf("%q", got)
		}
		b.shot("lake-pipeline-" + theme)
		b.accessible()
		b.clean()
	}
}
