package landing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/own"
)

// rebuild makes a mirror again that a repair has emptied, of what bronze has of its records,
// up to the offset where the log goes on. Each commit holds how far it has come, as any commit of
// landing does, so that it can be stopped anywhere. done is false when stop came first.
func (c *collection) rebuild(stop, work context.Context) (done bool, err error) {
	for _, f := range c.feeds.list {
		if f.past == nil || f.past.Again == nil {
			continue
		}
		c.w.progress.finding(fmt.Sprintf("a repair emptied the mirror: it is made again of %s, up to offset %d", f.past.Again.Table, f.read))
		for f.past.Again != nil {
			if stop.Err() != nil {
				return false, nil //nolint:nilerr // a stop is no error
			}
			if err := c.portion(work, f); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// portion commits what the next rows of bronze say.
func (c *collection) portion(work context.Context, f *feed) error {
	select {
	case c.w.l.slots <- struct{}{}:
	case <-work.Done():
		return work.Err()
	}
	defer func() { <-c.w.l.slots }()
	again := f.past.Again
	bronze, err := c.w.l.o.Tables.Open(work, table.ParseIdent(again.Table))
	if errors.Is(err, table.ErrNotFound) {
		return notThere(again, "there is no such table")
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", again.Table, err)
	}
	c.rows, c.bytes, c.oldest, c.cut, c.dead = 0, 0, 0, false, nil
	span := table.Span{Column: offsetColumn, From: again.Next, To: f.read}
	next, err := bronze.Rows(work, Kept, span, c.w.l.commitBytes, func(b arrow.RecordBatch) error { return c.replay(work, f, b) })
	if err == nil {
		next, err = c.rest(work, f, bronze, next)
	}
	switch {
	case errors.Is(err, errCut):
		c.cut = true // again.Next is where
	case err != nil:
		return err
	default:
		again.Next = next
	}
	if again.Next >= f.read {
		if whole := f.past.Whole; whole == nil || again.Records != whole.Records {
			return notThere(again, fmt.Sprintf("it has %d of them", again.Records))
		}
		f.past.Again = nil
	}
	fault.Point("landing.rebuilt")
	return c.commit(work)
}

// pastOf is what a mirror knows of its past when landing opens it. One that was made, but not
// filled before landing ended, begins where its first record does.
func pastOf(work context.Context, t table.Table, at record.PartitionOffsets, fresh bool) (*record.Past, error) {
	if at.Past != nil || t == nil || !fresh {
		return cmp.Or(at.Past, &record.Past{}), nil
	}
	errFilled := errors.New("it has a row")
	all := table.Span{Column: offsetColumn, To: math.MaxInt64}
	_, err := t.Rows(work, []string{offsetColumn}, all, 1, func(arrow.RecordBatch) error { return errFilled })
	if errors.Is(err, errFilled) {
		return &record.Past{}, nil // a person took its offsets away
	}
	if err != nil {
		return nil, fmt.Errorf("look for rows of %s: %w", t.Ident(), err)
	}
	return &record.Past{Whole: &record.Since{Offset: at.Next}}, nil
}

// notThere is the fault of a mirror that cannot be made again.
func notThere(again *record.Again, what string) error {
	return quarantine{fault.Newf(fault.Damaged, "stop Tarn and say `tarn repair`: it finds another way",
		"the mirror is made again of the records in %s, and %s", again.Table, what)}
}

// Kept are the columns of bronze that a record is made again of, in the order of its cells.
var Kept = []string{"_partition", offsetColumn, "_timestamp", KeyColumn, "_op", "_pos", "before", "after", "source", schemaColumn, generationColumn}

// replay hands rows of bronze to the sink, as the records that they were.
func (c *collection) replay(ctx context.Context, f *feed, b arrow.RecordBatch) error {
	again := f.past.Again
	for i := range int(b.NumRows()) {
		partition, r, err := RecordOf(b, i)
		if err != nil {
			return quarantine{fault.Wrap(err, fault.Damaged, "read "+again.Table, "stop Tarn and say `tarn repair --deep`")}
		}
		if partition != f.number {
			continue
		}
		err = c.sink.add(ctx, &feed{number: f.number, replay: true}, r) // which counts nothing: it was counted when it came
		if errors.Is(err, errCut) {
			again.Next = r.Offset
			return err
		}
		if why, refused := errors.AsType[refusal](err); refused {
			c.dead = append(c.dead, own.Letter{Partition: f.number, Record: r, Why: string(why)})
		} else if err != nil && !errors.Is(err, errSkip) {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		again.Records++
		c.rows++
	}
	return nil
}

// rest replays what bronze has of the last change from an offset on, and returns where the next change begins.
func (c *collection) rest(ctx context.Context, f *feed, bronze table.Table, next int64) (int64, error) {
	for next < f.read {
		var looked, whole bool
		after, err := bronze.Rows(ctx, Kept, table.Span{Column: offsetColumn, From: next, To: f.read}, 1, func(b arrow.RecordBatch) error {
			if !looked {
				_, r, err := RecordOf(b, 0)
				if err != nil {
					return err
				}
				pos, _ := r.Header(record.HeaderPos)
				looked, whole = true, !follows(pos)
			}
			if whole {
				return nil
			}
			return c.replay(ctx, f, b)
		})
		if err != nil || whole {
			return next, err
		}
		next = after
	}
	return next, nil
}

// RecordOf makes a record again of a row of bronze with the columns Kept: what landing looks
// at is as it was. It shares no memory with the row.
func RecordOf(b arrow.RecordBatch, i int) (partition int32, r *record.Record, err error) {
	partitions, ok := b.Column(0).(*array.Int32)
	times, ok2 := b.Column(2).(*array.Timestamp)
	if !ok || !ok2 {
		return 0, nil, fmt.Errorf("its columns are %s", b.Schema())
	}
	var numbers [3]int64
	for n, at := range []int{1, 9, 10} {
		col, ok := b.Column(at).(*array.Int64)
		if !ok || col.IsNull(i) {
			return 0, nil, fmt.Errorf("a row has no %s", Kept[at])
		}
		numbers[n] = col.Value(i)
	}
	var texts [6][]byte // key, op, pos, before, after, source
	for n := range texts {
		col, ok := b.Column(3 + n).(*array.String)
		if !ok {
			return 0, nil, fmt.Errorf("its columns are %s", b.Schema())
		}
		if !col.IsNull(i) {
			texts[n] = []byte(col.Value(i))
		}
	}
	r = &record.Record{
		Offset: numbers[0], Timestamp: int64(times.Value(i)) / 1000, Key: texts[0],
		Headers: []record.Header{
			{Key: record.HeaderPos, Value: texts[2]},
			{Key: record.HeaderSchema, Value: strconv.AppendInt(nil, numbers[1], 10)},
			{Key: record.HeaderGen, Value: strconv.AppendInt(nil, numbers[2], 10)},
		},
	}
	if texts[1] != nil {
		r.Value = eventOf(texts[1], texts[3], texts[4], texts[5])
	}
	return partitions.Value(i), r, nil
}

// eventOf is an envelope of what bronze keeps of one.
func eventOf(op, before, after, source []byte) []byte {
	value := append([]byte(`{"op":"`), op...)
	value = append(value, '"')
	for _, m := range []struct {
		name string
		text []byte
	}{{"before", before}, {"after", after}, {"source", source}} {
		if m.text != nil {
			value = append(append(append(value, `,"`...), m.name...), `":`...)
			value = append(value, m.text...)
		}
	}
	return append(value, '}')
}
