package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tarn/ui/uitest"
)

func TestTheLanguageIsSwitchedAndKept(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake?sort=rows")
	b.until(cared)
	b.press("#language")
	b.arrives(`document.documentElement.lang === "fr" && location.search === "?sort=rows"`)
	b.until(`document.title === "Tables · Tarn" && document.querySelector(".upkeep .pill, .upkeep .dim").textContent && document.getElementById("live-text").textContent === "en direct"`)
	b.until(`/^\d+ fichiers de données$/.test(document.querySelector('[data-v="u.bytes.note"]').textContent)`)
	b.press(`nav a[href="/"]`) // the cookie keeps it
	b.arrives(`document.documentElement.lang === "fr" && location.pathname === "/"`)
	b.until(`/^\d+,\d\s\/s$|^\d+\s\/s$/.test(document.querySelector('[data-v="f.in"]').textContent)`)
	b.until(`/lignes\/s$/.test(document.querySelector('[aria-label^="bronze bronze.port_main_calls"] .sub').textContent)`) // a value that moves
	b.focus(`[aria-label^="silver silver.moves"]`)
	b.do(chromedp.KeyEvent("\r"))
	b.until(resultShown)
	b.until(`document.getElementById("facts").textContent.includes("Lignes supprimées") && document.getElementById("status").textContent.startsWith("20 lignes en 12 ms")`)
	b.press("#theme")
	b.until(`document.getElementById("theme").textContent.startsWith("Thème\u00a0: ")`)

	// A page of another tab follows at its next change.
	eval[bool](b, `(window.other = window.open("/topics", "other"), true)`)
	b.until(`window.other.document.getElementById("live")?.dataset.state === "live" && window.other.document.documentElement.lang === "fr"`)
	b.press("#language")
	b.arrives(`document.documentElement.lang === "en" && location.search === ""`)
	b.do(chromedp.Navigate(s.url + "topics?lang=fr"))
	b.arrives(`document.documentElement.lang === "fr" && location.search === ""`)
	b.clean()
}

// frenchPages are pages whose French is looked at; each path is of the feed's port with pipelines.
var frenchPages = map[string]string{
	"home": "", "lake": "lake", "topics": "topics", "records": "topics?topic=port.main.moves",
	"table": "lake/silver.moves?show=snapshots", "pipelines": "pipelines?find=gold", "pipeline": "pipelines/gold.moves_per_minute?edit=1",
	"sources": "sources?new=1", "source": "sources/port", "row": "row?of=gold.by_berth&where=berth+%3D+%27TM-4%27",
	"lab": "lab?step=8", "lab-silver": "lab?step=4",
}

func TestFrenchIsAccessibleAndFits(t *testing.T) {
	feed := withLog(t, uitest.Port(time.Now()))
	feed.AddPipelines(time.Now())
	feed.Trouble()
	s := serve(t, feed, "127.0.0.1:0")
	for name, path := range frenchPages {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			b.visit(s.url + path + map[bool]string{true: "?", false: "&"}[!strings.Contains(path, "?")] + "lang=fr")
			b.until(`document.querySelector(".pipe-list, .list, .log, .write, ol.row-steps, .tour")`)
			for i, width := range []int64{390, 800, 1280} {
				b.prefers([]string{"dark", "light"}[i%2])
				b.do(chromedp.EmulateViewport(width, 844))
				b.fits(name, width)
				b.shot(fmt.Sprintf("fr-%s-%d", name, width))
				if width != 390 {
					b.accessible()
				}
			}
			b.clean()
		})
	}
}
