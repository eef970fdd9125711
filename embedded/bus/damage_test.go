package bus_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/bus/bustest"
	"tarn/embedded/meta"
)

// TestADamagedMessageIsToldUntilTheLogStartPassesIt: the log goes on round it, with and
// without a checkpoint that knew it whole.
func TestADamagedMessageIsToldUntilTheLogStartPassesIt(t *testing.T) {
	values := []string{"value-0", "value-1", "value-2", "value-3", "value-4"}
	for n, value := range values {
		for _, checked := range []bool{true, false} {
			t.Run(fmt.Sprint(value, checked), func(t *testing.T) {
				h := open(t, func(o *bus.Options) { o.CacheBytes = 0 })
				p := h.partition("t", bus.TopicConfig{})
				for _, v := range values {
					h.append(p, batch(v))
				}
				h.close()
				if !checked {
					forget(t, h.dir, meta.Checks, "t/0")
				}
				bustest.Spoil(t, filepath.Join(h.dir, "bus"), value)
				h.open()
				damaged(t, h, int64(n), len(values))
			})
		}
	}
}

// damaged holds a log to what it must be around the damaged offset n of all.
func damaged(t *testing.T, h *house, n int64, all int) {
	t.Helper()
	p := h.partition("t", bus.TopicConfig{})
	if next := p.Next(); next < int64(all) {
		t.Fatalf("offset %d is given out again", next)
	}
	x := h.append(p, batch("x")).Base
	var after int64 // the next offset that is there
	for start := range 3 {
		var want, got []string
		for i := range int64(all) {
			if i != n {
				want = append(want, fmt.Sprintf("%d:value-%d", i, i))
			}
		}
		want = append(want, fmt.Sprint(x, ":x"))
		if got = h.read(p, 0, 1); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if after = n + 1; after == int64(all) {
			after = x
		}
		if a, b, lost := p.Lost(0); !lost || a != n || b != after {
			t.Fatalf("start %d: %d to %d are lost, %t", start, a, b, lost)
		}
		if _, _, lost := p.Lost(after); lost {
			t.Fatal("what is behind is there")
		}
		report := h.bus.Report()
		if len(report) != 1 || !strings.Contains(report[0].Error, fmt.Sprintf("offsets %d to %d", n, after-1)) {
			t.Fatalf("start %d: report is %+v", start, report)
		}
		h.restart()
		known, err := bus.LogStarts(t.Context(), h.meta, filepath.Join(h.dir, "bus"))
		if err != nil {
			t.Fatal(err)
		}
		if begin, holes, ok := known("t", 0); !ok || begin != 0 || !slices.Equal(holes, [][2]int64{{n, after}}) {
			t.Fatalf("start %d: the log is told to begin at %d, with the holes %v, %t", start, begin, holes, ok)
		}
		p = h.partition("t", bus.TopicConfig{})
	}
	if err := p.Trim(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := h.read(p, after, 1); len(got) != all-int(min(after, int64(all)))+1 {
			t.Fatalf("behind it are %v", got)
		}
		if _, _, lost := p.Lost(0); lost || len(h.bus.Report()) != 0 {
			t.Fatalf("the log begins behind it: %+v", h.bus.Report())
		}
		h.restart()
		p = h.partition("t", bus.TopicConfig{})
	}
}
