package landing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
)

// unsent is what the source left out of a row because it had not changed (rule 7: an unchanged TOAST of PostgreSQL). It is
// resolved from the row before: one in hand, or the mirror's. Only landing writes to a mirror, so what is read of it before a
// commit is what the commit replaces.
type unsent struct {
	columns []int          // indexes in the schema's columns
	old     *entry         // the row in hand that had them; nil where the mirror has
	key     []record.Value // the key under which the mirror has the row
}

// moved is a row that was taken out, and the place of the record that said so.
type moved struct {
	pos   string
	entry entry
}

// What the runner puts behind a place for the tombstone of a delete, and for the create of a changed key. No commit ends
// before either: what a row was is known until then.
const (
	tombstoneHalf = "+"
	secondHalf    = "-"
)

// follows tells whether a place is of a record that belongs to the change before it.
func follows(pos []byte) bool {
	return bytes.HasSuffix(pos, []byte(tombstoneHalf)) || bytes.HasSuffix(pos, []byte(secondHalf))
}

// left tells what the row decoded last lacks.
func (s *mirrorSink) left(p *plan, e *event, key []record.Value) (*unsent, error) {
	var columns []int
	for i, c := range s.row {
		if c.Kind == record.Missing {
			columns = append(columns, i)
		}
	}
	switch {
	case columns == nil:
		return nil, nil
	case e.Op == 'u':
		return s.from(columns, key), nil
	case e.Op == 'c' && s.moved.pos != "" && string(e.pos) == s.moved.pos+secondHalf:
		return &unsent{columns: columns, old: s.moved.entry.before, key: s.moved.entry.key}, nil
	}
	return nil, refusal("the source left out column " + p.schema.Columns[columns[0]].Name)
}

// from finds the row that unsent columns are of by its key.
func (s *mirrorSink) from(columns []int, key []record.Value) *unsent {
	u := &unsent{columns: columns, key: key}
	was := s.inHand(key)
	switch {
	case was == nil:
	case was.object == nil:
		u.old = was.before
	case was.unsent != nil && slices.Equal(was.unsent.columns, columns):
		u.old, u.key = was.unsent.old, was.unsent.key // it says nothing of them
	default:
		u.old = was
	}
	return u
}

// inHand is a copy of the last that the collection says of a key; nil for nothing.
func (s *mirrorSink) inHand(key []record.Value) *entry {
	s.keyBuf = canonical(s.keyBuf[:0], key)
	i, ok := s.fold[string(s.keyBuf)]
	if !ok {
		return nil
	}
	e := s.entries[i]
	return &e
}

// oldRow is a row of the mirror.
type oldRow struct {
	cells []record.Value // by the shape's columns; of those that were not asked for null
	extra string
}

// end is where the way from a row to the mirror ends.
func (e *entry) end() *unsent {
	u := e.unsent
	for u != nil && u.old != nil && u.old.unsent != nil {
		u = u.old.unsent
	}
	return u
}

// olds reads the rows of the mirror of which rows in hand keep values, by their canonical keys.
func (s *mirrorSink) olds(ctx context.Context) (map[string]oldRow, error) {
	keyCols := make([]table.Column, len(s.shape.keys))
	for k, i := range s.shape.keys {
		keyCols[k] = s.shape.cols[i]
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.ArrowSchema(nullable(keyCols)))
	defer b.Release()
	asked := map[int]bool{}
	seen := map[string]bool{}
	for i := range s.entries {
		e := &s.entries[i]
		u := e.end()
		if u == nil || e.object == nil || u.old != nil {
			continue
		}
		for _, c := range e.unsent.columns {
			asked[e.plan.to[c]] = true
		}
		key := string(canonical(nil, u.key))
		if seen[key] {
			continue
		}
		seen[key] = true
		for k, v := range u.key {
			put(b.Field(k), v)
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	keys := b.NewRecordBatch()
	defer keys.Release()
	olds, size, err := s.shape.read(ctx, keys, asked, s.w.l.commitBytes)
	if errors.Is(err, errTooMuch) {
		s.w.asksMax = max(1, len(olds)/2) // which is less than were asked for
		return nil, errReopen
	}
	if s.asks >= s.w.asksMax && size < s.w.l.commitBytes/4 {
		s.w.asksMax = min(2*s.w.asksMax, commitRowsMax)
	}
	return olds, err
}

// errTooMuch is the error of rows that take more than one commit may have of the mirror.
var errTooMuch = errors.New("the rows take too much memory")

// full tells whether a commit is to end before an event, for it keeps values of as many rows of the mirror as there is
// memory for.
func (s *mirrorSink) full(e *event) bool {
	return s.asks >= s.w.asksMax && !follows(e.pos)
}

// ask counts a row that keeps values of the mirror's, unless the collection has that one already.
func (s *mirrorSink) ask(e *entry) {
	u := e.end()
	if u == nil || u.old != nil {
		return
	}
	if was := s.inHand(e.key); was == nil || was.object == nil {
		s.asks++
	}
}

// nullable are columns that may be null: a key that the mirror does not have is no fault.
func nullable(cols []table.Column) []table.Column {
	out := slices.Clone(cols)
	for i := range out {
		out[i].Required = false
	}
	return out
}

// read reads columns, by their indexes, of the rows of some keys, and tells about how many bytes they are. Beyond bytesMax it ends
// with errTooMuch and what it has read, which is more than one row.
func (s *shape) read(ctx context.Context, keys arrow.RecordBatch, asked map[int]bool, bytesMax int) (_ map[string]oldRow, size int, err error) {
	at := slices.Clone(s.keys)
	for i := range s.cols {
		if asked[i] && !slices.Contains(at, i) {
			at = append(at, i)
		}
	}
	if i := columnNamed(s.cols, extraColumn); i >= 0 {
		at = append(at, i)
	}
	names := make([]string, len(at))
	for k, i := range at {
		names[k] = s.cols[i].Name
	}
	out := map[string]oldRow{}
	tooMuch := false
	err = s.table.Find(ctx, []arrow.RecordBatch{keys}, names, func(b arrow.RecordBatch) error {
		for n := range int(b.NumRows()) {
			old := oldRow{cells: make([]record.Value, len(s.cols))}
			key := make([]record.Value, len(s.keys))
			for k, i := range at {
				v, err := cellOf(s.cols[i].Type, b.Column(k), n)
				if err != nil {
					return fmt.Errorf("column %s: %w", s.cols[i].Name, err)
				}
				if old.cells[i] = v; k < len(key) {
					key[k] = v
				}
				size += len(v.B)
				if s.cols[i].Name == extraColumn {
					old.extra = string(v.B)
				}
			}
			out[string(canonical(nil, key))] = old
			if size += oldRowRoom; size > bytesMax && len(out) > 1 {
				tooMuch = true
				return errTooMuch
			}
		}
		return nil
	})
	if tooMuch { // whatever the table made of it
		return out, size, errTooMuch
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read what did not change: %w", err)
	}
	return out, size, nil
}

// oldRowRoom is about what a row of the mirror takes beside its cells.
const oldRowRoom = 256

// cellOf is the other way of put, for an array that a query gave.
func cellOf(t record.Type, a arrow.Array, i int) (record.Value, error) {
	if a.IsNull(i) {
		return record.Value{}, nil
	}
	text := func(s string) record.Value { return record.Value{Kind: record.TextKind, B: []byte(s)} }
	switch a := a.(type) {
	case *array.Int64:
		return integer(a.Value(i)), nil
	case *array.Int32:
		return integer(int64(a.Value(i))), nil
	case *array.Float64:
		return record.Value{Kind: record.FloatKind, F: a.Value(i)}, nil
	case *array.Float32:
		return record.Value{Kind: record.FloatKind, F: float64(a.Value(i))}, nil
	case *array.Boolean:
		v := record.Value{Kind: record.BoolKind}
		if a.Value(i) {
			v.I = 1
		}
		return v, nil
	case *array.Binary:
		return record.Value{Kind: record.BytesKind, B: slices.Clone(a.Value(i))}, nil
	case *array.Date32:
		return integer(int64(a.Value(i))), nil
	case *array.Time64:
		return integer(int64(a.Value(i))), nil
	case *array.Timestamp:
		return integer(int64(a.Value(i))), nil
	case *array.Decimal128:
		return text(a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale)), nil //nolint:forcetypeassert // of this array
	case *extensions.UUIDArray:
		id := a.Value(i)
		return record.Value{Kind: record.BytesKind, B: id[:]}, nil
	case *array.String:
		if t == record.UUID {
			id, err := uuid.Parse(a.Value(i))
			return record.Value{Kind: record.BytesKind, B: id[:]}, err
		}
		return text(strings.Clone(a.Value(i))), nil
	}
	return record.Value{}, fmt.Errorf("a query gave %s", a.DataType())
}

// unsent is the cell of a column that the source left out, in the column's one form, or its member of `_extra`.
func (b *rowBuilder) unsent(e *entry, i int) (record.Value, json.RawMessage, error) {
	name := e.plan.schema.Columns[i].Name
	for u := e.unsent; u != nil; u = u.old.unsent {
		if u.old == nil {
			return b.ofMirror(u, name, e.plan.to[i])
		}
		was := u.old
		row, raw, err := envelope.Decode(was.plan.schema, was.object, nil)
		if err != nil {
			return record.Value{}, nil, err
		}
		j := slices.IndexFunc(was.plan.schema.Columns, func(c record.Column) bool { return c.Name == name })
		switch {
		case j < 0: // the column came with this row's schema
			return record.Value{}, nil, nil
		case row[j].Kind == record.Missing:
			continue
		}
		if raw != nil {
			extra, err := members(raw)
			if err != nil || extra[name] != nil {
				return record.Value{}, extra[name], err
			}
		}
		cell, fits := normal(was.plan.types[j], row[j])
		if fits && was.plan.fits[j] || row[j].Kind == record.Null {
			return cell, nil, nil
		}
		return record.Value{}, misfit(row[j]), nil
	}
	return record.Value{}, lost, nil
}

// lost is what `_extra` says of a value that neither the source nor the mirror has: the mirror began without the row.
var lost = json.RawMessage(`{"type":"missing","value":null}`)

func (b *rowBuilder) ofMirror(u *unsent, name string, to int) (record.Value, json.RawMessage, error) {
	old, ok := b.olds[string(canonical(nil, u.key))]
	if !ok {
		return record.Value{}, lost, nil
	}
	if old.extra != "" {
		extra, err := members([]byte(old.extra))
		if err != nil || extra[name] != nil {
			return record.Value{}, extra[name], err
		}
	}
	return old.cells[to], nil, nil
}
