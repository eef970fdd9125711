package kafka_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/bus/txn"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/ingest/kafka"
)

func TestMain(m *testing.M) {
	childMain()
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushLoop"))
}

// patience bounds every wait of these tests; none of them needs it.
const patience = 2 * time.Minute

// house is a bus with the door before it.
type house struct {
	t      testing.TB
	dir    string
	bus    *bus.Bus
	groups *group.Coordinator
	addr   string
	stop   func()
	with   setting
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return newHouseWith(t, setting{})
}

func newHouseWith(t testing.TB, with setting) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), with: with}
	h.open()
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) open() {
	h.t.Helper()
	s, err := serve(h.t.Context(), h.dir, cmp.Or(h.addr, "127.0.0.1:0"), h.with)
	if err != nil {
		h.t.Fatal(err)
	}
	h.bus, h.groups, h.addr = s.bus, s.groups, s.addr
	h.stop = sync.OnceFunc(func() {
		if err := s.stop(); err != nil {
			h.t.Error(err)
		}
	})
}

// served is a folder with its door open.
type served struct {
	bus    *bus.Bus
	groups *group.Coordinator
	addr   string
	stop   func() error
}

// setting is what a test sets of a house.
type setting struct {
	disk    *disk.FS              // nil: without faults
	metrics prometheus.Registerer // of the door
	drain   time.Duration         // 0: drainMax
}

// stall is a disk on which the log stands still from shut to open.
func stall() (fs *disk.FS, shut, open func()) {
	var gate atomic.Pointer[chan struct{}]
	fs = &disk.FS{Hook: func(op, _ string) error {
		if c := gate.Load(); op == "free" && c != nil {
			<-*c
		}
		return nil
	}}
	c := make(chan struct{})
	return fs, func() { gate.Store(&c) }, sync.OnceFunc(func() { close(c) })
}

func serve(ctx context.Context, dir, addr string, with setting) (*served, error) {
	log := slog.New(slog.DiscardHandler)
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		return nil, err
	}
	b, err := bus.Open(ctx, bus.Options{
		Dir: filepath.Join(dir, "bus"), Fsync: bus.FsyncAlways, CacheBytes: 1 << 20,
		Meta: m, Disk: cmp.Or(with.disk, disk.Local), Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		return nil, err
	}
	groups, err := group.Open(ctx, group.Options{Meta: m, Topic: group.Topics(b), TopicsChanged: b.Changed, Log: log})
	if err != nil {
		return nil, err
	}
	transactions, err := txn.Open(ctx, txn.Options{Bus: b, Groups: groups, Meta: m, Log: log})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	o := kafka.Options{Listener: l, Bus: b, Groups: groups, Transactions: transactions, Meta: m, Log: log, Metrics: with.metrics}
	o.WithDrain(with.drain)
	d := kafka.New(o)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done, ready := make(chan error, 1), make(chan struct{})
	go func() { done <- d.Run(running, func() { close(ready) }) }()
	<-ready
	return &served{b, groups, l.Addr().String(), func() error {
		cancel()
		err := <-done
		last := context.Background()
		return errors.Join(err, transactions.Close(last), groups.Close(last), b.Close(last), m.Close())
	}}, nil
}

// client is a franz-go client of the house.
func (h *house) client(opts ...kgo.Opt) *kgo.Client {
	h.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(h.addr), kgo.AllowAutoTopicCreation()}, opts...)...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(c.Close)
	return c
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestProduceAndConsume(t *testing.T) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			h, ctx := newHouse(t), within(t)
			const records = 5000
			p := h.client(kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic("port.gates"))
			for i := range records {
				p.Produce(ctx, &kgo.Record{Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, "container %d passes the gate", i)}, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if err := p.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			c := h.client(kgo.ConsumeTopics("port.gates"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			for next := 0; next < records; {
				got := c.PollFetches(ctx)
				if err := got.Err(); err != nil {
					t.Fatal(err)
				}
				got.EachRecord(func(r *kgo.Record) {
					if string(r.Key) != fmt.Sprint(next) || r.Offset != int64(next) {
						t.Fatalf("record %d has key %s and offset %d", next, r.Key, r.Offset)
					}
					next++
				})
			}
		})
	}
}
