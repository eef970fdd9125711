package bus_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// counted reads a counter.
func counted(t testing.TB, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	all, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// keepMeta takes a copy of meta.db, which putBack puts in its place.
func (h *house) keepMeta() (putBack func()) {
	h.t.Helper()
	path := filepath.Join(h.dir, "meta.db")
	old, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return func() {
		h.t.Helper()
		lose(h.t, h.dir, "meta.db*")
		if err := os.WriteFile(path, old, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestATopicMadeAgainSinceTheBackupOfMetaGoesOn: meta.db is put back from before, and
// bears another id for the topic than its stream.
func TestATopicMadeAgainSinceTheBackupOfMetaGoesOn(t *testing.T) {
	for name, edit := range map[string]func(string) string{
		"known":   func(kept string) string { return kept },
		"deleted": func(kept string) string { return strings.TrimSuffix(kept, "}") + `,"deleted":true}` },
	} {
		t.Run(name, func(t *testing.T) {
			var metrics *prometheus.Registry
			h := open(t, func(o *bus.Options) {
				metrics = prometheus.NewRegistry()
				o.Metrics = metrics
			})
			old := h.partition("t", bus.TopicConfig{})
			h.append(old, placed("s/i/0009"))
			h.append(old, placed("s/i/0010"))
			if err := old.Trim(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			h.close()
			putBack := h.keepMeta()
			h.open()
			if err := h.bus.DeleteTopic(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			p := h.partition("t", bus.TopicConfig{Retention: time.Hour})
			first := h.append(p, batch("a")).Base
			id := p.Topic().Config().ID
			h.close()
			putBack()
			rewrite(t, h.dir, "t", edit)
			for range 2 {
				h.open()
				top, err := h.bus.Topic("t")
				if err != nil {
					t.Fatal(err)
				}
				if c := top.Config(); c.ID != id || c.Retention != time.Hour {
					t.Fatalf("config is %+v", c)
				}
				p = top.Partitions()[0]
				if pos, ok := p.Place("s"); ok {
					t.Fatalf("the new topic has the place %v of the old one", pos)
				}
				h.append(p, batch("b"))
				if got := h.read(p, first, 1); got[0] != fmt.Sprint(first, ":a") {
					t.Fatalf("got %v", got)
				}
				if n := counted(t, metrics, "tarn_bus_restarts_total"); n != 0 {
					t.Fatalf("%v restarts", n)
				}
				h.close()
			}
		})
	}
}

// rewrite edits what meta keeps of a topic.
func rewrite(t testing.TB, dir, topic string, edit func(string) string) {
	t.Helper()
	ctx := context.Background()
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Get(ctx, meta.Topics, topic)
	if err == nil {
		err = m.Put(ctx, meta.Entry{Bucket: meta.Topics, Key: topic, Value: []byte(edit(string(v)))})
	}
	if err := errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestATopicWhoseMakingWasCutShortTakesAppends: its stream is there already.
func TestATopicWhoseMakingWasCutShortTakesAppends(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	h := open(t, func(o *bus.Options) {
		o.Recorded = func(context.Context, string, int32) (record.PartitionOffsets, error) {
			if broken.Load() {
				return record.PartitionOffsets{}, errPlanted
			}
			return record.PartitionOffsets{}, nil
		}
	})
	if _, err := h.bus.CreateTopic(t.Context(), "t", bus.TopicConfig{Partitions: 2}); !errors.Is(err, errPlanted) {
		t.Fatalf("got %v", err)
	}
	broken.Store(false)
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, batch("a"))
	if n := len(p.Topic().Partitions()); n != 2 {
		t.Fatalf("%d partitions", n)
	}
}

func TestAPartitionThatDoesNotHealIsSetAsideAndOthersGoOn(t *testing.T) {
	var deaf atomic.Pointer[string] // the subject that the server does not hear
	var metrics *prometheus.Registry
	h := open(t, func(o *bus.Options) {
		metrics = prometheus.NewRegistry()
		o.Metrics = metrics
		o.WithAckTimeouts(func(subject string) time.Duration {
			if s := deaf.Load(); s != nil && *s == subject {
				return 300 * time.Millisecond // half of it is what a prompt disk takes at most
			}
			return waitLimit
		})
		o.WithPublish(func(nc *nats.Conn, m *nats.Msg) error {
			if s := deaf.Load(); s != nil && *s == m.Subject {
				return nil
			}
			return nc.PublishMsg(m)
		})
	})
	p, q := h.partition("p", bus.TopicConfig{}), h.partition("q", bus.TopicConfig{})
	h.append(p, batch("a"))
	h.append(q, batch("a"))
	r := p.Reader(1)
	defer r.Close()
	waiting := make(chan error, 1)
	go func() { _, err := r.Next(context.Background(), 1); waiting <- err }()

	stream, subject := p.Stream()
	deaf.Store(&subject)
	var err error
	waitFor(t, "the partition to be set aside", func() bool {
		_, err = p.Append(t.Context(), batch("b"))
		return !errors.Is(err, bus.ErrRetry)
	})
	check := func(err error) {
		t.Helper()
		if fault.CodeOf(err) != fault.Damaged || errors.Is(err, bus.ErrRetry) || fault.HintOf(err) == "" ||
			!strings.Contains(err.Error(), "p/0") || !strings.Contains(err.Error(), filepath.Join(h.dir, "bus")) || !strings.Contains(err.Error(), stream) {
			t.Fatalf("got %v, hint %q", err, fault.HintOf(err))
		}
	}
	check(err)
	check(<-waiting)
	_, err = r.Next(t.Context(), 1)
	check(err)
	if report := h.bus.Report(); len(report) != 1 || report[0].Name != "bus:p/0" {
		t.Fatalf("report is %+v", report)
	}

	restarts := counted(t, metrics, "tarn_bus_restarts_total")
	for range 20 {
		_, err = p.Append(t.Context(), batch("b"))
		check(err)
		h.insist(q, batch("b"))
	}
	if n := counted(t, metrics, "tarn_bus_restarts_total"); n != restarts {
		t.Fatalf("%v restarts, and %v more", restarts, n-restarts)
	}
	deaf.Store(nil)
	h.restart()
	h.append(h.partition("p", bus.TopicConfig{}), batch("c"))
	if got := fmt.Sprint(h.read(h.partition("p", bus.TopicConfig{}), 0, 1)); got != "[0:a 1:c]" {
		t.Fatalf("got %s", got)
	}
}

// TestASlowDiskCostsNoPartition: what no partition's appends come through is not one's own.
func TestASlowDiskCostsNoPartition(t *testing.T) {
	const ackTimeout = 100 * time.Millisecond
	var deaf, slow atomic.Bool
	var metrics *prometheus.Registry
	h := open(t, func(o *bus.Options) {
		metrics = prometheus.NewRegistry()
		o.Metrics = metrics
		o.WithAckTimeout(ackTimeout)
		o.WithPublish(func(nc *nats.Conn, m *nats.Msg) error {
			if deaf.Load() {
				return nil
			}
			return nc.PublishMsg(m)
		})
		o.Disk = &disk.FS{Hook: func(op, _ string) error {
			if op == "sync" && slow.Load() {
				time.Sleep(ackTimeout)
			}
			return nil
		}}
	})
	p := h.partition("p", bus.TopicConfig{})
	deaf.Store(true)
	slow.Store(true)
	waitFor(t, "more restarts than one partition may ask for", func() bool {
		if _, err := p.Append(t.Context(), batch("a")); !errors.Is(err, bus.ErrRetry) {
			t.Fatalf("got %v", err)
		}
		return counted(t, metrics, "tarn_bus_restarts_total") > 6
	})
	deaf.Store(false)
	h.insist(p, batch("a"))
}

// TestADiskThatTakesNoWritesCostsNoPartition: the server is not restarted until it does.
func TestADiskThatTakesNoWritesCostsNoPartition(t *testing.T) {
	f := &faults{}
	var bad atomic.Bool
	var asked atomic.Int64
	var metrics *prometheus.Registry
	h := open(t, func(o *bus.Options) {
		f.options(o)
		metrics = prometheus.NewRegistry()
		o.Metrics = metrics
		o.Disk = &disk.FS{Hook: func(op, _ string) error {
			if op == "sync" && bad.Load() {
				asked.Add(1)
				return errPlanted
			}
			return nil
		}}
	})
	p := h.partition("t", bus.TopicConfig{})
	h.append(p, batch("a"))
	bad.Store(true)
	f.plan(stuck)
	waitFor(t, "the disk to be asked", func() bool {
		if _, err := p.Append(t.Context(), batch("b")); !errors.Is(err, bus.ErrRetry) {
			t.Fatalf("got %v", err)
		}
		return asked.Load() > 3
	})
	if n := counted(t, metrics, "tarn_bus_restarts_total"); n != 0 {
		t.Fatalf("%v restarts", n)
	}
	bad.Store(false)
	h.insist(p, batch("b"))
	if got := fmt.Sprint(h.read(p, 0, 1)); got != "[0:a 1:b]" {
		t.Fatalf("got %s", got)
	}
}

// TestAStopDoesNotWaitForWhatIsNeverAnswered: a full disk leaves an append without an answer.
func TestAStopDoesNotWaitForWhatIsNeverAnswered(t *testing.T) {
	sent := make(chan struct{})
	h := open(t, func(o *bus.Options) {
		o.WithAckTimeout(time.Hour)
		o.WithPublish(func(*nats.Conn, *nats.Msg) error { close(sent); return nil })
	})
	p := h.partition("p", bus.TopicConfig{})
	refused := make(chan error, 1)
	go func() {
		_, err := p.Append(context.Background(), batch("a"))
		refused <- err
	}()
	<-sent
	if err := h.bus.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, bus.ErrRetry) {
		t.Fatalf("got %v", err)
	}
}
