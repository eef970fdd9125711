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
