package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// lose removes files of the data folder.
func lose(t testing.TB, dir, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing to lose in %s/%s: %v", dir, pattern, err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// forget removes a key of meta.
func forget(t testing.TB, dir string, b meta.Bucket, key string) {
	t.Helper()
	ctx := context.Background()
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Put(ctx, meta.Entry{Bucket: b, Key: key}), m.Close()); err != nil {
		t.Fatal(err)
	}
}

type clock struct {
	mu      sync.Mutex
	now     time.Time
	elapsed time.Duration
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// pass lets time go by; jump is somebody who sets the clock.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.elapsed = c.now.Add(d), c.elapsed+d
}

func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// at is a batch of one record of the clock's time.
func (c *clock) batch(value string) record.Batch {
	return record.Encode([]record.Record{{Timestamp: c.Now().UnixMilli(), Value: []byte(value)}})
}

func TestRetentionPurgesOldMessagesButNeverTheLastOneNorPastAHold(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := open(t, func(o *bus.Options) { o.Clock = c })
	p := h.partition("t", bus.TopicConfig{Land: true, Keyed: true})
	for i := range 4 {
		h.append(p, c.batch(fmt.Sprint(i)))
		c.pass(10 * time.Hour)
	}
	// The records are 40, 30, 20 and 10 hours old; a landed topic keeps 24.
	sweep := func(start int64, finding string) {
		t.Helper()
		h.bus.Sweep(t.Context())
		st := h.bus.Stats()[0]
		if p.LogStart() != start || (finding == "") != (st.Finding == "") || !strings.Contains(st.Finding, finding) {
			t.Fatalf("log start %d, want %d; finding %q, want %q", p.LogStart(), start, st.Finding, finding)
		}
		if (finding == "") != (len(h.bus.Report()) == 0) {
			t.Fatalf("report is %v", h.bus.Report())
		}
	}
	sweep(0, "bronze")
	p.Hold("bronze", 4)
	sweep(0, "silver")
	p.Hold("silver", 1)
	sweep(1, "silver")
	r := p.Reader(0)
	defer r.Close()
	if _, err := r.Next(t.Context(), 1); !errors.Is(err, bus.ErrOutOfRange) {
		t.Fatalf("got %v", err)
	}
	p.Hold("silver", 4)
	sweep(2, "")
	if got := fmt.Sprint(h.read(p, 2, 1)); got != "[2:2 3:3]" {
		t.Fatalf("got %s", got)
	}
	c.pass(1000 * time.Hour)
	sweep(3, "")
	h.restart()
	p = h.partition("t", bus.TopicConfig{})
	if p.LogStart() != 3 || p.Next() != 4 {
		t.Fatalf("%d to %d", p.LogStart(), p.Next())
	}
}

// TestRetentionWaitsForReaders opens a log after a month in the dark: all of it is old, and who still reads it has not
// said so yet.
func TestRetentionWaitsForReaders(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := open(t, func(o *bus.Options) { o.Clock, o.AwaitReaders = c, true })
	p := h.partition("t", bus.TopicConfig{})
	for i := range 4 {
		h.append(p, c.batch(fmt.Sprint(i)))
	}
	h.bus.ReadersKnown()
	c.pass(31 * 24 * time.Hour)
	h.restart()
	p = h.partition("t", bus.TopicConfig{})
	h.bus.Sweep(t.Context())
	if p.LogStart() != 0 {
		t.Fatalf("the log begins at %d before anybody could hold it", p.LogStart())
	}
	p.Hold("pipeline", 2)
	h.bus.ReadersKnown()
	h.bus.Sweep(t.Context())
	if p.LogStart() != 2 {
		t.Fatalf("the log begins at %d, a reader holds 2", p.LogStart())
	}
}

func TestRetentionByBytesAndTheDefaults(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := open(t, func(o *bus.Options) { o.Clock = c })
	small := h.partition("small", bus.TopicConfig{RetentionBytes: 300})
	week := h.partition("week", bus.TopicConfig{})
	ever := h.partition("ever", bus.TopicConfig{Retention: -1})
	for i := range 5 {
		for _, p := range []*bus.Partition{small, week, ever} {
			h.append(p, c.batch(fmt.Sprint(i)))
		}
	}
	h.bus.Sweep(t.Context())
	if small.LogStart() == 0 || small.LogStart() == 5 || week.LogStart() != 0 || h.bus.Stats()[1].Bytes > 300 {
		t.Fatalf("small starts at %d, week at %d: %+v", small.LogStart(), week.LogStart(), h.bus.Stats())
	}
	c.pass(6 * 24 * time.Hour)
	h.bus.Sweep(t.Context())
	if week.LogStart() != 0 {
		t.Fatal("six days are not a week")
	}
	c.pass(48 * time.Hour)
	h.bus.Sweep(t.Context())
	if week.LogStart() != 4 || ever.LogStart() != 0 {
		t.Fatalf("week starts at %d, ever at %d", week.LogStart(), ever.LogStart())
	}
}

// TestAClockThatJumpsPurgesNothingEarly has a clock right, an hour ahead or an hour behind when records come, when
// Tarn is started again, and when retention looks: none goes before its time has gone by, and none stays for ever.
func TestAClockThatJumpsPurgesNothingEarly(t *testing.T) {
	c := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h := open(t, func(o *bus.Options) { o.Clock = c })
	config := bus.TopicConfig{Retention: 90 * time.Minute}
	const late = 4 * time.Hour // at most
	right := []time.Duration{-time.Hour, 0, time.Hour}
	ahead := time.Duration(0)
	set := func(to time.Duration) {
		c.jump(to - ahead)
		ahead = to
	}
	for n := range 27 {
		came, started, now := right[n/9], right[n/3%3], right[n%3]
		name := fmt.Sprint("t", n)
		set(came)
		p := h.partition(name, config)
		h.append(p, c.batch("goes"))
		h.append(p, c.batch("the last one stays"))
		set(started)
		h.restart()
		p = h.partition(name, config)
		set(now)
		c.pass(config.Retention - time.Minute)
		h.bus.Sweep(t.Context())
		if p.LogStart() != 0 {
			t.Errorf("clock %s ahead when it came, %s at the start, %s now: it goes early", came, started, now)
		}
		c.pass(late + 2*time.Minute)
		h.bus.Sweep(t.Context())
		if p.LogStart() != 1 {
			t.Errorf("clock %s ahead when it came, %s at the start, %s now: it never goes", came, started, now)
		}
	}
}

// TestATableThatLosesItsKeyLetsItsLogGo: its mirror stands still, and holds nothing back.
func TestATableThatLosesItsKeyLetsItsLogGo(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{Land: true, Keyed: true})
	for range 5 {
		h.append(p, batch("a"))
	}
	p.Hold("bronze", 5)
	p.Hold("silver", 1)
	if err := p.Trim(t.Context(), 4); err != nil || p.LogStart() != 1 {
		t.Fatalf("log starts at %d, %v", p.LogStart(), err)
	}
	if err := h.bus.AlterTopic(t.Context(), "t", bus.TopicConfig{Land: true}); err != nil {
		t.Fatal(err)
	}
	if err := p.Trim(t.Context(), 4); err != nil || p.LogStart() != 4 {
		t.Fatalf("log starts at %d, %v", p.LogStart(), err)
	}
}

func TestTrimFollowsDeleteRecords(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	for range 5 {
		h.append(p, append(placed("s/i/0001"), batch("b")...))
	}
	p.Hold("reader", 7)
	for _, c := range []struct{ before, start int64 }{{3, 3}, {1, 3}, {9, 7}, {-1, 7}} {
		if err := p.Trim(t.Context(), c.before); err != nil || p.LogStart() != c.start {
			t.Fatalf("trim to %d: log starts at %d, %v", c.before, p.LogStart(), err)
		}
	}
	if err := p.Trim(t.Context(), 11); !errors.Is(err, bus.ErrOutOfRange) {
		t.Fatalf("got %v", err)
	}
	if got := h.read(p, 7, 1); len(got) != 3 || got[0] != "7:b" {
		t.Fatalf("got %v", got)
	}
	p.Hold("reader", 10)
	if err := p.Trim(t.Context(), -1); err != nil || p.LogStart() != 10 {
		t.Fatalf("log starts at %d, %v", p.LogStart(), err)
	}
	h.close()
	forget(t, h.dir, meta.Checks, "t/0")
	h.open()
	p = h.partition("t", bus.TopicConfig{})
	if pos, ok := p.Place("s"); !ok || p.LogStart() != 10 || p.Next() != 10 || pos.Place != "0001" {
		t.Fatalf("%d to %d, place %v", p.LogStart(), p.Next(), pos)
	}
	h.append(p, batch("x"))
	if got := fmt.Sprint(h.read(p, 10, 1)); got != "[10:x]" {
		t.Fatalf("got %s", got)
	}
}

// TestAHoldIsHonouredOnceItReturns: a log start that was decided on before does not move after it.
func TestAHoldIsHonouredOnceItReturns(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	for i := range 60 {
		h.append(p, batch("v"))
		trimmed := make(chan error, 1)
		go func() { trimmed <- p.Trim(t.Context(), -1) }()
		time.Sleep(time.Duration(i) * 50 * time.Microsecond) // anywhere in it
		held := p.LogStart()
		p.Hold(fmt.Sprint("reader ", i), held)
		start := p.LogStart()
		if err := <-trimmed; err != nil || p.LogStart() > max(start, held) {
			t.Fatalf("round %d: held at %d, the log starts at %d, then at %d, %v", i, held, start, p.LogStart(), err)
		}
		p.Hold(fmt.Sprint("reader ", i), p.Next())
	}
}

func TestAReaderThatIsOvertakenByTheLogStartIsTold(t *testing.T) {
	h := open(t, func(o *bus.Options) { o.CacheBytes = 0 })
	p := h.partition("t", bus.TopicConfig{})
	for i := range 600 {
		h.append(p, batch(fmt.Sprint(i)))
	}
	r := p.Reader(0)
	defer r.Close()
	f, err := r.Next(t.Context(), 1)
	if err != nil || f.Next != 1 {
		t.Fatalf("%v %v", f, err)
	}
	if err := p.Trim(t.Context(), 590); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context(), 1); !errors.Is(err, bus.ErrOutOfRange) {
		t.Fatalf("got %v", err)
	}
}

func TestNextWaitsForRecordsAndHonoursItsContext(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	r := p.Reader(0)
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := r.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	done := make(chan []string, 1)
	go func() {
		f, err := r.Next(context.Background(), 1)
		if err != nil {
			done <- []string{err.Error()}
			return
		}
		done <- lines(t, f, 0)
	}()
	h.append(p, batch("a"))
	if got := fmt.Sprint(<-done); got != "[0:a]" {
		t.Fatalf("got %s", got)
	}
	past := p.Reader(2)
	defer past.Close()
	if _, err := past.Next(t.Context(), 1); !errors.Is(err, bus.ErrOutOfRange) {
		t.Fatalf("got %v", err)
	}
}
