package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/guard"
)

// The times of ListOffsets that are none.
const (
	timeLatest        = -1
	timeEarliest      = -2
	timeNewest        = -3 // the record of the newest timestamp (KIP-734)
	timeEarliestLocal = -4 // nothing is elsewhere (KIP-405)
	timeLatestTiered  = -5 // there is none (KIP-1005)
	timeNotUploaded   = -6 // all (KIP-1023)
)

// searchMax bounds how long a search by time may take.
const searchMax = 30 * time.Second

// committed is the isolation level read_committed.
const committed = 1

// readable is a partition that the client may read.
func (c *conn) readable(topic string, number, epoch int32) (*bus.Partition, *kerr.Error) {
	t, err := c.door.o.Bus.Topic(topic)
	switch {
	case !c.may(guard.Read, topic, t):
		return nil, kerr.TopicAuthorizationFailed
	case err != nil || number < 0 || int(number) >= len(t.Partitions()):
		return nil, kerr.UnknownTopicOrPartition
	case epoch > leaderEpoch:
		return nil, kerr.UnknownLeaderEpoch
	}
	return t.Partitions()[number], nil
}

func listOffsets(ctx context.Context, c *conn, req *kmsg.ListOffsetsRequest) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, searchMax)
	defer cancel()
	resp := kmsg.NewPtrListOffsetsResponse()
	resp.Version = req.Version
	for _, t := range req.Topics {
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewListOffsetsResponseTopicPartition()
			part.Partition, part.Offset, part.Timestamp = p.Partition, -1, -1
			at, failed := c.readable(t.Topic, p.Partition, p.CurrentLeaderEpoch)
			if failed == nil {
				failed = list(ctx, at, req, p.Timestamp, &part)
			}
			if failed != nil {
				part.ErrorCode = failed.Code
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// list finds the offset of a time.
func list(ctx context.Context, p *bus.Partition, req *kmsg.ListOffsetsRequest, at int64, out *kmsg.ListOffsetsResponseTopicPartition) *kerr.Error {
	end := p.Written()
	if req.IsolationLevel == committed {
		end = p.Stable()
	}
	found := func(offset, timestamp int64, ok bool, err error) *kerr.Error {
		if err != nil {
			return errorOf(err)
		}
		if ok && offset < end {
			out.Offset, out.Timestamp, out.LeaderEpoch = offset, timestamp, leaderEpoch
		}
		return nil
	}
	switch {
	case at == timeLatest:
		out.Offset, out.LeaderEpoch = end, leaderEpoch
	case at == timeEarliest, at == timeEarliestLocal && req.Version >= 8, at == timeNotUploaded && req.Version >= 11:
		out.Offset, out.LeaderEpoch = p.LogStart(), leaderEpoch
	case at == timeNewest && req.Version >= 7:
		return found(p.Newest(ctx))
	case at == timeLatestTiered && req.Version >= 9:
	case at < 0:
		return kerr.UnsupportedVersion
	default:
		return found(p.Since(ctx, at))
	}
	return nil
}
