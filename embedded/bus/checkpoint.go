package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/meta"
)

// When a partition's checkpoint is written anew.
const (
	checkMessages  = 1024
	checkBytes     = 32 << 20 // at once
	checkBytesIdle = 8 << 20  // within checkInterval
	checkInterval  = 5 * time.Second
)

const checkpointVersion = 3

// checkpoint is what a partition knows at one message, so that opening reads only what
// came after. Losing it costs time only.
type checkpoint struct {
	Version int               `json:"version"`
	ID      string            `json:"id"`  // the topic's: a topic made again does not take over an old one
	Seq     uint64            `json:"seq"` // last message applied
	End     int64             `json:"end"` // offset after its last record
	Next    int64             `json:"next"`
	Gen     int64             `json:"gen,omitempty"` // of the stream
	Index   []byte            `json:"index"`
	Places  map[string]string `json:"places,omitempty"`
	Damage  []gap             `json:"damage,omitempty"`
	Files   []string          `json:"files,omitempty"` // in which the damage was found

	Producers []byte `json:"producers,omitempty"` // with their open transactions, and the aborted ones
}

// trimmed is what is kept of a partition before anything is purged, after its tail was
// found to be lost and when its topic is deleted: the log start, an offset below which none
// is given out again, and the places that the purged records held.
type trimmed struct {
	ID     string            `json:"id,omitempty"` // the topic's, to which the places belong
	Offset int64             `json:"offset"`
	Next   int64             `json:"next"`
	End    int64             `json:"end,omitempty"` // of the log as it was seen last; one that ends below has lost its end
	Places map[string]string `json:"places,omitempty"`
	Origin int64             `json:"origin,omitempty"` // where the log of this topic began, above those of the topics of its name before it
	Gen    int64             `json:"gen,omitempty"`    // the generation of the stream that is in force
	Cleans []clean           `json:"cleans,omitempty"` // what compaction has gone through
	Free   int64             `json:"free,omitempty"`   // what is below it left the log while the topic did not land
}

// restored is what open found in meta.
type restored struct {
	logStart int64
	next     int64 // lowest offset that was never given out, as far as is known
	end      int64 // offset after the last record that the log held once
	lost     bool  // the checkpoint does not fit the log
	known    bool  // meta has something of this topic
	trusted  bool  // and its log start is the log's

	places places     // of what was purged
	start  trimmed    // as it is in meta
	check  checkpoint // of another version, or of another topic, for none
}

// kept loads log start and checkpoint from meta.
func (p *Partition) kept(ctx context.Context) (restored, error) {
	var out restored
	var start trimmed
	if err := p.bus.load(ctx, meta.LogStarts, p.label, &start); err != nil {
		return out, err
	}
	out.logStart, out.next = start.Offset, max(start.Next, start.End)
	if start.ID != "" && start.ID != p.topic.Config().ID {
		start.Places, start.End, start.Origin, start.Free, start.Gen, start.Cleans = nil, 0, 0, 0, 0, nil // of a topic that was made again since
	}
	if number := p.gen.Load().number; start.Gen != number {
		start.Gen, start.Cleans = number, nil // of another stream
	}
	out.end, out.start = start.End, start
	out.known = start.ID == p.topic.Config().ID
	var err error
	if out.places, err = parsePlaces(start.Places); err != nil {
		return out, fmt.Errorf("log start of %s: %w", p.label, err)
	}
	var c checkpoint
	if err := p.bus.load(ctx, meta.Checks, p.label, &c); err != nil {
		p.bus.o.Log.Warn("checkpoint cannot be read, the log is read instead", "partition", p.label, "error", err)
		c = checkpoint{}
	}
	if c.Version == checkpointVersion && c.ID == p.topic.Config().ID && c.Gen == p.gen.Load().number {
		out.check, out.known = c, true
		out.next, out.end = max(out.next, c.Next), max(out.end, c.End)
	}
	return out, nil
}

// restore takes over what meta knows. A checkpoint that does not fit the log, whose tail may
// have been lost or whose files are damaged, is not used, but for the offsets that it knows
// were given out.
func (p *Partition) restore(ctx context.Context, s *session, info jetstream.StreamState) (restored, error) {
	out, err := p.kept(ctx)
	if err != nil {
		return out, err
	}
	c := out.check
	found := s.found.damage[p.stream()]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places, p.start = out.places, out.start
	if p.files = c.Files; len(found) > 0 {
		p.note(found)
	}
	if c.Version == 0 {
		return out, nil
	}
	x, errIndex := decodeIndex(c.Index)
	known, errPlaces := parsePlaces(c.Places)
	producers, errProducers := decodeProducers(c.Producers)
	if errIndex != nil || errPlaces != nil || errProducers != nil || len(found) > 0 || !c.fits(ctx, s, p.stream(), info) {
		p.bus.o.Log.Warn("checkpoint does not fit the log, the log is read instead", "partition", p.label)
		out.lost = true
		return out, nil
	}
	p.index, p.producers, p.applied, p.end, p.damage = x, producers, c.Seq, c.End, c.Damage
	p.checked = x.last()
	for _, pos := range known {
		p.places.note(pos)
	}
	return out, nil
}

// trust decides whether the log start is what meta says, when the log begins above it: the log
// start is in meta before anything is purged, so that the difference is damage. But a meta.db
// that was put back, behind which the log went on for long, does not know what was purged since.
func (p *Partition) trust(ctx context.Context, s *session, kept *restored) error {
	p.mu.Lock()
	runs := p.index.runs
	var above, last run
	if kept.known && len(runs) > 0 && runs[0].base > kept.logStart {
		last = runs[len(runs)-1]
		above, _ = p.index.seq(kept.end)
	}
	p.mu.Unlock()
	kept.trusted = kept.known
	if above.next == 0 {
		return nil
	}
	var at [2]time.Time
	for i, seq := range []uint64{above.seq, last.seq} {
		m, err := s.message(ctx, p.stream(), seq)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("read message %d of %s: %w", seq, p.label, err)
		}
		at[i] = m.at
	}
	kept.trusted = at[1].Sub(at[0]) < p.bus.o.seams.metaLag
	return nil
}

// fits tells whether the log still holds the checkpoint's last message.
func (c *checkpoint) fits(ctx context.Context, s *session, stream string, info jetstream.StreamState) bool {
	if c.Seq == 0 {
		return true
	}
	if c.Seq > info.LastSeq || c.Seq < info.FirstSeq {
		return false
	}
	m, err := s.message(ctx, stream, c.Seq)
	return err == nil && (m.header.Get(headerNext) == strconv.FormatInt(c.End, 10) || m.header.Get(headerNext) == "")
}

// saveStart syncs what must not be lost before records go, or after they are gone.
func (p *Partition) saveStart(ctx context.Context, start int64) error {
	p.mu.Lock()
	c, was := p.topic.Config(), p.start
	p.start = trimmed{ID: c.ID, Offset: start, Next: p.next, End: p.end, Places: p.places.text(), Origin: was.Origin, Gen: was.Gen, Cleans: was.Cleans, Free: was.Free}
	if !c.Land {
		p.start.Free = start
	}
	value, err := json.Marshal(p.start)
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("log start of %s: %w", p.label, err)
	}
	return p.bus.o.Meta.Put(ctx, meta.Entry{Bucket: meta.LogStarts, Key: p.label, Value: value})
}

// saveEnds syncs where the logs end that have grown, so that an end which damage took after a
// crash is missed, but for what came since.
func (b *Bus) saveEnds(ctx context.Context) error {
	if !b.admin.TryLock() {
		return nil // a topic is being deleted, and its log start written
	}
	defer b.admin.Unlock()
	var entries []meta.Entry
	for _, p := range b.partitions() {
		p.trimming.Lock() // who saves the log start meanwhile knows the end too
		defer p.trimming.Unlock()
		p.mu.Lock()
		grown := !p.unopened && p.end > p.start.End
		var value []byte
		var err error
		if grown {
			p.start.ID, p.start.End = p.topic.Config().ID, p.end
			value, err = json.Marshal(p.start)
		}
		p.mu.Unlock()
		if err != nil {
			return fmt.Errorf("log start of %s: %w", p.label, err)
		}
		if grown {
			entries = append(entries, meta.Entry{Bucket: meta.LogStarts, Key: p.label, Value: value})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return b.o.Meta.Put(ctx, entries...)
}

// load reads one JSON value of meta; a key that is not there leaves v as it is.
func (b *Bus) load(ctx context.Context, bucket meta.Bucket, key string, v any) error {
	raw, err := b.o.Meta.Get(ctx, bucket, key)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("read %s/%s: %w", bucket, key, err)
	}
	return nil
}

// snapshot renders the partition's checkpoint.
func (p *Partition) snapshot() (meta.Entry, error) {
	p.mu.Lock()
	gen := p.gen.Load().number
	applied, x := p.applied, p.index
	c := p.checkpoint(gen, applied, &x, &p.producers)
	p.unchecked, p.unsaved = 0, 0
	p.mu.Unlock()
	value, err := json.Marshal(c)
	return meta.Entry{Bucket: meta.Checks, Key: p.label, Value: value}, err
}

// checkpoint is what the partition knows, upon a stream of its log. p.mu is held.
func (p *Partition) checkpoint(gen int64, applied uint64, x *index, known *producers) checkpoint {
	c := checkpoint{Version: checkpointVersion, ID: p.topic.Config().ID, Seq: applied, End: p.end, Next: p.next, Gen: gen, Index: x.encode(), Places: p.places.text(), Damage: slices.Clone(p.damage), Files: slices.Clone(p.files)}
	if len(known.known) > 0 || len(known.aborted) > 0 {
		c.Producers = known.encode()
	}
	return c
}

// saveChecks writes the checkpoints of partitions, synced.
func (b *Bus) saveChecks(ctx context.Context, parts []*Partition) error {
	entries, checked := make([]meta.Entry, 0, len(parts)), map[*Partition]int64{}
	for _, p := range parts {
		if p.closed() {
			continue
		}
		p.mu.Lock()
		checked[p] = p.index.last()
		p.mu.Unlock()
		e, err := p.snapshot()
		if err != nil {
			return fmt.Errorf("checkpoint of %s: %w", p.label, err)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil
	}
	if err := b.o.Meta.Put(ctx, entries...); err != nil {
		return err
	}
	for p, offset := range checked {
		p.mu.Lock()
		p.checked = max(p.checked, offset)
		p.mu.Unlock()
	}
	return nil
}

// saveProducers writes a checkpoint where messages are to go that alone tell of producers: one of these may not know
// yet that its last batch got in, and sends it again. p.trimming is held.
func (p *Partition) saveProducers(ctx context.Context) error {
	p.mu.Lock()
	runs := p.index.runs
	due := len(p.producers.known) > 0 && p.checked < p.logStart && len(runs) > 1 && runs[0].next <= p.logStart
	p.mu.Unlock()
	if !due {
		return nil
	}
	return p.bus.saveChecks(ctx, []*Partition{p})
}

// keepChecks looks after checkpoints and seals until ctx ends.
func (b *Bus) keepChecks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.grown:
		case <-time.After(checkInterval):
		}
		b.checkDue(ctx)
	}
}

// checkDue writes the checkpoints of the partitions that have grown enough, so that a start reads little of a log.
func (b *Bus) checkDue(ctx context.Context) {
	var due []*Partition
	for _, p := range b.partitions() {
		p.mu.Lock()
		grown := p.unchecked >= checkMessages || p.unsaved >= checkBytesIdle
		p.mu.Unlock()
		if grown {
			due = append(due, p)
			p.trimming.Lock() // or the checkpoint of a log that compaction replaces comes after that of the new one
			defer p.trimming.Unlock()
		}
	}
	b.check(ctx, due)
}

func (b *Bus) check(ctx context.Context, due []*Partition) {
	b.checking.Lock()
	defer b.checking.Unlock()
	if err := b.saveChecks(ctx, due); err != nil && ctx.Err() == nil {
		b.o.Log.Warn("checkpoints are not written", "error", err)
	}
	for _, p := range due {
		if err := p.seal(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.Warn("what is known of the log's files is not written, the next start reads them", "partition", p.label, "error", err)
		}
	}
}
