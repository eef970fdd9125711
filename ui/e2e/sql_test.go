package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
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
	case strings.Contains(text, "exported"):
		_, _ = fmt.Fprintf(w, "bytes of %s\x00\xff", accept)
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
	b.until(`document.getElementById("status").textContent.startsWith("1,000,000 rows in 813 ms")`)
	b.shot("sql-page-million")
	if n := eval[int](b, `document.querySelectorAll(".grid *").length`); n > 800 {
		t.Errorf("%d elements hold the rows of one window", n)
	}
	eval[bool](b, `(document.querySelector(".grid").scrollTop = 1e9, true)`)
	b.until(`document.querySelector(".grid").textContent.includes("row 999999") && document.querySelector('[aria-rowindex="1000001"]')`)
	eval[bool](b, `(document.querySelector(".grid").scrollTop /= 2, true)`)
	b.until(`Math.abs(` + firstRow + ` - 500000) < 100`)
	b.do(chromedp.Focus(".grid"), chromedp.KeyEvent(kb.Home, ctrl))
	b.until(firstRow + ` === 0`)
	b.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("panel-body").textContent.includes("row 1") && document.getElementById("panel-name").textContent === "name, row 2"`)
	b.do(chromedp.KeyEvent(kb.End, ctrl))
	b.until(`document.querySelector('.grid .active')?.textContent === "999.25"`)
	frames := eval[float64](b, `new Promise((done) => { const g = document.querySelector(".grid"); g.scrollTop = 0; let n = 0; const t0 = performance.now(); const step = () => { g.scrollTop += 700; n++ === 60 ? done(60000 / (performance.now() - t0)) : requestAnimationFrame(step); }; requestAnimationFrame(step); })`)
	t.Logf("scrolls at %.0f frames a second", frames)
	b.clean()
}
