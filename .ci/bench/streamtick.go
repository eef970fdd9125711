//go:build duckdb_arrow

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	nexmark "tarn/.ci/nexmark"
	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/embedded/sqltext"
	"tarn/lake"
	"tarn/stream"
	"tarn/stream/pipeline"
)

// tickWaits is about as long as a tick waits for more rows.
const tickWaits = 60 * time.Millisecond

// streamTick measures the CPU of small ticks: a hundred events come, the pipeline's state has them durably,
// the next hundred come. What the log itself needs is measured first, without a pipeline, and left out.
// It runs the rooms in this process, for nothing else can append so little to a topic and know what it cost.
func (b *bench) streamTick(ctx context.Context) (err error) {
	const ticks, events = 300, 100
	r, err := openTicks(ctx, filepath.Join(b.dir, "stream-tick"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	bids := make([]record.Record, 0, 2*ticks*events)
	for e := range nexmark.Events(2*ticks*events*2, streamSeed) {
		if e.Topic == "bid" && len(bids) < cap(bids) {
			bids = append(bids, record.Record{Timestamp: e.Millis, Value: append([]byte{}, e.Value...)})
		}
	}
	var cost [2][]float64
	for i := range cost {
		if i == 1 {
			if err := r.create(ctx); err != nil {
				return err
			}
			if err := r.waitFor(ctx, ticks*events); err != nil { // it reads what came before it
				return err
			}
		}
		for n := range ticks {
			from := (i*ticks + n) * events
			before := ownCPU()
			if _, err := r.topic.Partitions()[n%nexmark.Partitions].Append(ctx, record.Encode(bids[from:from+events])); err != nil {
				return err
			}
			if i == 0 {
				err = r.look(ctx, tickWaits, nil)
			} else {
				err = r.waitFor(ctx, int64(from+events))
			}
			if err != nil {
				return err
			}
			cost[i] = append(cost[i], millis(ownCPU()-before))
		}
	}
	b.print("tick_log_cpu_p50_ms", "%.2f", quantile(cost[0], 0.5))
	b.print("tick_cpu_p50_ms", "%.2f", quantile(cost[1], 0.5)-quantile(cost[0], 0.5))
	b.print("tick_cpu_p90_ms", "%.2f", quantile(cost[1], 0.9)-quantile(cost[0], 0.5))
	return nil
}

// tickRig is the rooms from the log to the lake, in this process.
type tickRig struct {
	meta   *meta.Store
	bus    *bus.Bus
	lake   *lake.Lake
	stream *stream.Stream
	topic  *bus.Topic

	stop  context.CancelFunc
	ended chan error
}

func openTicks(ctx context.Context, dir string) (r *tickRig, err error) {
	r = &tickRig{ended: make(chan error, 1)}
	log := slog.New(slog.DiscardHandler)
	if r.lake, err = openLake(ctx, filepath.Join(dir, "lake"), false); err != nil {
		return nil, err
	}
	if r.meta, err = meta.Open(ctx, filepath.Join(dir, "meta.db")); err != nil {
		return nil, err
	}
	if r.bus, err = bus.Open(ctx, bus.Options{Dir: filepath.Join(dir, "bus"), CacheBytes: 8 << 20, Meta: r.meta, Disk: disk.Local, Clock: life.SystemClock{}, Log: log}); err != nil {
		return nil, err
	}
	if r.topic, err = r.bus.CreateTopic(ctx, "bid", bus.TopicConfig{Partitions: nexmark.Partitions, Retention: -1, RetentionBytes: -1}); err != nil {
		return nil, err
	}
	state := filepath.Join(dir, "state")
	if err := disk.Local.MkdirAll(state); err != nil {
		return nil, err
	}
	r.stream = stream.New(stream.Options{
		Bus: r.bus, Meta: r.meta, Schemas: schemas.New(r.meta), Tables: r.lake.Tables(), CommitInterval: time.Second,
		MemoryBytes: 64 << 20, StateDir: state, StateBytes: 256 << 20, Guard: guard.Open{}, Clock: life.SystemClock{}, Log: log,
	})
	var run context.Context
	run, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan struct{})
	go func() { r.ended <- r.stream.Pipelines().Run(run, func() { close(ready) }) }()
	select {
	case <-ready:
		return r, nil
	case err := <-r.ended:
		return nil, err
	}
}

func (r *tickRig) close() error {
	r.stop()
	return errors.Join(<-r.ended, r.bus.Close(context.Background()), r.lake.Close(), r.meta.Close())
}

// create runs the statements of tumble.
func (r *tickRig) create(ctx context.Context) error {
	sources, err := nexmark.Sources()
	if err != nil {
		return err
	}
	q, err := nexmark.Open("tumble")
	if err != nil {
		return err
	}
	statements, err := sqltext.Split(sources + q.Tarn)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := r.run(ctx, s.Text); err != nil {
			return err
		}
	}
	return nil
}

func (r *tickRig) run(ctx context.Context, statement string) error {
	for _, c := range r.stream.Commands() {
		for _, verbs := range c.Verbs {
			if strings.HasPrefix(statement, verbs+" ") {
				_, err := c.Run(ctx, guard.Principal{}, statement)
				return err
			}
		}
	}
	return fmt.Errorf("no command for %.50s", statement)
}

// waitFor waits until the pipeline has ticked so many rows since its start.
func (r *tickRig) waitFor(ctx context.Context, rows int64) error {
	return r.look(ctx, time.Minute, func(s pipeline.Status) bool { return s.Rows >= rows })
}

// look looks at the pipelines for so long, or until one is done; done is nil where there is none.
func (r *tickRig) look(ctx context.Context, length time.Duration, done func(pipeline.Status) bool) error {
	late := time.NewTimer(length)
	defer late.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		all := r.stream.PipelineStatuses()
		if done != nil && slices.ContainsFunc(all, done) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			if done == nil {
				return nil
			}
			return fmt.Errorf("after %s the pipelines are %+v", length, all)
		case <-look.C:
		}
	}
}
