package nexmark_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	nexmark "tarn/.ci/nexmark"
	"tarn/embedded/bus"
	"tarn/embedded/datadir"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
)

// The log has of a partition what its file has, also when it was filled in two goes.
func TestLogHasWhatTheFilesHave(t *testing.T) {
	const n = 5000
	dir := t.TempDir()
	files, data := filepath.Join(dir, "files"), filepath.Join(dir, "data")
	if err := nexmark.WriteFiles(files, n, 42); err != nil {
		t.Fatal(err)
	}
	for _, run := range []struct {
		events    int
		seed      int64
		land      bool
		wantAdded int64
		wantFault string
	}{
		{events: 1234, seed: 42, wantAdded: 1234},
		{events: n, seed: 42, wantAdded: n - 1234},
		{events: n, seed: 42},
		{events: n, seed: 43, wantFault: "other records"},
		{events: n - 1000, seed: 42, wantFault: "other records"},
		{events: n, seed: 42, land: true, wantFault: "LAND=false"},
	} {
		filled, err := nexmark.Fill{Data: data, Events: run.events, Seed: run.seed, Land: run.land}.Run(t.Context())
		if run.wantFault != "" {
			if err == nil || !strings.Contains(err.Error(), run.wantFault) || fault.HintOf(err) == "" {
				t.Errorf("%+v: %v", run, err)
			}
			continue
		}
		var added int64
		for _, f := range filled {
			added += f.Added
		}
		if err != nil || added != run.wantAdded {
			t.Fatalf("%+v: added %d: %v", run, added, err)
		}
	}
	log := open(t, data)
	for _, name := range nexmark.Topics {
		topic, err := log.Topic(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range topic.Partitions() {
			want, err := os.ReadFile(filepath.Join(files, name, fmt.Sprintf("p%d.json", p.Number())))
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(t, p); !bytes.Equal(got, want) {
				t.Errorf("partition %d of %s: %d bytes, want %d", p.Number(), name, len(got), len(want))
			}
		}
	}
	if _, err := (nexmark.Fill{Data: data, Events: n, Seed: 42}).Run(t.Context()); fault.CodeOf(err) != fault.Locked {
		t.Errorf("a folder in use: %v", err)
	}
}

func open(t *testing.T, data string) *bus.Bus {
	t.Helper()
	dir, err := datadir.Open(data, disk.Local)
	if err != nil {
		t.Fatal(err)
	}
	m, err := meta.Open(t.Context(), dir.Path("meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := bus.Open(t.Context(), bus.Options{Dir: dir.Path("bus"), Meta: m, Clock: life.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = log.Close(t.Context()), m.Close(), dir.Close() })
	return log
}

func lines(t *testing.T, p *bus.Partition) (out []byte) {
	t.Helper()
	r := p.Reader(0)
	defer r.Close()
	for next := int64(0); next < p.Next(); {
		fetched, err := r.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetched.Batches {
			records, err := b.Records()
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range records {
				out = append(append(out, rec.Value...), '\n')
			}
		}
		next = fetched.Next
	}
	return out
}
