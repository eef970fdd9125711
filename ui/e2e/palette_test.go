package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ui/uitest"
)

// chosen is the line of the palette that Enter takes.
const chosen = `document.querySelector('#palette-list [aria-selected="true"] .what')?.textContent`

func TestThePaletteGoesEverywhere(t *testing.T) {
	s := serve(t, withPipelines(), "127.0.0.1:0")
	b := open(t)
	b.before(`window.copied = []; navigator.clipboard && (navigator.clipboard.writeText = async (text) => { window.copied.push(text); })`)
	b.visit(s.url)
	b.until(`document.querySelector('[aria-label^="view gold."]')`)
	pick := func(letters, want string) {
		t.Helper()
		b.do(chromedp.KeyEvent("k", ctrl))
		b.until(`document.getElementById("palette").open && document.activeElement.id === "palette-find"`)
		b.do(chromedp.KeyEvent(letters))
		b.until(fmt.Sprintf("%s === %q", chosen, want))
		b.do(chromedp.KeyEvent(kb.Enter))
		b.until(`!document.getElementById("palette")?.open`)
	}
	pick("theme l", "Theme: light")
	b.until(`document.documentElement.dataset.theme === "light"`)
	pick("curl", "curl -sS http://127.0.0.1:7700/api/sql --data-raw 'SELECT 1'")
	b.until(`window.copied.length === 1 && window.copied[0].startsWith("curl ")`)
	pick("slvmvs", "silver.moves")
	b.arrives(`location.pathname === "/lake/silver.moves"`)
	pick("main.calls", "port.main.calls")
	b.arrives(`location.pathname + location.search === "/topics?topic=port.main.calls"`)
	pick("pipeline gold.by", "gold.by_berth")
	b.arrives(`location.pathname === "/pipelines/gold.by_berth"`)
	pick("franç", "Français")
	b.arrives(`document.documentElement.lang === "fr"`)
	pick("accueil", "Accueil")
	b.arrives(`location.pathname === "/"`)
	b.press("#palette-open")
	b.until(chosen + ` === "Accueil"`)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	b.until(`document.activeElement.getAttribute("aria-activedescendant") === document.getElementById("palette-list").lastElementChild.id`)
	b.do(chromedp.KeyEvent("zzqx"))
	b.until(`document.getElementById("palette-count").textContent === "Rien n’a ces lettres."`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.getElementById("palette").open && document.activeElement.id === "palette-open"`)
	b.clean()
}

func TestThePaletteIsBoundedAccessibleAndShowsTextAsText(t *testing.T) {
	feed := uitest.HostileNames(time.Now())
	for i := range 300 {
		feed.AddView("gold", fmt.Sprintf("view_%d", i))
	}
	s := serve(t, feed, "127.0.0.1:0")
	for i, theme := range []string{"dark", "light"} {
		b := open(t)
		b.prefers(theme)
		b.visit(s.url + "?lang=" + []string{"en", "fr"}[i])
		b.until(`document.querySelectorAll(".flow-table tbody tr").length > 100`) // the catalog is read
		b.press("#palette-open")
		b.until(`document.querySelectorAll("#palette-list li").length === 40`)
		b.do(chromedp.KeyEvent("<img"))
		b.until(fmt.Sprintf(`%s?.includes(%q)`, chosen, uitest.Hostile))
		b.accessible()
		for _, width := range []int64{390, 800, 1280} {
			b.do(chromedp.EmulateViewport(width, 844))
			b.fits("palette", width)
			b.shot(fmt.Sprintf("palette-%s-%d", theme, width))
		}
		if got := eval[int](b, `document.querySelectorAll("img").length`); got != 0 {
			t.Errorf("%d images came from data", got)
		}
		b.clean()
	}
}
