//go:build duckdb_arrow

package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/operator"
	"tarn/stream/plan"
	"tarn/stream/state"
)

// BenchmarkTick is the CPU of a million rows through a durable state, by ticks of so many.
func BenchmarkTick(b *testing.B) {
	for name, from := range map[string]string{"tumble": "TUMBLE(s, ts, INTERVAL '10 seconds')", "hop": "HOP(s, ts, INTERVAL '2 seconds', INTERVAL '10 seconds')"} {
		for _, rows := range []int{100, 5_000, 20_000, 40_000, 80_000} {
			b.Run(fmt.Sprintf("%s-%d", name, rows), func(b *testing.B) { benchTicks(b, from, rows) })
		}
	}
}

func benchTicks(b *testing.B, from string, rows int) {
	p, err := plan.New(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	of := &plan.Source{Name: "s", Time: "ts", Delay: 4 * time.Second, Columns: []plan.Column{{Name: "k", Type: record.Long}, {Name: "v", Type: record.Long}, {Name: "ts", Type: record.TimestampTZ}}}
	made, err := p.Plan(b.Context(), plan.Request{Body: "SELECT k, count(*) AS n, max(v) AS m, sum(v) AS s, window_start FROM " + from + " GROUP BY ALL", OnClose: true},
		func(context.Context, sqltext.Table) (*plan.Source, error) { return of, nil })
	if err != nil {
		b.Fatal(err)
	}
	s, err := state.Open(b.Context(), state.Options{Name: "p", MemoryBytes: 64 << 20, Path: filepath.Join(b.TempDir(), "s.duckdb")}, made)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var fields []arrow.Field
	for _, c := range append(append([]plan.Column{}, made.Scans[0].Columns...), made.Scans[0].Hidden()...) {
		fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	r := rand.New(rand.NewPCG(1, 7)) //nolint:gosec // a test's
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	var spent time.Duration
	var done int
	ticks := max(1, min(1_000_000/rows, 300))
	b.ResetTimer()
	for range b.N * ticks {
		rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range rows {
			at += 100 // ten thousand a second
			k := r.Int64N(100)
			if k >= 50 {
				k = at/5000 + r.Int64N(2000)
			}
			rb.Field(0).(*array.Int64Builder).Append(k)
			rb.Field(1).(*array.Int64Builder).Append(r.Int64N(10000))
			rb.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(at))
			rb.Field(3).(*array.Int32Builder).Append(0)
			rb.Field(4).(*array.Int32Builder).Append(0)
			rb.Field(5).(*array.Int64Builder).Append(at)
			rb.Field(6).(*array.Int64Builder).Append(at - 4e6)
			rb.Field(7).(*array.Int64Builder).AppendNull()
		}
		batch := rb.NewRecordBatch()
		before := ownCPU()
		_, err := s.Apply(b.Context(), state.Tick{
			Rows:     map[string]state.Rows{"in0": {Schema: schema, Batches: []arrow.RecordBatch{batch}}},
			Pruned:   s.Progress.Epoch,
			Progress: state.Progress{Plan: made.Hash, Closed: operator.Closing{Mark: at - 4e6, Flushed: operator.None}},
		})
		if err != nil {
			b.Fatal(err)
		}
		spent += ownCPU() - before
		done += rows
		batch.Release()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(done), "cpu-ns/row")
	b.ReportMetric(float64(spent.Microseconds())/1000/float64(b.N*ticks), "cpu-ms/tick")
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
