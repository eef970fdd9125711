//go:build duckdb_arrow

package kafka_test

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// scenario is a talk about one API, led in each of its versions.
type scenario struct {
	name string
	api  kmsg.Key
	lead func(*dialogue)
}

// scenarios ask for what is right, and for each mistake that has an error of its own.
var scenarios = []scenario{
	{"metadata", kmsg.Metadata, metadata},
	{"produce", kmsg.Produce, produce},
	{"produce in a transaction", kmsg.Produce, produceInTransaction},
	{"fetch", kmsg.Fetch, fetch},
	{"list offsets", kmsg.ListOffsets, listOffsets},
	{"offset for leader epoch", kmsg.OffsetForLeaderEpoch, leaderEpoch},
	{"create topics", kmsg.CreateTopics, createTopics},
	{"delete topics", kmsg.DeleteTopics, deleteTopics},
	{"create partitions", kmsg.CreatePartitions, createPartitions},
	{"delete records", kmsg.DeleteRecords, deleteRecords},
	{"incremental alter configs", kmsg.IncrementalAlterConfigs, alterConfigs},
	{"describe configs", kmsg.DescribeConfigs, describeConfigs},
	{"find coordinator", kmsg.FindCoordinator, findCoordinator},
	{"join group", kmsg.JoinGroup, joinGroup},
	{"sync group", kmsg.SyncGroup, syncGroup},
	{"heartbeat", kmsg.Heartbeat, heartbeat},
	{"leave group", kmsg.LeaveGroup, leaveGroup},
	{"offset commit", kmsg.OffsetCommit, offsetCommit},
	{"offset fetch", kmsg.OffsetFetch, offsetFetch},
	{"offset delete", kmsg.OffsetDelete, offsetDelete},
	{"describe groups", kmsg.DescribeGroups, describeGroups},
	{"delete groups", kmsg.DeleteGroups, deleteGroups},
	{"init producer id", kmsg.InitProducerID, initProducerID},
	{"add partitions to txn", kmsg.AddPartitionsToTxn, addPartitions},
	{"add offsets to txn", kmsg.AddOffsetsToTxn, addOffsets},
	{"txn offset commit", kmsg.TxnOffsetCommit, txnOffsetCommit},
	{"end txn", kmsg.EndTxn, endTxn},
	{"describe transactions", kmsg.DescribeTransactions, describeTransactions},
	{"describe producers", kmsg.DescribeProducers, describeProducers},
	{"describe topic partitions", kmsg.DescribeTopicPartitions, describeTopicPartitions},
	{"sasl handshake", kmsg.SASLHandshake, func(d *dialogue) {
		r := kmsg.NewPtrSASLHandshakeRequest()
		r.Mechanism = "PLAIN"
		d.ask("where none is asked for", r)
	}},
}

// batch is one record batch of so many records, with a producer's id, epoch and sequence or -1.
func batch(n int32, at int64, id int64, epoch int16, sequence int32) []byte {
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: n - 1, FirstTimestamp: at, MaxTimestamp: at + int64(n) - 1,
		ProducerID: id, ProducerEpoch: epoch, FirstSequence: sequence, NumRecords: n,
	}
	for i := range n {
		r := kmsg.Record{TimestampDelta64: int64(i), OffsetDelta: i, Key: []byte{'k', byte(i)}, Value: []byte("value")}
		body := r.AppendTo(nil)
		r.Length = int32(len(body) - 1) //nolint:gosec // a few bytes; the length of 0 takes one
		b.Records = r.AppendTo(b.Records)
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12) //nolint:gosec // a few bytes
	return sealed(b.AppendTo(nil))
}

// sealed gives a batch its checksum.
func sealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// at is the time of the records: long ago, but the topics keep them for ever.
const at = 1_700_000_000_000

func metadata(d *dialogue) {
	topic, id := d.topic("one", 2)
	named := func(name *string, id [16]byte) kmsg.MetadataRequestTopic {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic, t.TopicID = name, id
		return t
	}
	r := kmsg.NewPtrMetadataRequest()
	r.Topics = []kmsg.MetadataRequestTopic{named(&topic, [16]byte{})}
	d.ask("a topic", r)
	missing, bad := d.run+"missing", "no such/name"
	r = kmsg.NewPtrMetadataRequest()
	r.Topics = []kmsg.MetadataRequestTopic{named(&missing, [16]byte{})}
	if d.version >= 4 { // before, it would be made
		d.ask("one that is not there", r)
	}
	r.Topics = []kmsg.MetadataRequestTopic{named(&bad, [16]byte{})}
	d.ask("a name that cannot be", r)
	if d.version >= 12 {
		r.Topics = []kmsg.MetadataRequestTopic{named(nil, id)}
		d.ask("by id", r)
		r.Topics = []kmsg.MetadataRequestTopic{named(nil, [16]byte{1, 2, 3})}
		d.ask("an id that is not there", r)
	}
	if d.version >= 1 {
		r.Topics = []kmsg.MetadataRequestTopic{}
		d.ask("none", r)
	}
}

func produceTo(topic string, id [16]byte, partition int32, records []byte) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Acks, r.TimeoutMillis = -1, 10_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func (d *dialogue) fill(topic string, records []byte) {
	d.do(produceTo(topic, [16]byte{}, 0, records), 9)
}

func produce(d *dialogue) {
	topic, id := d.topic("one", 1)
	d.ask("a batch", produceTo(topic, id, 0, batch(3, at, -1, -1, -1)))
	d.ask("the next", produceTo(topic, id, 0, batch(2, at, -1, -1, -1)))
	d.ask("a partition that is not there", produceTo(topic, id, 7, batch(1, at, -1, -1, -1)))
	d.ask("a topic that is not there", produceTo(d.run+"missing", [16]byte{9}, 0, batch(1, at, -1, -1, -1)))
	broken := batch(1, at, -1, -1, -1)
	broken[len(broken)-1] ^= 1
	d.ask("a wrong checksum", produceTo(topic, id, 0, broken))
	two := append(batch(1, at, -1, -1, -1), batch(1, at, -1, -1, -1)...)
	d.ask("two batches", produceTo(topic, id, 0, two))
	d.ask("nothing", produceTo(topic, id, 0, []byte{}))
	r := produceTo(topic, id, 0, batch(1, at, -1, -1, -1))
	r.Acks = 1
	d.ask("acks of one", r)
	r.Acks = 2
	d.ask("acks that cannot be", r)
	small, smallID := d.topic("small", 1, "max.message.bytes", "100")
	d.ask("too large", produceTo(small, smallID, 0, batch(20, at, -1, -1, -1)))
	compacted, compactedID := d.topic("compacted", 1, "cleanup.policy", "compact")
	d.ask("with keys where keys are asked for", produceTo(compacted, compactedID, 0, batch(1, at, -1, -1, -1)))

	init := kmsg.NewPtrInitProducerIDRequest()
	producer := d.do(init, 4).(*kmsg.InitProducerIDResponse).ProducerID //nolint:forcetypeassert // the answer to the request
	d.ask("a sequence", produceTo(topic, id, 0, batch(2, at, producer, 0, 0)))
	d.ask("the same again", produceTo(topic, id, 0, batch(2, at, producer, 0, 0)))
	d.ask("the next of it", produceTo(topic, id, 0, batch(1, at, producer, 0, 2)))
	d.ask("one that leaves a gap", produceTo(topic, id, 0, batch(1, at, producer, 0, 9)))
	d.ask("a new epoch", produceTo(topic, id, 0, batch(1, at, producer, 1, 0)))
	d.ask("an old epoch", produceTo(topic, id, 0, batch(1, at, producer, 0, 3)))
}

func fetchFrom(topic string, id [16]byte, partition int32, offset int64) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes = 0, 0, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func fetch(d *dialogue) {
	topic, id := d.topic("one", 1)
	d.ask("an empty topic", fetchFrom(topic, id, 0, 0))
	d.fill(topic, batch(3, at, -1, -1, -1))
	d.fill(topic, batch(2, at, -1, -1, -1))
	d.ask("from the start", fetchFrom(topic, id, 0, 0))
	d.ask("within a batch", fetchFrom(topic, id, 0, 4))
	d.ask("at the end", fetchFrom(topic, id, 0, 5))
	d.ask("above the end", fetchFrom(topic, id, 0, 6))
	d.ask("below the start", fetchFrom(topic, id, 0, -3))
	d.ask("a partition that is not there", fetchFrom(topic, id, 5, 0))
	d.ask("a topic that is not there", fetchFrom(d.run+"missing", [16]byte{9}, 0, 0))
	r := fetchFrom(topic, id, 0, 0)
	r.MaxBytes = 1
	r.Topics[0].Partitions[0].PartitionMaxBytes = 1
	d.ask("a byte", r)
	r = fetchFrom(topic, id, 0, 0)
	r.IsolationLevel = 1
	d.ask("committed", r)
	if d.version >= 7 {
		r = fetchFrom(topic, id, 0, 0)
		r.SessionEpoch = 0
		session := d.ask("a session", r).(*kmsg.FetchResponse).SessionID //nolint:forcetypeassert // the answer to the request
		next := kmsg.NewPtrFetchRequest()
		next.MaxWaitMillis, next.MaxBytes, next.SessionID, next.SessionEpoch = 0, 1<<20, session, 1
		d.ask("the same, of the session", next)
		r = fetchFrom(topic, id, 0, 5)
		r.SessionID, r.SessionEpoch = session, 2
		d.ask("another offset", r)
		next.SessionEpoch = 3
		d.ask("nothing new", next)
		next.SessionEpoch = 9
		d.ask("an epoch that is not its turn", next)
		next.SessionID, next.SessionEpoch = 123456, 1
		d.ask("a session that is not there", next)
	}
}

func listOffsets(d *dialogue) {
	topic, _ := d.topic("one", 1)
	of := func(topic string, partition int32, time int64) *kmsg.ListOffsetsRequest {
		r := kmsg.NewPtrListOffsetsRequest()
		r.ReplicaID = -1
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = partition, time
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("the end of nothing", of(topic, 0, -1))
	d.ask("a time in nothing", of(topic, 0, at))
	d.fill(topic, batch(3, at, -1, -1, -1))
	d.fill(topic, batch(3, at+1000, -1, -1, -1))
	d.ask("the end", of(topic, 0, -1))
	d.ask("the start", of(topic, 0, -2))
	d.ask("a time", of(topic, 0, at+1))
	d.ask("a time between", of(topic, 0, at+500))
	d.ask("a time after all", of(topic, 0, at+9000))
	if d.version >= 7 {
		d.ask("the newest", of(topic, 0, -3))
	}
	if d.version >= 8 {
		d.ask("the local start", of(topic, 0, -4))
	}
	d.ask("a partition that is not there", of(topic, 4, -1))
	d.ask("a topic that is not there", of(d.run+"missing", 0, -1))
	r := of(topic, 0, -1)
	r.IsolationLevel = 1
	d.ask("the last stable offset", r)
}

func leaderEpoch(d *dialogue) {
	topic, _ := d.topic("one", 1)
	d.fill(topic, batch(3, at, -1, -1, -1))
	of := func(topic string, partition, epoch int32) *kmsg.OffsetForLeaderEpochRequest {
		r := kmsg.NewPtrOffsetForLeaderEpochRequest()
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = topic
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = partition, -1, epoch
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("this epoch", of(topic, 0, 0))
	d.ask("one to come", of(topic, 0, 7))
	d.ask("a partition that is not there", of(topic, 4, 0))
	d.ask("a topic that is not there", of(d.run+"missing", 0, 0))
}

func createTopics(d *dialogue) {
	make := func(names []string, partitions int32, replicas int16, configs ...string) *kmsg.CreateTopicsRequest {
		r := kmsg.NewPtrCreateTopicsRequest()
		r.TimeoutMillis = 10_000
		for _, name := range names {
			t := kmsg.NewCreateTopicsRequestTopic()
			t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
			for i := 0; i < len(configs); i += 2 {
				c := kmsg.NewCreateTopicsRequestTopicConfig()
				c.Name, c.Value = configs[i], &configs[i+1]
				t.Configs = append(t.Configs, c)
			}
			r.Topics = append(r.Topics, t)
		}
		return r
	}
	bare := func(a kmsg.Response) { // the settings in force are described elsewhere
		for i := range a.(*kmsg.CreateTopicsResponse).Topics { //nolint:forcetypeassert // the answer to the request
			a.(*kmsg.CreateTopicsResponse).Topics[i].Configs = nil //nolint:forcetypeassert // as above
		}
	}
	d.askBare("one", make([]string{d.run + "one"}, 3, 1), bare)
	d.askBare("one that is there", make([]string{d.run + "one"}, 3, 1), bare)
	d.askBare("a name that cannot be", make([]string{"no such/name"}, 1, 1), bare)
	d.askBare("no partitions", make([]string{d.run + "two"}, 0, 1), bare)
	d.askBare("three replicas", make([]string{d.run + "two"}, 1, 3), bare)
	d.askBare("a setting that is not there", make([]string{d.run + "two"}, 1, 1, "no.such", "1"), bare)
	d.askBare("a setting that cannot be", make([]string{d.run + "two"}, 1, 1, "retention.ms", "soon"), bare)
	d.askBare("one twice", make([]string{d.run + "two", d.run + "two"}, 1, 1), bare)
	if d.version >= 1 {
		r := make([]string{d.run + "three"}, 1, 1)
		r.ValidateOnly = true
		d.askBare("only to try", r, bare)
	}
}

func deleteTopics(d *dialogue) {
	topic, _ := d.topic("one", 1)
	_, id := d.topic("two", 1)
	of := func(name string, id [16]byte) *kmsg.DeleteTopicsRequest {
		r := kmsg.NewPtrDeleteTopicsRequest()
		r.TimeoutMillis, r.TopicNames = 10_000, []string{name}
		t := kmsg.NewDeleteTopicsRequestTopic()
		if t.TopicID = id; name != "" {
			t.Topic = &name
		}
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("one", of(topic, [16]byte{}))
	d.ask("one that is gone", of(topic, [16]byte{}))
	if d.version >= 6 {
		d.ask("by id", of("", id))
		d.ask("an id that is not there", of("", [16]byte{1, 2}))
	}
}

func createPartitions(d *dialogue) {
	topic, _ := d.topic("one", 2)
	of := func(name string, n int32) *kmsg.CreatePartitionsRequest {
		r := kmsg.NewPtrCreatePartitionsRequest()
		r.TimeoutMillis = 10_000
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = name, n
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("more", of(topic, 4))
	d.ask("as many", of(topic, 4))
	d.ask("fewer", of(topic, 1))
	d.ask("a topic that is not there", of(d.run+"missing", 3))
}

func deleteRecords(d *dialogue) {
	topic, _ := d.topic("one", 1)
	d.fill(topic, batch(3, at, -1, -1, -1))
	d.fill(topic, batch(3, at, -1, -1, -1))
	of := func(topic string, partition int32, before int64) *kmsg.DeleteRecordsRequest {
		r := kmsg.NewPtrDeleteRecordsRequest()
		r.TimeoutMillis = 10_000
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = topic
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = partition, before
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("within a batch", of(topic, 0, 2))
	d.ask("what is gone", of(topic, 0, 1))
	d.ask("above the end", of(topic, 0, 7))
	d.ask("all", of(topic, 0, -1))
	d.ask("a partition that is not there", of(topic, 3, 1))
	d.ask("a topic that is not there", of(d.run+"missing", 0, 1))
}

func alterConfigs(d *dialogue) {
	topic, _ := d.topic("one", 1)
	of := func(topic string, op kmsg.IncrementalAlterConfigOp, name, value string) *kmsg.IncrementalAlterConfigsRequest {
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		t := kmsg.NewIncrementalAlterConfigsRequestResource()
		t.ResourceType, t.ResourceName = kmsg.ConfigResourceTypeTopic, topic
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Op, c.Value = name, op, &value
		t.Configs = append(t.Configs, c)
		r.Resources = append(r.Resources, t)
		return r
	}
	d.ask("set", of(topic, kmsg.IncrementalAlterConfigOpSet, "retention.ms", "5000"))
	d.ask("append", of(topic, kmsg.IncrementalAlterConfigOpAppend, "cleanup.policy", "compact"))
	d.ask("subtract", of(topic, kmsg.IncrementalAlterConfigOpSubtract, "cleanup.policy", "delete"))
	d.ask("delete", of(topic, kmsg.IncrementalAlterConfigOpDelete, "retention.ms", ""))
	d.ask("append to what is no list", of(topic, kmsg.IncrementalAlterConfigOpAppend, "retention.ms", "1"))
	d.ask("a setting that is not there", of(topic, kmsg.IncrementalAlterConfigOpSet, "no.such", "1"))
	d.ask("a value that cannot be", of(topic, kmsg.IncrementalAlterConfigOpSet, "retention.ms", "soon"))
	d.ask("a topic that is not there", of(d.run+"missing", kmsg.IncrementalAlterConfigOpSet, "retention.ms", "5000"))
}

func describeConfigs(d *dialogue) {
	topic, _ := d.topic("one", 1, "retention.ms", "5000")
	of := func(topic string, names ...string) *kmsg.DescribeConfigsRequest {
		r := kmsg.NewPtrDescribeConfigsRequest()
		t := kmsg.NewDescribeConfigsRequestResource()
		t.ResourceType, t.ResourceName, t.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, names
		r.Resources = append(r.Resources, t)
		return r
	}
	d.ask("one that is set", of(topic, "retention.ms"))
	d.ask("one as it comes", of(topic, "max.message.bytes"))
	d.ask("one that is not there", of(topic, "no.such"))
	d.ask("of a topic that is not there", of(d.run+"missing", "retention.ms"))
}
