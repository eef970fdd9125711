package proof_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	proof "tarn/.ci/proof"
)

var (
	flagKills  = flag.Int("kills", 30, "how often TestKills kills")
	flagCuts   = flag.Int("cuts", 50, "how often TestPowerCuts cuts the power")
	flagFills  = flag.Int("fills", 3, "how often TestFullDisk fills each disk")
	flagMemory = flag.Int("memory", 60, "how large the source of TestMemory is, MB")
	flagSeed   = flag.Uint64("seed", 0, "repeats a run's chance; 0 takes a new one")
)

func TestMain(m *testing.M) {
	proof.BecomeWriter()
	flag.Parse()
	os.Exit(run(m))
}

// buildDir holds the program for the life of the test process.
var buildDir string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tarn-proof-")
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	buildDir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	return m.Run()
}

var (
	build      = sync.OnceValues(func() (string, error) { return proof.Build(context.Background(), buildDir) })
	buildHasty = sync.OnceValues(func() (string, error) { return proof.BuildHasty(context.Background(), buildDir) })
)

// binary is the program under proof.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program is the program under proof, or the one that is hasty about its files.
func program(t *testing.T, hasty bool) string {
	t.Helper()
	if !hasty {
		return binary(t)
	}
	path, err := buildHasty()
	must(t, err)
	return path
}

// must ends a test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
