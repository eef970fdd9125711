package proof_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/meta"
)

const exitFindings = 5

// warehouse finds what matches in a table's folder, the last written last.
func warehouse(t *testing.T, s *proof.Scene, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.House.Data, "lake", "warehouse", pattern))
	must(t, err)
	if len(found) == 0 {
		t.Fatalf("nothing is %s", pattern)
	}
	slices.SortStableFunc(found, func(a, b string) int {
		x, err := os.Stat(a)
		must(t, err)
		y, err := os.Stat(b)
		must(t, err)
		return x.ModTime().Compare(y.ModTime())
	})
	return found
}

// newestData is the last data file of a table.
func newestData(t *testing.T, s *proof.Scene, table string) string {
	t.Helper()
	files := slices.DeleteFunc(warehouse(t, s, table+"/data/*.parquet"), func(p string) bool { return strings.HasSuffix(p, "-deletes.parquet") })
	return files[len(files)-1]
}

// repaired runs `tarn repair` and holds its exit code and what it says against what is wanted.
func repaired(t *testing.T, s *proof.Scene, code int, args []string, says ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.House.Binary, append([]string{"repair", "--data", s.House.Data}, args...)...)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("tarn repair %s ends with %d, want %d\n%s", args, got, code, out)
	}
	for _, want := range says {
		if !strings.Contains(string(out), want) {
			t.Fatalf("tarn repair %s does not say %q\n%s", args, want, out)
		}
	}
}

func cut(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()/2))
}

// TestRepair damages a stopped Tarn and mends it. Meanwhile its source goes on, and in the end
// all is as if nothing had been.
func TestRepair(t *testing.T) {
	t.Parallel() // it waits more than it works
	s, p := good(t, "WAL")
	goesOn(t, s, p)
	stop := func() {
		t.Helper()
		_, err := p.Stop(stopWithin)
		must(t, err)
	}
	stop()
	repaired(t, s, exitOK, nil, "all is whole")
	repaired(t, s, exitOK, []string{"--deep"}, "all is whole")
	catalog := filepath.Join(s.House.Data, "lake", "catalog.db")
	yesterday, err := os.ReadFile(catalog)
	must(t, err)
	p = up(t, s.House)
	goesOn(t, s, p)

	start := func(sub *testing.T) *proof.Process { // for the next part to find it up
		sub.Helper()
		p, err := s.House.Up(sub.Context())
		must(sub, err)
		t.Cleanup(p.Kill)
		return p
	}
	var end int64 // of the log of mess
	generations, err := p.SQL(t.Context(), "SELECT max(_generation) FROM bronze.src_main_mess")
	must(t, err)
	generation := fmt.Sprint(generations.Rows) // of mess, until it is read anew
	for _, c := range []struct {
		name   string
		harm   func()
		says   []string
		starts bool // Tarn starts on the damage
		shows  string
	}{
		{"silver's newest file", func() { cut(t, newestData(t, s, "silver/ints")) }, []string{"silver.ints", "goes back to"}, true, "silver.ints"},
		{"bronze's newest file", func() { must(t, os.Remove(newestData(t, s, "bronze/src_main_texts"))) }, []string{"bronze.src_main_texts", "are landed again from the log"}, true, "bronze.src_main_texts"},
		{"metadata", func() {
			files := warehouse(t, s, "silver/pairs/metadata/*.metadata.json")
			cut(t, files[len(files)-1])
		}, []string{"silver.pairs", "goes on from"}, true, "silver.pairs"},
		{"an older catalog", func() {
			must(t, os.RemoveAll(catalog+"-wal"))
			must(t, os.RemoveAll(catalog+"-shm"))
			must(t, os.WriteFile(catalog, yesterday, 0o600))
		}, []string{"silver.ints", "goes on from"}, true, "silver.ints"},
		{"a spoilt catalog", func() { cut(t, catalog) }, []string{"catalog.db", "makes it anew"}, false, ""},
		{"silver's newest file, behind a log that is gone", func() {
			cut(t, newestData(t, s, "silver/mess"))
			forgetLog(t, s, "src.main.mess", end)
		}, []string{"silver.mess", "rebuilds the mirror from bronze"}, true, "silver.mess"},
		{"silver's and bronze's newest files, behind a log that is gone", func() {
			cut(t, newestData(t, s, "silver/mess"))
			cut(t, newestData(t, s, "bronze/src_main_mess"))
			forgetLog(t, s, "src.main.mess", end)
		}, []string{"silver.mess", "takes a new snapshot", "cannot be rebuilt from bronze"}, true, "silver.mess"},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(t, s.Settle(t.Context(), p)) // else records may come behind the end that is asked for
			ends, err := p.Numbers(t.Context(), "SELECT next_offset FROM system.topics WHERE name = 'src.main.mess'")
			must(t, err)
			end = ends[0]
			_, err = p.Stop(stopWithin)
			must(t, err)
			c.harm()
			if c.starts {
				p = start(t)
				_, err := p.SQL(t.Context(), "SELECT * FROM "+c.shows+" LIMIT 1000000")
				if r := new(proof.Refusal); !errors.As(err, &r) || r.Code != "damaged" || !strings.Contains(r.Hint, "tarn repair") {
					t.Fatalf("%s answers %v", c.shows, err)
				}
				tells(t, p, "table:"+c.shows, "tarn repair")
				must(t, s.Write())
				before := s.Listed()
				must(t, proof.Until(t.Context(), func() (bool, error) { return s.Listed() > before+50, nil }))
				must(t, s.StopWriting())
				if p.Ended() {
					t.Fatalf("tarn ended by itself on the damage\n%s", s.House.Tail())
				}
				repaired(t, s, exitLocked, nil, "another Tarn")
				_, err = p.Stop(stopWithin)
				must(t, err)
			} else {
				refused(t, s.House, exitFailed, "tarn repair")
			}
			repaired(t, s, exitFindings, nil, c.says...)
			repaired(t, s, exitOK, []string{"--yes"}, append(c.says, "done: ")...)
			repaired(t, s, exitOK, []string{"--deep"}, "all is whole")
			if strings.Contains(c.says[1], "from bronze") {
				diesAt(t, s, "landing.rebuilt:1")
			}
			p = start(t)
			if strings.Contains(c.says[1], "new snapshot") {
				wants(t, p, "SELECT count(*) FROM silver.mess WHERE _generation < (SELECT max(_generation) FROM silver.mess)", "[[0]]")
				sameRows(t, s, p, "mess")
				return
			}
			goesOn(t, s, p)
			wants(t, p, "SELECT max(_generation) FROM bronze.src_main_mess", generation)
		})
	}
}

// diesAt starts a Tarn that kills itself at a point.
func diesAt(t *testing.T, s *proof.Scene, point string) {
	t.Helper()
	p, err := s.House.Start("TARN_CRASH=" + point)
	must(t, err)
	defer p.Kill()
	select {
	case <-p.Done():
		if !p.Killed() {
			t.Fatalf("tarn ended by itself on the way to %s\n%s", point, s.House.Tail())
		}
	case <-time.After(pointWithin):
		t.Fatalf("tarn did not come to %s\n%s", point, s.House.Tail())
	}
}

// forgetLog makes the log of a topic begin at its end, as retention does.
func forgetLog(t *testing.T, s *proof.Scene, topic string, end int64) {
	t.Helper()
	m, err := meta.Open(t.Context(), filepath.Join(s.House.Data, "meta.db"))
	must(t, err)
	text, err := json.Marshal(map[string]int64{"offset": end, "next": end})
	must(t, err)
	must(t, m.Put(t.Context(), meta.Entry{Bucket: meta.LogStarts, Key: topic + "/0", Value: text}))
	must(t, m.Close())
}

// sameRows waits until a mirror equals its table.
func sameRows(t *testing.T, s *proof.Scene, p *proof.Process, name string) {
	t.Helper()
	db, err := proof.OpenSource(s.Database, "")
	must(t, err)
	defer func() { _ = db.Close() }()
	i := slices.IndexFunc(s.Tables, func(one *proof.Table) bool { return one.Name == name })
	must(t, proof.Until(t.Context(), func() (bool, error) {
		want, err := proof.DatabaseRows(t.Context(), db, s.Tables[i])
		if err != nil {
			return true, err
		}
		got, err := p.SilverRows(t.Context(), s.Tables[i])
		if err != nil {
			return false, err
		}
		found := proof.CheckSilver(s.Tables[i], want, got)
		if len(found) > 0 {
			return false, errors.New(strings.Join(found, "\n"))
		}
		return true, nil
	}))
}
