//go:build duckdb_arrow

package pipelines_test

import (
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// TestAReplacedTableLosesNoRows: what is acknowledged while a table is made anew of its own rows is in the new one, or that is refused.
func TestAReplacedTableLosesNoRows(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.x AS SELECT 1 AS n")
	const replace = "CREATE OR REPLACE TABLE gold.x AS SELECT n FROM gold.x WHERE (SELECT count(*) FROM range(300000000) r(i) WHERE i % 7 = n) > 0"
	ended := make(chan error, 1)
	go func() {
		_, err := s.run(replace)
		ended <- err
	}()
	s.until("SELECT count(*) FROM system.queries WHERE state = 'running' AND statement LIKE 'CREATE OR REPLACE%'", "1")
	s.exec("INSERT INTO gold.x VALUES (777)")
	err := <-ended
	if got := s.one("SELECT count(*) FROM gold.x WHERE n = 777"); got != "1" && err == nil || err != nil && fault.CodeOf(err) != fault.Conflict {
		t.Errorf("%s: %v, and of the row that came meanwhile there are %s", replace, err, got)
	}
}

// TestWhatIsNotDroppedIsWhole: views stay where the table that they read does.
func TestWhatIsNotDroppedIsWhole(t *testing.T) {
	s := newSite(t)
	s.topic("t", 1)
	s.exec("CREATE SOURCE s (k BIGINT) WITH (connector = 'kafka', topic = 't')", "CREATE MATERIALIZED VIEW m AS SELECT k FROM s")
	s.put("t", 0, `{"k":1}`)
	s.until("SELECT count(*) FROM m", "1")
	s.exec(
		"CREATE VIEW gold.v AS SELECT * FROM m", "CREATE SCHEMA own", "CREATE TABLE own.t AS SELECT 1 AS n", "CREATE VIEW own.v AS SELECT n FROM own.t", "CREATE VIEW gold.w AS SELECT n FROM own.t",
	)
	s.refusedAs(map[string]fault.Code{"DROP TABLE m CASCADE": fault.Denied, "DROP SCHEMA own CASCADE": fault.Invalid})
	s.exec("SELECT * FROM gold.v", "SELECT * FROM own.v", "SELECT * FROM gold.w", "DROP TABLE own.t CASCADE", "SELECT * FROM gold.v")
	for _, gone := range []string{"own.v", "gold.w"} {
		if _, err := s.run("SELECT * FROM " + gone); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%s: %v", gone, err)
		}
	}
}

// TestRowsInBulkMeanTheTableThatStatementsMean: a temporary table comes before the lake's.
func TestRowsInBulkMeanTheTableThatStatementsMean(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.a (id BIGINT)")
	r := engine.Request{Text: "CREATE TEMP TABLE a AS SELECT 1 AS id", Principal: guard.Principal{User: "tarn"}, Session: s.gate.Session()}
	defer r.Session.Close()
	made, err := s.gate.Run(s.ctx, r)
	s.must(err)
	made.Close()
	for name, typ := range map[string]string{"": "INTEGER", "gold": "BIGINT"} {
		if a, err := s.gate.Appender(s.ctx, r, sqltext.Table{Schema: name, Name: "a"}, nil); err != nil || a.Columns[0].Type != typ {
			t.Errorf("rows for %q.a: %v, %v", name, a, err)
		}
	}
}
