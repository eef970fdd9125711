package group

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Joining is a request to join.
type Joining struct {
	Group    string
	Member   string // "" for one that has no id yet
	Instance string // group.instance.id of a static member; "" for none

	ClientID, ClientHost string
	Session, Rebalance   time.Duration
	ProtocolType         string
	Protocols            []Protocol // the member keeps the slices

	NeedsID bool // a member without id is given one, and joins again with it: KIP-394, JoinGroup v4
	Skips   bool // a static leader that comes back may be told that nothing is to assign: KIP-814, JoinGroup v9
}

// Joined is the generation that a member is in now.
type Joined struct {
	Member                         string // its id, also with ErrMemberIDRequired
	Generation                     int32  // -1 beside an error
	ProtocolType, Protocol, Leader string
	Members                        []JoinedMember // for the leader alone
	Skip                           bool           // the leader assigns nothing, for the assignment stands
}

// JoinedMember is what the leader learns of a member.
type JoinedMember struct {
	ID, Instance string
	Metadata     []byte
}

type joinAnswer struct {
	joined Joined
	err    error
}

type syncAnswer struct {
	assignment []byte
	err        error
}

func (m *member) answerJoin(j Joined, err error) {
	if m.join != nil {
		m.join <- joinAnswer{j, err}
		m.join = nil
	}
}

func (m *member) answerSync(assignment []byte, err error) (waited bool) {
	if m.sync == nil {
		return false
	}
	m.sync <- syncAnswer{assignment, err}
	m.sync = nil
	return true
}

// protocolsSize is how many bytes a member tells.
func protocolsSize(of []Protocol) (size int) {
	for _, p := range of {
		size += len(p.Name) + len(p.Metadata)
	}
	return size
}

// bytes is about how much RAM the member will hold. Its id has the instance's or the client's name once more.
func (r *Joining) bytes() int64 {
	return int64(memberBytes + 2*len(r.Instance) + 2*len(r.ClientID) + len(r.ClientHost) + protocolBytes*len(r.Protocols) + protocolsSize(r.Protocols))
}

// Join takes a member into the group and returns when the group has its next generation: after the
// others have joined, or their time is over. When ctx ends first the member is in the group still, as one
// whose connection is lost.
func (c *Coordinator) Join(ctx context.Context, r Joining) (Joined, error) {
	refused := Joined{Member: r.Member, Generation: noGeneration}
	switch {
	case r.Group == "":
		return refused, ErrInvalidGroup
	case r.Session < sessionMin || r.Session > sessionMax:
		return refused, ErrInvalidSession
	case protocolsSize(r.Protocols) > protocolsMax:
		return refused, ErrTooLarge
	}
	if r.Rebalance <= 0 {
		r.Rebalance = r.Session // JoinGroup v0
	}
	g, err := c.locked(r.Group, r.Member == anyMember)
	if err != nil {
		return refused, err
	}
	if g == nil {
		return refused, ErrUnknownMember
	}
	wait := make(chan joinAnswer, 1)
	joined, err := g.enterMember(&r, wait)
	g.mu.Unlock()
	if err != nil {
		refused.Member = joined.Member
		return refused, err
	}
	if joined.Generation > 0 {
		return joined, nil
	}
	select {
	case a := <-wait:
		return a.joined, a.err
	case <-ctx.Done():
		return refused, ctx.Err()
	}
}

// enterMember judges a join. With a generation in Joined it is answered, else wait will be.
func (g *group) enterMember(r *Joining, wait chan joinAnswer) (Joined, error) {
	m := g.members[r.Member]
	own := Joined{Member: r.Member}
	if !g.admits(m) {
		if m != nil {
			g.remove(m, ErrFull)
		}
		return Joined{}, ErrFull
	}
	if !g.takes(r.ProtocolType, r.Protocols) {
		return own, ErrProtocol
	}
	if err := g.affords(m, r); err != nil {
		return own, err
	}
	if r.Member == anyMember {
		return g.enterUnknown(r, wait)
	}
	if d := g.pending[r.Member]; d != nil && r.Instance == "" {
		g.took(r.Member)
		g.add(r.Member, r, wait)
		return own, nil
	}
	if err := g.valid(r.Member, r.Instance); err != nil {
		return own, err
	}
	if g.state == Awaiting && m.matches(r.Protocols) || g.state == Stable && g.leader != m.id && m.matches(r.Protocols) {
		// It missed the answer, or asks again: the generation stands. The leader's join rebalances,
		// for it may have seen a change that is in no member's metadata.
		return g.standing(m), nil
	}
	if g.state == Empty {
		return own, ErrUnknownMember
	}
	g.update(m, r, wait)
	g.rejoin()
	return own, nil
}

// admits tells whether there is place for a member, or for a new one.
func (g *group) admits(m *member) bool {
	limit := g.c.o.MembersMax
	switch g.state {
	case Preparing: // who joins first is in
		waiting := 0
		for _, other := range g.members {
			if other.join != nil {
				waiting++
			}
		}
		return m != nil && m.join != nil || waiting < limit
	case Awaiting, Stable:
		return m != nil || len(g.members) < limit
	default:
		return true
	}
}

// affords tells whether there is memory for a member. Who is in already and asks for no more has it. Joins of several groups
// at once may go over heldMax by one each.
func (g *group) affords(m *member, r *Joining) error {
	if old := g.members[g.instances[r.Instance]]; m == nil && r.Instance != "" {
		m = old
	}
	had := int64(0)
	if m != nil {
		had = m.held
	}
	if more := r.bytes() - had; more > 0 && g.c.held.Load()+more > heldMax {
		return fmt.Errorf("%w: members hold %d MiB already", ErrUnavailable, heldMax>>20)
	}
	return nil
}

// enterUnknown is the join of somebody without a member id.
func (g *group) enterUnknown(r *Joining, wait chan joinAnswer) (Joined, error) {
	id := newMemberID(r)
	if old := g.members[g.instances[r.Instance]]; r.Instance != "" && old != nil {
		return g.replace(old, id, r, wait), nil
	}
	if r.Instance == "" && r.NeedsID {
		if len(g.pending) >= g.c.o.MembersMax {
			return Joined{}, ErrFull
		}
		d := &deadline{}
		g.pending[id] = d
		g.c.held.Add(pendingBytes(id))
		g.after(d, r.Session, func() { g.forgetPending(id) })
		return Joined{Member: id}, ErrMemberIDRequired
	}
	g.add(id, r, wait)
	return Joined{Member: id}, nil
}

func (g *group) forgetPending(id string) {
	g.took(id)
	g.complete()
}

// took takes an id out of those that are given and not joined with.
func (g *group) took(id string) {
	g.pending[id].stop()
	delete(g.pending, id)
	g.c.held.Add(-pendingBytes(id))
}

func pendingBytes(id string) int64 { return memberBytes + int64(len(id)) }

// add makes a member and begins a rebalance for it.
func (g *group) add(id string, r *Joining, wait chan joinAnswer) {
	if len(g.members) == 0 {
		g.protocolType = r.ProtocolType
	}
	g.joined++
	m := &member{id: id, instance: r.Instance, clientID: r.ClientID, clientHost: r.ClientHost, order: g.joined, fresh: true}
	g.update(m, r, wait)
	g.members[id] = m
	if r.Instance != "" {
		g.instances[r.Instance] = id
	}
	if g.leader == "" {
		g.leader = id
	}
	g.more = true
	g.armFor(m, newMemberMax)
	g.rejoin()
}

// update takes what a member says of itself now, and its wait. One that waited before, on a connection
// that is gone, is told so.
func (g *group) update(m *member, r *Joining, wait chan joinAnswer) {
	g.hold(m, r.bytes())
	m.protocols, m.session, m.rebalance = r.Protocols, r.Session, r.Rebalance
	m.answerJoin(Joined{Member: m.id, Generation: noGeneration}, ErrRebalance)
	m.join = wait
}

// rejoin goes on with a rebalance, or begins one.
func (g *group) rejoin() {
	if g.state == Preparing {
		g.complete()
		return
	}
	g.prepare()
}

// replace gives a static member that came back, and so lost its id, a new one. Its assignment
// stands where nothing of the group changes by it; it learns so when the new id is on disk, for after a crash
// the old one would fence it.
func (g *group) replace(m *member, id string, r *Joining, wait chan joinAnswer) Joined {
	lost := Joined{Member: m.id, Generation: noGeneration}
	m.answerJoin(lost, ErrFenced)
	m.answerSync(nil, ErrFenced)
	was, leader, skips := m.id, g.leader, r.Skips
	delete(g.members, m.id)
	if g.leader == m.id {
		g.leader = id
	}
	m.id, m.clientID, m.clientHost = id, r.ClientID, r.ClientHost
	g.members[id], g.instances[m.instance] = m, id
	g.update(m, r, wait)
	g.arm(m)
	if g.state != Stable || g.choose() != g.protocol {
		g.rename(m, was)
		g.rejoin() // a leader that assigns now knows it by its old id
		return Joined{Member: id}
	}
	g.save(func(err error) {
		switch {
		case m.join != wait || g.state != Stable: // a rebalance meanwhile has answered it, or will
		case err != nil:
			m.answerJoin(lost, ErrUnavailable)
		default:
			joined := g.standing(m)
			if joined.Skip = skips && g.leader == id; !joined.Skip {
				// An older client would assign if it heard that it leads, and nobody would be told of it.
				joined.Leader, joined.Members = leader, nil
			}
			m.answerJoin(joined, nil)
			g.arm(m)
		}
	})
	return Joined{Member: id}
}

// standing tells a member of the generation that stands.
func (g *group) standing(m *member) Joined {
	j := Joined{Member: m.id, Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: g.leader}
	if g.leader == m.id {
		for _, other := range g.sorted() {
			j.Members = append(j.Members, JoinedMember{ID: other.id, Instance: other.instance, Metadata: other.metadata(g.protocol)})
		}
	}
	return j
}

// valid tells whether a member is in the group, under the instance id that it names.
func (g *group) valid(member, instance string) error {
	if instance != "" {
		id, ok := g.instances[instance]
		if !ok {
			return ErrUnknownMember
		}
		if id != member {
			return ErrFenced
		}
	}
	if g.members[member] == nil {
		return ErrUnknownMember
	}
	return nil
}

// Syncing is a request for an assignment.
type Syncing struct {
	Group, Member, Instance string
	Generation              int32
	ProtocolType, Protocol  string            // "" for not told
	Assignment              map[string][]byte // of the leader: member id -> what it is assigned
}

// Synced is an assignment.
type Synced struct {
	ProtocolType, Protocol string
	Assignment             []byte
}

// Sync returns a member's assignment once the leader has told it and it is on disk.
func (c *Coordinator) Sync(ctx context.Context, r Syncing) (Synced, error) {
	if r.Group == "" {
		return Synced{}, ErrInvalidGroup
	}
	g, err := c.locked(r.Group, false)
	if err != nil {
		return Synced{}, err
	}
	if g == nil {
		return Synced{}, ErrUnknownMember
	}
	wait := make(chan syncAnswer, 1)
	err = g.syncMember(&r, wait)
	out := Synced{ProtocolType: g.protocolType, Protocol: g.protocol}
	g.mu.Unlock()
	if err != nil {
		return Synced{}, err
	}
	select {
	case a := <-wait:
		if a.err != nil {
			return Synced{}, a.err
		}
		out.Assignment = a.assignment
		return out, nil
	case <-ctx.Done():
		return Synced{}, ctx.Err()
	}
}

func (g *group) syncMember(r *Syncing, wait chan syncAnswer) error {
	if err := g.valid(r.Member, r.Instance); err != nil {
		return err
	}
	switch {
	case r.Generation != g.generation:
		return ErrGeneration
	case r.ProtocolType != "" && r.ProtocolType != g.protocolType, r.Protocol != "" && r.Protocol != g.protocol:
		return ErrProtocol
	case g.state == Empty:
		return ErrUnknownMember
	case g.state == Preparing:
		return ErrRebalance
	}
	m := g.members[r.Member]
	m.synced = true
	if g.state == Stable {
		wait <- syncAnswer{assignment: m.assignment}
		g.arm(m)
		return nil
	}
	m.answerSync(nil, ErrRebalance) // an earlier try, on a connection that is gone
	m.sync = wait
	if g.leader == m.id {
		g.assign(r.Assignment)
	}
	return nil
}

// assign stores the leader's assignment, and tells it to all once it is on disk.
func (g *group) assign(of map[string][]byte) {
	generation := g.generation
	for id, m := range g.members {
		m.assignment = of[id]
	}
	g.save(func(err error) {
		if g.state != Awaiting || g.generation != generation {
			return
		}
		if err != nil {
			g.assigned(nil, errors.Join(ErrUnavailable, err))
			g.prepare()
			return
		}
		g.assigned(of, nil)
		g.enter(Stable)
	})
}

// Beat is a heartbeat, or what else carries the same: commits of members do.
type Beat struct {
	Group, Member, Instance string
	Generation              int32
}

// Heartbeat keeps a member in the group. ErrRebalance tells it to join again.
func (c *Coordinator) Heartbeat(b Beat) error {
	if b.Group == "" {
		return ErrInvalidGroup
	}
	g, err := c.locked(b.Group, false)
	if err != nil {
		return err
	}
	if g == nil {
		return ErrUnknownMember
	}
	defer g.mu.Unlock()
	if err := g.valid(b.Member, b.Instance); err != nil {
		return err
	}
	if b.Generation != g.generation {
		return ErrGeneration
	}
	g.arm(g.members[b.Member])
	switch g.state {
	case Empty:
		return ErrUnknownMember
	case Preparing:
		return ErrRebalance
	default:
		return nil
	}
}

// Leaving is a member that goes. An administrator names it by its instance id alone (KIP-345).
type Leaving struct{ Member, Instance string }

// Leave takes members out; the errors are theirs, in their order.
func (c *Coordinator) Leave(name string, who []Leaving) ([]error, error) {
	if name == "" {
		return nil, ErrInvalidGroup
	}
	g, err := c.locked(name, false)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(who))
	if g != nil {
		defer g.mu.Unlock()
	}
	for i, l := range who {
		if errs[i] = ErrUnknownMember; g != nil {
			errs[i] = g.leave(l)
		}
	}
	return errs, nil
}

func (g *group) leave(l Leaving) error {
	if l.Member == anyMember {
		l.Member = g.instances[l.Instance]
	} else if g.pending[l.Member] != nil {
		g.forgetPending(l.Member)
		return nil
	}
	if err := g.valid(l.Member, l.Instance); err != nil {
		return err
	}
	g.remove(g.members[l.Member], ErrUnknownMember)
	return nil
}
