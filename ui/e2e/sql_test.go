package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/ui/uitest"
)

// page answers the statements of the tests of the page SQL; false for any other.
func (s *site) page(w http.ResponseWriter, r *http.Request, text string) bool {
	switch accept := r.Header.Get("Accept"); {
	case strings.Contains(text, "information_schema.columns"):
		answer(w, []string{"table_schema", "table_name", "column_name", "data_type"}, []string{"VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR"}, [][]any{
			{"silver", "calls", "call_id", "BIGINT"}, {"silver", "calls", "berth", "VARCHAR"}, {"silver", "moves", "crane", "VARCHAR"}, {"gold", uitest.Hostile, uitest.Hostile, "VARCHAR"},
		})
	case strings.HasPrefix(text, "EXPLAIN SELECT status"):
		answer(w, []string{"plan"}, []string{"VARCHAR"}, [][]any{{"HASH_GROUP_BY · groups #0 · aggregates count_star() · estimated cardinality 12"}, {"  PROJECTION · estimated cardinality 4096"}, {"    READ_PARQUET · filters status='alongside' · estimated cardinality 4096"}})
	case strings.HasPrefix(text, "CREATE VIEW"):
		answer(w, []string{"status"}, []string{"VARCHAR"}, [][]any{{"CREATE VIEW"}})
	case strings.HasPrefix(text, "SELECT count(*), count(c)"):
		answer(w, []string{"a", "b", "c", "d", "e", "f", "g", "h"}, []string{"BIGINT", "BIGINT", "BIGINT", "VARCHAR", "VARCHAR", "DOUBLE", "DOUBLE", "DOUBLE"}, [][]any{{1_000_000, 999_000, 999_000, "0", "999999", 499999.5, 288675.1, 499999.5}})
	case strings.HasPrefix(text, "SELECT min(v), max(v)"):
		answer(w, []string{"lo", "hi"}, []string{"DOUBLE", "DOUBLE"}, [][]any{{0, 999999}})
	case strings.HasPrefix(text, "SELECT least("):
		rows := [][]any{}
		for i := range 24 {
			rows = append(rows, []any{i, 1000 + i*i*100})
		}
		answer(w, []string{"bin", "n"}, []string{"INTEGER", "BIGINT"}, rows)
	case strings.HasPrefix(text, "SELECT c::VARCHAR"):
		answer(w, []string{"c", "n"}, []string{"VARCHAR", "BIGINT"}, [][]any{{uitest.Hostile, 600_000}, {"", 200_000}})
	case strings.Contains(text, "exported") && accept != rowsType:
		_, _ = fmt.Fprintf(w, "bytes of %s\x00\xff", accept)
	case strings.Contains(text, "AS exact"):
		answer(w, []string{"third", "long", "text", "lines"}, []string{"DOUBLE", "UBIGINT", "VARCHAR", "VARCHAR"}, [][]any{
			{json.RawMessage("0.3333333333333333"), json.RawMessage("12345678901234567890"), digits, strings.Repeat("\n", 4_000_000)},
		})
	case strings.Contains(text, "malformed"):
		_, _ = io.WriteString(w, `{"columns":[{"name":"n","type":"BIGINT"}]}`+"\n[1,}]\n"+`{"stats":{"rows":1,"ms":1,"snapshots":{}}}`+"\n")
	case strings.Contains(text, "million"):
		million(w, 1_000_000, "")
	case strings.Contains(text, "endless"):
		million(w, 1_200_000, "")
	case strings.Contains(text, "breaks off"):
		million(w, 3000, `{"error":{"code":"invalid","message":"a value cannot be used so","hint":"TRY_CAST","line":1,"column":8}}`)
	case strings.Contains(text, "per minute"):
		answer(w, []string{"minute", "crane", "moves"}, []string{"TIMESTAMP", "VARCHAR", "BIGINT"}, cranes())
	default:
		return false
	}
	return true
}

// digits is a text that holds what a number is made of, and what ends a text.
const digits = `1234567890123456789 \ 0.3333333333333333 "12345678901234567890"\`

func cranes() (rows [][]any) {
	for i := range 60 {
		for c := range 3 {
			rows = append(rows, []any{fmt.Sprintf("2026-07-01T12:%02d:00", i), fmt.Sprint("C", c+1), 20 + (i*(c+3)*7)%17 + c*9})
		}
	}
	return rows
}

// million writes that many rows as they come, and how it ended.
func million(w io.Writer, rows int, end string) {
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = fmt.Fprintln(out, `{"columns":[{"name":"n","type":"BIGINT"},{"name":"name","type":"VARCHAR"},{"name":"at","type":"TIMESTAMP"},{"name":"x","type":"DOUBLE"}]}`)
	for i := range rows {
		_, _ = fmt.Fprintf(out, "[%d,\"row %d\",\"2026-07-01T12:04:30.123456\",%d.25]\n", i, i, i%1000)
	}
	if end == "" {
		end = fmt.Sprintf(`{"stats":{"rows":%d,"ms":812.5,"snapshots":{}}}`, rows)
	}
	_, _ = fmt.Fprintln(out, end)
	_ = out.Flush()
}

const (
	gridShown  = `document.querySelector(".grid-row") && document.getElementById("answer").ariaBusy === "false"`
	editorText = `document.getElementById("editor").shadowRoot.querySelector(".cm-content").innerText`
	firstRow   = `Number([...document.querySelectorAll(".grid-row")].map((e) => e.getAttribute("aria-rowindex")).sort((a, b) => a - b)[0]) - 2`
)

// statement types over what the editor holds, as a person does.
func (b *tab) statement(text string) {
	b.t.Helper()
	b.until(`document.getElementById("editor").shadowRoot?.querySelector(".cm-content")`)
	eval[bool](b, `(document.getElementById("editor").shadowRoot.querySelector(".cm-content").focus(), true)`)
	b.do(chromedp.KeyEvent("a", ctrl))
	b.insert(text)
}

func TestSQLPageRunsAMillionRows(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql")
	b.statement("SELECT * FROM million")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(gridShown)
	b.until(`document.getElementById("status").textContent.startsWith("1\u202f000\u202f000 rows in 813 ms")`)
	b.shot("sql-page-million")
	if n := eval[int](b, `document.querySelectorAll(".grid *").length`); n > 800 {
		t.Errorf("%d elements hold the rows of one window", n)
	}
	eval[bool](b, `(document.querySelector(".grid").scrollTop = 1e9, true)`)
	b.until(`document.querySelector(".grid").textContent.includes("row 999999") && document.querySelector('[aria-rowindex="1000001"]')`)
	eval[bool](b, `(document.querySelector(".grid").scrollTop /= 2, true)`)
	b.until(`Math.abs(` + firstRow + ` - 500000) < 100`)
	b.focus(".grid")
	b.do(chromedp.KeyEvent(kb.Home, ctrl))
	b.until(firstRow + ` === 0`)
	b.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("panel-body").textContent.includes("row 1") && document.getElementById("panel-name").textContent === "name, row 2"`)
	b.do(chromedp.KeyEvent(kb.End, ctrl))
	b.until(`document.querySelector('.grid .active')?.textContent === "999.25"`)
	frames := eval[float64](b, `new Promise((done) => { const g = document.querySelector(".grid"); g.scrollTop = 0; let n = 0; const t0 = performance.now(); const step = () => { g.scrollTop += 700; n++ === 60 ? done(60000 / (performance.now() - t0)) : requestAnimationFrame(step); }; requestAnimationFrame(step); })`)
	still := eval[float64](b, `new Promise((done) => { let n = 0; const t0 = performance.now(); const step = () => { n++ === 60 ? done(60000 / (performance.now() - t0)) : requestAnimationFrame(step); }; requestAnimationFrame(step); })`)
	t.Logf("scrolls at %.0f frames a second, stands at %.0f", frames, still)
	b.clean()
}

func TestSQLPageRunsStatementsAndSaysWhatFailed(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql")
	b.statement("CREATE VIEW gold.v AS SELECT ';' -- one; two\n;\nSELECT many; SELECT port,\n  wrong\nFROM silver.calls;\nSELECT never")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.querySelector("#answer .fault")?.textContent.includes("line 4, column 3")`)
	if got := strings.Join(s.statements(), "|"); got != "CREATE VIEW gold.v AS SELECT ';' -- one; two|SELECT many|SELECT port,\n  wrong\nFROM silver.calls" {
		t.Errorf("asked %q", got)
	}
	if marked := eval[string](b, `document.getElementById("editor").shadowRoot.querySelector(".cm-wrong").textContent`); marked != "wrong" {
		t.Errorf("%q is marked", marked)
	}
	b.shot("sql-page-fault")
	b.focus(`#tabs [aria-selected="true"]`)
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`document.getElementById("status").textContent.startsWith("1\u202f500 rows") && document.activeElement.ariaSelected === "true" && document.querySelector(".grid-row")`)
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`document.getElementById("answer").textContent === "Done: CREATE VIEW"`)
	b.press("#explain")
	b.statement("SELECT status, count(*) FROM silver.calls GROUP BY status")
	b.press("#explain")
	b.until(`document.querySelectorAll(".plan li").length === 3 && document.querySelector(".plan li").textContent.includes("about 12 rows")`)
	b.statement("SELECT breaks off")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.querySelector("#answer .fault") && document.getElementById("status").textContent.includes("there are 3\u202f000 rows") && document.querySelector(".grid-row")`)
	b.statement("SELECT * FROM endless")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.getElementById("status").textContent.startsWith("the first 1\u202f000\u202f000 rows") && document.getElementById("status").textContent.includes("an export has all")`)
	b.clean("400 (Bad Request)")
}

// TestSQLPageShowsNumbersAsTheyAre, and so does the box of Home: no digit is changed, and a text of millions of lines is one.
func TestSQLPageShowsNumbersAsTheyAre(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	want := "0.3333333333333333|12345678901234567890|" + digits
	b.visit(s.url + "sql")
	b.statement("SELECT 1 AS exact")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(gridShown)
	if got := eval[string](b, `[...document.querySelectorAll('[aria-rowindex="2"] .grid-cell')].slice(0, 3).map((e) => e.textContent).join("|")`); got != want {
		t.Errorf("the grid shows %q", got)
	}
	b.visit(s.url)
	b.typed("SELECT 1 AS exact")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(resultShown)
	if got := eval[string](b, `[...document.querySelectorAll(".rows tbody td")].slice(0, 3).map((e) => e.textContent).join("|")`); got != want {
		t.Errorf("the box shows %q", got)
	}
	b.clean()
}

func TestSQLPageAsksBeforeALinkTakesAway(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	link := s.url + "sql#" + url.Values{"q": {"SELECT 1;\n/* a /* b */ SELECT */ DROP TABLE gold.x; CREATE VIEW gold.v AS SELECT 1"}}.Encode()
	b.visit(link)
	b.until(`document.getElementById("note").textContent === "From a link: 3 statements. It changes things: DROP TABLE, CREATE VIEW. Read it, then run it."`)
	b.press("#run")
	b.until(`document.getElementById("sure").open && document.activeElement.id === "sure-no" && document.getElementById("sure-text").textContent.endsWith("DROP TABLE gold.x")`)
	b.accessible()
	b.shot("sql-page-sure")
	b.press("#sure-no")
	if got := s.statements(); len(got) != 0 {
		t.Errorf("asked %q", got)
	}
	b.press("#run")
	b.press("#sure-yes")
	b.until(`document.querySelectorAll(".tab-done").length === 3`)
	b.press("#run")
	b.until(`!document.getElementById("sure").open && document.querySelectorAll(".tab-done").length === 3`)
	s.until(t, func(asked []string) bool { return len(asked) == 6 }) // of both runs, before the page goes
	b.do(chromedp.Navigate("about:blank"))
	b.visit(link)
	b.statement("DROP TABLE gold.y")
	b.press("#run")
	b.until(`document.getElementById("answer").ariaBusy === "false"`)
	if got := s.statements(); got[len(got)-1] != "DROP TABLE gold.y" {
		t.Errorf("asked %q", got)
	}
	b.clean()
}

func TestSQLPageSaysWhatItCannotShow(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql")
	b.statement("SELECT malformed")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.querySelector("#answer .fault")?.textContent.includes("cannot be shown") && document.getElementById("cancel").hidden && !document.getElementById("exports").hidden`)
	b.statement("SELECT many")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(gridShown)
	b.clean()
}

// TestSQLPageBegins with sentences that write statements; on a phone Run is the first thing to press.
func TestSQLPageBegins(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql")
	b.do(chromedp.EmulateViewport(390, 844))
	if first := eval[string](b, `[...document.querySelectorAll(".query > header button")].map((e) => [e.getBoundingClientRect(), e]).sort(([a], [b]) => a.top - b.top || a.left - b.left)[0][1].id`); first != "run" {
		t.Errorf("%s is before Run", first)
	}
	eval[bool](b, `([...document.querySelectorAll("#begin .chip")].find((e) => e.textContent === "what upkeep would do").click(), true)`)
	b.until(editorText + `.includes("system.health")`)
	b.clean()
}

func TestSQLPageCancelsAndTellsOfTheNetwork(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql")
	b.statement("SELECT slow; SELECT many")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`!document.getElementById("cancel").hidden && /running, /.test(document.getElementById("status").textContent)`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`document.getElementById("answer").textContent.includes("Canceled") && document.getElementById("cancel").hidden`)
	select {
	case <-s.hangup:
	case <-time.After(waitLimit):
		t.Error("the server was not told")
	}
	if got := s.statements(); len(got) != 1 {
		t.Errorf("what was canceled went on: %q", got)
	}
	b.clean()
	s.stop()
	b.press("#run")
	b.until(`document.querySelector("#answer .fault")?.textContent.includes("tarn up")`)
}

func TestSQLPageLinksAndKeeps(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.prefers("light")
	b.visit(s.url + "sql")
	b.statement("SELECT 'é & #' AS \"per minute\"")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(gridShown)
	b.press(`[data-view="chart"]`)
	b.until(`document.querySelector(".chart svg") && document.querySelectorAll(".chart .line").length === 3`)
	b.shot("sql-page-line")
	for _, kind := range []string{"scatter", "bar"} {
		eval[bool](b, fmt.Sprintf(`((f) => { f.value = %q; f.dispatchEvent(new Event("change")); return true; })(document.querySelector('[data-key="kind"]'))`, kind))
		b.until(`document.querySelector(".chart .points, .chart .bar") && location.hash.includes("kind=` + kind + `")`)
		b.shot("sql-page-" + kind)
	}
	link := eval[string](b, `location.href`)
	asked := len(s.statements())
	eval[bool](b, `(sessionStorage.clear(), true)`)
	b.do(chromedp.Navigate("about:blank"))
	b.visit(link)
	b.until(editorText + ` === 'SELECT \'é & #\' AS "per minute"'`)
	if len(s.statements()) != asked || !eval[bool](b, `document.getElementById("results").hidden`) {
		t.Error("a link ran a statement")
	}
	b.press("#run")
	b.until(`document.querySelector(".chart .bar")`)
	b.press("#save")
	b.insert("per minute")
	b.press("#name-save")
	b.until(`document.getElementById("note").textContent === "Saved as per minute, in this browser."`)
	b.statement("SELECT 2")
	b.press("#open-history")
	b.until(`document.querySelectorAll("#kept-list li").length === 1 && document.activeElement.id === "kept-find"`)
	b.shot("sql-page-history")
	b.press(`[data-list="saved"]`)
	b.press(".kept-text")
	b.until(`!document.getElementById("kept").open && ` + editorText + `.includes("per minute")`)
	b.clean()
}

func TestSQLPageExportsBytesAsTheyAre(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.before(`window.files = {}; URL.createObjectURL = (blob) => { files.last = blob; return "#"; }; HTMLAnchorElement.prototype.click = function () { files[this.download.split(".").at(-1)] = files.last; }`)
	b.visit(s.url + "sql")
	b.statement("SELECT many AS exported")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.getElementById("answer").ariaBusy === "false" && !document.getElementById("exports").hidden`)
	for end, want := range map[string][2]string{
		"csv": {"CSV", "text/csv"}, "jsonl": {"JSON", "application/x-ndjson"}, "parquet": {"Parquet", "application/vnd.apache.parquet"}, "arrows": {"Arrow", "application/vnd.apache.arrow.stream"},
	} {
		b.press(fmt.Sprintf(`[data-export=%q]`, want[0]))
		b.until(fmt.Sprintf(`files[%q]`, end))
		hex := eval[string](b, fmt.Sprintf(`files[%q].arrayBuffer().then((b) => [...new Uint8Array(b)].map((n) => n.toString(16).padStart(2, "0")).join(""))`, end))
		if hex != fmt.Sprintf("%x", "bytes of "+want[1]+"\x00\xff") {
			t.Errorf("%s holds %s", end, hex)
		}
	}
	b.statement("SELECT wrong")
	b.do(chromedp.KeyEvent(kb.Enter, ctrl))
	b.until(`document.querySelector("#answer .fault") && document.getElementById("exports").hidden`)
	b.clean("400 (Bad Request)")
}

func TestSQLPageKeepsHostileTextAsText(t *testing.T) {
	s := serve(t, uitest.HostileNames(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "sql#" + url.Values{"q": {"SELECT hostile -- " + uitest.Hostile}}.Encode())
	b.press("#run")
	b.until(gridShown)
	for what, js := range map[string]string{
		"a column's name": `document.querySelector(".grid-column span").textContent === %q`, "a value": `document.querySelector('[aria-rowindex="2"] .grid-cell').textContent === %q`,
	} {
		if !eval[bool](b, fmt.Sprintf(js, uitest.Hostile)) {
			t.Errorf("%s is not shown as it is", what)
		}
	}
	b.press(".grid-column")
	b.until(`document.querySelector(".profile")?.textContent.includes("1\u202f000\u202f000")`)
	b.until(`document.querySelector(".top-values")?.textContent.includes("onerror")`)
	b.press("#open-history")
	b.until(`document.querySelector(".kept-text")?.textContent.includes("onerror")`)
	b.press("#kept-close")
	b.statement("SELECT gold.")
	b.until(`document.getElementById("editor").shadowRoot.querySelector(".cm-tooltip-autocomplete")?.textContent.includes("onerror")`)
	if got := eval[string](b, `document.title + document.querySelectorAll("main img, main script, main iframe").length + document.getElementById("editor").shadowRoot.querySelectorAll("img:not(.cm-widgetBuffer), script").length`); got != "SQL · Tarn00" {
		t.Errorf("something became HTML: %s", got)
	}
	b.clean()
}

// TestSQLPageAccessible holds the states of the page against WCAG 2.2 A and AA in both themes, one of them in French,
// and against three widths.
func TestSQLPageAccessible(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	for theme, path := range map[string]string{"dark": "sql", "light": "sql?lang=fr"} {
		b := open(t)
		b.prefers(theme)
		b.visit(s.url + path)
		look := func(name string) {
			t.Helper()
			b.shot("sql-page-" + name + "-" + theme)
			for _, width := range []int64{390, 800, 1280} {
				b.do(chromedp.EmulateViewport(width, 900))
				b.shot(fmt.Sprintf("sql-page-%s-%s-%d", name, theme, width))
				b.fits(name, width)
			}
		}
		look("empty")
		b.statement("SELECT * FROM silver.calls; SELECT 'per minute'")
		b.do(chromedp.KeyEvent(kb.Enter, ctrl))
		b.until(gridShown + ` && document.querySelectorAll(".tab").length === 2`)
		eval[bool](b, `(document.querySelector(".tab").click(), true)`)
		b.until(`document.querySelector(".snapshots") && document.querySelector(".grid-column")`)
		b.focus(".grid")
		b.do(chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.Enter))
		b.until(`document.querySelector(".bins, .top-values")`)
		b.accessible()
		look("profile")
		eval[bool](b, `(document.getElementById("panel-close").click(), document.querySelector(".tab:last-child").click(), document.querySelector('[data-view="chart"]').click(), true)`)
		b.until(`document.querySelector(".chart svg")`)
		b.accessible()
		look("chart")
		eval[bool](b, `(document.getElementById("open-history").click(), true)`)
		b.until(`document.querySelector(".kept-text")`)
		b.accessible()
		look("history")
		b.clean()
	}
}
