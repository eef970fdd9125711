package kafka

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
)

// configGiven is Kafka's source of a setting that a topic was given; configDefault that of one that it was not.
const (
	configGiven   = 1
	configDefault = 5
)

// describedMax is how many partitions one DescribeTopicPartitions tells of, as Kafka's max.request.partition.size.limit.
const describedMax = 2000

// makeMin is how long a client waits for topics and partitions at least; makingMax is how many topics are being made for clients,
// those that wait no more among them.
const (
	makeMin   = time.Second
	makingMax = 16
)

// outlast does what goes on when the client's time is over, such as making a thousand partitions: the client then gets
// REQUEST_TIMED_OUT, as Kafka has it. It ends with ctx.
func (c *conn) outlast(ctx context.Context, late <-chan struct{}, do func(context.Context) error) error {
	unbegun := fmt.Errorf("it was not begun in time, ask for it again: %w", context.DeadlineExceeded)
	select {
	case <-late: // looked at first: of two that are ready a select takes either
		return unbegun
	default:
	}
	select {
	case c.door.making <- struct{}{}:
	case <-late:
		return unbegun
	}
	done := make(chan error, 1)
	c.door.made.Go(func() {
		defer func() { <-c.door.making }()
		done <- life.Guarded(c.log, func() error { return do(ctx) })
	})
	select {
	case err := <-done:
		return err
	case <-late:
		return fmt.Errorf("it is still being made, ask for it again: %w", context.DeadlineExceeded)
	}
}

// patienceOf ends with the time that a client waits for topics, or with ctx.
func patienceOf(ctx context.Context, millis int32) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(time.Duration(millis)*time.Millisecond, makeMin))
}

// refusal is an error of Kafka's with what to say.
type refusal struct {
	code int16
	text string
}

func refuse(e *kerr.Error, format string, args ...any) *refusal {
	return &refusal{e.Code, fmt.Sprintf(format, args...)}
}

func createTopics(ctx context.Context, c *conn, req *kmsg.CreateTopicsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrCreateTopicsResponse()
	resp.Version = req.Version
	named := map[string]int{}
	for i := range req.Topics {
		named[req.Topics[i].Topic]++
	}
	told := map[string]bool{}
	wait, cancel := patienceOf(ctx, req.TimeoutMillis)
	defer cancel()
	for i := range req.Topics {
		t := &req.Topics[i]
		if told[t.Topic] {
			continue
		}
		told[t.Topic] = true
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.NumPartitions, out.ReplicationFactor = t.Topic, -1, -1
		failed := refuse(kerr.InvalidRequest, "topic %s is named more than once", t.Topic)
		if named[t.Topic] == 1 {
			failed = c.createTopic(ctx, wait.Done(), t, req.ValidateOnly, &out)
		}
		if failed != nil {
			out.ErrorCode, out.ErrorMessage = failed.code, &failed.text
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

func (c *conn) createTopic(ctx context.Context, late <-chan struct{}, t *kmsg.CreateTopicsRequestTopic, validate bool, out *kmsg.CreateTopicsResponseTopic) *refusal {
	if !c.may(guard.Create, t.Topic, nil) {
		return refuse(kerr.TopicAuthorizationFailed, "user %s may not create topic %s", c.who.User, t.Topic)
	}
	if err := c.door.o.Bus.Creatable(t.Topic); err != nil {
		return refuse(kept(err), "%s", err)
	}
	config, failed := topicConfig(t)
	if failed != nil {
		return failed
	}
	if !validate {
		var made *bus.Topic
		err := c.outlast(ctx, late, func(ctx context.Context) (err error) {
			made, err = c.door.o.Bus.CreateTopic(ctx, t.Topic, config)
			return err
		})
		if err != nil {
			if fault.CodeOf(err) == fault.Invalid {
				return refuse(kerr.InvalidPartitions, "%s", err)
			}
			return refuse(errorOf(err), "%s", err)
		}
		out.TopicID, config = made.ID(), made.Config()
	}
	out.NumPartitions, out.ReplicationFactor, out.Configs = config.Partitions, 1, createdConfigs(config)
	return nil
}

// topicConfig is what a new topic is to be. One replica is all there is.
func topicConfig(t *kmsg.CreateTopicsRequestTopic) (config bus.TopicConfig, failed *refusal) {
	config.Partitions = t.NumPartitions
	switch n := len(t.ReplicaAssignment); {
	case n > 0 && (t.NumPartitions != -1 || t.ReplicationFactor != -1):
		return config, refuse(kerr.InvalidRequest, "both partitions and their replicas are given")
	case n > 0:
		config.Partitions = int32(n) //nolint:gosec // bounded by the frame
		for _, a := range t.ReplicaAssignment {
			if a.Partition < 0 || int(a.Partition) >= n || !slices.Equal(a.Replicas, []int32{nodeID}) {
				return config, refuse(kerr.InvalidReplicaAssignment, "partitions are numbered from 0, and broker %d holds each", nodeID)
			}
		}
	case t.NumPartitions == -1:
		config.Partitions = 1
	case t.NumPartitions < 1 || t.NumPartitions > bus.PartitionsMax:
		return config, refuse(kerr.InvalidPartitions, "%d partitions, want 1 to %d", t.NumPartitions, bus.PartitionsMax)
	case t.ReplicationFactor != -1 && t.ReplicationFactor != 1:
		return config, refuse(kerr.InvalidReplicationFactor, "replication factor %d, but there is one broker", t.ReplicationFactor)
	}
	for _, s := range t.Configs {
		if s.Value == nil {
			return config, refuse(kerr.InvalidConfig, "setting %s has no value", s.Name)
		}
		var err error
		if config, err = config.With(s.Name, *s.Value); err != nil {
			return config, refuse(kerr.InvalidConfig, "%s", err)
		}
	}
	return config, nil
}

// createdConfigs are the settings of a topic that was made.
func createdConfigs(config bus.TopicConfig) (out []kmsg.CreateTopicsResponseTopicConfig) {
	for _, s := range bus.Settings() {
		value, set := s.Value(config)
		one := kmsg.NewCreateTopicsResponseTopicConfig()
		one.Name, one.Value, one.Source = s.Name, &value, configDefault
		if set {
			one.Source = configGiven
		}
		out = append(out, one)
	}
	return out
}

func deleteTopics(ctx context.Context, c *conn, req *kmsg.DeleteTopicsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	resp.Version = req.Version
	wanted := req.Topics
	for _, name := range req.TopicNames {
		one := kmsg.NewDeleteTopicsRequestTopic()
		one.Topic = &name
		wanted = append(wanted, one)
	}
	for _, w := range wanted {
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = w.Topic, w.TopicID
		if failed := c.deleteTopic(ctx, w, &out); failed != nil {
			out.ErrorCode, out.ErrorMessage = failed.code, &failed.text
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

func (c *conn) deleteTopic(ctx context.Context, w kmsg.DeleteTopicsRequestTopic, out *kmsg.DeleteTopicsResponseTopic) *refusal {
	var t *bus.Topic
	var err error
	byName := w.Topic != nil
	if byName {
		t, err = c.door.o.Bus.Topic(*w.Topic)
	} else if t, err = c.door.o.Bus.TopicOf(w.TopicID); err != nil {
		return refuse(kerr.UnknownTopicID, "no topic has this id")
	}
	switch {
	case byName && !c.may(guard.Drop, *w.Topic, t), !byName && !c.may(guard.Drop, t.Name(), t):
		return refuse(kerr.TopicAuthorizationFailed, "user %s may not delete it", c.who.User)
	case err != nil:
		return refuse(kerr.UnknownTopicOrPartition, "there is no topic %s", *w.Topic)
	}
	name := t.Name()
	out.Topic, out.TopicID = &name, t.ID()
	if _, err := c.door.o.Bus.Deletable(name); err != nil {
		return refuse(kept(err), "%s: %s", err, fault.HintOf(err))
	}
	if err := c.door.o.Bus.DeleteTopic(ctx, name); err != nil {
		return refuse(errorOf(err), "%s", err)
	}
	return nil
}

func describeCluster(_ context.Context, c *conn, req *kmsg.DescribeClusterRequest) (kmsg.Response, error) {
	const brokers = 1 // the endpoint type; 2 are controllers, which nobody reaches
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.Version = req.Version
	resp.ClusterID, resp.ControllerID = c.door.cluster, nodeID
	if req.Version >= 1 && req.EndpointType != brokers {
		resp.ErrorCode, resp.ErrorMessage = kerr.MismatchedEndpointType.Code, new("this is a broker")
		return resp, nil
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID = nodeID
	b.Host, b.Port = c.host()
	resp.Brokers = append(resp.Brokers, b)
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp, nil
}

func describeTopicPartitions(_ context.Context, c *conn, req *kmsg.DescribeTopicPartitionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	resp.Version = req.Version
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(names) == 0 {
		for _, t := range c.door.o.Bus.Topics() {
			if c.describes(t.Name(), t) {
				names = append(names, t.Name())
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	from := int32(0)
	if req.Cursor != nil {
		from = max(req.Cursor.Partition, 0)
		at, found := slices.BinarySearch(names, req.Cursor.Topic)
		if names = names[at:]; !found {
			from = 0
		}
	}
	left := describedMax
	if req.ResponsePartitionLimit > 0 {
		left = min(left, int(req.ResponsePartitionLimit))
	}
	for _, name := range names {
		if left <= 0 {
			resp.NextCursor = nextCursor(name, 0)
			break
		}
		t, n := c.describedTopic(name, from, left)
		resp.Topics = append(resp.Topics, t)
		left -= len(t.Partitions)
		if from += int32(len(t.Partitions)); from < n { //nolint:gosec // bounded by describedMax
			resp.NextCursor = nextCursor(name, from)
			break
		}
		from = 0
	}
	return resp, nil
}

func nextCursor(topic string, partition int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	next.Topic, next.Partition = topic, partition
	return &next
}

// describedTopic tells of a topic's partitions from one on, and how many it has.
func (c *conn) describedTopic(name string, from int32, most int) (out kmsg.DescribeTopicPartitionsResponseTopic, partitions int32) {
	out = kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic = &name
	t, err := c.door.o.Bus.Topic(name)
	switch {
	case !c.describes(name, t):
		out.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return out, 0
	case bus.CheckName(name) != nil:
		out.ErrorCode = kerr.InvalidTopicException.Code
		return out, 0
	case err != nil:
		out.ErrorCode = kerr.UnknownTopicOrPartition.Code
		return out, 0
	}
	out.TopicID, out.AuthorizedOperations = t.ID(), c.topicOperations(t)
	all := t.Partitions()
	one := []int32{nodeID} // shared: nobody changes it
	for _, p := range all[min(int(from), len(all)):min(int(from)+most, len(all))] {
		part := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		part.Partition, part.LeaderID, part.LeaderEpoch, part.Replicas, part.ISR = p.Number(), nodeID, leaderEpoch, one, one
		part.EligibleLeaderReplicas, part.LastKnownELR, part.OfflineReplicas = []int32{}, []int32{}, []int32{}
		out.Partitions = append(out.Partitions, part)
	}
	return out, int32(len(all)) //nolint:gosec // bounded by PartitionsMax
}

// offsetForLeaderEpoch tells where an epoch ended: there is one, which goes on to the end of the log.
func offsetForLeaderEpoch(_ context.Context, c *conn, req *kmsg.OffsetForLeaderEpochRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	resp.Version = req.Version
	for _, t := range req.Topics {
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition, part.LeaderEpoch, part.EndOffset = p.Partition, -1, -1
			at, failed := c.readable(t.Topic, p.Partition, p.CurrentLeaderEpoch)
			switch {
			case failed != nil:
				part.ErrorCode = failed.Code
			case p.LeaderEpoch == leaderEpoch:
				part.LeaderEpoch, part.EndOffset = leaderEpoch, at.Written()
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}
