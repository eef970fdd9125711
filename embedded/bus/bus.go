// Package bus is the log: topics and partitions kept as JetStream streams, one
// format (Kafka record batches v2, package record), one writer per partition,
// acknowledged after the disk has it. It owns all that is log: append, fetch,
// retention, checkpoints, places of sources, idempotent producers and their transactions. It speaks no wire protocol.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
)

// Sentinels of the log.
var (
	ErrNoTopic    = errors.New("no such topic")
	ErrOutOfRange = errors.New("offset out of range")
	// ErrRetry is the cause of every refusal after which the caller may append the
	// same batch again. Whether the first try got in is unknown: the caller looks at
	// Partition.Place, or relies on producer sequences, before it does (rules 1, 5).
	ErrRetry = errors.New("not appended; try again")
)

// Fsync says when an append is acknowledged.
type Fsync string

// The settings of bus.fsync (rule 3).
const (
	FsyncAlways   Fsync = "always"   // after fsync, in group commits
	FsyncInterval Fsync = "interval" // after write; synced each SyncInterval
)

// TopicConfig is a topic's configuration, kept in meta.
type TopicConfig struct {
	ID             string        `json:"id"` // uuid, survives renames; set by CreateTopic
	Partitions     int32         `json:"partitions"`
	Land           bool          `json:"land"`               // tarn.land: landing reads it, retention waits for bronze
	Keyed          bool          `json:"keyed"`              // also mirrored in silver; retention waits for silver too
	Retention      time.Duration `json:"retention"`          // 0 = the default: 24 h landed, 7 days else; <0 = forever
	RetentionBytes int64         `json:"retention_bytes"`    // 0 = the default: 1 GB landed, none else; <0 = none
	Source         string        `json:"source,omitempty"`   // the source's id, for a topic that a source fills
	Plain          bool          `json:"plain,omitempty"`    // the source's records are values, no change events
	Columns        string        `json:"columns,omitempty"`  // tarn.columns
	Table          string        `json:"table,omitempty"`    // tarn.table: overrides the name of the bronze table
	Mirror         string        `json:"mirror,omitempty"`   // tarn.mirror: overrides the name of the silver table
	Requests       bool          `json:"requests,omitempty"` // some records carry the key of a request; retention waits for Requests

	// Settings are those that were chosen and have no field above, by Kafka's names. Nobody
	// changes the map: With and Without return another.
	Settings map[string]string `json:"settings,omitempty"`
}

// PartitionStats is one line of system.topics, and what retention shows.
type PartitionStats struct {
	Topic      string
	Partition  int32
	LogStart   int64
	NextOffset int64
	Bytes      int64
	Land       bool
	Finding    string // e.g. held back by silver; empty when all is well
}

// Appended is what an append was given.
type Appended struct {
	Base int64 // offset of the batch's first record
	Next int64 // offset after its last
	Time int64 // ms, which all its records bear where the topic has the log's time; 0 else
}

// Fetched is what a reader got: whole batches, the first of which holds the
// offset asked for unless compaction or the log start took it.
type Fetched struct {
	Batches []record.Batch
	Next    int64 // where to go on reading
}

// Recorded tells how far tables and states have recorded a partition: the floor
// of its next offset and of its sources' places (rules 1 and 5). main hands it in from
// the lake.
type Recorded func(ctx context.Context, topic string, partition int32) (record.PartitionOffsets, error)

// Options of a bus.
type Options struct {
	Dir          string // DATA/bus
	Fsync        Fsync
	SyncInterval time.Duration
	DiskReserve  uint64 // bytes that stay free (rule 4)
	CacheBytes   int64  // RAM tail caches of all partitions together
	Meta         *meta.Store
	Disk         *disk.FS
	Clock        life.Clock
	Log          *slog.Logger
	Metrics      prometheus.Registerer
	Recorded     Recorded // nil: nothing is recorded
	AwaitReaders bool     // retention purges nothing before ReadersKnown is called

	seams seams
}

// Bus is the log. Safe for concurrent use.
type Bus struct {
	o       Options
	metrics *metrics
	steady  life.Steady // what is old by it is purged
	age     *meta.Age   // producers are stamped with it
	cache   *tailCache
	flying  *semaphore.Weighted // bytes published and not yet acknowledged

	life    context.Context //nolint:containedctx // ends the goroutines that this bus owns
	kill    func()
	running sync.WaitGroup

	closed     atomic.Bool
	known      atomic.Bool           // all readers have said what they still need
	full       atomic.Bool           // the disk is at its reserve, as was told
	restarting atomic.Pointer[error] // why the server that is to restart waits, nil for nothing; unset while it runs

	trying sync.Mutex // guards tried
	tried  time.Time  // when the disk last took what makeable tries

	checking sync.Mutex // one writes checkpoints and seals at a time

	admin  sync.Mutex // one change of topics at a time; taken before mu
	opened int        // partitions opened so far; admin guards it
	// generations are those of the streams that the start found, by partition's label, where they are not the first; admin guards it.
	generations map[string]int64

	mu      sync.RWMutex // guards topics, ids and changed
	topics  map[string]*Topic
	ids     map[[16]byte]*Topic
	changed chan struct{}

	grown     chan struct{} // a partition has grown by checkBytes since its checkpoint
	broken    chan struct{} // a restart was asked for
	sessionMu sync.Mutex    // guards current and renewed
	current   *session
	renewed   chan struct{}
}

// seams are where tests put faults in; Open fills those that are not set.
type seams struct {
	publish    func(*nats.Conn, *nats.Msg) error
	free       func(dir string) (uint64, error)
	ackTimeout func(subject string) time.Duration
	metaLag    time.Duration
}

const (
	// ackTimeout is how long an acknowledgment may take before the log is read again.
	ackTimeout = 10 * time.Second
	// lastAckTimeout is how long a stop waits for acknowledgments: on a full disk they never come.
	// What is not answered then is as after a crash: not acknowledged, and there or not.
	lastAckTimeout = time.Second
	// metaLag is more than what meta knows of a log is behind it, unless meta.db was put back.
	metaLag = time.Minute
)

func (o *Options) defaults() {
	if o.Fsync == "" {
		o.Fsync = FsyncAlways
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = time.Second
	}
	if o.Disk == nil {
		o.Disk = disk.Local
	}
	if o.Clock == nil {
		o.Clock = life.SystemClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.seams.publish == nil {
		o.seams.publish = (*nats.Conn).PublishMsg
	}
	if o.seams.free == nil {
		o.seams.free = o.Disk.Free
	}
	if o.seams.ackTimeout == nil {
		o.seams.ackTimeout = func(string) time.Duration { return ackTimeout }
	}
	if o.seams.metaLag == 0 {
		o.seams.metaLag = metaLag
	}
}

// Open starts the embedded server and opens the topics that meta knows.
func Open(ctx context.Context, o Options) (*Bus, error) {
	o.defaults()
	if err := o.Disk.MkdirAll(o.Dir); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "open the log in "+o.Dir, "check that the data folder can be written by this user")
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	s, err := startServer(ctx, o, false)
	if err != nil {
		m.unregister()
		return nil, err
	}
	b := &Bus{
		o: o, metrics: m, steady: life.NewSteady(o.Clock), cache: &tailCache{bytesMax: o.CacheBytes}, flying: semaphore.NewWeighted(inFlightBytesMax),
		topics: map[string]*Topic{}, ids: map[[16]byte]*Topic{}, changed: make(chan struct{}), generations: map[string]int64{},
		grown: make(chan struct{}, 1), broken: make(chan struct{}, 1), current: s, renewed: make(chan struct{}),
	}
	b.life, b.kill = context.WithCancel(context.WithoutCancel(ctx))
	if b.age, err = meta.OpenAge(ctx, o.Meta, "bus", b.steady); err == nil {
		err = b.openTopics(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close(ctx))
	}
	b.running.Go(func() { b.keep(b.life) })
	b.running.Go(func() { b.keepChecks(b.life) })
	b.running.Go(func() { b.keepCompact(b.life) })
	b.running.Go(func() { b.keepServer(b.life) })
	return b, nil
}

// openTopics opens what meta knows, finishes deletions and adopts streams that meta has lost.
func (b *Bus) openTopics(ctx context.Context) error {
	b.admin.Lock()
	defer b.admin.Unlock()
	known, err := b.knownTopics(ctx)
	if err != nil {
		return err
	}
	if err := b.chooseGenerations(ctx, known); err != nil {
		return err
	}
	for name, t := range known {
		if t.Deleted {
			err = b.finishDelete(ctx, name, t.Partitions)
		} else {
			var topic *Topic
			if topic, err = b.openTopic(ctx, name, t.TopicConfig, true); err == nil {
				b.publishTopic(name, topic)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) knownTopics(ctx context.Context) (map[string]keptTopic, error) {
	entries, err := b.o.Meta.List(ctx, meta.Topics)
	if err != nil {
		return nil, err
	}
	known, kept := map[string]keptTopic{}, map[string]bool{}
	for _, e := range entries {
		var t keptTopic
		if err := json.Unmarshal(e.Value, &t); err != nil {
			return nil, fault.Wrap(err, fault.Damaged, "read topic "+e.Key+" in meta.db", "put back the last backup of meta.db")
		}
		known[e.Key], kept[e.Key] = t, true
	}
	streams := b.current.api.ListStreams(ctx)
	for info := range streams.Info() {
		name := info.Config.Metadata[metadataTopic]
		if name == "" {
			continue
		}
		var t keptTopic
		if err := json.Unmarshal([]byte(info.Config.Metadata[metadataConfig]), &t.TopicConfig); err != nil {
			b.o.Log.Warn("stream without a topic is left alone", "stream", info.Config.Name, "error", err)
			continue
		}
		// Under another id the topic was made again since: meta.db is older than the log.
		if was, ok := known[name]; ok && was.ID == t.ID && (kept[name] || was.Partitions >= t.Partitions) {
			continue // or partitions were being added, and not all streams knew of it
		}
		b.o.Log.Warn("topic found in the log and not in meta.db, it is taken over", "topic", name, "id", t.ID)
		if err := b.keepTopic(ctx, name, t); err != nil {
			return nil, err
		}
		known[name] = t
	}
	return known, streams.Err()
}

// Close refuses new appends, answers those in flight and stops the server. When ctx
// ends first, what is in flight is left unanswered, as in a crash.
func (b *Bus) Close(ctx context.Context) error {
	b.admin.Lock()
	defer b.admin.Unlock()
	if b.closed.Swap(true) {
		return nil
	}
	parts := b.partitions()
	unforced := context.AfterFunc(ctx, b.kill)
	b.stopPartitions(parts)
	unforced()
	if err := b.saveChecks(context.WithoutCancel(ctx), parts); err != nil {
		b.o.Log.Warn("checkpoints are not written, the next start reads the log", "error", err)
	}
	if b.age != nil {
		if err := b.age.Save(context.WithoutCancel(ctx)); err != nil {
			b.o.Log.Warn("age of the log is not written", "error", err)
		}
	}
	b.kill()
	b.running.Wait()
	for _, p := range parts {
		p.mu.Lock()
		p.broadcast() // readers see that it is over
		p.mu.Unlock()
	}
	s, _ := b.session()
	s.stop()
	b.metrics.unregister()
	return nil
}

// Topic returns a topic or ErrNoTopic.
func (b *Bus) Topic(name string) (*Topic, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if t := b.topics[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoTopic, name)
}

// TopicOf returns the topic of an id (Topic.ID) or ErrNoTopic.
func (b *Bus) TopicOf(id [16]byte) (*Topic, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if t := b.ids[id]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoTopic, uuid.UUID(id))
}

// Topics returns all topics in order of name.
func (b *Bus) Topics() []*Topic {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.SortedFunc(maps.Values(b.topics), func(x, y *Topic) int { return strings.Compare(x.name, y.name) })
}

func (b *Bus) partitions() []*Partition {
	var out []*Partition
	for _, t := range b.Topics() {
		out = append(out, t.partitions...)
	}
	return out
}

// Changed returns a channel that is closed when a topic is made, altered or deleted next.
func (b *Bus) Changed() <-chan struct{} {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.changed
}

// Stats returns the line of every partition.
func (b *Bus) Stats() []PartitionStats {
	var out []PartitionStats
	for _, p := range b.partitions() {
		land := p.topic.Config().Land
		p.mu.Lock()
		out = append(out, PartitionStats{
			Topic: p.topic.name, Partition: p.number, LogStart: p.logStart, NextOffset: p.next, Bytes: p.index.bytes, Land: land, Finding: p.finding,
		})
		p.mu.Unlock()
	}
	return out
}

// Report says what is not well: a disk at its reserve, a server that restarts,
// partitions that recover or are held back. It is empty when all is well.
func (b *Bus) Report() []life.Status {
	var out []life.Status
	degraded := func(name, what, hint string) {
		out = append(out, life.Status{Name: name, State: life.Degraded, Error: what, Hint: hint})
	}
	if b.room(joinBytesMax) != nil {
		degraded("bus", "the disk is at its reserve, appends are refused", "free some disk space or lower disk.reserve; writing goes on by itself")
	}
	if why := b.restarting.Load(); why != nil && *why != nil {
		degraded("bus", "the embedded server restarts once the disk takes writes: "+(*why).Error(), fault.HintOf(*why))
	} else if why != nil {
		degraded("bus", "the embedded server restarts", "wait: it comes back by itself")
	}
	for _, p := range b.partitions() {
		if trouble := p.trouble.Load(); trouble != nil {
			degraded("bus:"+p.label, trouble.Error(), trouble.Hint)
		}
		p.mu.Lock()
		finding, damage := p.finding, p.tellDamage()
		p.mu.Unlock()
		if damage != "" {
			degraded("bus:"+p.label, damage, "check the disk; a source's topic is made whole by a new snapshot")
		}
		if finding != "" {
			degraded("bus:"+p.label, finding, "see why landing lags behind; the topic keeps its records until then")
		}
	}
	return out
}
