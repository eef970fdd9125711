package bus

import (
	"context"
	"fmt"
	"time"

	"tarn/embedded/fault"
)

// reopenTimeout is for how long a topic that Claim has closed is tried to be opened again, whether or not its caller still waits.
const reopenTimeout = 30 * time.Second

// Claim gives a topic to a source, as c says, where it has one partition and never had a record, and nobody else fills it: a client
// asked for it by name before the source's first append, and the broker made it. Its id and settings stay, so that its readers
// go on. The topic is returned as it is then: it has c.Source if it was given.
//
// Clients that were let in while the topic was nobody's may append meanwhile. So its partition is closed first, as if the topic were deleted,
// and opened again: by then the log has what was acknowledged, and what got in without an answer. With any of it the topic stays as it was.
func (b *Bus) Claim(ctx context.Context, name string, c TopicConfig) (*Topic, error) {
	b.admin.Lock()
	defer b.admin.Unlock()
	if b.closed.Load() {
		return nil, errClosing
	}
	t, err := b.Topic(name)
	if err != nil || !t.free() {
		return t, err
	}
	p := t.partitions[0]
	b.publishTopic(name, nil)
	close(p.deleted)
	b.stopPartitions(t.partitions)
	b.cache.trim(&p.tail, p.Next())
	if p.adrift {
		s, _ := b.session()
		b.restart(s) // what it had not stored by then never gets in
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reopenTimeout)
	defer cancel()
	if t, err = b.openTopic(ctx, name, t.Config(), false); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "give topic "+name+" to a source", "wait: it is tried again, and who asks for the topic opens it")
	}
	fault.Point("bus.claiming")
	free := t.free()
	if free {
		mine := t.Config()
		mine.Source, mine.Land, mine.Keyed, mine.Plain, mine.Requests = c.Source, c.Land, c.Keyed, c.Plain, c.Requests
		if err = b.keepTopic(ctx, name, keptTopic{TopicConfig: mine}); err == nil {
			t.config.Store(&mine)
		}
		fault.Point("bus.claimed")
	}
	b.publishTopic(name, t)
	if err != nil {
		return nil, fmt.Errorf("give topic %s to a source: %w", name, err)
	}
	if free {
		b.tellStreams(ctx, t)
		b.o.Log.Info("topic without records given to a source", "topic", name, "source", c.Source)
	}
	return t, nil
}

// free tells whether a source may have the topic: nobody fills it, and its one partition never had a record.
func (t *Topic) free() bool {
	if Own(t.name) || t.Config().Filled() || len(t.partitions) != 1 {
		return false
	}
	p := t.partitions[0]
	if p.Settled() != nil {
		return false // what was refused may be there
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next == p.logStart && p.next == p.start.Origin && p.end <= p.logStart && len(p.index.runs) == 0
}
