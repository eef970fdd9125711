package source_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/ingest/source"
)

// nowhere is a log that keeps nothing.
type nowhere struct{}

func (nowhere) Open(context.Context, string, bus.TopicConfig) (source.Partition, error) {
	return nowhere{}, nil
}
func (nowhere) Find(string) (source.Partition, bool) { return nil, false }
func (nowhere) Owners() map[string]string            { return nil }
func (nowhere) Records(context.Context, string, int64) ([]record.Record, int64, error) {
	return nil, 0, nil
}
func (nowhere) Generation(context.Context, string) (int64, error)        { return 0, nil }
func (nowhere) Append(context.Context, []byte) (a bus.Appended, _ error) { return a, nil }
func (nowhere) Place(string) (pos record.Pos, _ bool)                    { return pos, false }

// repeater gives the same changes as often as it is told to.
type repeater struct {
	topics []source.TopicBatch
	left   int
	done   chan struct{}
}

func (r *repeater) Next(ctx context.Context) (source.Batch, error) {
	if r.left == 0 {
		close(r.done)
		<-ctx.Done()
		return source.Batch{}, ctx.Err()
	}
	r.left--
	for i := range r.topics {
		r.topics[i].Incarnation = fmt.Sprint(r.left) // of another log, so that none is dropped as known
	}
	return source.Batch{Topics: r.topics, Mark: source.Position("{}")}, nil
}
func (r *repeater) Ack(context.Context, source.Position) error { return nil }
func (r *repeater) Close() error                               { return nil }

// BenchmarkRunner makes events of 10,000 changes of eight columns, half of them creates and a quarter each updates and deletes, and hands them to a log
// that keeps nothing.
func BenchmarkRunner(b *testing.B) {
	const changes = 10_000
	m, err := meta.Open(b.Context(), filepath.Join(b.TempDir(), "meta.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	schema := &record.Schema{ID: 1, Database: "port", Schema: "public", Table: "moves", Columns: []record.Column{
		{Name: "id", Type: record.Long, Key: 1},
		{Name: "container", Type: record.String, Nullable: true},
		{Name: "vessel", Type: record.String, Nullable: true},
		{Name: "teu", Type: record.Int, Nullable: true},
		{Name: "weight", Type: "decimal(10,2)", Semantic: record.Decimal, Scale: 2, Nullable: true},
		{Name: "moved_at", Type: record.Timestamp, Semantic: record.ZonedTimestamp, Nullable: true},
		{Name: "ok", Type: record.Boolean, Nullable: true},
		{Name: "note", Type: record.String, Nullable: true},
	}}
	text := func(format string, i int) record.Value {
		return record.Value{Kind: record.TextKind, B: fmt.Appendf(nil, format, i)}
	}
	topic := source.TopicBatch{Topic: "p.public.moves", Schema: schema, Generation: 1, Snapshot: "false"}
	for i := range changes {
		row := record.Row{
			{Kind: record.IntKind, I: int64(i)},
			text("TCLU%07d", i), text("VES%d", i%500),
			{Kind: record.IntKind, I: int64(i % 3)},
			text("%d.25", i%3000),
			{Kind: record.IntKind, I: 1_767_225_600_000_000 + int64(i)},
			{Kind: record.BoolKind, I: int64(i % 2)},
			text("note %d", i),
		}
		gone := make(record.Row, len(row))
		gone[0] = row[0]
		c := source.Change{Op: source.Create, After: row, TxID: 700, LSN: int64(i) + 1e9, LastCommit: 1e9, TS: time.Unix(1_767_225_600, 0), Place: fmt.Sprintf("%016x%016x%04x", 1<<40, i, 0)}
		switch i % 4 {
		case 0:
			c.Op = source.Update
		case 1:
			c.Op, c.Before, c.After = source.Delete, gone, nil
		}
		topic.Changes = append(topic.Changes, c)
	}
	r := &repeater{topics: []source.TopicBatch{topic}, left: b.N, done: make(chan struct{})}
	runner := source.NewRunner(source.Options{
		Kind: source.Kind{Class: "bench", Name: "postgresql", Open: func(context.Context, source.Config, source.Env, source.Position) (source.Source, error) {
			return r, nil
		}},
		Config: source.Config{Name: "s", Keys: map[string]string{"topic.prefix": "p"}}, Log: nowhere{}, Meta: m, Schemas: schemas.New(m),
		Logger: slog.New(slog.DiscardHandler), Metrics: source.NewMetrics(nil), Clock: life.SystemClock{}, Version: "test",
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	before := spent(b)
	go func() { defer close(ended); runner.Run(ctx) }()
	<-r.done
	b.StopTimer()
	b.ReportMetric((spent(b)-before)/float64(b.N)/changes, "cpu-ns/change")
	cancel()
	<-ended
}

// spent is the process's own time, which a busy machine does not stretch.
func spent(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}
