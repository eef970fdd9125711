//go:build duckdb_arrow

package histories_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func isolation(onlyCommitted bool) kgo.IsolationLevel {
	if onlyCommitted {
		return kgo.ReadCommitted()
	}
	return kgo.ReadUncommitted()
}

func idOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == idHeader {
			return string(h.Value)
		}
	}
	return fmt.Sprintf("a record without a name (%d bytes)", len(r.Value))
}

// consuming are the options of a consumer of all topics.
func (h *history) consuming(onlyCommitted bool, more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(h.door.address), kgo.DialTimeout(time.Second), kgo.ConsumeTopics(h.topics()...), kgo.FetchIsolationLevel(isolation(onlyCommitted)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RetryBackoffFn(func(int) time.Duration { return retryPause }),
		kgo.MetadataMinAge(10 * time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.FetchMaxWait(500 * time.Millisecond), kgo.AlwaysRetryEOF(),
	}, more...)
}

// follow reads all topics as they grow, over all kills: what it has seen stays, and is seen once.
func (h *history) follow(ctx context.Context, name string, onlyCommitted bool) error {
	cl, err := kgo.NewClient(h.consuming(onlyCommitted)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	next := map[place]int64{}
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			p := place{r.Topic, r.Partition}
			if r.Offset < next[p] {
				h.model.fails("%s got offset %d of %s, and %d was due", name, r.Offset, p, next[p])
			}
			next[p] = r.Offset + 1
			h.model.saw(name, onlyCommitted, p, r.Offset, idOf(r))
		})
		h.followed(name, next)
	}
	return nil
}

// member is one of a group's, which commits what it has read, leaves and comes back.
func (h *history) member(ctx context.Context, name string, r *rand.Rand) error {
	for ctx.Err() == nil {
		more := []kgo.Opt{
			kgo.ConsumerGroup(groupName), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(6 * time.Second),
			kgo.HeartbeatInterval(500 * time.Millisecond), kgo.Balancers(pick[kgo.GroupBalancer](r, kgo.CooperativeStickyBalancer())),
		}
		if r.IntN(3) == 0 {
			more = append(more, kgo.InstanceID(name))
		}
		cl, err := kgo.NewClient(h.consuming(true, more...)...)
		if err != nil {
			return err
		}
		for range 5 + r.IntN(40) {
			if h.consume(ctx, cl, name); ctx.Err() != nil {
				break
			}
			pause(ctx, r, 50*time.Millisecond)
		}
		h.model.did("%s goes", name)
		cl.CloseAllowingRebalance()
	}
	return nil
}

// consume reads once and commits.
func (h *history) consume(ctx context.Context, cl *kgo.Client, name string) {
	short, cancel := context.WithTimeout(ctx, time.Second)
	fetches := cl.PollRecords(short, 50)
	cancel()
	next := map[place]int64{}
	fetches.EachRecord(func(r *kgo.Record) {
		p := place{r.Topic, r.Partition}
		h.model.saw(name, true, p, r.Offset, idOf(r))
		next[p] = r.Offset + 1
	})
	defer cl.AllowRebalance()
	if len(next) == 0 {
		return
	}
	for p, offset := range next {
		h.model.commits(groupName, p, offset, false)
	}
	patience, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	uncommitted := map[string]map[int32]kgo.EpochOffset{}
	for p, offset := range next {
		if uncommitted[p.topic] == nil {
			uncommitted[p.topic] = map[int32]kgo.EpochOffset{}
		}
		uncommitted[p.topic][p.partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	cl.CommitOffsetsSync(patience, uncommitted, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			return
		}
		for _, t := range resp.Topics {
			for _, part := range t.Partitions {
				if p := (place{t.Topic, part.Partition}); part.ErrorCode == 0 {
					h.model.commits(groupName, p, next[p], true)
				}
			}
		}
	})
}

// offset asks where a partition begins (-2) or ends (-1).
func (h *history) offset(ctx context.Context, p place, onlyCommitted bool, which int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if onlyCommitted {
		req.IsolationLevel = 1
	}
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = p.partition, which
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: p.topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{part}}}
	resp, _, err := ask(ctx, h.asker, req, func(r *kmsg.ListOffsetsResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	if err != nil {
		return 0, fmt.Errorf("ends of %s: %w", p, err)
	}
	return resp.Topics[0].Partitions[0].Offset, nil
}

// read reads a partition from its start to its end: as often as it takes to find the same twice, for what was compacted
// in the middle of a reading is old in one part and new in the other.
func (h *history) read(ctx context.Context, p place, onlyCommitted bool) (reading, error) {
	before, err := h.readOnce(ctx, p, onlyCommitted)
	for err == nil {
		var again reading
		if again, err = h.readOnce(ctx, p, onlyCommitted); slices.Equal(before.records, again.records) {
			return again, err
		}
		before = again
	}
	return before, err
}

func (h *history) readOnce(ctx context.Context, p place, onlyCommitted bool) (out reading, err error) {
	for ctx.Err() == nil {
		out = reading{committed: onlyCommitted}
		if out.low, err = h.offset(ctx, p, onlyCommitted, -2); err != nil {
			return out, err
		}
		if out.end, err = h.offset(ctx, p, onlyCommitted, -1); err != nil {
			return out, err
		}
		if out.records, err = h.fetchAll(ctx, p, onlyCommitted, out.low, out.end); errors.Is(err, kerr.OffsetOutOfRange) {
			continue // the log's start has moved meanwhile
		} else if err != nil {
			return out, err
		}
		out.lowAfter, err = h.offset(ctx, p, onlyCommitted, -2)
		return out, err
	}
	return out, ctx.Err()
}

// fetchAll reads from an offset to another.
func (h *history) fetchAll(ctx context.Context, p place, onlyCommitted bool, from, end int64) (out []seen, err error) {
	for empty := 0; from < end; {
		part, err := h.fetch(ctx, p, onlyCommitted, from)
		if err != nil {
			return nil, err
		}
		got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: from, IsolationLevel: isolation(onlyCommitted), Topic: p.topic, Partition: p.partition, KeepControlRecords: false,
		}, part, kgo.DefaultDecompressor(), nil)
		if got.Err != nil {
			return nil, got.Err
		}
		for _, r := range got.Records {
			out = append(out, seen{r.Offset, idOf(r)})
		}
		if next > from {
			from, empty = next, 0
			continue
		}
		if empty++; empty > 2 { // the rest was compacted
			return out, nil
		}
	}
	return out, nil
}

// fetch asks once for what a partition has from an offset on.
func (h *history) fetch(ctx context.Context, p place, onlyCommitted bool, from int64) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = -1, 10, 1, 1<<20, -1
	if onlyCommitted {
		req.IsolationLevel = 1
	}
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes, part.CurrentLeaderEpoch = p.partition, from, 64<<10, -1
	req.Topics = []kmsg.FetchRequestTopic{{Topic: p.topic, Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	resp, _, err := ask(ctx, h.asker, req, func(r *kmsg.FetchResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	if err != nil {
		return nil, fmt.Errorf("fetch %s from %d: %w", p, from, err)
	}
	return &resp.Topics[0].Partitions[0], nil
}

// committedOffset is what a group has committed of a partition; -1 for nothing.
func (h *history) committedOffset(ctx context.Context, group string, p place) (int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: p.topic, Partitions: []int32{p.partition}}}
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = group
	one.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: p.topic, Partitions: []int32{p.partition}}}
	req.Groups = append(req.Groups, one)
	resp, _, err := ask(ctx, h.asker, req, func(r *kmsg.OffsetFetchResponse) int16 {
		if len(r.Groups) > 0 {
			return r.Groups[0].ErrorCode
		}
		return r.ErrorCode
	})
	if err != nil {
		return 0, fmt.Errorf("offsets of %s: %w", group, err)
	}
	if len(resp.Groups) > 0 {
		return resp.Groups[0].Topics[0].Partitions[0].Offset, nil
	}
	return resp.Topics[0].Partitions[0].Offset, nil
}
