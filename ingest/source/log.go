package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// Log is what a runner needs of the bus. OnBus makes one.
type Log interface {
	// Open returns partition 0 of a topic, which it makes if it is not there, and takes over if it never had a record. A topic
	// that somebody else fills is a fault with code Conflict.
	Open(ctx context.Context, topic string, c bus.TopicConfig) (Partition, error)
	// Find returns partition 0 of a topic that is there.
	Find(topic string) (Partition, bool)
	// Owners are the ids of the sources that fill topics, by topic.
	Owners() map[string]string
	// Records are the next committed ones in partition 0 of a topic from an offset on, none where there are none yet, and the offset
	// behind them; with an offset below 0 that is the end. A topic that is not there has nothing, from 0 on.
	Records(ctx context.Context, topic string, from int64) (list []record.Record, next int64, err error)
	// Generation is that of the topic's last record; 0 where it has none.
	Generation(ctx context.Context, topic string) (int64, error)
}

// Partition is one partition's log, as bus.Partition.
type Partition interface {
	// Append appends whole batches as one unit; see bus.Partition.
	Append(ctx context.Context, batches []byte) (bus.Appended, error)
	// Place is the last place of a source; see bus.Partition.
	Place(source string) (record.Pos, bool)
}

// lookTimeout bounds the wait for a record that is there.
const lookTimeout = 10 * time.Second

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

func (l busLog) Owners() map[string]string {
	out := map[string]string{}
	for _, t := range l.bus.Topics() {
		if id := t.Config().Source; id != "" {
			out[t.Name()] = id
		}
	}
	return out
}

func (l busLog) Records(ctx context.Context, topic string, from int64) (list []record.Record, next int64, err error) {
	t, err := l.bus.Topic(topic)
	if err != nil {
		return nil, 0, nil // there is none yet
	}
	p := t.Partitions()[0]
	end := p.Stable()
	if from < 0 || from == end {
		return nil, end, nil
	}
	if from < p.LogStart() || from > end { // the topic was emptied, or made anew
		from = p.LogStart()
	}
	if from == end {
		return nil, end, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	r := p.Reader(from)
	defer r.Close()
	got, err := r.Next(ctx, ChunkBytesMax)
	if err != nil {
		return nil, from, fmt.Errorf("read topic %s: %w", topic, err)
	}
	list, err = RecordsFrom(got.Batches, from)
	return list, got.Next, err
}

// RecordsFrom are the records of batches from an offset on.
func RecordsFrom(batches []record.Batch, from int64) (list []record.Record, err error) {
	for _, b := range batches {
		if b.Control() {
			continue
		}
		records, err := b.Records()
		if err != nil {
			return nil, err
		}
		for i := range records {
			if records[i].Offset >= from {
				list = append(list, records[i])
			}
		}
	}
	return list, nil
}

func (l busLog) Generation(ctx context.Context, topic string) (int64, error) {
	t, err := l.bus.Topic(topic)
	if err != nil {
		return 0, nil // there is none yet
	}
	p := t.Partitions()[0]
	end := p.Written()
	if end <= p.LogStart() {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	r := p.ReaderOfAll(end - 1)
	defer r.Close()
	got, err := r.Next(ctx, 1)
	switch {
	case fault.CodeOf(err) == fault.Damaged, errors.Is(err, bus.ErrOutOfRange):
		return 0, nil // the topic's own trouble, of which its next append tells
	case err != nil:
		return 0, fmt.Errorf("read the last record of topic %s: %w", topic, err)
	case len(got.Batches) == 0:
		return 0, nil
	}
	return GenerationOf(got.Batches[len(got.Batches)-1])
}

// GenerationOf is the generation that a batch's last record, or its mark, belongs to; 0 where
// it tells of none.
func GenerationOf(b record.Batch) (int64, error) {
	if b.Control() {
		mark, _, err := b.Mark()
		return mark.Generation, err
	}
	records, err := b.Records()
	if err != nil || len(records) == 0 {
		return 0, err
	}
	text, ok := records[len(records)-1].Header(record.HeaderGen)
	if !ok {
		return 0, nil
	}
	return strconv.ParseInt(string(text), 10, 64)
}

func (l busLog) Open(ctx context.Context, topic string, c bus.TopicConfig) (Partition, error) {
	t, err := l.bus.Topic(topic)
	if errors.Is(err, bus.ErrNoTopic) {
		t, err = l.bus.CreateTopic(ctx, topic, c)
	}
	if err != nil {
		return nil, err
	}
	if t.Config().Source == "" { // a client asked for it before there was a record, and so it was made
		if t, err = l.bus.Claim(ctx, topic, c); err != nil {
			return nil, err
		}
	}
	have := t.Config()
	if have.Source != c.Source || have.Partitions != 1 {
		return nil, fault.Newf(fault.Conflict, "choose another topic.prefix, or delete the topic", "topic %s is filled by somebody else", topic)
	}
	if have.Plain != c.Plain {
		return nil, fault.Newf(fault.Conflict, "delete the topic with its tables, or have RegexRouter give it another name",
			"topic %s has records of another form, from before its connector's transforms were changed", topic)
	}
	if have.Keyed != c.Keyed {
		have.Keyed = c.Keyed
		if err := l.bus.AlterTopic(ctx, topic, have); err != nil {
			return nil, err
		}
	}
	return t.Partitions()[0], nil
}
