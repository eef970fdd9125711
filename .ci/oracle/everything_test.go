//go:build duckdb_arrow

package oracle_test

import "testing"

// TestEverything holds aggregates without GROUP BY over nothing: over a log without records, and over rows that
// came and went again. Their table has one row, as the batch query has.
func TestEverything(t *testing.T) {
	r := newChance(1)
	empty, log := r.source("s0", "TIMESTAMP", false, 1), r.source("s1", "TIMESTAMP", true, 1)
	empty.Records = make([][]Rec, empty.Partitions)
	log.Partitions, log.Key = 1, []string{"id"}
	log.Declared = r.declared(log)
	key := `{"id":1}`
	came, went := `{"op":"c","after":{"id":1,"a":5,"b":7}}`, `{"op":"d","before":{"id":1},"after":null}`
	log.Records = [][]Rec{{
		{Stamp: 1, Key: &key, Value: &came, Cells: map[string]Cell{"id": {SQL: "1"}, "a": {SQL: "5"}, "b": {SQL: "7"}}},
		{Stamp: 2, Key: &key, Value: &went, Gone: true, Cells: map[string]Cell{"id": {SQL: "1"}}},
	}}
	w := &World{
		Sources: []*Source{empty, log}, Steps: []Step{{Source: 1, Count: 1, Pause: timeout}, {Source: 1, Count: 1}},
		Kills: []Kill{{Case: "p00", Pipeline: "gold.p00", Point: "pipeline.ticked", Nth: 1}, {Case: "p03", Pipeline: "gold.p03", Point: "pipeline.publishing", Nth: 1}},
	}
	for i, items := range [][]Item{{{"count(*)", "n"}}, {{"count(*)", "n"}, {"sum({a})", "s"}, {"max({b})", "m"}}, {{"median({a})", "m"}, {"count(DISTINCT {b})", "d"}}} {
		for source := range w.Sources {
			c := &Case{Name: []string{"p00", "p01", "p02", "p03", "p04", "p05"}[2*i+source], Kind: "everything", Legs: []Leg{{Source: source}}, Group: true, Items: items}
			c.Statement = "CREATE MATERIALIZED VIEW gold." + c.Name + " AS SELECT " + printed(items) + " FROM " + w.Sources[source].Name
			w.Cases = append(w.Cases, c)
		}
	}
	v := w.check(t.Context(), *flagKeep)
	if !v.ok() {
		t.Error(v)
	}
	for name, want := range v.Wants {
		if len(want.rows) != 1 {
			t.Errorf("%s: the batch query has %d rows", name, len(want.rows))
		}
	}
}

// TestTooMuch holds sums that their type cannot hold: the pipeline stops, and what its table has is as before.
func TestTooMuch(t *testing.T) {
	r := newChance(2)
	s := r.source("s0", "TIMESTAMP", false, 1)
	s.Partitions, s.Huge = 1, true
	value, cell := `{"m":6000000000000000000000000000000000.0001,"b":9223372036854775807}`, Cell{SQL: "'6000000000000000000000000000000000.0001'::DECIMAL(38,4)"}
	one := Rec{Stamp: 1, Value: &value, Cells: map[string]Cell{"m": cell, "b": {SQL: "9223372036854775807"}}}
	s.Records = [][]Rec{{one, one}}
	w := &World{Sources: []*Source{s}, Steps: []Step{{Count: 1, Pause: lull}, {Count: 1}}}
	for i, call := range []string{"sum({m})", "sum({b})", "avg({m})"} {
		c := &Case{Name: []string{"p00", "p01", "p02"}[i], Kind: "group", Legs: []Leg{{Source: 0}}, Group: true, Keys: []Item{{"{k}", "k"}}, Items: []Item{{call, "x"}}}
		c.print(r, w.Sources)
		w.Cases = append(w.Cases, c)
	}
	v := w.check(t.Context(), *flagKeep)
	if !v.ok() {
		t.Error(v)
	}
	for name, refused := range map[string]bool{"p00": true, "p01": false, "p02": false} {
		if want := v.Wants[name]; want == nil || (want.refused != "") != refused {
			t.Errorf("%s: the batch query is refused: %+v", name, want)
		}
	}
}
