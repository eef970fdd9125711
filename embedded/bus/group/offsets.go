package group

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tarn/embedded/meta"
)

// Offset is one that is committed.
type Offset struct {
	Partition
	At          int64 // the next offset to read
	LeaderEpoch int32 // -1 for not told
	Metadata    string
}

// Commit is a request to commit offsets.
type Commit struct {
	Beat    // the generation is -1 of one that is in no group
	Offsets []Offset
	Keep    time.Duration // as a client of before KIP-211 asks for; 0 for the default
}

// Commit stores offsets and returns when they are on disk. errs are the offsets', in their order; ErrNotFound
// says that there is no group, and that the commit names a generation of one. When ctx ends first the
// offsets are stored or not.
func (c *Coordinator) Commit(ctx context.Context, r Commit) (errs []error, err error) {
	return c.commit(ctx, r, nil)
}

// commit is Commit, or with a producer the commit of its transaction, which is stored as pending.
func (c *Coordinator) commit(ctx context.Context, r Commit, producer *int64) ([]error, error) {
	if err := c.store.room.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer c.store.room.Release(1)
	g, err := c.locked(r.Group, r.Generation < 0)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, ErrNotFound
	}
	if err := g.mayCommit(r.Beat, producer != nil); err != nil {
		g.mu.Unlock()
		return nil, err
	}
	errs, wait := g.commit(&r, producer)
	g.mu.Unlock()
	return written(ctx, wait, errs)
}

// written is what each offset is answered with, once what was to be kept is on disk.
func written(ctx context.Context, wait <-chan error, errs []error) ([]error, error) {
	select {
	case err := <-wait:
		return errs, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mayCommit judges who commits.
func (g *group) mayCommit(b Beat, transaction bool) error {
	switch {
	case b.Generation < 0 && g.state == Empty:
		return nil
	case b.Generation >= 0 || b.Member != anyMember || b.Instance != "":
		if err := g.valid(b.Member, b.Instance); err != nil {
			return err
		}
		if b.Generation != g.generation {
			return ErrGeneration
		}
	case !transaction: // of a group that has members, only they commit
		return ErrUnknownMember
	default:
		return nil
	}
	if !transaction && g.state == Awaiting {
		return ErrRebalance
	}
	g.arm(g.members[b.Member])
	return nil
}

// commit sends the offsets that are right on their way to the disk.
func (g *group) commit(r *Commit, producer *int64) ([]error, chan error) {
	errs, now := make([]error, len(r.Offsets)), g.c.steady.Stamp()
	new := map[Partition]Committed{}
	var entries []meta.Entry
	for i, o := range r.Offsets {
		id, partitions, ok := g.c.o.Topic(o.Topic)
		if !ok || o.Number < 0 || o.Number >= partitions {
			errs[i] = ErrUnknownPartition
			continue
		}
		if len(o.Metadata) > metadataMax {
			errs[i] = ErrMetadata
			continue
		}
		c := Committed{Offset: o.At, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata, At: now, Age: g.c.age.Now().Milliseconds(), TopicID: id, Seq: g.c.seq.Add(1)}
		if r.Keep > 0 {
			c.Expires = now.Add(r.Keep)
		}
		new[o.Partition] = c
		if producer != nil {
			entries = append(entries, pendingEntry(*producer, g.name, o.Partition, &c))
		} else {
			entries = append(entries, offsetEntry(g.name, o.Partition, &c))
		}
	}
	wait := make(chan error, 1)
	if len(entries) == 0 {
		wait <- nil
		return errs, wait
	}
	g.put(write{entries: entries, done: func(err error) {
		if err == nil && producer != nil {
			for p, c := range new {
				g.pend(*producer, p, c)
			}
		} else if err == nil {
			maps.Copy(g.offsets, new)
			g.c.metrics.commits.Add(float64(len(entries)))
		}
		wait <- err
	}})
	return errs, wait
}

// Fetched is what a group has committed of a partition. Err is ErrUnstable where a transaction
// that is open would change it and the asker wants none such.
type Fetched struct {
	Partition
	Committed
	Err error
}

// Fetch returns the offsets that a group has committed, of partitions in their order, or of all for nil.
// One that is not there is -1.
func (c *Coordinator) Fetch(name string, of []Partition, stable bool) ([]Fetched, error) {
	g, err := c.locked(name, false)
	if err != nil {
		return nil, err
	}
	none := Committed{Offset: -1, LeaderEpoch: leaderEpochOff}
	if g == nil {
		out := make([]Fetched, len(of))
		for i, p := range of {
			out[i] = Fetched{Partition: p, Committed: none}
		}
		return out, nil
	}
	defer g.mu.Unlock()
	if of == nil {
		of = slices.SortedFunc(maps.Keys(g.offsets), comparePartitions)
	}
	out := make([]Fetched, 0, len(of))
	for _, p := range of {
		f := Fetched{Partition: p, Committed: none}
		if o, ok := g.offsets[p]; ok && g.c.is(p, o) {
			f.Committed = o
		}
		if stable && g.unsettled(p) {
			f.Committed, f.Err = none, ErrUnstable
		}
		out = append(out, f)
	}
	return out, nil
}

// is tells whether an offset is of the topic that has its name now.
func (c *Coordinator) is(p Partition, o Committed) bool {
	id, partitions, ok := c.o.Topic(p.Topic)
	return ok && id == o.TopicID && p.Number < partitions
}

// DeleteOffsets forgets a group's offsets; errs are the partitions', in their order. Topics that
// members read keep theirs.
func (c *Coordinator) DeleteOffsets(ctx context.Context, name string, of []Partition) (errs []error, err error) {
	g, err := c.locked(name, false)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, ErrNotFound
	}
	if g.state != Empty && g.protocolType != consumerProtocol {
		g.mu.Unlock()
		return nil, ErrNotEmpty
	}
	read := g.subscribed()
	var gone []Partition
	errs = make([]error, len(of))
	for i, p := range of {
		if _, partitions, ok := c.o.Topic(p.Topic); !ok || p.Number < 0 || p.Number >= partitions {
			errs[i] = ErrUnknownPartition
		} else if read == nil && g.state != Empty || read[p.Topic] {
			errs[i] = ErrSubscribed
		} else {
			gone = append(gone, p)
		}
	}
	wait := g.erase(func() []Partition { return gone })
	g.mu.Unlock()
	return written(ctx, wait, errs)
}

// erase removes the offsets that gone names when everything before is on disk.
func (g *group) erase(gone func() []Partition) chan error {
	wait := make(chan error, 1)
	var parts []Partition
	g.put(write{late: func() (entries []meta.Entry) {
		parts = gone()
		for _, p := range parts {
			entries = append(entries, offsetEntry(g.name, p, nil))
			for producer, offsets := range g.open {
				if _, ok := offsets[p]; ok {
					entries = append(entries, pendingEntry(producer, g.name, p, nil))
				}
			}
		}
		return entries
	}, done: func(err error) {
		if err == nil {
			for _, p := range parts {
				delete(g.offsets, p)
				g.settle(p)
			}
		}
		wait <- err
	}})
	return wait
}

// consumerProtocol is the protocol type of consumers: what their metadata says is known.
const consumerProtocol = "consumer"

// subscribed are the topics that the members read; nil when that is not known.
func (g *group) subscribed() map[string]bool {
	if g.protocolType != consumerProtocol || g.protocol == "" {
		return nil
	}
	topics := map[string]bool{}
	for _, m := range g.members {
		var meta kmsg.ConsumerMemberMetadata
		if err := meta.ReadFrom(m.metadata(g.protocol)); err != nil {
			return nil
		}
		for _, t := range meta.Topics {
			topics[t] = true
		}
	}
	return topics
}
