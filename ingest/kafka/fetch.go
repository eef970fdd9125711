package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/guard"
	"tarn/embedded/record"
)

// The bounds of a fetch.
const (
	fetchBytesMax = 8 << 20 // of one answer, whatever the client asks for, but for a first batch that is larger
	// fetchBytesLeast is what an answer with records takes of the room for all, however many clients are slow.
	fetchBytesLeast = 256 << 10
	fetchRoomMax    = time.Second     // for it
	fetchWaitMax    = 5 * time.Minute // whatever the client asks for
	fetchReadMax    = 20 * time.Second
)

// fetching is one fetch request under way.
type fetching struct {
	c        *conn
	req      *kmsg.FetchRequest
	wants    []*want
	parts    []*bus.Partition // of each want; nil where it failed
	failures []*kerr.Error
}

// fetch answers with what there is from the offsets of the request on; it waits where that is less than MinBytes.
func fetch(ctx context.Context, c *conn, req *kmsg.FetchRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = req.Version
	wants, s, goesOn, failed := c.open(req)
	if failed != nil {
		resp.ErrorCode = failed.Code
		return resp, nil //nolint:nilerr // the answer says it
	}
	if s != nil {
		resp.SessionID = s.id
	}
	c.fetches++
	f := &fetching{c: c, req: req, wants: wants}
	f.resolve()
	if f.wait(ctx) {
		f.resolve() // topics may have gone meanwhile
	}
	out := &fetched{FetchResponse: resp}
	had := f.read(out, goesOn)
	if s != nil {
		s.served(had)
	}
	return out, nil
}

// resolve finds the partitions, and what is wrong with each request for one.
func (f *fetching) resolve() {
	f.parts, f.failures = make([]*bus.Partition, len(f.wants)), make([]*kerr.Error, len(f.wants))
	for i, w := range f.wants {
		f.parts[i], f.failures[i] = f.c.fetchable(w, f.req.Version >= 13)
	}
}

func (c *conn) fetchable(w *want, byID bool) (*bus.Partition, *kerr.Error) {
	var t *bus.Topic
	var err error
	if byID {
		if t, err = c.door.o.Bus.TopicOf(w.id); err != nil {
			return nil, kerr.UnknownTopicID
		}
	} else if t, err = c.door.o.Bus.Topic(w.topic); err != nil {
		if !c.may(guard.Read, w.topic, nil) {
			return nil, kerr.TopicAuthorizationFailed
		}
		return nil, kerr.UnknownTopicOrPartition
	}
	switch {
	case !c.may(guard.Read, t.Name(), t):
		return nil, kerr.TopicAuthorizationFailed
	case w.number < 0 || int(w.number) >= len(t.Partitions()):
		return nil, kerr.UnknownTopicOrPartition
	case w.epoch > leaderEpoch:
		return nil, kerr.UnknownLeaderEpoch
	}
	p := t.Partitions()[w.number]
	if w.offset < p.LogStart() || w.offset > p.Next() {
		return p, kerr.OffsetOutOfRange
	}
	return p, nil
}

// end is where reading stops: at the high watermark, or at the last stable offset for committed records alone.
func (f *fetching) end(p *bus.Partition) int64 {
	if f.req.IsolationLevel == committed {
		return p.Stable()
	}
	return p.Written()
}

// wait waits until there are MinBytes, something is wrong, or the client's patience ends. It tells whether it waited.
func (f *fetching) wait(ctx context.Context) bool {
	if f.enough() {
		return false
	}
	if len(f.wants) <= sessionPartitionsMax { // what more than these take stays counted
		f.c.spare()
	}
	patience := time.NewTimer(min(time.Duration(f.req.MaxWaitMillis)*time.Millisecond, fetchWaitMax))
	defer patience.Stop()
	wake := make(chan struct{}, 1)
	for _, p := range f.parts {
		if p != nil {
			defer p.Watch(wake)()
		}
	}
	for !f.enough() {
		select {
		case <-wake:
		case <-patience.C:
			return true
		case <-ctx.Done():
			return true
		}
	}
	return true
}

// enough tells whether the answer is not worth waiting for more.
func (f *fetching) enough() bool {
	need := min(int64(f.req.MinBytes), fetchBytesMax)
	if f.req.MaxWaitMillis <= 0 || need <= 0 || len(f.wants) == 0 {
		return true
	}
	for i, w := range f.wants {
		if f.failures[i] != nil || w.offset < f.parts[i].LogStart() {
			return true
		}
	}
	return f.there(need) >= need
}

// there is about how many bytes could be answered now, counted no further than enough.
func (f *fetching) there(enough int64) (n int64) {
	for i, w := range f.wants {
		if n >= enough {
			break
		}
		if f.failures[i] == nil {
			if end := f.end(f.parts[i]); w.offset < end {
				n += f.parts[i].Unread(w.offset, end, enough-n)
			}
		}
	}
	return n
}

// read fills the answer, within one that goes on only with news, and tells of which partitions there were records.
// A stop lets it come to its end, if that is soon.
func (f *fetching) read(resp *fetched, goesOn bool) map[*want]bool {
	ctx, cancel := context.WithTimeout(f.c.drain, fetchReadMax)
	defer cancel()
	left, first := min(max(int(f.req.MaxBytes), 0), fetchBytesMax), true
	had := map[*want]bool{}
	if there := f.there(int64(left)); there > 0 {
		wait, cancel := context.WithTimeout(ctx, fetchRoomMax)
		room, err := f.c.owe(wait, max(there, fetchBytesLeast), fetchBytesLeast)
		cancel()
		if left = min(left, int(room)); err != nil {
			left, first = 0, false // others have taken all: the client asks again
		}
	}
	for i, w := range f.wants {
		part := f.part(w)
		var batches []record.Batch
		if f.failures[i] == nil {
			batches, f.failures[i] = f.readPartition(ctx, w, f.parts[i], left, first, &part)
		}
		if failed := f.failures[i]; failed != nil {
			part, batches = f.part(w), nil
			part.ErrorCode = failed.Code
			if f.parts[i] == nil { // Kafka's answers are so
				part.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
			}
		}
		switch n := bytesOf(batches); {
		case n == 0:
		case first && !f.c.oweAll(ctx, int64(n)): // the first batch is as large as it is
			part, batches, left, first = f.part(w), nil, 0, false
			f.bounds(f.parts[i], &part)
		default:
			left, first, had[w] = max(left-n, 0), false, true
		}
		if !w.news(&part, len(batches)) && goesOn {
			continue
		}
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != w.topic || resp.Topics[n-1].TopicID != w.id {
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = w.topic, w.id
			resp.Topics = append(resp.Topics, t)
		}
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions, resp.records = append(t.Partitions, part), append(resp.records, batches)
	}
	return had
}

// part is the answer for a partition, without records.
func (*fetching) part(w *want) kmsg.FetchResponseTopicPartition {
	out := kmsg.NewFetchResponseTopicPartition()
	out.Partition, out.HighWatermark = w.number, -1
	return out
}

// bounds tells where the log of a partition begins and ends.
func (f *fetching) bounds(p *bus.Partition, out *kmsg.FetchResponseTopicPartition) {
	out.LogStartOffset, out.LastStableOffset, out.HighWatermark = p.LogStart(), p.Stable(), p.Written()
	if f.req.IsolationLevel == committed {
		out.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	}
}

func (f *fetching) readPartition(ctx context.Context, w *want, p *bus.Partition, left int, first bool, out *kmsg.FetchResponseTopicPartition) ([]record.Batch, *kerr.Error) {
	f.bounds(p, out)
	end := f.end(p)
	if w.offset >= end || left <= 0 && !first {
		return nil, nil
	}
	r := f.c.reading(p, w.offset)
	batches, err := f.c.take(ctx, r, end, min(w.bytesMax, left), first)
	f.c.count(r)
	if err != nil {
		if !errors.Is(err, bus.ErrNoTopic) && !errors.Is(err, bus.ErrOutOfRange) {
			f.c.log.Warn("partition cannot be read for a Kafka client", "topic", p.Topic().Name(), "partition", p.Number(), "offset", w.offset, "error", err)
		}
		return nil, errorOf(err)
	}
	if n := len(batches); n > 0 && f.req.IsolationLevel == committed {
		for _, a := range p.Aborted(w.offset, batches[n-1].Next()) {
			gone := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			gone.ProducerID, gone.FirstOffset = a.Producer, a.First
			out.AbortedTransactions = append(out.AbortedTransactions, gone)
		}
		if p.Rewritten() != r.log { // what was aborted in the log before is forgotten: the client asks again
			out.AbortedTransactions = out.AbortedTransactions[:0]
			return nil, nil
		}
		if p.LogStart() > w.offset { // what lies below is forgotten: some of these may be aborted
			return nil, kerr.OffsetOutOfRange
		}
	}
	return batches, nil
}
