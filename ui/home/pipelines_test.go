package home_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/lake/table"
	"tarn/stream/pipeline"
	"tarn/ui/home"
	"tarn/ui/uitest"
	"tarn/ui/words"
)

func withPipelines(now time.Time) *uitest.Feed {
	f := uitest.Port(now)
	f.AddPipelines(now)
	return f
}

func line(t *testing.T, s home.State, name string) home.Pipeline {
	t.Helper()
	i := slices.IndexFunc(s.Pipelines, func(p home.Pipeline) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no pipeline %s", name)
	}
	return s.Pipelines[i]
}

func TestAPipelineStandsBetweenWhatItReadsAndItsTable(t *testing.T) {
	w := newWatch(withPipelines)
	w.look()
	s := w.run(20, 50)
	for from, to := range map[string]string{
		"silver.calls": "gold.by_berth", "port.main.moves": "gold.moves_per_minute", "silver.vessels": "gold.vessels_of_flag",
	} {
		if !slices.ContainsFunc(s.Edges, func(e home.Edge) bool { return e.From == node(t, s, from).Key && e.To == node(t, s, to).Key }) {
			t.Errorf("no edge from %s to %s", from, to)
		}
	}
	n := node(t, s, "gold.moves_per_minute")
	if n.Kind != home.Gold || n.Pipeline != "gold.moves_per_minute" || n.Rate == nil || *n.Rate == 0 || n.Right().String() != "lag 64" || n.Level != home.Warn {
		t.Errorf("%+v", n)
	}
	for _, want := range [][2]string{{"Reads", "port.main.moves"}, {"Held back by", "port.main.moves/0"}, {"Late", "17"}, {"Watermark behind", "42.0\u202fs"}} {
		if !slices.ContainsFunc(n.Facts, func(f home.Fact) bool { return f.Label.String() == want[0] && f.Value.String() == want[1] }) {
			t.Errorf("%v is not among %v", want, n.Facts)
		}
	}
	if last := n.Facts[len(n.Facts)-1]; last.Label.String() != "Statement" || !strings.HasPrefix(last.Value.String(), "CREATE MATERIALIZED VIEW moves_per_minute") {
		t.Errorf("last of the facts: %v", last)
	}
	if n := node(t, s, "gold.by_berth"); n.Right().String() != "up to date" || n.Level != home.OK {
		t.Errorf("%+v says %q", n, n.Right())
	}
}

func TestThePipelinesAreListedWithTheirFigures(t *testing.T) {
	w := newWatch(withPipelines)
	w.look()
	s := w.run(20, 50)
	if s.Pipelines[0].Name != "gold.vessels_of_flag" {
		t.Errorf("the one in trouble is not the first: %s", s.Pipelines[0].Name)
	}
	p := line(t, s, "gold.moves_per_minute")
	if got := []string{p.Word, p.RateText().String(), p.LagText().String(), p.WatermarkText().String(), p.BehindText().String(), p.LateText().String(), p.DeadText().String(), p.CommitText().String()}; !slices.Equal(got, []string{
		"running", "100\u202f/s", "64", "2026-07-01 12:03:58", "42.0\u202fs", "17", "3", "just now",
	}) {
		t.Errorf("%q", got)
	}
	if waits := line(t, s, "gold.vessels_of_flag"); waits.Level != home.Warn || waits.Error == "" || waits.CommitText().String() != home.Unknown || waits.LagText().String() != home.Unknown || waits.RateText().String() != home.Unknown {
		t.Errorf("%+v", waits)
	}
	if by := line(t, s, "gold.by_berth"); by.WatermarkText().String() != home.Unknown || by.BehindText().String() != home.Unknown {
		t.Errorf("%+v", by)
	}
	if got := s.Values(words.English)[p.Key+".behind"]; got != "42.0\u202fs" {
		t.Errorf("the page is sent %q", got)
	}
}

func TestWhatAilsAPipelineIsAmongTheProblems(t *testing.T) {
	w := newWatch(withPipelines)
	s := w.look()
	found := func(level home.Level, message, hint string) {
		t.Helper()
		if !slices.ContainsFunc(s.Problems, func(p home.Problem) bool {
			return p.Level == level && strings.HasPrefix(p.Where.String(), "pipeline gold.") && strings.Contains(p.Message.String(), message) && strings.Contains(p.Hint.String(), hint)
		}) {
			t.Errorf("no %s %q in %+v", level, message, s.Problems)
		}
	}
	found(home.Warn, "there is no such topic", "it is waited for")
	found(home.Warn, "3 records could not be read by gold.moves_per_minute", "FROM system.dead_letter WHERE topic IN ('port.main.moves')")
	found(home.Note, "17 rows of gold.moves_per_minute came too late", "FROM system.late WHERE pipeline = 'gold.moves_per_minute'")
	w.feed.PipelinesNow[2].State = pipeline.Failed
	if s = w.look(); s.Problems[0].Level != home.Bad || node(t, s, "gold.vessels_of_flag").Level != home.Bad {
		t.Errorf("%+v", s.Problems)
	}
	w.feed.PipelinesNow[2].State, w.feed.PipelinesNow[2].Error = pipeline.Paused, ""
	if s = w.look(); line(t, s, "gold.vessels_of_flag").Level != home.Idle || node(t, s, "gold.vessels_of_flag").Left().String() != "paused" {
		t.Errorf("%+v", s.Pipelines)
	}
}

// TestALateRowChangesTheShape only with the first: then its number becomes a button.
func TestALateRowChangesTheShape(t *testing.T) {
	w := newWatch(withPipelines)
	w.look()
	before := w.look().Shape()
	w.feed.PipelinesNow[0].Rows += 100
	if w.look().Shape() != before {
		t.Error("rows alone change the shape")
	}
	w.feed.PipelinesNow[0].Late = 1
	if w.look().Shape() == before {
		t.Error("the first late row changes nothing")
	}
}

func TestWithoutAPipelineThereIsTheStatementThatMakesOne(t *testing.T) {
	s := newWatch(uitest.Port).look()
	if want := "CREATE MATERIALIZED VIEW gold.calls_count AS SELECT 'calls' AS what, count(*) AS n FROM silver.calls GROUP BY 1"; s.FirstPipeline != want {
		t.Errorf("%q", s.FirstPipeline)
	}
	if got, want := home.FirstPipeline(s.Nodes, true), "CREATE MATERIALIZED VIEW gold.calls_by_status AS\nSELECT status, count(*) AS calls\nFROM silver.calls GROUP BY status"; got != want {
		t.Errorf("of the sample: %q", got)
	}
	if got := home.FirstPipeline(nil, true); !strings.Contains(got, "silver.orders") {
		t.Errorf("of a sample without tables: %q", got)
	}
	if s := newWatch(withPipelines).look(); s.FirstPipeline != "" {
		t.Errorf("%q beside those that run", s.FirstPipeline)
	}
}

func TestAPipelineThatIsMadeAnewIsCatchingUp(t *testing.T) {
	w := newWatch(uitest.Port)
	p := w.feed.AddPipeline("by_berth__12345678", "ALTER PIPELINE by_berth AS SELECT 1", w.clock.Now(), pipeline.Read{Topic: "port.main.calls", Mirror: table.Ident{Namespace: "silver", Name: "calls"}})
	p.Replaces = "another"
	if got := line(t, w.look(), p.Name); got.Word != "catching up" || got.Level != home.OK {
		t.Errorf("%+v", got)
	}
}

// TestDataWithAClockOfTheirOwn: the distance of old events to now tells nothing.
func TestDataWithAClockOfTheirOwn(t *testing.T) {
	w := newWatch(withPipelines)
	w.feed.PipelinesNow[0].Watermark = w.clock.Now().Add(-25 * time.Hour)
	if got := line(t, w.look(), w.feed.PipelinesNow[0].Name).BehindText().String(); got != "2026-06-30" {
		t.Errorf("%q", got)
	}
}

func TestASourcesOwnDeadLettersAreANote(t *testing.T) {
	w := newWatch(uitest.Port)
	w.feed.SourcesNow[0].Dead = 3
	s := w.look()
	if !slices.ContainsFunc(s.Problems, func(p home.Problem) bool {
		return p.Level == home.Note && p.Message.String() == "3 records of port could not be read and were set aside" && p.To == "/sources/port#dead"
	}) {
		t.Errorf("%+v", s.Problems)
	}
}

func TestManyPipelinesAreAllListed(t *testing.T) {
	w := newWatch(uitest.Port)
	for i := range 200 {
		w.feed.AddPipeline(fmt.Sprintf("p%d", i), "…", w.clock.Now(), pipeline.Read{Topic: "port.main.calls"})
	}
	if s := w.look(); len(s.Pipelines) != 200 {
		t.Errorf("%d", len(s.Pipelines))
	}
}
