package kafka

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/bus/txn"
)

func describeProducers(ctx context.Context, c *conn, req *kmsg.DescribeProducersRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeProducersResponse()
	resp.Version = req.Version
	for _, t := range once(req.Topics, func(t *kmsg.DescribeProducersRequestTopic) string { return t.Topic }) {
		out := kmsg.NewDescribeProducersResponseTopic()
		out.Topic = t.Topic
		for _, n := range once(t.Partitions, itself) {
			part := kmsg.NewDescribeProducersResponseTopicPartition()
			part.Partition = n
			p, failed := c.readable(t.Topic, n, -1)
			if failed != nil {
				part.ErrorCode = failed.Code
			} else {
				part.ActiveProducers = active(p)
			}
			if full := c.takes(ctx, elementBytes*(1+len(part.ActiveProducers))); full != nil {
				part.ErrorCode, part.ErrorMessage, part.ActiveProducers = full.code, &full.text, nil
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

func active(p *bus.Partition) (out []kmsg.DescribeProducersResponseTopicPartitionActiveProducer) {
	for _, one := range p.Producers() {
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch, a.LastSequence, a.LastTimestamp = one.ID, int32(one.Epoch), one.LastSequence, one.At.UnixMilli()
		a.CoordinatorEpoch, a.CurrentTxnStartOffset = one.Coordinator, one.Open
		out = append(out, a)
	}
	return out
}

func describeTransactions(ctx context.Context, c *conn, req *kmsg.DescribeTransactionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeTransactionsResponse()
	resp.Version = req.Version
	for _, id := range once(req.TransactionalIDs, itself) {
		out := kmsg.NewDescribeTransactionsResponseTransactionState()
		out.TransactionalID = id
		t, err := c.door.o.Transactions.Describe(id)
		if out.ErrorCode = txnError(err, kerr.ProducerFenced); err == nil {
			out.State, out.ProducerID, out.ProducerEpoch = string(t.State), t.Producer, t.Epoch
			out.TimeoutMillis = int32(t.Timeout.Milliseconds()) //nolint:gosec // bounded by txn.TimeoutMax
			if out.StartTimestamp = -1; t.Started > 0 {
				out.StartTimestamp = t.Started
			}
			for topic, numbers := range t.Partitions {
				one := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
				one.Topic, one.Partitions = topic, numbers
				out.Topics = append(out.Topics, one)
			}
		}
		size := elementBytes + len(id)
		for _, t := range out.Topics {
			size += elementBytes + len(t.Topic) + 4*len(t.Partitions)
		}
		if full := c.takes(ctx, size); full != nil {
			out = kmsg.NewDescribeTransactionsResponseTransactionState()
			out.TransactionalID, out.ErrorCode = id, full.code
		}
		resp.TransactionStates = append(resp.TransactionStates, out)
	}
	return resp, nil
}

func listTransactions(ctx context.Context, c *conn, req *kmsg.ListTransactionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrListTransactionsResponse()
	resp.Version = req.Version
	known := []txn.State{txn.Empty, txn.Ongoing, txn.PrepareCommit, txn.PrepareAbort, txn.CompleteCommit, txn.CompleteAbort}
	for _, s := range req.StateFilters {
		if !slices.Contains(known, txn.State(s)) {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, s)
		}
	}
	now := c.door.o.Clock.Now().UnixMilli()
	for _, t := range c.door.o.Transactions.List() {
		switch {
		case len(req.StateFilters) > 0 && !slices.Contains(req.StateFilters, string(t.State)),
			len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, t.Producer),
			req.Version >= 1 && req.DurationFilterMillis >= 0 && (t.Started == 0 || now-t.Started <= req.DurationFilterMillis):
			continue
		}
		if full := c.takes(ctx, elementBytes+len(t.ID)); full != nil {
			resp.ErrorCode, resp.TransactionStates = full.code, nil
			break
		}
		one := kmsg.NewListTransactionsResponseTransactionState()
		one.TransactionalID, one.ProducerID, one.TransactionState = t.ID, t.Producer, string(t.State)
		resp.TransactionStates = append(resp.TransactionStates, one)
	}
	return resp, nil
}
