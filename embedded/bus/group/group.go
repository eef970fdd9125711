// Package group is the coordinator of consumer groups: Kafka's classic protocol (KIP-62, 345, 394, 814)
// and the offsets that groups commit. Members live in memory with a record in meta.db of each
// assignment, so that a restart disturbs no group; an offset is acknowledged once meta.db has synced it.
// It speaks no wire protocol: a door maps its errors.
package group

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/life"
	"tarn/embedded/meta"
)

// Sentinels, named for Kafka's error codes, which doors map them to.
var (
	ErrInvalidGroup     = errors.New("a group's name must not be empty")             // INVALID_GROUP_ID
	ErrInvalidSession   = errors.New("session timeout out of range")                 // INVALID_SESSION_TIMEOUT
	ErrUnknownMember    = errors.New("no such member in the group")                  // UNKNOWN_MEMBER_ID
	ErrMemberIDRequired = errors.New("join again with the member id that was given") // MEMBER_ID_REQUIRED
	ErrGeneration       = errors.New("not the group's generation")                   // ILLEGAL_GENERATION
	ErrRebalance        = errors.New("the group rebalances")                         // REBALANCE_IN_PROGRESS
	ErrFenced           = errors.New("another member has the instance id")           // FENCED_INSTANCE_ID
	ErrProtocol         = errors.New("no protocol that all members know")            // INCONSISTENT_GROUP_PROTOCOL
	ErrFull             = errors.New("the group has as many members as are allowed") // GROUP_MAX_SIZE_REACHED
	ErrNotFound         = errors.New("no such group")                                // GROUP_ID_NOT_FOUND
	ErrNotEmpty         = errors.New("the group has members")                        // NON_EMPTY_GROUP
	ErrSubscribed       = errors.New("the group reads the topic")                    // GROUP_SUBSCRIBED_TO_TOPIC
	ErrUnknownPartition = errors.New("no such topic or partition")                   // UNKNOWN_TOPIC_OR_PARTITION
	ErrUnstable         = errors.New("a transaction has not yet settled the offset") // UNSTABLE_OFFSET_COMMIT
	ErrMetadata         = errors.New("the offset's metadata is too large")           // OFFSET_METADATA_TOO_LARGE
	ErrTooLarge         = errors.New("the member's protocols are too large")         // INVALID_REQUEST
	ErrUnavailable      = errors.New("the coordinator cannot answer now; try again") // COORDINATOR_NOT_AVAILABLE
)

// Limits, as Kafka has them by default but for those that it does not have.
const (
	sessionMin     = 6 * time.Second
	sessionMax     = 30 * time.Minute
	newMemberMax   = 5 * time.Minute // that a new member waits in a join, for it cannot send heartbeats
	offsetsKept    = 7 * 24 * time.Hour
	sweepEvery     = 10 * time.Minute
	metadataMax    = 4096     // bytes of an offset's metadata
	membersMax     = 10_000   // of one group; Kafka has no limit
	groupsMax      = 100_000  // Kafka has no limit
	protocolsMax   = 1 << 20  // bytes that a member sends to join; Kafka: its record of the group is as large at most
	heldMax        = 64 << 20 // bytes of RAM that members' protocols and ids hold, of all groups; Kafka has no limit
	memberBytes    = 1 << 10  // of RAM that a member costs besides, and protocolBytes each of its protocols, about
	protocolBytes  = 64
	writesWaiting  = 10_000 // commits that wait for the disk; who comes later waits to be let in
	anyMember      = ""
	noGeneration   = -1
	leaderEpochOff = -1
)

// Options of a coordinator.
type Options struct {
	Meta    *meta.Store
	Clock   life.Clock
	Log     *slog.Logger
	Metrics prometheus.Registerer

	// Topic tells a topic's id and how many partitions it has; false when it is not there. Nil: every topic is.
	Topic func(name string) (id string, partitions int32, ok bool)
	// TopicsChanged gives a channel that is closed when a topic is made or deleted next. Nil: none ever is.
	TopicsChanged func() <-chan struct{}
	// InitialDelay is how long a group that was empty waits for more members before its first generation.
	// The default is 0, as in the server.properties that Kafka comes with and not the 3 s of its code: what
	// runs on one machine starts at once, and a member that comes later costs one short rebalance.
	InitialDelay time.Duration
	// OffsetsKept is how long an empty group's offsets stay; 0: 7 days, as Kafka's.
	OffsetsKept time.Duration
	// MembersMax is how many members a group may have; 0: 10,000.
	MembersMax int
}

// Coordinator knows all groups. Safe for concurrent use.
type Coordinator struct {
	o       Options
	metrics *metrics
	steady  life.Steady
	age     *meta.Age // offsets are stamped with it
	store   *store

	end     func()
	running sync.WaitGroup

	seq  atomic.Uint64 // of the last commit
	held atomic.Int64  // bytes, see heldMax

	mu     sync.Mutex // guards the rest; no group's is taken under it
	groups map[string]*group
	closed bool
}

// Open loads the groups and offsets that meta knows.
func Open(ctx context.Context, o Options) (*Coordinator, error) {
	if o.Clock == nil {
		o.Clock = life.SystemClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Topic == nil {
		o.Topic = func(string) (string, int32, bool) { return "", 1 << 30, true }
	}
	if o.OffsetsKept <= 0 {
		o.OffsetsKept = offsetsKept
	}
	if o.MembersMax <= 0 {
		o.MembersMax = membersMax
	}
	c := &Coordinator{o: o, steady: life.NewSteady(o.Clock), groups: map[string]*group{}}
	var err error
	if c.age, err = meta.OpenAge(ctx, o.Meta, "groups", c.steady); err != nil {
		return nil, err
	}
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	if c.metrics, err = newMetrics(o.Metrics, c); err != nil {
		return nil, err
	}
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	c.end = end
	c.store = newStore(o.Meta)
	c.running.Go(func() { c.store.run(live) })
	c.running.Go(func() { c.keep(live) })
	for _, g := range c.groups {
		g.mu.Lock()
		for _, m := range g.members {
			g.arm(m)
		}
		g.mu.Unlock()
	}
	return c, nil
}

// Close answers everybody who waits with ErrUnavailable; what was acknowledged is on disk.
func (c *Coordinator) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	for _, g := range c.all() {
		g.mu.Lock()
		g.close()
		g.mu.Unlock()
	}
	c.end()
	c.running.Wait()
	c.metrics.unregister()
	c.saveAge(context.WithoutCancel(ctx))
	return nil
}

func (c *Coordinator) saveAge(ctx context.Context) {
	if err := c.age.Save(ctx); err != nil && ctx.Err() == nil {
		c.o.Log.Warn("age of groups is not written", "error", err)
	}
}

// all returns the groups there are.
func (c *Coordinator) all() []*group {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*group, 0, len(c.groups))
	for _, g := range c.groups {
		out = append(out, g)
	}
	return out
}

// locked returns a group, locked, or makes it; nil when it is not there.
func (c *Coordinator) locked(name string, create bool) (*group, error) {
	for {
		c.mu.Lock()
		g := c.groups[name]
		switch {
		case c.closed:
			c.mu.Unlock()
			return nil, ErrUnavailable
		case g == nil && !create:
			c.mu.Unlock()
			return nil, nil //nolint:nilnil // no group is an answer, and its meaning is the caller's
		case g == nil && len(c.groups) >= groupsMax:
			c.mu.Unlock()
			return nil, ErrUnavailable
		case g == nil:
			g = newGroup(c, strings.Clone(name))
			c.groups[g.name] = g
		}
		c.mu.Unlock()
		g.mu.Lock()
		if !g.dead {
			return g, nil
		}
		g.mu.Unlock()
		c.forget(g)
	}
}

// forget takes a dead group out of the list. No group is locked.
func (c *Coordinator) forget(g *group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups[g.name] == g {
		delete(c.groups, g.name)
	}
}

// newMemberID makes an id as Kafka does.
func newMemberID(r *Joining) string {
	if r.Instance != "" {
		return r.Instance + "-" + uuid.NewString()
	}
	return r.ClientID + "-" + uuid.NewString()
}
