package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/config"
	"tarn/embedded/fault"
)

// The bounds of consuming.
const (
	fetchBytes = 4 << 20     // of one answer, or one batch
	fetchWait  = time.Second // that the door waits for something to come
	writeBytes = 64 << 10    // of lines that are kept back, within one answer
)

// The timestamps of ListOffsets that mean places.
const (
	timeEnd   = -1
	timeStart = -2
)

// Consume is `tarn topics consume`. The tags are kong's.
type Consume struct {
	Name         string `arg:"" help:"The topic."`
	From         string `default:"start" help:"start, end, an offset, -10 for the last ten of each partition, or a time in UTC such as '2026-07-01 12:30'."`
	Partition    int32  `default:"-1" help:"One partition; -1 is all, each in its order."`
	Max          int64  `short:"n" help:"End after so many records; 0 for no bound."`
	Follow       bool   `short:"f" help:"Go on with what comes, until Ctrl-C."`
	Format       string `enum:"value,json" default:"value" help:"value: a line is a value. json: an object with topic, partition, offset, timestamp, key, value and headers."`
	KeySeparator string `short:"K" help:"Write the key and this before each value." placeholder:"TEXT"`
	Address
}

// Help is what --help says below the line of usage.
func (Consume) Help() string {
	return `It reads committed records up to where the topic ends when it starts, and joins no group: nothing is committed.

    tarn topics consume orders --max 10
    tarn topics consume orders --from=-10 --format json
    tarn topics consume orders --from '2026-07-01 12:30' --partition 0
    tarn topics consume orders --from end --follow --format json | jq -r .value`
}

// place is how far a partition is read.
type place struct {
	partition int32
	at        int64 // offset of what comes next
	start     int64 // of the log
	end       int64 // where it ends, of committed records
}

// Run writes the records.
func (c *Consume) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	from, err := readFrom(c.From)
	if err != nil {
		return err
	}
	t, err := c.open(ctx, f, c.Name)
	if err != nil {
		return err
	}
	defer t.client.Close()
	if err := t.choose(c.Partition); err != nil {
		return err
	}
	places, err := t.places(ctx, from)
	if err != nil {
		return err
	}
	err = c.read(ctx, t, places, out)
	if errors.Is(err, syscall.EPIPE) { // who read has had enough
		return nil
	}
	return err
}

// whence is --from, read: what ListOffsets is asked for, or an offset from start or from the end.
type whence struct {
	time   int64 // in ms, or timeStart or timeEnd
	offset int64
	fixed  bool // offset counts, from the end where it is below 0
}

func readFrom(text string) (w whence, err error) {
	switch text {
	case "start", "earliest", "beginning":
		return whence{time: timeStart}, nil
	case "end", "latest":
		return whence{time: timeEnd}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return whence{time: timeStart, offset: n, fixed: true}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return whence{time: at.UnixMilli()}, nil
		}
	}
	return w, fault.Newf(fault.Invalid, "write start, end, an offset such as 1200 or -10, or a time such as '2026-07-01 12:30'", "--from %q is no place in a topic", text)
}

// places finds where each partition is to be read from.
func (t *topic) places(ctx context.Context, from whence) ([]place, error) {
	starts, err := t.offsets(ctx, timeStart)
	if err != nil {
		return nil, err
	}
	ends, err := t.offsets(ctx, timeEnd)
	if err != nil {
		return nil, err
	}
	ats, err := t.offsets(ctx, from.time)
	if err != nil {
		return nil, err
	}
	out := make([]place, 0, len(t.partitions))
	for _, n := range t.partitions {
		p := place{partition: n, at: ats[n], start: starts[n], end: ends[n]}
		switch {
		case from.fixed && from.offset >= 0:
			p.at = from.offset
		case from.fixed:
			p.at = p.end + from.offset
		case p.at < 0: // no record is as young
			p.at = p.end
		}
		p.at = min(max(p.at, p.start), p.end)
		out = append(out, p)
	}
	return out, nil
}

// offsets asks for an offset of each partition: of a time in ms, timeStart or timeEnd.
func (t *topic) offsets(ctx context.Context, at int64) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, readCommitted
	one := kmsg.NewListOffsetsRequestTopic()
	one.Topic = t.name
	for _, n := range t.partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = n, at
		one.Partitions = append(one.Partitions, p)
	}
	req.Topics = append(req.Topics, one)
	what := "ask for offsets of " + t.name
	resp, err := req.RequestWith(ctx, t.client)
	if err != nil {
		return nil, t.fault(err, what)
	}
	out := map[int32]int64{}
	for _, answered := range resp.Topics {
		for _, p := range answered.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, t.fault(err, what)
			}
			out[p.Partition] = p.Offset
		}
	}
	if len(out) < len(t.partitions) {
		return nil, t.fault(errors.New("not every partition is in the answer"), what)
	}
	return out, nil
}

// readCommitted is the isolation level of whom aborted records do not concern.
const readCommitted = 1

// read fetches until everything is read that there was at first, or with Follow until ctx ends.
func (c *Consume) read(ctx context.Context, t *topic, places []place, out io.Writer) error {
	w := &writer{c: c, out: out}
	for {
		if !c.Follow {
			places = slices.DeleteFunc(places, func(p place) bool { return p.at >= p.end })
		}
		if len(places) == 0 || w.enough() {
			return nil
		}
		got, err := t.fetch(ctx, places)
		if err != nil {
			return err
		}
		for i := range got {
			at := slices.IndexFunc(places, func(p place) bool { return p.partition == got[i].Partition })
			if at < 0 {
				continue
			}
			if err := c.take(ctx, t, &places[at], &got[i], w); err != nil {
				return err
			}
		}
		if err := w.flush(); err != nil {
			return err
		}
		places = append(places[1:], places[0]) // the first ones fill an answer
	}
}

// take writes what one partition's part of an answer has, and moves its place.
func (c *Consume) take(ctx context.Context, t *topic, p *place, got *kmsg.FetchResponseTopicPartition, w *writer) error {
	if got.ErrorCode == kerr.OffsetOutOfRange.Code {
		starts, err := t.offsets(ctx, timeStart)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(os.Stderr, "%s/%d: records %d to %d are not kept any more\n", t.name, p.partition, p.at, starts[p.partition]-1)
		p.at = starts[p.partition]
		return nil
	}
	read, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: p.at, Topic: t.name, Partition: p.partition, IsolationLevel: kgo.ReadCommitted(),
	}, got, kgo.DefaultDecompressor(), nil)
	if read.Err != nil {
		return t.fault(read.Err, fmt.Sprintf("read %s/%d", t.name, p.partition))
	}
	for _, r := range read.Records {
		if w.enough() || !c.Follow && r.Offset >= p.end {
			break
		}
		if err := w.write(r); err != nil {
			return err
		}
	}
	p.at = next
	return nil
}

// fetch waits for records of some partitions.
func (t *topic) fetch(ctx context.Context, places []place) ([]kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = int32(fetchWait.Milliseconds()), 1, fetchBytes, readCommitted
	one := kmsg.NewFetchRequestTopic()
	one.Topic, one.TopicID = t.name, t.id
	for _, p := range places {
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.partition, p.at, fetchBytes
		one.Partitions = append(one.Partitions, part)
	}
	req.Topics = append(req.Topics, one)
	resp, err := req.RequestWith(ctx, t.client)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, t.fault(err, "read "+t.name)
	}
	var out []kmsg.FetchResponseTopicPartition
	for _, answered := range resp.Topics {
		out = append(out, answered.Partitions...)
	}
	return out, nil
}

// writer writes records as lines.
type writer struct {
	c     *Consume
	out   io.Writer
	lines bytes.Buffer
	wrote int64
}

func (w *writer) enough() bool { return w.c.Max > 0 && w.wrote >= w.c.Max }

func (w *writer) write(r *kgo.Record) error {
	w.wrote++
	if w.c.Format == formatJSON {
		if err := appendJSON(&w.lines, r); err != nil {
			return err
		}
	} else {
		if w.c.KeySeparator != "" {
			w.lines.Write(r.Key)
			w.lines.WriteString(w.c.KeySeparator)
		}
		w.lines.Write(r.Value)
		w.lines.WriteByte('\n')
	}
	if w.lines.Len() >= writeBytes {
		return w.flush()
	}
	return nil
}

func (w *writer) flush() error {
	_, err := w.out.Write(w.lines.Bytes())
	w.lines.Reset()
	return err
}
