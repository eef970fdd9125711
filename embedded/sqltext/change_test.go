package sqltext_test

import (
	"testing"

	"tarn/embedded/sqltext"
)

// TestChangeCallsTable: a condition may call the table by schema and catalog, and what MERGE inserts is of the source.
func TestChangeCallsTable(t *testing.T) {
	c, err := sqltext.ParseChange(`MERGE INTO "lake".gold.t USING gold.s AS "S" ON lake.Gold.t.id = "S".id WHEN MATCHED AND x.lake.gold.t.a THEN UPDATE SET n = lake.gold.t.n + 'lake.gold.t.n' WHEN NOT MATCHED THEN INSERT VALUES (id, "n", NULL, n + 1, 'id')`)
	if err != nil {
		t.Fatal(err)
	}
	ofTable := func(name string) bool { return name == "id" || name == "n" }
	got := []string{c.On, c.Arms[0].And, c.Arms[0].Values[0]}
	for _, value := range append(c.Arms[1].Values, "n::n + f(n) + n(1) + t.n", "{n: n, 'a': id}", "CAST(n AS n)", "(SELECT n)", "other") {
		got = append(got, sqltext.Sourced(value, c.Source, ofTable))
	}
	for i, want := range []string{
		`t.id = "S".id`, "x.lake.gold.t.a", "t.n + 'lake.gold.t.n'", `"S".id`, `"S"."n"`, "NULL", `"S".n + 1`, "'id'",
		`"S".n::n + f("S".n) + n(1) + t.n`, `{n: "S".n, 'a': "S".id}`, `CAST("S".n AS n)`, "(SELECT n)", "other",
	} {
		if got[i] != want {
			t.Errorf("%q, want %q", got[i], want)
		}
	}
	for text, want := range map[string]string{"$$$$": "", "$a$it's$$ $a$": "it's$$ ", "'it''s $$'": "it's $$", "''": ""} {
		if all, err := sqltext.Lex(text); err != nil || len(all) != 1 || all[0].Value() != want {
			t.Errorf("%s means %v, %v, want %q", text, all, err, want)
		}
	}
	for from, want := range map[string]string{
		"s": "s.id", "a.b.s": "s.id", "s AS x": "x.id", "s x": "x.id", "(SELECT 1 AS id) x": "x.id", "(VALUES (1)) AS x(id)": "x.id", "f(1) x": "x.id",
		"(SELECT 1 AS id)": "id", "f(1)": "id", "s, u": "id",
	} {
		c, err := sqltext.ParseChange("MERGE INTO t USING " + from + " ON true WHEN NOT MATCHED THEN INSERT VALUES (id)")
		if got := sqltext.Sourced("id", c.Source, ofTable); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", from, got, err, want)
		}
	}
}
