package sampledata_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	sampledata "tarn/sample-data"
)

func newTruth(t *testing.T) *sampledata.Truth {
	t.Helper()
	truth, err := sampledata.NewTruth(sampledata.DefaultSeed)
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

func youngTruth(t *testing.T) *sampledata.Truth {
	t.Helper()
	truth, err := sampledata.YoungTruth()
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

// figures are the answers by question.
func figures(truth *sampledata.Truth) map[string]string {
	out := map[string]string{}
	for _, f := range truth.Figures() {
		out[f.Name] = f.Query + "\n" + strings.Join(f.Rows, "\n")
	}
	return out
}

// TestEachFaultChangesAFigure: what a switch does can be seen, and what a run without it gives is the same each time.
func TestEachFaultChangesAFigure(t *testing.T) {
	const steps = 600
	healthy := youngTruth(t)
	healthy.Pass(steps, nil)
	want := figures(healthy)
	for fault, shows := range map[sampledata.Fault][]string{
		sampledata.LateReadings: {"system.late", "gold.crane_moves_per_minute"},
		sampledata.Duplicates:   {"bronze.sensors", "bronze.gate", "gold.gate_traffic", "gold.crane_moves_per_minute"},
		sampledata.PoisonRows:   {"system.dead_letter"},
		sampledata.SchemaChange: {"silver.containers", "bronze.port_main_containers"},
		sampledata.WindStop:     {"gold.wind", "gold.crane_moves_per_minute", "silver.moves"},
	} {
		t.Run(string(fault), func(t *testing.T) {
			truth := youngTruth(t)
			truth.Pass(steps, sampledata.Faults{fault})
			got := figures(truth)
			for _, name := range shows {
				if got[name] == want[name] {
					t.Errorf("%s is what it is without the fault", name)
				}
			}
		})
	}
	again := youngTruth(t)
	again.Pass(steps, nil)
	for name, text := range figures(again) {
		if text != want[name] {
			t.Errorf("%s differs from one run to the next", name)
		}
	}
}

// TestFiguresAreNotEmpty: an answer that is empty anyway proves little.
func TestFiguresAreNotEmpty(t *testing.T) {
	truth := newTruth(t)
	truth.Pass(400, sampledata.AllFaults[:4])
	truth.Pass(400, sampledata.AllFaults)
	for _, f := range truth.Figures() {
		if len(f.Rows) == 0 || f.Rows[0] == "0" {
			t.Errorf("%s has %v", f.Name, f.Rows)
		}
	}
}

// TestTheBookIsWhatTheSystemsHave holds the book against the database, the files and what was posted, with all faults on.
func TestTheBookIsWhatTheSystemsHave(t *testing.T) {
	dir, dbPath := prepare(t)
	var mu sync.Mutex
	requests, readings := 0, 0
	tarn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		post, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if requests++; requests%50 == 3 { // it is posted again
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		readings += strings.Count(string(post), `"read_at"`)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer tarn.Close()
	truth := newTruth(t)
	o := sampledata.Options{Steps: 250, Speed: 1e12, Faults: sampledata.AllFaults[:4], Truth: truth, Tarn: func() string { return tarn.URL }}
	for range 2 { // the wind rises later
		if err := sampledata.Run(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
		o.Faults = sampledata.AllFaults
	}
	db := openDB(t, escape(dbPath))
	lines, manifests := lines(t, dir, "gate", "access.log*"), lines(t, dir, "manifests", "*.csv")
	for _, f := range truth.Figures() {
		switch layer, name, _ := strings.Cut(f.Name, "."); {
		case layer == "silver":
			got := rows(t, db, strings.Replace(f.Query, "silver.", "", 1))
			slices.Sort(got)
			if !slices.Equal(got, f.Rows) {
				t.Errorf("%s: the database has %d rows, the book %d, or others", name, len(got), len(f.Rows))
			}
		case f.Name == "bronze.gate":
			if broken := strings.Count(lines, ": no answer\n"); fmt.Sprint(strings.Count(lines, "\n")-broken) != f.Rows[0] {
				t.Errorf("the log has %d lines, %d of them broken; the book %s", strings.Count(lines, "\n"), broken, f.Rows[0])
			}
		case f.Name == "bronze.manifests":
			if n := strings.Count(manifests, "\n") - strings.Count(manifests, "day,") - strings.Count(manifests, "heavy"); fmt.Sprint(n) != f.Rows[0] {
				t.Errorf("the manifests have %d rows, the book %s", n, f.Rows[0])
			}
		case f.Name == "bronze.sensors":
			if fmt.Sprint(readings) != f.Rows[0] {
				t.Errorf("%d readings were posted, the book has %s", readings, f.Rows[0])
			}
		}
	}
}

// lines are the lines of all files of a folder.
func lines(t *testing.T, dir, folder, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(glob.Replace(dir), folder, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(paths), err)
	}
	var out strings.Builder
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(content)
	}
	return out.String()
}

// glob is for a folder whose name has characters of patterns.
var glob = strings.NewReplacer("?", `\?`, "*", `\*`, "[", `\[`)

// TestSwitches: the file says what goes wrong, and a program may write it as well as a person.
func TestSwitches(t *testing.T) {
	dir, dbPath := prepare(t)
	for _, f := range sampledata.AllFaults {
		if err := sampledata.SwitchFault(dir, f, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := sampledata.SwitchFault(dir, sampledata.WindStop, false); err != nil {
		t.Fatal(err)
	}
	if err := sampledata.SwitchFault(dir, "fog", true); err == nil {
		t.Error("fog was switched on")
	}
	text, err := os.ReadFile(filepath.Join(dir, sampledata.FaultsName))
	if err != nil || !strings.HasSuffix(string(text), "late\nduplicates\npoison\nschema\n# wind\n") {
		t.Errorf("the file has %q, %v", text, err)
	}
	run(t, dir, 2)
	if n := number(t, openDB(t, escape(dbPath)), "SELECT count(*) FROM pragma_table_info('containers') WHERE name = 'seal'"); n != 1 {
		t.Error("the schema was not changed")
	}
}
