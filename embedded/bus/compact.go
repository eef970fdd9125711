package bus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/record"
)

// Limits of compaction.
const (
	compactInterval = 15 * time.Second // how often it looks for work (log.cleaner.backoff.ms)
	// keysMax bounds the keys that one pass knows, about 50 bytes of RAM each. A log with more new ones is
	// compacted in several passes.
	keysMax = 1 << 19
	// cleansMax bounds what is kept of earlier passes.
	cleansMax = 16
	// swapMessages is how few messages may be left to copy when the writer is asked to wait.
	swapMessages = 4
	// copyRoundsMax bounds how often the copy runs after appends that came meanwhile.
	copyRoundsMax = 16
	// failuresMax bounds the pause after failed passes, which doubles with each: about an hour.
	failuresMax = 8
)

// clean is what one pass of compaction went through.
type clean struct {
	To int64 `json:"to"` // all below was compacted
	At int64 `json:"at"` // when, in ms
}

// keepCompact compacts what is due until ctx ends, one partition at a time.
func (b *Bus) keepCompact(ctx context.Context) {
	for life.Wait(ctx, compactInterval) == nil {
		b.compact(ctx)
	}
}

// compact goes once through the partitions of compacted topics.
func (b *Bus) compact(ctx context.Context) {
	if b.o.AwaitReaders && !b.known.Load() {
		return
	}
	for _, p := range b.partitions() {
		if _, compacts := p.topic.Config().Cleanup(); !compacts || p.closed() || p.aside() != nil {
			continue
		}
		if p.paused > 0 {
			p.paused--
			continue
		}
		err := p.compact(ctx, keysMax)
		if err == nil || ctx.Err() != nil {
			p.failures = 0
			continue
		}
		p.failures = min(p.failures+1, failuresMax)
		p.paused = 1<<p.failures - 1
		b.o.Log.Warn("log is not compacted, it is tried again", "partition", p.label, "in", time.Duration(p.paused+1)*compactInterval, "error", err)
	}
}

// dirt is what compaction may go through: messages from the log's first to before end, of which those below clean were
// gone through before.
type dirt struct {
	clean, end int64
	bytes      int64 // of the whole log
	cleans     []clean
	horizon    int64 // tombstones and markers below it are old enough to go
	now        int64 // ms
}

// dirty tells what there is to compact; false for nothing, or too little yet.
func (p *Partition) dirty() (dirt, bool) {
	c := p.topic.Config()
	now := p.bus.o.Clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	d := dirt{cleans: slices.Clone(p.start.Cleans), bytes: p.index.bytes, now: now.UnixMilli()}
	for _, one := range d.cleans {
		d.clean = max(d.clean, one.To)
		if one.At+c.millis(SettingTombstones).Milliseconds() <= d.now {
			d.horizon = max(d.horizon, one.To)
		}
	}
	limit, _ := p.floor(c)
	limit = min(limit, p.stable())
	minLag, maxLag := c.millis(SettingMinLag), c.millis(SettingMaxLag)
	var all, dirty int64
	late := false
	runs := p.index.runs
	for _, r := range runs[:max(0, len(runs)-1)] { // the last message stays as it is
		if r.next > limit || minLag > 0 && r.newest > now.Add(-minLag).UnixMilli() {
			break
		}
		d.end = r.next
		all += r.bytes
		if r.next > d.clean {
			dirty += r.bytes
			late = late || r.newest <= now.Add(-maxLag).UnixMilli()
		}
	}
	if dirty == 0 {
		return d, false
	}
	return d, late || float64(dirty) >= c.dirtyRatio()*float64(all)
}

// after is what is kept of passes once this one has compacted all below to.
func (d *dirt) after(to int64) []clean {
	out := slices.DeleteFunc(d.cleans, func(c clean) bool { return c.To < d.horizon }) // one tells of them all
	if n := len(out); n > 0 && out[n-1].To >= to {
		return out
	}
	if len(out) >= cleansMax {
		out = slices.Delete(out, len(out)/2-1, len(out)/2) // what it went through counts from the next pass on
	}
	return append(out, clean{to, d.now})
}

type keyHash [16]byte

func hashOf(key []byte) keyHash {
	sum := sha256.Sum256(key)
	return keyHash(sum[:16])
}

// compact writes the next generation of the log, in which older records of a key are left out, and puts it in
// place of the one in force. A kill at any point leaves the one or the other, whole.
func (p *Partition) compact(ctx context.Context, most int) error {
	p.compacting.Lock()
	defer p.compacting.Unlock()
	d, due := p.dirty()
	if !due {
		return nil
	}
	if err := p.bus.room(d.bytes); err != nil {
		return err
	}
	s, err := p.bus.liveSession(ctx)
	if err != nil {
		return err
	}
	n := &rewrite{p: p, s: s, dirt: d, from: p.gen.Load()}
	if err := n.learn(ctx, most); err != nil {
		return fmt.Errorf("read the keys of %s: %w", p.label, err)
	}
	if n.to <= d.clean {
		return nil
	}
	if err := n.begin(ctx); err != nil {
		return fmt.Errorf("begin the next generation of %s: %w", p.label, err)
	}
	if err := n.run(ctx); err != nil {
		return errors.Join(err, n.drop(ctx, n.gen.stream))
	}
	p.bus.metrics.compactions.Inc()
	p.bus.o.Log.Debug("log compacted", "partition", p.label, "generation", n.gen.number, "bytes_before", d.bytes, "bytes_after", n.index.bytes)
	return n.retire(ctx)
}

// retire removes the stream that was in force before, once the disk has all of the new one: what was appended
// since the copy began may be nowhere else. A stream that stays the next start removes.
func (n *rewrite) retire(ctx context.Context) error {
	b := n.p.bus
	if b.o.Fsync == FsyncInterval && life.Wait(ctx, 2*b.o.SyncInterval) != nil {
		return nil
	}
	if b.lockAdmin(ctx) != nil {
		return nil
	}
	defer b.admin.Unlock()
	if !n.p.listed() {
		return nil // deleted with all its streams, of which a topic of the same name may have made one again
	}
	return n.drop(ctx, n.from.stream)
}

// lockAdmin waits for admin until ctx ends: Close holds it while it waits for who is running.
func (b *Bus) lockAdmin(ctx context.Context) error {
	for !b.admin.TryLock() {
		if err := life.Wait(ctx, retryWait); err != nil {
			return err
		}
	}
	return nil
}

// listed tells whether the partition's topic is the one of its name still. admin is held.
func (p *Partition) listed() bool {
	t, err := p.bus.Topic(p.topic.name)
	return err == nil && t.config == p.topic.config // which is the same with more partitions
}

// run writes all there is, and lets the writer put it in force.
func (n *rewrite) run(ctx context.Context) error {
	err := n.copy(ctx, swapMessages)
	if o := n.p.bus.o; err == nil && o.Fsync == FsyncInterval && life.Wait(ctx, 2*o.SyncInterval) == nil { // on the disk, before meta names it
		err = n.copy(ctx, swapMessages)
	}
	if err != nil {
		return fmt.Errorf("write the next generation of %s: %w", n.p.label, err)
	}
	request := &swap{rewrite: n, done: make(chan error, 1)}
	late := time.NewTimer(n.p.bus.o.seams.ackTimeout(n.p.subject()))
	defer late.Stop()
	select {
	case n.p.swaps <- request:
	case <-n.p.ended:
		return n.p.over()
	case <-late.C: // the writer recovers, which may take for ever
		return fmt.Errorf("put the next generation of %s in force: %w", n.p.label, ErrRetry)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := <-request.done; err != nil {
		return fmt.Errorf("put the next generation of %s in force: %w", n.p.label, err)
	}
	return nil
}

// learn finds the newest offset of each key that is not yet compacted, until it knows as many keys as one pass may.
func (n *rewrite) learn(ctx context.Context, most int) error {
	n.newest = map[keyHash]int64{}
	n.to = n.clean
	r := n.p.Reader(max(n.clean, n.p.LogStart())) // of committed records alone
	defer r.Close()
	stop := n.end // at the end of a message, be it more keys
	for n.to < stop {
		got, err := r.Next(ctx, joinBytesMax)
		if err != nil {
			return err
		}
		for _, b := range got.Batches {
			if b.Base() >= n.end {
				break
			}
			n.know(b)
			if n.to = b.Next(); len(n.newest) > most && stop == n.end {
				n.p.mu.Lock()
				if r, ok := n.p.index.seq(n.to - 1); ok {
					stop = min(stop, r.next)
				}
				n.p.mu.Unlock()
			}
			if n.to >= stop {
				return nil
			}
		}
		n.to = max(n.to, min(got.Next, stop))
	}
	return nil
}

// know takes over the offsets of a batch's keys. What cannot be unpacked stays as it is, and counts for nothing.
func (n *rewrite) know(b record.Batch) {
	found := map[keyHash]int64{}
	note := func(e record.Entry) {
		if e.Key != nil {
			found[hashOf(e.Key)] = e.Offset
		}
	}
	if !b.Control() && b.Each(note) == nil {
		maps.Copy(n.newest, found)
	}
}
