package landing

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/own"
)

// systemSink lands an own topic. A record that cannot be read is told as a finding,
// for the dead letters are such a topic themselves.
type systemSink struct {
	w     *way
	table table.Table
	build *array.RecordBuilder
	cols  []table.Column
	row   record.Row
	cells []record.Value
	rows  int
}

func newSystemSink(w *way) sink { return &systemSink{w: w} }

func (s *systemSink) open(ctx context.Context) (table.Table, error) {
	schema := own.Schema(s.w.key.topic)
	spec := table.Spec{Ident: table.Ident{Namespace: table.SystemNamespace, Name: schema.Table}}
	for _, c := range schema.Columns {
		spec.Columns = append(spec.Columns, table.Column{Name: c.Name, Type: c.Type})
	}
	if name := own.Number(s.w.key.topic); name != "" {
		spec.Columns = append(spec.Columns, table.Column{Name: name, Type: record.Long})
	}
	t, err := claim(ctx, s.w.l.o.Tables, spec, s.w.key.topic, "tarn.table")
	if err != nil {
		return nil, err
	}
	if err := grow(ctx, t, spec.Columns); err != nil {
		return nil, err
	}
	arrowSchema, err := pick(t, spec.Columns)
	if err != nil {
		return nil, err
	}
	s.table, s.cols, s.cells = t, spec.Columns, make([]record.Value, len(spec.Columns))
	s.build = array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema)
	return t, nil
}

// grow gives a table that another version made the columns that it lacks.
func grow(ctx context.Context, t table.Table, wanted []table.Column) error {
	var adds []table.Column
	have := t.Columns()
	for _, c := range wanted {
		if columnNamed(have, c.Name) < 0 {
			adds = append(adds, c)
		}
	}
	if len(adds) == 0 {
		return nil
	}
	if _, err := t.Commit(ctx, table.Change{AddColumns: adds, Owner: Reader}); err != nil {
		return fmt.Errorf("give %s its new columns: %w", t.Ident(), err)
	}
	return nil
}

func (s *systemSink) add(ctx context.Context, _ *feed, r *record.Record) error {
	err := s.read(ctx, r)
	if _, refused := errors.AsType[refusal](err); refused {
		s.w.progress.finding(fmt.Sprintf("the record at offset %d of %s was passed over: %v", r.Offset, s.w.key.topic, err))
		s.w.progress.dead(1)
		return errSkip
	}
	if err != nil {
		return err
	}
	for i, f := range s.build.Fields() {
		put(f, s.cells[i])
	}
	s.rows++
	return nil
}

// read fills s.cells.
func (s *systemSink) read(ctx context.Context, r *record.Record) error {
	id, err := number(r, record.HeaderSchema)
	if err != nil {
		return refusal(err.Error())
	}
	schema, err := s.w.l.o.Schemas.Get(ctx, id)
	if errors.Is(err, schemas.ErrNotFound) {
		return refusal(err.Error())
	}
	if err != nil {
		return err
	}
	if s.row, _, err = envelope.Decode(schema, r.Value, s.row); err != nil {
		return refusal(err.Error())
	}
	clear(s.cells)
	for i, v := range s.row {
		at := columnNamed(s.cols, schema.Columns[i].Name)
		if at < 0 {
			continue
		}
		cell, fits := normal(s.cols[at].Type, v)
		if !fits {
			return refusal("column " + s.cols[at].Name + " is of another type")
		}
		s.cells[at] = cell
	}
	if at := columnNamed(s.cols, own.Number(s.w.key.topic)); at >= 0 {
		s.cells[at] = integer(r.Offset)
	}
	return nil
}

func (s *systemSink) mark(context.Context, *feed, int64, record.Mark) error { return nil }

func (s *systemSink) change(context.Context) (table.Table, table.Change, error) {
	var c table.Change
	if s.rows > 0 {
		c.Rows = []arrow.RecordBatch{s.build.NewRecordBatch()}
	}
	s.w.progress.adding(s.rows)
	return s.table, c, nil
}

func (s *systemSink) committed() { s.rows = 0 }
