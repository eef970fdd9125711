package ingest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
)

// producing is PRODUCE TO, read.
type producing struct {
	named
	partition int32 // -1: by the key
	partAt    int
	record    record.Record
}

// produce is
//
//	PRODUCE TO topic [PARTITION 0] [KEY 'key'] VALUE 'value' | NULL [HEADERS ('name' = 'value', …)]
//
// It appends one record, and answers with its place once the disk has it. Without a partition it is the one that Kafka's Java clients, and
// kgo, choose for the key. NULL is a tombstone, where the topic is compacted.
func (g *Ingest) produce(ctx context.Context, who guard.Principal, statement string) (Answer, error) {
	r, err := readProduce(statement)
	if err != nil {
		return Answer{}, err
	}
	if err := g.mayTopic(who, guard.Write, r.topic); err != nil {
		return Answer{}, err
	}
	t, err := g.o.Bus.Writable(r.topic)
	if err != nil {
		return Answer{}, g.noTopic(err, r.named, statement)
	}
	parts := t.Partitions()
	switch n := len(parts); {
	case r.partition < 0:
		r.partition = int32(kgo.StickyKeyPartitioner(nil).ForTopic(r.topic).Partition(&kgo.Record{Key: r.record.Key}, n)) //nolint:gosec // below n
	case int(r.partition) >= n:
		return Answer{}, sqltext.At(fault.Newf(fault.NotFound, "leave it out, and the key chooses", "topic %s has no partition %d, only 0 to %d", r.topic, r.partition, n-1), statement, r.partAt)
	}
	now := g.o.Clock.Now()
	r.record.Timestamp = now.UnixMilli()
	appended, err := appendOne(ctx, parts[r.partition], &r.record, now)
	if err != nil {
		return Answer{}, err
	}
	at := r.record.Timestamp
	if appended.Time != 0 {
		at = appended.Time
	}
	return Answer{tag: "PRODUCE", rows: [][]any{{r.topic, int64(r.partition), appended.Base, time.UnixMilli(at)}}, columns: []record.Column{
		{Name: "topic", Type: record.String}, {Name: "partition", Type: record.Int}, {Name: "offset", Type: record.Long}, {Name: "timestamp", Type: record.TimestampTZ},
	}}, nil
}

// appendOne appends a record that keeps to the topic's settings, as one of a Kafka client.
func appendOne(ctx context.Context, p *bus.Partition, r *record.Record, now time.Time) (bus.Appended, error) {
	what := "append to " + p.Topic().Name()
	batch := record.Encode([]record.Record{*r})
	survey, err := batch.Survey()
	if err == nil {
		err = p.Topic().Config().Admit(batch, survey, now)
	}
	switch {
	case errors.Is(err, bus.ErrNoKey):
		return bus.Appended{}, fault.Wrap(err, fault.Invalid, what, "give it a key: compaction keeps the newest record of each")
	case errors.Is(err, bus.ErrBatchTooLarge):
		return bus.Appended{}, fault.Wrap(err, fault.TooLarge, what, "shorten it, or ALTER TOPIC … SET ('"+bus.SettingMessageBytes+"' = …)")
	case err != nil:
		return bus.Appended{}, fault.Wrap(err, fault.Invalid, what, "see DESCRIBE TOPIC")
	}
	appended, err := p.Append(ctx, batch)
	if errors.Is(err, bus.ErrRetry) {
		err = fault.Wrap(err, fault.Unavailable, what, "look whether the record is there before you send it again")
	}
	return appended, err
}

func readProduce(statement string) (r producing, err error) {
	in, err := sqltext.NewReader(statement)
	if err != nil {
		return r, err
	}
	in.Take("PRODUCE", "TO")
	if r.named, err = readTopic(in); err != nil {
		return r, err
	}
	r.partition = -1
	if in.Take("PARTITION") {
		r.partAt = in.Offset()
		n, err := strconv.ParseInt(in.Peek().Text, 10, 32)
		if err != nil {
			return r, in.Fault("a partition's number")
		}
		in.Next()
		r.partition = int32(n)
	}
	if in.Take("KEY") {
		if r.record.Key, err = readText(in); err != nil {
			return r, err
		}
	}
	if !in.Take("VALUE") {
		return r, in.Fault("VALUE 'text'")
	}
	if r.record.Value, err = readText(in); err != nil {
		return r, err
	}
	if in.Take("HEADERS", "(") {
		list, err := readPairs(in, statement, "trace")
		if err != nil {
			return r, err
		}
		for _, p := range list {
			r.record.Headers = append(r.record.Headers, record.Header{Key: p.key, Value: []byte(p.value)})
		}
	}
	return r, in.Done()
}

// readText reads 'text', or NULL for none.
func readText(in *sqltext.Reader) ([]byte, error) {
	if in.Take("NULL") {
		return nil, nil
	}
	if t := in.Peek(); t.Kind != sqltext.String || t.Text[0] != '\'' {
		return nil, in.Fault("a text such as 'value', or NULL")
	}
	return []byte(in.Next().Value()), nil
}
