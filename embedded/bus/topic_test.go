package bus_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// TestALogThatEndsBelowItsTablesTellsWhatIsLost: bronze has come to 10, silver to 5, and the
// log ends at 3.
func TestALogThatEndsBelowItsTablesTellsWhatIsLost(t *testing.T) {
	recorded := record.PartitionOffsets{}
	h := open(t, func(o *bus.Options) {
		o.Recorded = func(context.Context, string, int32) (record.PartitionOffsets, error) { return recorded, nil }
	})
	p := h.partition("t", bus.TopicConfig{})
	for range 3 {
		h.append(p, batch("a"))
	}
	if _, _, lost := p.Lost(0); lost {
		t.Fatal("nothing is lost")
	}
	recorded.Next = 10
	for i := range 2 {
		h.restart()
		p = h.partition("t", bus.TopicConfig{})
		for from, want := range map[int64]int64{0: 3, 3: 3, 5: 5} {
			if first, after, lost := p.Lost(from); !lost || first != want || after != 10 {
				t.Fatalf("start %d, from %d: %d to %d, %v", i, from, first, after, lost)
			}
		}
		if _, _, lost := p.Lost(10); lost {
			t.Fatal("who stands at 10 has lost nothing")
		}
		if got := h.append(p, batch("b")); got.Base != int64(10+i) {
			t.Fatalf("goes on at %d", got.Base)
		}
	}
}

// TestASourceThatIsStartedAnewCannotAppendAPlaceTwice: its earlier try was still in flight
// when it asked for its place. So it is in Tarn's own topics, to which a pipeline that was paused
// and resumed appends again.
func TestASourceThatIsStartedAnewCannotAppendAPlaceTwice(t *testing.T) {
	h := open(t, nil)
	for topic, config := range map[string]bus.TopicConfig{"t": {Source: "s"}, "tarn.t": {}} {
		t.Run(topic, func(t *testing.T) {
			p := h.partition(topic, config)
			h.append(p, placed("s/i/0001"))
			if _, err := p.Append(t.Context(), placed("s/i/0001")); !errors.Is(err, bus.ErrRetry) {
				t.Fatalf("again: %v", err)
			}
			var all [2]error
			done := make(chan struct{})
			for i := range all {
				go func() {
					_, all[i] = p.Append(t.Context(), placed("s/i/0002"))
					done <- struct{}{}
				}()
			}
			<-done
			<-done
			if (all[0] == nil) == (all[1] == nil) {
				t.Fatalf("two at once: %v, %v", all[0], all[1])
			}
			h.append(p, placed("s/i/00020")) // longer, of a later version
			h.append(p, placed("other/i/0001"))
			h.append(p, placed("s/j/0001"))
			h.append(p, placed("s/j/0002"))
		})
	}
}

func TestTopicsAreKeptAlteredDeletedAndMadeAgainAboveTheirTables(t *testing.T) {
	recorded := record.PartitionOffsets{}
	h := open(t, func(o *bus.Options) {
		o.Recorded = func(_ context.Context, topic string, n int32) (record.PartitionOffsets, error) {
			if topic != "port.main.calls" || n != 0 {
				return record.PartitionOffsets{}, nil
			}
			return recorded, nil
		}
	})
	ctx := t.Context()
	changed := h.bus.Changed()
	top, err := h.bus.CreateTopic(ctx, "port.main.calls", bus.TopicConfig{Partitions: 3, Land: true, Source: "s"})
	if err != nil {
		t.Fatal(err)
	}
	<-changed
	if again, err := h.bus.CreateTopic(ctx, "port.main.calls", bus.TopicConfig{Partitions: 7}); err != nil || again != top {
		t.Fatalf("made twice: %v %v", again, err)
	}
	// Names that escaping must keep apart.
	for _, name := range []string{"a.b", "a_b", "a-b", "A.b"} {
		h.append(h.partition(name, bus.TopicConfig{}), batch(name))
	}
	h.append(top.Partitions()[0], placed("s/i/0001"))
	changed = h.bus.Changed()
	if err := h.bus.AlterTopic(ctx, "port.main.calls", bus.TopicConfig{ID: "other", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	<-changed
	id := top.Config().ID
	h.restart()
	top, err = h.bus.Topic("port.main.calls")
	if err != nil {
		t.Fatal(err)
	}
	if c := top.Config(); c.ID != id || c.Partitions != 3 || c.Retention != time.Hour || c.Land || len(top.Partitions()) != 3 {
		t.Fatalf("config is %+v", c)
	}
	for _, name := range []string{"a.b", "a_b", "a-b", "A.b"} {
		if got := h.read(h.partition(name, bus.TopicConfig{}), 0, 1); len(got) != 1 || got[0] != "0:"+name {
			t.Fatalf("%s holds %v", name, got)
		}
	}

	p := top.Partitions()[0]
	r := p.Reader(1)
	defer r.Close()
	ended := make(chan error, 1)
	go func() { _, err := r.Next(context.Background(), 1); ended <- err }()
	changed = h.bus.Changed()
	if err := h.bus.DeleteTopic(ctx, "port.main.calls"); err != nil {
		t.Fatal(err)
	}
	<-changed
	if err := <-ended; !errors.Is(err, bus.ErrNoTopic) {
		t.Fatalf("the reader got %v", err)
	}
	if _, err := p.Append(ctx, batch("x")); !errors.Is(err, bus.ErrNoTopic) {
		t.Fatalf("append got %v", err)
	}
	if _, err := h.bus.Topic("port.main.calls"); !errors.Is(err, bus.ErrNoTopic) {
		t.Fatalf("got %v", err)
	}
	recorded = record.PartitionOffsets{Next: 100, Places: map[string]string{"s": "i/0042"}}
	p = h.partition("port.main.calls", bus.TopicConfig{Source: "s"})
	if p.Next() != 100 || p.LogStart() != 100 {
		t.Fatalf("made again: %d to %d", p.LogStart(), p.Next())
	}
	if pos, ok := p.Place("s"); !ok || pos.Place != "0042" || pos.Incarnation != "i" {
		t.Fatalf("place is %v", pos)
	}
	if a := h.append(p, batch("a")); a.Base != 100 {
		t.Fatalf("got %+v", a)
	}
	h.restart()
	p = h.partition("port.main.calls", bus.TopicConfig{})
	if got := fmt.Sprint(h.read(p, 100, 1)); got != "[100:a]" {
		t.Fatalf("got %s", got)
	}
	if got := len(h.bus.Stats()); got != 5 {
		t.Fatalf("%d partitions", got)
	}
}

func TestTopicsOutliveALostMetaDatabase(t *testing.T) {
	h := open(t, nil)
	p := h.partition("port.main.calls", bus.TopicConfig{Source: "s", Land: true, Table: "calls"})
	h.append(p, placed("s/i/0007"))
	c := p.Topic().Config()
	h.close()
	lose(t, h.dir, "meta.db*")
	h.open()
	top, err := h.bus.Topic("port.main.calls")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(top.Config(), c) {
		t.Fatalf("config is %+v, was %+v", top.Config(), c)
	}
	p = top.Partitions()[0]
	if pos, _ := p.Place("s"); p.Next() != 1 || pos.Place != "0007" {
		t.Fatalf("next %d, place %v", p.Next(), pos)
	}
}

func TestADeletionCutShortIsFinished(t *testing.T) {
	h := open(t, nil)
	h.append(h.partition("t", bus.TopicConfig{}), batch("a"))
	h.close()
	m, err := meta.Open(t.Context(), filepath.Join(h.dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Get(t.Context(), meta.Topics, "t")
	if err != nil {
		t.Fatal(err)
	}
	marked := strings.TrimSuffix(string(v), "}") + `,"deleted":true}`
	if err := errors.Join(m.Put(t.Context(), meta.Entry{Bucket: meta.Topics, Key: "t", Value: []byte(marked)}), m.Close()); err != nil {
		t.Fatal(err)
	}
	h.open()
	if len(h.bus.Topics()) != 0 {
		t.Fatal("the topic is back")
	}
	if p := h.partition("t", bus.TopicConfig{}); p.Next() != 1 || p.LogStart() != 1 {
		t.Fatalf("%d to %d", p.LogStart(), p.Next())
	}
}

// TestATopicMadeAgainGivesNoOffsetTwice: who still holds a place in the old log must not
// take the new one for it.
func TestATopicMadeAgainGivesNoOffsetTwice(t *testing.T) {
	h := open(t, nil)
	again := func() []*bus.Partition {
		t.Helper()
		top, err := h.bus.CreateTopic(t.Context(), "t", bus.TopicConfig{Partitions: 2, Source: "s"})
		if err != nil {
			t.Fatal(err)
		}
		return top.Partitions()
	}
	p := again()[0]
	for i := range 3 {
		h.append(p, placed(fmt.Sprintf("s/i/%04d", i)))
	}
	if err := p.Trim(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing was appended
		if err := h.bus.DeleteTopic(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		h.restart()
		both := again()
		if p = both[0]; p.LogStart() != 3 || p.Next() != 3 || both[1].Next() != 0 {
			t.Fatalf("made again: %d to %d, and %d", p.LogStart(), p.Next(), both[1].Next())
		}
		if _, _, lost := p.Lost(p.LogStart()); lost || len(h.bus.Report()) != 0 {
			t.Fatalf("lost %t, report %+v", lost, h.bus.Report())
		}
	}
	if pos, ok := p.Place("s"); ok {
		t.Fatalf("the new topic holds nothing, and has place %v", pos)
	}
	r := p.Reader(1)
	defer r.Close()
	if _, err := r.Next(t.Context(), 1); !errors.Is(err, bus.ErrOutOfRange) {
		t.Fatalf("a reader of the old log got %v", err)
	}
	h.append(p, placed("s/i/0001"))
	h.restart()
	p = again()[0]
	if got := fmt.Sprint(h.read(p, 3, 1)); got != "[3:x]" || p.LogStart() != 3 || p.Next() != 4 {
		t.Fatalf("%s, %d to %d", got, p.LogStart(), p.Next())
	}
}

func TestWhatMustNotGetIntoTheLogIsRefused(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{Source: "s"})
	good := batch("a")
	bad := slices.Clone(good)
	bad[len(bad)-1] ^= 1
	for name, c := range map[string]struct {
		data []byte
		code fault.Code
	}{
		"nothing":         {nil, fault.Invalid},
		"garbage":         {[]byte("no batch at all, but longer than a header of a batch, which has 61 bytes"), fault.Invalid},
		"a flipped bit":   {bad, fault.Invalid},
		"a torn batch":    {good[:len(good)-3], fault.Invalid},
		"a bad second":    {append(slices.Clone(good), bad...), fault.Invalid},
		"no records":      {record.Encode(nil), fault.Invalid},
		"a bad place":     {placed("nonsense"), fault.Invalid},
		"too much at all": {slices.Concat(big(20<<20), big(20<<20)), fault.TooLarge},
	} {
		if _, err := p.Append(t.Context(), c.data); fault.CodeOf(err) != c.code || fault.HintOf(err) == "" || errors.Is(err, bus.ErrRetry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p.Next() != 0 {
		t.Fatalf("next is %d", p.Next())
	}
	h.append(p, big(20<<20)) // large, and alone
	h.append(p, good)
	for _, name := range []string{"", ".", "..", "a b", "ä", "a/b", strings.Repeat("x", 250)} {
		if _, err := h.bus.CreateTopic(t.Context(), name, bus.TopicConfig{}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("topic %q: %v", name, err)
		}
	}
	h.append(h.partition(strings.Repeat("x.", 124)+"y", bus.TopicConfig{}), good)
	h.restart()
	r := h.partition("t", bus.TopicConfig{}).Reader(0)
	defer r.Close()
	f, err := r.Next(t.Context(), 1)
	if err != nil || len(f.Batches) != 1 || len(f.Batches[0]) < 20<<20 {
		t.Fatalf("%v", err)
	}
}

func big(n int) []byte {
	return record.Encode([]record.Record{{Timestamp: 1, Value: make([]byte, n)}})
}

func TestPlacesComeFromRecordsMarksCheckpointsAndTheLog(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{}) // no source: places are found all the same
	h.append(p, append(placed("s/i/0001"), placed("s/i/0002")...))
	h.append(p, placed("z/j/k/l"))
	h.append(p, record.EncodeMark(record.Mark{Kind: record.SnapshotEnd, Generation: 1, Pos: "s/i/0003"}, 1))
	h.append(p, batch("no place"))
	check := func(when string) {
		t.Helper()
		s, _ := p.Place("s")
		z, _ := p.Place("z")
		if _, ok := p.Place("nobody"); ok || s.String() != "s/i/0003" || z.String() != "z/j/k/l" {
			t.Fatalf("%s: %v %v", when, s, z)
		}
	}
	check("at once")
	h.restart()
	p = h.partition("t", bus.TopicConfig{})
	check("from the checkpoint")
	h.close()
	forget(t, h.dir, meta.Checks, "t/0")
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	check("from the log")
	h.append(p, placed("s/new/0001"))
	if s, _ := p.Place("s"); s.Incarnation != "new" {
		t.Fatalf("place is %v", s)
	}
}

func TestAnAppendWhoseCallerGoesAwayIsToldSo(t *testing.T) {
	f := &faults{}
	h := open(t, f.options)
	p := h.partition("t", bus.TopicConfig{})
	f.plan(lost)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.Append(ctx, batch("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	h.insist(p, batch("b"))
	if got := fmt.Sprint(h.read(p, 0, 1)); got != "[0:b]" {
		t.Fatalf("got %s", got)
	}
}
