package bus_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/leaktest"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// modelChecks is how many random lives of a log a plain test run tries.
const modelChecks = "25"

func TestMain(m *testing.M) {
	childMain()
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		_ = flag.Set("rapid.checks", modelChecks)
	}
	code := m.Run()
	if code == 0 {
		if err := leaktest.Find(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// waitLimit bounds every wait of these tests, on a machine that is slow and busy.
const waitLimit = 2 * time.Minute

// house is a bus on a folder, to be closed and opened again.
type house struct {
	t    testing.TB
	dir  string
	set  func(*bus.Options)
	meta *meta.Store
	bus  *bus.Bus
}

func open(t testing.TB, set func(*bus.Options)) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), set: set}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *house) open() {
	h.t.Helper()
	ctx := context.Background()
	err := os.MkdirAll(h.dir, 0o755)
	if err != nil {
		h.t.Fatal(err)
	}
	if h.meta, err = meta.Open(ctx, filepath.Join(h.dir, "meta.db")); err != nil {
		h.t.Fatal(err)
	}
	o := bus.Options{Dir: filepath.Join(h.dir, "bus"), Meta: h.meta, CacheBytes: 1 << 20}
	if h.set != nil {
		h.set(&o)
	}
	if h.bus, err = bus.Open(ctx, o); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) close() {
	h.t.Helper()
	if h.bus == nil {
		return
	}
	if err := errors.Join(h.bus.Close(context.Background()), h.meta.Close()); err != nil {
		h.t.Fatal(err)
	}
	h.bus = nil
}

func (h *house) restart() { h.t.Helper(); h.close(); h.open() }

func (h *house) partition(topic string, c bus.TopicConfig) *bus.Partition {
	h.t.Helper()
	t, err := h.bus.CreateTopic(context.Background(), topic, c)
	if err != nil {
		h.t.Fatal(err)
	}
	return t.Partitions()[0]
}

// batch makes a batch of records with the values given.
func batch(values ...string) record.Batch {
	var rs []record.Record
	for _, v := range values {
		rs = append(rs, record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(v)})
	}
	return record.Encode(rs)
}

func (h *house) append(p *bus.Partition, b []byte) bus.Appended {
	h.t.Helper()
	a, err := p.Append(context.Background(), b)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// read reads the values of [from, p.Stable()) with their offsets as "offset:value".
func (h *house) read(p *bus.Partition, from int64, maxBytes int) []string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	r := p.Reader(from)
	defer r.Close()
	var out []string
	for at, last := from, p.Stable(); at < last; {
		f, err := r.Next(ctx, maxBytes)
		if err != nil {
			h.t.Fatalf("read at %d of %d: %v", at, last, err)
		}
		at = f.Next
		out = append(out, lines(h.t, f, from)...)
	}
	return out
}

func lines(t testing.TB, f bus.Fetched, from int64) []string {
	t.Helper()
	var out []string
	for _, b := range f.Batches {
		rs, err := b.Records()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			if r.Offset >= from {
				out = append(out, fmt.Sprintf("%d:%s", r.Offset, r.Value))
			}
		}
	}
	return out
}

func TestAppendedBatchesAreReadInOrderAfterARestartToo(t *testing.T) {
	h := open(t, nil)
	p := h.partition("port.main.calls", bus.TopicConfig{})
	var want []string
	for i := range 40 {
		a := h.append(p, append(batch(fmt.Sprint(i, "a"), fmt.Sprint(i, "b")), batch(fmt.Sprint(i, "c"))...))
		if a.Base != int64(3*i) || a.Next != int64(3*i+3) {
			t.Fatalf("append %d got %+v", i, a)
		}
		for j, s := range []string{"a", "b", "c"} {
			want = append(want, fmt.Sprintf("%d:%d%s", 3*i+j, i, s))
		}
	}
	check := func(when string) {
		t.Helper()
		for _, maxBytes := range []int{1, 200, 1 << 20} {
			for _, from := range []int64{0, 1, 61, 119} {
				if got := h.read(p, from, maxBytes); fmt.Sprint(got) != fmt.Sprint(want[from:]) {
					t.Fatalf("%s, from %d with %d bytes: got %v", when, from, maxBytes, got)
				}
			}
		}
	}
	check("from RAM")
	h.restart()
	p = h.partition("port.main.calls", bus.TopicConfig{})
	if p.Next() != 120 {
		t.Fatalf("next offset is %d after a restart", p.Next())
	}
	check("from disk")
	h.append(p, batch("later"))
	want = append(want, "120:later")
	check("from both")
}

func TestManyPartitionsShareConnectionsAndRestart(t *testing.T) {
	h := open(t, func(o *bus.Options) { o.Fsync = bus.FsyncInterval })
	const partitions = 60
	top, err := h.bus.CreateTopic(t.Context(), "wide", bus.TopicConfig{Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, p := range top.Partitions() {
		all.Go(func() {
			for i := range 20 {
				if a, err := p.Append(context.Background(), batch(fmt.Sprint(i))); err != nil || a.Base != int64(i) {
					t.Errorf("partition %d: %+v, %v", p.Number(), a, err)
				}
			}
		})
	}
	all.Wait()
	for range 2 {
		if top, err = h.bus.Topic("wide"); err != nil {
			t.Fatal(err)
		}
		for _, p := range top.Partitions() {
			if got := h.read(p, 0, 1<<20); len(got) != 20 || p.Topic() != top {
				t.Fatalf("partition %d holds %d records", p.Number(), len(got))
			}
		}
		h.restart()
	}
}

func TestClosingAnswersWhatIsInFlightAndRefusesTheRest(t *testing.T) {
	h := open(t, nil)
	p := h.partition("t", bus.TopicConfig{})
	r := p.Reader(0)
	defer r.Close()
	var acked atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				_, err := p.Append(context.Background(), batch("x"))
				if err == nil {
					acked.Add(1)
					continue
				}
				if !errors.Is(err, bus.ErrRetry) {
					t.Error(err)
				}
				return
			}
		})
	}
	waitFor(t, "appends", func() bool { return acked.Load() > 50 })
	h.close()
	all.Wait()
	if _, err := r.Next(t.Context(), 1); fault.CodeOf(err) != fault.Unavailable {
		t.Fatalf("the reader got %v", err)
	}
	h.open()
	if got := h.partition("t", bus.TopicConfig{}).Next(); got != acked.Load() {
		t.Fatalf("%d in the log, %d acknowledged", got, acked.Load())
	}
}

func TestClosingDoesNotWaitForAStuckServerLongerThanItsContext(t *testing.T) {
	f := &faults{}
	h := open(t, func(o *bus.Options) { f.options(o); o.WithAckTimeout(time.Hour) })
	p := h.partition("t", bus.TopicConfig{})
	f.plan(stuck)
	refused := make(chan error, 1)
	go func() { _, err := p.Append(context.Background(), batch("x")); refused <- err }()
	waitFor(t, "the publish", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.hits[stuck] == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(h.bus.Close(ctx), h.meta.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("got %v", err)
	}
	h.bus = nil
}

// TestAReaderThatIsClosedLeavesNothingWithTheServer, although nobody waits for that.
func TestAReaderThatIsClosedLeavesNothingWithTheServer(t *testing.T) {
	h := open(t, func(o *bus.Options) { o.CacheBytes = 0 })
	p := h.partition("berths", bus.TopicConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if _, err := p.Append(ctx, batch("TM-4")); err != nil {
		t.Fatal(err)
	}
	r := p.Reader(0)
	if _, err := r.Next(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Consumers(ctx); err != nil || n != 1 {
		t.Fatalf("%d consumers while it reads, %v", n, err)
	}
	r.Close()
	for {
		n, err := p.Consumers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
