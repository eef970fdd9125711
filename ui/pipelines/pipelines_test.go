package pipelines_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"tarn/stream/pipeline"
	"tarn/ui/home"
	"tarn/ui/pipelines"
	"tarn/ui/uitest"
	"tarn/ui/words"
)

func looked(f *uitest.Feed) pipelines.State {
	at := home.NewSampler().Sample(home.Input{Now: time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC), Topics: f.Topics(), Landings: f.Landings(), Pipelines: f.Pipelines()})
	return pipelines.Look(pipelines.Input{Home: at, Pipelines: f.Pipelines()})
}

func withPipelines() *uitest.Feed {
	now := time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC)
	f := uitest.Port(now)
	f.AddPipelines(now)
	return f
}

func TestLook(t *testing.T) {
	f := withPipelines()
	s := looked(f)
	if len(s.Pipelines) != 3 || s.Pipelines[0].Name != "gold.vessels_of_flag" {
		t.Fatalf("%+v", s.Pipelines)
	}
	p, ok := s.Pipeline("gold.moves_per_minute")
	if !ok || p.Holder != "port.main.moves/0" || p.Ticks != 300 || p.TickText().String() != "4\u202fms" || strings.Join(p.Topics, " ") != "port.main.moves" || p.Paused {
		t.Errorf("%+v", p)
	}
	values := s.Values(words.English)
	if values[p.Key+".held"] != "port.main.moves/0" || values[p.Key+".ticks"] != "300" {
		t.Errorf("%v", values)
	}
	if got := s.Find("VESSELS"); len(got) != 1 || got[0].Name != "gold.vessels_of_flag" {
		t.Errorf("%+v", got)
	}
	before := s.Shape()
	f.Step(10, time.Now())
	if looked(f).Shape() != before {
		t.Error("rows that move change the shape")
	}
	f.PipelinesNow[0].State = pipeline.Paused
	if looked(f).Shape() == before {
		t.Error("a pause does not change the shape")
	}
	if p, _ := looked(f).Pipeline("gold.by_berth"); !p.Paused {
		t.Error("it is not told to be paused")
	}
}

// at is the text that an answer's place leads to in the script, as a browser finds it.
func at(script string, place, n int) string {
	u := utf16.Encode([]rune(script))
	return string(utf16.Decode(u[place:min(len(u), place+n)]))
}

func TestAScriptIsTakenApart(t *testing.T) {
	s := looked(withPipelines())
	script := "-- é 🚢\nCREATE SOURCE bid (price BIGINT) WITH (connector = 'kafka', topic = 'bids');\n" +
		"INSERT INTO sums SELECT sum(price) AS s FROM bid; ALTER PIPELINE gold.by_berth AS SELECT 1 FROM silver.calls;\nALTER PIPELINE x REBUILD; SELECT 1; CREATE SOURCE y"
	list, fault := s.Read(script)
	if fault != nil || len(list) != 6 {
		t.Fatalf("%+v %v", list, fault)
	}
	if one := list[0]; one.Verb != "CREATE SOURCE" || one.Topic != "bids" || at(script, one.From, 13) != "CREATE SOURCE" || at(script, one.To, 1) != ";" {
		t.Errorf("%+v", one)
	}
	one := list[1]
	if one.Pipeline != "gold.sums" || one.Explain.SQL != "EXPLAIN INSERT INTO sums SELECT sum(price) AS s FROM bid" || one.Sample.SQL != "SELECT * FROM (SELECT sum(price) AS s FROM bid\n) LIMIT 20" {
		t.Errorf("%+v", one)
	}
	for _, a := range []*pipelines.Asked{one.Explain, one.Sample, list[2].Explain} {
		if where := strings.Index(a.SQL, "SELECT "+map[bool]string{true: "1", false: "sum"}[strings.Contains(a.SQL, "SELECT 1")]); !strings.HasPrefix(at(script, where+a.Shift, 8), a.SQL[where:where+8]) {
			t.Errorf("%q leads to %q", a.SQL[where:], at(script, where+a.Shift, 8))
		}
	}
	if one := list[2]; one.Pipeline != "gold.by_berth" || one.Explain.SQL != "EXPLAIN CREATE MATERIALIZED VIEW altered AS SELECT 1 FROM silver.calls" {
		t.Errorf("%+v", one)
	}
	if list[3].Verb != "ALTER PIPELINE" || list[3].Explain != nil || list[3].Fault != nil || list[4].Verb != "" {
		t.Errorf("%+v %+v", list[3], list[4])
	}
	if f := list[5].Fault; f == nil || f.Line != 4 || f.Message == "" {
		t.Errorf("%+v", list[5].Fault)
	}
	for depth, want := range map[int]bool{400: false, 501: true, 100_000: true} {
		list, _ := s.Read("CREATE MATERIALIZED VIEW v AS SELECT " + strings.Repeat("(", depth) + "1" + strings.Repeat(")", depth) + " AS x FROM y")
		if f := list[0].Fault; (f != nil) != want || want && (f.Code != "too_large" || f.Line != 1 || f.Column == 0) {
			t.Errorf("%d deep: %+v", depth, f)
		}
	}
	if _, fault := s.Read("SELECT 'open"); fault == nil || fault.Line != 1 {
		t.Errorf("%+v", fault)
	}
}

func TestAlteringKeepsHowWindowsEmit(t *testing.T) {
	f := withPipelines()
	f.PipelinesNow[0].Head, f.PipelinesNow[0].Statement = "INSERT INTO by_berth SELECT 1", "ALTER PIPELINE gold.by_berth AS SELECT 2 FROM silver.calls"
	list, _ := looked(f).Read("ALTER PIPELINE gold.by_berth AS SELECT 3 FROM silver.calls")
	if got := list[0].Explain.SQL; got != "EXPLAIN INSERT INTO altered SELECT 3 FROM silver.calls" {
		t.Errorf("%s", got)
	}
	if got := pipelines.Altered("gold.By Berth", "CREATE MATERIALIZED VIEW x AS\n  SELECT 1 FROM y"); got != "ALTER PIPELINE gold.\"By Berth\" AS\nSELECT 1 FROM y" {
		t.Errorf("%s", got)
	}
}
