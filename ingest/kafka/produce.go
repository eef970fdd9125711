package kafka

import (
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
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
