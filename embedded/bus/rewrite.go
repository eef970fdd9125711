package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// rewrite is the making of a log's next generation. One goroutine uses it; at last the partition's writer.
type rewrite struct {
	p *Partition
	s *session
	dirt
	from, gen *generation
	newest    map[keyHash]int64 // of each key between clean and to
	to        int64             // all below is compacted, what comes behind is as it was

	read uint64 // last message of the old stream that was dealt with
	seen int64  // offset after it
	out  []byte // of the next message
	last record.Batch
	base int64 // its first offset
	seq  uint64
	index
	retained map[int64]bool // producers with data kept since their last marker
	gone     map[int64]bool // offsets of the markers of aborted transactions that are left out
}

// errUnwanted means that compaction may no more go where it went.
var errUnwanted = errors.New("the topic compacts no more, or has a reader that has not read all that was compacted")

// swap asks a writer to put a generation in force.
type swap struct {
	*rewrite
	done chan error
}

// begin makes the stream of the next generation.
func (n *rewrite) begin(ctx context.Context) error {
	p := n.p
	if err := p.bus.lockAdmin(ctx); err != nil { // against a deletion of the topic
		return err
	}
	defer p.bus.admin.Unlock()
	if !p.listed() {
		return fmt.Errorf("%w: %s", ErrNoTopic, p.topic.name)
	}
	n.gen = p.generation(n.from.number + 1)
	c := p.config(p.topic.Config())
	c.Name, c.Subjects = n.gen.stream, []string{n.gen.subject}
	if p.spare == n.gen.number { // of a pass that was cut short
		if err := n.drop(ctx, n.gen.stream); err != nil {
			return err
		}
	}
	if err := n.s.create(ctx, c); err != nil {
		return err
	}
	info, err := n.s.info(ctx, n.gen.stream)
	if err != nil {
		return err
	}
	if info.State.LastSeq > 0 {
		return fmt.Errorf("stream %s has messages already, the next start chooses between it and %s", n.gen.stream, n.from.stream)
	}
	p.spare = n.gen.number
	if info, err = n.s.info(ctx, n.from.stream); err != nil {
		return err
	}
	n.read, n.retained, n.gone = max(info.State.FirstSeq, 1)-1, map[int64]bool{}, map[int64]bool{}
	p.mu.Lock()
	n.seen = p.end
	if len(p.index.runs) > 0 {
		n.seen = p.index.runs[0].base
	}
	p.mu.Unlock()
	n.base = n.seen
	return nil
}

func (n *rewrite) drop(ctx context.Context, stream string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	s, _ := n.p.bus.session() // the one that began may have ended
	if err := s.api.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("remove stream %s: %w", stream, err) // the next start does
	}
	return nil
}

// copy brings over what the old stream has, until at most left messages have come meanwhile, or it has tried for
// long: then the writer waits for the rest.
func (n *rewrite) copy(ctx context.Context, left uint64) error {
	for rounds := 0; ; rounds++ {
		n.p.mu.Lock()
		last := n.p.applied
		n.p.mu.Unlock()
		if last <= n.read+left || left > 0 && rounds == copyRoundsMax {
			return n.flush(ctx, n.seen)
		}
		if err := n.copyUpTo(ctx, last); err != nil {
			return err
		}
	}
}

func (n *rewrite) copyUpTo(ctx context.Context, last uint64) error {
	c, err := n.s.cursor(ctx, n.p.lane, n.from.stream, n.read+1, int(readAheadBytes/joinBytesMax))
	if err != nil {
		return err
	}
	defer c.close()
	for n.read < last {
		m, err := c.within(ctx, apiTimeout)
		if err != nil {
			return fmt.Errorf("read message %d: %w", n.read+1, err)
		}
		n.read = m.seq
		span, err := m.span()
		if err != nil || span.base < n.seen {
			continue // passed over by the writer too
		}
		if span.base > n.seen { // a hole, which stays one
			if err := n.flush(ctx, n.seen); err != nil {
				return err
			}
			n.base = span.base
		}
		keep := n.filter
		if span.next > n.to {
			keep = asItIs
			if n.base < n.to { // the next pass begins with a message
				if err := n.flush(ctx, span.base); err != nil {
					return err
				}
			}
		}
		n.seen = span.next
		if err := n.take(ctx, span.batches, keep); err != nil {
			return err
		}
	}
	return nil
}

func asItIs(b record.Batch) record.Batch { return b }

// take takes what stays of a message's batches. Messages are joined, or appends would outrun the copy.
func (n *rewrite) take(ctx context.Context, batches []record.Batch, keep func(record.Batch) record.Batch) error {
	for _, b := range batches {
		n.last = b
		kept := keep(b)
		if kept == nil {
			continue
		}
		if len(n.out) > 0 && len(n.out)+len(kept) > joinBytesMax {
			if err := n.flush(ctx, b.Base()); err != nil {
				return err
			}
		}
		n.out = append(n.out, kept...)
	}
	return nil
}

// filter is what stays of a batch; nil for nothing. One that cannot be unpacked, or packed again as small as the log
// takes it, stays whole.
func (n *rewrite) filter(b record.Batch) record.Batch {
	id, _, _ := b.Producer()
	if b.Control() {
		return n.marker(b)
	}
	gone := b.Transactional() && n.p.aborted(b)
	kept, err := b.Filter(func(e record.Entry) bool {
		newest, known := n.newest[hashOf(e.Key)]
		old := e.Key == nil || known && e.Offset < newest || e.Tombstone && e.Offset < n.horizon
		return !gone && !old
	})
	if err != nil {
		kept = b
	}
	if kept.Count() == 0 && !n.p.lastOf(id, b.Base()) {
		return nil
	}
	if id >= 0 {
		n.retained[id] = true
	}
	return kept
}

// marker keeps what ends a transaction while the log has records of it, a reader may not have come to it yet, or nothing
// else tells of its producer. Tarn's own marks stay.
func (n *rewrite) marker(b record.Batch) record.Batch {
	if b.Count() == 0 {
		return nil // what an earlier pass put in place of batches
	}
	m, ok, err := b.Marker()
	if err != nil || !ok {
		return b
	}
	kept := n.retained[m.Producer]
	delete(n.retained, m.Producer)
	if !kept && b.Next() <= n.horizon && !n.p.lastOf(m.Producer, b.Base()) {
		if !m.Commit {
			n.gone[b.Base()] = true
		}
		return nil
	}
	return b
}

// aborted tells whether the batch is of a transaction that was aborted.
func (p *Partition) aborted(b record.Batch) bool {
	id, _, _ := b.Producer()
	return slices.ContainsFunc(p.Aborted(b.Base(), b.Next()), func(a Aborted) bool {
		return a.Producer == id && a.First <= b.Base() && b.Base() < a.Last
	})
}

// lastOf tells whether nothing but what is at an offset, or comes behind it, tells of a producer that is known.
func (p *Partition) lastOf(id, base int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, known := p.producers.known[id]
	if !known || id < 0 {
		return false
	}
	return one.count == 0 || base >= one.batches[one.count-1].base
}

// flush publishes what was taken, as a message that spans all offsets up to next.
func (n *rewrite) flush(ctx context.Context, next int64) error {
	if next <= n.base {
		return nil
	}
	if len(n.out) == 0 {
		n.out = append(n.out, n.last.Void()...)
	}
	l, err := n.s.lane(n.p.lane)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	reply, err := l.conns[1].RequestMsgWithContext(ctx, &nats.Msg{Subject: n.gen.subject, Data: n.out, Header: nats.Header{
		headerBase:                      {strconv.FormatInt(n.base, 10)},
		headerNext:                      {strconv.FormatInt(next, 10)},
		jetstream.ExpectedLastSeqHeader: {strconv.FormatUint(n.seq, 10)},
	}})
	if err == nil {
		err = checkAck(reply, n.seq+1)
	}
	if err != nil {
		return err
	}
	fault.Point("bus.compacting")
	n.seq++
	n.add(run{seq: n.seq, base: n.base, next: next, newest: newest(cutTrusted(n.out), n.p.bus.o.Clock.Now()), bytes: int64(len(n.out))})
	n.base, n.out = next, nil
	return nil
}

// swapNow puts a generation in force, in the writer's goroutine while nothing is in flight.
func (w *writer) swapNow(ctx context.Context) {
	request := w.swap
	w.swap = nil
	request.done <- w.putInForce(ctx, request.rewrite)
}

// giveUpSwap answers one that came too late.
func (w *writer) giveUpSwap() {
	if w.swap != nil {
		w.swap.done <- errServerGone
		w.swap = nil
	}
}

// putInForce copies the rest, and lets one record of meta decide.
func (w *writer) putInForce(ctx context.Context, n *rewrite) error {
	p := w.p
	if p.gen.Load() != n.from || w.session != n.s {
		return errServerGone
	}
	if err := n.copy(ctx, 0); err != nil {
		return err
	}
	if n.seen != p.Written() || n.base != n.seen || len(n.runs) == 0 {
		return fmt.Errorf("the new generation ends at %d, the log at %d", n.base, p.Written())
	}
	p.trimming.Lock() // which whoever alters the topic takes
	defer p.trimming.Unlock()
	c := p.topic.Config()
	_, compacts := c.Cleanup()
	p.mu.Lock()
	if floor, _ := p.floor(c); !compacts || n.to > floor {
		p.mu.Unlock()
		return errUnwanted
	}
	start := trimmed{
		ID: p.topic.Config().ID, Offset: p.logStart, Next: p.next, End: p.end, Places: p.places.text(), Origin: p.start.Origin,
		Gen: n.gen.number, Cleans: n.after(n.to), Free: p.start.Free,
	}
	known := p.producers
	// A reader that is told of an aborted transaction passes over all that its producer sends until it meets the marker.
	known.aborted = slices.DeleteFunc(slices.Clone(known.aborted), func(a Aborted) bool { return n.gone[a.Last] })
	check := p.checkpoint(n.gen.number, n.seq, &n.index, &known)
	p.mu.Unlock()
	value, err := json.Marshal(start)
	if err != nil {
		return err
	}
	checked, err := json.Marshal(check)
	if err != nil {
		return err
	}
	fault.Point("bus.compacted")
	err = p.bus.o.Meta.Put(ctx, meta.Entry{Bucket: meta.LogStarts, Key: p.label, Value: value}, meta.Entry{Bucket: meta.Checks, Key: p.label, Value: checked})
	if err != nil && !p.inForce(ctx, n.gen.number) {
		return err
	}
	fault.Point("bus.swapped")
	p.mu.Lock()
	p.start, p.index, p.applied = start, n.index, n.seq
	p.producers.aborted = known.aborted
	p.gen.Store(n.gen)
	for c := range p.cursors {
		c.it.Stop() // its reader begins again in the new stream
	}
	clear(p.cursors)
	p.bus.cache.trim(&p.tail, n.to) // before anybody sees the new log: it has batches of which aborted tells no more
	p.broadcast()
	p.mu.Unlock()
	w.seq, w.previous = n.seq, ""
	return nil
}

// inForce asks, after a write that failed, until it is known which generation a start would take.
func (p *Partition) inForce(ctx context.Context, number int64) bool {
	for {
		var start trimmed
		if err := p.bus.load(ctx, meta.LogStarts, p.label, &start); err == nil {
			return start.Gen == number
		}
		if life.Wait(ctx, retryWait) != nil {
			return false
		}
	}
}
