// Package history gives the records of a topic that its log no longer has, made again of the rows that landing has put
// into the topic's bronze table: each once, in order of their offsets, up to where the log goes on. What is
// not in bronze as it was in the log, or is not there at all, is refused: an answer from history is the answer from the whole
// log, or none. It writes nothing.
package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/decode"
	"tarn/stream/landing"
	"tarn/stream/own"
)

// The bounds of a reading.
const (
	portionBytes = 8 << 20 // of rows that are read at once
	surveyBytes  = 4 << 20 // of offsets that are looked through at once
	recordsMax   = 4096    // that are given at once
)

const (
	partitionColumn = "_partition"
	offsetColumn    = "_offset"
	timeColumn      = "_timestamp"
	keyColumn       = "_key"
	extraColumn     = "_extra"
)

// Source is what is read: a topic, and how.
type Source struct {
	Topic   *bus.Topic
	Events  bool            // its records are change events
	Keyed   bool            // and make a changelog, by a key
	Columns []decode.Column // that are read of each record
}

// Refusal is an error that trying again does not mend.
type Refusal struct{ error }

// Unwrap returns the fault.
func (r Refusal) Unwrap() error { return r.error }

// Refused makes a refusal of a fault.
func Refused(err error) error { return Refusal{err} }

// History is the past of one topic. It is for one goroutine.
type History struct {
	Source
	table  table.Table
	names  []string                                                   // of the columns that are read, which begin with those of every bronze table
	record func(b arrow.RecordBatch, row int) (*record.Record, error) // by names
	landed record.Offsets
	whole  *record.Since // since when the records in bronze make the mirror, and how many they are; nil where nobody counts them
	upTo   int64         // the offset up to which they were counted
	counts bool          // they were counted, and are all there
}

// Open finds the history of a topic; nil where landing has kept none.
func Open(ctx context.Context, tables table.Tables, s Source) (*History, error) {
	if own.Is(s.Topic.Name()) {
		return nil, nil //nolint:nilnil // they are kept as long as they are needed
	}
	t, err := tables.Open(ctx, landing.Bronze(s.Topic.Name(), s.Topic.Config()))
	if errors.Is(err, table.ErrNotFound) {
		return nil, nil //nolint:nilnil // it does not land
	}
	if err != nil {
		return nil, fmt.Errorf("open the history of topic %s: %w", s.Topic.Name(), err)
	}
	owner, _ := t.Property(table.PropOwner)
	if topic, _ := t.Property(table.PropTopic); topic != s.Topic.Name() || owner != landing.Reader {
		return nil, nil //nolint:nilnil // it is another topic's
	}
	h := &History{Source: s, table: t, landed: record.Offsets{}}
	if text, ok := t.Property(table.PropOffsets + landing.Reader); ok {
		if err := json.Unmarshal([]byte(text), &h.landed); err != nil {
			return nil, Refusal{fault.Wrap(err, fault.Damaged, "read the offsets of "+t.Ident().String(), "put the table's property back")}
		}
	}
	if columnNamed(t.Columns(), landing.ValueColumn) >= 0 {
		return h, h.plain()
	}
	return h, h.changes(ctx, tables)
}

func columnNamed(columns []table.Column, name string) int {
	for i, c := range columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// refuse is the error of a history that cannot be read.
func (h *History) refuse(hint, format string, args ...any) error {
	return Refusal{fault.Newf(fault.Invalid, hint, "the log of topic %s no longer has its beginning, and its history in %s cannot be read: %s",
		h.Topic.Name(), h.table.Ident(), fmt.Sprintf(format, args...))}
}

// changes prepares to read the events of a source's topic.
func (h *History) changes(ctx context.Context, tables table.Tables) error {
	if !h.Events {
		return h.refuse("declare the source with format = 'debezium-json'", "it has the rows of change events, and not their text")
	}
	h.names = landing.Kept
	h.record = func(b arrow.RecordBatch, row int) (*record.Record, error) {
		_, r, err := landing.RecordOf(b, row)
		return r, err
	}
	mirror, err := landing.MirrorOf(ctx, tables, h.Topic.Name())
	if err != nil || mirror == nil {
		return err
	}
	o := record.Offsets{}
	if text, ok := mirror.Property(table.PropOffsets + landing.Reader); ok {
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return Refusal{fault.Wrap(err, fault.Damaged, "read the offsets of "+mirror.Ident().String(), "put the table's property back")}
		}
	}
	if at := o.At(h.Topic.Name(), 0); at.Past != nil && at.Past.Whole != nil {
		h.whole, h.upTo = at.Past.Whole, at.Next
	}
	return nil
}

// Begin tells for each partition from where on there are records: its first one in bronze, or the log's start. Of a
// changelog it is where its latest whole snapshot begins, which takes all before it out.
func (h *History) Begin(ctx context.Context) ([]int64, error) {
	parts := h.Topic.Partitions()
	out, found := make([]int64, len(parts)), make([]bool, len(parts))
	low, high, missing := int64(0), int64(0), 0
	for i, p := range parts {
		if out[i] = p.LogStart(); out[i] <= p.Origin() {
			found[i] = true
			continue
		}
		if missing == 0 || p.Origin() < low {
			low = p.Origin()
		}
		high = max(high, out[i])
		missing++
	}
	if h.whole != nil && h.Keyed {
		out[0] = min(out[0], h.From(0, parts[0].Origin()))
		return out, nil
	}
	for low < high && missing > 0 {
		next, err := h.survey(ctx, low, high, func(partition int32, offset int64) {
			if i := int(partition); i < len(parts) && !found[i] && offset >= parts[i].Origin() {
				found[i], out[i] = true, min(out[i], offset)
				missing--
			}
		})
		if err != nil {
			return nil, err
		}
		low = next
	}
	return out, nil
}

// Ended is the generation of the latest whole snapshot of a changelog's source; 0 where none is known. It has taken the rows of
// earlier ones out, or the log tells that it does.
func (h *History) Ended() int64 {
	if h.whole == nil || !h.Keyed {
		return 0
	}
	return h.whole.Generation
}

// From is where to go on in a partition from an offset: in that of a changelog all before its latest whole snapshot is passed over.
func (h *History) From(partition int32, next int64) int64 {
	if h.whole == nil || !h.Keyed || partition != 0 {
		return next
	}
	return max(next, h.whole.Offset)
}

// survey looks through some of the offsets from one on, up to another, and tells from where on the others are.
func (h *History) survey(ctx context.Context, from, to int64, each func(partition int32, offset int64)) (next int64, err error) {
	span := table.Span{Column: offsetColumn, From: from, To: to}
	return h.table.Rows(ctx, []string{partitionColumn, offsetColumn}, span, surveyBytes, func(b arrow.RecordBatch) error {
		partitions, offsets, err := places(b)
		for i := 0; err == nil && i < int(b.NumRows()); i++ {
			each(partitions.Value(i), offsets.Value(i))
		}
		return err
	})
}

// places are the first two columns of every reading.
func places(b arrow.RecordBatch) (*array.Int32, *array.Int64, error) {
	partitions, ok := b.Column(0).(*array.Int32)
	offsets, ok2 := b.Column(1).(*array.Int64)
	if !ok || !ok2 {
		return nil, nil, fmt.Errorf("its columns are %s", b.Schema())
	}
	return partitions, offsets, nil
}

// Spans are parts of partitions, by their numbers: each from one offset up to another. Where the two are equal there is nothing.
type Spans [][2]int64

// bounds are those of all that is left of the spans.
func (s Spans) bounds() (low, high int64) {
	first := true
	for _, span := range s {
		if span[0] >= span[1] {
			continue
		}
		if first || span[0] < low {
			low = span[0]
		}
		high, first = max(high, span[1]), false
	}
	return low, high
}

// Check refuses spans of which bronze has not every record. One that bronze has not got yet is a fault that passes.
func (h *History) Check(ctx context.Context, spans Spans) error {
	for i, span := range spans {
		if next := h.landed.At(h.Topic.Name(), int32(i)).Next; span[0] < span[1] && next < span[1] { //nolint:gosec // few partitions
			return fault.Newf(fault.Unavailable, "it goes on by itself when landing has caught up; see system.parts",
				"topic %s partition %d: its log begins at offset %d, and %s has landed up to %d alone", h.Topic.Name(), i, span[1], h.table.Ident(), next)
		}
	}
	if len(spans) == 1 && h.whole != nil && h.whole.Offset <= spans[0][0] {
		return h.count(ctx)
	}
	at := seen(spans)
	for low, high := spans.bounds(); low < high; {
		var hole error
		next, err := h.survey(ctx, low, high, func(partition int32, offset int64) {
			if hole == nil && at.wants(spans, partition, offset) {
				hole = h.follows(at, partition, offset)
			}
		})
		if err = errors.Join(err, hole); err != nil {
			return err
		}
		low = next
	}
	return h.ended(at, spans)
}

// count compares how many records bronze has with how many came: marks have offsets, and are none.
func (h *History) count(ctx context.Context) error {
	if next := h.landed.At(h.Topic.Name(), 0).Next; next < h.upTo {
		return fault.Newf(fault.Unavailable, "it goes on by itself when landing has caught up; see system.parts",
			"topic %s: its mirror has landed up to offset %d, and %s up to %d", h.Topic.Name(), h.upTo, h.table.Ident(), next)
	}
	var n int64
	for low := h.whole.Offset; low < h.upTo; {
		next, err := h.survey(ctx, low, h.upTo, func(int32, int64) { n++ })
		if err != nil {
			return err
		}
		low = next
	}
	if n != h.whole.Records {
		return h.refuse("say `tarn repair`; or "+readLog,
			"of the %d records of partition 0 from offset %d up to %d it has %d", h.whole.Records, h.whole.Offset, h.upTo, n)
	}
	h.counts = true
	return nil
}

// progress is the offset that comes next, by partition.
type progress []int64

func seen(spans Spans) progress {
	at := make(progress, len(spans))
	for i, span := range spans {
		at[i] = span[0]
	}
	return at
}

// wants tells whether an offset is in what is left of the spans.
func (at progress) wants(spans Spans, partition int32, offset int64) bool {
	i := int(partition)
	return i < len(spans) && offset >= at[i] && offset < spans[i][1]
}

// follows takes an offset, and refuses it if it does not follow the one before.
func (h *History) follows(at progress, partition int32, offset int64) error {
	if expected := at[partition]; offset != expected && !h.counts {
		return h.hole(partition, expected, offset)
	}
	at[partition] = offset + 1
	return nil
}

// ended refuses spans whose last records are not there.
func (h *History) ended(at progress, spans Spans) error {
	for i, span := range spans {
		if at[i] < span[1] && !h.counts {
			return h.hole(int32(i), at[i], span[1]) //nolint:gosec // few partitions
		}
	}
	return nil
}

func (h *History) hole(partition int32, first, after int64) error {
	return h.refuse(readLog,
		"it has no rows of partition %d, offsets %d to %d, and nothing tells whether there were records", partition, first, after-1)
}

// Read gives the records of the spans, of each partition in order, and with them the offset that comes next.
func (h *History) Read(ctx context.Context, spans Spans, give func(partition int32, records []record.Record, next int64) error) error {
	at := seen(spans)
	left := append(Spans{}, spans...)
	for {
		low, high := left.bounds()
		if low >= high {
			return h.ended(at, spans)
		}
		lists := make([][]record.Record, len(spans))
		span := table.Span{Column: offsetColumn, From: low, To: high}
		next, err := h.table.Rows(ctx, h.names, span, portionBytes, func(b arrow.RecordBatch) error { return h.collect(b, spans, at, lists) })
		if err != nil {
			return err
		}
		for i := range left {
			if err := h.portion(int32(i), lists[i], min(next, left[i][1]), left[i][0] < min(next, left[i][1]), give); err != nil { //nolint:gosec // few partitions
				return err
			}
			left[i][0] = max(left[i][0], min(next, left[i][1]))
		}
	}
}

// collect makes records of rows.
func (h *History) collect(b arrow.RecordBatch, spans Spans, at progress, lists [][]record.Record) error {
	partitions, offsets, err := places(b)
	if err != nil {
		return Refusal{err}
	}
	for row := range int(b.NumRows()) {
		partition, offset := partitions.Value(row), offsets.Value(row)
		if !at.wants(spans, partition, offset) {
			continue
		}
		if err := h.follows(at, partition, offset); err != nil {
			return err
		}
		r, err := h.record(b, row)
		if err != nil {
			return h.refuse(readLog, "partition %d, offset %d: %v", partition, offset, err)
		}
		r.Offset = offset
		lists[partition] = append(lists[partition], *r)
	}
	return nil
}

// portion gives the records of one partition, some at a time.
func (h *History) portion(partition int32, list []record.Record, next int64, moved bool, give func(int32, []record.Record, int64) error) error {
	for len(list) > recordsMax {
		if err := give(partition, list[:recordsMax], list[recordsMax-1].Offset+1); err != nil {
			return err
		}
		list = list[recordsMax:]
	}
	if !moved {
		return nil
	}
	return give(partition, list, next)
}
