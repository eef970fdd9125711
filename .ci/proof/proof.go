// Package proof runs the real program as a process of its own, ends it in every way that
// a process can end, and holds what it has against what a database's own writers were
// promised: each acknowledged change once in bronze, silver equal to the database. It
// uses Tarn as any outsider does, by its command line, its files and its HTTP door, and
// imports none of its rooms.
package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The limits of one proof's waits, on a machine that is slow and busy. They bound a defect, they pace nothing.
const (
	ReadyWithin = 5 * time.Minute // from start to /ready, also after the worst kill
	QuietWithin = 6 * time.Minute // from the last change to tables that equal the database
	SQLWithin   = 6 * time.Minute // one statement, which Tarn itself gives five
	pollEvery   = 20 * time.Millisecond
)

// Build makes the program of the module that holds this package and returns its path;
// TARN_PROOF_BINARY names one that is there already.
func Build(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("TARN_PROOF_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	return build(ctx, filepath.Join(dir, "tarn"))
}

// BuildHasty makes the same program with one constant changed: files that nothing names go after
// a second and not after an hour, so that what a proof does falls into their removal too. Readers who take
// no lease are not safe from it. TARN_PROOF_HASTY names one that is there already.
func BuildHasty(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("TARN_PROOF_HASTY"); path != "" {
		return filepath.Abs(path)
	}
	return BuildChanged(ctx, dir, "hasty", Change{"lake/iceberg/sweep.go", "= time.Hour\n", "= time.Second\n"})
}

// Change is a text in a file of the module, which is there once, and what is to be in its place.
type Change struct{ File, From, To string }

// BuildChanged makes the program as name in dir, with some texts changed.
func BuildChanged(ctx context.Context, dir, name string, changes ...Change) (string, error) {
	pieces, err := changed(ctx, changes...)
	if err != nil {
		return "", err
	}
	return buildWith(ctx, dir, name, pieces...)
}

// piece is a file of the module and what is to be in its place.
type piece struct {
	path    string
	content []byte
}

// changed are the files of the module that changes are in.
func changed(ctx context.Context, changes ...Change) (pieces []piece, err error) {
	for _, c := range changes {
		path, err := inModule(ctx, c.File)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(pieces, func(p piece) bool { return p.path == path })
		if i < 0 {
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			i, pieces = len(pieces), append(pieces, piece{path, content})
		}
		if n := bytes.Count(pieces[i].content, []byte(c.From)); n != 1 {
			return nil, fmt.Errorf("%s has %q %d times, want once", c.File, c.From, n)
		}
		pieces[i].content = bytes.Replace(pieces[i].content, []byte(c.From), []byte(c.To), 1)
	}
	return pieces, nil
}

// inModule is the path of a file of the module.
func inModule(ctx context.Context, file string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "tarn").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), file), nil
}

// buildWith makes the program as name in dir, with pieces of its own.
func buildWith(ctx context.Context, dir, name string, pieces ...piece) (string, error) {
	instead := map[string]string{}
	for _, p := range pieces {
		instead[p.path] = filepath.Join(dir, name+"-"+filepath.Base(p.path))
		if err := os.WriteFile(instead[p.path], p.content, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": instead})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, name+".json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	return build(ctx, filepath.Join(dir, name), "-overlay", overlay)
}

func build(ctx context.Context, path string, flags ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-tags", "duckdb_arrow", "-o", path}, flags...), "tarn")...)
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
