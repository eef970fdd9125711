//go:build duckdb_arrow

package pipelines_test

import (
	"fmt"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
)

// TestACompactedTopicIsReadFromItsStart: compaction has taken whole batches out of it, which are not lost. Aggregates, projections and
// landing pass over them, from the start as well as after a restart that stood before them.
func TestACompactedTopicIsReadFromItsStart(t *testing.T) {
	s := newSite(t)
	config, err := bus.TopicConfig{Partitions: 1}.With(bus.SettingCleanup, "compact")
	s.must(err)
	config, err = config.With(bus.SettingDirtyRatio, "0")
	s.must(err)
	topic, err := s.bus.CreateTopic(s.ctx, "gates", config)
	s.must(err)
	put := func(key string, n int) {
		t.Helper()
		p := topic.Partitions()[0]
		_, err := p.Append(s.ctx, record.Encode([]record.Record{{Timestamp: time.Now().UnixMilli(), Key: []byte(key), Value: fmt.Appendf(nil, `{"gate":%q,"n":%d}`, key, n)}}))
		s.must(err)
	}
	// compacted waits until the batch of an offset has gone, and others before it have not.
	compacted := func(offset int64) {
		t.Helper()
		s.wait(func() (bool, string) {
			p := topic.Partitions()[0]
			r := p.Reader(p.LogStart())
			defer r.Close()
			var there []int64
			for next := p.LogStart(); next < p.Stable(); {
				got, err := r.Next(s.ctx, 1<<20)
				s.must(err)
				next = got.Next
				for _, b := range got.Batches {
					records, err := b.Records()
					s.must(err)
					for _, one := range records {
						if one.Offset == offset {
							return false, fmt.Sprintf("offset %d is there still", offset)
						}
						there = append(there, one.Offset)
					}
				}
			}
			return len(there) > 0 && there[0] < offset, fmt.Sprint(there)
		})
	}
	put("a", 1)
	put("b", 2)
	put("c", 3)
	put("b", 4)
	put("c", 5)
	put("d", 6)
	compacted(1)
	s.exec(
		"CREATE SOURCE gates (gate VARCHAR, n BIGINT) WITH (connector = 'kafka', topic = 'gates')",
		"CREATE MATERIALIZED VIEW sums AS SELECT gate, sum(n) AS n FROM gates GROUP BY gate",
		"CREATE MATERIALIZED VIEW large AS SELECT gate, n + 10 AS n FROM gates",
	)
	config = topic.Config()
	config.Land = true
	s.must(s.bus.AlterTopic(s.ctx, "gates", config))
	s.until("SELECT gate, n FROM gold.sums ORDER BY 1", "a|1", "b|4", "c|5", "d|6")
	s.until("SELECT gate, n FROM gold.large ORDER BY 1", "a|11", "b|14", "c|15", "d|16")
	s.until("SELECT gate, n FROM bronze.gates ORDER BY 1", "a|1", "b|4", "c|5", "d|6")
	s.stop()
	s.start()
	topic, err = s.bus.Topic("gates")
	s.must(err)
	put("a", 7)
	s.until("SELECT gate, n FROM gold.sums ORDER BY 1", "a|8", "b|4", "c|5", "d|6")
	s.until("SELECT gate, n FROM gold.large ORDER BY 1, 2", "a|11", "a|17", "b|14", "c|15", "d|16")
	s.caughtUp()
}
