//go:build duckdb_arrow

package kafka_test

import "github.com/twmb/franz-go/pkg/kmsg"

// askBare asks, and keeps the answer without what bare takes out of it.
func (d *dialogue) askBare(name string, r kmsg.Request, bare func(kmsg.Response)) {
	r.SetVersion(d.version)
	answer, err := d.send(r)
	if err != nil {
		d.fail("%s: %w", name, err)
	}
	bare(answer)
	d.said = append(d.said, exchange{Ask: name, Answer: d.plain(answer)})
}

func findCoordinator(d *dialogue) {
	of := func(kind int8, key string) *kmsg.FindCoordinatorRequest {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = kind, key, []string{key}
		return r
	}
	// The first answer may be that the coordinator is not there yet.
	d.settle(of(0, d.run+"g"), 3)
	d.ask("of a group", of(0, d.run+"g"))
	if d.version >= 1 {
		d.settle(of(1, d.run+"t"), 3)
		d.ask("of a transaction", of(1, d.run+"t"))
		d.ask("of what is not", of(7, "x"))
	}
}

// settle asks until a broker that has just begun answers without an error.
func (d *dialogue) settle(r *kmsg.FindCoordinatorRequest, version int16) {
	for range 100 {
		if d.do(r, version).(*kmsg.FindCoordinatorResponse).ErrorCode == 0 { //nolint:forcetypeassert // the answer to the request
			return
		}
	}
}

func (d *dialogue) joining(group, member string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Group, r.MemberID, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = group, member, "consumer", 10_000, 10_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	r.Protocols = append(r.Protocols, p)
	return r
}

// member joins a group of its own as its only member, and is assigned.
func (d *dialogue) member(name string) (group, member string, generation int32) {
	group = d.run + name
	first := d.do(d.joining(group, ""), 5).(*kmsg.JoinGroupResponse)              //nolint:forcetypeassert // the answer to the request
	joined := d.do(d.joining(group, first.MemberID), 5).(*kmsg.JoinGroupResponse) //nolint:forcetypeassert // the answer to the request
	if joined.ErrorCode != 0 {
		d.fail("join: error %d", joined.ErrorCode)
	}
	d.do(d.syncing(group, joined.MemberID, joined.Generation), 3)
	return group, joined.MemberID, joined.Generation
}

func (d *dialogue) syncing(group, member string, generation int32) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	kind, protocol := "consumer", "range"
	r.Group, r.MemberID, r.Generation, r.ProtocolType, r.Protocol = group, member, generation, &kind, &protocol
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = member, []byte("mine")
	r.GroupAssignment = append(r.GroupAssignment, a)
	return r
}

func joinGroup(d *dialogue) {
	group := d.run + "g"
	first := d.ask("without an id", d.joining(group, "")).(*kmsg.JoinGroupResponse) //nolint:forcetypeassert // the answer to the request
	d.ask("with the id", d.joining(group, first.MemberID))
	d.ask("an id that is not there", d.joining(group, "nobody"))
	r := d.joining("", "")
	d.ask("a group without a name", r)
	r = d.joining(d.run+"h", "")
	r.SessionTimeoutMillis = 1
	d.ask("a session too short", r)
	r = d.joining(group, first.MemberID)
	r.ProtocolType = "connect"
	d.ask("another kind of group", r)
	r = d.joining(group, "")
	r.Protocols[0].Name = "other"
	d.ask("no protocol in common", r)
	if d.version >= 5 {
		static := "one"
		r = d.joining(d.run+"s", "")
		r.InstanceID = &static
		got := d.ask("a static member", r).(*kmsg.JoinGroupResponse) //nolint:forcetypeassert // the answer to the request
		d.ask("it comes back", r)
		r = d.joining(d.run+"s", got.MemberID)
		r.InstanceID = &static
		d.ask("by its old id", r)
	}
}

func syncGroup(d *dialogue) {
	group, member, generation := d.member("g")
	d.ask("again", d.syncing(group, member, generation))
	d.ask("another generation", d.syncing(group, member, generation+1))
	d.ask("a member that is not there", d.syncing(group, "nobody", generation))
	if d.version >= 5 {
		r := d.syncing(group, member, generation)
		other := "other"
		r.Protocol = &other
		d.ask("another protocol", r)
	}
	d.ask("a group that is not there", d.syncing(d.run+"missing", member, generation))
}

func heartbeat(d *dialogue) {
	group, member, generation := d.member("g")
	of := func(group, member string, generation int32) *kmsg.HeartbeatRequest {
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group, r.MemberID, r.Generation = group, member, generation
		return r
	}
	d.ask("a beat", of(group, member, generation))
	d.ask("another generation", of(group, member, generation+1))
	d.ask("a member that is not there", of(group, "nobody", generation))
	d.ask("a group that is not there", of(d.run+"missing", member, generation))
}

func leaveGroup(d *dialogue) {
	group, member, _ := d.member("g")
	of := func(group, member string) *kmsg.LeaveGroupRequest {
		r := kmsg.NewPtrLeaveGroupRequest()
		r.Group, r.MemberID = group, member
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = member
		r.Members = append(r.Members, m)
		return r
	}
	d.ask("a member that is not there", of(group, "nobody"))
	d.ask("one", of(group, member))
	d.ask("again", of(group, member))
	d.ask("a group that is not there", of(d.run+"missing", member))
}

func committing(group, topic string, id [16]byte, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	note := "note"
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, offset, 0, &note
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func offsetCommit(d *dialogue) {
	topic, id := d.topic("one", 1)
	d.ask("without a member", committing(d.run+"simple", topic, id, 0, 5))
	group, member, generation := d.member("g")
	r := committing(group, topic, id, 0, 7)
	r.MemberID, r.Generation = member, generation
	d.ask("by a member", r)
	r.Generation = generation + 1
	d.ask("of another generation", r)
	r.MemberID, r.Generation = "nobody", generation
	d.ask("by a member that is not there", r)
	d.ask("without a member, in a group with members", committing(group, topic, id, 0, 5))
	d.ask("a partition that is not there", committing(d.run+"simple", topic, id, 9, 5))
	d.ask("a topic that is not there", committing(d.run+"simple", d.run+"missing", [16]byte{9}, 0, 5))
	r = committing(d.run+"simple", topic, id, 0, 5)
	long := string(make([]byte, 5000))
	r.Topics[0].Partitions[0].Metadata = &long
	d.ask("too long a note", r)
}

func offsetFetch(d *dialogue) {
	topic, id := d.topic("one", 2)
	d.do(committing(d.run+"g", topic, id, 0, 5), 8)
	of := func(group, topic string, id [16]byte, all bool) *kmsg.OffsetFetchRequest {
		r := kmsg.NewPtrOffsetFetchRequest()
		r.Group = group
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = topic, []int32{0, 1}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.TopicID, gt.Partitions = topic, id, []int32{0, 1}
		if !all {
			r.Topics = append(r.Topics, t)
			g.Topics = append(g.Topics, gt)
		}
		r.Groups = append(r.Groups, g)
		return r
	}
	d.ask("two partitions, one of which has one", of(d.run+"g", topic, id, false))
	d.ask("a group that is not there", of(d.run+"missing", topic, id, false))
	d.ask("a topic that is not there", of(d.run+"g", d.run+"missing", [16]byte{9}, false))
	if d.version >= 2 {
		d.ask("all", of(d.run+"g", topic, id, true))
	}
}

func offsetDelete(d *dialogue) {
	topic, id := d.topic("one", 2)
	d.do(committing(d.run+"g", topic, id, 0, 5), 8)
	of := func(group, topic string) *kmsg.OffsetDeleteRequest {
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = group
		t := kmsg.NewOffsetDeleteRequestTopic()
		t.Topic = topic
		for n := range int32(2) {
			p := kmsg.NewOffsetDeleteRequestTopicPartition()
			p.Partition = n
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
		return r
	}
	d.ask("two, one of which is there", of(d.run+"g", topic))
	d.ask("a group that is not there", of(d.run+"missing", topic))
	d.ask("a topic that is not there", of(d.run+"g", d.run+"missing"))
}

func describeGroups(d *dialogue) {
	group, _, _ := d.member("g")
	of := func(group string) *kmsg.DescribeGroupsRequest {
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Groups = []string{group}
		return r
	}
	d.ask("one", of(group))
	d.ask("one that is not there", of(d.run+"missing"))
	topic, id := d.topic("one", 1)
	d.do(committing(d.run+"simple", topic, id, 0, 5), 8)
	d.ask("one of offsets alone", of(d.run+"simple"))
}

func deleteGroups(d *dialogue) {
	group, _, _ := d.member("g")
	topic, id := d.topic("one", 1)
	d.do(committing(d.run+"simple", topic, id, 0, 5), 8)
	of := func(group string) *kmsg.DeleteGroupsRequest {
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Groups = []string{group}
		return r
	}
	d.ask("one with a member", of(group))
	d.ask("one of offsets alone", of(d.run+"simple"))
	d.ask("one that is not there", of(d.run+"missing"))
}
