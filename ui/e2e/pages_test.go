package e2e_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tarn/ui/uitest"
)

// pageLook is a page in one of its states.
type pageLook struct {
	feed *uitest.Feed
	path string
}

func escaped(name string) string { return url.PathEscape(name) }

// settled is when a page has read what it shows.
const settled = `document.querySelector("main .card, main .empty") && ![...document.querySelectorAll("main .nothing")].some((e) => e.textContent === "Reading…") && !document.querySelector('[aria-busy="true"]')`

// TestPagesLookRight holds the pages of pipelines, sources and a table, in each of their states, against the rules of WCAG 2.2 A and AA in both
// themes, each name to be no more than text, and that nothing is cut off at three widths.
func TestPagesLookRight(t *testing.T) {
	for name, look := range pageLooks() {
		t.Run(name, func(t *testing.T) {
			s := serve(t, look.feed, "127.0.0.1:0")
			b := open(t)
			b.prefers("dark")
			b.visit(s.url + look.path)
			b.until(settled)
			if got := eval[string](b, `document.title + "|" + document.querySelectorAll("main img, main script, main iframe").length`); !strings.HasSuffix(got, "· Tarn|0") {
				t.Errorf("something became HTML: %s", got)
			}
			for _, theme := range []string{"dark", "light"} {
				b.prefers(theme)
				b.shot(name + "-" + theme)
				b.accessible()
			}
			for _, width := range []int64{1280, 800, 390} {
				b.do(chromedp.EmulateViewport(width, 844))
				b.fits(name, width)
				if width < 1280 {
					b.shot(fmt.Sprintf("%s-%d", name, width))
				}
			}
			b.clean()
		})
	}
}

// pageLooks are all of them.
func pageLooks() map[string]pageLook {
	out := map[string]pageLook{}
	for name, look := range labLooks() {
		out["lab-"+name] = look
	}
	for name, look := range sourceLooks() {
		out["sources-"+name] = look
	}
	for name, look := range rowLooks() {
		out["row-"+name] = look
	}
	for name, look := range tableLooks() {
		out["tables-"+name] = look
	}
	for name, look := range pipelineLooks() {
		out["pipelines-"+name] = look
	}
	return out
}
