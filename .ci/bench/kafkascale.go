//go:build duckdb_arrow

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// What there is many of: each has a program of its own.
const (
	scaleTopics      = 4
	scalePartitions  = 1000 // of each topic
	scaleConsumers   = 1000
	scaleConnections = 10_000
	scaleTrips       = 1000
	scaleWithin      = 10 * time.Minute // for each step
	scaleIdle        = 30 * time.Second // over which the CPU of a program that has nothing to do is taken
	scaleDials       = 64               // connections that are opened at once
)

// manyPartitions makes thousands, produces to each, and starts again, cleanly and after kill -9.
func (b *bench) manyPartitions(ctx context.Context) error {
	k, err := b.kafkaTarn("kafka-partitions", "always")
	if err != nil {
		return err
	}
	if err := k.start(); err != nil {
		return err
	}
	defer func() { _ = k.end() }()
	empty := k.rss()
	all := fmt.Sprint(scaleTopics * scalePartitions)
	took, err := timed(func() error { return k.topics(ctx, scaleTopics, scalePartitions) })
	if err != nil {
		return err
	}
	b.print("kafka_partitions_"+all+"_create_s", "%.1f", took)
	b.spent(k, "kafka_partitions_"+all+"_create")
	if took, err = timed(func() error { return k.each(ctx) }); err != nil {
		return err
	}
	b.print("kafka_partitions_"+all+"_produce_to_each_s", "%.1f", took)
	b.idle(k, "kafka_partitions_"+all, empty)
	for _, one := range []struct {
		how  string
		stop func() error
	}{{"clean", k.stop}, {"kill", k.end}} {
		if took, err = timed(one.stop); err != nil {
			return err
		}
		b.print("kafka_partitions_"+all+"_stop_"+one.how+"_s", "%.1f", took)
		if took, err = timed(k.start); err != nil {
			return err
		}
		b.print("kafka_partitions_"+all+"_start_after_"+one.how+"_s", "%.1f", took)
		b.spent(k, "kafka_partitions_"+all+"_start_after_"+one.how)
		if took, err = timed(func() error { return k.one(ctx, "many-0", 100) }); err != nil {
			return err
		}
		b.print("kafka_partitions_"+all+"_first_ack_after_"+one.how+"_s", "%.2f", took)
		b.idle(k, "kafka_partitions_"+all+"_after_"+one.how, empty)
	}
	return nil
}

// spent prints what the program has spent of CPU since it was started, which a busy machine changes less than what that took.
func (b *bench) spent(k *broker, name string) {
	cpu, _ := k.cost()
	b.print(name+"_cpu_s", "%.1f", cpu.Seconds())
}

// idle prints the memory that was added and the CPU of a program that has nothing to do.
func (b *bench) idle(k *broker, name string, empty float64) {
	before, _ := k.cost()
	time.Sleep(scaleIdle)
	after, _ := k.cost()
	b.print(name+"_idle_cpu_s_per_min", "%.2f", (after-before).Seconds()*float64(time.Minute)/float64(scaleIdle))
	b.print(name+"_rss_added_mb", "%.0f", k.rss()-empty)
}

func timed(do func() error) (seconds float64, err error) {
	began := time.Now()
	err = do()
	return time.Since(began).Seconds(), err
}

// topics makes some, many-0 and on.
func (k *broker) topics(ctx context.Context, n int, partitions int32) error {
	ctx, cancel := context.WithTimeout(ctx, scaleWithin)
	defer cancel()
	cl, err := k.client(kgo.RequestTimeoutOverhead(scaleWithin))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := range n {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = int32(scaleWithin.Milliseconds())
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = fmt.Sprint("many-", i), partitions, 1
		req.Topics = append(req.Topics, t)
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}
		if err != nil {
			return fmt.Errorf("make topic %s: %w", t.Topic, err)
		}
	}
	return nil
}

// each produces a record to each partition.
func (k *broker) each(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scaleWithin)
	defer cancel()
	cl, err := k.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	var records []*kgo.Record
	for i := range scaleTopics {
		for n := range int32(scalePartitions) {
			records = append(records, &kgo.Record{Topic: fmt.Sprint("many-", i), Partition: n, Value: valueOf(100)})
		}
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

// manyConsumers lets many consumers wait for records that do not come, in groups of ten, with the patience that Java's
// client and franz-go's have as they come.
func (b *bench) manyConsumers(ctx context.Context) error {
	const members = 10
	k, err := b.kafkaTarn("kafka-consumers", "always")
	if err != nil {
		return err
	}
	if err := k.start(); err != nil {
		return err
	}
	defer func() { _ = k.end() }()
	if err := k.topics(ctx, 1, members); err != nil {
		return err
	}
	for _, patience := range []time.Duration{500 * time.Millisecond, 5 * time.Second} {
		empty := k.rss()
		var consumers []*kgo.Client
		for i := range scaleConsumers {
			cl, err := k.client(kgo.ConsumeTopics("many-0"), kgo.ConsumerGroup(fmt.Sprint("idle-", i/members)), kgo.FetchMaxWait(patience))
			if err != nil {
				return err
			}
			consumers = append(consumers, cl)
		}
		if err := k.balanced(ctx, scaleConsumers/members, members); err != nil {
			return err
		}
		b.idle(k, fmt.Sprintf("kafka_idle_consumers_%d_wait_%dms", scaleConsumers, patience.Milliseconds()), empty)
		var leaving errgroup.Group
		for _, cl := range consumers {
			leaving.Go(func() error { cl.Close(); return nil })
		}
		_ = leaving.Wait()
	}
	return nil
}

// balanced waits until groups idle-0 and on have all their members.
func (k *broker) balanced(ctx context.Context, groups, members int) error {
	ctx, cancel := context.WithTimeout(ctx, scaleWithin)
	defer cancel()
	cl, err := k.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrDescribeGroupsRequest()
	for i := range groups {
		req.Groups = append(req.Groups, fmt.Sprint("idle-", i))
	}
	for {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		whole := 0
		for _, g := range resp.Groups {
			if g.State == "Stable" && len(g.Members) == members {
				whole++
			}
		}
		if whole == groups {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// manyConnections holds connections open beside a client that works: a tenth of them wait in a fetch.
func (b *bench) manyConnections(ctx context.Context) error {
	k, err := b.kafkaTarn("kafka-connections", "always")
	if err != nil {
		return err
	}
	if err := k.start(); err != nil {
		return err
	}
	defer func() { _ = k.end() }()
	if err := k.topics(ctx, 1, 1); err != nil {
		return err
	}
	if _, err := k.trips(ctx, "warm", 500); err != nil {
		return err
	}
	empty := k.rss()
	alone, err := k.trips(ctx, "alone", scaleTrips)
	if err != nil {
		return err
	}
	var all []net.Conn
	defer func() {
		for _, c := range all {
			_ = c.Close()
		}
	}()
	opened := make(chan net.Conn, scaleConnections)
	var dials errgroup.Group
	dials.SetLimit(scaleDials)
	for i := range scaleConnections {
		dials.Go(func() error {
			c, err := k.waiting(i%10 == 0)
			if err == nil {
				opened <- c
			}
			return err
		})
	}
	err = dials.Wait()
	close(opened)
	for c := range opened {
		all = append(all, c)
	}
	if err != nil {
		return fmt.Errorf("after %d connections: %w", len(all), err)
	}
	b.idle(k, fmt.Sprintf("kafka_connections_%d", len(all)), empty)
	b.print(fmt.Sprintf("kafka_connections_%d_rss_mb", len(all)), "%.0f", k.rss())
	beside, err := k.trips(ctx, "beside", scaleTrips)
	if err != nil {
		return err
	}
	b.print("kafka_connections_p99_alone_ms", "%.2f", quantile(alone, 0.99))
	b.print("kafka_connections_p99_beside_ms", "%.2f", quantile(beside, 0.99))
	b.print("kafka_connections_p99_ratio", "%.2f", quantile(beside, 0.99)/quantile(alone, 0.99))
	return nil
}

// waiting is a connection that has asked for versions, topics and, if it fetches, for records that do not come.
func (k *broker) waiting(fetches bool) (net.Conn, error) {
	c, err := net.Dial("tcp", k.address)
	if err != nil {
		return nil, err
	}
	versions, metadata := kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrMetadataRequest()
	metadata.Version = 9
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = new("many-0")
	metadata.Topics = append(metadata.Topics, topic)
	for i, r := range []kmsg.Request{versions, metadata} {
		if err := said(c, r, int32(i)); err != nil { //nolint:gosec // two
			return nil, err
		}
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return nil, err
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
			return nil, err
		}
	}
	if !fetches {
		return c, nil
	}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxWaitMillis, fetch.MinBytes, fetch.MaxBytes = 11, int32(scaleWithin.Milliseconds()), 1, 1<<20
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes, p.CurrentLeaderEpoch = 1<<20, -1
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "many-0", Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return c, said(c, fetch, 2)
}

func said(c net.Conn, r kmsg.Request, n int32) error {
	_, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, r, n))
	return err
}
