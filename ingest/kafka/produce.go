package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
)

// produceMin and produceMax bound how long a producer waits for the log, whatever it asks for.
const (
	produceMin = time.Second
	produceMax = 2 * time.Minute
)

// readProduce reads a produce request. Records share the bytes of the frame. It allocates by what is there, not by
// what a length says: these are the largest requests.
func readProduce(req *kmsg.ProduceRequest, body []byte) error {
	b := kbin.Reader{Src: body}
	flexible := req.IsFlexible()
	length := func() int {
		if flexible {
			return int(b.CompactArrayLen())
		}
		return int(b.ArrayLen())
	}
	tags := func() {
		if flexible {
			skipTags(&b)
		}
	}
	if flexible {
		req.TransactionID = b.CompactNullableString()
	} else {
		req.TransactionID = b.NullableString()
	}
	req.Acks, req.TimeoutMillis = b.Int16(), b.Int32()
	for n := length(); n > 0 && b.Ok(); n-- {
		var t kmsg.ProduceRequestTopic
		switch {
		case req.Version >= 13:
			t.TopicID = b.Uuid()
		case flexible:
			t.Topic = b.CompactString()
		default:
			t.Topic = b.String()
		}
		for n := length(); n > 0 && b.Ok(); n-- {
			p := kmsg.ProduceRequestTopicPartition{Partition: b.Int32()}
			if flexible {
				p.Records = b.CompactNullableBytes()
			} else {
				p.Records = b.NullableBytes()
			}
			tags()
			t.Partitions = append(t.Partitions, p)
		}
		tags()
		req.Topics = append(req.Topics, t)
	}
	tags()
	return b.Complete()
}

// codecZstd may be used from version 7 on; a codec above it there is none.
const codecZstd = 4

// producing is one partition of a produce request.
type producing struct {
	at      *bus.Partition
	batch   record.Batch
	survey  record.Survey
	number  int32
	wait    func(context.Context) (bus.Appended, error)
	failed  *kerr.Error
	message string
}

func (p *producing) refuse(e *kerr.Error, format string, args ...any) {
	p.failed, p.message = e, fmt.Sprintf(format, args...)
}

// produce puts the batches of all partitions on their way in order, and promises the answer for when the disk has them.
// They go on without their connection: a client that wants no answer may close it as soon as all is sent.
func produce(_ context.Context, c *conn, r kmsg.Request) (promise, error) {
	req := r.(*kmsg.ProduceRequest) //nolint:forcetypeassert // the table's key says so
	ctx, cancel := context.WithTimeout(c.drain, min(max(time.Duration(req.TimeoutMillis)*time.Millisecond, produceMin), produceMax))
	all := make([][]producing, len(req.Topics))
	for i, t := range req.Topics {
		all[i] = c.examine(req, t)
	}
	c.enroll(ctx, req, all)
	for i := range all {
		for j := range all[i] {
			all[i][j].enqueue(ctx)
		}
	}
	return promise{answer: func() (kmsg.Response, error) {
		defer cancel()
		resp := kmsg.NewPtrProduceResponse()
		resp.Version = req.Version
		var failed *producing
		for i, t := range req.Topics {
			out := kmsg.ProduceResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
			for j := range all[i] {
				p := &all[i][j]
				out.Partitions = append(out.Partitions, p.answer(ctx))
				if p.failed != nil {
					failed = p
				}
			}
			resp.Topics = append(resp.Topics, out)
		}
		if req.Acks == 0 {
			if failed != nil { // as Kafka does: a client that wants no answer learns so that something is wrong
				return nil, failed.failed
			}
			return nil, nil
		}
		return resp, nil
	}}, nil
}

// examine looks at the batches of one topic.
func (c *conn) examine(req *kmsg.ProduceRequest, t kmsg.ProduceRequestTopic) []producing {
	out := make([]producing, len(t.Partitions))
	topic, failed, why := c.writable(req, t)
	for i, part := range t.Partitions {
		p := &out[i]
		p.number = part.Partition
		switch {
		case failed != nil:
			p.refuse(failed, "%s", why)
			continue
		case part.Partition < 0 || int(part.Partition) >= len(topic.Partitions()):
			p.refuse(kerr.UnknownTopicOrPartition, "topic %s has no partition %d", topic.Name(), part.Partition)
			continue
		}
		p.at, p.batch = topic.Partitions()[part.Partition], part.Records
		c.check(req.Version, topic, part.Records, p)
	}
	return out
}

// enqueue puts a batch on its way, if nothing is wrong with it.
func (p *producing) enqueue(ctx context.Context) {
	if p.failed != nil {
		return
	}
	var err error
	if p.wait, err = p.at.Enqueue(ctx, p.batch, p.survey); err != nil {
		p.refuse(errorOf(err), "%s", err)
	}
}

// writable is the topic of a produce request, if the client may write to it.
func (c *conn) writable(req *kmsg.ProduceRequest, t kmsg.ProduceRequestTopic) (topic *bus.Topic, failed *kerr.Error, why string) {
	name := t.Topic
	if req.Version >= 13 {
		of, err := c.door.o.Bus.TopicOf(t.TopicID)
		if err != nil {
			return nil, kerr.UnknownTopicID, ""
		}
		name = of.Name()
	}
	topic, err := c.door.o.Bus.Writable(name)
	switch {
	case !c.may(guard.Write, name, topic):
		return nil, kerr.TopicAuthorizationFailed, fmt.Sprintf("user %s may not write topic %s", c.who.User, name)
	case err != nil:
		return nil, kept(err), err.Error() + ": " + fault.HintOf(err)
	case req.Acks < -1 || req.Acks > 1:
		return nil, kerr.InvalidRequiredAcks, fmt.Sprintf("acks %d, want -1, 0 or 1", req.Acks)
	}
	return topic, nil, ""
}

// check looks at what a client sends for one partition, as Kafka's LogValidator does: one batch, whole, of records that can be read.
func (c *conn) check(version int16, topic *bus.Topic, data []byte, p *producing) {
	if len(data) == 0 {
		p.refuse(kerr.InvalidRecord, "no record batch")
		return
	}
	config := topic.Config()
	if most := config.MessageBytesMax(); len(data) > most {
		p.refuse(kerr.MessageTooLarge, "the batch has %d bytes, at most %d in topic %s (%s)", len(data), most, topic.Name(), bus.SettingMessageBytes)
		return
	}
	const magicAt = 16
	if len(data) > magicAt && data[magicAt] < 2 {
		p.refuse(kerr.InvalidRecord, "record batches of format %d are not taken, only of format 2", data[magicAt])
		return
	}
	b, rest, err := record.Cut(data)
	switch {
	case err != nil:
		p.refuse(kerr.CorruptMessage, "%s", err)
		return
	case len(rest) > 0:
		p.refuse(kerr.InvalidRecord, "more than one record batch")
		return
	case b.Control():
		p.refuse(kerr.InvalidRecord, "clients do not write control records")
		return
	case b.Count() < 1 || b.Count() != b.LastDelta()+1:
		p.refuse(kerr.InvalidRecord, "%d records over %d offsets", b.Count(), b.LastDelta()+1)
		return
	case b.Codec() > codecZstd:
		p.refuse(kerr.InvalidRecord, "compression %d", b.Codec())
		return
	case b.Codec() == codecZstd && version < 7:
		p.refuse(kerr.UnsupportedCompressionType, "zstd in version %d, want 7", version)
		return
	}
	if id, _, sequence := b.Producer(); id >= 0 && sequence < 0 {
		p.refuse(kerr.InvalidRecord, "sequence %d of producer %d", sequence, id)
		return
	}
	if p.survey, err = c.checkRecords(b); err != nil {
		p.refuse(kerr.InvalidRecord, "%s", err)
		return
	}
	if err := config.Admit(b, p.survey, c.door.o.Clock.Now()); err != nil {
		p.refuse(errorOf(err), "%s", err)
	}
}

// checkRecords reads the records. A newest time that the batch does not tell rightly is set right: retention goes by it.
func (c *conn) checkRecords(b record.Batch) (record.Survey, error) {
	if b.AppendTime() {
		return record.Survey{}, errors.New("the log's time is not the client's to set")
	}
	if b.Codec() != 0 {
		c.door.inflating <- struct{}{}
		defer func() { <-c.door.inflating }()
	}
	found, err := b.Survey()
	if err == nil && found.Newest != b.MaxTimestamp() {
		b.SetMaxTimestamp(found.Newest)
	}
	return found, err
}

// answer waits for the log and says what became of the batch.
func (p *producing) answer(ctx context.Context) kmsg.ProduceResponseTopicPartition {
	out := kmsg.NewProduceResponseTopicPartition()
	out.Partition, out.BaseOffset = p.number, -1
	if p.wait != nil {
		appended, err := p.wait(ctx)
		if err != nil {
			p.refuse(errorOf(err), "%s", err)
		} else {
			out.BaseOffset = appended.Base
			if appended.Time != 0 {
				out.LogAppendTime = appended.Time
			}
		}
		out.LogStartOffset = p.at.LogStart()
	}
	if p.failed != nil {
		out.ErrorCode = p.failed.Code
		if p.message != "" {
			out.ErrorMessage = &p.message
		}
	}
	return out
}
