//go:build duckdb_arrow

package sql_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tarn/embedded/peertest"
)

// dbt is a project of dbt's beside a Tarn, run by one of its adapters.
type dbt struct {
	program, folder, target string
	env                     []string
}

// newDBT finds the dbt that .ci/run installs, and gives it a folder with the profiles of testdata.
func newDBT(t *testing.T, target string, ports map[string]string) dbt {
	t.Helper()
	program := os.Getenv("TARN_TEST_DBT")
	if program == "" {
		program = "dbt"
	}
	program, err := exec.LookPath(program)
	if err != nil {
		peertest.Missing(t, "dbt is missing: set TARN_TEST_DBT, as .ci/run does")
	}
	d := dbt{program: program, folder: t.TempDir(), target: target}
	d.env = append(os.Environ(), "DBT_PROFILES_DIR="+d.folder, "DBT_SEND_ANONYMOUS_USAGE_STATS=false", "DO_NOT_TRACK=1")
	for _, door := range []string{"postgres", "trino"} {
		_, port, err := net.SplitHostPort(ports[door])
		if err != nil {
			t.Fatal(err)
		}
		d.env = append(d.env, "TARN_"+strings.ToUpper(door)+"="+port)
	}
	if err := os.CopyFS(d.folder, os.DirFS(filepath.Join("testdata", "dbt"))); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dbt) try(t *testing.T, project string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, d.program, append([]string{"--no-use-colors", "--no-version-check"}, args...)...)
	c.Dir, c.Env = filepath.Join(d.folder, project), d.env
	out, err := c.CombinedOutput()
	return string(out), err
}

// run is one of dbt's commands in a project, of which each node must be well.
func (d dbt) run(t *testing.T, project string, args ...string) {
	t.Helper()
	if out, err := d.try(t, project, append(args, "--target", d.target)...); err != nil {
		t.Fatalf("dbt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestDBT runs the project that dbt init writes, twice, with its tests and docs, at both doors. One of its rows is null on
// purpose, so one of its tests fails, and it alone.
func TestDBT(t *testing.T) {
	for _, door := range []string{"postgres", "trino"} {
		t.Run(door, func(t *testing.T) {
			ports := tarn(t)
			d := newDBT(t, door, ports)
			if out, err := d.try(t, "", "init", "starter", "--skip-profile-setup"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			project := filepath.Join(d.folder, "starter", "dbt_project.yml")
			text, err := os.ReadFile(project)
			if err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.Replace(string(text), "profile: 'starter'", "profile: 'tarn'", 1))
			if err := os.WriteFile(project, text, 0o600); err != nil {
				t.Fatal(err)
			}
			d.run(t, "starter", "run")
			d.run(t, "starter", "run") // the tables of which are put in the place of the first ones
			out, err := d.try(t, "starter", "test", "--target", door)
			if err == nil || !strings.Contains(out, "PASS=3 WARN=0 ERROR=1 SKIP=0") || !strings.Contains(out, "Failure in test not_null_my_first_dbt_model_id") {
				t.Errorf("dbt test: %v\n%s", err, out)
			}
			d.run(t, "starter", "docs", "generate")
			if catalog, err := os.ReadFile(filepath.Join(d.folder, "starter", "target", "catalog.json")); err != nil || !strings.Contains(string(catalog), `"model.starter.my_second_dbt_model"`) {
				t.Errorf("catalog.json: %v\n%s", err, catalog)
			}
			if got := overJSON(t, ports["http"], "SELECT * FROM gold.my_second_dbt_model"); got.String() != "[[1]]" {
				t.Errorf("the view holds %s", got)
			}
		})
	}
}

// TestDBTShop runs a project with what projects have beyond models that are made anew: seeds, incremental models of each strategy, one of
// which gets a column, snapshots, contracts, comments, and failures of tests that are kept. In its second round rows have changed. Both doors
// leave the same.
func TestDBTShop(t *testing.T) {
	for _, door := range []string{"postgres", "trino"} {
		t.Run(door, func(t *testing.T) {
			ports := tarn(t)
			d := newDBT(t, door, ports)
			d.run(t, "shop", "build", "--vars", "{round: 1}")
			d.run(t, "shop", "build", "--vars", "{round: 2}")
			for query, want := range map[string]string{
				"SELECT id || '=' || coalesce(amount::VARCHAR, 'null') FROM gold.orders ORDER BY id":         "1=12.50 2=7.25 3=100.00 4=null",
				"SELECT replace(note, '\"', '|') FROM gold.orders ORDER BY id":                               "it's the first null a, |b| Å 漢字",
				"SELECT id || '=' || amount FROM gold.appended ORDER BY ALL":                                 "1=12.50 2=7.25 3=100.00 5=1.50",
				"SELECT id || '=' || amount || coalesce(shout, '') FROM gold.swapped ORDER BY id":            "1=12.50 2=8.25BEA 3=100.00ADA 5=1.50EVE",
				"SELECT id || '=' || amount || coalesce(shout, '') FROM gold.merged ORDER BY id":             "1=12.50 2=8.25BEA 3=100.00ADA 5=1.50EVE",
				"SELECT id || '=' || amount FROM gold.swapped_by_two ORDER BY id":                            "1=12.50 2=8.25 3=100.00 5=1.50",
				"SELECT customer || '=' || amount || '/' || orders FROM gold.agreed ORDER BY 1":              "ada=100.00/1 bea=8.25/1 eve=1.50/1",
				"SELECT id || '=' || amount || (dbt_valid_to IS NULL) FROM gold.checked ORDER BY id, amount": "1=12.50false 2=7.25false 2=8.25true 3=100.00true 5=1.50true",
				"SELECT id || '=' || amount || (dbt_valid_to IS NULL) FROM gold.stamped ORDER BY id, amount": "1=12.50true 2=7.25false 2=8.25true 3=100.00true 5=1.50true",
				"SELECT value_field FROM gold_dbt_test__audit.accepted_values_merged_customer__ada__bea":     "eve",
			} {
				var cells []string
				for _, row := range overJSON(t, ports["http"], query).rows {
					cells = append(cells, strings.Trim(row[0], `"`))
				}
				if got := strings.Join(cells, " "); got != want {
					t.Errorf("%s: %s, want %s", query, got, want)
				}
			}
			pg, err := pgx.Connect(t.Context(), "postgres://me@"+ports["postgres"]+"/lake?sslmode=disable")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = pg.Close(context.WithoutCancel(t.Context())) }()
			var comments string
			want := "One row for each order; What comes from the shop; it's a view; What the shop's customers order; in euros; the order's number; the order's number"
			if err := pg.QueryRow(t.Context(), `SELECT string_agg(description, '; ' ORDER BY description) FROM pg_description`).Scan(&comments); err != nil || comments != want {
				t.Errorf("comments are %q, %v", comments, err)
			}
		})
	}
}
