package landing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
)

// newer tells whether no mirror is to begin with a schema, because the log's last record
// has a key that such a mirror could not go on with. That key's schema came with a
// snapshot, with which the mirror begins.
func (s *mirrorSink) newer(ctx context.Context, schema *record.Schema) (bool, error) {
	for _, p := range s.w.topic.Partitions() {
		id, err := lastSchema(ctx, p)
		if err != nil {
			return false, err
		}
		if id == 0 || id == schema.ID {
			continue
		}
		last, err := s.w.l.o.Schemas.Get(ctx, id)
		if errors.Is(err, schemas.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if len(last.Keys()) > 0 && !keysGoOn(mirrorColumns(schema), last) {
			return true, nil
		}
	}
	return false, nil
}

// keysGoOn tells whether a mirror of these columns can take rows of the schema: what
// keyStands asks of a plan.
func keysGoOn(cols []table.Column, schema *record.Schema) bool {
	s := &shape{cols: cols}
	var keys []int
	for _, k := range schema.Keys() {
		i, is := s.find(schema.Columns[k].Name), schema.Columns[k].Type
		if i >= 0 && cols[i].Type != is && !widens(is, cols[i].Type) && !widens(cols[i].Type, is) {
			return false
		}
		keys = append(keys, i)
	}
	for i, c := range cols {
		if c.Required && !slices.Contains(keys, i) {
			return false
		}
	}
	return true
}

// lastSchema is the schema of a partition's last stable batch; 0 where it names none.
func lastSchema(ctx context.Context, p *bus.Partition) (int64, error) {
	end := p.Stable()
	if end <= p.LogStart() {
		return 0, nil
	}
	r := p.Reader(end - 1)
	defer r.Close()
	got, err := r.Next(ctx, 1)
	if errors.Is(err, bus.ErrOutOfRange) {
		return 0, nil // it left the log meanwhile
	}
	if err != nil {
		return 0, fmt.Errorf("read the last record of partition %d: %w", p.Number(), err)
	}
	if len(got.Batches) == 0 {
		return 0, nil
	}
	b := got.Batches[len(got.Batches)-1]
	if b.Control() {
		m, _, err := b.Mark()
		return m.Schema, err
	}
	records, err := b.Records()
	if err != nil || len(records) == 0 {
		return 0, err
	}
	id, err := number(&records[len(records)-1], record.HeaderSchema)
	if err != nil {
		return 0, nil // a record of somebody else tells nothing
	}
	return id, nil
}

// renamed opens the mirror that the setting tarn.mirror names, where it is this topic's
// already; nil where it is yet to begin.
func (s *mirrorSink) renamed(ctx context.Context, id table.Ident) (table.Table, error) {
	t, err := s.w.l.o.Tables.Open(ctx, id)
	if errors.Is(err, table.ErrNotFound) {
		return nil, nil //nolint:nilnil // no mirror is no error
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", id, err)
	}
	owner, _ := t.Property(table.PropOwner)
	if topic, _ := t.Property(table.PropTopic); topic != s.w.key.topic || owner != Reader {
		return nil, nil //nolint:nilnil // claim tells whose it is
	}
	return t, nil
}
