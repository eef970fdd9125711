package landing_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/bus/bustest"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
)

// house is a rig whose bus can be closed and opened again.
type house struct {
	*rig
	dir  string
	meta *meta.Store
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{rig: &rig{ctx: context.WithoutCancel(t.Context()), lake: newLake(), every: 1}, dir: t.TempDir()}
	h.open(t)
	t.Cleanup(func() { h.close(t) })
	return h
}

func (h *house) open(t testing.TB) {
	t.Helper()
	var err error
	if h.meta, err = meta.Open(h.ctx, filepath.Join(h.dir, "meta.db")); err != nil {
		t.Fatal(err)
	}
	h.schemas = schemas.New(h.meta)
	h.bus, err = bus.Open(h.ctx, bus.Options{Dir: filepath.Join(h.dir, "bus"), Meta: h.meta, Clock: life.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) close(t testing.TB) {
	t.Helper()
	h.halt()
	if err := errors.Join(h.bus.Close(h.ctx), h.meta.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestAHoleInTheLogStopsItsTablesBeforeIt: what comes before the damaged message lands,
// what comes behind it does not, now and after each start, until a person acts.
func TestAHoleInTheLogStopsItsTablesBeforeIt(t *testing.T) {
	const all, bad = 8, 5
	for _, landed := range []int{0, 2} { // how many rows the tables hold when the damage comes
		t.Run(fmt.Sprint(landed), func(t *testing.T) {
			h := newHouse(t)
			s := newSource(t, h.rig, "port.main.calls", calls())
			put := func(from, to int) {
				t.Helper()
				for i := from; i < to; i++ {
					s.append(t, record.Encode(s.change('c', nil, row(int64(i), fmt.Sprint("berth-", i), 1))))
				}
			}
			put(0, landed)
			if landed > 0 {
				h.run()
				h.settled(t, s.topic)
				h.halt()
			}
			put(landed, all)
			h.close(t)
			bustest.Spoil(t, filepath.Join(h.dir, "bus"), fmt.Sprint("berth-", bad))
			for start := range 3 {
				h.open(t)
				top, err := h.bus.Topic("port.main.calls")
				if err != nil {
					t.Fatal(err)
				}
				s.topic = top
				h.run()
				h.stands(t, fmt.Sprint("start ", start), bad)
				if start < 2 {
					h.close(t)
				}
			}
			// A table that a person names anew goes on behind the damage, and says so.
			c := s.topic.Config()
			c.Table, c.Mirror = "calls_2", "calls_2"
			if err := h.bus.AlterTopic(h.ctx, s.topic.Name(), c); err != nil {
				t.Fatal(err)
			}
			one := h.settled(t, s.topic)
			h.wait(t, func() bool { return h.line(s.topic.Name()).State == "landing" }, func() any { return h.line(s.topic.Name()) })
			if len(one.Findings) == 0 || !strings.Contains(one.Findings[0], "offset 6") {
				t.Fatalf("%+v", one)
			}
			if n := len(h.lake.rows("bronze.calls_2")); n != all-bad-1 {
				t.Fatalf("%d rows", n)
			}
		})
	}
}

// stands waits until both ways stand before the damaged offset, and holds them to it.
func (h *house) stands(t *testing.T, when string, bad int) {
	t.Helper()
	h.wait(t, func() bool {
		one := h.line("port.main.calls")
		return one.State == "quarantined" && len(one.Findings) == 2
	}, func() any { return h.line("port.main.calls") })
	one := h.line("port.main.calls")
	for _, text := range append(one.Findings, one.Error) {
		for _, want := range []string{"port.main.calls", "partition 0", fmt.Sprintf("offsets %d to %d", bad, bad)} {
			if !strings.Contains(text, want) {
				t.Fatalf("%s: %q does not name %s", when, text, want)
			}
		}
	}
	if !strings.Contains(one.Hint, "tarn.table") {
		t.Fatalf("%s: hint is %q", when, one.Hint)
	}
	for _, name := range []string{"bronze.port_main_calls", "silver.calls"} {
		if n := len(h.lake.rows(name)); n != bad {
			t.Fatalf("%s: %s holds %d rows", when, name, n)
		}
	}
}

// TestWhatRetentionTookUnreadIsTold: the topic did not land for a while, so that nothing
// held its log.
func TestWhatRetentionTookUnreadIsTold(t *testing.T) {
	h := newHouse(t)
	s := newSource(t, h.rig, "port.main.calls", calls())
	put := func(i int) { s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1)))) }
	put(0)
	h.run()
	h.settled(t, s.topic)
	h.close(t)
	h.open(t)
	var err error
	if s.topic, err = h.bus.Topic("port.main.calls"); err != nil {
		t.Fatal(err)
	}
	c := s.topic.Config()
	c.Land = false
	if err := h.bus.AlterTopic(h.ctx, s.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		put(1 + i)
	}
	if err := s.topic.Partitions()[0].Trim(h.ctx, 3); err != nil {
		t.Fatal(err)
	}
	c.Land = true
	if err := h.bus.AlterTopic(h.ctx, s.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	h.run()
	h.wait(t, func() bool { return len(h.line(s.topic.Name()).Findings) == 2 }, func() any { return h.line(s.topic.Name()) })
	one := h.line(s.topic.Name())
	for _, text := range append(one.Findings, one.Error) {
		for _, want := range []string{"port.main.calls", "partition 0", "offset 1", "begins at 3"} {
			if !strings.Contains(text, want) {
				t.Fatalf("%q does not name %s", text, want)
			}
		}
	}
	if one.State != "quarantined" || one.Hint == "" {
		t.Fatalf("%+v", one)
	}
}

// TestALogThatIsTrimmedUnderAReaderIsTold: the bus tells it while the way reads.
func TestALogThatIsTrimmedUnderAReaderIsTold(t *testing.T) {
	h := newHouse(t)
	s := newSource(t, h.rig, "port.main.calls", calls())
	for i := range 4 {
		s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1))))
	}
	h.run()
	h.settled(t, s.topic)
	p := s.topic.Partitions()[0]
	h.lake.set(func(table.Ident, table.Change) error { return errPlanted }, nil)
	s.append(t, record.Encode(s.change('c', nil, row(9, "A", 1))))
	h.wait(t, func() bool { return h.line(s.topic.Name()).State == "retrying" }, func() any { return h.line(s.topic.Name()) })
	p.Hold("bronze", 5)
	p.Hold("silver", 5)
	if err := p.Trim(h.ctx, 5); err != nil || p.LogStart() != 5 {
		t.Fatalf("log starts at %d, %v", p.LogStart(), err)
	}
	h.wait(t, func() bool { return h.line(s.topic.Name()).State == "quarantined" }, func() any { return h.line(s.topic.Name()) })
	if one := h.line(s.topic.Name()); !strings.Contains(one.Error, "begins at 5") || len(one.Findings) == 0 {
		t.Fatalf("%+v", one)
	}
}
