package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// RecordBytesMax is the largest record that the log takes, with its key, place and headers, less
// what a batch puts round it (rule 1).
const RecordBytesMax = record.BatchBytesMax - 4096

// What the runner puts behind a change's place for the records that it makes of it beside
// the first; both sort before anything that a connector puts there.
const (
	tombstonePlace = "+"
	secondPlace    = "-"
)

// follows tells whether a place is of a record that belongs to the change before it.
func follows(place string) bool {
	return strings.HasSuffix(place, tombstonePlace) || strings.HasSuffix(place, secondPlace)
}

// Halved tells whether a place, as LastPlace returns it, is of the second event of one change, as a change of key has two.
func Halved(place string) bool { return strings.HasSuffix(place, secondPlace) }

// quarantine is the error of a table that cannot go on, while others can.
type quarantine struct {
	table string
	err   error
}

// Quarantine is an error of Next that one table alone cannot go on: the runner opens the source again without it.
func Quarantine(table string, err error) error { return &quarantine{table, err} }

func (q *quarantine) Error() string { return fmt.Sprintf("table %s: %v", q.table, q.err) }
func (q *quarantine) Unwrap() error { return q.err }

// part is one topic as the runner knows it.
type part struct {
	log   Partition
	last  record.Pos // the source's last place in it
	keyed bool       // as the topic was opened
}

// entry is one record to append, with the place that decides whether it is there already.
type entry struct {
	record record.Record
	mark   *record.Mark
	place  string
	size   int
}

// rendered is a topic's part of a batch, or a part of that, as it goes to the log.
type rendered struct {
	TopicBatch        // of the topic that it goes to
	from       string // the topic that its table would have
	entries    []entry
	appends    []appending
	slab       *slab // what they are made of
}

// appending is one append.
type appending struct {
	entries []entry
	batches []byte
}

// prepare renders a topic's batch and hands it on in parts, of which each is an append or a few. It looks at nothing that an append
// changes, for those before it may be on their way.
func (r *Runner) prepare(b *TopicBatch, hand func(*rendered) error) error {
	own := *b
	own.Topic = r.topicOf(b.Topic)
	return r.render(&own, func(room *slab) error {
		out := &rendered{TopicBatch: own, from: b.Topic, entries: room.entries, slab: room}
		out.Changes, own.Dead = nil, nil // letters go with the first part
		if !r.changesRecords() {
			out.appends = r.cut(&out.TopicBatch, out.entries, room)
		}
		return hand(out)
	})
}

// slab is memory for the next part.
func (r *Runner) slab() *slab {
	if room, ok := r.slabs.Get().(*slab); ok {
		return room
	}
	return &slab{}
}

// done gives the memory of a batch back, of which the log has copies.
func (r *Runner) done(b *rendered) {
	b.slab.reset()
	r.slabs.Put(b.slab)
}

// cut makes appends of about ChunkBytesMax of entries; a chunk is one.
func (r *Runner) cut(b *TopicBatch, entries []entry, room *slab) (out []appending) {
	size := 0
	for i := range entries {
		size += entries[i].size
	}
	room.appends = slices.Grow(room.appends, size+headerBytes)
	for len(entries) > 0 {
		n := len(entries)
		if !b.Chunk && b.PlainPlace == "" {
			n = fill(entries)
		}
		out = append(out, appending{entries[:n], room.encode(entries[:n], r.o.Clock.Now())})
		entries = entries[n:]
	}
	return out
}

// publish appends what of a topic's batch is not in the log yet. appended tells whether
// that was anything. It returns when all is acknowledged.
func (r *Runner) publish(ctx context.Context, b *rendered) (appended bool, err error) {
	if r.changesRecords() {
		return r.publishTransformed(ctx, b)
	}
	if r.o.Transform != nil {
		if err := r.claim(ctx, b); err != nil {
			return false, err
		}
	}
	if err := r.bury(ctx, &b.TopicBatch); err != nil {
		return false, err
	}
	if len(b.entries) == 0 && len(b.Dead) > 0 && !b.plain() { // letters alone do not say what the topic's records are
		return false, nil
	}
	if err := r.raise(ctx, &b.TopicBatch); err != nil {
		return false, err
	}
	return r.insist(ctx, b)
}

// insist appends entries, however long it takes, unless the topic will never take them.
func (r *Runner) insist(ctx context.Context, b *rendered) (appended bool, err error) {
	pause := newPauses()
	for {
		appended, err = r.push(ctx, b, appended)
		if err == nil {
			return appended, nil
		}
		if stop := r.refused(ctx, &b.TopicBatch, err); stop != nil {
			return appended, stop
		}
		pause.wait(ctx)
	}
}

// refused tells what an append's error means: nil to try again, after asking the log anew
// what it holds. A topic that was deleted lost more than this append: the source is opened
// anew and compares.
func (r *Runner) refused(ctx context.Context, b *TopicBatch, err error) error {
	delete(r.parts, b.partKey())
	if ctx.Err() != nil {
		return err
	}
	switch code := fault.CodeOf(err); {
	case errors.Is(err, bus.ErrRetry), code == fault.Unavailable, code == fault.NoSpace, code == fault.Timeout:
		r.set(Retrying, err)
		r.o.Metrics.retries.WithLabelValues(r.o.Config.Name).Inc()
		return nil
	case refusesForGood(err):
		return &quarantine{TableName(b.Schema), err}
	}
	return fmt.Errorf("append to topic %s: %w", b.Topic, err)
}

// refusesForGood tells whether a topic that refused an append would refuse it again.
func refusesForGood(err error) bool {
	code := fault.CodeOf(err)
	return code == fault.TooLarge || code == fault.Conflict || code == fault.Invalid || code == fault.Damaged
}

// partition returns a topic's partition, with the last place read from the log when it is
// opened: at the start, after each append that was refused or timed out, and when the table
// gains or loses its key, which the topic is told.
func (r *Runner) partition(ctx context.Context, b *TopicBatch) (*part, error) {
	keyed := b.apart == "" && len(b.Schema.Keys()) > 0
	if p, ok := r.parts[b.partKey()]; ok && p.keyed == keyed {
		return p, nil
	}
	log, err := r.o.Log.Open(ctx, b.Topic, bus.TopicConfig{
		Partitions: 1, Land: true, Keyed: keyed, Source: r.id, Plain: b.plain() || b.apart != "",
	})
	if err != nil {
		return nil, err
	}
	p := &part{log: log, keyed: keyed}
	p.last, _ = log.Place(r.idIn(b))
	r.parts[b.partKey()] = p
	return p, nil
}

// partKey tells the records of a topic apart that have places of their own.
func (b *TopicBatch) partKey() string {
	if b.apart == "" {
		return b.Topic
	}
	return b.Topic + "\x00" + b.apart
}

// idIn is the id under which the places of a batch's records are.
func (r *Runner) idIn(b *TopicBatch) string {
	if b.apart != "" {
		return b.apart
	}
	return r.id
}

// push appends the entries that are above the topic's last place.
func (r *Runner) push(ctx context.Context, b *rendered, appended bool) (bool, error) {
	p, err := r.partition(ctx, &b.TopicBatch)
	if err != nil {
		return appended, err
	}
	appends := b.appends
	if p.last.Incarnation == b.Incarnation {
		fresh := b.entries
		if known := func(e entry) bool { return e.place <= p.last.Place }; slices.ContainsFunc(fresh, known) {
			fresh = slices.DeleteFunc(slices.Clone(fresh), known)
			appends = r.cut(&b.TopicBatch, fresh, &slab{})
		}
		r.o.Metrics.dropped.WithLabelValues(r.o.Config.Name, b.Topic).Add(float64(len(b.entries) - len(fresh)))
	}
	for _, one := range appends {
		if len(one.batches) > record.BatchBytesMax {
			return appended, fault.Newf(fault.TooLarge, "make the row smaller, or leave the table out", "an append of %d bytes is more than the log takes", len(one.batches))
		}
		if _, err := p.log.Append(ctx, one.batches); err != nil {
			return appended, err
		}
		appended = true
		p.last = record.Pos{Source: r.idIn(&b.TopicBatch), Incarnation: b.Incarnation, Place: one.entries[len(one.entries)-1].place}
		r.count(&b.TopicBatch, one.entries, len(one.batches))
	}
	if b.Chunk && appended {
		fault.Point("source.chunk")
	}
	return appended, nil
}

func (r *Runner) count(b *TopicBatch, entries []entry, bytes int) {
	rows := 0
	for i := range entries {
		if entries[i].mark == nil && entries[i].record.Value != nil {
			rows++
		}
	}
	r.o.Metrics.records.WithLabelValues(r.o.Config.Name, b.Topic).Add(float64(len(entries)))
	r.o.Metrics.bytes.WithLabelValues(r.o.Config.Name, b.Topic).Add(float64(bytes))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Rows += int64(rows)
	r.rows[b.Topic] += int64(rows)
}

// fill tells how many entries make one append. The records of one change stay in one batch, if any batch can have them:
// landing takes values that the create of a changed key lacks from the row that the delete before it took out.
func fill(entries []entry) int {
	size, end := 0, 0 // end is where the last change begins
	for i := range entries {
		if i > 0 && !follows(entries[i].place) {
			end = i
		}
		size += entries[i].size
		switch {
		case size > ChunkBytesMax && end > 0:
			return end
		case size > RecordBytesMax && i > 0:
			return i
		}
	}
	return len(entries)
}
