//go:build duckdb_arrow

package state_test

import (
	"context"
	"testing"

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

// A row that came too late by a flush, before its partition had any watermark, is told without one: whatever lies
// beneath the null, two readings of the same windows tell the same row.
func TestALateRowWithoutAWatermark(t *testing.T) {
	p, err := plan.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	of := &plan.Source{Name: "s", Time: "ts", Columns: []plan.Column{{Name: "v", Type: record.Long}, {Name: "ts", Type: record.Timestamp}}}
	made, err := p.Plan(t.Context(), plan.Request{Body: `SELECT window_end, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '10 seconds') GROUP BY window_end
		UNION ALL SELECT window_end, count(*) AS n FROM HOP(s, ts, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY window_end`, OnClose: true},
		func(context.Context, sqltext.Table) (*plan.Source, error) { return of, nil })
	if err != nil {
		t.Fatal(err)
	}
	scan := made.Scans[0]
	var fields []arrow.Field
	for _, c := range append(append([]plan.Column{}, scan.Columns...), scan.Hidden()...) {
		fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, f := range b.Fields() {
		switch fields[i].Name {
		case "ts":
			f.(*array.TimestampBuilder).Append(arrow.Timestamp(7 * second))
		case operator.Scanned, operator.Partition:
			f.(*array.Int32Builder).Append(0)
		case operator.Flushed:
			f.(*array.Int64Builder).Append(60 * second)
		case operator.Mark:
			f.(*array.Int64Builder).Append(-1) // beneath the null
			f.(*array.Int64Builder).SetNull(0)
		default:
			f.(*array.Int64Builder).Append(0)
		}
	}
	s, err := state.Open(t.Context(), state.Options{Name: "p", MemoryBytes: 64 << 20}, made)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var late []state.LateRow
	_, err = s.Apply(t.Context(), state.Tick{
		MayLate:  true,
		Progress: state.Progress{Plan: made.Hash, Closed: operator.Closing{Mark: operator.None, Flushed: 60 * second}},
		Rows:     map[string]state.Rows{scan.Relation: {Schema: schema, Batches: []arrow.RecordBatch{b.NewRecordBatch()}}},
		Late:     func(rows []state.LateRow) error { late = rows; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(late) != 3 { // one of TUMBLE, two of HOP
		t.Fatalf("%d rows were late: %+v", len(late), late)
	}
	for _, one := range late {
		if one.Mark != operator.None {
			t.Errorf("late by the watermark %d, and there was none", one.Mark)
		}
	}
}
