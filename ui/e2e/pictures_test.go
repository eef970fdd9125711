package e2e_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// picture is a page as README shows it.
type picture struct {
	name, path    string
	width, height int64
	until, do     string // is waited for; is done then
	then          string // is waited for after that
}

// shownAsGold is what the page SQL shows in its picture.
const shownAsGold = `SELECT minute, port, sum(moves) AS moves FROM gold.crane_moves_per_minute GROUP BY ALL ORDER BY minute`

var pictures = []picture{
	{
		name: "home", width: 1280, height: 800,
		until: `document.querySelectorAll("g.node.k-gold").length >= 9 && document.querySelectorAll("path.flow-1, path.flow-2, path.flow-3").length > 8 && ` +
			`[...document.querySelectorAll(".flow-table tr.k-gold")].filter((r) => /[1-9]/.test(r.cells[6].textContent)).length >= 5`,
	},
	{
		name: "sql", path: "sql#" + url.Values{"q": {shownAsGold}, "kind": {"line"}, "x": {"minute"}, "y": {"moves"}, "by": {"port"}}.Encode(), width: 1280, height: 800,
		until: `document.getElementById("editor").shadowRoot?.querySelector(".cm-content")`, do: `document.getElementById("run").click()`,
		then: `document.getElementById("answer").ariaBusy === "false" && document.querySelector(".chart .line")`,
	},
}

// TestPictures takes README's pictures of a Tarn that runs, in both themes: make pictures.
func TestPictures(t *testing.T) {
	dir, at := os.Getenv("TARN_PICTURES"), os.Getenv("TARN_PICTURES_OF")
	if dir == "" || at == "" {
		t.Skip("make pictures takes README's pictures")
	}
	for _, p := range pictures {
		for _, theme := range []string{"light", "dark"} {
			b := open(t)
			b.prefers(theme)
			b.do(chromedp.EmulateViewport(p.width, p.height))
			b.visit(at + p.path)
			b.until(p.until)
			if p.do != "" {
				eval[bool](b, "("+p.do+", true)")
				b.until(p.then)
			}
			b.webp(filepath.Join(dir, p.name+"-"+theme+".webp"))
			b.clean()
		}
	}
}

// webp keeps a small picture of the window.
func (b *tab) webp(path string) {
	b.t.Helper()
	quality := int64(80)
	shot, err := chromedp.Run(b.ctx, func(ctx context.Context, _ *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, shot.Data, 0o644); err != nil { //nolint:gosec // a picture for everyone
		b.t.Fatal(err)
	}
}
