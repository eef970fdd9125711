//go:build duckdb_arrow

package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
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
// fonts, which a browser keeps, and from the editor, which loads where statements are written.
func (b *bench) pageWeight(ctx context.Context) error {
	p, err := b.samplePort(ctx, "weight")
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := b.gold(ctx, p); err != nil {
		return err
	}
	heaviest, editor, fonts := 0.0, 0.0, map[string]float64{}
	for _, page := range []struct{ key, path string }{
		{"home", "/"},
		{"sources", "/sources"},
		{"source", "/sources/port"},
		{"topics", "/topics"},
		{"records", "/topics?topic=sensors"},
		{"pipelines", "/pipelines"},
		{"pipeline", "/pipelines/gold.wind"},
		{"lake", "/lake"},
		{"table", "/lake/gold.wind"},
		{"sql", "/sql"},
		{"row", "/row"},
		{"lab", "/lab"},
		{"status", "/status"},
	} {
		sizes, err := weigh(ctx, p.URL(page.path))
		if err != nil {
			return err
		}
		sum := 0.0
		for name, size := range sizes {
			switch {
			case strings.HasSuffix(name, ".woff2"):
				fonts[name] = size
			case strings.Contains(name, "/vendor/"):
				editor = max(editor, size)
			default:
				sum += size
			}
		}
		b.print("page_kb_gz_"+page.key, "%.1f", sum/1000)
		heaviest = max(heaviest, sum)
	}
	b.print("page_kb_gz_heaviest", "%.1f", heaviest/1000)
	b.print("page_kb_gz_editor", "%.1f", editor/1000)
	all := 0.0
	for _, size := range fonts {
		all += size
	}
	b.print("page_kb_fonts", "%.1f", all/1000)
	return nil
}

// gold waits until Home shows a table of gold with rows.
func (b *bench) gold(ctx context.Context, p *proof.Process) error {
	w, err := browse(ctx)
	if err != nil {
		return err
	}
	defer w.end()
	t, err := w.open(p.URL("/"))
	if err != nil {
		return err
	}
	return t.until(goldNode)
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
	if err := t.until(isLive + ` && document.readyState === "complete"`); err != nil {
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

// scrolling moves on by most of a window's height each frame, or by nothing, and answers how many frames there were in a
// second and in all, and how many of them had an empty place.
const scrolling = `new Promise((done) => {
	const grid = document.querySelector(".grid"), began = performance.now(), millis = 5000;
	let frames = 0, gaps = 0;
	const frame = () => {
		const at = performance.now();
		const box = grid.getBoundingClientRect();
		const rows = [...grid.querySelectorAll(".grid-row")].map((r) => r.getBoundingClientRect());
		if (!rows.some((r) => r.bottom >= box.bottom - 20) || !rows.some((r) => r.top <= box.top + 60)) gaps++;
		frames++;
		if (at - began >= millis) done({fps: frames / (at - began) * 1000, frames, gaps});
		else { grid.scrollTop += grid.clientHeight * %g; requestAnimationFrame(frame); }
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
	t, err := w.open(p.URL("/sql#q=" + url.QueryEscape(aMillion)))
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
	still, _, err := t.scrolls(0)
	if err != nil {
		return err
	}
	moved, cpu, err := t.scrolls(0.9)
	if err != nil {
		return err
	}
	b.print("page_still_frames_s", "%.0f", still.FPS) // what this machine draws at all
	b.print("page_scroll_frames_s", "%.0f", moved.FPS)
	b.print("page_scroll_gaps", "%.0f", moved.Gaps)
	b.print("page_scroll_cpu_ms_a_frame", "%.1f", 1000*cpu/moved.Frames)
	return nil
}

// scrolled is what scrolling answers.
type scrolled struct{ FPS, Frames, Gaps float64 }

// scrolls scrolls by so many windows a frame, and tells the CPU seconds that the page's own thread took for it.
func (t *tab) scrolls(windows float64) (s scrolled, cpu float64, err error) {
	before, err := t.busy()
	if err != nil {
		return s, 0, err
	}
	if s, err = tell[scrolled](t, fmt.Sprintf(scrolling, windows)); err != nil {
		return s, 0, err
	}
	after, err := t.busy()
	return s, after - before, err
}

// busy is the CPU seconds of the page's own thread so far.
func (t *tab) busy() (float64, error) {
	got, err := chromedp.Run(t.ctx, func(ctx context.Context, of *chromedp.Target) (performance.GetMetricsResult, error) {
		if _, err := cdp.Call(ctx, of, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}); err != nil {
			return performance.GetMetricsResult{}, err
		}
		return cdp.Call(ctx, of, performance.GetMetrics, cdp.Empty{})
	})
	for _, m := range got.Metrics {
		if m.Name == "TaskDuration" {
			return m.Value, err
		}
	}
	return 0, err
}

// pageCPU is what open pages cost the server while the sample port works: spans of time with tabs of Home, each between two
// without, for the port has more to do at one time than at another.
func (b *bench) pageCPU(ctx context.Context) error {
	span, err := time.ParseDuration(setting("TARN_BENCH_PAGE", "20s"))
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
	time.Sleep(2 * span) // the first minute's work is not the page's
	const rounds = 5
	tabs := []int{1, 10}
	without, err := w.share(p, 0, span)
	if err != nil {
		return err
	}
	alone, above := []float64{without}, map[int][]float64{}
	for range rounds {
		for _, n := range tabs {
			with, err := w.share(p, n, span)
			if err != nil {
				return err
			}
			next, err := w.share(p, 0, span)
			if err != nil {
				return err
			}
			above[n] = append(above[n], with-(without+next)/2)
			alone, without = append(alone, next), next
		}
	}
	b.print("page_cpu_percent_no_tab", "%.1f", quantile(alone, 0.5))
	b.print("page_cpu_percent_no_tab_least", "%.1f", alone[0]) // sorted by now
	b.print("page_cpu_percent_no_tab_most", "%.1f", alone[len(alone)-1])
	for _, n := range tabs {
		b.print(fmt.Sprintf("page_cpu_percent_above_%d_tab", n), "%.1f", quantile(above[n], 0.5))
	}
	return nil
}

// share is what the program takes of a core while so many tabs of Home are open, in percent.
func (w *browser) share(p *proof.Process, tabs int, span time.Duration) (float64, error) {
	open, err := w.homes(tabs, p.URL("/"))
	if err != nil {
		return 0, err
	}
	before, _ := p.Cost()
	began := time.Now()
	time.Sleep(span) // what is measured
	after, _ := p.Cost()
	for _, t := range open {
		t.close()
	}
	return 100 * (after - before).Seconds() / time.Since(began).Seconds(), nil
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
