package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/bus/group"
	"tarn/embedded/guard"
)

// byTopicID is the version from which OffsetCommit and OffsetFetch name topics by their ids (KIP-848).
const byTopicID = 10

// topicName finds the name of a topic that a request names, and tells whether the client may read it.
func (c *conn) topicName(name string, id [16]byte, byID bool) (string, *kerr.Error) {
	var t *bus.Topic
	if byID {
		var err error
		if t, err = c.door.o.Bus.TopicOf(id); err != nil {
			return "", kerr.UnknownTopicID
		}
		name = t.Name()
	} else if found, err := c.door.o.Bus.Topic(name); err == nil {
		t = found
	}
	if !c.may(guard.Read, name, t) {
		return name, kerr.TopicAuthorizationFailed
	}
	return name, nil
}

func offsetCommit(ctx context.Context, c *conn, req *kmsg.OffsetCommitRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Version = req.Version
	r := group.Commit{Beat: group.Beat{Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Generation: req.Generation}}
	if req.RetentionTimeMillis > 0 {
		r.Keep = time.Duration(req.RetentionTimeMillis) * time.Millisecond
	}
	var places []*kmsg.OffsetCommitResponseTopicPartition // of the offsets, in their order
	for _, t := range req.Topics {
		name, failed := c.topicName(t.Topic, t.TopicID, req.Version >= byTopicID)
		topic := kmsg.NewOffsetCommitResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		topic.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		for i, p := range t.Partitions {
			place := &topic.Partitions[i]
			if place.Partition = p.Partition; failed != nil {
				place.ErrorCode = failed.Code
				continue
			}
			places = append(places, place)
			r.Offsets = append(r.Offsets, group.Offset{
				Partition: group.Partition{Topic: name, Number: p.Partition}, At: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: text(p.Metadata),
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	err := c.mayGroup(guard.Read, req.Group)
	var errs []error
	if err == nil {
		errs, err = c.door.o.Groups.Commit(ctx, r)
	}
	if errors.Is(err, group.ErrNotFound) && req.Version < 9 {
		err = group.ErrGeneration
	}
	for i, place := range places {
		if place.ErrorCode = codeOf(err); err == nil {
			place.ErrorCode = codeOf(errs[i])
		}
	}
	return resp, nil
}

func offsetFetch(ctx context.Context, c *conn, req *kmsg.OffsetFetchRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.Version = req.Version
	if req.Version >= 8 {
		for _, g := range once(req.Groups, func(g *kmsg.OffsetFetchRequestGroup) string { return g.Group }) {
			resp.Groups = append(resp.Groups, c.fetchGroup(ctx, g, req.Version, req.RequireStable))
		}
		return resp, nil
	}
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = req.Group
	if req.Topics != nil {
		one.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetFetchRequestGroupTopic()
		topic.Topic, topic.Partitions = t.Topic, t.Partitions
		one.Topics = append(one.Topics, topic)
	}
	got := c.fetchGroup(ctx, one, req.Version, req.RequireStable)
	resp.ErrorCode = got.ErrorCode
	for _, t := range got.Topics {
		topic := kmsg.NewOffsetFetchResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetFetchResponseTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch, part.Metadata, part.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

// fetchGroup answers for one group, if there is room for that.
func (c *conn) fetchGroup(ctx context.Context, req kmsg.OffsetFetchRequestGroup, version int16, stable bool) kmsg.OffsetFetchResponseGroup {
	out := c.offsetsOf(req, version, stable)
	size := elementBytes + len(out.Group)
	for _, t := range out.Topics {
		size += elementBytes + len(t.Topic)
		for _, p := range t.Partitions {
			size += elementBytes + len(text(p.Metadata))
		}
	}
	if full := c.takes(ctx, size); full != nil {
		out.ErrorCode, out.Topics = full.code, nil
	}
	return out
}

// offsetsOf is what one group has committed: of the topics that are named, or of all that the client may read.
func (c *conn) offsetsOf(req kmsg.OffsetFetchRequestGroup, version int16, stable bool) kmsg.OffsetFetchResponseGroup {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = req.Group
	if err := c.mayGroup(guard.Read, req.Group); err != nil {
		out.ErrorCode = codeOf(err)
		return out
	}
	if req.Topics == nil {
		got, err := c.door.o.Groups.Fetch(req.Group, nil, stable)
		out.ErrorCode = codeOf(err)
		for _, f := range got {
			t, err := c.door.o.Bus.Topic(f.Topic)
			if err != nil || !c.may(guard.Read, f.Topic, t) {
				continue
			}
			if n := len(out.Topics); n == 0 || out.Topics[n-1].Topic != f.Topic {
				topic := kmsg.NewOffsetFetchResponseGroupTopic()
				topic.Topic, topic.TopicID = f.Topic, t.ID()
				out.Topics = append(out.Topics, topic)
			}
			last := &out.Topics[len(out.Topics)-1]
			last.Partitions = append(last.Partitions, fetchedOffset(f))
		}
		return out
	}
	for _, t := range once(req.Topics, func(t *kmsg.OffsetFetchRequestGroupTopic) place { return place{topic: t.Topic, id: t.TopicID} }) {
		name, failed := c.topicName(t.Topic, t.TopicID, version >= byTopicID)
		t.Partitions = once(t.Partitions, itself)
		topic := kmsg.NewOffsetFetchResponseGroupTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		of := make([]group.Partition, len(t.Partitions))
		for i, p := range t.Partitions {
			of[i] = group.Partition{Topic: name, Number: p}
		}
		got, err := c.door.o.Groups.Fetch(req.Group, of, stable)
		if err != nil {
			out.ErrorCode = codeOf(err)
			return out
		}
		for _, f := range got {
			p := fetchedOffset(f)
			if failed != nil {
				p = fetchedOffset(group.Fetched{Partition: f.Partition, Committed: group.Committed{Offset: -1, LeaderEpoch: -1}, Err: failed})
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		out.Topics = append(out.Topics, topic)
	}
	return out
}

func fetchedOffset(f group.Fetched) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = f.Number, f.Offset, f.LeaderEpoch, &f.Metadata, codeOf(f.Err)
	return p
}

func offsetDelete(ctx context.Context, c *conn, req *kmsg.OffsetDeleteRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.Version = req.Version
	var of []group.Partition
	var places []*kmsg.OffsetDeleteResponseTopicPartition // of of, in its order
	for _, t := range req.Topics {
		name, failed := c.topicName(t.Topic, [16]byte{}, false)
		topic := kmsg.NewOffsetDeleteResponseTopic()
		topic.Topic = t.Topic
		topic.Partitions = make([]kmsg.OffsetDeleteResponseTopicPartition, len(t.Partitions))
		for i, p := range t.Partitions {
			place := &topic.Partitions[i]
			if place.Partition = p.Partition; failed != nil {
				place.ErrorCode = failed.Code
				continue
			}
			places, of = append(places, place), append(of, group.Partition{Topic: name, Number: p.Partition})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	err := c.mayGroup(guard.Drop, req.Group)
	var errs []error
	if err == nil {
		errs, err = c.door.o.Groups.DeleteOffsets(ctx, req.Group, of)
	}
	if err != nil {
		resp.ErrorCode, resp.Topics = codeOf(err), nil
		return resp, nil
	}
	for i, place := range places {
		place.ErrorCode = codeOf(errs[i])
	}
	return resp, nil
}
