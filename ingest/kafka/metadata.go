package kafka

import (
	"context"
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
)

// leaderEpoch is that of every partition: there is one leader, for ever.
const leaderEpoch = 0

// operations are the bits of what a principal may do (KIP-430), by the guard's actions; to read includes to describe.
var operations = []struct {
	action guard.Action
	bits   int32
}{
	{guard.Read, 1<<3 | 1<<8 | 1<<10},
	{guard.Write, 1 << 4},
	{guard.Create, 1 << 5},
	{guard.Drop, 1 << 6},
	{guard.Alter, 1<<7 | 1<<11},
}

// clusterOperations are the bits of what may be done to a cluster: nobody is kept from it yet.
const clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12

// may asks the guard for a topic that is there, or not yet.
func (c *conn) may(a guard.Action, name string, t *bus.Topic) bool {
	what := guard.Resource{Kind: guard.Topic, Path: []string{name}}
	if t != nil {
		what.ID = t.Config().ID
	}
	return c.door.o.Guard.Decide(c.who, a, what).Allow
}

// describes tells whether a topic may be known of.
func (c *conn) describes(name string, t *bus.Topic) bool {
	return c.may(guard.Read, name, t) || c.may(guard.Write, name, t)
}

// host is the address that the client has called, which reaches the broker.
func (c *conn) host() (string, int32) {
	at, ok := c.net.LocalAddr().(*net.TCPAddr)
	if !ok {
		return "127.0.0.1", 0
	}
	return at.IP.String(), int32(at.Port) //nolint:gosec // 16 bits
}

func metadata(ctx context.Context, c *conn, req *kmsg.MetadataRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = req.Version
	broker := kmsg.NewMetadataResponseBroker()
	broker.NodeID = nodeID
	broker.Host, broker.Port = c.host()
	resp.Brokers, resp.ControllerID, resp.ClusterID = append(resp.Brokers, broker), nodeID, &c.door.cluster
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range c.door.o.Bus.Topics() {
			if c.describes(t.Name(), t) {
				resp.Topics = append(resp.Topics, c.topicMetadata(t, req.IncludeTopicAuthorizedOperations))
			}
		}
		return resp, nil
	}
	create := req.AllowAutoTopicCreation || req.Version < 4
	type name struct {
		name  string
		named bool
		id    [16]byte
	}
	for _, wanted := range once(req.Topics, func(t *kmsg.MetadataRequestTopic) name { return name{text(t.Topic), t.Topic != nil, t.TopicID} }) {
		t, failed := c.wantedTopic(ctx, wanted, create)
		if failed != nil {
			m := kmsg.NewMetadataResponseTopic()
			m.Topic, m.TopicID, m.ErrorCode = wanted.Topic, wanted.TopicID, failed.Code
			if m.Topic == nil && req.Version < 12 {
				m.Topic = new("")
			}
			resp.Topics = append(resp.Topics, m)
			continue
		}
		resp.Topics = append(resp.Topics, c.topicMetadata(t, req.IncludeTopicAuthorizedOperations))
	}
	return resp, nil
}

func (c *conn) topicMetadata(t *bus.Topic, operating bool) kmsg.MetadataResponseTopic {
	m := kmsg.NewMetadataResponseTopic()
	name := t.Name()
	m.Topic, m.TopicID = &name, t.ID()
	one := []int32{nodeID} // shared: nobody changes it
	for _, p := range t.Partitions() {
		part := kmsg.NewMetadataResponseTopicPartition()
		part.Partition, part.Leader, part.LeaderEpoch, part.Replicas, part.ISR = p.Number(), nodeID, leaderEpoch, one, one
		m.Partitions = append(m.Partitions, part)
	}
	if operating {
		m.AuthorizedOperations = c.topicOperations(t)
	}
	return m
}

// topicOperations are the bits of what the principal may do to a topic.
func (c *conn) topicOperations(t *bus.Topic) (bits int32) {
	for _, o := range operations {
		if c.may(o.action, t.Name(), t) {
			bits |= o.bits
		}
	}
	return bits
}

// wantedTopic finds a topic by name or id, or makes it where that is asked for.
func (c *conn) wantedTopic(ctx context.Context, wanted kmsg.MetadataRequestTopic, create bool) (*bus.Topic, *kerr.Error) {
	if wanted.Topic == nil {
		t, err := c.door.o.Bus.TopicOf(wanted.TopicID)
		if err != nil || !c.describes(t.Name(), t) {
			return nil, kerr.UnknownTopicID
		}
		return t, nil
	}
	name := *wanted.Topic
	t, err := c.door.o.Bus.Topic(name)
	if !c.describes(name, t) {
		return nil, kerr.TopicAuthorizationFailed
	}
	if err == nil {
		return t, nil
	}
	if bus.CheckName(name) != nil {
		return nil, kerr.InvalidTopicException
	}
	if !create || bus.Own(name) {
		return nil, kerr.UnknownTopicOrPartition
	}
	if !c.may(guard.Create, name, nil) {
		return nil, kerr.TopicAuthorizationFailed
	}
	if len(c.door.o.Bus.Topics()) >= bus.TopicsMax {
		return nil, kerr.PolicyViolation
	}
	if t, err = c.door.o.Bus.CreateTopic(ctx, name, bus.TopicConfig{Partitions: 1}); err != nil {
		c.log.Warn("topic is not made", "topic", name, "error", err)
		return nil, errorOf(err)
	}
	return t, nil
}

// kept is Kafka's error for a topic that is not the client's to make, change or write, as the bus says.
func kept(err error) *kerr.Error {
	switch fault.CodeOf(err) {
	case fault.Exists:
		return kerr.TopicAlreadyExists
	case fault.Denied, fault.Invalid:
		return kerr.InvalidTopicException
	case fault.NotFound:
		return kerr.UnknownTopicOrPartition
	}
	return kerr.PolicyViolation
}

// errorOf is what the bus said, in Kafka's words.
func errorOf(err error) *kerr.Error {
	switch {
	case errors.Is(err, bus.ErrNoTopic):
		return kerr.UnknownTopicOrPartition
	case errors.Is(err, bus.ErrOutOfRange):
		return kerr.OffsetOutOfRange
	case errors.Is(err, bus.ErrSequence):
		return kerr.OutOfOrderSequenceNumber
	case errors.Is(err, bus.ErrEpoch):
		return kerr.InvalidProducerEpoch
	case errors.Is(err, bus.ErrTransaction):
		return kerr.InvalidTxnState
	case errors.Is(err, bus.ErrCoordinator):
		return kerr.TransactionCoordinatorFenced
	case errors.Is(err, bus.ErrBatchTooLarge):
		return kerr.MessageTooLarge
	case errors.Is(err, bus.ErrTimestamp):
		return kerr.InvalidTimestamp
	case errors.Is(err, bus.ErrNoKey), errors.Is(err, bus.ErrProducer):
		return kerr.InvalidRecord
	case errors.Is(err, record.ErrCorrupt), errors.Is(err, record.ErrShort):
		return kerr.CorruptMessage
	case fault.Full(err):
		return kerr.KafkaStorageError
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return kerr.RequestTimedOut
	case errors.Is(err, bus.ErrRetry):
		return kerr.NotEnoughReplicasAfterAppend // retriable, and says that it may be in the log
	}
	switch fault.CodeOf(err) {
	case fault.NoSpace, fault.Unavailable, fault.Damaged:
		return kerr.KafkaStorageError
	case fault.TooLarge:
		return kerr.RecordListTooLarge
	case fault.Invalid:
		return kerr.InvalidRequest
	}
	return kerr.UnknownServerError
}
