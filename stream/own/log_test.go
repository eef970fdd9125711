package own_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record/schemas"
	"tarn/stream/own"
)

// ownTopics makes Tarn's own topics in a log of the test's.
func ownTopics(t *testing.T) (own.Topics, *slog.Logger) {
	t.Helper()
	dir, log, ctx := t.TempDir(), slog.New(slog.DiscardHandler), context.WithoutCancel(t.Context())
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	b, err := bus.Open(ctx, bus.Options{
		Dir: filepath.Join(dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 8 << 20,
		Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(ctx) })
	topics, err := own.Create(ctx, b, schemas.New(m))
	if err != nil {
		t.Fatal(err)
	}
	return topics, log
}

// TestALogHoldsNobodyUp: what there is no room for is left out and counted, the rest is appended in order, and what
// waits at the end is appended before Run returns.
func TestALogHoldsNobodyUp(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	topics, log := ownTopics(t)
	l := own.NewLog(own.Ticks)
	const added, room = 5000, 4096
	for i := range added { // nobody takes them yet
		l.Add(time.Now(), struct {
			Pipeline string `json:"pipeline"`
		}{fmt.Sprint(i)})
	}
	if got := l.Dropped(); got != added-room {
		t.Errorf("%d left out of %d", got, added)
	}
	ended, end := context.WithCancel(ctx)
	end()
	l.Run(ended, ctx, topics, log)
	if got := topics[own.Ticks].Partition.Next(); got != room {
		t.Errorf("%d records are in the topic, want %d", got, room)
	}
	l.Add(time.Now(), struct{}{})
	gone, cut := context.WithCancel(ctx)
	cut()
	l.Run(gone, gone, topics, log) // there is no time left
	if got := topics[own.Ticks].Partition.Next(); got != room {
		t.Errorf("%d records", got)
	}
}
