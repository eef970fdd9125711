package e2e_test

import (
	"fmt"
	"net/url"
	"slices"
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

// TestATopicIsMadeChangedWrittenAndDeleted by dialogs that show their statements, and by a form.
func TestATopicIsMadeChangedWrittenAndDeleted(t *testing.T) {
	feed := withLog(t, uitest.Port(time.Now()))
	s := serve(t, feed, "127.0.0.1:0")
	said := func(statement string) {
		t.Helper()
		if asked := s.statements(); !slices.Contains(asked, statement) {
			t.Errorf("nobody said %s, only %q", statement, asked)
		}
	}
	shown := func(b *tab, id, want string) {
		t.Helper()
		if got := eval[string](b, fmt.Sprintf(`document.getElementById(%q).textContent`, id)); got != want {
			t.Errorf("%s shows %s, want %s", id, got, want)
		}
	}
	b := open(t)
	b.visit(s.url + "topics")
	b.press("#create-open")
	b.until(`document.getElementById("create").open && document.activeElement.id === "create-name" && document.querySelector("#create [data-yes]").disabled`)
	b.do(chromedp.KeyEvent("port.main.moves"))
	eval[bool](b, `(document.getElementById("create-land").click(), true)`)
	b.shot("topics-create")
	shown(b, "create-sql", "CREATE TOPIC \"port.main.moves\" PARTITIONS 1\nWITH ('tarn.land' = 'true')")
	b.accessible()
	b.fill("create-retention", "wrong")
	b.until(`document.querySelector("#create .fault")?.textContent.includes("whole number")`)
	b.fill("create-retention", "1000")
	b.arrives(`location.search === "?topic=port.main.moves"`)
	said("CREATE TOPIC \"port.main.moves\" PARTITIONS 1\nWITH ('retention.ms' = '1000', 'tarn.land' = 'true')")

	// A setting: the log of the feed keeps its records for ever.
	b.until(`document.querySelector("[data-edit='retention.ms']").textContent.trim() === "-1"`)
	b.press(`[data-edit="retention.ms"]`)
	b.until(`document.getElementById("edit").open && document.activeElement.id === "edit-value"`)
	b.accessible()
	b.fill("edit-value", "wrong")
	b.until(`document.querySelector("#edit .fault")`)
	b.shot("topics-edit")
	b.fill("edit-value", "86400000")
	b.until(`!document.getElementById("edit").open && document.getElementById("said").textContent === "retention.ms was -1, and is 86400000."`)
	said("ALTER TOPIC \"port.main.moves\" SET ('retention.ms' = '86400000')")
	b.press(`[data-edit="retention.ms"]`)
	b.until(`document.getElementById("edit").open`)
	b.press("#edit-default")
	b.until(`!document.getElementById("edit").open`)
	said("ALTER TOPIC \"port.main.moves\" RESET ('retention.ms')")
	b.press(`[data-edit="partitions"]`)
	b.until(`document.getElementById("edit").open && document.getElementById("edit-default").hidden`)
	b.fill("edit-value", "3")
	b.until(`!document.getElementById("edit").open`)
	said("ALTER TOPIC \"port.main.moves\" SET PARTITIONS 3")

	// A record.
	for id, text := range map[string]string{"produce-key": "it's", "produce-value": "{\"n\": 1}", "produce-headers": "trace: 8f2a\nlast"} {
		eval[bool](b, fmt.Sprintf(`(document.getElementById(%q).value = %q, true)`, id, text))
	}
	b.press("#produce-yes")
	b.until(`document.querySelector("#produce-said a")?.getAttribute("href") === "/topics?topic=port.main.moves&partition=1&from=60"`)
	said("PRODUCE TO \"port.main.moves\" KEY 'it''s' VALUE '{\"n\": 1}' HEADERS ('trace' = '8f2a', 'last' = '')")
	eval[bool](b, `(document.getElementById("produce-null").click(), document.getElementById("produce-partition").value = "1", document.getElementById("produce-headers").value = "wrong", true)`)
	b.focus("#produce-key")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.querySelector("#produce-said .fault")?.textContent.includes("without a key")`)
	said("PRODUCE TO \"port.main.moves\" PARTITION 1 KEY 'it''s' VALUE NULL HEADERS ('wrong' = '')")

	// Its end.
	b.press("#delete-open")
	b.until(`document.getElementById("delete").open`)
	b.accessible()
	b.shot("topics-delete")
	shown(b, "delete-sql", "DROP TOPIC \"port.main.moves\"")
	b.press(`#delete [data-no]`)
	b.until(`!document.getElementById("delete").open`)
	b.press("#delete-open")
	b.press(`#delete [data-yes]`)
	b.arrives(`location.pathname === "/topics" && location.search === ""`)
	said("DROP TOPIC \"port.main.moves\"")
	b.clean("400 (Bad Request)")
}

// TestATopicOfAnotherIsLeftAlone: a source's takes no record, and Tarn's own no change.
func TestATopicOfAnotherIsLeftAlone(t *testing.T) {
	feed := uitest.Port(time.Now())
	feed.Log = uitest.OpenLog(t)
	for name, config := range map[string]bus.TopicConfig{"tarn.commits": {}, "port.main.calls": {Source: "s", Keyed: true}} {
		if _, err := feed.Log.CreateTopic(t.Context(), name, config); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, feed, "127.0.0.1:0")
	b := open(t)
	for topic, edits := range map[string]int{"tarn.commits": 0, "port.main.calls": len(bus.Settings())} {
		b.visit(s.url + "topics?topic=" + topic)
		b.until(`document.querySelector("#produce .nothing")`)
		if got := eval[int](b, `document.querySelectorAll("[data-edit]").length`); got != edits {
			t.Errorf("%s has %d settings to change, want %d", topic, got, edits)
		}
		if eval[bool](b, `!!document.getElementById("delete-open")`) {
			t.Errorf("%s may be deleted", topic)
		}
		b.accessible()
	}
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
