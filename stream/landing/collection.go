package landing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/own"
)

// collection is the commit in hand of one way.
type collection struct {
	w     *way
	feeds *feeds
	sink  sink

	rows, bytes int
	oldest      int64 // milliseconds; 0 when there is no record
	cut         bool
	dead        []own.Letter
	records     []record.Record // of the batch in hand
}

// land collects what is durable, up to the bounds, and commits it.
func (c *collection) land(work context.Context) error {
	select {
	case c.w.l.slots <- struct{}{}:
	case <-work.Done():
		return work.Err()
	}
	defer func() { <-c.w.l.slots }()
	c.rows, c.bytes, c.oldest, c.cut, c.dead = 0, 0, 0, false, nil
	c.feeds.aim()
	for !c.full() && (c.feeds.first != nil || c.feeds.behind()) {
		got, err := c.feeds.next(work)
		if err != nil {
			return err
		}
		if got == nil {
			break
		}
		c.ahead(got)
		if err := c.take(work, got); err != nil {
			return err
		}
	}
	c.records = nil // which a way that waits would keep
	return c.commit(work)
}

func (c *collection) full() bool {
	return c.cut || c.rows >= commitRowsMax || c.bytes >= c.w.l.commitBytes
}

// ahead asks for what follows a fetch, which comes while that one is taken apart. It does not where the collection ends with it: a
// way that waits holds no large fetch.
func (c *collection) ahead(got *fetched) {
	f, bytes := c.feeds.list[got.feed], c.bytes
	for _, b := range got.got.Batches {
		bytes += len(b)
	}
	rows := c.rows + int(got.got.Next-f.read)
	if got.got.Next < f.target && rows < commitRowsMax && bytes < c.w.l.commitBytes {
		c.feeds.request(f, fetchBytes)
	}
}

// take hands the records of one fetch to the sink. Before a batch that does not begin where the
// last one ended compaction took records, or there is a hole: what came before is committed, then inLog tells.
func (c *collection) take(ctx context.Context, got *fetched) error {
	f := c.feeds.list[got.feed]
	for _, b := range got.got.Batches {
		if b.Next() <= f.read {
			continue
		}
		if hole, _, lost := f.p.Lost(f.read); lost && hole < b.Base() {
			f.read, c.cut = hole, true
			return nil
		}
		c.bytes += len(b)
		if err := c.batch(ctx, f, b); err != nil {
			return fmt.Errorf("partition %d: %w", f.number, err)
		}
		if c.cut {
			return nil
		}
		f.read = b.Next()
	}
	f.read = max(f.read, got.got.Next)
	return nil
}

func (c *collection) batch(ctx context.Context, f *feed, b record.Batch) error {
	if b.Control() {
		m, ok, err := b.Mark()
		if err != nil || !ok {
			return err
		}
		if err := c.sink.mark(ctx, f, b.Base(), m); errors.Is(err, errCut) {
			c.cut = true
			return nil
		} else if err != nil {
			return err
		}
		f.pass([]byte(m.Pos))
		f.place()
		return nil
	}
	var err error
	if c.records, err = b.AppendRecords(c.records[:0]); err != nil {
		return quarantine{fault.Wrap(err, fault.Damaged, "read a batch of the log", "put back the bus from a backup")}
	}
	defer f.place()
	for i := range c.records {
		r := &c.records[i]
		if r.Offset < f.read {
			continue
		}
		err := c.sink.add(ctx, f, r)
		if errors.Is(err, errCut) {
			c.cut, f.read = true, r.Offset
			return nil
		}
		if why, refused := errors.AsType[refusal](err); refused {
			one := *r
			c.dead = append(c.dead, own.Letter{Partition: f.number, Record: &one, Why: string(why)})
		} else if err != nil && !errors.Is(err, errSkip) {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		if pos, ok := r.Header(record.HeaderPos); ok {
			f.pass(pos)
		}
		c.rows++
		if c.oldest == 0 || r.Timestamp < c.oldest {
			c.oldest = r.Timestamp
		}
	}
	return nil
}

// pass goes past the place of a record. Of a run of records of one source only the last is remembered.
func (f *feed) pass(pos []byte) {
	source, ok := record.SourceOf(pos)
	if !ok {
		return
	}
	if was, _ := record.SourceOf(f.passed); !bytes.Equal(was, source) {
		f.place()
	}
	f.passed = pos
}

// place remembers the last place that was passed, which goes into the property.
func (f *feed) place() {
	if p, err := record.ParsePos(string(f.passed)); err == nil {
		f.places[p.Source] = p.Incarnation + "/" + p.Place
	}
	f.passed = nil
}

// commit writes the dead letters, then rows and offsets at once, then tells retention.
func (c *collection) commit(work context.Context) error {
	if err := c.w.l.deadLetters(work, c.w, c.dead); err != nil {
		return err
	}
	t, change, err := c.sink.change(work)
	if err != nil {
		return err
	}
	if t != nil {
		if err := c.write(work, t, change); err != nil {
			return err
		}
	}
	c.w.progress.dead(len(c.dead))
	c.sink.committed()
	for _, f := range c.feeds.list {
		if err := c.w.inLog(t, f.p, f.read); err != nil {
			return err
		}
	}
	if c.cut {
		return errReopen
	}
	return nil
}

func (c *collection) write(work context.Context, t table.Table, change table.Change) error {
	offsets, err := marshalOffsets(c.feeds.offsets(c.w.key.topic))
	if err != nil {
		return err
	}
	if change.Properties == nil {
		change.Properties = map[string]string{}
	}
	change.Properties[table.PropOffsets+Reader], change.Owner = offsets, Reader
	start := time.Now()
	_, err = t.Commit(work, change)
	release(change)
	if err != nil {
		return fmt.Errorf("commit %s: %w", t.Ident(), err)
	}
	fault.Point("landing.committed")
	for _, f := range c.feeds.list {
		f.p.Hold(c.w.key.reader, f.read)
	}
	c.w.progress.committed(c, t.Ident(), c.w.l.o.Clock.Now(), time.Since(start))
	return nil
}

func release(change table.Change) {
	for _, b := range change.Rows {
		b.Release()
	}
	for _, b := range change.Keys {
		b.Release()
	}
}
