package e2e_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/sql/engine"
	"tarn/ui"
	"tarn/ui/uitest"
)

// labHouse is what the checks of Lab ask, and the switches of a sample.
type labHouse struct {
	mu     sync.Mutex
	rows   map[string][]string // a row, by what a statement holds
	on     map[string]bool
	posted int
}

func (h *labHouse) lab() ui.Lab {
	return ui.Lab{Gate: h.gate, Guard: guard.Open{}, Started: time.Now(), Database: "/srv/tarn-data/sample/port.db", Faults: h.faults, Switch: h.turn}
}

// knows sets the answer to each statement that holds a text.
func (h *labHouse) knows(text string, row ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rows == nil {
		h.rows = map[string][]string{}
	}
	h.rows[text] = row
}

func (h *labHouse) gate(_ context.Context, r engine.Request) (*engine.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.Contains(r.Text, "information_schema") {
		return answerOf(uitest.Hostile, "VARCHAR"), nil
	}
	for text, row := range h.rows {
		if strings.Contains(r.Text, text) {
			return answerOf(row...), nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no such table", "see SHOW TABLES")
}

// answerOf is an answer of one row of texts.
func answerOf(row ...string) *engine.Result {
	fields := make([]arrow.Field, len(row))
	for i := range row {
		fields[i] = arrow.Field{Name: string(rune('a' + i)), Type: arrow.BinaryTypes.String}
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, text := range row {
		b.Field(i).(*array.StringBuilder).Append(text)
	}
	reader, err := array.NewRecordReader(schema, []arrow.RecordBatch{b.NewRecordBatch()})
	if err != nil {
		panic(err) // never for a batch of its own schema
	}
	return &engine.Result{Schema: schema, Reader: reader}
}

func (h *labHouse) faults() (map[string]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]bool{"late": false, "poison": false, "wind": true}
	maps.Copy(out, h.on)
	return out, nil
}

func (h *labHouse) turn(name string, on bool) error {
	if name == "wind" {
		return errors.New("wind is on for as long as this Tarn runs")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.on == nil {
		h.on = map[string]bool{}
	}
	h.on[name] = on
	return nil
}

func (h *labHouse) post(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.posted++
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"topic":"lab","partition":0,"offset":0,"next_offset":1,"records":1,"repeated":false}`)
}

// foundText is what the check says.
const foundText = `document.getElementById("found").textContent`

func TestTheTourIsWalkedAndKept(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	s.house.knows("system.sources", "port", "streaming", "4211", "", "")
	b := open(t)
	b.visit(s.url + "lab")
	b.until(foundText + `.includes("port streams; it has read 4\u202f211 changes since this Tarn started.")`)
	b.until(`document.getElementById("lab-count").textContent === "1 of 9 done" && document.querySelector(".tour li.done")?.dataset.id === "source"`)
	b.do(chromedp.Focus(".act button.main"), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelectorAll("#act-0 tbody tr").length === 20`)
	b.do(chromedp.Focus("#lab-next"), chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.search.includes("step=2") && document.querySelector('.tour [aria-current="step"]').textContent.includes("The log keeps each change")`)
	b.until(foundText + `.includes("port.main.calls has nothing yet.")`)
	s.house.knows("system.topics", "12", "40") // the page looks by itself
	b.until(foundText + `.includes("The log has 12 records of port.main.calls; the next offset is 40.") && document.getElementById("lab-count").textContent === "2 of 9 done"`)
	b.do(chromedp.Navigate(s.url + "lab?step=3"))
	b.until(`document.querySelectorAll(".tour li.done").length === 2 && ` + foundText + `.includes("bronze.port_main_calls has nothing yet.")`)

	// The reader names another way through the house.
	eval[bool](b, `((l) => { l.value = "port.main.moves"; l.dispatchEvent(new Event("change", { bubbles: true })); return true; })(document.getElementById("lab-topic"))`)
	b.arrives(`location.search.includes("topic=port.main.moves") && document.querySelector(".act pre").textContent.includes("bronze.port_main_moves")`)
	b.follow(`#lab-next`)
	b.arrives(`location.search.includes("step=4") && location.search.includes("topic=port.main.moves") && document.querySelector(".act pre").textContent.includes("silver.moves")`)
	b.do(chromedp.Click("#lab-again"))
	b.until(`document.getElementById("lab-count").textContent === "0 of 9 done" && !document.querySelector(".tour li.done")`)
	b.clean()
}

func TestFaultsAreSwitchedAndARecordIsPosted(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lab?step=8")
	b.until(foundText + `.includes("system.late has 0 rows") && document.querySelector('[data-fault="wind"]').getAttribute("aria-checked") === "true"`)
	b.do(chromedp.Focus(`[data-fault="late"]`), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('[data-fault="late"]').getAttribute("aria-checked") === "true"`)
	if on, _ := s.house.faults(); !on["late"] {
		t.Error("late is not on")
	}
	s.house.knows("FROM system.late", "17")
	b.until(foundText + `.includes("system.late has 17 rows, system.dead_letter 0 rows.")`)
	b.do(chromedp.Click(`[data-fault="wind"]`))
	b.until(`document.getElementById("fault-said").textContent.includes("wind is on for as long as this Tarn runs")`)

	// What another site's page sends is refused by the door, as every other write.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"api/lab/faults/late", strings.NewReader("off"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", "http://evil.example")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if on, _ := s.house.faults(); resp.StatusCode != http.StatusForbidden || !on["late"] {
		t.Errorf("another site switched: %d", resp.StatusCode)
	}

	s.house.knows("system.topics", "1")
	s.house.knows("FROM bronze.lab", "1", "1", "0")
	b.visit(s.url + "lab?step=9")
	b.until(foundText + `.includes("all of them posted since this Tarn started.")`)
	b.do(chromedp.Click(`[data-post]`))
	b.until(`document.getElementById("act-0").textContent === "202: on the disk, at offset 0."`)
	s.house.knows("FROM bronze.lab", "1", "1", "1")
	b.until(foundText + `.includes("nothing lost, nothing double.")`)
	b.shot("lab-killed")
	b.clean("400 (Bad Request)")
}

// labLooks are the states of the page Lab, by address.
func labLooks() map[string]pageLook {
	port, hostile := withPipelines(), uitest.HostileNames(time.Now())
	return map[string]pageLook{
		"first":    {port, "lab"},
		"change":   {port, "lab?step=4"},
		"pipeline": {port, "lab?step=5&topic=port.main.moves"},
		"faults":   {port, "lab?step=8"},
		"kill":     {port, "lab?step=9"},
		"empty":    {&uitest.Feed{}, "lab?step=3"},
		"missing":  {port, "lab?step=3&topic=nothing.there"},
		"hostile":  {hostile, "lab?step=5&topic=" + escaped(uitest.Hostile)},
	}
}
