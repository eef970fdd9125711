package kafka_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

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
