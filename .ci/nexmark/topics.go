package nexmark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"tarn/embedded/bus"
	"tarn/embedded/datadir"
	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// A batch has this many records or bytes at most, as a producer's would.
const (
	batchRecordsMax = 1000
	batchBytesMax   = 1 << 20
)

// Fill is what goes into the log of a data folder.
type Fill struct {
	Data   string // the data folder, where no Tarn runs
	Events int
	Seed   int64
	Land   bool // landing makes bronze tables of the topics
	Expire bool // retention takes what has landed from their logs: the events are old
	Log    *slog.Logger
}

// Filled is what the log has of a topic then.
type Filled struct {
	Topic          string
	Records, Bytes int64 // of values
	Added          int64 // records that were not there before
}

// Run writes the events into the topics auction, bid and person. What is there already, of this
// seed, is left and gone on from; a topic that holds anything else is refused. A Tarn that runs on
// the folder is a Locked fault.
func (f Fill) Run(ctx context.Context) (_ []Filled, err error) {
	dir, err := datadir.Open(f.Data, disk.Local)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	m, err := meta.Open(ctx, dir.Path("meta.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	log, err := bus.Open(ctx, bus.Options{
		Dir: dir.Path("bus"), Fsync: bus.FsyncAlways, Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: f.Log, CacheBytes: 8 << 20,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close(context.WithoutCancel(ctx))) }()
	return f.into(ctx, log)
}

func (f Fill) into(ctx context.Context, log *bus.Bus) ([]Filled, error) {
	parts := map[string][]*partition{}
	for _, name := range Topics {
		topic, err := f.topic(ctx, log, name)
		if err != nil {
			return nil, err
		}
		for _, p := range topic.Partitions() {
			reader := p.Reader(0)
			defer reader.Close()
			parts[name] = append(parts[name], &partition{log: p, name: fmt.Sprintf("partition %d of topic %s", p.Number(), name), had: p.Next(), reader: reader})
		}
	}
	for e := range Events(f.Events, f.Seed) {
		if err := parts[e.Topic][e.Partition].take(ctx, e); err != nil {
			return nil, err
		}
	}
	var out []Filled
	for _, name := range Topics {
		sum := Filled{Topic: name}
		for _, p := range parts[name] {
			if err := p.end(ctx); err != nil {
				return nil, err
			}
			sum.Records, sum.Bytes, sum.Added = sum.Records+p.records, sum.Bytes+p.bytes, sum.Added+p.records-p.had
		}
		out = append(out, sum)
	}
	return out, nil
}

// topic keeps its records for ever: their time is that of the events, which is long ago.
func (f Fill) topic(ctx context.Context, log *bus.Bus, name string) (*bus.Topic, error) {
	config := bus.TopicConfig{Partitions: Partitions, Land: f.Land, Retention: -1, RetentionBytes: -1}
	if f.Expire {
		config.Retention, config.RetentionBytes = 0, 0
	}
	t, err := log.CreateTopic(ctx, name, config)
	if err != nil {
		return nil, err
	}
	c := t.Config()
	if c.Partitions != Partitions || c.Source != "" {
		return nil, f.other("topic " + name + " was made by somebody else")
	}
	if c.Land != f.Land {
		return nil, f.other(fmt.Sprintf("topic %s was made with LAND=%t", name, c.Land))
	}
	return t, nil
}

func (f Fill) other(message string) error {
	return fault.New(fault.Invalid, "fill "+f.Data+": "+message, "name an empty data folder with DATA=, or what was said before with N=, SEED= and LAND=")
}

// partition goes along a partition of the log: it compares what is there, and appends the rest.
type partition struct {
	log  *bus.Partition
	name string
	had  int64 // records that were there

	reader *bus.Reader
	there  []record.Record // read and not yet compared

	records, bytes int64 // that were taken
	batch          []record.Record
	values         []byte // of batch
}

func (p *partition) take(ctx context.Context, e Event) error {
	p.records++
	p.bytes += int64(len(e.Value))
	if p.records <= p.had {
		return p.compare(ctx, e)
	}
	if len(p.batch) == batchRecordsMax || len(p.values)+len(e.Value) > batchBytesMax {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	from := len(p.values)
	p.values = append(p.values, e.Value...) // where it grows, the batch's earlier values keep the old array
	p.batch = append(p.batch, record.Record{Timestamp: e.Millis, Value: p.values[from:len(p.values):len(p.values)]})
	return nil
}

func (p *partition) compare(ctx context.Context, e Event) error {
	for len(p.there) == 0 {
		fetched, err := p.reader.Next(ctx, batchBytesMax)
		if err != nil {
			return fmt.Errorf("read %s: %w", p.name, err)
		}
		for _, b := range fetched.Batches {
			records, err := b.Records()
			if err != nil {
				return fmt.Errorf("read %s: %w", p.name, err)
			}
			p.there = append(p.there, records...)
		}
	}
	is := p.there[0]
	p.there = p.there[1:]
	if is.Offset != p.records-1 || is.Timestamp != e.Millis || is.Key != nil || !bytes.Equal(is.Value, e.Value) {
		return p.other()
	}
	return nil
}

func (p *partition) other() error {
	return fault.New(fault.Invalid, p.name+" holds other records than these", "use the N= and SEED= that filled it, or an empty data folder by DATA=")
}

func (p *partition) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	if _, err := p.log.Append(ctx, record.Encode(p.batch)); err != nil {
		return fmt.Errorf("fill %s: %w", p.name, err)
	}
	p.batch, p.values = p.batch[:0], p.values[:0]
	return nil
}

// end appends what waits. More than was to be there is not the same.
func (p *partition) end(ctx context.Context) error {
	if p.had > p.records {
		return p.other()
	}
	return p.flush(ctx)
}
