package landing

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
)

// ValueColumn holds the bytes of what is no JSON object.
const ValueColumn = "_value"

// plainOwn follow the typed columns in the bronze table of a topic without schemas.
var plainOwn = []table.Column{
	{Name: extraColumn, Type: record.String, Doc: "JSON of the fields that did not fit their columns"},
	{Name: ValueColumn, Type: record.Binary, Doc: "the value, where it is no JSON object"},
}

// plainSink lands a topic whose records are no change events: the fields of a JSON object
// become columns, typed by what they hold (rule 6), and what does not fit goes to
// `_extra` and is counted, never cast.
type plainSink struct {
	w       *way
	table   table.Table // nil until the first commit tells the columns
	records []plainRecord
	fields  fields
	// declared is the schema whose types the fields have, as the header tells it.
	declared string
}

type plainRecord struct {
	partition int32
	r         record.Record
	fields    []field // nil for a value that is no object
	object    bool
}

func newPlainSink(w *way) sink { return &plainSink{w: w, fields: newFields()} }

func (s *plainSink) open(ctx context.Context) (table.Table, error) {
	id := Bronze(s.w.key.topic, s.w.config)
	t, err := s.w.l.o.Tables.Open(ctx, id)
	if errors.Is(err, table.ErrNotFound) {
		return nil, nil //nolint:nilnil // the first commit makes it
	}
	if err != nil {
		return nil, err
	}
	return t, s.take(ctx, id, nil)
}

// take claims the table, which has the columns if it is new.
func (s *plainSink) take(ctx context.Context, id table.Ident, columns []table.Column) (err error) {
	s.table, err = claim(ctx, s.w.l.o.Tables, table.Spec{Ident: id, Columns: columns}, s.w.key.topic, "tarn.table")
	if err == nil {
		_, err = pick(s.table, systemColumns, plainOwn)
	}
	return err
}

func (s *plainSink) add(ctx context.Context, f *feed, r *record.Record) error {
	if err := s.declare(ctx, r); err != nil {
		return err
	}
	one := plainRecord{partition: f.number, r: *r}
	one.fields, one.object = s.fields.of(r.Value)
	s.records = append(s.records, one)
	return nil
}

// declare notes the types of a record's schema, if it has one.
func (s *plainSink) declare(ctx context.Context, r *record.Record) error {
	text, ok := r.Header(record.HeaderSchema)
	if !ok || string(text) == s.declared {
		return nil
	}
	id, err := number(r, record.HeaderSchema)
	if err != nil {
		return nil //nolint:nilerr // somebody else's header
	}
	schema, err := s.w.l.o.Schemas.Get(ctx, id)
	if errors.Is(err, schemas.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, c := range schema.Columns {
		s.fields.named(c.Name).declared = c.Type
	}
	s.declared = string(text)
	return nil
}

func (s *plainSink) mark(context.Context, *feed, int64, record.Mark) error { return nil }

func (s *plainSink) change(ctx context.Context) (table.Table, table.Change, error) {
	var c table.Change
	s.w.progress.adding(len(s.records))
	if len(s.records) == 0 {
		return s.table, c, nil
	}
	var have []table.Column
	if s.table != nil {
		have = s.table.Columns()
	}
	columns, adds := infer(have, s.fields.members, s.records)
	if s.table == nil {
		columns = slices.Concat(systemColumns, adds, plainOwn)
		if err := s.take(ctx, Bronze(s.w.key.topic, s.w.config), columns); err != nil {
			return nil, c, err
		}
		if columns = s.table.Columns(); len(columns) == len(systemColumns)+len(adds)+len(plainOwn) {
			adds = nil
		} else { // it was there after all
			columns, adds = infer(columns, s.fields.members, s.records)
		}
	}
	c.AddColumns = adds
	rows, misfits, err := s.build(columns)
	if err != nil {
		return nil, c, err
	}
	s.w.progress.misfit(misfits)
	c.Rows = []arrow.RecordBatch{rows}
	return s.table, c, nil
}

// build renders the records with the columns, which include those that the commit adds.
func (s *plainSink) build(columns []table.Column) (arrow.RecordBatch, int, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(columns))
	defer b.Release()
	for _, m := range s.fields.members {
		m.column = -1
	}
	own := func(name string) int { return columnNamed(columns, name) }
	for i, c := range columns {
		if m := s.fields.members[SourceName(c)]; m != nil && !IsPlainOwn(strings.ToLower(c.Name)) {
			m.column = i
		}
	}
	system := make([]array.Builder, len(systemColumns))
	isSystem := make([]bool, len(columns))
	for i, c := range systemColumns {
		system[i] = b.Field(own(c.Name))
		isSystem[own(c.Name)] = true
	}
	cells := make([]record.Value, len(columns))
	misfits := 0
	for i := range s.records {
		one := &s.records[i]
		clear(cells)
		var extra map[string]json.RawMessage
		for k := range one.fields {
			f := &one.fields[k]
			if f.column >= 0 && into(&f.v, &columns[f.column], &cells[f.column]) {
				continue
			}
			if extra == nil {
				extra = map[string]json.RawMessage{}
			}
			extra[f.name] = f.v.Raw
		}
		if misfits += len(extra); len(extra) > 0 {
			raw, err := json.Marshal(extra)
			if err != nil {
				return nil, 0, err
			}
			cells[own(extraColumn)] = jsonText(raw)
		}
		if !one.object && one.r.Value != nil {
			misfits++
			cells[own(ValueColumn)] = record.Value{Kind: record.BytesKind, B: one.r.Value}
		}
		putSystem(system, s.w.key.topic, one.partition, &one.r)
		for c, f := range b.Fields() {
			if !isSystem[c] {
				put(f, cells[c])
			}
		}
	}
	return b.NewRecordBatch(), misfits, nil
}

func (s *plainSink) committed() { s.records, s.fields, s.declared = nil, newFields(), "" }
