//go:build duckdb_arrow

package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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

const second = int64(1_000_000)

// Windows that are put together of panes have the rows of windows that are aggregated one by one, each once, wherever
// ticks end, however far time leaps, and whichever of its windows a row came too late for.
func TestPanesAreWindows(t *testing.T) {
	p, err := plan.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	of := &plan.Source{Name: "s", Time: "ts", Columns: []plan.Column{{Name: "k", Type: record.Long}, {Name: "v", Type: record.Int}, {Name: "ts", Type: record.Timestamp}}}
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test's
		keys := []string{"window_start", "window_end", "k, window_start", "window_end, k"}[seed%4]
		body := fmt.Sprintf(`SELECT %s, count(*) AS n, max(k) AS o, count(v) AS m, sum(v) AS s, avg(v) AS a, min(v) AS l, max(v) FILTER (v > 3) AS h
			FROM HOP(s, ts, INTERVAL '%d seconds', INTERVAL '12 seconds', INTERVAL '1 second') GROUP BY ALL`, keys, []int{3, 4, 6}[seed%3])
		panes, err := p.Plan(t.Context(), plan.Request{Body: body, OnClose: true}, func(context.Context, sqltext.Table) (*plan.Source, error) { return of, nil })
		if err != nil {
			t.Fatal(err)
		}
		op, ok := panes.Operators[0].(*operator.Panes)
		if !ok {
			t.Fatalf("%s: %s", body, panes.Operators[0])
		}
		windows := *panes
		windows.Operators = []operator.Operator{&op.Window}
		ticks := ticksOf(r, panes.Scans[0])
		got, want := emitted(t, panes, ticks), emitted(t, &windows, ticks)
		if len(want) < 10 || !slices.Equal(got, want) {
			t.Errorf("seed %d, %s: %d rows, want %d\n got %v\nwant %v", seed, body, len(got), len(want), got, want)
		}
	}
}

// ticksOf are ticks whose rows are around two partitions' own watermarks, behind which that of the closing stays.
func ticksOf(r *rand.Rand, scan *plan.Scan) (out []state.Tick) {
	var fields []arrow.Field
	for _, c := range slices.Concat(scan.Columns, scan.Hidden()) {
		fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	at, marks := int64(-40), [2]int64{operator.None, operator.None} // from before 1970 on
	closed := operator.Closing{Mark: operator.None, Flushed: operator.None}
	for n := range 30 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range r.IntN(25) {
			part := r.IntN(2)
			ts := (at+r.Int64N(40)-25)*second + r.Int64N(second)
			b.Field(0).(*array.Int64Builder).Append(r.Int64N(3))
			if b.Field(1).(*array.Int32Builder).Append(int32(r.IntN(9))); r.IntN(6) == 0 { //nolint:gosec // small
				b.Field(1).(*array.Int32Builder).SetNull(b.Field(1).Len() - 1)
			}
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(ts))
			b.Field(3).(*array.Int32Builder).Append(0)
			b.Field(4).(*array.Int32Builder).Append(int32(part)) //nolint:gosec // small
			b.Field(5).(*array.Int64Builder).Append(int64(n))
			for i, v := range []int64{marks[part], closed.Flushed} {
				if f := b.Field(6 + i).(*array.Int64Builder); v == operator.None {
					f.AppendNull()
				} else {
					f.Append(v)
				}
			}
			if r.IntN(3) == 0 {
				marks[part] = max(marks[part], ts-4*second)
			}
		}
		if at += r.Int64N(5); r.IntN(12) == 0 {
			at += 60
		}
		closed.Mark = max(closed.Mark, min(marks[0], marks[1]))
		if r.IntN(10) == 0 {
			closed.Flushed = max(closed.Flushed, (at-r.Int64N(20))*second)
		}
		one := state.Tick{MayLate: r.IntN(4) > 0 || marks != [2]int64{operator.None, operator.None} || closed.Flushed != operator.None, Progress: state.Progress{Closed: closed}, Rows: map[string]state.Rows{}}
		if batch := b.NewRecordBatch(); batch.NumRows() > 0 {
			one.Rows[scan.Relation] = state.Rows{Schema: schema, Batches: []arrow.RecordBatch{batch}}
		}
		out = append(out, one)
	}
	return append(out, state.Tick{Progress: state.Progress{Closed: operator.Closing{Mark: (at + int64(time.Hour/time.Second)) * second, Flushed: closed.Flushed}}})
}

// emitted are the rows that a plan tells, with the tick.
func emitted(t *testing.T, p *plan.Plan, ticks []state.Tick) (out []string) {
	t.Helper()
	s, err := state.Open(t.Context(), state.Options{Name: "p", MemoryBytes: 64 << 20}, p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	late := 0
	for _, tick := range ticks {
		tick.Progress.Plan = p.Hash
		tick.Late = func(rows []state.LateRow) error { late += len(rows); return nil }
		if _, err := s.Apply(t.Context(), tick); err != nil {
			t.Fatal(err)
		}
		epoch := s.Progress.Epoch
		err := s.Rows(t.Context(), epoch-1, epoch, func(b arrow.RecordBatch) error {
			for row := range int(b.NumRows()) {
				line := fmt.Sprint(epoch)
				for _, c := range b.Columns() {
					line += " " + c.ValueStr(row)
				}
				out = append(out, line)
			}
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	if late == 0 {
		t.Error("no row was late")
	}
	slices.Sort(out)
	return out
}
