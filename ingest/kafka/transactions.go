package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/bus/txn"
	"tarn/embedded/guard"
	"tarn/embedded/record"
)

// txnError maps what the coordinator of transactions refuses. Who is fenced was told so by another code before KIP-588.
func txnError(err error, fenced *kerr.Error) int16 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, txn.ErrRequest):
		return kerr.InvalidRequest.Code
	case errors.Is(err, txn.ErrTimeout):
		return kerr.InvalidTransactionTimeout.Code
	case errors.Is(err, txn.ErrMapping):
		return kerr.InvalidProducerIDMapping.Code
	case errors.Is(err, txn.ErrFenced):
		return fenced.Code
	case errors.Is(err, txn.ErrConcurrent), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return kerr.ConcurrentTransactions.Code
	case errors.Is(err, txn.ErrState):
		return kerr.InvalidTxnState.Code
	case errors.Is(err, txn.ErrNotFound):
		return kerr.TransactionalIDNotFound.Code
	case errors.Is(err, txn.ErrUnavailable):
		return kerr.CoordinatorNotAvailable.Code
	}
	return kerr.UnknownServerError.Code
}

// pendingError maps what a group refuses of a transaction's offsets.
func pendingError(err error) int16 {
	if errors.Is(err, group.ErrNotFound) {
		return kerr.IllegalGeneration.Code
	}
	return groupCode(err)
}

// fencedFrom is how a client learns that it is fenced: by PRODUCER_FENCED from a version on.
func fencedFrom(version, from int16) *kerr.Error {
	if version < from {
		return kerr.InvalidProducerEpoch
	}
	return kerr.ProducerFenced
}

// The versions in which requests are of the second protocol of transactions (KIP-890).
const (
	secondProduce = 12
	secondCommit  = 5
	secondEnd     = 5
)

// The versions from which TRANSACTION_ABORTABLE may be told.
const (
	abortableProduce = 11
	abortableCommit  = 4
)

// enroll takes the partitions of transactional batches into their transaction, or looks whether they are in it, as the first protocol
// has it, where they do not know of it yet.
func (c *conn) enroll(ctx context.Context, req *kmsg.ProduceRequest, all [][]producing) {
	who := txn.Producer{ID: -1}
	var of []*producing
	topics := map[string][]int32{}
	for i := range all {
		for j := range all[i] {
			p := &all[i][j]
			if p.failed != nil || !p.batch.Transactional() {
				continue
			}
			if req.TransactionID == nil {
				p.refuse(kerr.TransactionalIDAuthorizationFailed, "a batch of a transaction in a request without a transactional id")
				continue
			}
			id, epoch, _ := p.batch.Producer()
			if one := (txn.Producer{ID: id, Epoch: epoch}); who.ID < 0 {
				who = one
			} else if who != one {
				p.refuse(kerr.InvalidProducerIDMapping, "batches of more than one producer in a request of a transaction")
				continue
			}
			if !p.at.Admitted(id, epoch) {
				of = append(of, p)
				topics[p.at.Topic().Name()] = append(topics[p.at.Topic().Name()], p.number)
			}
		}
	}
	if len(of) == 0 {
		return
	}
	var err error
	var has map[string][]int32
	if req.Version >= secondProduce {
		has, err = topics, c.door.o.Transactions.AddPartitions(ctx, *req.TransactionID, who, topics)
	} else {
		has, err = c.door.o.Transactions.Has(ctx, *req.TransactionID, who)
	}
	for _, p := range of {
		why := err
		if why == nil && !slices.Contains(has[p.at.Topic().Name()], p.number) {
			why = txn.ErrState
		}
		if why != nil {
			p.refuse(enrollError(why, req.Version), "transactional id %s: %s", *req.TransactionID, why)
		}
	}
}

// enrollError maps why a partition does not get into a transaction, or is not in it.
func enrollError(err error, version int16) *kerr.Error {
	switch code := txnError(err, kerr.InvalidProducerEpoch); {
	case code == kerr.InvalidTxnState.Code && version >= abortableProduce:
		return kerr.TransactionAbortable
	case code == kerr.ConcurrentTransactions.Code && version < secondProduce, code == kerr.CoordinatorNotAvailable.Code:
		return kerr.NotEnoughReplicas // which any producer tries again
	default:
		return kerr.TypedErrorForCode(code)
	}
}

func initProducerID(ctx context.Context, c *conn, req *kmsg.InitProducerIDRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.Version = req.Version
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	var p txn.Producer
	var err error
	switch {
	case (req.ProducerID < 0) != (req.ProducerEpoch < 0):
		err = txn.ErrRequest
	case req.TransactionalID == nil:
		p, err = c.door.o.Transactions.NewProducer(ctx)
	default:
		var want *txn.Producer
		if req.ProducerID >= 0 {
			want = &txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
		}
		p, err = c.door.o.Transactions.Init(ctx, *req.TransactionalID, time.Duration(req.TransactionTimeoutMillis)*time.Millisecond, want)
	}
	if resp.ErrorCode = txnError(err, fencedFrom(req.Version, 4)); err == nil {
		resp.ProducerID, resp.ProducerEpoch = p.ID, p.Epoch
	}
	return resp, nil
}

// adding is one transaction of an AddPartitionsToTxn.
type adding struct {
	id     string
	who    txn.Producer
	verify bool
	topics map[string][]int32
}

// add returns the error codes of the partitions: one that is not there keeps the others out.
func (c *conn) add(ctx context.Context, a adding, version int16) func(topic string, n int32) int16 {
	bad := map[string]int16{}
	for topic, numbers := range a.topics {
		t, err := c.door.o.Bus.Writable(topic)
		for _, n := range numbers {
			switch {
			case !c.may(guard.Write, topic, t):
				bad[fmt.Sprint(topic, n)] = kerr.TopicAuthorizationFailed.Code
			case err != nil:
				bad[fmt.Sprint(topic, n)] = kept(err).Code
			case n < 0 || int(n) >= len(t.Partitions()):
				bad[fmt.Sprint(topic, n)] = kerr.UnknownTopicOrPartition.Code
			}
		}
	}
	if len(bad) > 0 {
		return func(topic string, n int32) int16 {
			if code, ok := bad[fmt.Sprint(topic, n)]; ok {
				return code
			}
			return kerr.OperationNotAttempted.Code
		}
	}
	if a.verify {
		has, err := c.door.o.Transactions.Has(ctx, a.id, a.who)
		return func(topic string, n int32) int16 {
			if errors.Is(err, txn.ErrState) || err == nil && !slices.Contains(has[topic], n) {
				return kerr.TransactionAbortable.Code
			}
			return txnError(err, kerr.ProducerFenced)
		}
	}
	code := txnError(c.door.o.Transactions.AddPartitions(ctx, a.id, a.who, a.topics), fencedFrom(version, 2))
	return func(string, int32) int16 { return code }
}

func addPartitions(ctx context.Context, c *conn, req *kmsg.AddPartitionsToTxnRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	resp.Version = req.Version
	if req.Version < 4 {
		a := adding{id: req.TransactionalID, who: txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, topics: map[string][]int32{}}
		for _, t := range req.Topics {
			a.topics[t.Topic] = append(a.topics[t.Topic], t.Partitions...)
		}
		code := c.add(ctx, a, req.Version)
		for _, t := range req.Topics {
			out := kmsg.NewAddPartitionsToTxnResponseTopic()
			out.Topic = t.Topic
			for _, n := range t.Partitions {
				out.Partitions = append(out.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: n, ErrorCode: code(t.Topic, n)})
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil
	}
	for _, one := range req.Transactions {
		a := adding{id: one.TransactionalID, who: txn.Producer{ID: one.ProducerID, Epoch: one.ProducerEpoch}, verify: one.VerifyOnly, topics: map[string][]int32{}}
		for _, t := range one.Topics {
			a.topics[t.Topic] = append(a.topics[t.Topic], t.Partitions...)
		}
		code := c.add(ctx, a, req.Version)
		answer := kmsg.NewAddPartitionsToTxnResponseTransaction()
		answer.TransactionalID = one.TransactionalID
		for _, t := range one.Topics {
			out := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
			out.Topic = t.Topic
			for _, n := range t.Partitions {
				out.Partitions = append(out.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{Partition: n, ErrorCode: code(t.Topic, n)})
			}
			answer.Topics = append(answer.Topics, out)
		}
		resp.Transactions = append(resp.Transactions, answer)
	}
	return resp, nil
}

func addOffsets(ctx context.Context, c *conn, req *kmsg.AddOffsetsToTxnRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrAddOffsetsToTxnResponse()
	resp.Version = req.Version
	err := c.door.o.Transactions.AddGroup(ctx, req.TransactionalID, txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, req.Group)
	resp.ErrorCode = txnError(err, fencedFrom(req.Version, 2))
	return resp, nil
}

func endTxn(ctx context.Context, c *conn, req *kmsg.EndTxnRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrEndTxnResponse()
	resp.Version = req.Version
	who := txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	var err error
	if req.Version < secondEnd {
		err = c.door.o.Transactions.End(ctx, req.TransactionalID, who, req.Commit)
	} else if who, err = c.door.o.Transactions.EndAndBump(ctx, req.TransactionalID, who, req.Commit); err == nil {
		resp.ProducerID, resp.ProducerEpoch = who.ID, who.Epoch
	}
	resp.ErrorCode = txnError(err, fencedFrom(req.Version, 2))
	return resp, nil
}

func txnOffsetCommit(ctx context.Context, c *conn, req *kmsg.TxnOffsetCommitRequest) (kmsg.Response, error) {
	who := txn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	r := group.Commit{Beat: group.Beat{Group: req.Group, Member: req.MemberID, Generation: req.Generation}}
	if req.Version < 3 {
		r.Member, r.Generation = "", -1
	}
	if req.InstanceID != nil {
		r.Instance = *req.InstanceID
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			o := group.Offset{Partition: group.Partition{Topic: t.Topic, Number: p.Partition}, At: p.Offset, LeaderEpoch: p.LeaderEpoch}
			if p.Metadata != nil {
				o.Metadata = *p.Metadata
			}
			r.Offsets = append(r.Offsets, o)
		}
	}
	var errs []error
	var refused error
	err := c.door.o.Transactions.Commit(ctx, req.TransactionalID, who, req.Group, req.Version >= secondCommit, func() error {
		errs, refused = c.door.o.Groups.CommitPending(ctx, req.ProducerID, r)
		return nil
	})
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	resp.Version = req.Version
	n := 0
	for _, t := range req.Topics {
		out := kmsg.NewTxnOffsetCommitResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			code := txnError(err, kerr.InvalidProducerEpoch)
			switch {
			case errors.Is(err, txn.ErrState) && req.Version >= abortableCommit:
				code = kerr.TransactionAbortable.Code
			case err != nil:
			case refused != nil:
				code = pendingError(refused)
			case n < len(errs):
				code = pendingError(errs[n])
			}
			n++
			out.Partitions = append(out.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// writeMarkers ends a transaction that its coordinator no longer knows, as kafka-transactions.sh abort asks for.
func writeMarkers(ctx context.Context, c *conn, req *kmsg.WriteTxnMarkersRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrWriteTxnMarkersResponse()
	resp.Version = req.Version
	for _, m := range req.Markers {
		marker := kmsg.NewWriteTxnMarkersResponseMarker()
		marker.ProducerID = m.ProducerID
		for _, t := range m.Topics {
			out := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			out.Topic = t.Topic
			topic, err := c.door.o.Bus.Topic(t.Topic)
			for _, n := range t.Partitions {
				part := kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: n}
				switch {
				case !c.may(guard.Write, t.Topic, topic):
					part.ErrorCode = kerr.TopicAuthorizationFailed.Code
				case bus.Own(t.Topic):
					part.ErrorCode = kerr.InvalidTopicException.Code
				case err != nil || n < 0 || int(n) >= len(topic.Partitions()):
					part.ErrorCode = kerr.UnknownTopicOrPartition.Code
				case topic.Config().Source != "" || topic.Config().Keyed:
					part.ErrorCode = kerr.PolicyViolation.Code
				case m.CoordinatorEpoch > 0: // Tarn's own, 0, would be fenced in the partition
					part.ErrorCode = kerr.TransactionCoordinatorFenced.Code
				default:
					_, err := topic.Partitions()[n].AppendMarker(ctx, record.Marker{Producer: m.ProducerID, Epoch: m.ProducerEpoch, Coordinator: m.CoordinatorEpoch, Commit: m.Committed})
					if err != nil {
						part.ErrorCode = errorOf(err).Code
					}
				}
				out.Partitions = append(out.Partitions, part)
			}
			marker.Topics = append(marker.Topics, out)
		}
		resp.Markers = append(resp.Markers, marker)
	}
	return resp, nil
}
