//go:build duckdb_arrow

// Package trino_test holds Tarn's Trino door against clients that know nothing of Tarn: the Python client with its
// SQLAlchemy dialect, the JDBC driver, and Trino's command line.
package trino_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/fault"
	"tarn/embedded/peertest"
	sampledata "tarn/sample-data"
)

// patience bounds a client's whole run: not a claim of speed, but the end of a hang.
const patience = 10 * time.Minute

// address is of the Trino door of a Tarn with the sample port at work.
var address string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tarn-trino-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	binary, err := proof.Build(ctx, dir)
	if err != nil {
		return failed(err)
	}
	data := filepath.Join(dir, "data")
	h := &proof.House{ // on the project that the sample brings
		Binary: binary, Data: data, Project: filepath.Join(data, "sample", sampledata.ProjectName), Log: filepath.Join(dir, "log"),
		Args: []string{"--listen", "auto", "--sample", "--sample-speed", "600"},
	}
	p, err := h.Up(ctx)
	if err != nil {
		return failed(err)
	}
	ports, err := h.Ports()
	if err == nil {
		err = filled(ctx, ports["http"])
	}
	address = ports["trino"]
	var code int
	if err != nil {
		code = failed(err)
	} else {
		code = m.Run()
	}
	if ended, err := p.Stop(time.Minute); ended != fault.ExitInterrupted || err != nil {
		code = failed(fmt.Errorf("tarn ended with %d: %w\n%s", ended, err, h.Tail()))
	}
	return code
}

func failed(err error) int {
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}

// filled waits until a silver table has rows.
func filled(ctx context.Context, at string) error {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at+"/api/sql", strings.NewReader("SELECT count(*) > 10 FROM silver.calls"))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || strings.Contains(string(body), "[[true]]") {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("silver.calls stays empty: %s", body)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func try(t *testing.T, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return exec.CommandContext(ctx, name, args...).CombinedOutput()
}

// command runs a client, whose output is shown if it fails.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	t.Logf("%s", out)
}

func TestPython(t *testing.T) {
	python := os.Getenv("TARN_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := try(t, python, "-c", "import trino, sqlalchemy"); err != nil {
		peertest.Missing(t, fmt.Sprintf("no trino in %s, set TARN_PYTHON: %s", python, out))
	}
	host, port, _ := strings.Cut(address, ":")
	command(t, python, filepath.Join("testdata", "clients.py"), host, port)
}

// jars are those that a pom.xml of testdata names.
func jars(t *testing.T, source string) string {
	t.Helper()
	for _, name := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(name); err != nil {
			peertest.Missing(t, name+" is missing: install openjdk-17-jdk-headless and maven")
		}
	}
	jars, err := proof.Jars(t.Context(), "mvn", filepath.Join(source, "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return jars
}

func TestJDBC(t *testing.T) {
	source := filepath.Join("testdata", "java")
	jars := jars(t, source)
	command(t, "java", "-cp", jars, filepath.Join(source, "Jdbc.java"), address)
}

// TestCLI asks by Trino's command line: what it prints, as which form it is asked for, and how it ends.
func TestCLI(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(jars(t, filepath.Join("testdata", "cli"))), "trino-cli-*.jar"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the command line is not there: %v, %v", found, err)
	}
	for name, c := range map[string]struct {
		form, text string
		want       []string
		fails      bool
	}{
		"show":     {"CSV", "SHOW CATALOGS; SHOW SCHEMAS FROM lake; SHOW TABLES FROM silver", []string{"\"lake\"\n\"system\"\n", "\"silver\"\n", "\"calls\"\n"}, false},
		"describe": {"CSV", "DESCRIBE system.sources; SHOW COLUMNS FROM system.sources LIKE 'name'", []string{"\"lag_ms\",\"bigint\",\"\",\"\"\n", "\"name\",\"varchar\",\"\",\"\"\n"}, false},
		"values": {
			"CSV_HEADER", "SELECT 1.50 d, true b, 7/2 q, ARRAY[1,2] l, MAP(ARRAY['k'], ARRAY[1]) m, TIMESTAMP '2026-01-02 03:04:05.123' t",
			[]string{`"d","b","q","l","m","t"`, `"1.50","true","3","[1, 2]","{k=1}","2026-01-02 03:04:05.123`},
			false,
		},
		"aligned": {"ALIGNED", "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) t(id, name) ORDER BY 1", []string{" id | name \n----+------\n  1 | a    \n  2 | NULL \n(2 rows)\n"}, false},
		"session": {
			"CSV_HEADER", "USE lake.silver; SELECT current_schema s; PREPARE p FROM SELECT ? + 1 n; EXECUTE p USING 2; DEALLOCATE PREPARE p; SHOW FUNCTIONS LIKE 'date_tr%'; EXPLAIN SELECT 1",
			[]string{"USE\n\"s\"\n\"silver\"\n", "\"n\"\n\"3\"\n", "DEALLOCATE", "\"date_trunc\"", "\"Query Plan\""},
			false,
		},
		"writes": {
			"CSV", "CREATE TABLE gold.cli AS SELECT 1 AS id; INSERT INTO gold.cli SELECT 2; SELECT sum(id) FROM gold.cli; CREATE VIEW gold.half AS SELECT 7/2 h; SHOW CREATE VIEW gold.half; DROP VIEW gold.half; DROP TABLE gold.cli",
			[]string{"CREATE TABLE: 1 row\n", "INSERT: 1 row\n", "\"3\"\n", "CREATE VIEW lake.gold.half SECURITY INVOKER AS\nSELECT 7/2 h\"\n", "DROP VIEW\nDROP TABLE\n"},
			false,
		},
		"error":   {"CSV", "SELECT nope FROM system.sources", []string{"failed: line 1:8: ", "nope"}, true},
		"no such": {"CSV", "SELECT * FROM gold.nope", []string{"line 1:15: "}, true},
		"syntax":  {"CSV", "SELEC 1", []string{"failed: line 1:1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := try(t, "java", "-jar", found[0], "--server", "http://"+address, "--catalog", "lake", "--schema", "gold", "--output-format", c.form, "--execute", c.text)
			if (err != nil) != c.fails {
				t.Errorf("%v\n%s", err, out)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%s is not in\n%s", want, out)
				}
			}
		})
	}
}
