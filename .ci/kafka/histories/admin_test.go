//go:build duckdb_arrow

package histories_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const partitionsMax = 3

// grow adds a partition to some topic, by chance.
func (h *history) grow(ctx context.Context, r *rand.Rand) error {
	name := pick(r, h.topics()...)
	h.mu.Lock()
	n := h.partitions[name] + 1
	h.mu.Unlock()
	if n > partitionsMax || r.IntN(2) == 0 {
		return nil
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = int32(answerWithin.Milliseconds())
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = name, n
	req.Topics = append(req.Topics, t)
	_, sure, err := ask(ctx, h.asker, req, func(r *kmsg.CreatePartitionsResponse) int16 { return r.Topics[0].ErrorCode })
	if err != nil && (sure || !errors.Is(err, kerr.InvalidPartitions)) { // an earlier try may have got in
		return fmt.Errorf("add a partition to %s: %w", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.partitions[name] = n
	h.model.did("%s has %d partitions", name, n)
	return nil
}

// administer deletes records and changes settings.
func (h *history) administer(ctx context.Context, r *rand.Rand) error {
	for range 4 + r.IntN(8) {
		pause(ctx, r, time.Second)
		var err error
		switch r.IntN(5) {
		case 0, 1:
			err = h.deleteRecords(ctx, r)
		case 2:
			h.model.allow("deleted", rules{retains: true})
			err = h.set(ctx, "deleted", "retention.bytes", pick(r, "-1", "20000", "60000"))
		case 3:
			err = h.set(ctx, "both", "cleanup.policy", pick(r, "compact", "delete", "compact,delete"))
		case 4:
			h.model.allow("compact", rules{tombstones: true})
			err = h.set(ctx, "compact", "delete.retention.ms", pick(r, "0", "300", "86400000"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteRecords moves the start of a log that may lose records.
func (h *history) deleteRecords(ctx context.Context, r *rand.Rand) error {
	places := h.places()
	p := pick(r, places...)
	if p.topic == offsetsOf.topic { // which keeps all
		return nil
	}
	low, err := h.offset(ctx, p, false, -2)
	if err != nil {
		return err
	}
	high, err := h.offset(ctx, p, false, -1)
	if err != nil || high == low {
		return err
	}
	to := low + r.Int64N(high-low+1)
	h.model.trims(p, to, 0)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = int32(answerWithin.Milliseconds())
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: p.topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: p.partition, Offset: to}}}}
	resp, _, err := ask(ctx, h.asker, req, func(r *kmsg.DeleteRecordsResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	switch {
	case errors.Is(err, kerr.PolicyViolation), errors.Is(err, kerr.OffsetOutOfRange): // compacted, or the start has passed it
		h.model.did("records of %s below %d stay: %v", p, to, err)
		return nil
	case err != nil:
		return fmt.Errorf("delete records of %s below %d: %w", p, to, err)
	}
	told := resp.Topics[0].Partitions[0].LowWatermark
	h.model.trims(p, to, told)
	h.model.did("records of %s below %d go: low watermark %d", p, to, told)
	return nil
}

// set changes a setting of a topic.
func (h *history) set(ctx context.Context, topic, name, value string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	one := kmsg.NewIncrementalAlterConfigsRequestResource()
	one.ResourceType, one.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	one.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}}
	req.Resources = append(req.Resources, one)
	_, _, err := ask(ctx, h.asker, req, func(r *kmsg.IncrementalAlterConfigsResponse) int16 { return r.Resources[0].ErrorCode })
	if err != nil {
		return fmt.Errorf("set %s of %s to %s: %w", name, topic, value, err)
	}
	h.model.did("%s of %s is %s", name, topic, value)
	return nil
}
