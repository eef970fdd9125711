package bus_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
)

// crash leaves the folder as kill -9 would and goes on with it: the server has had no time
// to write its index.
func (h *house) crash() {
	h.t.Helper()
	dir := h.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
		h.t.Fatal(err)
	}
	h.close()
	h.dir = dir
}

// change rewrites the one file of the log that holds a value.
func (h *house) change(value string, f func(data []byte, at int) []byte) (path string) {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "bus/jetstream/TARN/streams/*/msgs/*.blk"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		if at := bytes.Index(data, []byte(value)); at >= 0 {
			if err := os.WriteFile(path, f(data, at), 0o600); err != nil {
				h.t.Fatal(err)
			}
			return path
		}
	}
	h.t.Fatalf("%s is in no file", value)
	return ""
}

// TestAnUncleanStopIsOneLineOfTheLog and no warning: the server reads anew what its index lacks.
func TestAnUncleanStopIsOneLineOfTheLog(t *testing.T) {
	var said bytes.Buffer
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, batch("a"))
	h.restart() // the index is written
	h.append(h.partition("t", bus.TopicConfig{}), batch("b"))
	h.crash()
	h.set = func(o *bus.Options) { o.Log = slog.New(slog.NewTextHandler(&said, nil)) }
	h.open()
	if got := h.read(h.partition("t", bus.TopicConfig{}), 0, 1<<20); len(got) != 2 {
		t.Errorf("read %q", got)
	}
	h.close()
	if got := said.String(); strings.Contains(got, "WARN") || strings.Count(got, "the log was checked after an unclean stop\" partitions=1") != 1 {
		t.Errorf("it says\n%s", got)
	}
}

// TestDamageCostsItsMessageAlone: after a crash the server reads its files anew, and cuts each
// off at what is damaged; what is whole behind it is kept all the same.
func TestDamageCostsItsMessageAlone(t *testing.T) {
	const all = 6
	value := func(n int) string { return fmt.Sprintf("value-%d", n) }
	subject := "log." // a record's prefix lies before its subject
	for name, spoil := range map[string]func(data []byte, at int) []byte{
		"a bit of the value": func(data []byte, at int) []byte { data[at] ^= 1; return data },
		"a bit of the length": func(data []byte, at int) []byte {
			data[bytes.LastIndex(data[:at], []byte(subject))-22] ^= 4
			return data
		},
		"the highest bits of the length": func(data []byte, at int) []byte {
			data[bytes.LastIndex(data[:at], []byte(subject))-19] ^= 0xff
			return data
		},
		"a bit of the sequence": func(data []byte, at int) []byte {
			data[bytes.LastIndex(data[:at], []byte(subject))-18] ^= 1
			return data
		},
		"100 bytes of zeros": func(data []byte, at int) []byte { clear(data[at-90 : at+10]); return data },
	} {
		for n := range all {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				h := open(t, func(o *bus.Options) { o.CacheBytes = 0 })
				p := h.partition("t", bus.TopicConfig{})
				for i := range all {
					h.append(p, batch(value(i)))
				}
				h.crash()
				h.change(value(n), spoil)
				h.open()
				p = h.partition("t", bus.TopicConfig{})
				got := h.read(p, 0, 1<<20)
				if strings.Contains(name, "length") && len(got) == all {
					return // the length alone was damaged, and is known again
				}
				if n == all-1 && strings.Contains(name, "highest") {
					return // not told from an append that was cut short
				}
				damaged(t, h, int64(n), all)
			})
		}
	}
}

// TestAMetaThatWasPutBackDoesNotMakeDamageOfWhatWasPurged: it knows a lower log start than the
// log has, which went on for long.
func TestAMetaThatWasPutBackDoesNotMakeDamageOfWhatWasPurged(t *testing.T) {
	for old, lag := range map[bool]time.Duration{true: time.Nanosecond, false: time.Hour} {
		h := open(t, func(o *bus.Options) { o.WithMetaLag(lag) })
		p := h.partition("t", bus.TopicConfig{})
		for i := range 4 {
			h.append(p, batch(fmt.Sprint(i)))
		}
		h.close()
		putBack := h.keepMeta()
		h.open()
		p = h.partition("t", bus.TopicConfig{})
		for i := range 4 {
			h.append(p, batch(fmt.Sprint(i)))
		}
		if err := p.Trim(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		h.close()
		putBack()
		h.open()
		p = h.partition("t", bus.TopicConfig{})
		if start, report := p.LogStart(), h.bus.Report(); old && (start != 3 || len(report) != 0) || !old && (start != 0 || len(report) != 1) {
			t.Fatalf("lag %s: the log starts at %d, report is %+v", lag, start, report)
		}
	}
}
