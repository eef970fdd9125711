//go:build duckdb_arrow

package kafka_test

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func beginning(id string) *kmsg.InitProducerIDRequest {
	r := kmsg.NewPtrInitProducerIDRequest()
	r.TransactionTimeoutMillis = 10_000
	if id != "" {
		r.TransactionalID = &id
	}
	return r
}

// transactional is a producer with an id of its own, once the coordinator is there.
func (d *dialogue) transactional(name string) (id string, producer int64, epoch int16) {
	id = d.run + name
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorType, find.CoordinatorKey = 1, id
	d.settle(find, 3)
	for range 1000 {
		got := d.do(beginning(id), 4).(*kmsg.InitProducerIDResponse) //nolint:forcetypeassert // the answer to the request
		if got.ErrorCode == 0 {
			return id, got.ProducerID, got.ProducerEpoch
		}
	}
	d.fail("no producer id")
	return "", 0, 0
}

func initProducerID(d *dialogue) {
	d.ask("an idempotent producer", beginning(""))
	d.transactional("warm")
	d.ask("a transactional one", beginning(d.run+"t"))
	d.ask("it comes back", beginning(d.run+"t"))
	r := beginning(d.run + "t")
	r.TransactionTimeoutMillis = 0
	d.ask("no timeout", r)
	r.TransactionTimeoutMillis = 1 << 30
	d.ask("a timeout too long", r)
	empty := ""
	r = beginning("")
	r.TransactionalID = &empty
	d.ask("an id without letters", r)
	if d.version >= 3 {
		r = beginning(d.run + "t")
		r.ProducerID, r.ProducerEpoch = 123456, 0
		d.ask("of another producer", r)
		topic, _ := d.topic("one", 1)
		id, producer, epoch := d.transactional("u")
		d.do(adding(id, producer, epoch, topic, 0), 3)
		d.do(ending(id, producer, epoch, true), 5)
		d.ended(id)
		r = beginning(id)
		r.ProducerID, r.ProducerEpoch = producer, epoch
		d.ask("that recovers, and does not know of its end", r)
		r.ProducerEpoch = epoch + 1
		d.ask("that recovers", r)
		d.ask("and again", r)
		r.ProducerEpoch = epoch
		d.ask("by an epoch of long ago", r)
	}
}

func adding(id string, producer int64, epoch int16, topic string, partition int32) *kmsg.AddPartitionsToTxnRequest {
	r := kmsg.NewPtrAddPartitionsToTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch = id, producer, epoch
	t := kmsg.NewAddPartitionsToTxnRequestTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	r.Topics = append(r.Topics, t)
	return r
}

func addPartitions(d *dialogue) {
	topic, _ := d.topic("one", 2)
	id, producer, epoch := d.transactional("t")
	if d.version >= 4 { // brokers ask each other so
		of := func(id string, producer int64, epoch int16, verify bool, partition int32) *kmsg.AddPartitionsToTxnRequest {
			t := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
			t.Topic, t.Partitions = topic, []int32{partition}
			one := kmsg.NewAddPartitionsToTxnRequestTransaction()
			one.TransactionalID, one.ProducerID, one.ProducerEpoch, one.VerifyOnly = id, producer, epoch, verify
			one.Topics = append(one.Topics, t)
			r := kmsg.NewPtrAddPartitionsToTxnRequest()
			r.Transactions = append(r.Transactions, one)
			return r
		}
		d.ask("is one in, of none", of(id, producer, epoch, true, 0))
		d.ask("one", of(id, producer, epoch, false, 0))
		d.ask("is it in", of(id, producer, epoch, true, 0))
		d.ask("is another in", of(id, producer, epoch, true, 1))
		d.ask("is one in of another epoch", of(id, producer, epoch+1, true, 0))
		d.ask("one of another epoch", of(id, producer, epoch+1, false, 0))
		d.ask("is one in of another producer", of(id, producer+1000, epoch, true, 0))
		d.ask("is one in of an id that is not there", of(d.run+"missing", producer, epoch, true, 0))
		return
	}
	d.ask("one", adding(id, producer, epoch, topic, 0))
	d.ask("again", adding(id, producer, epoch, topic, 0))
	d.ask("a partition that is not there", adding(id, producer, epoch, topic, 5))
	d.ask("another epoch", adding(id, producer, epoch+1, topic, 0))
	d.ask("another producer", adding(id, producer+1000, epoch, topic, 0))
	d.ask("an id that is not there", adding(d.run+"missing", producer, epoch, topic, 0))
}

func ending(id string, producer int64, epoch int16, commit bool) *kmsg.EndTxnRequest {
	r := kmsg.NewPtrEndTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = id, producer, epoch, commit
	return r
}

// ended waits until a transaction's markers are written: Kafka answers before.
func (d *dialogue) ended(id string) {
	r := kmsg.NewPtrDescribeTransactionsRequest()
	r.TransactionalIDs = []string{id}
	for range 10_000 {
		state := d.do(r, 0).(*kmsg.DescribeTransactionsResponse).TransactionStates[0].State //nolint:forcetypeassert // the answer to the request
		if !strings.HasPrefix(state, "Prepare") {
			return
		}
	}
	d.fail("%s does not end", id)
}

// inTransaction makes a batch one of a transaction.
func inTransaction(b []byte) []byte {
	const attributesAt, transactional = 22, 1 << 4
	b[attributesAt] |= transactional
	return sealed(b)
}

// produceInTransaction sends batches of transactions: from version 12 on they begin one (KIP-890).
func produceInTransaction(d *dialogue) {
	topic, topicID := d.topic("one", 2)
	id, producer, epoch := d.transactional("t")
	to := func(id string, partition int32, producer int64, epoch int16, sequence int32) *kmsg.ProduceRequest {
		r := produceTo(topic, topicID, partition, inTransaction(batch(1, at, producer, epoch, sequence)))
		if id != "" {
			r.TransactionID = &id
		}
		return r
	}
	d.ask("without a transactional id", to("", 0, producer, epoch, 0))
	d.ask("of another producer", to(id, 0, producer+1000, epoch, 0))
	d.ask("of another epoch", to(id, 0, producer, epoch+1, 0))
	d.ask("of an id that is not there", to(d.run+"missing", 0, producer, epoch, 0))
	d.ask("not begun", to(id, 0, producer, epoch, 0))
	if d.version < 12 {
		d.do(adding(id, producer, epoch, topic, 0), 3)
		d.ask("begun", to(id, 0, producer, epoch, 0))
	}
	d.ask("the same again", to(id, 0, producer, epoch, 0))
	d.ask("the next", to(id, 0, producer, epoch, 1))
	d.ask("to another partition", to(id, 1, producer, epoch, 0))
	d.ask("outside of it", produceTo(topic, topicID, 0, batch(1, at, producer, epoch, 2)))
	if d.version < 12 {
		return
	}
	d.do(ending(id, producer, epoch, true), 5)
	d.ended(id)
	d.ask("after its end", to(id, 0, producer, epoch, 2))
	d.ask("sent again after its end", to(id, 0, producer, epoch, 1))
	d.ask("in the next, with a sequence of the last", to(id, 0, producer, epoch+1, 2))
	d.ask("in the next", to(id, 0, producer, epoch+1, 0))
	d.do(ending(id, producer, epoch+1, false), 5)
	d.ended(id)
}

func addOffsets(d *dialogue) {
	id, producer, epoch := d.transactional("t")
	of := func(id string, producer int64, epoch int16) *kmsg.AddOffsetsToTxnRequest {
		r := kmsg.NewPtrAddOffsetsToTxnRequest()
		r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Group = id, producer, epoch, d.run+"g"
		return r
	}
	d.ask("a group", of(id, producer, epoch))
	d.ask("another epoch", of(id, producer, epoch+1))
	d.ask("an id that is not there", of(d.run+"missing", producer, epoch))
}

func txnOffsetCommit(d *dialogue) {
	topic, _ := d.topic("one", 1)
	id, producer, epoch := d.transactional("t")
	group := kmsg.NewPtrAddOffsetsToTxnRequest()
	group.TransactionalID, group.ProducerID, group.ProducerEpoch, group.Group = id, producer, epoch, d.run+"g"
	d.do(group, 3)
	of := func(topic string, partition int32) *kmsg.TxnOffsetCommitRequest {
		r := kmsg.NewPtrTxnOffsetCommitRequest()
		r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Group, r.Generation = id, producer, epoch, d.run+"g", -1
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = partition, 5
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
		return r
	}
	without := of(topic, 0)
	without.Group = d.run + "h"
	d.ask("one of a group that is not in it", without)
	d.ask("one", of(topic, 0))
	d.ask("a topic that is not there", of(d.run+"missing", 0))
	for _, other := range []struct {
		name     string
		id       string
		producer int64
		epoch    int16
	}{
		{"of another epoch", id, producer, epoch + 1},
		{"of another producer", id, producer + 1000, epoch},
		{"of an id that is not there", d.run + "missing", producer + 2000, epoch},
	} {
		r := of(topic, 0)
		r.TransactionalID, r.ProducerID, r.ProducerEpoch = other.id, other.producer, other.epoch
		d.ask(other.name, r)
	}
	if d.version >= 3 {
		r := of(topic, 0)
		r.MemberID, r.Generation = "nobody", 1
		d.ask("by a member that is not there", r)
	}
	d.do(ending(id, producer, epoch, true), 3)
}

func endTxn(d *dialogue) {
	topic, _ := d.topic("one", 1)
	id, producer, epoch := d.transactional("t")
	d.ask("none that is open", ending(id, producer, epoch, true))
	id, producer, epoch = d.transactional("u")
	d.do(adding(id, producer, epoch, topic, 0), 3)
	d.ask("a commit", ending(id, producer, epoch, true))
	id, producer, epoch = d.transactional("v")
	d.do(adding(id, producer, epoch, topic, 0), 3)
	d.ask("an abort", ending(id, producer, epoch, false))
	d.ended(id)
	d.ask("another producer", ending(id, producer+1000, epoch, true))
	d.ask("an id that is not there", ending(d.run+"missing", producer, epoch, true))
	d.ask("the abort again", ending(id, producer, epoch, false))
	d.ask("as a commit", ending(id, producer, epoch, true))
	id, producer, epoch = d.transactional("w")
	d.do(adding(id, producer, epoch, topic, 0), 3)
	d.do(ending(id, producer, epoch, true), max(d.version, 3))
	d.ended(id)
	d.ask("a commit again", ending(id, producer, epoch, true))
	d.ask("it as an abort", ending(id, producer, epoch, false))
	d.ask("an epoch that is to come", ending(id, producer, epoch+7, false))
	if d.version < 5 {
		return
	}
	d.ask("an abort of none that is open", ending(id, producer, epoch+1, false))
	d.ended(id)
	d.ask("again", ending(id, producer, epoch+1, false))
	d.ask("a commit of none that is open", ending(id, producer, epoch+2, true))
	d.ask("an abort of none after an abort", ending(id, producer, epoch+2, false))
	d.ended(id)
	d.ask("an epoch of before the last", ending(id, producer, epoch+1, false))
}

func describeTransactions(d *dialogue) {
	topic, _ := d.topic("one", 1)
	id, producer, epoch := d.transactional("t")
	of := func(id string) *kmsg.DescribeTransactionsRequest {
		r := kmsg.NewPtrDescribeTransactionsRequest()
		r.TransactionalIDs = []string{id}
		return r
	}
	d.ask("one without a transaction", of(id))
	d.do(adding(id, producer, epoch, topic, 0), 3)
	d.ask("one with one", of(id))
	d.ask("one that is not there", of(d.run+"missing"))
}

func describeProducers(d *dialogue) {
	topic, _ := d.topic("one", 1)
	producer := d.do(beginning(""), 4).(*kmsg.InitProducerIDResponse).ProducerID //nolint:forcetypeassert // the answer to the request
	d.fill(topic, batch(3, at, producer, 0, 0))
	of := func(topic string, partition int32) *kmsg.DescribeProducersRequest {
		r := kmsg.NewPtrDescribeProducersRequest()
		t := kmsg.NewDescribeProducersRequestTopic()
		t.Topic, t.Partitions = topic, []int32{partition}
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("one", of(topic, 0))
	d.ask("a partition that is not there", of(topic, 4))
	d.ask("a topic that is not there", of(d.run+"missing", 0))
}

func describeTopicPartitions(d *dialogue) {
	topic, _ := d.topic("one", 3)
	of := func(limit int32, names ...string) *kmsg.DescribeTopicPartitionsRequest {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		r.ResponsePartitionLimit = limit
		for _, name := range names {
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = name
			r.Topics = append(r.Topics, t)
		}
		return r
	}
	d.ask("one", of(100, topic))
	d.ask("a page", of(2, topic))
	d.ask("one that is not there", of(100, d.run+"missing"))
}
