package bus

import (
	"context"
	"fmt"
	"time"

	"tarn/embedded/life"
)

// The defaults of retention: bronze holds the history of what is landed.
const (
	landedRetention      = 24 * time.Hour
	landedRetentionBytes = 1_000_000_000 // of a topic
	plainRetention       = 7 * 24 * time.Hour

	// clockDoubt is how much older than its time a record must look before it goes: the clock may have
	// been an hour behind when the record was stamped, and an hour ahead when Tarn was started.
	clockDoubt = 2 * time.Hour

	keepInterval = 5 * time.Second // how often retention looks
	ageIntervals = 120             // of them, after which the age is saved
)

// limits returns for how long and how many bytes a partition is kept; 0 is no limit.
// What a user sets in bytes counts for each partition, as in Kafka.
func (c TopicConfig) limits() (age time.Duration, bytes int64) {
	if deletes, _ := c.Cleanup(); !deletes {
		return 0, 0
	}
	age, bytes = max(c.Retention, 0), max(c.RetentionBytes, 0)
	if c.Retention == 0 {
		age = c.defaultRetention()
	}
	if c.RetentionBytes == 0 {
		bytes = c.defaultRetentionBytes()
	}
	return age, bytes
}

func (c TopicConfig) defaultRetention() time.Duration {
	if c.Land {
		return landedRetention
	}
	return plainRetention
}

// defaultRetentionBytes is of a partition; 0 is no limit.
func (c TopicConfig) defaultRetentionBytes() int64 {
	if c.Land {
		return landedRetentionBytes / int64(max(c.Partitions, 1))
	}
	return 0
}

// Requests is the reader that knows the keys of requests, for as long as they may be tried again.
const Requests = "requests"

// readers are those that retention waits for from the start.
func (c TopicConfig) readers() []string {
	var out []string
	if c.Land {
		out = append(out, "bronze")
		if c.Keyed {
			out = append(out, "silver")
		}
	}
	if c.Requests {
		out = append(out, Requests)
	}
	return out
}

// floor is the lowest offset that a reader still needs, and who that is; p.mu is held.
// Without readers it is the end.
func (p *Partition) floor(c TopicConfig) (offset int64, reader string) {
	offset = p.next
	for name, next := range p.holds {
		if name == "bronze" && !c.Land || name == "silver" && (!c.Land || !c.Keyed) {
			continue // the topic lands no more, or its table has lost its key
		}
		if next < offset {
			offset, reader = next, name
		}
	}
	if first := p.producers.stable(offset); first < offset {
		offset, reader = first, "an open transaction"
	}
	for _, name := range c.readers() {
		if _, ok := p.holds[name]; !ok {
			return p.logStart, name
		}
	}
	return offset, reader
}

// keep looks after retention until ctx ends.
func (b *Bus) keep(ctx context.Context) {
	for n := 1; life.Wait(ctx, keepInterval) == nil; n++ {
		if n%ageIntervals == 0 {
			if err := b.age.Save(ctx); err != nil && ctx.Err() == nil {
				b.o.Log.Warn("age of the log is not written", "error", err)
			}
		}
		b.sweep(ctx)
		b.forgetProducers()
		if err := b.saveEnds(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.Warn("ends of the logs are not written", "error", err)
		}
	}
}

// forgetProducers forgets the producers that have appended nothing for producerExpiry.
func (b *Bus) forgetProducers() {
	for _, p := range b.partitions() {
		p.mu.Lock()
		p.producers.expire(b.age)
		p.mu.Unlock()
	}
}

// ReadersKnown says that each reader which has read before has announced what it still needs (Hold). Until then a bus
// that awaits readers purges nothing: after long darkness all is old, and a start may be slow.
func (b *Bus) ReadersKnown() { b.known.Store(true) }

// sweep purges what retention lets go of in every partition.
func (b *Bus) sweep(ctx context.Context) {
	if b.o.AwaitReaders && !b.known.Load() {
		return
	}
	for _, p := range b.partitions() {
		if p.closed() {
			continue
		}
		if err := p.expire(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.Warn("retention does not purge", "partition", p.label, "error", err)
		}
	}
}

// expire moves the log start by the topic's retention and purges whole messages below it.
func (p *Partition) expire(ctx context.Context) error {
	p.trimming.Lock()
	defer p.trimming.Unlock()
	c := p.topic.Config()
	p.mu.Lock()
	want := p.wanted(c)
	floor, reader := p.floor(c)
	p.finding = ""
	if want > max(floor, p.logStart) {
		p.finding = fmt.Sprintf("held back by %s at offset %d: retention would let go of all below %d", reader, floor, want)
		want = p.index.boundary(floor)
	}
	start := p.logStart
	p.mu.Unlock()
	return p.moveStart(ctx, max(start, want))
}

// wanted is the log start that retention alone would choose: the base of the first
// message to stay. p.mu is held.
func (p *Partition) wanted(c TopicConfig) int64 {
	age, bytesMax := c.limits()
	cutoff := p.bus.steady.Now().Add(-age - clockDoubt).UnixMilli()
	left := p.index.bytes
	want := p.logStart
	for i, r := range p.index.runs {
		old := age > 0 && r.newest < cutoff
		if i+1 == len(p.index.runs) || !old && (bytesMax == 0 || left <= bytesMax) {
			break
		}
		left -= r.bytes
		want = p.index.runs[i+1].base
	}
	return want
}

// boundary is the start of the run that holds the offset, so that whole messages go.
func (x *index) boundary(offset int64) int64 {
	var out int64
	for _, r := range x.runs {
		if r.base > offset {
			break
		}
		out = r.base
	}
	return out
}

// Trim moves the log start up by DeleteRecords' rule: never past a hold. Before -1 means
// all there is; above Next it is ErrOutOfRange.
func (p *Partition) Trim(ctx context.Context, before int64) error {
	if p.closed() {
		return p.aside()
	}
	p.trimming.Lock()
	defer p.trimming.Unlock()
	c := p.topic.Config()
	p.mu.Lock()
	next, start := p.next, p.logStart
	floor, _ := p.floor(c)
	p.mu.Unlock()
	if before > next || before < -1 {
		return fmt.Errorf("trim %s to %d: %w: the log ends at %d", p.label, before, ErrOutOfRange, next)
	}
	if before == -1 {
		before = next
	}
	return p.moveStart(ctx, max(start, min(before, floor)))
}

// moveStart syncs the log start in meta, shows it to readers, and only then, when what they tell of producers is
// synced too, purges the messages that lie wholly below it, but never the last one. p.trimming is held.
func (p *Partition) moveStart(ctx context.Context, to int64) error {
	p.mu.Lock()
	moved := to > p.logStart
	p.mu.Unlock()
	if moved {
		if err := p.saveStart(ctx, to); err != nil {
			return err
		}
	}
	p.mu.Lock()
	if moved {
		p.logStart = to
		p.producers.trim(to)
		p.broadcast()
	}
	p.mu.Unlock()
	if err := p.saveProducers(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	first, dropped := p.index.trim(p.purgeable())
	p.purged()
	start := p.logStart
	p.mu.Unlock()
	if moved {
		p.bus.cache.trim(&p.tail, start)
	}
	if dropped == 0 {
		return nil
	}
	s, _ := p.bus.session()
	if err := s.purge(ctx, p.stream(), first); err != nil {
		return fmt.Errorf("purge %s below message %d: %w", p.label, first, err)
	}
	p.bus.metrics.purgedBytes.Add(float64(dropped))
	return nil
}
