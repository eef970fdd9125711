package proof_test

import (
	"bufio"
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
	"testing"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// python is an interpreter that has PyIceberg: TARN_PYTHON, or python3.
func python(t *testing.T) string {
	t.Helper()
	path, missing := pyiceberg(t)
	if missing != "" {
		peertest.Missing(t, missing)
	}
	return path
}

// pyiceberg is the interpreter, and tells in one line why it will not do; "" where it does.
func pyiceberg(t *testing.T) (path, missing string) {
	t.Helper()
	path = os.Getenv("TARN_PYTHON")
	if path == "" {
		path = "python3"
	}
	if out, err := exec.CommandContext(t.Context(), path, "-c", "import pyarrow, pyiceberg, sqlalchemy").CombinedOutput(); err != nil {
		last := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		missing = fmt.Sprintf("no PyIceberg in %s (set TARN_PYTHON): %s", path, last[len(last)-1])
	}
	return path, missing
}

// foreign is one table as PyIceberg read it.
type foreign struct {
	Table, Snapshot string
	Rows, Format    int
	Columns         map[string]struct {
		Count int64
		Sum   string
	}
}

// TestPyIceberg reads every table with PyIceberg and with Tarn, at the same snapshot: while
// it is written, after appends, and after updates and deletes.
func TestPyIceberg(t *testing.T) {
	interpreter := python(t)
	dir := t.TempDir()
	s, err := proof.NewScene(t.Context(), binary(t), dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), "WAL")
	must(t, err)
	t.Cleanup(s.Abandon)
	p, err := s.House.Up(t.Context(), "TARN_LANDING_COMMIT_INTERVAL=200ms")
	must(t, err)
	defer p.Kill()
	must(t, s.Quiet(t.Context(), p, s.Database, -1))
	readAlike(t, s, p, interpreter, "first snapshot")
	must(t, s.Write())
	before := s.Listed()
	must(t, proof.Until(t.Context(), func() (bool, error) { return s.Listed() > before+300, nil }))
	readAlike(t, s, p, interpreter, "while it is written")
	must(t, s.Settle(t.Context(), p))
	must(t, s.StopWriting())
	readAlike(t, s, p, interpreter, "after updates and deletes")
}

func readAlike(t *testing.T, s *proof.Scene, p *proof.Process, interpreter, when string) {
	t.Helper()
	out := t.TempDir()
	lake := filepath.Join(s.House.Data, "lake")
	said, err := exec.CommandContext(t.Context(), interpreter, "testdata/read_lake.py", filepath.Join(lake, "catalog.db"), filepath.Join(lake, "warehouse"), out).Output()
	if err != nil {
		if e := new(exec.ExitError); errors.As(err, &e) {
			err = fmt.Errorf("%w\n%s", err, e.Stderr)
		}
		t.Fatalf("%s: PyIceberg: %v", when, err)
	}
	var names []string
	for in := bufio.NewScanner(bytes.NewReader(said)); in.Scan(); {
		var f foreign
		must(t, json.Unmarshal(in.Bytes(), &f))
		names = append(names, f.Table)
		if err := sameTable(t.Context(), p, f, filepath.Join(out, f.Table+".arrow")); err != nil {
			t.Errorf("%s: %s: %v", when, f.Table, err)
		}
	}
	for _, table := range s.Tables {
		if want := "bronze." + proof.Prefix + "_main_" + table.Name; !slices.Contains(names, want) {
			t.Errorf("%s: PyIceberg does not list %s: %v", when, want, names)
		}
		if want := "silver." + table.Name; table.Keyed() && !slices.Contains(names, want) {
			t.Errorf("%s: PyIceberg does not list %s: %v", when, want, names)
		}
	}
}

// sameTable compares every cell, and the counts and sums as either side works them out.
func sameTable(ctx context.Context, p *proof.Process, f foreign, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	theirs, err := proof.DigestStream(content)
	if err != nil {
		return fmt.Errorf("PyIceberg's rows: %w", err)
	}
	from := fmt.Sprintf(" FROM %s AT (VERSION => %s)", f.Table, f.Snapshot)
	ours, err := p.Digest(ctx, "SELECT *"+from)
	if err != nil {
		return err
	}
	if d := ours.Differ(theirs); d != "" {
		return fmt.Errorf("snapshot %s: %s", f.Snapshot, d)
	}
	picks, want := []string{"count(*)"}, []string{fmt.Sprint(f.Rows)}
	for name, c := range f.Columns {
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		picks, want = append(picks, "count("+quoted+")"), append(want, fmt.Sprint(c.Count))
		if c.Sum != "" {
			picks, want = append(picks, "coalesce(sum("+quoted+"::HUGEINT), 0)"), append(want, c.Sum)
		}
	}
	a, err := p.SQL(ctx, "SELECT "+strings.Join(picks, ", ")+from)
	if err != nil {
		return err
	}
	for i, v := range a.Rows[0] {
		if fmt.Sprint(v) != want[i] {
			return fmt.Errorf("snapshot %s: %s is %v, PyIceberg has %s", f.Snapshot, picks[i], v, want[i])
		}
	}
	return nil
}
