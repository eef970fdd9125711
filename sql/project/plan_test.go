package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/sql/project"
)

// folder makes a project of one file of SQL.
func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sql"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sql", "a.sql"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func there() project.Facts {
	return project.Facts{
		Sources: map[string]string{"bids": "CREATE SOURCE bids (price BIGINT) WITH (topic = 'bids')"},
		Pipelines: map[string]project.PipelineFact{
			"gold.sums": {Name: "gold.sums", ID: "1", Into: "gold.sums", Statement: "CREATE MATERIALIZED VIEW sums AS SELECT sum(price) AS s FROM bids"},
			"gold.most": {Name: "gold.most", ID: "2", Into: "gold.most", Statement: "ALTER PIPELINE gold.most AS SELECT max(price) AS m FROM bids", Head: "CREATE MATERIALIZED VIEW most AS SELECT 1 AS m FROM bids"},
			"gold.slow": {Name: "gold.slow", ID: "3", Into: "gold.slow", Statement: "CREATE MATERIALIZED VIEW slow AS SELECT 1 AS m FROM bids"},
			"gold.slow__1": {
				Name: "gold.slow__1", ID: "4", Into: "gold.slow__1", Replaces: "3", Lag: 7,
				Statement: "ALTER PIPELINE gold.slow AS SELECT 2 AS m FROM bids", Head: "CREATE MATERIALIZED VIEW slow AS SELECT 1 AS m FROM bids",
			},
			"plain": {Name: "plain", ID: "5", Into: "gold.plain", Statement: "CREATE PIPELINE plain INTO gold.plain AS SELECT price FROM bids"},
		},
		Views:  map[string]string{"gold.v": "SELECT 1 AS one"},
		Tables: map[string]bool{"gold.sums": true, "gold.most": true, "gold.plain": true, "gold.lost": true},
	}
}

// TestPlan: what becomes of one statement where there is all that there() tells.
func TestPlan(t *testing.T) {
	for statement, want := range map[string]string{
		"CREATE SOURCE bids (price BIGINT) -- as it is\n WITH (topic = 'bids')":                   "unchanged source bids",
		"CREATE SOURCE bids (price DOUBLE) WITH (topic = 'bids')":                                 "error source bids: there is a source bids already, declared otherwise",
		"CREATE SOURCE IF NOT EXISTS bids (price DOUBLE) WITH (topic = 'bids')":                   "unchanged source bids",
		"CREATE SOURCE asks (price BIGINT) WITH (topic = 'asks')":                                 "create source asks",
		"CREATE MATERIALIZED VIEW gold.sums AS SELECT sum(price)  AS s FROM bids;":                "unchanged pipeline gold.sums",
		"CREATE MATERIALIZED VIEW sums AS SELECT 2 * sum(price) AS s FROM bids":                   "alter pipeline gold.sums",
		"CREATE MATERIALIZED VIEW sums (x) AS SELECT sum(price) AS s FROM bids":                   "error pipeline gold.sums: pipeline gold.sums is there with another form",
		"CREATE MATERIALIZED VIEW most AS SELECT max(price) AS m FROM bids":                       "unchanged pipeline gold.most",
		"CREATE MATERIALIZED VIEW most AS SELECT 1 AS m FROM bids":                                "alter pipeline gold.most",
		"ALTER PIPELINE most AS SELECT max(price) AS m FROM bids":                                 "unchanged pipeline gold.most",
		"ALTER PIPELINE most REBUILD":                                                             "run  ALTER PIPELINE",
		"CREATE MATERIALIZED VIEW slow AS SELECT 2 AS m FROM bids":                                "unchanged pipeline gold.slow",
		"CREATE MATERIALIZED VIEW slow AS SELECT 3 AS m FROM bids":                                "error pipeline gold.slow: pipeline gold.slow is being made anew with another statement",
		"ALTER PIPELINE plain AS SELECT 1 AS one FROM bids":                                       "alter pipeline plain",
		"INSERT INTO gold.plain SELECT price FROM bids":                                           "error pipeline gold.plain: pipeline plain fills gold.plain already",
		"CREATE MATERIALIZED VIEW lost AS SELECT 1 AS m FROM bids":                                "error pipeline gold.lost: there is a table gold.lost already",
		"CREATE VIEW gold.v AS SELECT 1 AS one":                                                   "unchanged view gold.v",
		"CREATE VIEW gold.v AS SELECT 2 AS one":                                                   "error view gold.v: there is a view gold.v already",
		"CREATE OR REPLACE VIEW gold.v AS SELECT 2 AS one":                                        "alter view gold.v",
		"CREATE VIEW gold.w AS SELECT 2 AS one":                                                   "create view gold.w",
		"DROP VIEW IF EXISTS gold.w":                                                              "unchanged view gold.w",
		"DROP PIPELINE plain":                                                                     "drop pipeline plain",
		"DROP MATERIALIZED VIEW sums; CREATE PIPELINE s INTO gold.sums AS SELECT price FROM bids": "drop pipeline gold.sums\ncreate pipeline s",
		"CREATE VIEW gold.w AS SELECT 1 AS a; CREATE VIEW gold.w AS SELECT 2 AS a":                "create view gold.w\nerror view gold.w: the view gold.w is declared twice: also at sql/a.sql:1:1",
		"CREATE SINK x": "error  : ",
	} {
		var got []string
		dir := folder(t, statement)
		for _, s := range project.Plan(dir, project.Files(dir), there(), nil) {
			line := s.Action + " " + s.Kind + " " + s.Name
			if s.Error != "" {
				line += ": " + s.Error
			}
			if s.Action != project.Leave {
				got = append(got, line)
			}
			if (s.SQL == "") == (s.Action == project.Create || s.Action == project.Alter || s.Action == project.Drop || s.Action == project.Run) {
				t.Errorf("%s: %s has the statement %q", statement, s.Action, s.SQL)
			}
		}
		if !strings.HasPrefix(strings.Join(got, "\n"), want) {
			t.Errorf("%s:\n%s\nwant\n%s", statement, strings.Join(got, "\n"), want)
		}
	}
}

// TestNothingIsDroppedThatWasNotTold: what the folder has not is left alone, but for what is named.
func TestNothingIsDroppedThatWasNotTold(t *testing.T) {
	dir := folder(t, "CREATE MATERIALIZED VIEW sums AS SELECT sum(price) AS s FROM bids")
	actions := func(drop ...string) (out []string) {
		for _, s := range project.Plan(dir, project.Files(dir), there(), drop) {
			out = append(out, s.Action+" "+s.Name)
		}
		return out
	}
	if got := strings.Join(actions(), ", "); got != "unchanged gold.sums, leave gold.v, leave gold.most, leave gold.slow, leave plain, leave bids" {
		t.Error(got)
	}
	if got := strings.Join(actions("GOLD.V", "plain"), ", "); got != "unchanged gold.sums, drop gold.v, leave gold.most, leave gold.slow, drop plain, leave bids" {
		t.Error(got)
	}
	if got := strings.Join(actions("gold.sums", "gold.none"), ", "); !strings.Contains(got, "error gold.sums") || !strings.HasSuffix(got, "error gold.none") {
		t.Error(got)
	}
}
