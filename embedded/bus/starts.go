package bus

import (
	"context"
	"encoding/json"
	"path/filepath"

	"tarn/embedded/meta"
)

// LogStarts tells of a log that nobody has open from which offset on it holds all records of a
// partition, as meta.db knows it: behind the log start and what damage has taken. A partition
// whose files are gone is unknown.
func LogStarts(ctx context.Context, m *meta.Store, dir string) (func(topic string, partition int32) (int64, bool), error) {
	topics, err := m.List(ctx, meta.Topics)
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
	for _, e := range topics {
		var t keptTopic
		if json.Unmarshal(e.Value, &t) != nil || t.Deleted {
			continue
		}
		for n := range t.Partitions {
			files, _ := filepath.Glob(filepath.Join(dir, "jetstream", account, "streams", streamName(e.Key, n), "msgs", "*.blk"))
			if len(files) > 0 {
				known[partitionLabel(e.Key, n)] = 0
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
	for _, e := range checks {
		var c checkpoint
		if at, there := known[e.Key]; there && json.Unmarshal(e.Value, &c) == nil {
			for _, g := range c.Damage {
				at = max(at, g.After)
			}
			known[e.Key] = at
		}
	}
	return func(topic string, partition int32) (int64, bool) {
		start, ok := known[partitionLabel(topic, partition)]
		return start, ok
	}, nil
}
