package bus

import (
	"context"
	"encoding/json"
	"path/filepath"

	"tarn/embedded/meta"
)

// LogStarts tells of a log that nobody has open where it begins of a partition, and what
// damage has taken behind that, each from an offset to before another, as meta.db knows it. A
// partition whose files are gone is unknown.
func LogStarts(ctx context.Context, m *meta.Store, dir string) (func(topic string, partition int32) (start int64, lost [][2]int64, known bool), error) {
	topics, err := Configs(ctx, m)
	if err != nil {
		return nil, err
	}
	starts, err := m.List(ctx, meta.LogStarts)
	if err != nil {
		return nil, err
	}
	checks, err := m.List(ctx, meta.Checks)
	if err != nil {
		return nil, err
	}
	known := map[string]int64{}
	for topic, c := range topics {
		for n := range c.Partitions {
			stream := filepath.Join(dir, "jetstream", account, "streams", streamName(topic, n))
			files, _ := filepath.Glob(filepath.Join(stream, "msgs", "*.blk"))
			more, _ := filepath.Glob(filepath.Join(stream+"@*", "msgs", "*.blk"))
			if len(files)+len(more) > 0 {
				known[partitionLabel(topic, n)] = 0
			}
		}
	}
	for _, e := range starts {
		var t trimmed
		if _, there := known[e.Key]; !there {
			continue
		}
		if json.Unmarshal(e.Value, &t) != nil {
			delete(known, e.Key)
			continue
		}
		known[e.Key] = t.Offset
	}
	holes := map[string][][2]int64{}
	for _, e := range checks {
		var c checkpoint
		if json.Unmarshal(e.Value, &c) == nil {
			for _, g := range c.Damage {
				holes[e.Key] = append(holes[e.Key], [2]int64{g.First, g.After})
			}
		}
	}
	return func(topic string, partition int32) (int64, [][2]int64, bool) {
		label := partitionLabel(topic, partition)
		start, ok := known[label]
		return start, holes[label], ok
	}, nil
}

// Configs reads the topics of a log that nobody has open, by their names, as meta.db knows them.
func Configs(ctx context.Context, m *meta.Store) (map[string]TopicConfig, error) {
	kept, err := m.List(ctx, meta.Topics)
	if err != nil {
		return nil, err
	}
	out := map[string]TopicConfig{}
	for _, e := range kept {
		var t keptTopic
		if json.Unmarshal(e.Value, &t) == nil && !t.Deleted {
			out[e.Key] = t.TopicConfig
		}
	}
	return out, nil
}
