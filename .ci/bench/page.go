//go:build duckdb_arrow

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	proof "tarn/.ci/proof"
)

// pageParts are what the page costs and how soon it shows something.
func (b *bench) pageParts() map[string][]func(context.Context) error {
	return map[string][]func(context.Context) error{
		"page":       {b.firstGold, b.pageWeight, b.scroll, b.pageCPU},
		"page-first": {b.firstGold}, "page-weight": {b.pageWeight}, "page-scroll": {b.scroll}, "page-cpu": {b.pageCPU},
	}
}

// samplePort is the sample in an empty folder, as a newcomer starts it.
func (b *bench) samplePort(ctx context.Context, name string) (*proof.Process, error) {
	h, err := b.house(name)
	if err != nil {
		return nil, err
	}
	h.Project, h.Args = "", []string{"--sample", "--listen", "auto"}
	return h.Up(ctx)
}

const (
	isLive = `document.getElementById("live")?.dataset.state === "live"`
	// a table of gold with rows, in the table of the flow, and the rows of it that are shown when it is chosen
	goldNode = `[...document.querySelectorAll(".flow-table tr.k-gold")].find((r) => /[1-9]/.test(r.cells[6].textContent))?.querySelector("[data-node]")`
	goldRow  = `document.querySelector("#answer .rows tbody tr") && !document.getElementById("answer").ariaBusy`
)

// firstGold times the way from the command, in an empty folder, to a row of gold on the page.
func (b *bench) firstGold(ctx context.Context) error {
	const times = 3
	w, err := browse(ctx)
	if err != nil {
		return err
	}
	defer w.end()
	var tables, rows []float64
	for i := range times {
		began := time.Now()
		p, err := b.samplePort(ctx, fmt.Sprint("gold", i))
		if err != nil {
			return err
		}
		defer p.Kill()
		t, err := w.open(p.URL("/"))
		if err != nil {
			return err
		}
		if err := t.until(goldNode); err != nil {
			return err
		}
		tables = append(tables, time.Since(began).Seconds())
		if _, err := tell[bool](t, "("+goldNode+".click(), true)"); err != nil {
			return err
		}
		if err := t.until(goldRow); err != nil {
			return err
		}
		rows = append(rows, time.Since(began).Seconds())
		t.close()
		p.Kill()
	}
	b.print("page_first_gold_table_s", "%.1f", quantile(tables, 0.5))
	b.print("page_first_gold_row_s", "%.1f", quantile(rows, 0.5))
	b.print("page_first_gold_row_worst_s", "%.1f", quantile(rows, 1))
	return nil
}

// pageWeight counts what a first visit of each page loads, as it is sent: documents, styles and scripts apart from
// fonts, which a browser keeps, and from the editor, which only the page SQL has.
func (b *bench) pageWeight(ctx context.Context) error {
	p, err := b.samplePort(ctx, "weight")
	if err != nil {
		return err
	}
	defer p.Kill()
	heaviest, fonts, editor := 0.0, 0.0, 0.0
	for _, path := range []string{"/", "/sources", "/topics", "/pipelines", "/lake", "/sql", "/status"} {
		sizes, err := weigh(ctx, p.URL(path))
		if err != nil {
			return err
		}
		page := 0.0
		for name, size := range sizes {
			switch {
			case strings.HasSuffix(name, ".woff2"):
				fonts = max(fonts, size)
			case strings.Contains(name, "/vendor/"):
				editor = max(editor, size)
			default:
				page += size
			}
		}
		b.print("page_kb_gz_"+strings.TrimPrefix(path+map[bool]string{true: "home"}[path == "/"], "/"), "%.1f", page/1000)
		heaviest = max(heaviest, page)
	}
	b.print("page_kb_gz_heaviest", "%.1f", heaviest/1000)
	b.print("page_kb_gz_editor", "%.1f", editor/1000)
	b.print("page_kb_font", "%.1f", fonts/1000)
	return nil
}

// weigh is what a browser that has nothing yet loads for a page, by address.
func weigh(ctx context.Context, url string) (map[string]float64, error) {
	w, err := browse(ctx)
	if err != nil {
		return nil, err
	}
	defer w.end()
	t, err := w.open(url)
	if err != nil {
		return nil, err
	}
	if err := t.until(isLive); err != nil {
		return nil, err
	}
	type loaded struct {
		Name string
		Size float64
	}
	// The worker's scripts are loaded by nobody's page: stream.js is a script of the page, too.
	all, err := tell[[]loaded](t, `performance.getEntries().filter((e) => "encodedBodySize" in e && !e.name.includes("/api/")).map((e) => ({name: e.name, size: e.encodedBodySize}))`)
	sizes := map[string]float64{}
	for _, l := range all {
		sizes[l.Name] = l.Size
	}
	return sizes, err
}

// aMillion is the statement whose rows are scrolled.
const aMillion = `SELECT n, 'container ' || n AS name, n * 1.25 AS weight, TIMESTAMP '2026-07-01' + to_seconds(n) AS "at", n % 7 = 0 AS held FROM (SELECT unnest(generate_series(1, 1000000)) AS n)`

// scrolling turns the wheel for a while, a window's height each frame, and answers the frames a second and how many of them had
// an empty place.
const scrolling = `new Promise((done) => {
	const grid = document.querySelector(".grid"), began = performance.now(), millis = 5000;
	let frames = 0, gaps = 0;
	const frame = () => {
		const at = performance.now();
		const box = grid.getBoundingClientRect();
		const rows = [...grid.querySelectorAll(".grid-row")].map((r) => r.getBoundingClientRect());
		if (!rows.some((r) => r.bottom >= box.bottom - 20) || !rows.some((r) => r.top <= box.top + 60)) gaps++;
		frames++;
		if (at - began >= millis) done({fps: frames / (at - began) * 1000, gaps});
		else { grid.scrollTop += grid.clientHeight * 0.9; requestAnimationFrame(frame); }
	};
	requestAnimationFrame(frame);
})`

// scroll shows a million rows on the page SQL and scrolls through them.
func (b *bench) scroll(ctx context.Context) error {
	h, err := b.house("scroll")
	if err != nil {
		return err
	}
	p, err := h.Up(ctx)
	if err != nil {
		return err
	}
	defer p.Kill()
	w, err := browse(ctx)
	if err != nil {
		return err
	}
	defer w.end()
	t, err := w.open(p.URL("/sql#q=" + strings.NewReplacer("%", "%25", "'", "%27", " ", "+", "\"", "%22").Replace(aMillion)))
	if err != nil {
		return err
	}
	if err := t.until(`document.getElementById("editor").shadowRoot?.querySelector(".cm-content")`); err != nil {
		return err
	}
	began := time.Now()
	if err := chromedp.Do(t.ctx, chromedp.Click("#run")); err != nil {
		return err
	}
	if err := t.until(`document.querySelector('.grid[aria-rowcount="1000001"]') && document.getElementById("answer").ariaBusy === "false"`); err != nil {
		return err
	}
	b.print("page_million_rows_s", "%.1f", time.Since(began).Seconds())
	type seen struct{ FPS, Gaps float64 }
	s, err := tell[seen](t, scrolling)
	if err != nil {
		return err
	}
	b.print("page_scroll_frames_s", "%.0f", s.FPS)
	b.print("page_scroll_gaps", "%.0f", s.Gaps)
	return nil
}

// pageCPU is what open pages cost the server while the sample port works: rounds with none, one and ten tabs of Home.
func (b *bench) pageCPU(ctx context.Context) error {
	phase, err := time.ParseDuration(setting("TARN_BENCH_PAGE", "20s"))
	if err != nil {
		return err
	}
	p, err := b.samplePort(ctx, "pagecpu")
	if err != nil {
		return err
	}
	defer p.Kill()
	w, err := browse(ctx)
	if err != nil {
		return err
	}
	defer w.end()
	time.Sleep(phase) // the first minute's work is not the page's
	const rounds = 3
	tabs := []int{0, 1, 10}
	share := map[int][]float64{}
	for range rounds {
		for _, n := range tabs {
			open, err := w.homes(n, p.URL("/"))
			if err != nil {
				return err
			}
			before, _ := p.Cost()
			began := time.Now()
			time.Sleep(phase) // what is measured
			after, _ := p.Cost()
			share[n] = append(share[n], 100*(after-before).Seconds()/time.Since(began).Seconds())
			for _, t := range open {
				t.close()
			}
		}
	}
	b.print("page_cpu_percent_no_tab", "%.1f", quantile(slices.Clone(share[0]), 0.5))
	for _, n := range tabs[1:] {
		above := make([]float64, rounds) // each beside the round's own
		for i := range above {
			above[i] = share[n][i] - share[0][i]
		}
		b.print(fmt.Sprintf("page_cpu_percent_above_%d_tab", n), "%.1f", quantile(above, 0.5))
	}
	return nil
}

// homes opens Home so many times and waits until all are live.
func (w *browser) homes(n int, url string) (open []*tab, err error) {
	for range n {
		t, err := w.open(url)
		if err != nil {
			return nil, err
		}
		if err := t.until(isLive); err != nil {
			return nil, err
		}
		open = append(open, t)
	}
	return open, nil
}
