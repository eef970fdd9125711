//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake"
	"tarn/lake/table"
	"tarn/stream/command"
	"tarn/stream/pipeline"
)

// stand is a log, a lake and pipelines over them, all real.
type stand struct {
	*testing.T
	meta *meta.Store
	bus  *bus.Bus
	lake *lake.Lake
	dir  string
	part *command.Pipelines
	halt func()
}

func newStand(t *testing.T) *stand {
	t.Helper()
	h := &stand{T: t, dir: t.TempDir()}
	ctx, log := context.WithoutCancel(t.Context()), slog.New(slog.DiscardHandler)
	var err error
	h.meta, err = meta.Open(ctx, filepath.Join(h.dir, "meta.db"))
	h.must(err)
	t.Cleanup(func() { _ = h.meta.Close() })
	h.bus, err = bus.Open(ctx, bus.Options{
		Dir: filepath.Join(h.dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 8 << 20,
		Meta: h.meta, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	h.must(err)
	t.Cleanup(func() { _ = h.bus.Close(ctx) })
	h.lake, err = lake.Open(ctx, lake.Options{
		Dir: filepath.Join(h.dir, "lake"), Disk: disk.Local, Clock: life.SystemClock{}, Log: log, MemoryBytes: 256 << 20, Threads: 1,
	})
	h.must(err)
	t.Cleanup(func() { _ = h.lake.Close() })
	h.must(os.MkdirAll(filepath.Join(h.dir, "state"), 0o700))
	h.topic()
	h.start()
	t.Cleanup(func() { h.halt() })
	return h
}

func (h *stand) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// start runs the pipelines until halt.
func (h *stand) start() {
	h.Helper()
	h.part = command.New(command.Options{
		Bus: h.bus, Meta: h.meta, Schemas: schemas.New(h.meta), Tables: h.lake.Tables(), Guard: guard.Open{}, Dir: filepath.Join(h.dir, "state"),
		CommitInterval: 50 * time.Millisecond, MemoryBytes: 256 << 20, Pulse: 50 * time.Millisecond, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- h.part.Run(ctx, func() { close(ready) }) }()
	h.halt = func() {
		cancel()
		if err := <-ended; err != nil {
			h.Error(err)
		}
		h.halt = func() {}
	}
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		h.halt = func() {}
		h.Fatal(err)
	}
}

func (h *stand) say(statement string) {
	h.Helper()
	for _, c := range h.part.Commands() {
		for _, verb := range c.Verbs {
			if strings.HasPrefix(statement, verb) {
				_, err := c.Run(h.Context(), guard.Principal{User: "tarn"}, statement)
				h.must(err)
				return
			}
		}
	}
	h.must(errors.New("no command takes " + statement))
}

// topic makes the topic t.
func (h *stand) topic() {
	h.Helper()
	_, err := h.bus.CreateTopic(h.Context(), "t", bus.TopicConfig{Partitions: 1, Retention: -1, RetentionBytes: -1})
	h.must(err)
}

// append appends rows {k, v}, the k from 0 on.
func (h *stand) append(n int) {
	h.Helper()
	t, err := h.bus.Topic("t")
	h.must(err)
	var list []record.Record
	for i := range n {
		list = append(list, record.Record{Timestamp: 1, Value: fmt.Appendf(nil, `{"k":%d,"v":1}`, i%3)})
	}
	_, err = t.Partitions()[0].Append(h.Context(), record.Encode(list))
	h.must(err)
}

// until waits for a pipeline to be as it is asked.
func (h *stand) until(name string, is func(pipeline.Status) bool) pipeline.Status {
	h.Helper()
	var last pipeline.Status
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, s := range h.part.Statuses() {
			if s.Name != name {
				continue
			}
			if last = s; is(s) {
				return s
			}
		}
	}
	h.Fatalf("%s is %+v", name, last)
	return last
}

// rows waits until a table has so many rows.
func (h *stand) rows(name string, want int64) {
	h.Helper()
	var n int64
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if n = h.count(name); n == want {
			return
		}
	}
	h.Fatalf("gold.%s has %d rows, want %d: %+v", name, n, want, h.part.Statuses())
}

func (h *stand) count(name string) int64 {
	h.Helper()
	t, err := h.lake.Tables().Open(h.Context(), table.Ident{Namespace: "gold", Name: name})
	if errors.Is(err, table.ErrNotFound) {
		return -1
	}
	h.must(err)
	var n int64
	_, _, err = t.Read(h.Context(), []string{"k"}, func(b arrow.RecordBatch) error { n += b.NumRows(); return nil })
	h.must(err)
	return n
}

func failed(s pipeline.Status) bool { return s.State == pipeline.Failed }

// TestATopicIsMadeAgainBeneathPipelines: one that read the topic before fails, keeps its table as it is and says what to do; done, it
// goes on with the new one. Whether it was paused meanwhile, or Tarn was down.
func TestATopicIsMadeAgainBeneathPipelines(t *testing.T) {
	for name, away := range map[string]func(h *stand) (back func()){
		"paused": func(h *stand) func() {
			h.say("PAUSE PIPELINE grouped")
			return func() { h.say("RESUME PIPELINE grouped") }
		},
		"down": func(h *stand) func() { h.halt(); return h.start },
	} {
		t.Run(name, func(t *testing.T) {
			h := newStand(t)
			h.say("CREATE SOURCE s (k BIGINT, v BIGINT) WITH (connector = 'kafka', topic = 't')")
			h.say("CREATE MATERIALIZED VIEW grouped AS SELECT k, sum(v) AS n FROM s GROUP BY k")
			h.append(30)
			h.rows("grouped", 3)
			back := away(h)
			h.must(h.bus.DeleteTopic(h.Context(), "t"))
			h.topic()
			h.append(2)
			back()
			s := h.until("gold.grouped", failed)
			if !strings.Contains(s.Error, "topic t was deleted and made again") || !strings.Contains(s.Hint, "ALTER PIPELINE gold.grouped REBUILD") {
				t.Errorf("it says %q, and %q", s.Error, s.Hint)
			}
			if n := h.count("grouped"); n != 3 {
				t.Errorf("its table has %d rows, want the 3 of before", n)
			}
			h.say("ALTER PIPELINE gold.grouped REBUILD")
			h.rows("grouped", 2)
		})
	}
}

// TestATableIsDroppedBeneathAPipeline: one with state notices at its next start, fails and says what to do; done, its table
// is made of the whole log.
func TestATableIsDroppedBeneathAPipeline(t *testing.T) {
	h := newStand(t)
	h.say("CREATE SOURCE s (k BIGINT, v BIGINT) WITH (connector = 'kafka', topic = 't')")
	h.say("CREATE MATERIALIZED VIEW grouped AS SELECT k, sum(v) AS n FROM s GROUP BY k")
	h.append(2)
	h.rows("grouped", 2)
	h.append(30)
	h.rows("grouped", 3)
	owner := h.until("gold.grouped", func(s pipeline.Status) bool { return s.State == pipeline.Running }).ID
	h.halt()
	h.must(h.lake.Tables().Drop(h.Context(), table.Ident{Namespace: "gold", Name: "grouped"}, owner))
	h.start()
	s := h.until("gold.grouped", failed)
	if !strings.Contains(s.Error, "was dropped or put back") || !strings.Contains(s.Hint, "ALTER PIPELINE gold.grouped REBUILD") {
		t.Errorf("it says %q, and %q", s.Error, s.Hint)
	}
	h.say("ALTER PIPELINE gold.grouped REBUILD")
	h.rows("grouped", 3)
}
