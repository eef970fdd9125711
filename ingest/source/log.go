package source

import (
	"context"
	"errors"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// Log is what a runner needs of the bus. OnBus makes one.
type Log interface {
	// Open returns partition 0 of a topic, which it makes if it is not there. A topic that
	// somebody else fills is a fault with code Conflict.
	Open(ctx context.Context, topic string, c bus.TopicConfig) (Partition, error)
	// Find returns partition 0 of a topic that is there.
	Find(topic string) (Partition, bool)
}

// Partition is one partition's log, as bus.Partition.
type Partition interface {
	// Append appends whole batches as one unit; see bus.Partition.
	Append(ctx context.Context, batches []byte) (bus.Appended, error)
	// Place is the last place of a source; see bus.Partition.
	Place(source string) (record.Pos, bool)
}

// OnBus is the bus as a Log.
func OnBus(b *bus.Bus) Log { return busLog{b} }

type busLog struct{ bus *bus.Bus }

func (l busLog) Find(topic string) (Partition, bool) {
	t, err := l.bus.Topic(topic)
	if err != nil || len(t.Partitions()) == 0 {
		return nil, false
	}
	return t.Partitions()[0], true
}

func (l busLog) Open(ctx context.Context, topic string, c bus.TopicConfig) (Partition, error) {
	t, err := l.bus.Topic(topic)
	if errors.Is(err, bus.ErrNoTopic) {
		t, err = l.bus.CreateTopic(ctx, topic, c)
	}
	if err != nil {
		return nil, err
	}
	have := t.Config()
	if have.Source != c.Source || have.Partitions != 1 {
		return nil, fault.Newf(fault.Conflict, "choose another topic.prefix, or delete the topic", "topic %s is filled by somebody else", topic)
	}
	if have.Keyed != c.Keyed {
		have.Keyed = c.Keyed
		if err := l.bus.AlterTopic(ctx, topic, have); err != nil {
			return nil, err
		}
	}
	return t.Partitions()[0], nil
}
