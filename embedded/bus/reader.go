package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/record"
)

// Reader is one reader's way through a partition; one goroutine uses it. The batches
// that it hands out are shared with other readers: nobody changes them.
type Reader struct {
	p   *Partition
	at  int64 // offset to read next
	all bool  // also of transactions that are open or were aborted
	log int64 // number of the log that it reads, see Partition.Rewritten

	cursor *cursor        // nil while the RAM tail serves
	seen   int64          // offset after the last message that the cursor gave
	rest   []record.Batch // read and not yet handed out
}

// Reader reads committed records from an offset on, ahead of its caller: no further than Stable, and in place of
// each batch of an aborted transaction comes a control batch without records. Close it.
func (p *Partition) Reader(from int64) *Reader { return &Reader{p: p, at: from} }

// ReaderOfAll reads all batches from an offset on, whatever becomes of their transactions. Close it.
func (p *Partition) ReaderOfAll(from int64) *Reader { return &Reader{p: p, at: from, all: true} }

// Close frees the reader.
func (r *Reader) Close() { r.rewind() }

// Ahead tells whether the reader has messages on their way from the disk, which take memory until it is closed.
func (r *Reader) Ahead() bool { return r.cursor != nil }

func (r *Reader) rewind() {
	if r.cursor != nil {
		r.p.mu.Lock()
		delete(r.p.cursors, r.cursor)
		r.p.mu.Unlock()
		r.cursor.close()
		r.cursor = nil
	}
	r.rest = nil
}

// Next waits until there are committed records at the reader's offset, and returns whole
// batches of about maxBytes at most (one at least). ErrOutOfRange when the log start has passed the offset.
// With a ctx that ends it returns ctx's error and may be called again.
func (r *Reader) Next(ctx context.Context, maxBytes int) (Fetched, error) {
	for {
		end, err := r.wait(ctx)
		if err != nil {
			return Fetched{}, err
		}
		var out Fetched
		if len(r.rest) == 0 {
			out = r.fromTail(end, maxBytes)
		}
		if len(out.Batches) == 0 {
			if out, err = r.fromDisk(ctx, end, maxBytes); err != nil {
				if err = r.again(ctx, err); err != nil {
					return Fetched{}, err
				}
				continue
			}
		}
		if len(out.Batches) == 0 && out.Next > r.at { // compaction took what was there
			r.at = out.Next
			continue
		}
		if len(out.Batches) == 0 { // damage up to an open transaction: once that has ended, its batches show the hole
			if life.Wait(ctx, retryWait) != nil {
				return Fetched{}, ctx.Err()
			}
			continue
		}
		// An ordered read goes on in silence at the next message left, so the log start
		// is compared once the batches are there.
		start, ok := r.decide(&out)
		if !ok {
			continue
		}
		if start > r.at {
			r.rewind()
			return Fetched{}, r.outOfRange(start, end)
		}
		r.at = out.Next
		return out, nil
	}
}

// decide takes the batches of aborted transactions out, and returns the log start of that moment: what lies
// below is forgotten. It cannot where compaction has put another log in force since they were read, which has forgotten
// who was aborted: they are to be read again.
func (r *Reader) decide(out *Fetched) (start int64, ok bool) {
	p := r.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.all || len(out.Batches) == 0 {
		return p.logStart, true
	}
	if p.gen.Load().number != r.log {
		return 0, false
	}
	aborted := p.producers.between(out.Batches[0].Base(), out.Next)
	for i, b := range out.Batches {
		id, _, _ := b.Producer()
		if b.Transactional() && !b.Control() && slices.ContainsFunc(aborted, func(a Aborted) bool { return a.Producer == id && a.First <= b.Base() && b.Base() < a.Last }) {
			out.Batches[i] = b.Void()
		}
	}
	return p.logStart, true
}

// wait returns where the reader stops, once that is above its offset.
func (r *Reader) wait(ctx context.Context) (end int64, err error) {
	p := r.p
	for {
		p.mu.Lock()
		start, end, next, changed := p.logStart, p.end, p.next, p.changed
		log := p.gen.Load().number
		if !r.all {
			end = p.stable()
		}
		p.mu.Unlock()
		if log != r.log {
			r.rewind() // what it has read is of the log before
			r.log = log
		}
		select {
		case <-p.deleted:
			return 0, fmt.Errorf("%w: %s", ErrNoTopic, p.topic.name)
		default:
		}
		if aside := p.aside(); aside != nil {
			r.rewind()
			return 0, fmt.Errorf("read at %d: %w", r.at, aside)
		}
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case p.bus.closed.Load():
			return 0, fault.New(fault.Unavailable, "read "+p.label+": the log is closing", "start Tarn again")
		case r.at < start || r.at > next:
			r.rewind()
			return 0, r.outOfRange(start, next)
		case r.at < end:
			return end, nil
		}
		select {
		case <-changed:
		case <-p.deleted:
		case <-ctx.Done():
		}
	}
}

func (r *Reader) outOfRange(start, next int64) error {
	return fmt.Errorf("read %s at %d: %w: it holds %d to %d", r.p.label, r.at, ErrOutOfRange, start, next)
}

// fromTail reads from RAM; nothing when the offset is not there.
func (r *Reader) fromTail(end int64, maxBytes int) Fetched {
	out := Fetched{Next: r.at}
	messages := r.p.bus.cache.from(&r.p.tail, r.at, end, maxBytes)
	if len(messages) == 0 {
		return out
	}
	r.rewind()
	var all []record.Batch
	for _, m := range messages {
		all = append(all, cutTrusted(m)...)
	}
	out.add(all, end, maxBytes)
	r.p.bus.metrics.fetchedCache.Add(float64(out.size()))
	return out
}

// add takes batches at or above Next and below end until maxBytes are reached, one at least, and returns the others.
func (f *Fetched) add(batches []record.Batch, end int64, maxBytes int) []record.Batch {
	size := f.size()
	for i, b := range batches {
		if b.Next() <= f.Next {
			continue
		}
		if b.Base() >= end || len(f.Batches) > 0 && size+len(b) > maxBytes {
			return batches[i:]
		}
		f.Batches, f.Next = append(f.Batches, b), b.Next()
		size += len(b)
	}
	return nil
}

func (f *Fetched) size() int {
	n := 0
	for _, b := range f.Batches {
		n += len(b)
	}
	return n
}

// fromDisk reads through the cursor until maxBytes or the end are reached.
func (r *Reader) fromDisk(ctx context.Context, end int64, maxBytes int) (Fetched, error) {
	out := Fetched{Next: r.at}
	r.rest = out.add(r.rest, end, maxBytes)
	for len(r.rest) == 0 && out.Next < end {
		if err := r.aim(ctx, out.Next); err != nil {
			return out, err
		}
		m, err := r.cursor.next(ctx)
		switch {
		case err == nil:
		case len(out.Batches) > 0 && ctx.Err() != nil:
			return out, nil //nolint:nilerr // what is there goes out; the next call sees ctx
		default:
			return out, err
		}
		span, err := m.span()
		if err != nil || span.base < r.seen {
			continue // passed over by the writer too
		}
		if span.base > r.seen {
			r.p.passed(r.seen, span.base)
		}
		r.seen = span.next
		if r.rest = out.add(span.batches, end, maxBytes); len(r.rest) == 0 {
			out.Next = max(out.Next, min(span.next, end)) // what compaction took behind the last batch
		}
	}
	r.p.bus.metrics.fetchedDisk.Add(float64(out.size()))
	return out, nil
}

// aim starts a cursor at an offset, unless one runs already.
func (r *Reader) aim(ctx context.Context, offset int64) error {
	if r.cursor != nil {
		return nil
	}
	p := r.p
	p.mu.Lock()
	run, ok := p.index.seq(offset)
	messages, bytes := int64(len(p.index.runs)), p.index.bytes
	gen := p.gen.Load()
	p.mu.Unlock()
	if !ok {
		return fmt.Errorf("read %s at %d: not in the index", p.label, offset)
	}
	s, err := p.bus.liveSession(ctx)
	if err != nil {
		return err
	}
	ahead := readAheadBytes / max(1, bytes/messages)
	r.seen = run.base
	c, err := s.cursor(ctx, p.lane, gen.stream, run.seq, int(min(max(ahead, 2), 256)))
	if err != nil {
		return err
	}
	p.mu.Lock()
	current := p.gen.Load() == gen
	if current {
		p.cursors[c] = struct{}{}
	}
	p.mu.Unlock()
	if !current {
		c.close()
		return errSwapped
	}
	r.cursor = c
	return nil
}

// errSwapped ends a read of a stream in whose place compaction has put another meanwhile.
var errSwapped = errors.New("the log was compacted")

// again decides whether a read that failed is tried once more: not when ctx or the
// topic has ended; else with a new cursor, after a pause.
func (r *Reader) again(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.rewind()
	select {
	case <-r.p.deleted:
		return fmt.Errorf("%w: %s", ErrNoTopic, r.p.topic.name)
	default:
	}
	if r.p.bus.closed.Load() {
		return fault.Wrap(err, fault.Unavailable, "read "+r.p.label+": the log is closing", "start Tarn again")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		r.p.bus.o.Log.Debug("read starts again", "partition", r.p.label, "error", err)
	}
	if life.Wait(ctx, retryWait) != nil {
		return ctx.Err()
	}
	return nil
}
