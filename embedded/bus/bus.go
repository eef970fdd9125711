// Package bus is the log: topics and partitions kept as JetStream streams, one
// format (Kafka record batches v2, package record), one writer per partition,
// acknowledged after the disk has it. It owns all that is log: append, fetch,
// retention, checkpoints, places of sources. It speaks no wire protocol.
package bus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/disk"
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
	Land           bool          `json:"land"`              // tarn.land: landing reads it, retention waits for bronze
	Keyed          bool          `json:"keyed"`             // also mirrored in silver; retention waits for silver too
	Retention      time.Duration `json:"retention"`         // 0 = the default: 24 h landed, 7 days else; <0 = forever
	RetentionBytes int64         `json:"retention_bytes"`   // 0 = the default: 1 GB landed, none else; <0 = none
	Source         string        `json:"source,omitempty"`  // the source's id, for a topic that a source fills
	Columns        string        `json:"columns,omitempty"` // tarn.columns
	Table          string        `json:"table,omitempty"`   // tarn.table: overrides the name of the bronze table
	Mirror         string        `json:"mirror,omitempty"`  // tarn.mirror: overrides the name of the silver table
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
}

// Bus is the log. Safe for concurrent use.
type Bus struct{}

// Open starts the embedded server and opens the topics that meta knows.
func Open(ctx context.Context, o Options) (*Bus, error) { panic("bus: being built") }

// Close refuses new appends, answers those in flight and stops the server.
func (b *Bus) Close(ctx context.Context) error { panic("bus: being built") }

// CreateTopic makes a topic, or returns the one that is there with its configuration as it is.
func (b *Bus) CreateTopic(ctx context.Context, name string, c TopicConfig) (*Topic, error) {
	panic("bus: being built")
}

// AlterTopic replaces a topic's configuration (its ID and Partitions stay).
func (b *Bus) AlterTopic(ctx context.Context, name string, c TopicConfig) error {
	panic("bus: being built")
}

// DeleteTopic removes a topic and its records. A topic made again under the name goes on
// above what its tables hold.
func (b *Bus) DeleteTopic(ctx context.Context, name string) error { panic("bus: being built") }

// Topic returns a topic or ErrNoTopic.
func (b *Bus) Topic(name string) (*Topic, error) { panic("bus: being built") }

// Topics returns all topics in order of name.
func (b *Bus) Topics() []*Topic { panic("bus: being built") }

// Changed returns a channel that is closed when a topic is made, altered or deleted next.
func (b *Bus) Changed() <-chan struct{} { panic("bus: being built") }

// Stats returns the line of every partition.
func (b *Bus) Stats() []PartitionStats { panic("bus: being built") }

// Topic is one topic.
type Topic struct{}

// Name is the topic's name.
func (t *Topic) Name() string { panic("bus: being built") }

// Config is the configuration in force.
func (t *Topic) Config() TopicConfig { panic("bus: being built") }

// Partitions returns the partitions in order.
func (t *Topic) Partitions() []*Partition { panic("bus: being built") }

// Partition is one partition's log.
type Partition struct{}

// Append puts whole batches (concatenated, base offsets of no meaning) into the log as one unit
// and returns after the disk has them, or with ErrRetry. Larger than one message: ErrTooLarge fault.
func (p *Partition) Append(ctx context.Context, batches []byte) (Appended, error) {
	panic("bus: being built")
}

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() int64 { panic("bus: being built") }

// Next is the offset after the last acknowledged record: the high watermark.
func (p *Partition) Next() int64 { panic("bus: being built") }

// Stable is the last stable offset: readers of committed records stop there. Without
// transactions it is Next.
func (p *Partition) Stable() int64 { panic("bus: being built") }

// Place is the last place of a source in this partition, as the log or the tables know it.
func (p *Partition) Place(source string) (record.Pos, bool) { panic("bus: being built") }

// Hold tells retention how far a reader ("bronze", "silver") has committed; nothing at or
// above the lowest hold is purged, and a landed topic is not purged before its readers have held once.
func (p *Partition) Hold(reader string, next int64) { panic("bus: being built") }

// Trim moves the log start up by DeleteRecords' rule: never past a hold.
func (p *Partition) Trim(ctx context.Context, before int64) error { panic("bus: being built") }

// Reader reads from an offset on, ahead of its caller. Close it.
func (p *Partition) Reader(from int64) *Reader { panic("bus: being built") }

// Reader is one reader's way through a partition; one goroutine uses it.
type Reader struct{}

// Next waits until there are committed records at the reader's offset, and returns whole
// batches of about maxBytes at most (one at least). ErrOutOfRange when the log start has passed the offset.
// With a ctx that ends it returns ctx's error and may be called again.
func (r *Reader) Next(ctx context.Context, maxBytes int) (Fetched, error) { panic("bus: being built") }

// Close frees the reader.
func (r *Reader) Close() { panic("bus: being built") }
