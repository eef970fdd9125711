package kafka_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/ingest/kafka"
)

func TestMain(m *testing.M) {
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
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	h.open()
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) open() {
	h.t.Helper()
	log := slog.New(slog.DiscardHandler)
	m, err := meta.Open(h.t.Context(), filepath.Join(h.dir, "meta.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.bus, err = bus.Open(h.t.Context(), bus.Options{
		Dir: filepath.Join(h.dir, "bus"), Fsync: bus.FsyncAlways, CacheBytes: 1 << 20,
		Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.groups, err = group.Open(h.t.Context(), group.Options{Meta: m, Topic: group.Topics(h.bus), TopicsChanged: h.bus.Changed, Log: log})
	if err != nil {
		h.t.Fatal(err)
	}
	l, err := net.Listen("tcp", cmp.Or(h.addr, "127.0.0.1:0"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.addr = l.Addr().String()
	d := kafka.New(kafka.Options{Listener: l, Bus: h.bus, Groups: h.groups, Meta: m, Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ready := make(chan struct{})
	go func() { done <- d.Run(ctx, func() { close(ready) }) }()
	<-ready
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		_ = h.groups.Close(context.Background())
		_ = h.bus.Close(context.Background())
		_ = m.Close()
	}
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
