package kafka

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/bus/group"
	"tarn/embedded/guard"
)

// groupErrors are the coordinator's errors in Kafka's words.
var groupErrors = []struct {
	err  error
	code *kerr.Error
}{
	{group.ErrInvalidGroup, kerr.InvalidGroupID},
	{group.ErrInvalidSession, kerr.InvalidSessionTimeout},
	{group.ErrUnknownMember, kerr.UnknownMemberID},
	{group.ErrMemberIDRequired, kerr.MemberIDRequired},
	{group.ErrGeneration, kerr.IllegalGeneration},
	{group.ErrRebalance, kerr.RebalanceInProgress},
	{group.ErrFenced, kerr.FencedInstanceID},
	{group.ErrProtocol, kerr.InconsistentGroupProtocol},
	{group.ErrFull, kerr.GroupMaxSizeReached},
	{group.ErrNotFound, kerr.GroupIDNotFound},
	{group.ErrNotEmpty, kerr.NonEmptyGroup},
	{group.ErrSubscribed, kerr.GroupSubscribedToTopic},
	{group.ErrUnknownPartition, kerr.UnknownTopicOrPartition},
	{group.ErrUnstable, kerr.UnstableOffsetCommit},
	{group.ErrMetadata, kerr.OffsetMetadataTooLarge},
	{group.ErrTooLarge, kerr.InvalidRequest},
	{group.ErrUnavailable, kerr.CoordinatorNotAvailable},
}

// groupCode is what the coordinator said; 0 for nil. Whoever has gone meanwhile does not read it.
func groupCode(err error) int16 {
	if err == nil {
		return 0
	}
	for _, e := range groupErrors {
		if errors.Is(err, e.err) {
			return e.code.Code
		}
	}
	return kerr.CoordinatorNotAvailable.Code
}

// groupOperations are the bits of all that can be done to a group (KIP-430): read, delete, describe.
const groupOperations = 1<<3 | 1<<6 | 1<<8

// mayGroup asks the guard for a group.
func (c *conn) mayGroup(a guard.Action, name string) error {
	if c.door.o.Guard.Decide(c.who, a, guard.Resource{Kind: guard.Group, Path: []string{name}}).Allow {
		return nil
	}
	return kerr.GroupAuthorizationFailed
}

// codeOf is groupCode, and also takes an error of Kafka's.
func codeOf(err error) int16 {
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return e.Code
	}
	return groupCode(err)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// named is a text that is null where it is empty.
func named(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// The types of coordinators that a client may look for.
const (
	coordinatorOfGroups       = 0
	coordinatorOfTransactions = 1
)

func findCoordinator(_ context.Context, c *conn, req *kmsg.FindCoordinatorRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	resp.Version = req.Version
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	for _, key := range once(keys, itself) {
		one := kmsg.NewFindCoordinatorResponseCoordinator()
		one.Key, one.NodeID = key, nodeID
		one.Host, one.Port = c.host()
		if err := c.coordinates(req.CoordinatorType, key); err != nil {
			one.NodeID, one.Host, one.Port = -1, "", -1
			one.ErrorCode, one.ErrorMessage = err.Code, &err.Description
		}
		resp.Coordinators = append(resp.Coordinators, one)
	}
	if one := resp.Coordinators; req.Version < 4 {
		resp.ErrorCode, resp.ErrorMessage, resp.NodeID, resp.Host, resp.Port = one[0].ErrorCode, one[0].ErrorMessage, one[0].NodeID, one[0].Host, one[0].Port
	}
	return resp, nil
}

// coordinates tells why this broker is not the coordinator of a key, nil when it is.
func (c *conn) coordinates(of int8, key string) *kerr.Error {
	switch of {
	case coordinatorOfGroups:
		if key == "" {
			return kerr.InvalidGroupID
		}
		if c.mayGroup(guard.Read, key) != nil {
			return kerr.GroupAuthorizationFailed
		}
		return nil
	case coordinatorOfTransactions:
		return nil
	default:
		return kerr.InvalidRequest
	}
}

func joinGroup(ctx context.Context, c *conn, req *kmsg.JoinGroupRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Version = req.Version
	r := group.Joining{
		Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), ClientID: c.client, ClientHost: "/" + c.remoteHost(),
		Session: time.Duration(req.SessionTimeoutMillis) * time.Millisecond, Rebalance: time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond,
		ProtocolType: req.ProtocolType, NeedsID: req.Version >= 4, Skips: req.Version >= 9,
	}
	for _, p := range req.Protocols {
		r.Protocols = append(r.Protocols, group.Protocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
	}
	joined, err := group.Joined{Member: req.MemberID, Generation: -1}, c.mayGroup(guard.Read, req.Group)
	if err == nil {
		c.spare()
		joined, err = c.door.o.Groups.Join(ctx, r)
	}
	resp.ErrorCode, resp.MemberID, resp.Generation = codeOf(err), joined.Member, joined.Generation
	if err != nil {
		if req.Version < 7 {
			resp.Protocol = new("")
		}
		return resp, nil
	}
	resp.ProtocolType, resp.Protocol, resp.LeaderID, resp.SkipAssignment = &joined.ProtocolType, &joined.Protocol, joined.Leader, joined.Skip
	for _, m := range joined.Members {
		member := kmsg.NewJoinGroupResponseMember()
		member.MemberID, member.InstanceID, member.ProtocolMetadata = m.ID, named(m.Instance), m.Metadata
		resp.Members = append(resp.Members, member)
	}
	return resp, nil
}

// remoteHost is the client's address without its port.
func (c *conn) remoteHost() string {
	host, _, err := net.SplitHostPort(c.net.RemoteAddr().String())
	if err != nil {
		return c.net.RemoteAddr().String()
	}
	return host
}

func syncGroup(ctx context.Context, c *conn, req *kmsg.SyncGroupRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.Version = req.Version
	r := group.Syncing{
		Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Generation: req.Generation,
		ProtocolType: text(req.ProtocolType), Protocol: text(req.Protocol), Assignment: map[string][]byte{},
	}
	for _, a := range req.GroupAssignment {
		r.Assignment[a.MemberID] = bytes.Clone(a.MemberAssignment)
	}
	err := c.mayGroup(guard.Read, req.Group)
	var synced group.Synced
	if err == nil {
		c.spare()
		synced, err = c.door.o.Groups.Sync(ctx, r)
	}
	resp.ErrorCode = codeOf(err)
	if err == nil {
		resp.ProtocolType, resp.Protocol, resp.MemberAssignment = &synced.ProtocolType, &synced.Protocol, synced.Assignment
	}
	return resp, nil
}

func heartbeat(_ context.Context, c *conn, req *kmsg.HeartbeatRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrHeartbeatResponse()
	resp.Version = req.Version
	err := c.mayGroup(guard.Read, req.Group)
	if err == nil {
		err = c.door.o.Groups.Heartbeat(group.Beat{Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Generation: req.Generation})
	}
	resp.ErrorCode = codeOf(err)
	return resp, nil
}

func leaveGroup(_ context.Context, c *conn, req *kmsg.LeaveGroupRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.Version = req.Version
	who := []group.Leaving{{Member: req.MemberID}}
	if req.Version >= 3 {
		who = who[:0]
		for _, m := range req.Members {
			who = append(who, group.Leaving{Member: m.MemberID, Instance: text(m.InstanceID)})
		}
	}
	err := c.mayGroup(guard.Read, req.Group)
	var errs []error
	if err == nil {
		errs, err = c.door.o.Groups.Leave(req.Group, who)
	}
	resp.ErrorCode = codeOf(err)
	for i, err := range errs {
		if req.Version < 3 {
			resp.ErrorCode = codeOf(err)
			break
		}
		m := kmsg.NewLeaveGroupResponseMember()
		m.MemberID, m.InstanceID, m.ErrorCode = who[i].Member, req.Members[i].InstanceID, codeOf(err)
		resp.Members = append(resp.Members, m)
	}
	return resp, nil
}

func describeGroups(ctx context.Context, c *conn, req *kmsg.DescribeGroupsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	resp.Version = req.Version
	for _, name := range once(req.Groups, itself) {
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group = name
		err := c.mayGroup(guard.Read, name)
		var d group.Description
		if err == nil {
			d, err = c.door.o.Groups.Describe(name)
		}
		size := elementBytes
		for _, m := range d.Members {
			size += elementBytes + len(m.ID) + len(m.ClientID) + len(m.Metadata) + len(m.Assignment)
		}
		full := c.takes(ctx, size)
		switch {
		case full != nil:
			g.ErrorCode, g.ErrorMessage = full.code, &full.text
		case errors.Is(err, group.ErrNotFound):
			if g.State = string(group.Dead); req.Version >= 6 {
				g.ErrorCode, g.ErrorMessage = codeOf(err), new("Group "+name+" not found.")
			}
		case err != nil:
			g.ErrorCode = codeOf(err)
		default:
			g.State, g.ProtocolType, g.Protocol = string(d.State), d.ProtocolType, d.Protocol
			for _, m := range d.Members {
				member := kmsg.NewDescribeGroupsResponseGroupMember()
				member.MemberID, member.InstanceID, member.ClientID, member.ClientHost = m.ID, named(m.Instance), m.ClientID, m.ClientHost
				member.ProtocolMetadata, member.MemberAssignment = m.Metadata, m.Assignment
				g.Members = append(g.Members, member)
			}
			if req.IncludeAuthorizedOperations {
				g.AuthorizedOperations = groupOperations
			}
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp, nil
}

// groupType is that of all groups here, as ListGroups v5 tells it.
const groupType = "classic"

func listGroups(ctx context.Context, c *conn, req *kmsg.ListGroupsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrListGroupsResponse()
	resp.Version = req.Version
	wanted := func(filter []string, value string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
	}
	if !wanted(req.TypesFilter, groupType) {
		return resp, nil
	}
	for _, s := range c.door.o.Groups.List() {
		if !wanted(req.StatesFilter, string(s.State)) || c.mayGroup(guard.Read, s.Group) != nil {
			continue
		}
		if full := c.takes(ctx, elementBytes+len(s.Group)+len(s.ProtocolType)); full != nil {
			resp.ErrorCode, resp.Groups = full.code, nil
			break
		}
		g := kmsg.NewListGroupsResponseGroup()
		g.Group, g.ProtocolType, g.GroupState, g.GroupType = s.Group, s.ProtocolType, string(s.State), groupType
		resp.Groups = append(resp.Groups, g)
	}
	return resp, nil
}

func deleteGroups(ctx context.Context, c *conn, req *kmsg.DeleteGroupsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	resp.Version = req.Version
	for _, name := range req.Groups {
		g := kmsg.NewDeleteGroupsResponseGroup()
		g.Group = name
		err := c.mayGroup(guard.Drop, name)
		if err == nil {
			err = c.door.o.Groups.Delete(ctx, name)
		}
		g.ErrorCode = codeOf(err)
		resp.Groups = append(resp.Groups, g)
	}
	return resp, nil
}
