//go:build duckdb_arrow

package command

import (
	"context"
	"errors"
	"maps"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/stream/exec"
	"tarn/stream/history"
	"tarn/stream/pipeline"
)

// begin notes where a pipeline of that name begins to read the topics that it reads from no mirror: by default where their history
// does, which bronze has when the log has it no more. What is noted already stays. A history that cannot be read is refused, unless the
// pipeline is to begin with what is left.
func (p *Pipelines) begin(ctx context.Context, name string, d *pipeline.Definition, job exec.Job, left bool) error {
	starts := map[string]int64{}
	maps.Copy(starts, d.Starts)
	for i := range job.Inputs {
		input := &job.Inputs[i]
		topic, err := p.o.Bus.Topic(input.Topic)
		if err != nil || input.Mirror.Name != "" {
			continue
		}
		from, err := p.past(ctx, name, starts, job, i, topic)
		if _, final := errors.AsType[history.Refusal](err); err != nil && (!left || !final) {
			return err
		}
		for n, part := range topic.Partitions() {
			if err != nil {
				from[n] = max(from[n], part.LogStart())
			}
			starts[exec.StartKey(input.Topic, part.Number(), input.Latest)] = from[n]
		}
	}
	d.Starts = starts
	return nil
}

// How long a statement waits for bronze to land what its topic's mirror has, which is a commit or so.
const (
	landedWait = 10 * time.Second
	landedPoll = 50 * time.Millisecond
)

// past is where an input begins, by partition, once its history from there on can be told to be all there.
func (p *Pipelines) past(ctx context.Context, name string, starts map[string]int64, job exec.Job, i int, topic *bus.Topic) ([]int64, error) {
	for until := time.Now().Add(landedWait); ; {
		from, err := p.from(ctx, starts, job, i, topic)
		if err == nil {
			_, err = job.Inputs[i].Past(ctx, name, p.o.Tables, topic, job.Plan.Scans[i], from)
		}
		if fault.CodeOf(err) != fault.Unavailable || time.Now().After(until) {
			return from, err
		}
		select {
		case <-ctx.Done():
			return from, ctx.Err()
		case <-time.After(landedPoll):
		}
	}
}

// from is where an input begins, by partition.
func (p *Pipelines) from(ctx context.Context, starts map[string]int64, job exec.Job, i int, topic *bus.Topic) ([]int64, error) {
	input := &job.Inputs[i]
	from, known := make([]int64, 0, len(topic.Partitions())), true
	for _, part := range topic.Partitions() {
		start, ok := starts[exec.StartKey(input.Topic, part.Number(), input.Latest)]
		if !ok && input.Latest {
			start, ok = part.Next(), true
		}
		from, known = append(from, start), known && ok
	}
	if known {
		return from, nil
	}
	first, err := input.Begin(ctx, p.o.Tables, topic, job.Plan.Scans[i])
	if err != nil {
		return from, err
	}
	for n, part := range topic.Partitions() {
		if _, ok := starts[exec.StartKey(input.Topic, part.Number(), input.Latest)]; !ok {
			from[n] = first[n]
		}
	}
	return from, nil
}
