//go:build duckdb_arrow

package histories_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keysMax is how few keys there are, so that there is something to compact.
const keysMax = 9

// next is another record of a producer.
func next(r *rand.Rand, producer string, n int, at place, t *txn) *sent {
	return &sent{
		id: fmt.Sprintf("%s#%d", producer, n), producer: producer, n: n, at: at,
		key: fmt.Sprintf("k%d", r.IntN(keysMax)), tombstone: r.IntN(6) == 0, txn: t,
	}
}

// idempotent is franz-go's producer: several requests on their way, each sent again over kills until it is answered. Some
// end in the middle of it.
func (h *history) idempotent(ctx context.Context, name string, r *rand.Rand) error {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(h.door.address), kgo.DialTimeout(time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(pick(r, codecs...)), kgo.ProducerLinger(pick(r, 0, time.Millisecond, 5*time.Millisecond)),
		kgo.RetryBackoffFn(func(int) time.Duration { return retryPause }), kgo.MetadataMinAge(10*time.Millisecond), kgo.AlwaysRetryEOF(),
	)
	if err != nil {
		return err
	}
	defer cl.Close()
	places, dies, n := h.places(), r.IntN(6) == 0, 0
	for bursts := 20 + r.IntN(40); bursts > 0 || !dies && h.busy(); bursts-- {
		for range 1 + r.IntN(8) {
			n++
			s := next(r, name, n, pick(r, places...), nil)
			h.model.sends(s)
			cl.Produce(ctx, &kgo.Record{
				Topic: s.at.topic, Partition: s.at.partition, Key: []byte(s.key), Value: s.value(), Headers: []kgo.RecordHeader{{Key: idHeader, Value: []byte(s.id)}},
			}, func(out *kgo.Record, err error) {
				switch {
				case err == nil:
					h.model.acked(s.id, out.Offset)
				case !errors.Is(err, kgo.ErrClientClosed) && ctx.Err() == nil:
					h.model.fails("%s to %s is not acknowledged: %v", s.id, s.at, err)
				}
			})
		}
		pause(ctx, r, 60*time.Millisecond)
	}
	h.model.did("%s sent %d records, dies: %v", name, n, dies)
	if dies {
		return nil
	}
	return cl.Flush(ctx)
}

// transactor is a transactional producer that speaks the protocol itself: it sends batches twice, leaves out sequences,
// dies, comes back, and goes on as who it was before.
type transactor struct {
	h      *history
	id     string
	r      *rand.Rand
	second bool // KIP-890's second protocol: batches begin a transaction, and its end gives the next epoch
	asker

	producer  int64
	epoch     int16
	sequences map[place]int32
	added     map[place]bool
	open      *txn
	sent      int
	txns      int
	staged    int64
}

const (
	longTimeout  = 10 * time.Minute
	shortTimeout = time.Second
)

func (h *history) transactor(id string, r *rand.Rand) (*transactor, error) {
	second := r.IntN(2) == 0
	a, err := newAsker(h.door.address, second)
	return &transactor{h: h, id: id, r: r, second: second, asker: a}, err
}

// begin takes the id, which ends what was open under it.
func (x *transactor) begin(ctx context.Context, timeout time.Duration) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &x.id, int32(timeout.Milliseconds()) //nolint:gosec // minutes
	resp, _, err := ask(ctx, x.asker, req, func(r *kmsg.InitProducerIDResponse) int16 { return r.ErrorCode })
	if err != nil {
		return fmt.Errorf("%s begins: %w", x.id, err)
	}
	x.producer, x.epoch, x.sequences, x.added = resp.ProducerID, resp.ProducerEpoch, map[place]int32{}, map[place]bool{}
	x.h.model.abandons(x.open)
	x.open = nil
	x.h.model.did("%s is producer %d epoch %d", x.id, x.producer, x.epoch)
	return nil
}

// round leads some transactions; the last may stay open.
func (x *transactor) round(ctx context.Context) error {
	if x.sequences == nil {
		if err := x.begin(ctx, longTimeout); err != nil {
			return err
		}
	}
	for h := x.h; h.busy() && !h.model.faulty(); pause(ctx, x.r, 80*time.Millisecond) {
		if err := x.transaction(ctx, 1+x.r.IntN(4)); err != nil {
			return err
		}
		how := x.r.IntN(20)
		var err error
		switch {
		case how < 9:
			err = x.end(ctx, true)
		case how < 13:
			err = x.end(ctx, false)
		case how < 15:
			err = x.dies(ctx)
		case how < 17:
			err = x.diesInCommit(ctx)
		case how < 18:
			err = x.timesOut(ctx)
		default: // goes on in the same one
		}
		if err != nil {
			return err
		}
	}
	if x.open != nil && x.r.IntN(2) == 0 {
		return x.end(ctx, x.r.IntN(2) == 0)
	}
	return nil
}

// transaction adds to the open transaction, or begins one.
func (x *transactor) transaction(ctx context.Context, batches int) error {
	if x.open == nil {
		x.txns++
		x.open = x.h.model.begins(fmt.Sprintf("%s/%d", x.id, x.txns))
		x.added = map[place]bool{}
	}
	for range batches {
		if err := x.produce(ctx, pick(x.r, x.h.places()...)); err != nil {
			return err
		}
	}
	if x.r.IntN(3) == 0 {
		return x.stage(ctx)
	}
	return nil
}

func (x *transactor) add(ctx context.Context, p place) error {
	if x.added[p] || x.second {
		x.added[p] = true
		return nil
	}
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = x.id, x.producer, x.epoch
	req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: p.topic, Partitions: []int32{p.partition}}}
	_, _, err := ask(ctx, x.asker, req, func(r *kmsg.AddPartitionsToTxnResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	if err != nil {
		return fmt.Errorf("%s adds %s: %w", x.id, p, err)
	}
	x.added[p] = true
	return nil
}

// batch is the next of a partition, as a produce request.
func (x *transactor) batch(p place, sequence int32) (records []*sent, req *kmsg.ProduceRequest, err error) {
	for range 1 + x.r.IntN(4) {
		x.sent++
		s := next(x.r, x.id, x.sent, p, x.open)
		x.h.model.sends(s)
		records = append(records, s)
	}
	text, err := packed(records, pick(x.r, codecs...), time.Now().UnixMilli(), x.producer, x.epoch, sequence)
	req = kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis = &x.id, -1, int32(answerWithin.Milliseconds())
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: p.topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: p.partition, Records: text}}}}
	return records, req, err
}

func produced(r *kmsg.ProduceResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode }

// produce sends a batch until it is acknowledged, some twice, and some that leave out sequences and must be refused.
func (x *transactor) produce(ctx context.Context, p place) error {
	if err := x.add(ctx, p); err != nil {
		return err
	}
	if x.sequences[p] > 0 && x.r.IntN(12) == 0 {
		if err := x.refused(ctx, p, x.sequences[p]+7, "leaves out sequences"); err != nil {
			return err
		}
	}
	records, req, err := x.batch(p, x.sequences[p])
	if err != nil {
		return err
	}
	resp, _, err := ask(ctx, x.asker, req, produced)
	if err != nil {
		return fmt.Errorf("%s produces %s to %s: %w", x.id, records[0].id, p, err)
	}
	base := resp.Topics[0].Partitions[0].BaseOffset
	for i, s := range records {
		x.h.model.acked(s.id, base+int64(i))
	}
	x.sequences[p] += int32(len(records)) //nolint:gosec // a few
	if x.r.IntN(5) > 0 {
		return nil
	}
	again, _, err := ask(ctx, x.asker, req, produced)
	if err != nil {
		return fmt.Errorf("%s produces %s to %s again: %w", x.id, records[0].id, p, err)
	}
	if told := again.Topics[0].Partitions[0].BaseOffset; told != base {
		x.h.model.fails("%s sent a batch again that is at %s offset %d, and was told %d", x.id, p, base, told)
	}
	return nil
}

// refused sends a batch that must not get in.
func (x *transactor) refused(ctx context.Context, p place, sequence int32, why string) error {
	records, req, err := x.batch(p, sequence)
	if err != nil {
		return err
	}
	resp, _, err := ask(ctx, x.asker, req, produced)
	if resp == nil {
		return err
	}
	if err == nil {
		x.h.model.fails("%s %s, and %s is acknowledged at %s offset %d", x.id, why, records[0].id, p, resp.Topics[0].Partitions[0].BaseOffset)
		return nil
	}
	for _, s := range records {
		x.h.model.refuses(s.id)
	}
	return nil
}

// group is the one that this producer's transactions commit for.
func (x *transactor) group() string { return "of-" + x.id }

// stage commits an offset with the transaction, each above the one before.
func (x *transactor) stage(ctx context.Context) error {
	if !x.second {
		in := kmsg.NewPtrAddOffsetsToTxnRequest()
		in.TransactionalID, in.ProducerID, in.ProducerEpoch, in.Group = x.id, x.producer, x.epoch, x.group()
		if _, _, err := ask(ctx, x.asker, in, func(r *kmsg.AddOffsetsToTxnResponse) int16 { return r.ErrorCode }); err != nil {
			return fmt.Errorf("%s adds its group: %w", x.id, err)
		}
	}
	x.staged += 1 + x.r.Int64N(5)
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = x.id, x.producer, x.epoch, x.group(), -1
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = offsetsOf.partition, x.staged
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: offsetsOf.topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	_, _, err := ask(ctx, x.asker, req, func(r *kmsg.TxnOffsetCommitResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	if err != nil {
		return fmt.Errorf("%s commits an offset: %w", x.id, err)
	}
	x.h.model.stages(x.group(), x.staged, x.open)
	return nil
}

func (x *transactor) ending(commit bool) *kmsg.EndTxnRequest {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = x.id, x.producer, x.epoch, commit
	return req
}

func endedWith(r *kmsg.EndTxnResponse) int16 { return r.ErrorCode }

// end commits or aborts.
func (x *transactor) end(ctx context.Context, commit bool) error {
	how := aborted
	if commit {
		how = committed
		x.h.model.ends(x.open, unsure)
	}
	resp, _, err := ask(ctx, x.asker, x.ending(commit), endedWith)
	if err != nil {
		return fmt.Errorf("%s ends %s: %w", x.id, x.open.name, err)
	}
	if x.second {
		x.producer, x.epoch, x.sequences = resp.ProducerID, resp.ProducerEpoch, map[place]int32{}
	}
	x.h.model.ends(x.open, how)
	x.open = nil
	return nil
}

// dies leaves the transaction open and comes back; who it was before is shut out.
func (x *transactor) dies(ctx context.Context) error {
	was := *x
	if err := x.begin(ctx, longTimeout); err != nil {
		return err
	}
	was.open = x.h.model.begins(was.open.name + " after its end")
	x.h.model.ends(was.open, aborted)
	for p := range was.added {
		if err := was.refused(ctx, p, was.sequences[p], "was fenced"); err != nil {
			return err
		}
	}
	x.sent = was.sent
	if resp, _, err := ask(ctx, x.asker, was.ending(true), endedWith); err == nil && resp != nil {
		x.h.model.fails("%s epoch %d was fenced, and its commit is acknowledged", x.id, was.epoch)
	}
	return ctx.Err()
}

// diesInCommit asks for a commit, does not wait for the answer, and comes back: all of it is committed, or nothing.
func (x *transactor) diesInCommit(ctx context.Context) error {
	x.h.model.ends(x.open, unsure)
	short, cancel := context.WithTimeout(ctx, time.Duration(x.r.Int64N(int64(6*time.Millisecond))))
	_, err := x.once(short, x.ending(true))
	cancel()
	x.h.model.did("%s asked for the commit of %s: %v", x.id, x.open.name, err)
	return x.begin(ctx, longTimeout)
}

// timesOut leaves the transaction to the coordinator, which aborts it.
func (x *transactor) timesOut(ctx context.Context) error {
	if err := x.end(ctx, true); err != nil {
		return err
	}
	if err := x.begin(ctx, shortTimeout); err != nil {
		return err
	}
	if err := x.transaction(ctx, 1); err != nil && !fenced(err) { // it may be over by then
		return err
	}
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{x.id}
	for ctx.Err() == nil {
		resp, _, err := ask(ctx, x.asker, req, func(r *kmsg.DescribeTransactionsResponse) int16 { return r.TransactionStates[0].ErrorCode })
		if err != nil {
			return fmt.Errorf("describe %s: %w", x.id, err)
		}
		if state := resp.TransactionStates[0].State; state == "CompleteAbort" || state == "Empty" {
			break
		}
		pause(ctx, x.r, 2*retryPause)
	}
	x.h.model.ends(x.open, aborted)
	for p := range x.added {
		if err := x.refused(ctx, p, x.sequences[p], "has timed out"); err != nil {
			return err
		}
	}
	return x.begin(ctx, longTimeout)
}

// fenced tells whether a producer is told that it is over.
func fenced(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidTxnState)
}
