package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
	"tarn/embedded/peertest"
)

// bytesRead is how many bytes this process has read, of files above all.
func bytesRead(t *testing.T) (n int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		peertest.Missing(t, "only Linux tells how much a process has read: "+err.Error())
	}
	if _, err := fmt.Fscanf(bytes.NewReader(text), "rchar: %d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAStartAfterACrashReadsTheEndOfTheLogAlone, however long the log is: neither Tarn nor the server reads what was there
// at the last checkpoint.
func TestAStartAfterACrashReadsTheEndOfTheLogAlone(t *testing.T) {
	const (
		longest = 160 // MiB
		most    = 40 << 20
	)
	h := open(t, nil)
	value := strings.Repeat("x", 1<<20-200)
	for _, length := range []int{longest / 2, longest} {
		p := h.partition("t", bus.TopicConfig{})
		for p.Next() < int64(length) {
			h.append(p, batch(value))
		}
		h.bus.Seal(t.Context())
		h.append(p, batch("a", "b"))
		h.crash()
		before := bytesRead(t)
		h.open()
		if read := bytesRead(t) - before; read > most {
			t.Errorf("with a log of %d MiB a start has read %d MiB, want %d at most", length, read>>20, most>>20)
		}
		p = h.partition("t", bus.TopicConfig{})
		if p.Next() != int64(length)+2 {
			t.Fatalf("the log ends at %d", p.Next())
		}
		r := p.Reader(0)
		for at := int64(0); at < p.Next(); {
			got, err := r.Next(context.Background(), 8<<20)
			if err != nil || got.Batches[0].Base() != at {
				t.Fatalf("read at %d: %+v, %v", at, got.Next, err)
			}
			at = got.Next
		}
		r.Close()
	}
}

// sealed are the keys of the files that are sealed.
func (h *house) sealed() (keys []string) {
	h.t.Helper()
	kept, err := h.meta.List(context.Background(), meta.Sealed)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range kept {
		keys = append(keys, e.Key)
	}
	return keys
}

// TestWhatIsKnownOfFilesGoesWithThem: those that are purged are forgotten, and those that come are kept.
func TestWhatIsKnownOfFilesGoesWithThem(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	value := strings.Repeat("x", 1<<20-200)
	fill := func(to int64) {
		for p.Next() < to {
			h.append(p, batch(value))
		}
		h.bus.Seal(t.Context())
	}
	fill(40)
	first := h.sealed()
	if err := p.Trim(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	fill(60)
	second := h.sealed()
	if len(first) < 3 || len(second) < 3 || first[0] == second[0] {
		t.Errorf("files %v were sealed, then %v", first, second)
	}
	h.crash()
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if p.Next() != 60 || p.LogStart() != 30 {
		t.Errorf("the log is %d to %d", p.LogStart(), p.Next())
	}
	fill(80)
	if third := h.sealed(); len(third) <= len(second) {
		t.Errorf("files %v were sealed, then %v", second, third)
	}
	if err := h.bus.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	h.restart()
	if left := h.sealed(); len(left) > 0 {
		t.Errorf("files %v of a topic that is gone are sealed", left)
	}
}

// TestDamageInAFileThatIsKnownIsToldWhenItIsRead: a start after a crash does not read it, as one after a clean stop does not.
func TestDamageInAFileThatIsKnownIsToldWhenItIsRead(t *testing.T) {
	h := open(t, func(o *bus.Options) { o.CacheBytes = 0 })
	p := h.partition("t", bus.TopicConfig{})
	value := func(n int64) string { return fmt.Sprintf("value-%02d-%s", n, strings.Repeat("x", 1<<20-200)) }
	const all, bad = 30, 3
	for p.Next() < all {
		h.append(p, batch(value(p.Next())))
	}
	h.bus.Seal(t.Context())
	h.crash()
	h.change("value-03", func(data []byte, at int) []byte { data[at+5000] ^= 1; return data })
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	got := h.read(p, 0, 1<<20)
	if len(got) != all-1 || !strings.HasPrefix(got[bad], "4:value-04") || !strings.HasPrefix(got[all-2], "29:value-29") {
		t.Errorf("%d records are read", len(got))
	}
	if first, after, lost := p.Lost(0); !lost || first != bad || after != bad+1 || len(h.bus.Report()) != 1 {
		t.Errorf("lost are %d to %d, %t: %+v", first, after, lost, h.bus.Report())
	}
}
