package bus

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// duplicatesWindow is how long JetStream remembers message ids: the memory of it costs, and
// the writer relies on sequences.
const duplicatesWindow = 100 * time.Millisecond

// readAheadBytes is about what a reader or a recovery has on its way from the disk.
const readAheadBytes = 4 << 20

// Partition is one partition's log.
type Partition struct {
	bus    *Bus
	topic  *Topic
	number int32
	label  string // topic/partition, also its key in meta
	lane   int
	gen    atomic.Pointer[generation] // in force
	swaps  chan *swap                 // what compaction asks of the writer

	queue   chan *request
	trouble atomic.Pointer[fault.Error] // why appends are refused now; nil when all is well
	ended   chan struct{}               // closed when the writer has stopped
	adrift  bool                        // once it has: an append that was not answered may get in yet
	deleted chan struct{}               // closed when the topic is deleted
	stop    func()

	compacting sync.Mutex // one pass at a time; taken before trimming
	spare      int64      // the last generation that compaction itself has begun; compacting guards it
	failures   int        // of compaction, one after the other; for its goroutine alone
	paused     int        // rounds that it passes the partition over
	trimming   sync.Mutex // one purge at a time; taken before mu
	sealed     sealed     // Bus.checking guards it

	mu         sync.Mutex // guards the rest
	logStart   int64
	end        int64 // offset after the last record in the log
	next       int64 // offset to give out next; above end where tables know of more
	applied    uint64
	passedOver bool // the last message read was passed over
	index      index
	places     places
	producers  producers
	lateStarts places // sources with records found after they were refused: what they must be above
	holds      map[string]int64
	finding    string
	start      trimmed                      // as it was kept last
	damage     []gap                        // offsets whose messages the disk has lost, as far as was seen
	files      []string                     // the files that were found damaged, while damage tells of some
	unopened   bool                         // it was set aside before it was opened
	unchecked  int                          // messages since the last checkpoint
	checked    int64                        // where a message begins that meta's checkpoint knows, and all before it
	unsaved    int64                        // their bytes
	changed    chan struct{}                // closed at the next change of end or logStart
	watchers   map[chan<- struct{}]struct{} // who is told of each
	tail       tail                         // guarded by the cache
	cursors    map[*cursor]struct{}         // readers' ways through the stream
}

// Number is the partition's number, from 0.
func (p *Partition) Number() int32 { return p.number }

// Topic is the partition's topic.
func (p *Partition) Topic() *Topic { return p.topic }

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logStart
}

// Origin is the offset at which the log began when its topic was made. What tables hold below it are
// records of another topic, which had its name before.
func (p *Partition) Origin() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.start.Origin
}

// Free is the offset below which records may have left the log while the topic did not land: its
// bronze table has not all of them.
func (p *Partition) Free() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.start.Free
}

// Next is the offset after the last acknowledged record: the high watermark.
func (p *Partition) Next() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Rewritten is another number each time that compaction has put a rewritten log in the place of the partition's: Aborted then tells no
// more of transactions whose batches it has taken out, and who still has some from before must not hand them on.
func (p *Partition) Rewritten() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gen.Load().number
}

// Unread is about how many bytes lie between two offsets, counted no further than enough.
func (p *Partition) Unread(from, to, enough int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index.unread(from, to, enough)
}

// Watch sends to wake, where it has room, at each change of what can be read, until stop is called.
func (p *Partition) Watch(wake chan<- struct{}) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watchers == nil {
		p.watchers = map[chan<- struct{}]struct{}{}
	}
	p.watchers[wake] = struct{}{}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, wake)
	}
}

// Stable is the last stable offset: readers of committed records stop there. It is the first offset of
// the oldest open transaction, or Written without one.
func (p *Partition) Stable() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stable()
}

// stable is Stable; p.mu is held.
func (p *Partition) stable() int64 { return max(p.producers.stable(p.end), p.logStart) }

// Written is where readers of all records stop, of open transactions too. It is Next, or the end of the
// log where that ends below offsets that were given out and lost.
func (p *Partition) Written() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.end, p.logStart)
}

// Place is the last place of a source in this partition, as the log or the tables know it.
func (p *Partition) Place(source string) (record.Pos, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pos, ok := p.places[source]
	return pos, ok
}

// Settled is nil when the fate of every append that was refused up to now is known: the log has it and
// a reader finds it, or it will never be there.
func (p *Partition) Settled() error {
	if trouble := p.trouble.Load(); trouble != nil {
		return trouble
	}
	return nil
}

// Hold tells retention how far a reader ("bronze", "silver", Requests) has committed; nothing at or
// above the lowest hold is purged, and a landed topic is not purged before its readers have held once. A hold that is new, or lower
// than the reader's last, waits for what retention or compaction has under way: after it the log start goes no more above it.
func (p *Partition) Hold(reader string, next int64) {
	p.mu.Lock()
	was, ok := p.holds[reader]
	if ok && was <= next {
		p.holds[reader] = next
	}
	p.mu.Unlock()
	if ok && was <= next {
		return
	}
	p.trimming.Lock()
	defer p.trimming.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds[reader] = next
}

// broadcast wakes who waits for a change. p.mu is held.
func (p *Partition) broadcast() {
	close(p.changed)
	p.changed = make(chan struct{})
	for wake := range p.watchers {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// appended takes an acknowledged message into the partition's state.
func (p *Partition) appended(m *message) {
	p.mu.Lock()
	p.index.add(run{seq: m.seq, base: m.base, next: m.next, newest: m.newest, bytes: int64(len(m.data))})
	p.end, p.next, p.applied = m.next, m.next, m.seq
	p.unchecked++
	base, at, age := m.base, p.bus.steady.Stamp().UnixMilli(), p.bus.age.Now().Milliseconds()
	p.unsaved += int64(len(m.data))
	grown := p.unsaved >= checkBytes
	for _, r := range m.requests {
		for source, passage := range r.places {
			p.places.note(passage.last)
			delete(p.lateStarts, source)
		}
		if r.stamp != nil {
			p.producers.append(r.stamp, base, base+r.records, at, age)
		}
		base += r.records
	}
	p.bus.cache.put(&p.tail, m.base, m.next, m.data)
	p.broadcast()
	p.mu.Unlock()
	if grown {
		select {
		case p.bus.grown <- struct{}{}:
		default: // the keeper has not yet looked
		}
	}
	p.bus.metrics.appendBytes.Add(float64(len(m.data)))
	p.bus.metrics.appendRecords.Add(float64(m.next - m.base))
	p.bus.metrics.messages.Inc()
}

// stale tells whether an append repeats what a recovery has found in the log: its
// caller has not yet looked at Place since.
func (p *Partition) stale(passages map[string]passage) bool {
	if len(passages) == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for source, passage := range passages {
		late, ok := p.lateStarts[source]
		if ok && late.Incarnation == passage.first.Incarnation && !passage.first.After(late) {
			return true
		}
	}
	return false
}

// config is the stream's configuration. It names the topic, so that topics outlive a
// lost meta.db.
func (p *Partition) config(c TopicConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: p.stream(), Subjects: []string{p.subject()}, Storage: jetstream.FileStorage, Replicas: 1,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
		Duplicates: duplicatesWindow, AllowDirect: true, DenyDelete: true,
		Metadata: streamMetadata(p.topic.name, p.number, c),
	}
}

// open makes or opens the partition's stream and loads what the partition knows.
func (p *Partition) open(ctx context.Context, s *session) error {
	info, fresh, err := p.find(ctx, s)
	if err != nil {
		return &errUnopened{err}
	}
	var recorded record.PartitionOffsets
	if p.bus.o.Recorded != nil {
		if recorded, err = p.bus.o.Recorded(ctx, p.topic.name, p.number); err != nil {
			return fmt.Errorf("how far tables have recorded %s: %w", p.label, err)
		}
	}
	kept, err := p.restore(ctx, s, info.State)
	if err != nil {
		return err
	}
	if _, _, err := p.read(ctx, s, true); err != nil {
		return &errUnopened{err}
	}
	clear(p.lateStarts) // who appends asks for its place first
	p.index.dropBelow(info.State.FirstSeq)
	if err := p.trust(ctx, s, &kept); err != nil {
		return &errUnopened{err}
	}
	if err := p.settleOffsets(recorded, kept, info.State.FirstSeq); err != nil {
		return err
	}
	born := fresh && !kept.known && p.LogStart() > 0
	if born {
		p.mu.Lock()
		p.start.Origin = p.logStart
		p.mu.Unlock()
	}
	// A start that the log itself tells is kept, or damage to its front would put it back.
	if start := p.LogStart(); kept.lost || born || start > kept.logStart {
		if err := p.saveStart(ctx, start); err != nil {
			return err
		}
	}
	if fresh || kept.lost {
		return p.bus.saveChecks(ctx, []*Partition{p})
	}
	return nil
}

// settleOffsets raises the next offset above what was ever given out or recorded, and
// takes over places that tables know and the log does not.
func (p *Partition) settleOffsets(recorded record.PartitionOffsets, kept restored, first uint64) error {
	places, err := parsePlaces(recorded.Places)
	if err != nil {
		return fmt.Errorf("places that tables have recorded of %s: %w", p.label, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for source, pos := range places {
		if _, known := p.places[source]; !known || recorded.Next > p.end {
			p.places.note(pos)
		}
	}
	p.next = max(p.next, p.end, recorded.Next, kept.next)
	p.logStart = kept.logStart
	switch runs := p.index.runs; {
	case len(runs) == 0 && kept.end > p.logStart: // all that it held was lost: the last message never goes
	case len(runs) == 0:
		p.logStart = max(p.logStart, p.next)
	case kept.trusted:
		p.damaged(p.logStart, runs[0].base)
	case runs[0].seq <= first: // else the first message is damaged, and was not let go
		p.logStart = max(p.logStart, runs[0].base)
	}
	if kept.end > p.end {
		p.damaged(p.end, p.next)
	}
	if len(p.damage) == 0 {
		p.files = nil // nothing of them is missing
	}
	if p.next > p.end && p.end > 0 {
		p.bus.o.Log.Warn("log ends below offsets given out or recorded, it goes on above them", "partition", p.label, "log_end", p.end, "next_offset", p.next)
	}
	return nil
}

// read applies every message above the last applied one. It returns the stream's last
// sequence and how many messages it found. Only when the log is opened are messages at its
// end that cannot be read given up: while it runs, a restart of the server may bring them back.
func (p *Partition) read(ctx context.Context, s *session, opening bool) (last uint64, found int, err error) {
	info, err := s.info(ctx, p.stream())
	if err != nil {
		return 0, 0, fmt.Errorf("read the log of %s: %w", p.label, err)
	}
	state := info.State
	last = state.LastSeq
	p.mu.Lock()
	from := max(p.applied+1, state.FirstSeq)
	p.mu.Unlock()
	if from > last || state.Msgs == 0 {
		p.mu.Lock()
		p.applied = last
		p.mu.Unlock()
		return last, 0, nil
	}
	whole := last
	if opening {
		if whole, err = p.whole(ctx, s, from, last); err != nil {
			return 0, 0, err
		}
	}
	if whole >= from {
		ahead := int(readAheadBytes / max(1, state.Bytes/state.Msgs))
		if found, err = p.readUpTo(ctx, s, from, whole, min(max(ahead, 2), 256)); err != nil {
			return 0, found, err
		}
	}
	p.skipTail(last - whole)
	p.mu.Lock()
	p.applied = last
	p.mu.Unlock()
	return last, found, nil
}

// readUpTo applies the messages of [from, last], the last of which is there.
func (p *Partition) readUpTo(ctx context.Context, s *session, from, last uint64, ahead int) (found int, err error) {
	c, err := s.cursor(ctx, p.lane, p.stream(), from, ahead)
	if err != nil {
		return 0, err
	}
	defer c.close()
	for seq := from - 1; seq < last; {
		m, err := c.within(ctx, apiTimeout)
		if err != nil {
			return found, fmt.Errorf("read the log of %s after message %d: %w", p.label, seq, err)
		}
		if m.seq > seq+1 {
			p.skipped(m)
		}
		p.apply(m)
		seq, found = m.seq, found+1
	}
	return found, nil
}

// apply takes a message that was read from the stream into the partition's state.
func (p *Partition) apply(m stored) {
	span, err := m.span()
	var found map[string]passage
	if err == nil {
		found, err = passages(span.batches, p.topic.Config().Source != "")
		if err != nil {
			p.bus.o.Log.Error("places of a message cannot be read", "partition", p.label, "sequence", m.seq, "error", err)
			err = nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = m.seq
	if err == nil && p.passedOver {
		p.damaged(p.end, span.base)
	}
	p.passedOver = err != nil
	if err == nil && span.base < p.end {
		err = fmt.Errorf("%w: starts at %d, the log ends at %d", errForeign, span.base, p.end)
	}
	if err != nil {
		p.bus.o.Log.Error("message is not of this log, it is passed over", "partition", p.label, "sequence", m.seq, "error", err)
		p.bus.metrics.foreign.Inc()
		return
	}
	p.index.add(run{seq: m.seq, base: span.base, next: span.next, newest: span.newest, bytes: int64(len(m.data))})
	p.end = span.next
	p.next = max(p.next, p.end)
	p.unchecked++
	p.unsaved += int64(len(m.data))
	for source, passage := range found {
		p.places.note(passage.last)
		p.lateStarts[source] = passage.last
	}
	for _, b := range span.batches {
		s, err := stampOf(b)
		if err != nil {
			p.bus.o.Log.Error("producer of a batch cannot be read", "partition", p.label, "offset", b.Base(), "error", err)
		} else if s != nil {
			p.producers.append(s, b.Base(), b.Next(), m.at.UnixMilli(), p.bus.age.Now().Milliseconds())
		}
	}
	p.broadcast()
}

func partitionLabel(topic string, n int32) string { return topic + "/" + strconv.Itoa(int(n)) }
