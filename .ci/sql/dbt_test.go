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
