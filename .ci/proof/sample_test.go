package proof_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	proof "tarn/.ci/proof"
	sampledata "tarn/sample-data"
)

// TestSample runs the sample's project while the port works with all its faults, and kills the program twice in the
// middle. At the end each layer has the numbers of the port's own book: every topic in bronze, every mirror, every
// pipeline's table, every view, what came late and what was none.
func TestSample(t *testing.T) {
	dir := t.TempDir()
	s := &sample{T: t, folder: filepath.Join(dir, "sample")}
	must(t, sampledata.Prepare(s.folder, sampledata.DefaultSeed))
	var err error
	s.truth, err = sampledata.NewTruth(sampledata.DefaultSeed)
	must(t, err)
	s.house = &proof.House{
		Binary: binary(t), Data: filepath.Join(dir, "data"), Project: filepath.Join(s.folder, sampledata.ProjectName), Log: filepath.Join(dir, "log"),
	}
	s.tarn, err = s.house.Up(t.Context())
	must(t, err)
	defer func() { s.tarn.Kill() }()
	s.until("bronze.", "silver.") // how many rows are read at first would else be a matter of time

	calm := sampledata.AllFaults[:4]
	s.work(1, calm) // the schema changes
	s.until("bronze.", "silver.")
	done := s.begin(700, calm)
	s.killAfter(200)
	s.killAfter(800)
	must(t, <-done)
	s.work(300, sampledata.AllFaults) // and the wind rises
	s.until("")
}

// sample is a port, its book, and a Tarn.
type sample struct {
	*testing.T
	folder string
	truth  *sampledata.Truth
	house  *proof.House
	tarn   *proof.Process
}

// begin lets the port work, beside Tarn.
func (s *sample) begin(steps int, faults sampledata.Faults) <-chan error {
	o := sampledata.Options{Steps: steps, Speed: 3000, Faults: faults, Truth: s.truth, Tarn: func() string {
		ports, err := s.house.Ports()
		if err != nil {
			return "" // it does not run
		}
		return "http://" + ports["http"]
	}}
	done := make(chan error, 1)
	go func() { done <- sampledata.Run(s.Context(), s.folder, o) }()
	return done
}

func (s *sample) work(steps int, faults sampledata.Faults) {
	s.Helper()
	must(s.T, <-s.begin(steps, faults))
}

// killAfter kills the program when bronze has that many readings, and starts it again. The port goes on.
func (s *sample) killAfter(readings int64) {
	s.Helper()
	err := proof.Until(s.patience(), func() (bool, error) {
		n, err := s.tarn.Numbers(s.Context(), "SELECT count(*) FROM bronze.sensors")
		if err == nil && n[0] >= readings {
			return true, nil
		}
		return false, fmt.Errorf("bronze.sensors has %v, want %d: %w", n, readings, err)
	})
	must(s.T, err)
	s.tarn.Kill()
	s.tarn, err = s.house.Up(s.Context())
	must(s.T, err)
}

func (s *sample) patience() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), proof.QuietWithin)
	s.Cleanup(cancel)
	return ctx
}

// until waits until what begins so is as the book has it.
func (s *sample) until(layers ...string) {
	s.Helper()
	figures := s.truth.Figures()
	err := proof.Until(s.patience(), func() (bool, error) {
		for len(figures) > 0 {
			one := figures[0]
			if slices.ContainsFunc(layers, func(l string) bool { return strings.HasPrefix(one.Name, l) }) {
				if why := s.differs(one); why != nil {
					return false, why
				}
			}
			figures = figures[1:]
		}
		return true, nil
	})
	if err != nil {
		s.Fatalf("%v\n%s", err, s.house.Tail())
	}
}

// differs tells how an answer differs from the right one.
func (s *sample) differs(f sampledata.Figure) error {
	a, err := s.tarn.SQL(s.Context(), f.Query)
	if err != nil {
		return err
	}
	var got []string
	for _, row := range a.Rows {
		for i, cell := range row {
			if n, ok := cell.(json.Number); ok {
				if row[i], err = n.Float64(); err != nil {
					return err
				}
			}
		}
		got = append(got, sampledata.Line(row...))
	}
	slices.Sort(got)
	if slices.Equal(got, f.Rows) {
		return nil
	}
	without := func(all, less []string) (out []string) {
		for _, row := range all {
			if !slices.Contains(less, row) && len(out) < 5 {
				out = append(out, row)
			}
		}
		return out
	}
	return fmt.Errorf("%s has %d rows, want %d; lacks %q, and has %q that is not in the book", f.Name, len(got), len(f.Rows), without(f.Rows, got), without(got, f.Rows))
}
