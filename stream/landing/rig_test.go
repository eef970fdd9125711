package landing_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/stream/landing"
	"tarn/stream/pipeline"
)

// patience bounds every wait for a condition.
const patience = 3 * time.Minute

type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig is the floor under a landing: a real bus and a lake in memory.
type rig struct {
	ctx     context.Context //nolint:containedctx // of the whole test, in the place of main's
	bus     *bus.Bus
	schemas *schemas.Store
	lake    *lake
	every   time.Duration

	landing *landing.Landing
	stop    func()
}

func newRig(t testing.TB) *rig {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	ctx := context.WithoutCancel(t.Context())
	m, err := meta.Open(ctx, filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(ctx, bus.Options{
		Dir: filepath.Join(dir, "bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 8 << 20,
		Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{ctx: ctx, bus: b, schemas: schemas.New(m), lake: newLake(), every: time.Millisecond}
	t.Cleanup(func() {
		r.halt()
		_ = b.Close(ctx)
		_ = m.Close()
	})
	return r
}

// run starts a landing, which stands for a new process.
func (r *rig) run() {
	r.landing = landing.New(landing.Options{
		Bus: r.bus, Schemas: r.schemas, Tables: r.lake, CommitInterval: r.every, MemoryBytes: 64 << 20,
		Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(r.ctx)
	var wg sync.WaitGroup
	ready := make(chan struct{})
	wg.Go(func() { _ = r.landing.Run(ctx, func() { close(ready) }) })
	<-ready
	r.stop = func() { cancel(); wg.Wait() }
}

func (r *rig) halt() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

func (r *rig) topic(t tb, name string, c bus.TopicConfig) *bus.Topic {
	t.Helper()
	top, err := r.bus.CreateTopic(r.ctx, name, c)
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	return top
}

func (r *rig) line(topic string) pipeline.Landing {
	for _, one := range r.landing.Landings() {
		if one.Topic == topic {
			return one
		}
	}
	return pipeline.Landing{}
}

// settled waits until everything on the bus is in both tables of a topic.
func (r *rig) settled(t tb, top *bus.Topic) pipeline.Landing {
	t.Helper()
	var next int64
	for _, p := range top.Partitions() {
		next += p.Next()
	}
	keyed := top.Config().Keyed
	r.wait(t, func() bool {
		one := r.line(top.Name())
		return one.BronzeNext >= next && (!keyed || one.SilverNext >= next)
	}, func() any { return r.line(top.Name()) })
	return r.line(top.Name())
}

func (r *rig) wait(t tb, done func() bool, state func() any) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain: %+v", patience, state())
		}
	}
}

// source appends what a connector would.
type source struct {
	rig    *rig
	topic  *bus.Topic
	schema *record.Schema
	gen    int64
	seq    int64
}

func (s *source) put(t tb, schema record.Schema) {
	t.Helper()
	id, err := s.rig.schemas.Put(s.rig.ctx, schema)
	if err != nil {
		t.Fatalf("store schema: %v", err)
	}
	if s.schema, err = s.rig.schemas.Get(s.rig.ctx, id); err != nil {
		t.Fatalf("read schema: %v", err)
	}
}

func (s *source) pos() string {
	s.seq++
	return record.Pos{Source: "src", Incarnation: "i1", Place: record.Hex16(s.seq)}.String()
}

func (s *source) headers() []record.Header {
	return []record.Header{
		{Key: record.HeaderPos, Value: []byte(s.pos())},
		{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, s.schema.ID, 10)},
		{Key: record.HeaderGen, Value: strconv.AppendInt(nil, s.gen, 10)},
	}
}

// change renders one change, and the tombstone behind a delete.
func (s *source) change(op byte, before, after record.Row) []record.Record {
	row := after
	if row == nil {
		row = before
	}
	var key []byte
	if row != nil {
		key = envelope.AppendKey(nil, s.schema, row)
	}
	src := envelope.Source{Version: "test", Connector: "sqlite", Name: "port", Snapshot: "false", Database: "port.db", Schema: "main", Table: s.schema.Table}
	out := []record.Record{{
		Timestamp: time.Now().UnixMilli(), Key: key,
		Value: envelope.Append(nil, s.schema, &src, op, before, after, 1), Headers: s.headers(),
	}}
	if op == 'd' {
		out = append(out, record.Record{Timestamp: time.Now().UnixMilli(), Key: key, Headers: s.headers()})
	}
	return out
}

func (s *source) append(t tb, batches ...record.Batch) {
	t.Helper()
	var all []byte
	for _, b := range batches {
		all = append(all, b...)
	}
	if _, err := s.topic.Partitions()[0].Append(s.rig.ctx, all); err != nil {
		t.Fatalf("append: %v", err)
	}
}

func (s *source) mark(kind record.MarkKind) record.Batch {
	return record.EncodeMark(record.Mark{Kind: kind, Generation: s.gen, Schema: s.schema.ID, Pos: s.pos()}, time.Now().UnixMilli())
}

func num(n int64) record.Value    { return record.Value{Kind: record.IntKind, I: n} }
func str(s string) record.Value   { return record.Value{Kind: record.TextKind, B: []byte(s)} }
func real(f float64) record.Value { return record.Value{Kind: record.FloatKind, F: f} }
