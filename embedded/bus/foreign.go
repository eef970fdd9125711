package bus

import (
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// TopicsMax is how many topics the doors bring a log to.
const TopicsMax = 10_000

// Own tells whether a name is of the topics that only Tarn makes, changes and writes. In any case of letters, for file systems and tables know none.
func Own(topic string) bool { return strings.HasPrefix(strings.ToLower(topic), record.OwnPrefix) }

// Creatable is nil where programs and people may make a topic of a name. Faults: Exists, Denied for one of Tarn's own names, TooLarge
// for a log with TopicsMax, Invalid for what is no name.
func (b *Bus) Creatable(name string) error {
	_, err := b.Topic(name)
	switch {
	case err == nil:
		return fault.Newf(fault.Exists, "choose another name, or alter it", "topic %s is there already", name)
	case Own(name):
		return ownTopic(name)
	case len(b.Topics()) >= TopicsMax:
		return fault.Newf(fault.TooLarge, "use one that is there, or delete some", "topic %s is not made: there are %d already", name, TopicsMax)
	}
	return CheckName(name)
}

// Alterable is a topic whose settings and partitions programs and people may change. Faults: NotFound, Denied.
func (b *Bus) Alterable(name string) (*Topic, error) {
	t, err := b.found(name)
	if err == nil && Own(name) {
		err = ownTopic(name)
	}
	return t, err
}

// Deletable is a topic that programs and people may delete. Faults: those of Alterable, and Conflict for one that a source fills.
func (b *Bus) Deletable(name string) (*Topic, error) {
	t, err := b.Alterable(name)
	if err == nil && t.Config().Source != "" {
		err = fault.Newf(fault.Conflict, "it goes with its connector: remove the connector's file", "topic %s is filled by a source", name)
	}
	return t, err
}

// Writable is a topic that programs and people may append to. Faults: those of Deletable.
func (b *Bus) Writable(name string) (*Topic, error) {
	if Own(name) {
		return nil, ownTopic(name)
	}
	t, err := b.found(name)
	if err == nil && t.Config().Filled() {
		err = fault.Newf(fault.Conflict, "write to another topic", "topic %s is filled by a source", name)
	}
	return t, err
}

// Filled tells whether a source fills the topic, which takes no other records.
func (c TopicConfig) Filled() bool { return c.Source != "" || c.Keyed }

func (b *Bus) found(name string) (*Topic, error) {
	t, err := b.Topic(name)
	if err != nil {
		return nil, fault.Newf(fault.NotFound, "see FROM system.topics", "there is no topic %s", name)
	}
	return t, nil
}

func ownTopic(name string) error {
	return fault.Newf(fault.Denied, "choose a name that does not begin with "+record.OwnPrefix, "topic %s is Tarn's own", name)
}
