package landing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
)

// event is a change event with its headers, checked as far as bronze needs.
type event struct {
	envelope.Event
	tombstone  bool
	pos        []byte
	schema     int64
	generation int64
}

var errHeader = errors.New("not a number")

// inspect takes a record of a source apart. What it refuses is for bronze to send to the
// dead letters; silver passes the same record over, so that it goes there once.
func inspect(r *record.Record) (e event, err error) {
	pos, ok := r.Header(record.HeaderPos)
	if !ok {
		return e, refusal("no header " + record.HeaderPos)
	}
	if _, ok := record.SourceOf(pos); !ok || !utf8.Valid(pos) {
		return e, refusal("header " + record.HeaderPos + " is no position")
	}
	e.pos = pos
	if e.schema, err = number(r, record.HeaderSchema); err != nil {
		return e, refusal(err.Error())
	}
	if e.generation, err = number(r, record.HeaderGen); err != nil {
		return e, refusal(err.Error())
	}
	if r.Value == nil {
		e.tombstone = true
		return e, nil
	}
	if e.Event, err = envelope.Split(r.Value); err != nil {
		return e, refusal(err.Error())
	}
	return e, nil
}

func number(r *record.Record, header string) (int64, error) {
	v, ok := r.Header(header)
	if !ok {
		return 0, errors.New("no header " + header)
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("header %s is %w", header, errHeader)
	}
	return n, nil
}

// systemColumns begin every bronze table. `_key` is the key as text; a key that is not
// UTF-8 is written in hex behind `\x`.
var systemColumns = []table.Column{
	{Name: "_topic", Type: record.String, Required: true},
	{Name: "_partition", Type: record.Int, Required: true},
	{Name: "_offset", Type: record.Long, Required: true},
	{Name: "_timestamp", Type: record.TimestampTZ, Required: true},
	{Name: "_key", Type: record.String},
}

// changeColumns follow them in the bronze table of a source's topic.
var changeColumns = []table.Column{
	{Name: "_op", Type: record.String, Doc: "Debezium's c, u, d, r; null for a tombstone"},
	{Name: "_pos", Type: record.String, Doc: "source/incarnation/place"},
	{Name: "before", Type: record.String, Doc: "JSON"},
	{Name: "after", Type: record.String, Doc: "JSON"},
	{Name: "source", Type: record.String, Doc: "JSON"},
	{Name: schemaColumn, Type: record.Long, Doc: "id of the schema of before and after"},
	{Name: generationColumn, Type: record.Long, Doc: "the snapshot that the change belongs to"},
}

const schemaColumn = "_schema"

// text is UTF-8 as it is, and other bytes in hex behind `\x`.
func text(b []byte) record.Value {
	switch {
	case b == nil:
		return record.Value{}
	case utf8.Valid(b):
		return record.Value{Kind: record.TextKind, B: b}
	}
	return record.Value{Kind: record.TextKind, B: append([]byte(`\x`), hex.AppendEncode(nil, b)...)}
}

func integer(n int64) record.Value { return record.Value{Kind: record.IntKind, I: n} }

func jsonText(b []byte) record.Value {
	if b == nil {
		return record.Value{}
	}
	return record.Value{Kind: record.TextKind, B: b}
}

// putSystem appends the system columns of a record to the first five builders.
func putSystem(fields []array.Builder, topic string, partition int32, r *record.Record) {
	fields[0].(*array.StringBuilder).Append(topic) //nolint:forcetypeassert // as systemColumns says
	put(fields[1], integer(int64(partition)))
	put(fields[2], integer(r.Offset))
	put(fields[3], integer(r.Timestamp*1000))
	put(fields[4], text(r.Key))
}

// bronzeSink appends every record of a source's topic. The columns never follow the source's.
type bronzeSink struct {
	w     *way
	table table.Table
	build *array.RecordBuilder
	rows  int
}

func newBronzeSink(w *way) sink { return &bronzeSink{w: w} }

func (s *bronzeSink) open(ctx context.Context) (table.Table, error) {
	t, err := claim(ctx, s.w.l.o.Tables, table.Spec{
		Ident:   Bronze(s.w.key.topic, s.w.config),
		Columns: append(append([]table.Column{}, systemColumns...), changeColumns...),
	}, s.w.key.topic, "tarn.table")
	if err != nil {
		return nil, err
	}
	if err := s.widen(ctx, t); err != nil {
		return nil, err
	}
	s.table = t
	schema, err := pick(t, systemColumns, changeColumns)
	if err != nil {
		return nil, err
	}
	s.build = array.NewRecordBuilder(memory.DefaultAllocator, schema)
	return t, nil
}

// widen gives a table of an older Tarn the columns that came later.
func (s *bronzeSink) widen(ctx context.Context, t table.Table) error {
	var adds []table.Column
	for _, c := range changeColumns[len(changeColumns)-2:] {
		if columnNamed(t.Columns(), c.Name) < 0 {
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

// pick is the Arrow schema of the wanted columns as the table has them.
func pick(t table.Table, wanted ...[]table.Column) (*arrow.Schema, error) {
	var cols []table.Column
	have := t.Columns()
	for _, group := range wanted {
		for _, w := range group {
			i := columnNamed(have, w.Name)
			if i < 0 || have[i].Type != w.Type {
				return nil, quarantine{notOurs(t, w)}
			}
			cols = append(cols, have[i])
		}
	}
	return table.ArrowSchema(cols), nil
}

func columnNamed(cols []table.Column, name string) int {
	for i := range cols {
		if cols[i].Name == name {
			return i
		}
	}
	return -1
}

func (s *bronzeSink) add(_ context.Context, f *feed, r *record.Record) error {
	e, err := inspect(r)
	if err != nil {
		return err
	}
	fields := s.build.Fields()
	putSystem(fields, s.w.key.topic, f.number, r)
	if e.tombstone {
		fields[5].AppendNull()
	} else {
		fields[5].(*array.StringBuilder).Append(string(e.Op)) //nolint:forcetypeassert // as changeColumns says
	}
	put(fields[6], text(e.pos))
	put(fields[7], jsonText(e.Before))
	put(fields[8], jsonText(e.After))
	put(fields[9], jsonText(e.Source))
	put(fields[10], integer(e.schema))
	put(fields[11], integer(e.generation))
	s.rows++
	return nil
}

func (s *bronzeSink) mark(context.Context, *feed, int64, record.Mark) error { return nil }

func (s *bronzeSink) change(context.Context) (table.Table, table.Change, error) {
	var c table.Change
	if s.rows > 0 {
		c.Rows = []arrow.RecordBatch{s.build.NewRecordBatch()}
	}
	s.w.progress.adding(s.rows)
	return s.table, c, nil
}

func (s *bronzeSink) committed() { s.rows = 0 }
