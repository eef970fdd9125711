package uitest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// Log is a log with topics of its own, for what reads records.
type Log struct {
	*bus.Bus
	t testing.TB
}

// OpenLog opens an empty log, which is closed with the test.
func OpenLog(t testing.TB) *Log {
	t.Helper()
	dir := t.TempDir()
	m, err := meta.Open(context.Background(), filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(context.Background(), bus.Options{
		Dir: filepath.Join(dir, "bus"), Meta: m, CacheBytes: 1 << 20, Fsync: bus.FsyncAlways, SyncInterval: time.Second,
		Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Log{b, t}
}

// Create makes a topic that keeps its records, however old they are.
func (l *Log) Create(name string, partitions int32) {
	l.t.Helper()
	if _, err := l.CreateTopic(context.Background(), name, bus.TopicConfig{Partitions: partitions, Retention: -1}); err != nil {
		l.t.Fatal(err)
	}
}

// Append writes records to a partition.
func (l *Log) Append(topic string, partition int, records ...record.Record) {
	l.t.Helper()
	t, err := l.Topic(topic)
	if err == nil {
		_, err = t.Partitions()[partition].Append(context.Background(), record.Encode(records))
	}
	if err != nil {
		l.t.Fatal(err)
	}
}
