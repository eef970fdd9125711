package group

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
)

// entriesMax bounds one transaction of meta.db.
const entriesMax = 10_000

// store writes for all groups: what waits while one synced transaction is under way is the next one.
type store struct {
	meta *meta.Store
	room *semaphore.Weighted // for callers that wait
	wake chan struct{}

	mu      sync.Mutex
	waiting []write
	closed  bool
}

// write is entries that are on disk together. late is asked for more of them when all writes before
// are done. done is called in the order of the writes. Both are called by one goroutine.
type write struct {
	entries []meta.Entry
	late    func() []meta.Entry
	done    func(error)
}

func newStore(m *meta.Store) *store {
	return &store{meta: m, room: semaphore.NewWeighted(writesWaiting), wake: make(chan struct{}, 1)}
}

// put hands a write over and does not wait. A group's lock orders its writes. When the store is closed every
// group is dead and puts nothing, so nobody who comes then holds a lock that done takes.
func (s *store) put(w write) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.waiting = append(s.waiting, w)
	}
	s.mu.Unlock()
	if closed {
		w.done(ErrUnavailable)
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, and then what waits.
func (s *store) run(ctx context.Context) {
	last := false
	for {
		writes := s.take(last)
		if len(writes) > 0 {
			s.write(context.WithoutCancel(ctx), writes)
			continue
		}
		if last {
			return
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			last = true
		}
	}
}

// take returns what waits, up to entriesMax. With last and nothing left nothing more is let in.
func (s *store) take(last bool) []write {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, entries := 0, 0
	for n < len(s.waiting) && (n == 0 || s.waiting[n].late == nil && entries+len(s.waiting[n].entries) <= entriesMax) {
		entries += len(s.waiting[n].entries)
		n++
	}
	writes := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	s.closed = last && n == 0
	return writes
}

func (s *store) write(ctx context.Context, writes []write) {
	var entries []meta.Entry
	at := map[string]int{} // of a key in entries: only the last value is written
	for _, w := range writes {
		if w.late != nil {
			w.entries = append(w.late(), w.entries...)
		}
		for _, e := range w.entries {
			key := string(e.Bucket) + "/" + e.Key
			if i, ok := at[key]; ok {
				entries[i] = e
				continue
			}
			at[key] = len(entries)
			entries = append(entries, e)
		}
	}
	var err error
	if len(entries) > 0 {
		err = s.meta.Put(ctx, entries...)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	} else {
		fault.Point("group.stored")
	}
	for _, w := range writes {
		w.done(err)
	}
}

// Partition is one of a topic.
type Partition struct {
	Topic  string
	Number int32
}

// Committed is what a group has committed of a partition.
type Committed struct {
	Offset      int64     `json:"offset"`
	LeaderEpoch int32     `json:"epoch"` // -1 for not told
	Metadata    string    `json:"metadata,omitempty"`
	At          time.Time `json:"at"`
	Age         int64     `json:"age,omitempty"`    // the coordinator's then, in ms
	Expires     time.Time `json:"expires,omitzero"` // asked for by clients of before KIP-211
	TopicID     string    `json:"topic"`            // of which topic of that name
	Seq         uint64    `json:"seq"`              // of two commits the later has the larger one
}

// keptGroup is a group as meta keeps it.
type keptGroup struct {
	Generation   int32        `json:"generation"`
	ProtocolType string       `json:"protocol_type,omitempty"`
	Protocol     string       `json:"protocol,omitempty"`
	Leader       string       `json:"leader,omitempty"`
	Since        time.Time    `json:"since"`
	Age          int64        `json:"age,omitempty"` // the coordinator's then, in ms
	Members      []keptMember `json:"members,omitempty"`
}

type keptMember struct {
	ID         string        `json:"id"`
	Instance   string        `json:"instance,omitempty"`
	ClientID   string        `json:"client_id,omitempty"`
	ClientHost string        `json:"client_host,omitempty"`
	Session    time.Duration `json:"session"`
	Rebalance  time.Duration `json:"rebalance"`
	Protocols  []Protocol    `json:"protocols"`
	Assignment []byte        `json:"assignment,omitempty"`
}

// save writes the group's generation with its assignment.
func (g *group) save(done func(error)) {
	kept := keptGroup{Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: g.leader, Since: g.c.steady.Stamp(), Age: g.c.age.Now().Milliseconds()}
	for _, m := range g.sorted() {
		kept.Members = append(kept.Members, keptMember{m.id, m.instance, m.clientID, m.clientHost, m.session, m.rebalance, m.protocols, m.assignment})
	}
	g.put(write{entries: []meta.Entry{{Bucket: meta.Groups, Key: g.name, Value: marshal(kept)}}, done: func(err error) {
		if err != nil {
			g.c.o.Log.Warn("group is not stored; its members join again after a restart", "group", g.name, "error", err)
		}
		if done != nil && !g.dead {
			done(err)
		}
	}})
}

// rename gives a static member its new id in the generation that is stored, before it learns it in the next one.
func (g *group) rename(m *member, was string) {
	m.naming++
	var failed error
	g.put(write{late: func() []meta.Entry {
		value, err := g.c.o.Meta.Get(context.Background(), meta.Groups, g.name)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		var kept keptGroup
		if failed = err; err == nil {
			failed = json.Unmarshal(value, &kept)
		}
		at := slices.IndexFunc(kept.Members, func(k keptMember) bool { return k.ID == was })
		if failed != nil || at < 0 {
			return nil
		}
		if kept.Members[at].ID = m.id; kept.Leader == was {
			kept.Leader = m.id
		}
		return []meta.Entry{{Bucket: meta.Groups, Key: g.name, Value: marshal(kept)}}
	}, done: func(err error) {
		if m.naming--; g.dead {
			return
		}
		if err = cmp.Or(err, failed); err != nil {
			g.c.o.Log.Warn("new id of a member is not stored", "group", g.name, "member", m.id, "error", err)
			m.answerJoin(Joined{Member: was, Generation: noGeneration}, ErrUnavailable)
		}
		g.complete()
	}})
}

// put hands a write of this group over; late and done are called with the group locked.
func (g *group) put(w write) {
	g.queued++
	late, done := w.late, w.done
	if late != nil {
		w.late = func() []meta.Entry {
			g.mu.Lock()
			defer g.mu.Unlock()
			return late()
		}
	}
	w.done = func(err error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.queued--
		done(err)
	}
	g.c.store.put(w)
}

func marshal(v any) []byte {
	value, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain strings and numbers always marshal
	}
	return value
}

// offsetKey names a group's offset. A topic has no slash in its name, so the group may have some.
func offsetKey(group string, p Partition) string {
	return group + "/" + p.Topic + "/" + strconv.Itoa(int(p.Number))
}

func parseOffsetKey(key string) (group string, p Partition, err error) {
	end := strings.LastIndexByte(key, '/')
	mid := strings.LastIndexByte(key[:max(end, 0)], '/')
	if mid < 0 {
		return "", p, fmt.Errorf("%q is not group/topic/partition", key)
	}
	n, err := strconv.ParseInt(key[end+1:], 10, 32)
	return key[:mid], Partition{key[mid+1 : end], int32(n)}, err
}

// entry is an offset as meta keeps it; nil is one that is not there any more.
func offsetEntry(group string, p Partition, c *Committed) meta.Entry {
	e := meta.Entry{Bucket: meta.Offsets, Key: offsetKey(group, p)}
	if c != nil {
		e.Value = marshal(c)
	}
	return e
}

// pendingEntry is the same for an offset of an open transaction.
func pendingEntry(producer int64, group string, p Partition, c *Committed) meta.Entry {
	e := offsetEntry(group, p, c)
	e.Bucket, e.Key = meta.Pending, strconv.FormatInt(producer, 10)+"/"+e.Key
	return e
}

// load reads everything that meta knows.
func (c *Coordinator) load(ctx context.Context) error {
	each := func(b meta.Bucket, take func(e meta.Entry) error) error {
		entries, err := c.o.Meta.List(ctx, b)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := take(e); err != nil {
				return fault.Wrap(err, fault.Damaged, fmt.Sprintf("read %s/%s in meta.db", b, e.Key), "put back the last backup of meta.db")
			}
		}
		return nil
	}
	if err := each(meta.Groups, c.loadGroup); err != nil {
		return err
	}
	if err := each(meta.Offsets, c.loadOffset); err != nil {
		return err
	}
	return each(meta.Pending, c.loadPending)
}

func (c *Coordinator) loadGroup(e meta.Entry) error {
	var kept keptGroup
	if err := json.Unmarshal(e.Value, &kept); err != nil {
		return err
	}
	g := c.loaded(e.Key)
	g.generation, g.protocolType, g.protocol, g.leader, g.since, g.age = kept.Generation, kept.ProtocolType, kept.Protocol, kept.Leader, kept.Since, kept.Age
	for _, m := range kept.Members {
		g.state = Stable
		g.joined++
		loaded := &member{
			id: m.ID, instance: m.Instance, clientID: m.ClientID, clientHost: m.ClientHost, session: m.Session, rebalance: m.Rebalance,
			protocols: m.Protocols, assignment: m.Assignment, order: g.joined, synced: true,
		}
		g.members[m.ID] = loaded
		g.hold(loaded, (&Joining{Instance: m.Instance, ClientID: m.ClientID, ClientHost: m.ClientHost, Protocols: m.Protocols}).bytes())
		if m.Instance != "" {
			g.instances[m.Instance] = m.ID
		}
	}
	return nil
}

func (c *Coordinator) loaded(name string) *group {
	if c.groups[name] == nil {
		c.groups[name] = newGroup(c, name)
	}
	return c.groups[name]
}

func (c *Coordinator) loadOffset(e meta.Entry) error {
	name, p, err := parseOffsetKey(e.Key)
	if err != nil {
		return err
	}
	var o Committed
	if err := json.Unmarshal(e.Value, &o); err != nil {
		return err
	}
	c.loaded(name).offsets[p] = o
	c.seq.Store(max(c.seq.Load(), o.Seq))
	return nil
}

func (c *Coordinator) loadPending(e meta.Entry) error {
	text, rest, _ := strings.Cut(e.Key, "/")
	producer, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	name, p, err := parseOffsetKey(rest)
	if err != nil {
		return err
	}
	var o Committed
	if err := json.Unmarshal(e.Value, &o); err != nil {
		return err
	}
	c.loaded(name).pend(producer, p, o)
	c.seq.Store(max(c.seq.Load(), o.Seq))
	return nil
}
