package e2e_test

import (
	_ "embed"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tarn/stream/pipeline"
	"tarn/ui/uitest"
)

//go:embed testdata/axe.min.js
var axe string

// looks are the pages that are looked at, each in both themes.
var looks = map[string]func() *uitest.Feed{
	"port": func() *uitest.Feed { return uitest.Port(time.Now()) },
	"trouble": func() *uitest.Feed {
		f := uitest.Port(time.Now())
		f.Trouble()
		return f
	},
	"pipelines": func() *uitest.Feed {
		f := uitest.Port(time.Now())
		f.AddPipelines(time.Now())
		return f
	},
	"many-pipelines": func() *uitest.Feed {
		f := uitest.Port(time.Now())
		f.AddPipelines(time.Now())
		for i := range 50 {
			f.AddPipeline(fmt.Sprintf("moves_of_crane_%02d_per_berth", i), "CREATE MATERIALIZED VIEW …", time.Now(), pipeline.Read{Topic: "port.main.moves"})
		}
		f.PipelinesNow[40].State, f.PipelinesNow[40].Error = pipeline.Failed, "gold.moves_of_crane_37_per_berth has epoch 40 of the pipeline, its state only 31: the state was put back from an older copy"
		f.PipelinesNow[40].Hint = "put back both from one backup, or say ALTER PIPELINE gold.moves_of_crane_37_per_berth REBUILD"
		f.PipelinesNow[30].State = pipeline.Paused
		return f
	},
	"empty": func() *uitest.Feed { return &uitest.Feed{} },
}

// TestAccessibleInBothThemes holds the page against the rules of WCAG 2.2 A and AA.
func TestAccessibleInBothThemes(t *testing.T) {
	for name, feed := range looks {
		s := serve(t, feed(), "127.0.0.1:0")
		for _, theme := range []string{"dark", "light"} {
			t.Run(name+" "+theme, func(t *testing.T) {
				b := open(t)
				b.prefers(theme)
				b.visit(s.url)
				if name != "empty" {
					b.until(`document.querySelector('[aria-label^="view gold."]')`)
					b.focus(`[aria-label^="silver silver.calls"]`)
					b.do(chromedp.KeyEvent("\r"))
					b.until(resultShown)
				}
				b.shot(name + "-" + theme)
				b.accessible()
				if name != "empty" {
					b.press(`button[data-flow="table"]`)
					b.shot(name + "-table-" + theme)
					b.accessible()
				}
				b.clean()
			})
		}
	}
}

func (b *tab) accessible() {
	b.t.Helper()
	eval[bool](b, axe+";true")
	found := eval[[]string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}).then((r) => r.violations.flatMap((v) =>
		v.nodes.slice(0, 4).map((n) => v.id + " " + n.target.join(" ") + ": " + (n.failureSummary ?? ""))))`)
	for _, f := range found {
		b.t.Error(f)
	}
}

// cutOff lists what a person cannot reach: it ends beyond the window, in nothing that scrolls.
const cutOff = `[...document.querySelectorAll("main button, main a, main p, main dd, main h2, main .pill, main small")].filter((el) =>
	el.getClientRects().length && el.getBoundingClientRect().right > innerWidth && !el.closest(".scroll, .graph, pre")).map((el) => el.outerHTML.slice(0, 120))`

// fits holds that a page of a name, in a window of a width, does not scroll sideways and cuts nothing off.
func (b *tab) fits(name string, width int64) {
	b.t.Helper()
	if wide := eval[int64](b, `document.fonts.ready.then(() => document.documentElement.scrollWidth)`); wide > width { // other fonts are wider
		b.t.Errorf("%s: the page is %d wide in %d", name, wide, width)
	}
	for _, cut := range eval[[]string](b, cutOff) {
		b.t.Errorf("%s in %d: cut off: %s", name, width, cut)
	}
}

// TestNoSidewaysScroll holds at the width of a phone and of a small laptop, with the
// longest names that a page meets.
func TestNoSidewaysScroll(t *testing.T) {
	for name, feed := range map[string]*uitest.Feed{"port": looks["port"](), "trouble": looks["trouble"](), "pipelines": looks["many-pipelines"](), "hostile": uitest.HostileNames(time.Now()), "empty": {}} {
		s := serve(t, feed, "127.0.0.1:0")
		b := open(t)
		b.prefers("dark")
		b.visit(s.url)
		b.press("#run")
		b.until(resultShown)
		for _, width := range []int64{390, 800, 1280} {
			b.do(chromedp.EmulateViewport(width, 844))
			b.fits(name, width)
			if width == 390 || name == "trouble" || name == "pipelines" {
				b.shot(name + "-" + map[int64]string{390: "narrow", 800: "middle", 1280: "wide"}[width])
			}
		}
		b.clean()
	}
}
