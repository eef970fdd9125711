package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
)

// logDir is what the one log directory is called.
const logDir = "bus"

// administration is what admin tools ask.
func administration() []api {
	return []api{
		{key: kmsg.DescribeConfigs, min: 1, max: 4, handle: on(describeConfigs)},
		{key: kmsg.AlterConfigs, min: 0, max: 2, handle: on(alterConfigs)},
		{key: kmsg.IncrementalAlterConfigs, min: 0, max: 1, handle: on(incrementalAlterConfigs)},
		{key: kmsg.CreatePartitions, min: 0, max: 3, handle: on(createPartitions)},
		{key: kmsg.DeleteRecords, min: 0, max: 2, handle: on(deleteRecords)},
		{key: kmsg.DescribeLogDirs, min: 1, max: 4, handle: on(describeLogDirs)},
		{key: kmsg.ElectLeaders, min: 0, max: 2, handle: on(electLeaders)},
		{key: kmsg.ListPartitionReassignments, min: 0, max: 0, handle: on(listReassignments)},
		{key: kmsg.DescribeACLs, min: 1, max: 3, handle: on(describeACLs)},
		{key: kmsg.CreateACLs, min: 1, max: 3, handle: on(createACLs)},
		{key: kmsg.DeleteACLs, min: 1, max: 3, handle: on(deleteACLs)},
		{key: kmsg.DescribeClientQuotas, min: 0, max: 1, handle: on(describeQuotas)},
	}
}

func createPartitions(ctx context.Context, c *conn, req *kmsg.CreatePartitionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	resp.Version = req.Version
	twice := repeated(req.Topics, func(t *kmsg.CreatePartitionsRequestTopic) string { return t.Topic })
	wait, cancel := patienceOf(ctx, req.TimeoutMillis)
	defer cancel()
	for _, one := range req.Topics {
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = one.Topic
		if twice[one.Topic] {
			out.ErrorCode = kerr.InvalidRequest.Code
		} else {
			out.ErrorCode, out.ErrorMessage = c.addPartitions(ctx, wait.Done(), one, req.ValidateOnly)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

func (c *conn) addPartitions(ctx context.Context, late <-chan struct{}, one kmsg.CreatePartitionsRequestTopic, dry bool) (code int16, message *string) {
	failed := func(e *kerr.Error, text string) (int16, *string) { return e.Code, &text }
	t, err := c.door.o.Bus.Alterable(one.Topic)
	switch {
	case !c.may(guard.Alter, one.Topic, t):
		return kerr.TopicAuthorizationFailed.Code, nil
	case fault.CodeOf(err) == fault.Denied:
		return failed(kerr.PolicyViolation, err.Error())
	case err != nil:
		return kept(err).Code, nil
	}
	have := len(t.Partitions())
	switch {
	case int(one.Count) <= have:
		return failed(kerr.InvalidPartitions, fmt.Sprintf("The topic %s currently has %d partition(s); %d would not be an increase.", one.Topic, have, one.Count))
	case one.Assignment != nil && (len(one.Assignment) != int(one.Count)-have || slices.ContainsFunc(one.Assignment, func(a kmsg.CreatePartitionsRequestTopicAssignment) bool {
		return !slices.Equal(a.Replicas, []int32{nodeID})
	})):
		return failed(kerr.InvalidReplicaAssignment, "each new partition has one replica, on broker 1")
	case dry:
		return 0, nil
	}
	err = c.outlast(ctx, late, func(ctx context.Context) error { return c.door.o.Bus.AddPartitions(ctx, one.Topic, one.Count) })
	if fault.CodeOf(err) == fault.Invalid {
		return failed(kerr.InvalidPartitions, err.Error())
	} else if err != nil {
		c.log.Warn("partitions are not added", "topic", one.Topic, "error", err)
		return errorOf(err).Code, nil
	}
	return 0, nil
}

func deleteRecords(ctx context.Context, c *conn, req *kmsg.DeleteRecordsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	resp.Version = req.Version
	for _, t := range req.Topics {
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewDeleteRecordsResponseTopicPartition()
			part.Partition, part.LowWatermark = p.Partition, -1
			if at, failed := c.trimmable(t.Topic, p.Partition); failed != nil {
				part.ErrorCode = failed.Code
			} else if err := at.Trim(ctx, p.Offset); err != nil {
				part.ErrorCode = errorOf(err).Code
			} else {
				part.LowWatermark = at.LogStart() // which a reader that needs them may hold below
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// trimmable is a partition whose records the client may delete.
func (c *conn) trimmable(topic string, number int32) (*bus.Partition, *kerr.Error) {
	t, err := c.door.o.Bus.Topic(topic)
	switch {
	case !c.may(guard.Alter, topic, t):
		return nil, kerr.TopicAuthorizationFailed
	case err != nil || number < 0 || int(number) >= len(t.Partitions()):
		return nil, kerr.UnknownTopicOrPartition
	}
	if deletes, _ := t.Config().Cleanup(); !deletes || bus.Own(topic) {
		return nil, kerr.PolicyViolation
	}
	return t.Partitions()[number], nil
}

func describeLogDirs(_ context.Context, c *conn, req *kmsg.DescribeLogDirsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	resp.Version = req.Version
	asked := map[string][]int32{}
	for _, t := range req.Topics {
		asked[t.Topic] = append(asked[t.Topic], t.Partitions...)
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = logDir
	for _, s := range c.door.o.Bus.Stats() { // in order of topics
		if req.Topics != nil && !slices.Contains(asked[s.Topic], s.Partition) || !c.describes(s.Topic, nil) {
			continue
		}
		if n := len(dir.Topics); n == 0 || dir.Topics[n-1].Topic != s.Topic {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = s.Topic
			dir.Topics = append(dir.Topics, t)
		}
		p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		p.Partition, p.Size = s.Partition, s.Bytes
		last := &dir.Topics[len(dir.Topics)-1]
		last.Partitions = append(last.Partitions, p)
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp, nil
}

// electLeaders tells that the one broker leads already.
func electLeaders(_ context.Context, c *conn, req *kmsg.ElectLeadersRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrElectLeadersResponse()
	resp.Version = req.Version
	for _, t := range req.Topics {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = t.Topic
		for _, n := range t.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = n
			why := kerr.ElectionNotNeeded
			if _, failed := c.readable(t.Topic, n, -1); failed != nil {
				why = failed
			}
			p.ErrorCode, p.ErrorMessage = why.Code, new(why.Description)
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// listReassignments tells that no partition moves.
func listReassignments(_ context.Context, _ *conn, req *kmsg.ListPartitionReassignmentsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrListPartitionReassignmentsResponse()
	resp.Version = req.Version
	return resp, nil
}

// noACLs is what Kafka says without an authorizer.
const noACLs = "No Authorizer is configured."

func describeACLs(_ context.Context, _ *conn, req *kmsg.DescribeACLsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeACLsResponse()
	resp.Version, resp.ErrorCode, resp.ErrorMessage = req.Version, kerr.SecurityDisabled.Code, new(noACLs)
	return resp, nil
}

func createACLs(_ context.Context, _ *conn, req *kmsg.CreateACLsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrCreateACLsResponse()
	resp.Version = req.Version
	for range req.Creations {
		out := kmsg.NewCreateACLsResponseResult()
		out.ErrorCode, out.ErrorMessage = kerr.SecurityDisabled.Code, new(noACLs)
		resp.Results = append(resp.Results, out)
	}
	return resp, nil
}

func deleteACLs(_ context.Context, _ *conn, req *kmsg.DeleteACLsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDeleteACLsResponse()
	resp.Version = req.Version
	for range req.Filters {
		out := kmsg.NewDeleteACLsResponseResult()
		out.ErrorCode, out.ErrorMessage = kerr.SecurityDisabled.Code, new(noACLs)
		resp.Results = append(resp.Results, out)
	}
	return resp, nil
}

// describeQuotas tells that there are none.
func describeQuotas(_ context.Context, _ *conn, req *kmsg.DescribeClientQuotasRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeClientQuotasResponse()
	resp.Version, resp.Entries = req.Version, []kmsg.DescribeClientQuotasResponseEntry{}
	return resp, nil
}
