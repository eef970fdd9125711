package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
)

// Limits of topics.
const (
	topicNameMax  = 249  // Kafka's
	PartitionsMax = 1024 // of one topic
	openWorkers   = 8    // partitions that are opened side by side
)

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// The metadata of a stream: enough to find its topic again without meta.db.
const (
	metadataTopic     = "tarn.topic"
	metadataPartition = "tarn.partition"
	metadataConfig    = "tarn.config"
)

// Topic is one topic with the partitions that it had when it was asked for: with more there is
// another Topic, as Changed tells.
type Topic struct {
	name       string
	id         uuid.UUID
	config     *atomic.Pointer[TopicConfig] // shared with the topic's other sets of partitions
	partitions []*Partition
}

// keptTopic is a topic as meta keeps it. Deleted is set before anything is removed, so
// that a deletion that was cut short is finished later.
type keptTopic struct {
	TopicConfig
	Deleted bool `json:"deleted,omitempty"`
}

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// ID is the topic's id: TopicConfig.ID in 16 bytes.
func (t *Topic) ID() [16]byte { return t.id }

// Config is the configuration in force.
func (t *Topic) Config() TopicConfig { return *t.config.Load() }

// Partitions returns the partitions in order.
func (t *Topic) Partitions() []*Partition { return t.partitions }

// streamName escapes a topic's name: JetStream takes no dots, and Kafka no equals signs.
func streamName(topic string, n int32) string {
	return strings.ReplaceAll(topic, ".", "=") + "@" + strconv.Itoa(int(n))
}

func streamMetadata(topic string, n int32, c TopicConfig) map[string]string {
	config, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain strings and numbers always marshal
	}
	return map[string]string{metadataTopic: topic, metadataPartition: strconv.Itoa(int(n)), metadataConfig: string(config)}
}

// CheckName is nil for a name that a topic may have.
func CheckName(name string) error {
	if len(name) > topicNameMax || name == "." || name == ".." || !topicName.MatchString(name) {
		return fault.Newf(fault.Invalid, "use 1 to 249 letters, digits, dots, underscores and dashes", "topic name %q", name)
	}
	return nil
}

// CreateTopic makes a topic, or returns the one that is there with its configuration as it is.
func (b *Bus) CreateTopic(ctx context.Context, name string, c TopicConfig) (*Topic, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	c.Partitions = max(c.Partitions, 1)
	if c.Partitions > PartitionsMax {
		return nil, fault.Newf(fault.Invalid, "use fewer partitions", "topic %s: %d partitions, at most %d", name, c.Partitions, PartitionsMax)
	}
	b.admin.Lock()
	defer b.admin.Unlock()
	if b.closed.Load() {
		return nil, errClosing
	}
	if t, err := b.Topic(name); err == nil {
		return t, nil
	}
	var was keptTopic
	if err := b.load(ctx, meta.Topics, name, &was); err != nil {
		return nil, err
	}
	if was.Deleted {
		if err := b.finishDelete(ctx, name, was.Partitions); err != nil {
			return nil, err
		}
	}
	if c.ID = uuid.NewString(); was.ID != "" && !was.Deleted {
		c = was.TopicConfig // its making was cut short, and its streams bear its id
	}
	if err := b.room(joinBytesMax); err != nil {
		return nil, err
	}
	if err := b.keepTopic(ctx, name, keptTopic{TopicConfig: c}); err != nil {
		return nil, err
	}
	t, err := b.openTopic(ctx, name, c, false)
	if err != nil {
		return nil, err
	}
	b.publishTopic(name, t)
	b.o.Log.Info("topic created", "topic", name, "partitions", c.Partitions)
	return t, nil
}

func (b *Bus) keepTopic(ctx context.Context, name string, t keptTopic) error {
	value, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("topic %s: %w", name, err)
	}
	return b.o.Meta.Put(ctx, meta.Entry{Bucket: meta.Topics, Key: name, Value: value})
}

// publishTopic shows a topic, or with nil hides it, and tells who watches.
func (b *Bus) publishTopic(name string, t *Topic) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if was := b.topics[name]; was != nil {
		delete(b.ids, was.id)
	}
	if t == nil {
		delete(b.topics, name)
	} else {
		b.topics[name], b.ids[t.id] = t, t
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// openTopic opens a topic's partitions and starts their writers. At the start of the bus one
// that cannot be opened is set aside, and holds up nobody else. b.admin is held.
func (b *Bus) openTopic(ctx context.Context, name string, c TopicConfig, starting bool) (*Topic, error) {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return nil, fault.Wrap(err, fault.Damaged, "read the id of topic "+name+" in meta.db", "put back the last backup of meta.db")
	}
	t := &Topic{name: name, id: id, config: &atomic.Pointer[TopicConfig]{}}
	t.config.Store(&c)
	for n := range c.Partitions {
		t.partitions = append(t.partitions, b.newPartition(t, n))
	}
	if err := b.openPartitions(ctx, t.partitions, starting); err != nil {
		return nil, fmt.Errorf("open topic %s: %w", name, err)
	}
	return t, nil
}

// openPartitions opens partitions side by side. After an error none is open.
func (b *Bus) openPartitions(ctx context.Context, parts []*Partition, starting bool) error {
	s, err := b.liveSession(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(parts))
	var workers sync.WaitGroup
	turns := make(chan struct{}, openWorkers)
	for i, p := range parts {
		workers.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			err := b.startPartition(ctx, p, s)
			if unopened, ok := errors.AsType[*errUnopened](err); ok && starting && ctx.Err() == nil && !s.lost() && b.startable() == nil {
				err = p.shut(ctx, unopened.cause)
			}
			errs[i] = err
		})
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		b.stopPartitions(parts)
		return err
	}
	return nil
}

func (b *Bus) newPartition(t *Topic, n int32) *Partition {
	b.opened++
	p := &Partition{
		bus: b, topic: t, number: n, label: partitionLabel(t.name, n), lane: (b.opened - 1) / partitionsPerLane,
		swaps: make(chan *swap), cursors: map[*cursor]struct{}{},
		queue: make(chan *request, waitingAppendsMax), ended: make(chan struct{}), deleted: make(chan struct{}),
		holds: map[string]int64{}, places: places{}, producers: newProducers(), lateStarts: places{}, changed: make(chan struct{}),
	}
	p.gen.Store(p.generation(b.generations[p.label]))
	return p
}

// startPartition opens a partition and starts its writer.
func (b *Bus) startPartition(ctx context.Context, p *Partition, s *session) error {
	if err := p.open(ctx, s); err != nil {
		return err
	}
	w := &writer{p: p, ahead: places{}, views: map[int64]view{}, waiting: map[int64]stamp{}}
	if err := w.attach(s); err != nil {
		return err
	}
	p.mu.Lock()
	w.seq, w.next = p.applied, p.next
	p.mu.Unlock()
	stop := make(chan struct{})
	p.stop = sync.OnceFunc(func() { close(stop) })
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.running.Go(func() {
		defer cancel()
		w.run(run, stop)
	})
	context.AfterFunc(b.life, cancel)
	return nil
}

// stopPartitions stops the writers that have started and waits for them.
func (b *Bus) stopPartitions(parts []*Partition) {
	for _, p := range parts {
		if p.stop != nil {
			p.stop()
		}
	}
	for _, p := range parts {
		if p.stop != nil {
			<-p.ended
		}
	}
}

// tellStreams writes a topic's configuration into its streams. That copy matters only when meta.db is
// lost, so an old one is no fault.
func (b *Bus) tellStreams(ctx context.Context, t *Topic) {
	s, err := b.liveSession(ctx)
	for _, p := range t.partitions {
		if err == nil {
			_, err = s.api.UpdateStream(ctx, p.config(t.Config()))
		}
		if err != nil {
			b.o.Log.Warn("stream does not take the topic's configuration", "partition", p.label, "error", err)
			return
		}
	}
}

// AlterTopic replaces a topic's configuration (its ID and Partitions stay).
func (b *Bus) AlterTopic(ctx context.Context, name string, c TopicConfig) error {
	return b.ChangeTopic(ctx, name, func(TopicConfig) (TopicConfig, error) { return c, nil })
}

// ChangeTopic replaces a topic's configuration by what change makes of it; nobody else alters it meanwhile.
func (b *Bus) ChangeTopic(ctx context.Context, name string, change func(TopicConfig) (TopicConfig, error)) error {
	b.admin.Lock()
	defer b.admin.Unlock()
	t, err := b.Topic(name)
	if err != nil {
		return err
	}
	old := t.Config()
	c, err := change(old)
	if err != nil {
		return err
	}
	c.ID, c.Partitions = old.ID, old.Partitions
	if err := b.keepTopic(ctx, name, keptTopic{TopicConfig: c}); err != nil {
		return err
	}
	for _, p := range t.partitions {
		p.trimming.Lock() // a purge in hand goes by the old one to its end
	}
	t.config.Store(&c)
	for _, p := range t.partitions {
		p.leave(old, c)
		p.trimming.Unlock()
	}
	b.publishTopic(name, t)
	b.tellStreams(ctx, t)
	return nil
}

// leave forgets what landing's readers had read, where they read no more or into another table: that one
// may need what the one before it had.
func (p *Partition) leave(old, c TopicConfig) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.Land || c.Table != old.Table {
		delete(p.holds, "bronze")
	}
	if !c.Land || !c.Keyed || c.Mirror != old.Mirror {
		delete(p.holds, "silver")
	}
}

// DeleteTopic removes a topic and its records. A topic made again under the name goes on
// above every offset that the old one gave out: who has a place in that log is told that
// it is out of range.
func (b *Bus) DeleteTopic(ctx context.Context, name string) error {
	b.admin.Lock()
	defer b.admin.Unlock()
	t, err := b.Topic(name)
	if err != nil {
		return err
	}
	c := t.Config()
	if err := b.keepTopic(ctx, name, keptTopic{TopicConfig: c, Deleted: true}); err != nil {
		return err
	}
	b.publishTopic(name, nil)
	for _, p := range t.partitions {
		close(p.deleted)
	}
	b.stopPartitions(t.partitions)
	for _, p := range t.partitions {
		b.cache.trim(&p.tail, p.Next())
	}
	if err := b.saveChecks(ctx, t.partitions); err != nil {
		return err
	}
	b.o.Log.Info("topic deleted", "topic", name)
	return b.finishDelete(ctx, name, c.Partitions)
}

// finishDelete removes the streams of a topic that is marked as deleted, then what meta
// knows of it but for its next offsets.
func (b *Bus) finishDelete(ctx context.Context, name string, partitions int32) error {
	s, err := b.liveSession(ctx)
	if err != nil {
		return err
	}
	var ends []meta.Entry
	known := []meta.Entry{{Bucket: meta.Topics, Key: name}}
	for n := range partitions {
		end, err := b.endOf(ctx, s, name, n)
		if err != nil {
			return fmt.Errorf("delete topic %s: %w", name, err)
		}
		ends = append(ends, end)
		known = append(known, meta.Entry{Bucket: meta.Checks, Key: end.Key})
	}
	if err := b.o.Meta.Put(ctx, ends...); err != nil {
		return err
	}
	for n := range partitions {
		if err := b.deleteStreams(ctx, s, streamName(name, n)); err != nil {
			return fmt.Errorf("delete topic %s: %w", name, err)
		}
		delete(b.generations, partitionLabel(name, n))
	}
	return b.o.Meta.Put(ctx, known...)
}

// deleteStreams removes all generations of a partition, those that were set aside, too.
func (b *Bus) deleteStreams(ctx context.Context, s *session, base string) error {
	streams := []string{base}
	names := s.api.StreamNames(ctx)
	for name := range names.Name() {
		if of, number := generationOf(name); of == base && number > 0 {
			streams = append(streams, name)
		}
	}
	if err := names.Err(); err != nil {
		return err
	}
	aside, err := filepath.Glob(b.o.folder(base).Path + "@*")
	if err != nil {
		return err
	}
	for _, folder := range aside {
		streams = append(streams, filepath.Base(folder))
	}
	for _, stream := range streams {
		if err := b.deleteStream(ctx, s, stream); err != nil {
			return err
		}
	}
	return nil
}

// deleteStream removes a stream, or the folder of one that the server does not know.
func (b *Bus) deleteStream(ctx context.Context, s *session, stream string) error {
	err := s.api.DeleteStream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = os.RemoveAll(b.o.folder(stream).Path)
	}
	return err
}

// endOf is the log start that outlives a deleted partition: the offset above all that it
// gave out, as far as log start, checkpoint and the stream's last message know.
func (b *Bus) endOf(ctx context.Context, s *session, name string, n int32) (meta.Entry, error) {
	label := partitionLabel(name, n)
	var start trimmed
	if err := b.load(ctx, meta.LogStarts, label, &start); err != nil {
		return meta.Entry{}, err
	}
	var c checkpoint
	if err := b.load(ctx, meta.Checks, label, &c); err != nil {
		b.o.Log.Warn("checkpoint cannot be read", "partition", label, "error", err)
		c = checkpoint{}
	}
	next := max(start.Next, c.Next)
	stream := streamName(name, n)
	if start.Gen > 0 {
		stream += "@" + strconv.FormatInt(start.Gen, 10)
	}
	if last, err := s.last(ctx, stream); err == nil {
		next = max(next, last.next)
	} else if !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, jetstream.ErrMsgNotFound) {
		b.o.Log.Warn("last message of a deleted topic cannot be read", "partition", label, "error", err)
	}
	value, err := json.Marshal(trimmed{Offset: next, Next: next})
	return meta.Entry{Bucket: meta.LogStarts, Key: label, Value: value}, err
}
