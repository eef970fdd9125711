package bus_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tarn/embedded/bus"
)

// copyRunning copies a folder file by file, but for those that go meanwhile.
func copyRunning(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		var data []byte
		switch {
		case err != nil:
		case e.IsDir():
			err = os.MkdirAll(target, 0o700)
		default:
			if data, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(target, data, 0o600)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestACopyOfARunningLogIsWholeOrSaysWhatItLacks: the folder is copied again and again, file
// by file, while records are appended, purged and kept track of. Of each copy every record
// that was acknowledged before it began is there, or told.
func TestACopyOfARunningLogIsWholeOrSaysWhatItLacks(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	value := func(n int) string { return fmt.Sprintf("%d-%030000d", n, n) }
	var acked atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if a, err := p.Append(context.Background(), batch(value(n))); err != nil || a.Base != int64(n) {
				t.Errorf("append %d: %+v, %v", n, a, err)
				return
			}
			acked.Store(int64(n + 1))
			if n%50 == 20 {
				if err := p.Trim(context.Background(), int64(n-20)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	defer func() { close(stop); running.Wait() }()
	for round := range 8 {
		waitFor(t, "appends", func() bool { return acked.Load() >= int64(100*(round+1)) || t.Failed() })
		if round%2 == 0 {
			if err := h.bus.SaveEnds(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else if err := h.bus.CheckAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		start, before := p.LogStart(), acked.Load()
		dir := t.TempDir()
		copyRunning(t, h.dir, dir)
		c := &house{t: t, dir: dir}
		c.open()
		q := c.partition("t", bus.TopicConfig{})
		got := c.read(q, q.LogStart(), 1<<20)
		report := c.bus.Report()
		lacks := 0
		for n := max(start, q.LogStart()); n < before; n++ {
			if slices.Contains(got, fmt.Sprintf("%d:%s", n, value(int(n)))) {
				continue
			}
			lacks++
			if _, _, lost := q.Lost(n); !lost || len(report) == 0 {
				t.Fatalf("offset %d of %d is missing and not told: %+v", n, before, report)
			}
		}
		t.Logf("round %d: %d to %d were acknowledged, the copy begins at %d and lacks %d, report %+v", round, start, before, q.LogStart(), lacks, report)
		c.close()
	}
}
