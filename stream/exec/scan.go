//go:build duckdb_arrow

package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
	"tarn/stream/clock"
	"tarn/stream/decode"
	"tarn/stream/landing"
	"tarn/stream/own"
	"tarn/stream/plan"
	"tarn/stream/reader"
	"tarn/stream/state"
)

// aheadMax is how far a record's time may lie ahead of the record's own timestamp before it is not
// believed: it does not move the watermark.
const aheadMax = time.Hour

// truncate is the op of a change event that takes all rows out.
const truncate = 't'

// recordsKept is how many records' room a scan keeps between two batches.
const recordsKept = 8192

// scan collects the rows of one source for the tick in hand.
type scan struct {
	s      *session
	number int
	input  *Input
	of     *plan.Scan
	topic  *bus.Topic
	decode *decode.Decoder
	// schemaID is that of the schema by which the decoder reads.
	schemaID []byte
	hidden   *array.RecordBuilder // of the columns that are not of the records' values
	schema   *arrow.Schema
	keys     []int // the columns of a changelog's key, of those in the values
	time     int   // the column with the watermark, -1 for none
	longest  int64 // of the windows, in microseconds: one may have begun, and been flushed, so long before a row's time
	width    int   // bytes that a row has at least, whatever its record leaves out: of its columns or of those of the result
	quiet    []time.Time
	// What is used again: the records of a batch, and how many rows the last tick had.
	records []record.Record
	reserve int
	kept    map[[2]int64][]byte // values of rows that may be late, by partition and offset
	origins []own.Letter        // of a careful run: the record of each row
}

func newScan(s *session, number int, topic *bus.Topic) *scan {
	c := &scan{s: s, number: number, input: &s.job.Inputs[number], of: s.plan.Scans[number], topic: topic, time: -1, kept: map[[2]int64][]byte{}}
	columns := c.input.columns(c.of)
	for i, column := range c.of.Columns[:len(columns)] {
		if column.Name == c.of.Source.Time {
			c.time = i
		}
		if slices.ContainsFunc(c.of.Source.Key, func(key string) bool { return strings.EqualFold(key, column.Name) }) {
			c.keys = append(c.keys, i)
		}
	}
	c.decode = decode.New(columns)
	c.hidden = array.NewRecordBuilder(memory.DefaultAllocator, schemaOf(c.of.Columns[len(columns):], c.of.Hidden()))
	c.schema = schemaOf(c.of.Columns, c.of.Hidden())
	made := 0
	for _, column := range s.plan.Columns {
		made += widthOf(table.ArrowType(column.Type))
	}
	for _, f := range c.schema.Fields() {
		c.width += widthOf(f.Type)
	}
	c.width = max(c.width, made)
	for _, op := range s.plan.Operators {
		if w := op.Windows(); w != nil {
			c.longest = max(c.longest, w.Size.Microseconds())
		}
	}
	now := s.o.Clock.Now()
	for range topic.Partitions() {
		c.quiet = append(c.quiet, now)
	}
	return c
}

// schemaOf is the Arrow schema of columns.
func schemaOf(lists ...[]plan.Column) *arrow.Schema {
	var fields []arrow.Field
	for _, columns := range lists {
		for _, c := range columns {
			fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
		}
	}
	return arrow.NewSchema(fields, nil)
}

// widthOf is how many bytes DuckDB has for a value of a type, without its text.
func widthOf(t arrow.DataType) int {
	if fixed, ok := t.(arrow.FixedWidthDataType); ok {
		return (fixed.BitWidth() + 7) / 8
	}
	return 16
}

func (c *scan) relation() string { return c.of.Relation }

func (c *scan) part(partition int32) *state.Part {
	return c.s.next.Parts[state.Key(c.number, partition)]
}

// hold tells retention what the state no longer needs of the log.
func (c *scan) hold() {
	for _, p := range c.topic.Partitions() {
		if part := c.s.state.Progress.Parts[state.Key(c.number, p.Number())]; part != nil {
			p.Hold(Holder(c.s.ID, c.number), part.Next)
		}
	}
}

// batch takes the collected rows; nil for none.
func (c *scan) batch() arrow.RecordBatch {
	rows := c.decode.Rows()
	if rows == 0 {
		return nil
	}
	c.reserve = rows
	columns := c.decode.Arrays()
	if hidden := c.hidden.NewRecordBatch(); hidden.NumCols() > 0 {
		columns = append(columns, hidden.Columns()...)
	}
	b := array.NewRecordBatch(c.schema, columns, int64(rows))
	for _, column := range columns {
		column.Release()
	}
	return b
}

// take collects what one fetch brought.
func (s *session) take(ctx context.Context, f reader.Fetch) error {
	if f.Err != nil {
		return refused(f.Err) // if the log start has passed it, the next session reads the topic's history
	}
	c := s.scans[f.Scan]
	part := c.part(f.Partition)
	if err := c.use(ctx, f.Partition, part, f.Next); err != nil {
		return err
	}
	decisions := c.decisions(f.Partition, part.Next, f.Next)
	for _, b := range f.Batches {
		if b.Next() <= part.Next {
			continue
		}
		if err := c.cut(ctx, f, part, &decisions, 1); err != nil {
			return err
		}
		if b.Base() > part.Next { // compaction took records, or there is a hole
			if first, after, lost := c.topic.Partitions()[f.Partition].Lost(part.Next); lost && first < b.Base() {
				return failure{fault.Newf(fault.Damaged, fmt.Sprintf("say ALTER PIPELINE %s REBUILD to begin with what is left", s.Name),
					"topic %s partition %d has lost offsets %d to %d", c.topic.Name(), f.Partition, first, after-1)}
			}
		}
		if err := c.collect(ctx, f, part, b, &decisions); err != nil {
			return err
		}
		part.Next = b.Next()
	}
	if err := c.past(ctx, f, part, &decisions); err != nil {
		return err
	}
	part.Next = max(part.Next, f.Next)
	s.apply(c, part, &decisions, part.Next)
	c.quiet[f.Partition] = s.o.Clock.Now()
	s.moved = true
	return nil
}

// cut ends the tick in the midst of a fetch where it has so many times what one may have: a fetch may hold much more,
// be its records compressed or narrower than their columns.
func (c *scan) cut(ctx context.Context, f reader.Fetch, part *state.Part, decisions *[]clock.Decision, times int) error {
	if !c.s.has(times) {
		return nil
	}
	c.s.moved = true // what came in this very fetch, too
	if err := c.s.advance(ctx); err != nil {
		return err
	}
	*decisions = c.decisions(f.Partition, part.Next, f.Next)
	return nil
}

// collect takes the records of a batch.
func (c *scan) collect(ctx context.Context, f reader.Fetch, part *state.Part, b record.Batch, decisions *[]clock.Decision) error {
	if b.Control() {
		return c.mark(ctx, b)
	}
	records, err := b.AppendRecords(c.records[:0])
	if err != nil {
		return failure{fault.Wrap(err, fault.Damaged, "read a batch of the log", "put back the bus from a backup")}
	}
	defer func() {
		clear(records) // or it would hold what it was read from
		if c.records = nil; cap(records) <= recordsKept {
			c.records = records
		}
	}()
	return c.rows(ctx, f, part, records, decisions)
}

// past takes records that the log has no more.
func (c *scan) past(ctx context.Context, f reader.Fetch, part *state.Part, decisions *[]clock.Decision) error {
	if err := c.rows(ctx, f, part, f.Past, decisions); err != nil || f.Ended == 0 {
		return err
	}
	return c.ended(ctx, f.Ended)
}

// rows decodes records into the tick's rows. Those of one batch are in one tick, unless they are too many.
func (c *scan) rows(ctx context.Context, f reader.Fetch, part *state.Part, records []record.Record, decisions *[]clock.Decision) error {
	const times = 2
	if c.decode.Rows() == 0 {
		c.hidden.Reserve(c.reserve)
	}
	for i := range records {
		r := &records[i]
		if r.Offset < part.Next {
			continue
		}
		c.s.apply(c, part, decisions, r.Offset)
		c.s.bytes += max(len(r.Value), c.width) // as it was before its batch was compressed
		if err := c.record(ctx, f.Partition, part, r); err != nil {
			return err
		}
		part.Next = r.Offset + 1
		if err := c.cut(ctx, f, part, decisions, times); err != nil {
			return err
		}
	}
	return nil
}

// record decodes one record into the tick's rows.
func (c *scan) record(ctx context.Context, partition int32, part *state.Part, r *record.Record) error {
	before := c.decode.Rows()
	var op byte
	var err error
	if c.input.Format == Debezium {
		if err := c.as(ctx, r); err != nil {
			return err
		}
		op, err = c.decode.Debezium(r.Value)
	} else {
		err = c.decode.JSON(r.Value)
	}
	if err == nil && op == truncate && len(c.keys) > 0 {
		err = errors.New("a changelog's rows go one by one: what a truncation takes out cannot be told, for other partitions may be read sooner or later")
	}
	if err != nil {
		return c.unreadable(partition, r, err)
	}
	if c.decode.Rows() == before {
		return nil
	}
	gone := op == 'd'
	if c.input.Mirror.Name != "" && !c.input.Loose && c.nullKey() {
		if err := c.loosened(ctx, partition, r); err != nil {
			return err
		}
		gone = true // there is no row of that key
	}
	c.note(partition, part, r, gone)
	// What fills a mirror sends a changed key as a delete and a create; this is for others, which need not.
	if len(c.keys) > 0 && c.input.Mirror.Name == "" && c.decode.Rekeyed(c.keys) {
		if err := c.decode.Before(); err != nil {
			return c.unreadable(partition, r, fmt.Errorf("its row under the old key stays, for before cannot be read: %w", err))
		}
		c.note(partition, part, r, true)
	}
	return nil
}

// as tells the decoder by which schema a change event writes its values.
func (c *scan) as(ctx context.Context, r *record.Record) error {
	id, _ := r.Header(record.HeaderSchema)
	if bytes.Equal(id, c.schemaID) {
		return nil
	}
	n, err := strconv.ParseInt(string(id), 10, 64)
	var s *record.Schema
	if err == nil {
		if s, err = c.s.o.Schemas.Get(ctx, n); err != nil && !errors.Is(err, schemas.ErrNotFound) {
			return err
		}
	}
	c.schemaID = append(c.schemaID[:0], id...)
	c.decode.As(s)
	return nil
}

// note appends the hidden columns of the row decoded last.
func (c *scan) note(partition int32, part *state.Part, r *record.Record, deleted bool) {
	c.s.rows++
	if c.s.careful {
		one := *r
		c.origins = append(c.origins, own.Letter{Partition: partition, Record: &one})
	}
	fields := c.hidden.Fields()
	if c.input.Loose {
		if key := fields[0].(*array.StringBuilder); c.nullKey() {
			key.BinaryBuilder.Append(envelope.KeyPayload(r.Key))
		} else {
			key.AppendNull()
		}
		fields = fields[1:]
	}
	switch {
	case len(c.keys) > 0:
		fields[0].(*array.Int64Builder).Append(r.Offset)
		fields[1].(*array.BooleanBuilder).Append(deleted)
		fields[2].(*array.Int64Builder).Append(generation(r))
	case c.of.Windows:
		fields[0].(*array.Int32Builder).Append(int32(c.number)) //nolint:gosec // a plan has few scans
		fields[1].(*array.Int32Builder).Append(partition)
		fields[2].(*array.Int64Builder).Append(r.Offset)
		c.timed(partition, part, r, fields[3].(*array.Int64Builder), fields[4].(*array.Int64Builder))
	}
}

// nullKey tells whether the row decoded last has a null in its key. Landing asks it of the record, too: a value of the key that
// does not fit its column is null there.
func (c *scan) nullKey() bool { return slices.ContainsFunc(c.keys, c.decode.Null) }

// nullNow is what has become of a mirror whose key was never null.
const nullNow = "has rows whose key is null now"

// loosened takes a record with a null in the key of a mirror which had none when the pipeline was planned. Either landing has refused
// the record, or several rows may have that key from now on, and other columns tell them apart.
func (c *scan) loosened(ctx context.Context, partition int32, r *record.Record) error {
	t, err := c.s.o.Tables.Open(ctx, c.input.Mirror)
	if err != nil {
		return err
	}
	if slices.Contains(landing.MirrorKey(t), landing.KeyColumn) {
		return c.s.anew(c.input.Mirror, nullNow)
	}
	text, _ := t.Property(table.PropOffsets + landing.Reader)
	landed, err := landedOf(c.input.Mirror, text)
	if err != nil {
		return err
	}
	if landed.At(c.input.Topic, partition).Next > r.Offset {
		return c.unreadable(partition, r, errors.New("a column of the key is null, and the mirror has no such row"))
	}
	return fault.Newf(fault.Unavailable, "it goes on by itself when landing has caught up; see system.parts",
		"%s has not landed offset %d of its topic, which has a null in the key", c.input.Mirror, r.Offset)
}

func generation(r *record.Record) int64 {
	text, ok := r.Header(record.HeaderGen)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// timed notes the watermark before a row, and moves it.
func (c *scan) timed(partition int32, part *state.Part, r *record.Record, mark, flushed *array.Int64Builder) {
	before := int64(math.MinInt64)
	switch {
	case c.input.Global && part.Told:
		before = part.Mark
		mark.Append(before)
	case !c.input.Global && part.Seen:
		before = part.Highest - c.of.Source.Delay.Microseconds()
		mark.Append(before)
	default:
		mark.AppendNull()
	}
	if part.Flushed != state.None {
		flushed.Append(part.Flushed)
	} else {
		flushed.AppendNull()
	}
	at, ok := c.decode.Time(c.time)
	if !ok {
		return
	}
	if at <= before || part.Flushed != state.None && at-c.longest <= part.Flushed {
		c.s.mayLate = true
		c.kept[[2]int64{int64(partition), r.Offset}] = r.Value
	}
	if at > r.Timestamp*1000+aheadMax.Microseconds() {
		c.s.counts.ahead++
		return
	}
	if !part.Seen || at > part.Highest {
		part.Seen, part.Highest = true, at
	}
}

// unreadable does with a record that cannot be read what the stream says.
func (c *scan) unreadable(partition int32, r *record.Record, why error) error {
	switch c.input.OnError {
	case "stop":
		return failure{fault.Wrap(why, fault.Invalid, fmt.Sprintf("read topic %s partition %d offset %d", c.topic.Name(), partition, r.Offset),
			"mend what writes it, or declare the source with on_error = 'dead_letter'")}
	case "skip":
	default:
		one := *r
		c.s.letters[c.number] = append(c.s.letters[c.number], own.Letter{Partition: partition, Record: &one, Why: why.Error()})
	}
	c.s.counts.dead++
	return nil
}

// rekeyed ends the pipeline where a snapshot of a mirror's table begins, or ends, which has another key: it is then that one gets it.
func (c *scan) rekeyed(ctx context.Context, m record.Mark) error {
	if c.input.Mirror.Name == "" {
		return nil
	}
	schema, err := c.s.o.Schemas.Get(ctx, m.Schema)
	if errors.Is(err, schemas.ErrNotFound) {
		return nil // landing waits for it, or passes it over
	}
	if err != nil {
		return err
	}
	keys := schema.Keys()
	if len(keys) == 0 || len(keys) == len(c.keys) && !slices.ContainsFunc(c.keys, func(i int) bool {
		return !slices.ContainsFunc(keys, func(k int) bool { return schema.Columns[k].Name == c.input.Names[i] })
	}) {
		return nil
	}
	return c.s.anew(c.input.Mirror, "has another key now")
}

// mark takes a snapshot's end: what came is ticked, then the rows of older generations go.
func (c *scan) mark(ctx context.Context, b record.Batch) error {
	m, ok, err := b.Mark()
	if err != nil {
		return failure{fault.Wrap(err, fault.Damaged, "read a batch of the log", "put back the bus from a backup")}
	}
	if !ok {
		return nil
	}
	if err := c.rekeyed(ctx, m); err != nil || m.Kind != record.SnapshotEnd {
		return err
	}
	return c.ended(ctx, m.Generation)
}

// ended ticks what came of a snapshot that has ended, then takes the rows of older generations out.
func (c *scan) ended(ctx context.Context, generation int64) error {
	if len(c.of.Source.Key) == 0 {
		return nil
	}
	c.s.moved = true // what came in this very fetch, too
	if err := c.s.tick(ctx); err != nil {
		return err
	}
	c.s.sweeps = map[string]int64{c.relation(): generation}
	c.s.moved = true
	return c.s.tick(ctx)
}
