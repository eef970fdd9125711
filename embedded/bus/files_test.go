package bus_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/bus"
)

// Of partition t/0 a file is damaged, and of the others none.
const (
	victimMessages = 10
	messageSize    = 1_000_000 // two files of the server's
)

func victimValue(n int) string {
	return fmt.Sprintf("victim-%d-", n) + strings.Repeat("x", messageSize)
}

// filled makes a folder with records in three partitions, closed in order or crashed.
func filled(t testing.TB, crashed bool) string {
	t.Helper()
	h := open(t, nil)
	top, err := h.bus.CreateTopic(t.Context(), "t", bus.TopicConfig{Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	u := h.partition("u", bus.TopicConfig{})
	for n := range victimMessages {
		h.append(top.Partitions()[0], batch(victimValue(n)))
		h.append(top.Partitions()[1], batch(fmt.Sprint("one-", n)))
		h.append(u, batch(fmt.Sprint("two-", n)))
	}
	if crashed {
		if err := h.bus.SaveEnds(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.crash()
	} else {
		h.close()
	}
	return h.dir
}

// filesOf lists the files and folders of a partition's stream.
func filesOf(t testing.TB, dir, stream string) []string {
	t.Helper()
	root := filepath.Join("bus/jetstream/TARN/streams", stream)
	var out []string
	err := filepath.WalkDir(filepath.Join(dir, root), func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		out = append(out, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mishaps of a file.
var spoilers = map[string]func(path string) error{
	"deleted": os.RemoveAll,
	"halved": func(path string) error {
		st, err := os.Stat(path)
		if err == nil {
			err = os.Truncate(path, st.Size()/2)
		}
		return err
	},
	"emptied": func(path string) error { return os.Truncate(path, 0) },
	"zeroed": func(path string) error {
		return edit(path, func(b []byte) { clear(b[len(b)/2 : min(len(b)/2+100, len(b))]) })
	},
	"flipped": func(path string) error { return edit(path, func(b []byte) { b[len(b)/2] ^= 1 }) },
	"flipped in front": func(path string) error {
		return edit(path, func(b []byte) { b[min(3, len(b)-1)] ^= 2 })
	},
}

func edit(path string, f func([]byte)) error {
	b, err := os.ReadFile(path)
	if err != nil || len(b) == 0 {
		return err
	}
	f(b)
	return os.WriteFile(path, b, 0o600)
}

// TestWhateverFileIsDamagedNothingGoesMissingInSilence: of each file of a partition, in each
// way. Every acknowledged record is read right or told to be lost, and the others go on.
func TestWhateverFileIsDamagedNothingGoesMissingInSilence(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		made := filled(t, crashed)
		for _, file := range filesOf(t, made, "t@0") {
			st, err := os.Stat(filepath.Join(made, file))
			if err != nil {
				t.Fatal(err)
			}
			for how, spoil := range spoilers {
				if st.IsDir() && how != "deleted" {
					continue
				}
				t.Run(fmt.Sprint(crashed, " ", strings.TrimPrefix(file, "bus/jetstream/TARN/streams/"), " ", how), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
						t.Fatal(err)
					}
					if err := spoil(filepath.Join(dir, file)); err != nil {
						t.Fatal(err)
					}
					h := &house{t: t, dir: dir, set: func(o *bus.Options) { o.CacheBytes = 0 }}
					t.Cleanup(h.close)
					for range 2 {
						h.open()
						h.told(t)
						h.close()
					}
				})
			}
		}
	}
}

// told holds a bus to what it must be after damage to t/0.
func (h *house) told(t *testing.T) {
	t.Helper()
	top, err := h.bus.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	for p, what := range map[*bus.Partition]string{top.Partitions()[1]: "one-", h.partition("u", bus.TopicConfig{}): "two-"} {
		var want []string
		for n := range victimMessages {
			want = append(want, fmt.Sprintf("%d:%s%d", n, what, n))
		}
		if got := h.read(p, 0, 1<<20); len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Fatalf("%s holds %v", what, got)
		}
		h.append(p, batch("more"))
	}
	p := top.Partitions()[0]
	missing := h.missing(t, p, victimMessages, victimValue)
	report := h.bus.Report()
	if len(missing) > 0 && (len(report) != 1 || report[0].Name != "bus:t/0" || report[0].Hint == "") {
		t.Fatalf("offsets %v are missing, report is %+v", missing, report)
	}
	if len(missing) == 0 && len(report) > 0 {
		t.Fatalf("nothing is missing, report is %+v", report)
	}
	if bus.Well(p) {
		if a := h.insist(p, batch("again")); a.Base < victimMessages {
			t.Fatalf("offset %d is given out again", a.Base)
		}
	}
}

// missing lists the offsets of [0, all) that are not there; each must be told to be lost.
func (h *house) missing(t *testing.T, p *bus.Partition, all int, value func(int) string) (missing []int64) {
	t.Helper()
	if !bus.Well(p) {
		r := p.Reader(0)
		defer r.Close()
		if _, err := r.Next(context.Background(), 1); err == nil {
			t.Fatal("a partition that is set aside is read")
		}
		return []int64{0}
	}
	start := p.LogStart()
	if start != 0 {
		t.Fatalf("the log begins at %d", start)
	}
	there := map[int64]bool{}
	if p.Stable() > 0 {
		for _, line := range h.read(p, 0, 1<<20) {
			offset, v, _ := strings.Cut(line, ":")
			var n int64
			if _, err := fmt.Sscan(offset, &n); err != nil {
				t.Fatal(err)
			}
			if n < int64(all) && v != value(int(n)) {
				t.Fatalf("offset %d holds %.20s", n, v)
			}
			there[n] = true
		}
	}
	for n := range int64(all) {
		if there[n] {
			continue
		}
		missing = append(missing, n)
		if first, after, lost := p.Lost(n); !lost || first > n || after <= n {
			t.Fatalf("offset %d is missing and not told", n)
		}
	}
	return missing
}
