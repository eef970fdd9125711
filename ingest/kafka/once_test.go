package kafka_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAnAnswerHasABound: of more groups than it may hold those that do not get in say so, and the next request gets them.
func TestAnAnswerHasABound(t *testing.T) {
	const groups, each, most = 36, 1<<20 - 1024, 32
	h := newHouse(t)
	c := h.client(kgo.BrokerMaxReadBytes(most<<20), kgo.FetchMaxBytes(1<<20))
	describe := kmsg.NewPtrDescribeGroupsRequest()
	for n := range groups {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 9, fmt.Sprint(n), "consumer", 600_000, 600_000
		join.InstanceID = new("one") // who is static needs not join twice
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, each)}}
		joined := ask[*kmsg.JoinGroupResponse](t, c, join)
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.InstanceID, sync.Generation = join.Group, joined.MemberID, join.InstanceID, joined.Generation
		if got := ask[*kmsg.SyncGroupResponse](t, c, sync); got.ErrorCode != 0 {
			t.Fatal(kerr.ErrorForCode(got.ErrorCode))
		}
		describe.Groups = append(describe.Groups, join.Group)
	}
	for range 3 { // the room is free again
		told := 0
		for _, g := range ask[*kmsg.DescribeGroupsResponse](t, c, describe).Groups {
			switch {
			case g.ErrorCode == 0 && len(g.Members) == 1 && len(g.Members[0].ProtocolMetadata) == each:
				told++
			case g.ErrorCode != kerr.InvalidRequest.Code || len(g.Members) > 0:
				t.Fatalf("%s: %v, %d members", g.Group, kerr.ErrorForCode(g.ErrorCode), len(g.Members))
			}
		}
		if told < most-2 || told > most {
			t.Fatalf("%d groups in an answer", told)
		}
	}
	left := kmsg.NewPtrDescribeGroupsRequest()
	left.Groups = describe.Groups[most:]
	for _, g := range ask[*kmsg.DescribeGroupsResponse](t, c, left).Groups {
		if g.ErrorCode != 0 {
			t.Fatal(kerr.ErrorForCode(g.ErrorCode))
		}
	}
}

// TestWhatIsNamedAgainAndAgainIsAnsweredOnce: a request of 2 MiB cannot ask for gigabytes.
func TestWhatIsNamedAgainAndAgainIsAnsweredOnce(t *testing.T) {
	h := newHouse(t)
	h.topic("port", 8)
	c := h.client()
	const times = 80_000
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Topics = slices.Repeat([]kmsg.MetadataRequestTopic{{Topic: new("port")}}, times)
	if got := ask[*kmsg.MetadataResponse](t, c, metadata).Topics; len(got) != 1 || len(got[0].Partitions) != 8 {
		t.Errorf("metadata of %d topics", len(got))
	}
	producers := kmsg.NewPtrDescribeProducersRequest()
	producers.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "port", Partitions: make([]int32, times)}}
	if got := ask[*kmsg.DescribeProducersResponse](t, c, producers).Topics; len(got) != 1 || len(got[0].Partitions) != 1 {
		t.Errorf("producers of %+v", got)
	}
	configs := kmsg.NewPtrDescribeConfigsRequest()
	configs.Resources = slices.Repeat([]kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "port"}}, times)
	if got := ask[*kmsg.DescribeConfigsResponse](t, c, configs).Resources; len(got) != 1 || len(got[0].Configs) == 0 {
		t.Errorf("settings of %d resources", len(got))
	}
	groups := kmsg.NewPtrDescribeGroupsRequest()
	groups.Groups = slices.Repeat([]string{"crew"}, times)
	if got := ask[*kmsg.DescribeGroupsResponse](t, c, groups).Groups; len(got) != 1 {
		t.Errorf("%d groups", len(got))
	}
	transactions := kmsg.NewPtrDescribeTransactionsRequest()
	transactions.TransactionalIDs = slices.Repeat([]string{"crane"}, times)
	if got := ask[*kmsg.DescribeTransactionsResponse](t, c, transactions).TransactionStates; len(got) != 1 {
		t.Errorf("%d transactions", len(got))
	}
	offsets := kmsg.NewPtrOffsetFetchRequest()
	of := kmsg.OffsetFetchRequestGroup{Group: "crew", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "port", Partitions: make([]int32, times)}}}
	offsets.Groups = []kmsg.OffsetFetchRequestGroup{of, of}
	if got := ask[*kmsg.OffsetFetchResponse](t, c, offsets).Groups; len(got) != 1 || len(got[0].Topics) != 1 || len(got[0].Topics[0].Partitions) != 1 {
		t.Errorf("offsets of %d groups", len(got))
	}
}
