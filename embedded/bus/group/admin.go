package group

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tarn/embedded/meta"
)

// Summary is a group in a list.
type Summary struct {
	Group        string
	ProtocolType string // "" for one that only keeps offsets
	State        State
}

// Member is a member as it is described.
type Member struct {
	ID, Instance, ClientID, ClientHost string
	Metadata, Assignment               []byte // as the group's protocol has them
}

// Description is a group with its members.
type Description struct {
	Summary
	Protocol   string
	Generation int32
	Members    []Member
	Topics     []string // that members read, as far as their metadata says
}

// List returns all groups in order of name.
func (c *Coordinator) List() []Summary {
	var out []Summary
	for _, g := range c.all() {
		g.mu.Lock()
		if !g.dead {
			out = append(out, g.summary())
		}
		g.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Summary) int { return strings.Compare(a.Group, b.Group) })
	return out
}

func (g *group) summary() Summary { return Summary{g.name, g.protocolType, g.state} }

// Describe returns a group, or ErrNotFound.
func (c *Coordinator) Describe(name string) (Description, error) {
	g, err := c.locked(name, false)
	if err != nil {
		return Description{}, err
	}
	if g == nil {
		return Description{}, ErrNotFound
	}
	defer g.mu.Unlock()
	d := Description{Summary: g.summary(), Protocol: g.protocol, Generation: g.generation, Topics: slices.Sorted(maps.Keys(g.subscribed()))}
	for _, m := range g.sorted() {
		described := Member{ID: m.id, Instance: m.instance, ClientID: m.clientID, ClientHost: m.clientHost}
		if g.state == Stable { // before that there is none
			described.Metadata, described.Assignment = m.metadata(g.protocol), m.assignment
		}
		d.Members = append(d.Members, described)
	}
	return d, nil
}

// Delete removes a group without members, and its offsets.
func (c *Coordinator) Delete(ctx context.Context, name string) error {
	g, err := c.locked(name, false)
	if err != nil {
		return err
	}
	if g == nil {
		return ErrNotFound
	}
	if g.state != Empty {
		g.mu.Unlock()
		return ErrNotEmpty
	}
	wait := g.purge(func(Partition, Committed) bool { return true })
	g.mu.Unlock()
	select {
	case err := <-wait:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// purge erases offsets, and the group if it has nothing left.
func (g *group) purge(old func(Partition, Committed) bool) chan error {
	erased := g.erase(func() (gone []Partition) {
		for p, o := range g.offsets {
			if old(p, o) {
				gone = append(gone, p)
			}
		}
		for _, offsets := range g.open {
			for p, o := range offsets {
				if _, ok := g.offsets[p]; !ok && old(p, o) {
					gone = append(gone, p)
				}
			}
		}
		return gone
	})
	wait, ends := make(chan error, 1), false
	g.put(write{late: func() []meta.Entry {
		if ends = g.idle(1); !ends {
			return nil
		}
		return []meta.Entry{{Bucket: meta.Groups, Key: g.name}}
	}, done: func(err error) {
		if err = cmp.Or(<-erased, err); err == nil && ends && g.idle(0) {
			g.close()
			g.c.forget(g)
		}
		wait <- err
	}})
	return wait
}

// idle tells whether a group has nothing, and but for some writes nothing on its way.
func (g *group) idle(writes int) bool {
	return g.state == Empty && len(g.pending) == 0 && len(g.offsets) == 0 && len(g.open) == 0 && g.queued == writes
}

// keep expires what is old, and drops offsets of topics that are gone, until ctx ends.
func (c *Coordinator) keep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		var changed <-chan struct{}
		if c.o.TopicsChanged != nil {
			changed = c.o.TopicsChanged()
		}
		c.sweep(func(_ *group, p Partition, o Committed) bool { return !c.is(p, o) })
		select {
		case <-changed:
		case <-tick.C:
			c.saveAge(ctx)
			c.sweep(func(g *group, p Partition, o Committed) bool { return g.expired(p, o) })
		case <-ctx.Done():
			return
		}
	}
}

// sweep erases what is old in all groups, and groups that have nothing.
func (c *Coordinator) sweep(old func(*group, Partition, Committed) bool) {
	for _, g := range c.all() {
		g.mu.Lock()
		any := g.idle(0) && c.steady.Now().Sub(g.since) >= sweepEvery
		for p, o := range g.offsets {
			any = any || old(g, p, o)
		}
		if any && !g.dead {
			g.purge(func(p Partition, o Committed) bool { return old(g, p, o) })
		}
		g.mu.Unlock()
	}
}

// expired tells whether an offset is old (KIP-211): nobody has committed it for so long, and so long no
// member has read its topic.
func (g *group) expired(p Partition, o Committed) bool {
	since, age := o.At, o.Age
	switch {
	case g.unsettled(p):
		return false
	case !o.Expires.IsZero():
		return g.c.old(o.At, o.Age, o.Expires.Sub(o.At))
	case g.protocolType == "": // nobody ever joined
	case g.state == Empty:
		since, age = later(since, g.since), max(age, g.age)
	case g.state == Stable && g.subscribed() != nil:
		if g.subscribed()[p.Topic] {
			return false
		}
	default:
		return false
	}
	return g.c.old(since, age, g.c.o.OffsetsKept)
}

// old tells whether what was stamped at a time, and an age in ms, is over the time for which it is kept.
func (c *Coordinator) old(at time.Time, age int64, kept time.Duration) bool {
	return c.age.Old(at, time.Duration(age)*time.Millisecond, kept)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func comparePartitions(a, b Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
}
