package group

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// State of a group, by Kafka's names.
type State string

// The states.
const (
	Empty     State = "Empty"               // no members; it may have offsets
	Preparing State = "PreparingRebalance"  // waits for its members to join
	Awaiting  State = "CompletingRebalance" // waits for the leader's assignment
	Stable    State = "Stable"
	Dead      State = "Dead" // not there
)

// Protocol is one way to assign that a member knows, with what it tells the leader.
type Protocol struct {
	Name     string `json:"name"`
	Metadata []byte `json:"metadata,omitempty"`
}

// group is one group. Everything in it is guarded by mu. Its timers call back under mu, and no
// goroutine is its own.
type group struct {
	c    *Coordinator
	name string

	mu           sync.Mutex
	dead         bool // deleted, or its coordinator is closed
	state        State
	since        time.Time // of the state
	age          int64     // the coordinator's then, in ms
	generation   int32
	protocolType string // "" for one that only keeps offsets
	protocol     string
	leader       string
	joined       uint64 // counts members, for their order
	members      map[string]*member
	instances    map[string]string    // instance id -> member id
	pending      map[string]*deadline // ids that were given and have not joined with

	join      deadline // of the rebalance
	sync      deadline // of members that have joined and do not sync
	gathering bool     // it was empty, and waits the initial delay
	more      bool     // somebody came within that

	offsets map[Partition]Committed
	queued  int                               // writes on their way to the disk
	open    map[int64]map[Partition]Committed // producer -> offsets of its open transaction
}

type member struct {
	id, instance, clientID, clientHost string
	session, rebalance                 time.Duration
	protocols                          []Protocol
	assignment                         []byte
	held                               int64 // bytes of the coordinator's

	order  uint64
	fresh  bool // has not been in a generation
	synced bool // in this generation
	naming int  // writes of its new id on their way to the disk: it has not joined before
	alive  deadline
	join   chan joinAnswer // not nil while it waits
	sync   chan syncAnswer // likewise
}

// deadline is a timer that may be set again; one that was set again or stopped does not fire.
type deadline struct {
	timer *time.Timer
	n     uint64
}

func newGroup(c *Coordinator, name string) *group {
	return &group{
		c: c, name: name, state: Empty, since: c.steady.Now(), age: c.age.Now().Milliseconds(),
		members: map[string]*member{}, instances: map[string]string{}, pending: map[string]*deadline{},
		offsets: map[Partition]Committed{}, open: map[int64]map[Partition]Committed{},
	}
}

// after sets a deadline. Timers count by the machine's monotonic clock, so setting the clock
// throws nobody out.
func (g *group) after(d *deadline, wait time.Duration, fire func()) {
	d.stop()
	n := d.n
	d.timer = time.AfterFunc(wait, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if d.n == n && !g.dead {
			fire()
		}
	})
}

func (d *deadline) stop() {
	d.n++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (g *group) enter(s State) {
	g.state, g.since, g.age = s, g.c.steady.Now(), g.c.age.Now().Milliseconds()
}

// close ends all waits and timers.
func (g *group) close() {
	g.dead = true
	g.join.stop()
	g.sync.stop()
	for _, d := range g.pending {
		d.stop()
	}
	for _, m := range g.members {
		m.alive.stop()
		m.answerJoin(Joined{Member: m.id, Generation: noGeneration}, ErrUnavailable)
		m.answerSync(nil, ErrUnavailable)
	}
}

// sorted returns the members, the oldest first.
func (g *group) sorted() []*member {
	return slices.SortedFunc(maps.Values(g.members), func(a, b *member) int { return cmp.Compare(a.order, b.order) })
}

func (m *member) supports(protocol string) bool {
	return slices.ContainsFunc(m.protocols, func(p Protocol) bool { return p.Name == protocol })
}

// metadata is what the member tells of a protocol.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

func (m *member) matches(protocols []Protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b Protocol) bool { return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata) })
}

// takes tells whether somebody with these protocols fits to the members.
func (g *group) takes(protocolType string, protocols []Protocol) bool {
	if len(g.members) == 0 {
		return protocolType != "" && len(protocols) > 0
	}
	return protocolType == g.protocolType && slices.ContainsFunc(protocols, func(p Protocol) bool { return g.shared(p.Name) })
}

// shared tells whether every member knows a protocol.
func (g *group) shared(protocol string) bool {
	for _, m := range g.members {
		if !m.supports(protocol) {
			return false
		}
	}
	return true
}

// choose picks the protocol that most members like best of those that all know; the oldest
// member's choice where two are liked as well.
func (g *group) choose() string {
	votes, shared, best := map[string]int{}, map[string]bool{}, ""
	members := g.sorted()
	for _, m := range members {
		for _, p := range m.protocols {
			if _, ok := shared[p.Name]; !ok {
				shared[p.Name] = g.shared(p.Name)
			}
			if shared[p.Name] {
				votes[p.Name]++
				break
			}
		}
	}
	for _, m := range members {
		for _, p := range m.protocols {
			if votes[p.Name] > votes[best] {
				best = p.Name
			}
		}
	}
	return best
}

// arm gives a member its session timeout anew.
func (g *group) arm(m *member) { g.armFor(m, m.session) }

func (g *group) armFor(m *member, wait time.Duration) {
	g.after(&m.alive, wait, func() {
		if !m.fresh && (m.join != nil || m.sync != nil) {
			return // it waits for the others; the answer arms it again
		}
		g.c.o.Log.Info("member has failed", "group", g.name, "member", m.id)
		g.remove(m, ErrUnknownMember)
	})
}

// hold says how many bytes a member holds now.
func (g *group) hold(m *member, bytes int64) {
	g.c.held.Add(bytes - m.held)
	m.held = bytes
}

// remove takes a member out and lets the others share its work.
func (g *group) remove(m *member, why error) {
	g.drop(m, why)
	switch g.state {
	case Stable, Awaiting:
		g.prepare()
	case Preparing:
		g.complete()
	}
}

// drop takes a member out.
func (g *group) drop(m *member, why error) {
	m.alive.stop()
	m.answerJoin(Joined{Generation: noGeneration}, why)
	m.answerSync(nil, why)
	delete(g.members, m.id)
	g.hold(m, 0)
	if m.instance != "" && g.instances[m.instance] == m.id {
		delete(g.instances, m.instance)
	}
	if g.leader == m.id {
		g.leader = ""
		if rest := g.sorted(); len(rest) > 0 {
			g.leader = rest[0].id
		}
	}
}

// rebalanceTimeout is the longest that a member asks for.
func (g *group) rebalanceTimeout() (longest time.Duration) {
	for _, m := range g.members {
		longest = max(longest, m.rebalance)
	}
	return longest
}

// prepare begins a rebalance: who waits for an assignment joins again.
func (g *group) prepare() {
	if g.state == Awaiting {
		g.assigned(nil, ErrRebalance)
	}
	g.sync.stop()
	g.gathering = g.state == Empty
	g.enter(Preparing)
	if g.gathering {
		g.gather(g.c.o.InitialDelay, max(0, g.rebalanceTimeout()-g.c.o.InitialDelay))
		return
	}
	g.after(&g.join, g.rebalanceTimeout(), g.completed)
	g.complete()
}

// gather waits for a new group's members: a delay, and another one as long as somebody came
// within the last, until no time is left.
func (g *group) gather(delay, left time.Duration) {
	if delay <= 0 {
		g.completed()
		return
	}
	g.more = false
	g.after(&g.join, delay, func() {
		if g.more && left > 0 {
			g.gather(min(delay, left), left-min(delay, left))
			return
		}
		g.completed()
	})
}

// complete ends the joining if everybody is there. A new group waits its delay.
func (g *group) complete() {
	if g.state != Preparing || g.gathering || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.join == nil || m.naming > 0 {
			return
		}
	}
	g.completed()
}

// completed begins the next generation with who has joined. Static members that have not may
// still come, until their sessions end.
func (g *group) completed() {
	g.join.stop()
	g.gathering = false
	for _, m := range g.sorted() {
		if m.join == nil && m.instance == "" {
			g.drop(m, ErrUnknownMember)
		}
	}
	if len(g.members) > 0 && !g.elect() {
		g.after(&g.join, g.rebalanceTimeout(), g.completed)
		return
	}
	g.generation++
	g.c.metrics.rebalances.Inc()
	if len(g.members) == 0 {
		g.protocol, g.leader = "", ""
		g.enter(Empty)
		g.save(nil)
		return
	}
	g.protocol = g.choose()
	g.enter(Awaiting)
	for _, m := range g.sorted() {
		m.fresh, m.synced, m.assignment = false, false, nil
		m.answerJoin(g.standing(m), nil)
		g.arm(m)
	}
	g.after(&g.sync, g.rebalanceTimeout(), g.unsynced)
}

// elect makes a member that has joined the leader, the one who is it if he has.
func (g *group) elect() bool {
	if m := g.members[g.leader]; m != nil && m.join != nil {
		return true
	}
	for _, m := range g.sorted() {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// unsynced throws out who has joined this generation and did not ask for its assignment.
func (g *group) unsynced() {
	gone := false
	for _, m := range g.sorted() {
		if !m.synced {
			gone = true
			g.drop(m, ErrUnknownMember)
		}
	}
	if gone {
		g.prepare()
	}
}

// assigned answers who waits for an assignment.
func (g *group) assigned(of map[string][]byte, err error) {
	for _, m := range g.members {
		m.assignment = of[m.id]
		if m.answerSync(m.assignment, err) {
			g.arm(m)
		}
	}
}
