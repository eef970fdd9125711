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
	"sync"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/stream/own"
)

// Kind of a decision.
type Kind string

// The kinds.
const (
	Idle   Kind = "idle"   // the partition does not hold the watermark
	Active Kind = "active" // it does again, from Mark on
	Flush  Kind = "flush"  // windows that begin at or before Mark are closed
)

// Decision is one record of tarn.clock.
type Decision struct {
	Source    string // the id of the stream
	Topic     string
	Partition int32
	Offset    int64 // the next offset of the partition
	Kind      Kind
	Mark      int64 // microseconds since 1970; of an idle partition 0
}

// ErrPassed refuses a decision at an offset that somebody has read past already.
var ErrPassed = errors.New("the partition was read on")

// Clocks are those of all sources. Safe for concurrent use.
type Clocks struct {
	topic own.Topic
	clock life.Clock

	mu      sync.Mutex // held while a decision is made durable: nobody reads past it meanwhile
	n       int64
	process string
	known   map[part][]Decision
	used    map[part]int64   // the offset up to which records were used
	closed  map[string]int64 // by source: the highest mark up to which a pipeline has closed windows
}

type part struct {
	source    string
	partition int32
}

// Open reads all decisions back. process names this run of the program.
func Open(ctx context.Context, topic own.Topic, clock life.Clock, process string) (*Clocks, error) {
	c := &Clocks{topic: topic, clock: clock, process: process, known: map[part][]Decision{}, used: map[part]int64{}, closed: map[string]int64{}}
	p := topic.Partition
	r := p.Reader(p.LogStart())
	defer r.Close()
	for at, end := p.LogStart(), p.Stable(); at < end; {
		got, err := r.Next(ctx, 1<<20)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", own.Clock, err)
		}
		for _, b := range got.Batches {
			if err := c.load(b); err != nil {
				return nil, err
			}
		}
		at = got.Next
	}
	return c, nil
}

type line struct {
	At        string `json:"at"`
	Source    string `json:"source"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Kind      Kind   `json:"kind"`
	Watermark string `json:"watermark"`
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
		var l line
		if err := json.Unmarshal(r.Value, &l); err != nil {
			return fmt.Errorf("read offset %d of %s: %w", r.Offset, own.Clock, err)
		}
		at, err := time.Parse(time.RFC3339Nano, l.Watermark)
		if err != nil {
			return fmt.Errorf("read offset %d of %s: %w", r.Offset, own.Clock, err)
		}
		c.know(Decision{l.Source, l.Topic, l.Partition, l.Offset, l.Kind, at.UnixMicro()})
	}
	return nil
}

func (c *Clocks) know(d Decision) {
	key := part{d.Source, d.Partition}
	c.known[key] = append(c.known[key], d)
}

// Use announces that records of a partition below next are about to be used. Decisions
// at or before the first of them, which is at from, are those that At tells now; no later one will be.
func (c *Clocks) Use(source string, partition int32, next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := part{source, partition}
	c.used[key] = max(c.used[key], next)
}

// At tells the decisions of a partition at offsets from one to another, both with them, in order.
func (c *Clocks) At(source string, partition int32, from, to int64) []Decision {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Decision
	for _, d := range c.known[part{source, partition}] {
		if d.Offset >= from && d.Offset <= to {
			out = append(out, d)
		}
	}
	return out
}

// Closed notes up to which mark a pipeline closes windows of a source, before it does, and tells the
// highest of all pipelines.
func (c *Clocks) Closed(source string, mark int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	highest, ok := c.closed[source]
	if !ok || mark > highest {
		highest = mark
		c.closed[source] = mark
	}
	return highest
}

// Decide makes decisions of one source durable, all or none of them known at once. ErrPassed where
// somebody has used a record at or behind one of the offsets.
func (c *Clocks) Decide(ctx context.Context, list []Decision) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var outs []own.Out
	now := c.clock.Now()
	for _, d := range list {
		if c.used[part{d.Source, d.Partition}] > d.Offset {
			return ErrPassed
		}
		value, err := own.JSON(line{now.UTC().Format(time.RFC3339Nano), d.Source, d.Topic, d.Partition, d.Offset, d.Kind, time.UnixMicro(d.Mark).UTC().Format(time.RFC3339Nano)})
		if err != nil {
			return err
		}
		c.n++
		outs = append(outs, own.Out{Place: record.Hex16(c.n), Record: record.Record{Timestamp: now.UnixMilli(), Value: value}})
	}
	if err := c.topic.Append(ctx, "clock", c.process, outs); err != nil {
		return err
	}
	for _, d := range list {
		c.know(d)
	}
	return nil
}
