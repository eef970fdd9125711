//go:build duckdb_arrow

package exec

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/landing"
	"tarn/stream/operator"
	"tarn/stream/plan"
	"tarn/stream/state"
)

// mirrorGeneration is the column of a mirror that says of which snapshot of the source a row is.
const mirrorGeneration = "_generation"

// bootstrap fills the state of a new pipeline with the rows of the mirrors that it reads, as of one
// snapshot each, and notes from which offsets their topics go on (rule 14). Nothing is
// committed before all of it is there; a start that is cut short begins with an empty state. Answers that are
// there before any row came are told at the end of it.
func (s *session) bootstrap(ctx context.Context) error {
	if s.state.Progress.Loaded {
		return nil
	}
	for i, input := range s.job.Inputs {
		if input.Mirror.Name == "" {
			if _, _, err := s.parts(ctx, i); err != nil {
				return err // before the table gets anything
			}
		}
	}
	s.next.Loaded = true
	for i, input := range s.job.Inputs {
		if input.Mirror.Name == "" {
			continue
		}
		s.next.Loaded = false
		if err := s.load(ctx, i); err != nil {
			return fmt.Errorf("read %s: %w", input.Mirror, err)
		}
	}
	begins := slices.ContainsFunc(s.plan.Operators, func(op operator.Operator) bool { return len(op.Begin()) > 0 })
	if s.next.Loaded && !begins {
		return nil
	}
	s.next.Loaded, s.moved = true, true
	return s.tick(ctx)
}

// load reads one mirror, a tick for each batch.
func (s *session) load(ctx context.Context, number int) error {
	input, of := &s.job.Inputs[number], s.plan.Scans[number]
	t, err := s.o.Tables.Open(ctx, input.Mirror)
	if err != nil {
		return err
	}
	topic, err := s.topic(input.Topic)
	if err != nil {
		return err
	}
	var columns []string
	for _, c := range of.Columns {
		columns = append(columns, c.Name)
	}
	if !input.Loose && slices.Contains(landing.MirrorKey(t), landing.KeyColumn) {
		return s.anew(input.Mirror, nullNow)
	}
	generations := columnNamed(t.Columns(), mirrorGeneration) >= 0
	if generations {
		columns = append(columns, mirrorGeneration)
	}
	_, properties, err := t.Read(ctx, columns, func(b arrow.RecordBatch) error { return s.loaded(ctx, of, b, generations) })
	if err != nil {
		return err
	}
	o, err := landedOf(input.Mirror, properties[table.PropOffsets+landing.Reader])
	if err != nil {
		return err
	}
	for _, p := range topic.Partitions() {
		s.next.Parts[state.Key(number, p.Number())] = &state.Part{Topic: topic.Config().ID, Next: o.At(input.Topic, p.Number()).Next, Flushed: state.None}
	}
	return nil
}

// landedOf reads a mirror's property that says how far its rows go.
func landedOf(mirror table.Ident, text string) (o record.Offsets, err error) {
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, failure{fault.Wrap(err, fault.Damaged, "read the offsets of "+mirror.String(), "it is no mirror that landing fills")}
	}
	return o, nil
}

// loaded ticks one batch of a mirror's rows.
func (s *session) loaded(ctx context.Context, scan *plan.Scan, b arrow.RecordBatch, generations bool) error {
	rows, columns := int(b.NumRows()), len(scan.Columns)
	offset, deleted, generation := array.NewInt64Builder(memory.DefaultAllocator), array.NewBooleanBuilder(memory.DefaultAllocator), array.NewInt64Builder(memory.DefaultAllocator)
	defer offset.Release()
	defer deleted.Release()
	defer generation.Release()
	var of *array.Int64
	if generations {
		of, _ = b.Column(columns).(*array.Int64)
	}
	for i := range rows {
		offset.Append(-1)
		deleted.Append(false)
		if of != nil && of.IsValid(i) {
			generation.Append(of.Value(i))
		} else {
			generation.Append(0)
		}
	}
	arrays := append([]arrow.Array{}, b.Columns()[:columns]...)
	made := []arrow.Array{offset.NewArray(), deleted.NewArray(), generation.NewArray()}
	batch := array.NewRecordBatch(schemaOf(scan.Columns, scan.Hidden()), append(arrays, made...), int64(rows))
	defer batch.Release()
	for _, a := range made {
		a.Release()
	}
	progress := s.next.Clone()
	progress.Closed = s.state.Progress.Closed
	emitted, err := s.state.Apply(ctx, state.Tick{Rows: map[string]state.Rows{scan.Relation: {Schema: batch.Schema(), Batches: []arrow.RecordBatch{batch}}}, Progress: progress})
	s.next.Epoch = s.state.Progress.Epoch
	s.unpublished += emitted
	return err
}

// shape makes a batch of the outbox one of the table: its columns by name, in its order.
func shape(b arrow.RecordBatch, columns []table.Column, keys bool) (arrow.RecordBatch, error) {
	var picked []table.Column
	var arrays []arrow.Array
	for _, c := range columns {
		if at := b.Schema().FieldIndices(c.Name); len(at) == 1 {
			picked, arrays = append(picked, c), append(arrays, b.Column(at[0]))
		} else if !keys && c.Required {
			return nil, fmt.Errorf("the pipeline has no column %s, which the table requires", c.Name)
		}
	}
	schema := table.ArrowSchema(picked)
	for i, f := range schema.Fields() {
		if !arrow.TypeEqual(f.Type, arrays[i].DataType()) {
			return nil, fmt.Errorf("column %s is %s, and not %s", f.Name, arrays[i].DataType(), f.Type)
		}
	}
	return array.NewRecordBatch(schema, arrays, b.NumRows()), nil
}
