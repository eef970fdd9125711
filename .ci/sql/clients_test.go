//go:build duckdb_arrow

// Package sql_test holds Tarn's doors for statements against clients that know nothing of Tarn, and against each other.
package sql_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// patience bounds a client's whole run: not a claim of speed, but the end of a hang.
const patience = 10 * time.Minute

func TestMain(m *testing.M) { os.Exit(run(m)) }

// buildDir holds the program for the life of the test process.
var buildDir string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tarn-sql-")
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	buildDir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	return m.Run()
}

var build = sync.OnceValues(func() (string, error) { return proof.Build(context.Background(), buildDir) })

// tarn starts the program on a folder of its own, and returns the addresses of its doors.
func tarn(t *testing.T) map[string]string {
	t.Helper()
	ports, _ := lake(t)
	return ports
}

// lake is tarn with further variables, and where its data is.
func lake(t *testing.T, more ...string) (ports map[string]string, data string) {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	h, ports := proof.Alone(t, binary, more...)
	return ports, h.Data
}

// python runs a script of testdata with the wheels of .ci/run; without its module the test is skipped, or fails where peers are required.
func python(t *testing.T, module, script string, args ...string) {
	t.Helper()
	interpreter := os.Getenv("TARN_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, interpreter, "-c", "import "+module).CombinedOutput(); err != nil {
		peertest.Missing(t, module+" is missing: "+strings.TrimSpace(string(out)))
	}
	out, err := exec.CommandContext(ctx, interpreter, append([]string{filepath.Join("testdata", script)}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}
