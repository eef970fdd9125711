package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tarn/embedded/bus"
)

func (h *house) topic(name string, partitions int32) {
	h.t.Helper()
	if _, err := h.bus.CreateTopic(h.t.Context(), name, bus.TopicConfig{Partitions: partitions}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) produce(topic string, from, to int) {
	h.t.Helper()
	c := h.client(kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, kgo.StringRecord(fmt.Sprint(i)))
	}
	if err := c.ProduceSync(h.t.Context(), records...).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

// tally counts what consumers have seen.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (s *tally) take(value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[string(value)]++
}

func (s *tally) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// consume reads as a member of group g until ctx ends: what it has read is committed before anybody else may
// be given its partitions.
func (h *house) consume(ctx context.Context, seen *tally, opts ...kgo.Opt) error {
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(h.addr), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100 * time.Millisecond), kgo.HeartbeatInterval(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		return err
	}
	defer c.CloseAllowingRebalance()
	for ctx.Err() == nil {
		fetches := c.PollRecords(ctx, 100)
		if err := fetches.Err0(); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) { seen.take(r.Value) })
		if err := c.CommitRecords(context.WithoutCancel(ctx), fetches.Records()...); err != nil {
			return err
		}
		c.AllowRebalance()
	}
	return nil
}

// Members come and go while records come: each record is seen once.
func TestMembersComeAndGo(t *testing.T) {
	h := newHouse(t)
	h.topic("t", 6)
	const records = 3000
	seen := &tally{seen: map[string]int{}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	errs := make(chan error, 100)
	run := func(ctx context.Context, opts ...kgo.Opt) {
		all.Go(func() { errs <- h.consume(ctx, seen, opts...) })
	}
	run(ctx)
	for i := range 10 {
		h.produce("t", i*records/10, (i+1)*records/10)
		short, end := context.WithCancel(ctx)
		if i%3 == 0 {
			run(short, kgo.InstanceID(fmt.Sprint("i", i)), kgo.SessionTimeout(6*time.Second))
		} else {
			run(short, kgo.Balancers(kgo.CooperativeStickyBalancer(), kgo.RangeBalancer()))
		}
		for want := (i + 1) * records / 20; seen.len() < want && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		}
		end()
	}
	for seen.len() < records && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if len(seen.seen) != records {
		t.Errorf("%d of %d records were seen", len(seen.seen), records)
	}
	for value, n := range seen.seen {
		if n != 1 {
			t.Errorf("record %s was seen %d times", value, n)
		}
	}
}

// Clients of all ages find their group, its offsets, and one another.
func TestClientsOfAllAges(t *testing.T) {
	h := newHouse(t)
	h.topic("t", 2)
	h.produce("t", 0, 10)
	for name, versions := range map[string]*kversion.Versions{
		"0.11": kversion.V0_11_0(), "2.0": kversion.V2_0_0(), "2.3": kversion.V2_3_0(), "2.5": kversion.V2_5_0(), "3.0": kversion.V3_0_0(), "3.9": kversion.V3_9_0(), "newest": kversion.Stable(),
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for range 2 { // the second goes on where the first has committed
				c, err := kgo.NewClient(kgo.SeedBrokers(h.addr), kgo.MaxVersions(versions), kgo.ConsumerGroup("g-"+name), kgo.ConsumeTopics("t"),
					kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.FetchMaxWait(100*time.Millisecond))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				for n := 0; n < 5 && ctx.Err() == nil; {
					fetches := c.PollRecords(ctx, 5-n)
					n += fetches.NumRecords()
					fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
					if err := c.CommitRecords(ctx, fetches.Records()...); err != nil {
						t.Fatal(err)
					}
				}
				cancel()
				c.Close()
			}
			if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != 10 || len(got) != 10 {
				t.Fatalf("got %v", got)
			}
		})
	}
}

// committed is what a group has committed, by topic/partition.
func (h *house) committed(c *kgo.Client, group string) map[string]int64 {
	h.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(h.t.Context(), c)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		h.t.Fatal(err)
	}
	out := map[string]int64{}
	for _, t := range resp.Groups[0].Topics {
		name := t.Topic
		for _, known := range h.bus.Topics() {
			if t.Topic == "" && known.ID() == t.TopicID {
				name = known.Name()
			}
		}
		for _, p := range t.Partitions {
			out[fmt.Sprintf("%s/%d", name, p.Partition)] = p.Offset
		}
	}
	return out
}

// commit is that of a simple consumer, which is in no group.
func (h *house) commit(c *kgo.Client, group string, topic string, partition int32, offset int64) error {
	h.t.Helper()
	known, err := h.bus.Topic(topic)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	if t.Topic = topic; err == nil {
		t.TopicID = known.ID()
	}
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, offset, -1, new("m")
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(h.t.Context(), c)
	if err != nil {
		h.t.Fatal(err)
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

func TestAdminOfGroups(t *testing.T) {
	h := newHouse(t)
	h.topic("t", 2)
	h.topic("u", 1)
	h.produce("t", 0, 10)
	c := h.client()
	for _, group := range []string{"simple", "other"} {
		if err := errors.Join(h.commit(c, group, "t", 1, 4), h.commit(c, group, "u", 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.commit(c, "simple", "t", 2, 4); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Fatal(err)
	}
	seen := &tally{seen: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.consume(ctx, seen, kgo.InstanceID("one"), kgo.ClientID("me")) }()
	for seen.len() < 10 {
		time.Sleep(5 * time.Millisecond)
	}
	list := func(states, types []string) []string {
		t.Helper()
		req := kmsg.NewPtrListGroupsRequest()
		req.StatesFilter, req.TypesFilter = states, types
		resp, err := req.RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range resp.Groups {
			names = append(names, g.Group+" "+g.GroupState+" "+g.GroupType+" "+g.ProtocolType)
		}
		return names
	}
	want := []string{"g Stable classic consumer", "other Empty classic ", "simple Empty classic "}
	if got := list(nil, nil); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if got := list([]string{"stable"}, []string{"Classic"}); !slices.Equal(got, want[:1]) {
		t.Fatalf("%q", got)
	}
	if got := list(nil, []string{"consumer"}); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"g", "nobody's"}
	described, err := describe.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	g := described.Groups[0]
	if g.State != "Stable" || len(g.Members) != 1 || *g.Members[0].InstanceID != "one" || g.Members[0].ClientID != "me" || g.Members[0].ClientHost != "/127.0.0.1" || len(g.Members[0].MemberAssignment) == 0 {
		t.Fatalf("%+v", g)
	}
	if none := described.Groups[1]; none.State != "Dead" || !errors.Is(kerr.ErrorForCode(none.ErrorCode), kerr.GroupIDNotFound) {
		t.Fatalf("%+v", none)
	}
	drop := func(group string) error {
		t.Helper()
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{group}
		resp, err := req.RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return kerr.ErrorForCode(resp.Groups[0].ErrorCode)
	}
	if err := drop("g"); !errors.Is(err, kerr.NonEmptyGroup) {
		t.Fatal(err)
	}
	if err := h.commit(c, "g", "t", 0, 0); !errors.Is(err, kerr.UnknownMemberID) {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = "g"
	m := kmsg.NewLeaveGroupRequestMember()
	m.InstanceID = new("one")
	leave.Members = append(leave.Members, m)
	if resp, err := leave.RequestWith(t.Context(), c); err != nil || resp.ErrorCode != 0 || resp.Members[0].ErrorCode != 0 {
		t.Fatal(resp, err)
	}
	if err := errors.Join(drop("g"), drop("simple")); err != nil {
		t.Fatal(err)
	}
	if err := drop("simple"); !errors.Is(err, kerr.GroupIDNotFound) {
		t.Fatal(err)
	}
	del := kmsg.NewPtrOffsetDeleteRequest()
	del.Group = "other"
	topic := kmsg.NewOffsetDeleteRequestTopic()
	topic.Topic = "t"
	part := kmsg.NewOffsetDeleteRequestTopicPartition()
	part.Partition = 1
	topic.Partitions = append(topic.Partitions, part)
	del.Topics = append(del.Topics, topic)
	if resp, err := del.RequestWith(t.Context(), c); err != nil || resp.ErrorCode != 0 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatal(resp, err)
	}
	if got := h.committed(c, "other"); !maps.Equal(got, map[string]int64{"u/0": 0}) {
		t.Fatal(got)
	}
	if err := h.bus.DeleteTopic(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	if got := h.committed(c, "other"); len(got) != 0 {
		t.Fatal(got)
	}
}

// A static member goes on through a restart of Tarn: nothing rebalances, and nothing is read again.
func TestAGroupGoesOnAfterARestart(t *testing.T) {
	h := newHouse(t)
	h.topic("t", 2)
	h.produce("t", 0, 10)
	seen := &tally{seen: map[string]int{}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var lost atomic.Int64
	done := make(chan error, 1)
	go func() {
		done <- h.consume(ctx, seen, kgo.InstanceID("one"), kgo.SessionTimeout(30*time.Second),
			kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { lost.Add(1) }))
	}()
	for seen.len() < 10 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	h.stop()
	h.open()
	h.produce("t", 10, 20)
	for seen.len() < 20 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	c := h.client()
	for got := h.committed(c, "g"); got["t/0"]+got["t/1"] != 20 && ctx.Err() == nil; got = h.committed(c, "g") {
		time.Sleep(5 * time.Millisecond)
	}
	if n := lost.Load(); n != 0 {
		t.Errorf("partitions were lost %d times", n)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for value, n := range seen.seen {
		if n != 1 {
			t.Errorf("record %s was seen %d times", value, n)
		}
	}
	if len(seen.seen) != 20 {
		t.Errorf("%d records were seen", len(seen.seen))
	}
}
