// Package proof runs the real program as a process of its own, ends it in every way that
// a process can end, and holds what it has against what a database's own writers were
// promised: each acknowledged change once in bronze, silver equal to the database. It
// uses Tarn as any outsider does, by its command line, its files and its HTTP door, and
// imports none of its rooms.
package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The limits of one proof's waits. They bound a defect, they pace nothing.
const (
	ReadyWithin = 60 * time.Second // from start to /ready, also after the worst kill
	QuietWithin = 90 * time.Second // from the last change to tables that equal the database
	SQLWithin   = 60 * time.Second // one statement
	pollEvery   = 20 * time.Millisecond
)

// Build makes the program of the module that holds this package and returns its path;
// TARN_PROOF_BINARY names one that is there already.
func Build(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("TARN_PROOF_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "tarn")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "duckdb_arrow", "-o", path, "tarn")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tarn: %w\n%s", err, out)
	}
	return path, nil
}

// Until calls look until it tells that it is done, and returns what kept it when ctx ends.
func Until(ctx context.Context, look func() (done bool, why error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error // of a look that the end of ctx did not spoil
	for {
		done, why := look()
		if done {
			return why
		}
		if ctx.Err() == nil || last == nil {
			last = why
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}
