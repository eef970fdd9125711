// Package clock keeps the decisions about time that the log itself does not hold: that a
// partition is idle and holds the watermark of its source no longer, that it is active again, that
// windows of a source that has gone quiet are flushed. Each is a record of tarn.clock, synced
// before it takes effect, at an offset of its partition; whoever reads that partition, now or in a replay,
// applies it when it has read up to that offset. So the answer of a pipeline does not depend on
// when it ran.
package clock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/stream/operator"
	"tarn/stream/own"
)

// Kind of a decision.
type Kind string

// The kinds.
const (
	Idle   Kind = "idle"   // the partition does not hold the watermark; windows that end at or before Mark close without it
	Active Kind = "active" // it does again, from Mark on
	Flush  Kind = "flush"  // windows that begin at or before Mark are closed
	Told   Kind = "mark"   // the watermark of the whole source is Mark: what ends there is closed, for late_policy 'global'
)

// Decision is one record of tarn.clock.
type Decision struct {
	Source    string // the id of the stream
	Topic     string
	Partition int32
	Offset    int64 // the next offset of the partition
	Kind      Kind
	Mark      int64 // microseconds since 1970, or None
}

// None is a time before all others.
const None = operator.None

// ErrPassed refuses a decision at an offset that somebody has read past already.
var ErrPassed = errors.New("the partition was read on")

// appendLimit is how long a decision may take to be durable.
const appendLimit = 10 * time.Second

// Clocks are those of all sources. Safe for concurrent use.
type Clocks struct {
	topic own.Topic
	clock life.Clock

	mu      sync.Mutex // held while a decision is made durable: nobody reads past it meanwhile
	n       int64
	process string
	next    int64               // of the topic: what is before it is known
	doubt   []own.Out           // of an append that failed, and may get into the topic all the same
	known   map[part][]Decision // in order of their offsets, at one offset as they were made
	used    map[part]int64      // the offset up to which records were used
	told    map[string]int64    // by source: the highest mark of the kind Told
	closed  map[string]int64    // by source: up to where windows may have been closed without an idle partition
}

type part struct {
	source    string
	partition int32
}

// Open reads all decisions back. process names this run of the program.
func Open(ctx context.Context, topic own.Topic, clock life.Clock, process string) (*Clocks, error) {
	c := &Clocks{
		topic: topic, clock: clock, process: process, next: topic.Partition.LogStart(),
		known: map[part][]Decision{}, used: map[part]int64{}, closed: map[string]int64{}, told: map[string]int64{},
	}
	return c, c.follow(ctx)
}

// follow reads what the topic has and c does not know. c.mu is held, but in Open.
func (c *Clocks) follow(ctx context.Context) error {
	r := c.topic.Partition.Reader(c.next)
	defer r.Close()
	for end := c.topic.Partition.Stable(); c.next < end; {
		got, err := r.Next(ctx, 1<<20)
		if err != nil {
			return fmt.Errorf("read %s: %w", own.Clock, err)
		}
		for _, b := range got.Batches {
			if err := c.load(b); err != nil {
				return err
			}
		}
		c.next = got.Next
	}
	return nil
}

// settle makes what is in doubt durable, then known: an append that failed may be on its way still, so that
// only its places in the topic tell that it comes no later. c.mu is held.
func (c *Clocks) settle(ctx context.Context) error {
	if len(c.doubt) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, appendLimit)
	defer cancel()
	if err := c.topic.Append(ctx, "clock", c.process, c.doubt); err != nil {
		return err
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	c.doubt = nil
	return nil
}

type line struct {
	At        string  `json:"at"`
	Source    string  `json:"source"`
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Kind      Kind    `json:"kind"`
	Watermark *string `json:"watermark"` // of the mark, for people; null for none, and where a year cannot be written
	Mark      *int64  `json:"mark"`      // microseconds; null for none
}

func (c *Clocks) load(b record.Batch) error {
	if b.Control() {
		return nil
	}
	records, err := b.Records()
	if err != nil {
		return fmt.Errorf("read %s: %w", own.Clock, err)
	}
	for _, r := range records {
		if r.Offset < c.next {
			continue
		}
		var l line
		if err := json.Unmarshal(r.Value, &l); err != nil {
			return fmt.Errorf("read offset %d of %s: %w", r.Offset, own.Clock, err)
		}
		d := Decision{l.Source, l.Topic, l.Partition, l.Offset, l.Kind, None}
		if l.Mark != nil {
			d.Mark = *l.Mark
		}
		c.know(d)
	}
	return nil
}

func (c *Clocks) know(d Decision) {
	key := part{d.Source, d.Partition}
	list := c.known[key]
	if d.Kind == Idle {
		c.closed[d.Source] = max(c.highest(d.Source), d.Mark)
	}
	if before, ok := c.told[d.Source]; d.Kind == Told && (!ok || before < d.Mark) {
		c.told[d.Source] = d.Mark
	}
	at := sort.Search(len(list), func(i int) bool { return list[i].Offset > d.Offset })
	if at > 0 && d.Kind == Idle && list[at-1].Kind == Idle && list[at-1].Offset == d.Offset {
		return // it is idle still
	}
	c.known[key] = slices.Insert(list, at, d)
}

// highest is up to where windows of a source were closed without its idle partitions.
func (c *Clocks) highest(source string) int64 {
	if mark, ok := c.closed[source]; ok {
		return mark
	}
	return None
}

// Told is the highest watermark of a source that was decided, or None.
func (c *Clocks) Told(source string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mark, ok := c.told[source]; ok {
		return mark
	}
	return None
}

// Use announces that records of a partition from one offset up to another are about to be used, by somebody for
// whom it is idle or is not. Where it is idle at a record it is made active there first, from mark on
// or from where windows were closed without it. No decision at an offset below next comes
// later, so that At tells all of them.
func (c *Clocks) Use(ctx context.Context, d Decision, next int64, idle bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := part{d.Source, d.Partition}
	if err := c.settle(ctx); err != nil {
		return err
	}
	for c.used[key] < next {
		at, gap := c.gap(key, d.Offset, next, idle)
		if !gap {
			c.used[key] = next
			break
		}
		active := d
		active.Offset, active.Kind, active.Mark = at, Active, max(d.Mark, c.highest(d.Source))
		if err := c.append(ctx, []Decision{active}); err != nil {
			return err
		}
	}
	return nil
}

// gap is the first offset of some at which a record would be used of an idle partition.
func (c *Clocks) gap(key part, from, next int64, idle bool) (at int64, gap bool) {
	at = from
	for _, known := range c.known[key] {
		switch {
		case known.Kind == Flush || known.Kind == Told || known.Offset < from || known.Offset >= next:
		case idle && known.Offset > at:
			return at, true
		default:
			at, idle = known.Offset, known.Kind == Idle
		}
	}
	return at, idle
}

// At tells the decisions of a partition at offsets from one to another, both with them, in order.
func (c *Clocks) At(source string, partition int32, from, to int64) []Decision {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.known[part{source, partition}]
	first := sort.Search(len(all), func(i int) bool { return all[i].Offset >= from })
	last := first
	for last < len(all) && all[last].Offset <= to {
		last++
	}
	return slices.Clone(all[first:last])
}

// Close announces that a pipeline is about to close windows up to a mark without some partitions, each of which
// is idle where the pipeline stands. It is durable before it returns: such a partition comes back with
// no lower a mark, in every pipeline. ErrPassed where one has come back meanwhile.
func (c *Clocks) Close(ctx context.Context, without []Decision) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.settle(ctx); err != nil {
		return err
	}
	var news []Decision
	for _, d := range without {
		idle := false
		for _, known := range c.known[part{d.Source, d.Partition}] {
			if known.Offset <= d.Offset && (known.Kind == Idle || known.Kind == Active) {
				idle = known.Kind == Idle
			}
		}
		if !idle {
			return ErrPassed
		}
		// One of a source is enough. The source's own is raised when it is durable.
		told := slices.ContainsFunc(news, func(n Decision) bool { return n.Source == d.Source && n.Mark >= d.Mark })
		if !told && d.Mark > c.highest(d.Source) {
			news = append(news, d)
		}
	}
	return c.append(ctx, news)
}

// Decide makes decisions of one source durable, all or none of them known at once. ErrPassed where
// somebody has used a record at or behind one of the offsets.
func (c *Clocks) Decide(ctx context.Context, list []Decision) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.settle(ctx); err != nil {
		return err
	}
	for _, d := range list {
		if c.used[part{d.Source, d.Partition}] > d.Offset {
			return ErrPassed
		}
	}
	return c.append(ctx, list)
}

// append makes decisions durable, then known. Those that it could not are in doubt, also where the pipeline that
// decides ends: nobody uses records before they are settled. c.mu is held, and nothing in doubt.
func (c *Clocks) append(ctx context.Context, list []Decision) error {
	var outs []own.Out
	now := c.clock.Now()
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	for _, d := range list {
		l := line{stamp(now), d.Source, d.Topic, d.Partition, d.Offset, d.Kind, nil, nil}
		if d.Mark != None {
			mark := d.Mark
			l.Mark = &mark
			if at := time.UnixMicro(d.Mark).UTC(); at.Year() >= 1 && at.Year() <= 9999 {
				text := stamp(at)
				l.Watermark = &text
			}
		}
		value, err := own.JSON(l)
		if err != nil {
			return err
		}
		c.n++
		outs = append(outs, own.Out{Place: record.Hex16(c.n), Record: record.Record{Timestamp: now.UnixMilli(), Value: value}})
	}
	c.doubt = outs
	return c.settle(ctx)
}
