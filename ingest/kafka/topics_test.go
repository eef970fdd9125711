package kafka_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
)

// ask sends one request.
func ask[R kmsg.Response](t *testing.T, c *kgo.Client, req kmsg.Request) R {
	t.Helper()
	resp, err := c.Request(within(t), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(R) //nolint:forcetypeassert // the request's own
}

func createRequest(name string, partitions int32, replicas int16, configs ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, replicas
	for i := 0; i < len(configs); i += 2 {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: configs[i], Value: &configs[i+1]})
	}
	req.Topics = append(req.Topics, topic)
	return req
}

func TestCreateDescribeAndDeleteTopics(t *testing.T) {
	h := newHouse(t)
	c := h.client()
	made := ask[*kmsg.CreateTopicsResponse](t, c, createRequest("berths", 3, -1, "retention.ms", "60000")).Topics[0]
	if made.ErrorCode != 0 || made.NumPartitions != 3 || made.TopicID == [16]byte{} {
		t.Fatalf("made %+v", made)
	}
	for name, bad := range map[string]struct {
		req  *kmsg.CreateTopicsRequest
		want *kerr.Error
	}{
		"there already":  {createRequest("berths", 1, 1), kerr.TopicAlreadyExists},
		"name":           {createRequest("a/b", 1, 1), kerr.InvalidTopicException},
		"Tarn's own":     {createRequest("tarn.clock2", 1, 1), kerr.InvalidTopicException},
		"no partitions":  {createRequest("x", 0, 1), kerr.InvalidPartitions},
		"many of them":   {createRequest("x", bus.PartitionsMax+1, 1), kerr.InvalidPartitions},
		"replicas":       {createRequest("x", 1, 3), kerr.InvalidReplicationFactor},
		"setting":        {createRequest("x", 1, 1, "retention.mz", "1"), kerr.InvalidConfig},
		"setting's word": {createRequest("x", 1, 1, "retention.ms", "soon"), kerr.InvalidConfig},
	} {
		got := ask[*kmsg.CreateTopicsResponse](t, c, bad.req).Topics[0]
		if got.ErrorCode != bad.want.Code || got.ErrorMessage == nil {
			t.Errorf("%s: %v %v, want %v", name, kerr.ErrorForCode(got.ErrorCode), got.ErrorMessage, bad.want)
		}
	}
	one := createRequest("only-looked-at", 1, 1)
	one.ValidateOnly = true
	if got := ask[*kmsg.CreateTopicsResponse](t, c, one).Topics[0]; got.ErrorCode != 0 {
		t.Errorf("validate only: %v", kerr.ErrorForCode(got.ErrorCode))
	}
	if _, err := h.bus.Topic("only-looked-at"); err == nil {
		t.Error("a topic that was only to be validated is there")
	}

	describe := kmsg.NewPtrDescribeTopicPartitionsRequest()
	describe.ResponsePartitionLimit = 2
	first := ask[*kmsg.DescribeTopicPartitionsResponse](t, c, describe)
	if len(first.Topics) != 1 || len(first.Topics[0].Partitions) != 2 || first.NextCursor == nil || first.NextCursor.Partition != 2 {
		t.Fatalf("described %+v", first)
	}
	describe.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: first.NextCursor.Topic, Partition: first.NextCursor.Partition}
	if rest := ask[*kmsg.DescribeTopicPartitionsResponse](t, c, describe); len(rest.Topics[0].Partitions) != 1 || rest.NextCursor != nil {
		t.Fatalf("described at the cursor %+v", rest)
	}
	cluster := ask[*kmsg.DescribeClusterResponse](t, c, kmsg.NewPtrDescribeClusterRequest())
	if len(cluster.Brokers) != 1 || len(cluster.ClusterID) != 22 {
		t.Errorf("cluster %+v", cluster)
	}

	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: made.TopicID}}
	if got := ask[*kmsg.DeleteTopicsResponse](t, c, remove).Topics[0]; got.ErrorCode != 0 || *got.Topic != "berths" {
		t.Fatalf("deleted %+v", got)
	}
	if got := ask[*kmsg.DeleteTopicsResponse](t, c, remove).Topics[0]; got.ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("deleted again: %v", kerr.ErrorForCode(got.ErrorCode))
	}
}

func TestForeignRecordsAreRefused(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	for name, config := range map[string]bus.TopicConfig{"tarn.clock": {}, "port.main.calls": {Source: "8b1"}} {
		if _, err := h.bus.CreateTopic(ctx, name, config); err != nil {
			t.Fatal(err)
		}
	}
	c := h.client(kgo.DisableIdempotentWrite())
	for name, want := range map[string]*kerr.Error{"tarn.clock": kerr.InvalidTopicException, "port.main.calls": kerr.PolicyViolation} {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: name, Value: []byte("forged")}).FirstErr(); !errors.Is(err, want) {
			t.Errorf("produce to %s: %v, want %v", name, err, want)
		}
	}
	h.topic("berths", 1)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis, init.ProducerID, init.ProducerEpoch = new("port"), 10_000, -1, -1
	who := ask[*kmsg.InitProducerIDResponse](t, c, init)
	for name, want := range map[string]int16{"tarn.clock": kerr.InvalidTopicException.Code, "port.main.calls": kerr.PolicyViolation.Code, "berths": 0} {
		req, one := kmsg.NewPtrAddPartitionsToTxnRequest(), kmsg.NewAddPartitionsToTxnRequestTopic()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = "port", who.ProducerID, who.ProducerEpoch
		one.Topic, one.Partitions = name, []int32{0}
		req.Topics = append(req.Topics, one)
		if got := ask[*kmsg.AddPartitionsToTxnResponse](t, c, req).Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("%s in a transaction: %v, want %v", name, kerr.ErrorForCode(got), kerr.ErrorForCode(want))
		}
	}
	for name, want := range map[string]*kerr.Error{"tarn.clock": kerr.InvalidTopicException, "port.main.calls": kerr.PolicyViolation, "berths": kerr.TransactionCoordinatorFenced} {
		req, m := kmsg.NewPtrWriteTxnMarkersRequest(), kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.CoordinatorEpoch = 1, 1
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: name, Partitions: []int32{0}}}
		req.Markers = []kmsg.WriteTxnMarkersRequestMarker{m}
		if got := ask[*kmsg.WriteTxnMarkersResponse](t, c, req).Markers[0].Topics[0].Partitions[0].ErrorCode; got != want.Code {
			t.Errorf("marker in %s: %v, want %v", name, kerr.ErrorForCode(got), want)
		}
	}
}

func TestListOffsets(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	c := h.client(kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic("tides"))
	start := time.UnixMilli(1_700_000_000_000)
	for i := range 10 {
		if err := c.ProduceSync(ctx, &kgo.Record{Value: fmt.Append(nil, i), Timestamp: start.Add(time.Duration(i) * time.Minute)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[int64]int64{-1: 10, -2: 0, -3: 9, start.UnixMilli(): 0, start.Add(90 * time.Second).UnixMilli(): 2, start.Add(time.Hour).UnixMilli(): -1, -5: -1} {
		req := kmsg.NewPtrListOffsetsRequest()
		part := kmsg.NewListOffsetsRequestTopicPartition()
		part.Timestamp = at
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "tides", Partitions: []kmsg.ListOffsetsRequestTopicPartition{part}}}
		got := ask[*kmsg.ListOffsetsResponse](t, c, req).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.Offset != want {
			t.Errorf("time %d: offset %d %v, want %d", at, got.Offset, kerr.ErrorForCode(got.ErrorCode), want)
		}
	}
}

// TestTopicsAreMadeToTheirEndWhenTheClientWaitsNoMore, and so are partitions that are added.
func TestTopicsAreMadeToTheirEndWhenTheClientWaitsNoMore(t *testing.T) {
	fs, shut, open := stall()
	defer open()
	h := newHouseWith(t, setting{disk: fs})
	c := h.client()
	h.topic("quay", 1)
	shut()
	create := createRequest("berths", 2, 1)
	create.TimeoutMillis = 1
	if got := ask[*kmsg.CreateTopicsResponse](t, c, create).Topics[0]; got.ErrorCode != kerr.RequestTimedOut.Code || got.ErrorMessage == nil {
		t.Errorf("made %v, want %v", kerr.ErrorForCode(got.ErrorCode), kerr.RequestTimedOut)
	}
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.TimeoutMillis, more.Topics = 1, []kmsg.CreatePartitionsRequestTopic{{Topic: "quay", Count: 3}}
	if got := ask[*kmsg.CreatePartitionsResponse](t, c, more).Topics[0]; got.ErrorCode != kerr.RequestTimedOut.Code {
		t.Errorf("added %v, want %v", kerr.ErrorForCode(got.ErrorCode), kerr.RequestTimedOut)
	}
	open()
	for name, want := range map[string]int{"berths": 2, "quay": 3} {
		waitFor(t, "the partitions of "+name, func() bool {
			topic, err := h.bus.Topic(name)
			return err == nil && len(topic.Partitions()) == want
		})
	}
	create.TimeoutMillis = int32(patience.Milliseconds())
	if got := ask[*kmsg.CreateTopicsResponse](t, c, create).Topics[0]; got.ErrorCode != kerr.TopicAlreadyExists.Code {
		t.Errorf("made again %v, want %v", kerr.ErrorForCode(got.ErrorCode), kerr.TopicAlreadyExists)
	}
}

// TestTopicsForWhichNobodyWaitsAreNotBegun: those of a request behind the one that took all of the client's time.
func TestTopicsForWhichNobodyWaitsAreNotBegun(t *testing.T) {
	fs, shut, open := stall()
	defer open()
	h := newHouseWith(t, setting{disk: fs})
	c := h.client()
	create := createRequest("berths", 1, 1)
	for i := range 12 {
		create.Topics = append(create.Topics, createRequest(fmt.Sprintf("quay-%d", i), 1, 1).Topics...)
	}
	create.TimeoutMillis = 1
	shut()
	for _, got := range ask[*kmsg.CreateTopicsResponse](t, c, create).Topics {
		if got.ErrorCode != kerr.RequestTimedOut.Code || got.ErrorMessage == nil {
			t.Fatalf("%s is made %v, want %v", got.Topic, kerr.ErrorForCode(got.ErrorCode), kerr.RequestTimedOut)
		}
		if begun := strings.Contains(*got.ErrorMessage, "being made"); begun != (got.Topic == "berths") {
			t.Errorf("topic %s: %s", got.Topic, *got.ErrorMessage)
		}
	}
}
