package kafka_test

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// value is a topic's setting as a client is told, with its source.
func value(ctx context.Context, t *testing.T, c *kgo.Client, topic, name string) (string, kmsg.ConfigSource) {
	t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	one := kmsg.NewDescribeConfigsRequestResource()
	one.ResourceType, one.ResourceName, one.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{name}
	req.Resources, req.IncludeSynonyms, req.IncludeDocumentation = append(req.Resources, one), true, true
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	got := resp.Resources[0]
	if got.ErrorCode != 0 || len(got.Configs) != 1 || len(got.Configs[0].ConfigSynonyms) == 0 || *got.Configs[0].Documentation == "" {
		t.Fatalf("%s of %s: %+v", name, topic, got)
	}
	return *got.Configs[0].Value, got.Configs[0].Source
}

func TestTopicsAreAltered(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	if _, err := h.bus.CreateTopic(ctx, "t", bus.TopicConfig{Land: true}); err != nil {
		t.Fatal(err)
	}
	c := h.client()
	alter := func(dry bool, op kmsg.IncrementalAlterConfigOp, name, value string) *kerr.Error {
		t.Helper()
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		one := kmsg.NewIncrementalAlterConfigsRequestResource()
		one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op, config.Value = name, op, &value
		one.Configs, req.ValidateOnly = append(one.Configs, config), dry
		req.Resources = append(req.Resources, one)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return kerr.TypedErrorForCode(resp.Resources[0].ErrorCode)
	}
	const set, remove, add, subtract = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract
	for i, one := range []struct {
		op          kmsg.IncrementalAlterConfigOp
		name, value string
		refused     *kerr.Error
		want        string
		source      kmsg.ConfigSource
	}{
		{set, "retention.ms", "1000", nil, "1000", kmsg.ConfigSourceDynamicTopicConfig},
		{set, "retention.ms", "soon", kerr.InvalidConfig, "1000", kmsg.ConfigSourceDynamicTopicConfig},
		{remove, "retention.ms", "", nil, "86400000", kmsg.ConfigSourceDefaultConfig},
		{add, "cleanup.policy", "compact", nil, "delete,compact", kmsg.ConfigSourceDynamicTopicConfig},
		{add, "cleanup.policy", "compact", nil, "delete,compact", kmsg.ConfigSourceDynamicTopicConfig},
		{subtract, "cleanup.policy", "compact", nil, "delete", kmsg.ConfigSourceDynamicTopicConfig},
		{subtract, "cleanup.policy", "delete", kerr.InvalidConfig, "delete", kmsg.ConfigSourceDynamicTopicConfig},
		{add, "retention.ms", "1", kerr.InvalidConfig, "86400000", kmsg.ConfigSourceDefaultConfig},
		{set, "tarn.land", "false", nil, "false", kmsg.ConfigSourceDefaultConfig},
		{set, "tarn.land", "true", nil, "true", kmsg.ConfigSourceDynamicTopicConfig},
	} {
		if one.refused == nil {
			before, _ := value(ctx, t, c, "t", one.name)
			if err := alter(true, one.op, one.name, one.value); err != nil {
				t.Fatalf("%d, tried: %v", i, err)
			}
			if after, _ := value(ctx, t, c, "t", one.name); after != before {
				t.Fatalf("%d: a trial has altered it to %s", i, after)
			}
		}
		if err := alter(false, one.op, one.name, one.value); err != one.refused {
			t.Fatalf("%d: %v, want %v", i, err, one.refused)
		}
		if got, source := value(ctx, t, c, "t", one.name); got != one.want || source != one.source {
			t.Fatalf("%d: %s is %s of %v, want %s of %v", i, one.name, got, source, one.want, one.source)
		}
	}
	if err := alter(false, set, "no.such", "1"); err != kerr.InvalidConfig {
		t.Fatal(err)
	}
	req := kmsg.NewPtrAlterConfigsRequest()
	one := kmsg.NewAlterConfigsRequestResource()
	one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
	config := kmsg.NewAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "max.message.bytes", new("5000")
	one.Configs = append(one.Configs, config)
	req.Resources = append(req.Resources, one)
	if resp, err := req.RequestWith(ctx, c); err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("%+v, %v", resp, err)
	}
	for name, want := range map[string]string{"max.message.bytes": "5000", "cleanup.policy": "delete", "tarn.land": "true"} {
		if got, _ := value(ctx, t, c, "t", name); got != want {
			t.Fatalf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestPartitionsAndRecords(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	if _, err := h.bus.CreateTopic(ctx, "t", bus.TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	c := h.client()
	grow := func(count int32) int16 {
		t.Helper()
		req := kmsg.NewPtrCreatePartitionsRequest()
		one := kmsg.NewCreatePartitionsRequestTopic()
		one.Topic, one.Count = "t", count
		req.Topics = append(req.Topics, one)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Topics[0].ErrorCode
	}
	for _, one := range []struct {
		count int32
		want  int16
	}{{3, 0}, {3, kerr.InvalidPartitions.Code}, {2, kerr.InvalidPartitions.Code}, {100_000, kerr.InvalidPartitions.Code}} {
		if got := grow(one.count); got != one.want {
			t.Fatalf("%d partitions: %v", one.count, kerr.ErrorForCode(got))
		}
	}
	top, err := h.bus.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := top.Partitions()[2].Append(ctx, record.Encode([]record.Record{{Value: []byte("v")}})); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(partition int32, before int64) (int16, int64) {
		t.Helper()
		req := kmsg.NewPtrDeleteRecordsRequest()
		one := kmsg.NewDeleteRecordsRequestTopic()
		one.Topic = "t"
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = partition, before
		one.Partitions = append(one.Partitions, p)
		req.Topics = append(req.Topics, one)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		got := resp.Topics[0].Partitions[0]
		return got.ErrorCode, got.LowWatermark
	}
	for i, one := range []struct {
		partition int32
		before    int64
		code      int16
		low       int64
	}{{2, 3, 0, 3}, {2, 1, 0, 3}, {2, 9, kerr.OffsetOutOfRange.Code, -1}, {2, -1, 0, 5}} {
		if code, low := remove(one.partition, one.before); code != one.code || low != one.low {
			t.Fatalf("%d: %v, low watermark %d", i, kerr.ErrorForCode(code), low)
		}
	}
	dirs, err := kmsg.NewPtrDescribeLogDirsRequest().RequestWith(ctx, c)
	if err != nil || len(dirs.Dirs) != 1 || len(dirs.Dirs[0].Topics) != 1 || len(dirs.Dirs[0].Topics[0].Partitions) != 3 || dirs.Dirs[0].Topics[0].Partitions[2].Size == 0 {
		t.Fatalf("%+v, %v", dirs, err)
	}
}

// TestWhatToolsAsk: each answer is one that Kafka without an authorizer, quotas or other brokers gives.
func TestWhatToolsAsk(t *testing.T) {
	h, ctx := newHouse(t), within(t)
	c := h.client()
	broker := kmsg.NewPtrDescribeConfigsRequest()
	one := kmsg.NewDescribeConfigsRequestResource()
	one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
	broker.Resources = append(broker.Resources, one)
	configs, err := broker.RequestWith(ctx, c)
	if err != nil || configs.Resources[0].ErrorCode != 0 || len(configs.Resources[0].Configs) == 0 {
		t.Fatalf("%+v, %v", configs, err)
	}
	acls, err := kmsg.NewPtrDescribeACLsRequest().RequestWith(ctx, c)
	if err != nil || acls.ErrorCode != kerr.SecurityDisabled.Code || !strings.Contains(*acls.ErrorMessage, "Authorizer") {
		t.Fatalf("%+v, %v", acls, err)
	}
	if quotas, err := kmsg.NewPtrDescribeClientQuotasRequest().RequestWith(ctx, c); err != nil || quotas.ErrorCode != 0 || len(quotas.Entries) != 0 {
		t.Fatalf("%+v, %v", quotas, err)
	}
	if moves, err := kmsg.NewPtrListPartitionReassignmentsRequest().RequestWith(ctx, c); err != nil || moves.ErrorCode != 0 || len(moves.Topics) != 0 {
		t.Fatalf("%+v, %v", moves, err)
	}
}
