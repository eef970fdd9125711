package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"tarn/embedded/meta"
)

// generationKey is where meta keeps the highest generation of a source in a topic. It stays
// when the position goes: a snapshot below an older one would leave that one's rows standing.
func (r *Runner) generationKey(topic string) string { return r.id + "/" + topic }

func (r *Runner) generation(ctx context.Context, topic string) (int64, error) {
	if n, ok := r.generations[topic]; ok {
		return n, nil
	}
	// The log's is the higher one where meta.db was lost or put back.
	last, err := r.o.Log.Generation(ctx, topic)
	if err != nil {
		return 0, err
	}
	value, err := r.o.Meta.Get(ctx, meta.Positions, r.generationKey(topic))
	if errors.Is(err, meta.ErrNotFound) {
		r.generations[topic] = last
		return last, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the last generation of topic %s: %w", topic, err)
	}
	r.generations[topic] = max(n, last)
	return r.generations[topic], nil
}

// raise keeps a batch's generation before anything of it is appended.
func (r *Runner) raise(ctx context.Context, b *TopicBatch) error {
	last, err := r.generation(ctx, b.Topic)
	if err != nil || b.Generation <= last {
		return err
	}
	err = r.o.Meta.Put(ctx, meta.Entry{
		Bucket: meta.Positions, Key: r.generationKey(b.Topic), Value: strconv.AppendInt(nil, b.Generation, 10),
	})
	if err == nil {
		r.generations[b.Topic] = b.Generation
	}
	return err
}
