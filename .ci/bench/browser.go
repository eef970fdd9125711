//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"

	proof "tarn/.ci/proof"
)

// browser is one that all pages of a measurement are opened in.
type browser struct {
	ctx context.Context //nolint:containedctx // chromedp keeps its browser in a context
	end func()
}

func browse(ctx context.Context) (*browser, error) {
	path := os.Getenv("TARN_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		return nil, errors.New("no chromium found: set TARN_CHROMIUM or apt install chromium")
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts, chromedp.ExecPath(path), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	alloc, endAlloc := chromedp.NewExecAllocator(ctx, opts...)
	own, endBrowser := chromedp.NewContext(alloc)
	b := &browser{own, func() { endBrowser(); endAlloc() }}
	return b, chromedp.Do(own, chromedp.Navigate("about:blank"))
}

// tab is one page of a browser.
type tab struct {
	ctx   context.Context //nolint:containedctx // chromedp keeps its tab in a context
	close func()
}

// open opens a page, with the others' storage and stream, as a person's further tab has it.
func (b *browser) open(url string) (*tab, error) {
	ctx, end := chromedp.NewContext(b.ctx)
	t := &tab{ctx, end}
	return t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(url))
}

func tell[T any](t *tab, js string) (T, error) {
	v, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		err = fmt.Errorf("%s: %w", js, err)
	}
	return v, err
}

// until waits for a condition of the page; where it does not come, the error has what the page says instead.
func (t *tab) until(js string) error {
	ctx, cancel := context.WithTimeout(t.ctx, time.Minute)
	defer cancel()
	err := proof.Until(ctx, func() (bool, error) {
		v, err := tell[bool](t, "!!("+js+")")
		if v {
			return true, nil
		}
		return false, errors.Join(err, fmt.Errorf("not yet: %s", js))
	})
	if err != nil {
		said, _ := tell[string](t, `document.querySelector("main").innerText.slice(0, 500)`)
		err = fmt.Errorf("%w\nthe page says: %s", err, said)
	}
	return err
}
