package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tarn/ui/uitest"
)

func TestShots(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	for _, theme := range []string{"dark", "light"} {
		b := open(t)
		b.prefers(theme)
		b.visit(s.url)
		time.Sleep(6 * time.Second)
		b.shot(theme)
		b.do(chromedp.Click("#run"))
		b.until(`document.querySelector(".rows tbody tr")`)
		b.shot(theme + "-result")
		b.clean()
	}
}
