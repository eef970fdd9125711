package source

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// render makes the records of a topic's batch and hands them on: a chunk whole, changes about ChunkBytesMax at a time. All rows of a
// chunk share a place, so that the log's last place tells of all of them.
func (r *Runner) render(b *TopicBatch, hand func(*slab) error) error {
	p := &printer{
		b: b, now: r.o.Clock.Now(), pos: record.Pos{Source: r.id, Incarnation: b.Incarnation},
		source: envelope.Source{
			Version: r.o.Version, Connector: r.o.Kind.Name, Name: r.o.Config.Get("topic.prefix", r.o.Config.Name),
			Database: b.Schema.Database, Schema: b.Schema.Schema, Table: b.Schema.Table,
		},
		schema: strconv.AppendInt(nil, b.Schema.ID, 10), gen: strconv.AppendInt(nil, b.Generation, 10),
	}
	p.frame, p.prefix, p.form = r.frame(b), p.pos.String(), envelope.NewForm(b.Schema, &p.source)
	p.begin(r.slab(), b.recordsMost())
	for i := range b.Plain {
		p.add(b.Plain[i].Key, b.Plain[i].Value, cmp.Or(b.Plain[i].Place, b.PlainPlace))
	}
	if err := p.mark(b.Begin); err != nil {
		return err
	}
	for i := range b.Changes {
		before := p.size
		p.change(&b.Changes[i], snapshotWord(b, i))
		if more := p.size - before; !b.Chunk && p.size+2*more > ChunkBytesMax && i < len(b.Changes)-1 { // the next may be as large, and more
			if err := p.end(hand); err != nil {
				return err
			}
			p.begin(r.slab(), p.room.records)
		}
	}
	if err := p.mark(b.End); err != nil {
		return err
	}
	return p.end(hand)
}

// begin takes memory for so many records as are expected.
func (p *printer) begin(room *slab, records int) {
	p.room, p.size = room, 0
	room.records = records
	room.entries = slices.Grow(room.entries, min(records, slabEntries/4)+2)
}

// end hands on what there is.
func (p *printer) end(hand func(*slab) error) error {
	for i := range p.room.entries {
		if size := p.room.entries[i].size; size > RecordBytesMax {
			return &quarantine{TableName(p.b.Schema), fault.Newf(fault.TooLarge,
				"make the row smaller and restart, or leave the table out; the other tables go on",
				"a change of %d bytes is more than the %d that the log takes", size, RecordBytesMax)}
		}
	}
	return hand(p.room)
}

// snapshotWord is Debezium's source.snapshot of the i-th change.
func snapshotWord(b *TopicBatch, i int) string {
	switch {
	case b.Last != "" && i == len(b.Changes)-1: // also where it is the only one, as in Debezium
		return b.Last
	case b.First != "" && i == 0:
		return b.First
	}
	return b.Snapshot
}

// printer makes records of changes.
type printer struct {
	b           *TopicBatch
	now         time.Time
	pos         record.Pos
	source      envelope.Source
	place       envelope.PostgresPlace // of source
	schema, gen []byte
	frame       envelope.Frame
	form        *envelope.Form
	prefix      string // of all places
	room        *slab
	size        int // of the records in it
}

// recordsMost is how many records a batch will be, but for changes of keys.
func (b *TopicBatch) recordsMost() int {
	n := len(b.Plain) + len(b.Changes)
	for i := range b.Changes {
		if b.Changes[i].Op == Delete {
			n++ // its tombstone
		}
	}
	return n
}

// The settings of Connect's JsonConverter that have its schema stand before each key and value.
const (
	KeySchemas   = "key.converter.schemas.enable"
	ValueSchemas = "value.converter.schemas.enable"
)

// framed is the frame of a topic's events by a schema.
type framed struct {
	schema int64
	frame  envelope.Frame
}

// frame is what stands before the keys and values of a batch: nothing, unless the connector says so.
func (r *Runner) frame(b *TopicBatch) (f envelope.Frame) {
	keys, values := r.o.Config.Get(KeySchemas, "false") == "true", r.o.Config.Get(ValueSchemas, "false") == "true"
	if !keys && !values || b.plain() || r.changesRecords() {
		return f
	}
	known, ok := r.frames[b.Topic]
	if !ok || known.schema != b.Schema.ID {
		known = framed{b.Schema.ID, envelope.FrameOf(b.Schema, b.Topic, r.o.Kind.Name == "postgresql")}
		r.frames[b.Topic] = known
	}
	if keys {
		f.Key = known.frame.Key
	}
	if values {
		f.Value = known.frame.Value
	}
	return f
}

func (p *printer) mark(m *record.Mark) error {
	if m == nil {
		return nil
	}
	pos, err := record.ParsePos(m.Pos)
	if err != nil {
		return err
	}
	p.room.entries = append(p.room.entries, entry{mark: m, place: pos.Place})
	return nil
}

// change makes the records of one change, as Debezium does: a delete is followed by a
// tombstone, and a change of key is a delete of the old one and a create of the new one.
func (p *printer) change(c *Change, snapshot string) {
	p.source.Transaction = c.Transaction
	p.source.Snapshot, p.source.Seq, p.source.TSNanos = snapshot, c.Seq, p.now.UnixNano()
	if !c.TS.IsZero() {
		p.source.TSNanos = c.TS.UnixNano()
	}
	if c.LSN != 0 {
		p.place = envelope.PostgresPlace{TxID: c.TxID, LSN: uint64(c.LSN), CommitLSN: uint64(c.LastCommit)} //nolint:gosec // not negative
		p.source.Postgres = &p.place
	}
	switch c.Op {
	case Delete:
		p.remove(c, p.key(c.Before, c.BeforeID))
	case Update:
		after := p.key(c.After, c.AfterID)
		before := after
		if c.Before != nil {
			before = p.key(c.Before, c.BeforeID)
		}
		if string(before) == string(after) {
			p.event(c.Op, after, c.Before, c.After, c.Place)
			return
		}
		p.remove(c, before)
		if c.Transaction != nil {
			second := *c.Transaction
			second.Order, second.TableOrder = second.Order+1, second.TableOrder+1
			p.source.Transaction = &second
		}
		p.event(Create, after, nil, c.After, c.Place+secondPlace)
	case Truncate:
		p.event(c.Op, nil, nil, nil, c.Place)
	default:
		p.event(c.Op, p.key(c.After, c.AfterID), nil, c.After, c.Place)
	}
}

func (p *printer) remove(c *Change, key []byte) {
	p.event(Delete, key, c.Before, nil, c.Place)
	if key != nil && !p.b.NoTombstones {
		p.add(envelope.Wrap(p.frame.Key, key), nil, c.Place+tombstonePlace)
	}
}

// LastPlace is the place of the last record that the runner makes of a batch's changes; ""
// without changes.
func (b *TopicBatch) LastPlace() string {
	if len(b.Changes) == 0 {
		return ""
	}
	c := &b.Changes[len(b.Changes)-1]
	if c.Before == nil || c.Op != Delete && c.Op != Update {
		return c.Place
	}
	switch {
	case c.Op == Delete && !b.NoTombstones && slices.ContainsFunc(b.Schema.Columns, func(c record.Column) bool { return c.Key > 0 }):
		return c.Place + tombstonePlace
	case c.Op == Update && !b.sameKey(c):
		return c.Place + secondPlace
	}
	return c.Place
}

// sameKey tells whether the records of both rows of an update have one key. Equal cells, which most have, are not rendered for that.
func (b *TopicBatch) sameKey(c *Change) bool {
	differ := c.BeforeID != c.AfterID
	for i := range b.Schema.Columns {
		if x, y := &c.Before[i], &c.After[i]; b.Schema.Columns[i].Key > 0 {
			differ = differ || x.Kind != y.Kind || x.I != y.I || x.F != y.F || !bytes.Equal(x.B, y.B)
		}
	}
	return !differ || bytes.Equal(envelope.AppendKeyRow(nil, b.Schema, c.Before, c.BeforeID), envelope.AppendKeyRow(nil, b.Schema, c.After, c.AfterID))
}

func (p *printer) key(row record.Row, id int64) []byte {
	return p.room.write(func(dst []byte) []byte { return p.form.AppendKeyRow(dst, row, id) })
}

func (p *printer) event(op Op, key []byte, before, after record.Row, place string) {
	value := p.room.write(func(dst []byte) []byte {
		return p.form.Append(dst, &p.source, byte(op), before, after, p.now.UnixNano())
	})
	p.add(envelope.Wrap(p.frame.Key, key), envelope.Wrap(p.frame.Value, value), place)
}

// headerBytes bounds what the headers and frame of a record take beside its place.
const headerBytes = 160

func (p *printer) add(key, value []byte, place string) {
	pos := p.room.write(func(dst []byte) []byte { return append(append(dst, p.prefix...), place...) })
	headers := append(p.room.some(), record.Header{Key: record.HeaderPos, Value: pos})
	if p.b.Schema.ID > 0 {
		headers = append(headers, record.Header{Key: record.HeaderSchema, Value: p.schema})
	}
	if !p.b.plain() {
		headers = append(headers, record.Header{Key: record.HeaderGen, Value: p.gen})
	}
	size := len(key) + len(value) + len(place) + headerBytes
	p.size += size
	p.room.entries = append(p.room.entries, entry{
		place: place, size: size,
		record: record.Record{Timestamp: p.now.UnixMilli(), Key: key, Value: value, Headers: headers},
	})
}
