package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// Publish is what a test puts between a writer and the server.
type Publish = func(*nats.Conn, *nats.Msg) error

// WithPublish replaces the call that publishes messages.
func (o *Options) WithPublish(f Publish) { o.seams.publish = f }

// WithFree replaces the question for the free space.
func (o *Options) WithFree(f func(string) (uint64, error)) { o.seams.free = f }

// WithAckTimeout sets how long an acknowledgment may take.
func (o *Options) WithAckTimeout(d time.Duration) {
	o.WithAckTimeouts(func(string) time.Duration { return d })
}

// WithAckTimeouts sets how long an acknowledgment of a partition's subject may take from now on. A test
// that plants what is never answered shortens the time for that alone: on a slow machine all else is slow.
func (o *Options) WithAckTimeouts(of func(subject string) time.Duration) { o.seams.ackTimeout = of }

// WithMetaLag sets by how much meta may be behind a log and still be this log's.
func (o *Options) WithMetaLag(d time.Duration) { o.seams.metaLag = d }

// Sweep runs retention now.
func (b *Bus) Sweep(ctx context.Context) { b.sweep(ctx) }

// ForgetProducers forgets the producers that are old now.
func (b *Bus) ForgetProducers() { b.forgetProducers() }

// Compact compacts what is due now, with so many keys in a pass.
func (p *Partition) Compact(ctx context.Context, keys int) error { return p.compact(ctx, keys) }

// Generation is the number of the stream in force.
func (p *Partition) Generation() int64 { return p.gen.Load().number }

// CheckAll writes every checkpoint now.
func (b *Bus) CheckAll(ctx context.Context) error { return b.saveChecks(ctx, b.partitions()) }

// Seal writes every checkpoint now, and what a start need not read.
func (b *Bus) Seal(ctx context.Context) { b.check(ctx, b.partitions()) }

// SaveEnds writes where the logs end now.
func (b *Bus) SaveEnds(ctx context.Context) error { return b.saveEnds(ctx) }

// Stream names the partition's stream and subject.
func (p *Partition) Stream() (stream, subject string) { return p.stream(), p.subject() }

// Well tells whether the partition takes appends.
func Well(p *Partition) bool { return p.trouble.Load() == nil }

// Consumers is how many readers of a partition's stream the server has.
func (p *Partition) Consumers(ctx context.Context) (int, error) {
	s, _ := p.bus.session()
	info, err := s.info(ctx, p.stream())
	return info.State.Consumers, err
}
