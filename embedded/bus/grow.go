package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/fault"
)

// AddPartitions gives a topic more partitions, to count in all. Their number is kept before they are made, so that
// a start after a crash makes those that are missing.
func (b *Bus) AddPartitions(ctx context.Context, name string, count int32) error {
	b.admin.Lock()
	defer b.admin.Unlock()
	if b.closed.Load() {
		return errClosing
	}
	old, err := b.Topic(name)
	if err != nil {
		return err
	}
	c := old.Config()
	switch {
	case count <= c.Partitions:
		return fault.Newf(fault.Invalid, "name a higher number: partitions are never taken away", "topic %s has %d partitions already, %d are asked for", name, c.Partitions, count)
	case count > PartitionsMax:
		return fault.Newf(fault.Invalid, "use fewer partitions", "topic %s: %d partitions, at most %d", name, count, PartitionsMax)
	case c.Source != "":
		return fault.Newf(fault.Invalid, "a source's topic has one partition, which keeps its changes in order", "topic %s is filled by a source", name)
	}
	if err := b.room(joinBytesMax); err != nil {
		return err
	}
	was := c.Partitions
	c.Partitions = count
	if err := b.keepTopic(ctx, name, keptTopic{TopicConfig: c}); err != nil {
		return err
	}
	t := &Topic{name: name, id: old.id, config: old.config, partitions: slices.Clone(old.partitions)}
	for n := was; n < count; n++ {
		t.partitions = append(t.partitions, b.newPartition(t, n))
	}
	if err := b.openPartitions(ctx, t.partitions[was:], false); err != nil {
		c.Partitions = was
		return fmt.Errorf("add partitions to topic %s: %w", name, errors.Join(err, b.takeBack(ctx, name, c, count)))
	}
	t.config.Store(&c)
	b.publishTopic(name, t)
	b.tellStreams(ctx, t)
	b.o.Log.Info("partitions added", "topic", name, "partitions", count)
	return nil
}

// takeBack removes partitions that could not all be made. What it cannot remove the next start opens.
func (b *Bus) takeBack(ctx context.Context, name string, c TopicConfig, count int32) error {
	ctx = context.WithoutCancel(ctx)
	s, _ := b.session()
	for n := c.Partitions; n < count; n++ {
		if err := s.api.DeleteStream(ctx, streamName(name, n)); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
	}
	return b.keepTopic(ctx, name, keptTopic{TopicConfig: c})
}
