package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/ui/uitest"
)

// answerOfTables answers what the page of a table asks of /api/sql; false for anything else.
func answerOfTables(w http.ResponseWriter, text string) bool {
	berth := "TM-4"
	if strings.Contains(text, "onerror") {
		berth = uitest.Hostile
	}
	switch {
	case strings.Contains(text, "FILTER (WHERE"):
		answer(w, []string{"added", "removed", "changed"}, []string{"BIGINT", "BIGINT", "BIGINT"}, [][]any{{412, 1, 2}})
	case strings.Contains(text, "FULL JOIN"):
		answer(w, []string{"change", "call_id", "berth before", "berth", "status before", "status", "moves before", "moves", "reefers_on before", "reefers_on", "reefers before", "reefers"},
			[]string{"VARCHAR", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT"}, [][]any{
				{"changed", 17, "TM-3", berth, "planned", "berthed", 240, 240, "0.50", "0.50", 1, 1},
				{"removed", 18, berth, nil, "departed", nil, int64(9007199254740993), nil, "1.25", nil, 0, nil},
				{"added", 19, nil, "TM-9", nil, "planned", nil, 0, nil, "0.00", nil, 2},
				{"changed", 20, nil, "TM-1", "planned", "planned", 3, nil, nil, nil, 4, 5},
			})
	case strings.Contains(text, "EXCEPT ALL"):
		answer(w, []string{"change", "_offset", "berth", "status", "moves"}, []string{"VARCHAR", "BIGINT", "VARCHAR", "VARCHAR", "BIGINT"}, [][]any{{"added", 4811, berth, nil, 2}})
	case strings.HasSuffix(text, "DRY RUN"):
		answer(w, []string{"metric_name", "metric_value"}, []string{"VARCHAR", "BIGINT"}, [][]any{{"files_removed", 17}, {"files_added", 1}})
	default:
		return false
	}
	return true
}

func TestTwoSnapshotsAreCompared(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake/silver.calls?show=snapshots")
	b.until(`document.querySelectorAll(".past-list tbody tr:not(.gap)").length === 12 && document.querySelector(".past-list .gap").textContent === "37 snapshots thinned out"`)
	if n := len(s.statements()); n != 0 {
		t.Errorf("%d statements before somebody chose", n)
	}
	b.focus(`[data-go^="changes:"]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.arrives(`location.hash === "#diff" && document.querySelectorAll(".differ tbody tr").length === 4`)
	b.until(`document.querySelector(".counts")?.textContent === "412 rows added1 row removed2 rows changedthe first 200 are shown"`)
	if got := eval[string](b, `[...document.querySelectorAll(".differ tbody tr")].map((r) => r.className + ": " + [...r.cells].map((c) => c.innerText.trim().replace(/\s+/g, " ")).join("|")).join("\n")`); got != strings.Join([]string{
		"diff-changed: ±changed|17|TM-3 TM-4|planned berthed|240|0.50|1",
		"diff-removed: −removed|18|TM-4|departed|9007199254740993|1.25|0",
		"diff-added: +added|19|TM-9|planned|0|0.00|2",
		"diff-changed: ±changed|20|null TM-1|planned|3 null|null|4 5",
	}, "\n") {
		t.Errorf("the rows are\n%s", got)
	}
	asked := s.statements()
	if len(asked) != 2 || !strings.Contains(asked[0], "FROM silver.calls AT (VERSION => 8471236109345672000)") || !strings.Contains(asked[0], "FROM silver.calls AT (VERSION => 8471236109345672001)") {
		t.Errorf("asked %q", asked)
	}
	if copied := eval[string](b, `document.querySelector("#diff footer [data-copy]").dataset.copy`); copied != asked[0] {
		t.Errorf("copied %q", copied)
	}
	eval[bool](b, `(document.getElementById("from").value = "8471236109345671990", document.getElementById("compare").click(), true)`)
	b.arrives(`location.search === "?show=snapshots&from=8471236109345671990&to=8471236109345672001" && document.querySelector(".diff-schema .changes")?.textContent.includes("renamed state to status") && document.querySelectorAll(".differ tbody tr").length === 4`)
	b.follow(`[data-go^="rows:"]`)
	b.arrives(`location.search.includes("at=8471236109345672001") && document.querySelectorAll("[data-rows] tbody tr").length === 20`)
	if got := s.statements(); !strings.Contains(got[len(got)-1], "SELECT *\nFROM silver.calls AT (VERSION => 8471236109345672001)\nLIMIT 50") {
		t.Errorf("asked %q", got)
	}
	b.clean()
}

func TestASnapshotThatComesIsShown(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake/silver.calls?show=snapshots")
	b.until(`document.querySelectorAll(".past-list tbody tr:not(.gap)").length === 12`)
	list, err := s.feed.Catalog().Histories(t.Context(), table.Ident{Namespace: "silver", Name: "calls"})
	if err != nil {
		t.Fatal(err)
	}
	next := list[0]
	next.Snapshots = append(next.Snapshots, catalog.Snapshot{ID: 7, CommittedAt: time.Now(), Operation: "append", By: "landing", AddedRows: 1, Rows: 1})
	s.feed.Lock()
	s.feed.PastNow = map[string]catalog.History{"silver.calls": next}
	s.feed.Unlock()
	b.until(`document.querySelectorAll(".past-list tbody tr:not(.gap)").length === 13`)
	b.clean()
}

func TestUpkeepIsTriedAndDone(t *testing.T) {
	s := serve(t, uitest.Port(time.Now()), "127.0.0.1:0")
	b := open(t)
	b.visit(s.url + "lake/silver.moves")
	b.arrives(`location.pathname === "/lake/silver.moves" && document.querySelector('[aria-current="page"][data-go="schema"]')`)
	b.follow(`[data-go="upkeep"]`)
	b.arrives(`document.querySelector(".orders .pill")?.closest("li").textContent.includes("EXECUTE compact")`)
	b.focus(`[data-try]`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector("#said tbody")?.textContent === "files_removed17files_added1"`)
	b.press(`[data-run]`)
	b.until(`document.getElementById("said").textContent === "Done: ALTER TABLE silver.moves EXECUTE compact"`)
	if got := strings.Join(s.statements(), "|"); got != "ALTER TABLE silver.moves EXECUTE compact DRY RUN|ALTER TABLE silver.moves EXECUTE compact" {
		t.Errorf("asked %s", got)
	}
	for i, want := range []string{"ALTER TABLE silver.moves EXECUTE compact", "tarn sql 'ALTER TABLE silver.moves EXECUTE compact'"} {
		if got := eval[string](b, fmt.Sprintf(`document.querySelectorAll(".orders [data-copy]")[%d].dataset.copy`, i)); got != want {
			t.Errorf("what is copied is %q", got)
		}
	}
	b.clean()
}

// tableLooks are the states of a table's page, by address.
func tableLooks() map[string]pageLook {
	port, hostile, damaged, fresh := withPipelines(), uitest.HostileNames(time.Now()), uitest.Port(time.Now()), uitest.Port(time.Now())
	damaged.Damage()
	for i := range fresh.StatsNow {
		fresh.StatsNow[i].SnapshotID, fresh.StatsNow[i].Files = 0, 0
	}
	evil := "lake/" + escaped("silver."+uitest.Hostile)
	return map[string]pageLook{
		"schema":       {port, "lake/silver.calls"},
		"diff":         {port, "lake/silver.moves?show=snapshots&from=8471236109345671990&to=8471236109345672001"},
		"files":        {port, "lake/silver.moves?show=files"},
		"rows":         {port, "lake/silver.moves?show=rows"},
		"upkeep":       {port, "lake/silver.moves?show=upkeep"},
		"damaged":      {damaged, "lake/silver.ports"},
		"fresh":        {fresh, "lake/silver.calls?show=snapshots"},
		"hostile":      {hostile, evil},
		"hostile-diff": {hostile, evil + "?show=snapshots&from=8471236109345671990"},
	}
}
