package e2e_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/ui/uitest"
)

const (
	recordsShown = `document.querySelectorAll("#records tbody").length`
	firstLine    = `document.querySelector("#records .line")?.textContent.trim().replace(/\s+/g, " ")`
)

// withLog gives a feed the records of its topics.
func withLog(t *testing.T, f *uitest.Feed) *uitest.Feed {
	t.Helper()
	f.Log = uitest.OpenLog(t)
	f.Log.Create("port.main.moves", 2)
	for i := range 120 {
		f.Log.Append("port.main.moves", i%2, record.Record{
			Timestamp: time.Date(2026, 7, 1, 12, 0, i, 0, time.UTC).UnixMilli(), Key: fmt.Appendf(nil, `{"move_id":%d}`, i),
			Value:   fmt.Appendf(nil, `{"before":null,"after":{"move_id":%d,"crane":"C%d","container":"MSKU%07d","note":"a longer text that one line of the page has no room for, until somebody opens it"},"op":"%s","ts_ms":1782907200000}`, i, i%4, i*37, []string{"c", "u", "r", "c"}[i%4]),
			Headers: []record.Header{{Key: "trace", Value: []byte("8f2a")}},
		})
	}
	f.Log.Create("port.main.calls", 1)
	f.TopicsNow = append(f.TopicsNow, bus.PartitionStats{Topic: "port.main.moves", Partition: 1})
	return f
}

func TestTopicsAreBrowsed(t *testing.T) {
	feed := withLog(t, uitest.Port(time.Now()))
	s := serve(t, feed, "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "topics")
	b.until(`document.querySelectorAll(".topics-list tbody tr").length === 4`)
	row := `[...document.querySelectorAll(".topics-list tbody tr")].find((tr) => tr.textContent.includes("port.main.calls"))`
	before := eval[string](b, row+`.textContent`)
	b.until(row + `.textContent !== ` + fmt.Sprintf("%q", before)) // its figures move
	if got := eval[string](b, `[...document.querySelectorAll("#groups tbody tr")].map((tr) => tr.querySelector(".name").textContent + " " + tr.querySelectorAll("[data-run]").length).join()`); got != "billing 2,yard-planner 0" {
		t.Errorf("groups, and what may be done to them: %s", got)
	}
	b.follow(`[data-run="ALTER GROUP billing SET OFFSETS TO EARLIEST"]`)
	b.until(`document.getElementById("said").textContent !== ""`)
	b.do(chromedp.KeyEvent("/"))
	b.until(`document.activeElement.id === "find"`)
	eval[bool](b, `(document.activeElement.select(), true)`)
	b.do(chromedp.KeyEvent("MOVES"))
	b.until(`document.querySelectorAll(".topics-list tbody tr").length === 1 && location.search === "?find=MOVES"`)
	b.follow(`.topics-list .name`)
	b.arrives(recordsShown + ` === 50 && location.search === "?topic=port.main.moves"`)
	b.arrives(firstLine + `.startsWith('create {"move_id":119,')`)

	b.focus(`#records .name`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.arrives(`document.querySelector("#records .name").getAttribute("aria-expanded") === "true" && document.querySelector("#records .more pre").textContent.includes("119")`)
	if got := eval[string](b, `[...document.querySelectorAll("#records tbody:first-of-type .part b")].map((e) => e.textContent).join()`); got != "Key,Value,Header trace" {
		t.Errorf("parts of a record: %s", got)
	}
	b.follow(`footer a[href*="from=%3C"]`) // older
	b.arrives(recordsShown + ` === 50 && ` + firstLine + `.includes('"move_id":69,')`)
	b.follow(`footer a[href="/topics?topic=port.main.moves"]`) // latest
	b.arrives(firstLine + `?.includes('"move_id":119,')`)

	b.fill("from", "2026-07-01 12:01")
	b.arrives(firstLine + `?.includes('"move_id":60,')`)
	eval[bool](b, `((p) => { p.value = "1"; p.dispatchEvent(new Event("change")); return true; })(document.getElementById("partition"))`)
	b.arrives(firstLine + `?.includes('"move_id":61,') && ` + recordsShown + ` === 30`)
	b.fill("holds", "c3")
	b.arrives(recordsShown + ` === 15 && document.getElementById("count").textContent.includes("15 records of 30 that were read")`)
	b.follow(`.switch a[href*="raw=1"]`)
	b.arrives(firstLine + `?.startsWith('{"before":null')`)
	if got := eval[string](b, `document.querySelector('footer [data-copy^="curl"]').dataset.copy`); got != "curl '"+s.url+"api/topics/port.main.moves/records?find=c3&from=2026-07-01+12%3A01&partition=1'" {
		t.Errorf("copied: %s", got)
	}
	b.fill("from", "tomorrow")
	b.arrives(`document.querySelector(".fault .message")?.textContent.includes("tomorrow")`)
	b.clean()
}

// follow goes where a link leads, wherever the page has moved it meanwhile.
func (b *tab) follow(link string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf(`(document.querySelector(%q).click(), true)`, link))
}

// arrives waits for another page, whose scripts run.
func (b *tab) arrives(js string) {
	b.t.Helper()
	b.until(`document.readyState === "complete" && document.documentElement.dataset.live === "live" && ` + js)
}

// fill types over what a field holds, and enters it.
func (b *tab) fill(id, text string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf(`((f) => { f.focus(); f.select(); return true; })(document.getElementById(%q))`, id))
	b.do(chromedp.KeyEvent(text), chromedp.KeyEvent(kb.Enter))
}

func TestATailGoesOnAndItsPauseKeepsRows(t *testing.T) {
	feed := withLog(t, uitest.Port(time.Now()))
	s := serve(t, feed, "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "topics?topic=port.main.calls")
	b.until(`!document.getElementById("none").hidden`)
	b.press("#tail")
	b.until(`document.getElementById("tail").textContent === "Pause" && document.getElementById("from").disabled && location.search.includes("tail=1")`)
	write := func(i int) {
		feed.Log.Append("port.main.calls", 0, record.Record{Timestamp: time.Now().UnixMilli(), Value: fmt.Append(nil, "call ", i)})
	}
	for i := range 10 {
		write(i)
	}
	b.until(recordsShown + ` === 10`)
	write(10)
	b.until(recordsShown + ` === 11`)
	if got := eval[string](b, `[...document.querySelectorAll("#records .line")].map((e) => e.textContent.trim()).join()`); got != "call 10,call 9,call 8,call 7,call 6,call 5,call 4,call 3,call 2,call 1,call 0" {
		t.Errorf("the tail shows %s", got)
	}
	b.press("#tail")
	b.until(`!document.getElementById("from").disabled && !location.search.includes("tail")`)
	write(11)
	eval[bool](b, `new Promise((done) => setTimeout(() => done(true), 1500))`) // longer than the tail asks
	if got := eval[int](b, recordsShown); got != 11 {
		t.Errorf("%d rows after the pause", got)
	}
	b.press("#tail")
	b.until(firstLine + ` === "call 11" && ` + recordsShown + ` === 12`)
	b.clean()
}

// topicLooks are the states of the page of topics, by address.
func topicLooks(t *testing.T) map[string]struct {
	feed *uitest.Feed
	path string
} {
	type look = struct {
		feed *uitest.Feed
		path string
	}
	hostile := uitest.HostileNames(time.Now())
	hostile.Log = uitest.OpenLog(t)
	hostile.Log.Create("hostile", 1)
	hostile.Log.Append("hostile", 0, record.Record{Key: []byte(uitest.Hostile), Value: []byte(uitest.Hostile), Headers: []record.Header{{Key: uitest.Hostile, Value: []byte(uitest.Hostile)}}})
	port := withLog(t, uitest.Port(time.Now()))
	trouble := uitest.Port(time.Now())
	trouble.Trouble()
	return map[string]look{
		"port":            {port, "topics"},
		"trouble":         {trouble, "topics"},
		"empty":           {&uitest.Feed{}, "topics"},
		"hostile":         {hostile, "topics"},
		"records":         {port, "topics?topic=port.main.moves"},
		"records-none":    {port, "topics?topic=port.main.calls"},
		"records-fault":   {port, "topics?topic=nothing"},
		"records-trouble": {trouble, "topics?topic=port.main.moves"},
		"records-hostile": {hostile, "topics?topic=hostile&raw=1&find=" + url.QueryEscape(uitest.Hostile[:10])},
	}
}

func TestTopicsAccessibleInBothThemes(t *testing.T) {
	for name, look := range topicLooks(t) {
		s := serve(t, look.feed, "127.0.0.1:0")
		for _, theme := range []string{"dark", "light"} {
			t.Run(name+" "+theme, func(t *testing.T) {
				b := open(t)
				b.prefers(theme)
				b.visit(s.url + look.path)
				b.until(`document.querySelector(".list, .log, .empty, .fault")`)
				eval[bool](b, `(document.querySelector("#records .name")?.click(), true)`)
				if got := eval[string](b, `document.title + document.querySelectorAll("main img, main script, main iframe").length`); got != "Topics · Tarn0" {
					t.Errorf("something became HTML: %s", got)
				}
				b.shot("topics-" + name + "-" + theme)
				b.accessible()
				b.clean()
			})
		}
	}
}

func TestTopicsDoNotScrollSideways(t *testing.T) {
	for name, look := range topicLooks(t) {
		s := serve(t, look.feed, "127.0.0.1:0")
		b := open(t)
		b.prefers("dark")
		b.visit(s.url + look.path)
		b.until(`document.querySelector(".list, .log, .empty, .fault")`)
		eval[bool](b, `(document.querySelector("#records .name")?.click(), true)`)
		for _, width := range []int64{390, 800, 1280} {
			b.do(chromedp.EmulateViewport(width, 844))
			b.fits(name, width)
			b.shot(fmt.Sprintf("topics-%s-%d", name, width))
		}
		b.clean()
	}
}
