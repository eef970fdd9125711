//go:build duckdb_arrow

// Package trino_test holds Tarn's Trino door against clients that know nothing of Tarn: the Python client with its
// SQLAlchemy dialect, and the JDBC driver. Trino's command line needs a JDK 24 and is left out.
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

func TestJDBC(t *testing.T) {
	for _, name := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(name); err != nil {
			peertest.Missing(t, name+" is missing: install openjdk-17-jdk-headless and maven")
		}
	}
	source := filepath.Join("testdata", "java")
	jars, err := proof.Jars(t.Context(), "mvn", filepath.Join(source, "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	command(t, "java", "-cp", jars, filepath.Join(source, "Jdbc.java"), address)
}
