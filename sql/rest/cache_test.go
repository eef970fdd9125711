//go:build duckdb_arrow

package rest_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/sql/engine"
)

// changing decides as it is told last.
type changing struct {
	guard.Open
	decision atomic.Pointer[guard.Decision]
}

func (c *changing) Decide(guard.Principal, guard.Action, guard.Resource) guard.Decision {
	return *c.decision.Load()
}

// allowing allows all, until it is told otherwise.
func allowing() *changing {
	g := &changing{}
	g.decision.Store(&guard.Decision{Allow: true})
	return g
}

// TestNothingOldIsAnswered asks the same statements again and again while policies, schemas, files and views change.
func TestNothingOldIsAnswered(t *testing.T) {
	g := allowing()
	h := newHouse(t, g)
	id := table.Ident{Namespace: "silver", Name: "calls"}
	h.table(id, "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) t(id, berth)", column("id", record.Int), column("berth", record.String))
	const all, sum, view = "SELECT * FROM calls ORDER BY id", "WITH c AS (SELECT id FROM silver.calls) SELECT sum(id) FROM c", "SELECT * FROM gold.v ORDER BY 1"
	h.want("CREATE VIEW gold.v AS SELECT id FROM calls", "CREATE VIEW")
	for range 3 {
		h.want(all, "1,a", "2,b")
		h.want(sum, "3")
		h.want(view, "1", "2")
	}
	g.decision.Store(&guard.Decision{Allow: true, Filter: "id <> 1"})
	h.want(all, "2,b")
	h.want(sum, "2")
	h.want(view, "2")
	g.decision.Store(&guard.Decision{Allow: true, Masks: map[string]string{"id": "id * 100", "berth": "'x'"}})
	h.want(sum, "300")
	h.want(all, "100,x", "200,x")
	g.decision.Store(&guard.Decision{})
	for _, statement := range []string{all, sum, view} {
		h.refused(statement, "denied")
	}
	g.decision.Store(&guard.Decision{Allow: true})
	h.want(all, "1,a", "2,b")

	h.want("CREATE OR REPLACE VIEW gold.v AS SELECT id + 7 AS id FROM calls", "CREATE VIEW")
	h.want(view, "8", "9")
	h.want("DROP VIEW gold.v", "DROP VIEW")
	h.refused(view, "not_found")

	scan := h.shelf.tables[id]
	scan.Columns = []table.Column{{ID: 2, Name: "place", Type: record.String}, {ID: 1, Name: "id", Type: record.Long}, {ID: 3, Name: "new", Type: record.Double}}
	h.shelf.put(scan)
	h.want(all, "a,1,", "b,2,")
	h.want(sum, "3")
	more := scan.Files[0].Path + ".more.parquet"
	h.file(more, "SELECT 40 AS id, 'c' AS berth", []table.Column{{Name: "id"}, {Name: "berth"}})
	scan.Files = append([]catalog.File{{Path: more}}, scan.Files...)
	h.shelf.put(scan)
	h.want(all, "a,1,", "b,2,", "c,40,")
	h.want(sum, "43")
	five := catalog.Scan{Ident: id, TableID: "five", SnapshotID: 8, Columns: []table.Column{{ID: 1, Name: "id", Type: record.Int}}, Files: []catalog.File{{Path: scan.Files[1].Path + ".five.parquet"}}}
	h.file(five.Files[0].Path, "SELECT 5 AS id", five.Columns)
	h.shelf.put(five)
	h.want(all, "5")
	// A table before it in the order of schemas.
	h.shelf.drop(id)
	h.refused(all, "not_found")
	h.table(table.Ident{Namespace: "bronze", Name: "calls"}, "SELECT 6 AS id, 'x' AS w", column("id", record.Int), column("w", record.String))
	h.want(all, "6,x")
	h.shelf.put(five)
	h.want(all, "5")
}

// kind asks for the type of an expression in a dialect that goes by types: kind(x) is its name.
func (h *house) kind(expression string) string {
	h.t.Helper()
	if h.kinds == nil {
		h.kinds = &engine.Dialect{Words: &sqltext.Dialect{Typed: map[string]sqltext.Typed{"kind": {
			Probe: sqltext.As("coalesce($1, NULL)"),
			Says:  func(args []sqltext.Argument) (string, error) { return "'" + args[0].Type + "'", nil },
		}}}}
	}
	r, err := h.gate.Run(h.t.Context(), engine.Request{Text: "SELECT kind(" + expression, Dialect: h.kinds})
	if err != nil {
		h.t.Errorf("%s: %v", expression, err)
		return ""
	}
	defer r.Close()
	if !r.Reader.Next() {
		h.t.Errorf("%s: no row, %v", expression, r.Reader.Err())
		return ""
	}
	return strings.Clone(r.Reader.RecordBatch().Column(0).ValueStr(0)) // it ends with the Result
}

// TestTypesAreThoseOfNow asks the same again and again while what it goes by is of other types.
func TestTypesAreThoseOfNow(t *testing.T) {
	g := allowing()
	h := newHouse(t, g)
	id := table.Ident{Namespace: "silver", Name: "calls"}
	h.table(id, "SELECT 7 AS id, 'a' AS berth", column("id", record.Int), column("berth", record.String))
	want := func(expression, want string) {
		t.Helper()
		for range 2 {
			if got := h.kind(expression); got != want {
				t.Errorf("%s is %q, want %q", expression, got, want)
			}
		}
	}
	const ofTable, ofView, above = "id) FROM calls", "id) FROM gold.v", "id) FROM gold.w"
	h.want("CREATE VIEW gold.v AS SELECT id FROM calls", "CREATE VIEW")
	h.want("CREATE VIEW gold.w AS SELECT id FROM gold.v", "CREATE VIEW")
	for _, expression := range []string{ofTable, ofView, above} {
		want(expression, "INTEGER")
	}
	h.want("CREATE OR REPLACE VIEW gold.v AS SELECT id::DATE AS id FROM (SELECT '2026-01-02' AS id FROM calls)", "CREATE VIEW")
	want(ofView, "DATE")
	want(above, "DATE")
	h.want("CREATE OR REPLACE VIEW gold.v AS SELECT id FROM calls", "CREATE VIEW")
	want(above, "INTEGER")
	scan := h.shelf.tables[id]
	scan.Columns = []table.Column{{ID: 1, Name: "id", Type: record.Long}, {ID: 2, Name: "berth", Type: record.String}}
	h.shelf.put(scan)
	for _, expression := range []string{ofTable, ofView, above} {
		want(expression, "BIGINT")
	}
	g.decision.Store(&guard.Decision{Allow: true, Masks: map[string]string{"id": "id * 0.5::DOUBLE"}})
	want(ofTable, "DOUBLE")
	g.decision.Store(&guard.Decision{Allow: true, Masks: map[string]string{"id": "berth"}})
	want(ofTable, "VARCHAR")
	g.decision.Store(&guard.Decision{Allow: true})
	want(ofTable, "BIGINT")
}

// TestTypesOfHotFiles: what is asked of a file in memory for the first time goes by its types, too.
func TestTypesOfHotFiles(t *testing.T) {
	h := newHouse(t, guard.Open{})
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT * FROM (VALUES (1, 'a', 7), (2, 'b', NULL)) t(id, berth, n)", column("id", record.Int), column("berth", record.String), column("n", record.Int))
	h.hot("SELECT berth FROM calls WHERE id = 2", "b")
	before := h.measured("tarn_sql_hot_statements_total")
	for range 3 {
		if got := h.kind("n) FROM calls WHERE id = 1"); got != "INTEGER" {
			t.Errorf("it is %q", got)
		}
	}
	if h.measured("tarn_sql_hot_statements_total") == before {
		t.Error("no file was read from memory")
	}
}
