package kafka

import (
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/record"
)

// copiedBytesMax is how large a batch may be that is copied into an answer. A larger one is written from where it lies, and keeps
// the message of the log that it is of, twice as large at most or its own, until the client has taken it.
const copiedBytesMax = 512 << 10

// fetched is an answer to a fetch. Its records are batches of the log, which are other readers' too: nobody changes them.
type fetched struct {
	*kmsg.FetchResponse                  // without records
	records             [][]record.Batch // of each partition, in the answer's order
}

// copiedBytes is the size of what pieces copies of it, at most.
func (f *fetched) copiedBytes() (n int) {
	const head = 80 // of a topic or a partition, but for names and aborted transactions
	for _, t := range f.Topics {
		n += head + len(t.Topic) + head*len(t.Partitions)
	}
	for _, batches := range f.records {
		for _, b := range batches {
			if len(b) <= copiedBytesMax {
				n += len(b)
			}
		}
	}
	return n
}

func bytesOf(batches []record.Batch) (n int) {
	for _, b := range batches {
		n += len(b)
	}
	return n
}

// pieces is what a connection writes: bytes of its own, and between them batches of the log.
type pieces struct {
	own  []byte
	cuts []cut
}

// cut is a batch in front of the own byte at.
type cut struct {
	at    int
	batch []byte
}

func (p *pieces) add(b record.Batch) {
	if len(b) <= copiedBytesMax {
		p.own = append(p.own, b...)
	} else {
		p.cuts = append(p.cuts, cut{len(p.own), b})
	}
}

func (p *pieces) size() int {
	n := len(p.own)
	for _, c := range p.cuts {
		n += len(c.batch)
	}
	return n
}

// writeTo writes all in one call of the system.
func (p *pieces) writeTo(to net.Conn) (n int64, err error) {
	if len(p.cuts) == 0 {
		n, err := to.Write(p.own)
		return int64(n), err
	}
	all, at := make(net.Buffers, 0, 2*len(p.cuts)+1), 0
	for _, c := range p.cuts {
		all, at = append(all, p.own[at:c.at], c.batch), c.at
	}
	all = append(all, p.own[at:])
	return all.WriteTo(to)
}

// appendTo writes the answer as kmsg does, which would copy all records. Fields that no answer of the door has are left out.
func (f *fetched) appendTo(p *pieces) {
	flexible := f.IsFlexible()
	length := func(n int) {
		if flexible {
			p.own = kbin.AppendCompactArrayLen(p.own, n)
		} else {
			p.own = kbin.AppendArrayLen(p.own, n)
		}
	}
	noTags := func() {
		if flexible {
			p.own = append(p.own, 0)
		}
	}
	p.own = kbin.AppendInt32(p.own, f.ThrottleMillis)
	if f.Version >= 7 {
		p.own = kbin.AppendInt16(p.own, f.ErrorCode)
		p.own = kbin.AppendInt32(p.own, f.SessionID)
	}
	length(len(f.Topics))
	records := f.records
	for i := range f.Topics {
		t := &f.Topics[i]
		switch {
		case f.Version >= 13:
			p.own = append(p.own, t.TopicID[:]...)
		case flexible:
			p.own = kbin.AppendCompactString(p.own, t.Topic)
		default:
			p.own = kbin.AppendString(p.own, t.Topic)
		}
		length(len(t.Partitions))
		for j := range t.Partitions {
			f.appendPartition(p, &t.Partitions[j], records[0], flexible)
			records = records[1:]
			noTags()
		}
		noTags()
	}
	noTags()
}

func (f *fetched) appendPartition(p *pieces, of *kmsg.FetchResponseTopicPartition, batches []record.Batch, flexible bool) {
	out := kbin.AppendInt32(p.own, of.Partition)
	out = kbin.AppendInt16(out, of.ErrorCode)
	out = kbin.AppendInt64(out, of.HighWatermark)
	out = kbin.AppendInt64(out, of.LastStableOffset)
	if f.Version >= 5 {
		out = kbin.AppendInt64(out, of.LogStartOffset)
	}
	aborted := of.AbortedTransactions
	if flexible {
		out = kbin.AppendCompactNullableArrayLen(out, len(aborted), aborted == nil)
	} else {
		out = kbin.AppendNullableArrayLen(out, len(aborted), aborted == nil)
	}
	for _, a := range aborted {
		out = kbin.AppendInt64(out, a.ProducerID)
		out = kbin.AppendInt64(out, a.FirstOffset)
		if flexible {
			out = append(out, 0)
		}
	}
	if f.Version >= 11 {
		out = kbin.AppendInt32(out, of.PreferredReadReplica)
	}
	size := bytesOf(batches)
	if flexible {
		out = kbin.AppendUvarint(out, uint32(size)+1) //nolint:gosec // bounded by what an answer may hold
	} else {
		out = kbin.AppendInt32(out, int32(size)) //nolint:gosec // bounded by what an answer may hold
	}
	p.own = out
	for _, b := range batches {
		p.add(b)
	}
}
