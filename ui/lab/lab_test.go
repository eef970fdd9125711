package lab_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/stream/pipeline"
	"tarn/ui/lab"
	"tarn/ui/uitest"
)

var started = time.Date(2026, 7, 1, 12, 4, 30, 0, time.UTC)

// port is the sample's house.
func port() lab.Input {
	f := uitest.Port(started)
	return lab.Input{
		Sources: f.Sources(), Landings: f.Landings(), Database: "/srv/tarn-data/sample/port.db", Process: 4711, Started: started,
		Faults: map[string]bool{"late": false, "poison": true},
	}
}

// shop is a project that is not the sample.
func shop() lab.Input {
	f := &uitest.Feed{}
	f.AddTopic("tarn.ticks", "ticks", "", 9, started)
	f.AddTopic("gate's", "gate_s", "", 40, started)
	f.AddTopic("shop.main.Order", "shop_main_order", "order", 12, started)
	f.LandingsNow[0].Silver.Namespace, f.LandingsNow[0].Silver.Name, f.LandingsNow[1].Silver.Namespace = "", "", ""
	return lab.Input{Sources: uitest.Port(started).Sources(), Landings: f.Landings(), Started: started}
}

func step(t *testing.T, s lab.State, id string) lab.Step {
	t.Helper()
	one, ok := s.Step(id)
	if !ok {
		t.Fatalf("no step %s", id)
	}
	return one
}

// answers answers each statement by what it holds; what is not there is not found.
func answers(by map[string]lab.Rows) lab.Ask {
	return func(_ context.Context, statement string) (lab.Rows, error) {
		for part, rows := range by {
			if strings.Contains(statement, part) {
				return rows, nil
			}
		}
		return nil, fault.New(fault.NotFound, "there is no such table", "see SHOW TABLES")
	}
}

// TestTheTourIsReadmes: titles and the sample's statements are those of README, so that both are one text.
func TestTheTourIsReadmes(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	readme := words(strings.ReplaceAll(string(content), "tarn-data/sample/port.db", "/srv/tarn-data/sample/port.db"))
	s := lab.Look(port())
	if len(s.Steps) != 9 {
		t.Fatalf("%d steps", len(s.Steps))
	}
	at := 0
	for _, one := range s.Steps {
		title := "**" + one.Title.String()
		next := strings.Index(readme[at:], title)
		if next < 0 {
			t.Errorf("README does not say %q, or not in this order", title)
			continue
		}
		at += next
		for _, act := range one.Do {
			if act.Kind != lab.Shell || one.ID == "silver" {
				if !strings.Contains(readme[at:], words(act.Text)) {
					t.Errorf("step %s: README does not have %q", one.ID, words(act.Text))
				}
			}
		}
	}
}

func TestTheSubjectIsTheFirstThatSuits(t *testing.T) {
	empty := lab.Look(lab.Input{})
	named, wrong, posted := shop(), shop(), shop()
	named.Topic, wrong.Topic = "bronze.gate_s", "nothing"
	posted.Landings, posted.Columns = posted.Landings[:2], []lab.Column{{Name: "at", Type: "BLOB"}, {Name: "plate", Type: "VARCHAR"}}
	piped := shop()
	piped.Pipelines = []pipeline.Status{{Definition: pipeline.Definition{Name: "gold.mine", Into: piped.Landings[2].Silver, Reads: []pipeline.Read{{Topic: "shop.main.Order"}}}}}
	for name, c := range map[string]struct {
		got  lab.State
		want lab.Subject
	}{
		"the sample's":           {lab.Look(port()), lab.Subject{Source: "port", Topic: "port.main.calls", Bronze: "bronze.port_main_calls", Silver: "silver.calls", Pipeline: "gold.calls_by_berth", Gold: "gold.calls_by_berth"}},
		"a mirror before others": {lab.Look(shop()), lab.Subject{Topic: "shop.main.Order", Bronze: "bronze.shop_main_order", Silver: "silver.order", Pipeline: "gold.lab_order", Gold: "gold.lab_order"}},
		"the reader's":           {lab.Look(named), lab.Subject{Topic: "gate's", Bronze: "bronze.gate_s", Pipeline: "gold.lab_gate_s", Gold: "gold.lab_gate_s"}},
		"none of that name":      {lab.Look(wrong), lab.Subject{Pipeline: "gold.lab_first", Gold: "gold.lab_first"}},
		"a pipeline that is":     {lab.Look(piped), lab.Subject{Topic: "shop.main.Order", Bronze: "bronze.shop_main_order", Silver: "silver.order", Pipeline: "gold.mine", Gold: "silver.order"}},
		"none":                   {empty, lab.Subject{Pipeline: "gold.lab_first", Gold: "gold.lab_first"}},
	} {
		if c.got.Subject != c.want {
			t.Errorf("%s: %+v", name, c.got.Subject)
		}
	}
	if lab.Look(wrong).Missing != "nothing" || len(lab.Look(shop()).Choices) != 2 {
		t.Errorf("%+v", lab.Look(wrong))
	}
	var made []string
	for _, act := range step(t, lab.Look(posted), "pipeline").Do {
		made = append(made, act.Text)
	}
	if want := []string{
		"CREATE SOURCE lab_gate_s (plate VARCHAR)\nWITH (connector = 'kafka', topic = 'gate''s', format = 'json')",
		"CREATE MATERIALIZED VIEW gold.lab_gate_s AS\nSELECT plate, count(*) AS n FROM lab_gate_s GROUP BY plate",
	}; !slices.Equal(made, want) {
		t.Errorf("%q", made)
	}
	if _, err := step(t, empty, "past").Check(t.Context(), answers(nil)); err != nil || len(step(t, empty, "bronze").Asks) != 0 {
		t.Errorf("an empty house is asked of its tables: %v", err)
	}
	if got, err := step(t, lab.Look(wrong), "topic").Check(t.Context(), answers(nil)); err != nil || got.Text.String() != "There is no topic or table nothing here." || step(t, lab.Look(wrong), "topic").Do[0].Text != "SHOW TABLES" {
		t.Errorf("a name of nothing: %q %v", got.Text, err)
	}
}

func TestEachCheckSaysWhatItFinds(t *testing.T) {
	log := "system.topics"
	for name, c := range map[string]struct {
		in   lab.Input
		step string
		by   map[string]lab.Rows
		done bool
		text string
		next string
	}{
		"source":          {port(), "source", map[string]lab.Rows{"WHERE name = 'port'": {{"port", "streaming", "4211", "", ""}}}, true, "port streams; it has read 4\u202f211 changes since this Tarn started.", ""},
		"source failing":  {port(), "source", map[string]lab.Rows{"sources": {{"port", "retrying", "0", "open port.db: database is locked", "close the program that holds it"}}}, false, "Source port is retrying: open port.db: database is locked", "close the program that holds it"},
		"no source":       {lab.Input{}, "source", map[string]lab.Rows{"sources": {}}, false, "There is no source.", "Add one on the page Sources, post a record, or start tarn up --sample."},
		"posted":          {shop(), "source", map[string]lab.Rows{"sources": {}, log: {{"12", "12"}}}, true, "shop.main.Order needs no source: programs post to it. It has 12 records.", ""},
		"topic":           {port(), "topic", map[string]lab.Rows{log: {{"12", "40"}}}, true, "The log has 12 records of port.main.calls; the next offset is 40.", ""},
		"topic empty":     {port(), "topic", map[string]lab.Rows{log: {{"", ""}}}, false, "port.main.calls has nothing yet.", "Change a row in its source, or post a record, and check again."},
		"bronze":          {port(), "bronze", map[string]lab.Rows{"FROM bronze.port_main_calls": {{"12", "39"}}}, true, "bronze.port_main_calls has 12 rows; the newest is of offset 39.", ""},
		"bronze not yet":  {port(), "bronze", nil, false, "bronze.port_main_calls has nothing yet.", "A record lands within a second or two: check again."},
		"silver":          {shop(), "silver", map[string]lab.Rows{"FROM silver.\"order\"": {{"12"}}, "FROM silver.order": {{"12"}}, "FROM bronze.shop_main_order": {{"1"}}}, true, "silver.order has 12 rows and 1 change or deletion in it.", ""},
		"silver as was":   {port(), "silver", map[string]lab.Rows{"FROM silver.ports": {{"8"}}, "FROM bronze.port_main_ports": {{"0"}}}, false, "silver.ports has 8 rows and no change of one has come yet.", "Change or delete a row in the source, and check again."},
		"pipeline":        {port(), "pipeline", map[string]lab.Rows{"'gold.calls_by_berth'": {{"gold.calls_by_berth", "running", "1", "3", "", ""}}}, true, "gold.calls_by_berth runs; it has read 1 row, and 3 wait.", ""},
		"pipeline failed": {port(), "pipeline", map[string]lab.Rows{"pipelines": {{"gold.calls_by_berth", "failed", "1", "3", "no room", "free some"}}}, false, "Pipeline gold.calls_by_berth is failed: no room", "free some"},
		"no pipeline":     {shop(), "pipeline", map[string]lab.Rows{"pipelines": {}}, false, "There is no pipeline gold.lab_order yet.", "Run the statement that makes it."},
		"gold":            {port(), "gold", map[string]lab.Rows{"FROM gold.calls_by_berth": {{"12"}}}, true, "gold.calls_by_berth has 12 rows.", ""},
		"no gold":         {port(), "gold", nil, false, "There is no table gold.calls_by_berth yet.", "Its pipeline makes it with its first commit: see the step before."},
		"past":            {port(), "past", map[string]lab.Rows{"AT (TIMESTAMP": {{"46", "44"}}}, true, "silver.calls has 46 rows now, and had 44 ten seconds ago.", ""},
		"no past":         {port(), "past", nil, false, "silver.calls has no snapshot that is ten seconds old.", "Check again in a while."},
		"faults":          {port(), "fault", map[string]lab.Rows{"system.dead_letter": {{"3"}}}, true, "system.late has 0 rows, system.dead_letter 3 rows.", ""},
		"no faults yet":   {port(), "fault", nil, false, "system.late has 0 rows, system.dead_letter 0 rows.", "A fault is on: the port meets it within a minute. Check again."},
		"nothing posted":  {port(), "kill", map[string]lab.Rows{log: {{""}}}, false, "Nothing was posted to the topic lab yet.", "Post the record first, then kill this Tarn."},
		"not killed":      {port(), "kill", map[string]lab.Rows{log: {{"2"}}, "FROM bronze.lab": {{"2", "2", "0"}}}, false, "bronze.lab has 2 rows, each once, all of them posted since this Tarn started.", "Now kill this Tarn, and start it again."},
		"landing":         {port(), "kill", map[string]lab.Rows{log: {{"2"}}, "FROM bronze.lab": {{"1", "1", "1"}}}, false, "The log has 2 records, bronze.lab has 1 of them so far.", "Check again in a second."},
		"double":          {port(), "kill", map[string]lab.Rows{log: {{"2"}}, "FROM bronze.lab": {{"3", "2", "2"}}}, false, "bronze.lab has 3 rows of 2 offsets: some are double, which must not be.", "Keep the data folder, and tell us."},
		"kept":            {port(), "kill", map[string]lab.Rows{log: {{"2"}}, "FROM bronze.lab": {{"2", "2", "1"}}}, true, "2 records were acknowledged, 1 before this start, and bronze.lab has each once: nothing lost, nothing double.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := step(t, lab.Look(c.in), c.step).Check(t.Context(), answers(c.by))
			if err != nil || got.Done != c.done || got.Text.String() != c.text || got.Next.String() != c.next {
				t.Errorf("%v %q %q %v", got.Done, got.Text, got.Next, err)
			}
		})
	}
	broken := func(context.Context, string) (lab.Rows, error) {
		return nil, fault.New(fault.Timeout, "it took too long", "")
	}
	if _, err := step(t, lab.Look(port()), "bronze").Check(t.Context(), broken); fault.CodeOf(err) != fault.Timeout {
		t.Errorf("a fault is %v", err)
	}
}
