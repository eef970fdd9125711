package clock_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/stream/clock"
	"tarn/stream/own"
)

// topic is tarn.clock on a bus of its own.
func topic(t *testing.T) own.Topic { return topicOn(t, disk.Local) }

func topicOn(t *testing.T, fs *disk.FS) own.Topic {
	t.Helper()
	dir := t.TempDir()
	m, err := meta.Open(t.Context(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Options{
		Dir: filepath.Join(dir, "bus"), Fsync: bus.FsyncAlways, CacheBytes: 1 << 20, Meta: m, Disk: fs, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.Close(t.Context())
		_ = m.Close()
	})
	all, err := own.Create(t.Context(), b, schemas.New(m))
	if err != nil {
		t.Fatal(err)
	}
	return all[own.Clock]
}

func open(t *testing.T, topic own.Topic, process string) *clock.Clocks {
	t.Helper()
	c, err := clock.Open(t.Context(), topic, life.SystemClock{}, process)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func idle(offset, mark int64) clock.Decision {
	return clock.Decision{Source: "s", Topic: "t", Partition: 1, Offset: offset, Kind: clock.Idle, Mark: mark}
}

// TestNoRecordIsUsedIdle holds that a pipeline which comes from behind makes a partition active at the very
// record at which another one found it idle, and that nobody waits for it in vain.
func TestNoRecordIsUsedIdle(t *testing.T) {
	c := open(t, topic(t), "a")
	must(t, c.Decide(t.Context(), []clock.Decision{idle(30, clock.None)}))
	must(t, c.Close(t.Context(), []clock.Decision{idle(30, 700)}))
	behind := clock.Decision{Source: "s", Topic: "t", Partition: 1, Offset: 28, Mark: 500}
	must(t, c.Use(t.Context(), behind, 40, false))
	there := behind
	there.Offset = 30
	must(t, c.Use(t.Context(), there, 31, true))
	got := c.At("s", 1, 28, 40)
	if len(got) != 2 || got[1].Kind != clock.Active || got[1].Offset != 30 || got[1].Mark != 700 {
		t.Errorf("decisions %+v", got)
	}
	if err := c.Close(t.Context(), []clock.Decision{idle(30, 900)}); !errors.Is(err, clock.ErrPassed) {
		t.Errorf("windows are closed without a partition that is active: %v", err)
	}
	if err := c.Decide(t.Context(), []clock.Decision{idle(39, clock.None)}); !errors.Is(err, clock.ErrPassed) {
		t.Errorf("a record that was used is decided about: %v", err)
	}
}

// TestClosedOutlivesTheProcess holds that a partition comes back no earlier than windows were closed without it,
// whoever closed them, and before a restart, too.
func TestClosedOutlivesTheProcess(t *testing.T) {
	on := topic(t)
	c := open(t, on, "a")
	must(t, c.Decide(t.Context(), []clock.Decision{idle(5, clock.None)}))
	must(t, c.Close(t.Context(), []clock.Decision{idle(5, 800)}))
	must(t, c.Close(t.Context(), []clock.Decision{idle(5, 600)}))
	c = open(t, on, "b")
	must(t, c.Use(t.Context(), clock.Decision{Source: "s", Topic: "t", Partition: 1, Offset: 5, Mark: clock.None}, 6, true))
	got := open(t, on, "c").At("s", 1, 0, 9)
	if len(got) != 2 || got[0].Kind != clock.Idle || got[1].Kind != clock.Active || got[1].Mark != 800 {
		t.Errorf("decisions %+v", got)
	}
	other := clock.Decision{Source: "other", Topic: "t", Partition: 1, Offset: 5, Mark: clock.None}
	must(t, c.Use(t.Context(), other, 6, true))
	if got := open(t, on, "d").At("other", 1, 0, 9); len(got) != 1 || got[0].Mark != clock.None {
		t.Errorf("decisions %+v", got)
	}
}

// TestAClosingThatIsNotDurableIsNone holds that a partition comes back no earlier than windows were closed without it also where
// the first try was told nobody: the disk was full, or another partition had come back.
func TestAClosingThatIsNotDurableIsNone(t *testing.T) {
	other := idle(5, 800)
	other.Partition = 2
	for name, c := range map[string]struct {
		full  bool
		tried []clock.Decision
	}{
		"full disk":                       {true, []clock.Decision{idle(5, 800)}},
		"another one is active meanwhile": {false, []clock.Decision{idle(5, 800), other}},
	} {
		t.Run(name, func(t *testing.T) {
			var full atomic.Bool
			on := topicOn(t, &disk.FS{Hook: func(op, _ string) error {
				if op == "free" && full.Load() {
					return errors.New("planted")
				}
				return nil
			}})
			clocks := open(t, on, "a")
			must(t, clocks.Decide(t.Context(), []clock.Decision{idle(5, clock.None)}))
			full.Store(c.full)
			if err := clocks.Close(t.Context(), c.tried); err == nil {
				t.Fatal("windows are closed")
			}
			full.Store(false)
			must(t, clocks.Close(t.Context(), []clock.Decision{idle(5, 800)}))
			clocks = open(t, on, "b")
			must(t, clocks.Use(t.Context(), clock.Decision{Source: "s", Topic: "t", Partition: 1, Offset: 5, Mark: clock.None}, 6, true))
			if got := clocks.At("s", 1, 0, 9); len(got) != 2 || got[1].Kind != clock.Active || got[1].Mark != 800 {
				t.Errorf("decisions %+v", got)
			}
		})
	}
}

// TestADecisionOnItsWayIsKnownBeforeRecordsAreUsed holds that whoever reads on applies a decision which the log took so late that its
// maker was told of a failure: so does whoever reads the partition again.
func TestADecisionOnItsWayIsKnownBeforeRecordsAreUsed(t *testing.T) {
	var hung atomic.Bool
	asked, answers := make(chan struct{}), make(chan struct{})
	on := topicOn(t, &disk.FS{Hook: func(op, _ string) error {
		if op == "free" && hung.Load() {
			asked <- struct{}{}
			<-answers
		}
		return nil
	}})
	live := open(t, on, "a")
	flush := clock.Decision{Source: "s", Topic: "t", Partition: 1, Offset: 5, Kind: clock.Flush, Mark: 800}
	records := clock.Decision{Source: "s", Topic: "t", Partition: 1, Offset: 5, Mark: clock.None}
	over, end := context.WithCancel(t.Context())
	decided := make(chan error, 1)
	hung.Store(true)
	go func() { decided <- live.Decide(over, []clock.Decision{flush}) }()
	<-asked
	// The writer meets these as soon as it has sent the decision, and hangs before it hears that this is stored.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 64 {
		_, _ = on.Partition.Append(gone, record.Encode([]record.Record{{Value: []byte("x")}}))
	}
	answers <- struct{}{}
	<-asked
	end()
	if err := <-decided; err == nil {
		t.Fatal("it is decided")
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := live.Use(short, records, 9, false); err == nil {
		t.Error("records are used while a decision about them is on its way")
	}
	hung.Store(false)
	answers <- struct{}{}
	must(t, live.Use(t.Context(), records, 9, false))
	if got := live.At("s", 1, 5, 9); len(got) != 1 || got[0] != flush {
		t.Errorf("who reads on applies %+v", got)
	}
	if got := open(t, on, "b").At("s", 1, 5, 9); len(got) != 1 || got[0] != flush {
		t.Errorf("who reads again applies %+v", got)
	}
	if n := on.Partition.Next(); n != 1 {
		t.Errorf("the decision is there %d times", n)
	}
}
