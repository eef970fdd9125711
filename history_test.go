//go:build duckdb_arrow

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tarn/embedded/bus"
)

// landed makes a topic that lands.
func (s *site) landed(name string, partitions int32) {
	s.Helper()
	_, err := s.bus.CreateTopic(s.ctx, name, bus.TopicConfig{Partitions: partitions, Land: true})
	s.must(err)
}

// cut moves the log start of a partition, as soon as its readers let it.
func (s *site) cut(topic string, partition int, before int64) {
	s.Helper()
	t, err := s.bus.Topic(topic)
	s.must(err)
	p := t.Partitions()[partition]
	s.wait(func() (bool, string) {
		s.must(p.Trim(context.WithoutCancel(s.ctx), before))
		return p.LogStart() == before, fmt.Sprintf("the log of %s/%d begins at %d, want %d", topic, partition, p.LogStart(), before)
	})
}

// TestHistoryComesFromBronze: a pipeline that is made when the log has lost its beginning reads it from bronze, then goes on in the log.
func TestHistoryComesFromBronze(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 2)
	for i := range 10 {
		s.put("bid", 0, fmt.Sprintf(`{"auction":%d,"price":%d,"ts":"2026-01-01T00:00:%02dZ","who":"a\"%d"}`, i%3, i, i, i), fmt.Sprintf(`{"auction":%d}`, i%3))
		s.put("bid", 1, fmt.Sprintf(`{"auction":7,"price":%d}`, i))
	}
	s.cut("bid", 0, 13)
	s.cut("bid", 1, 4)
	s.put("bid", 1, `{"auction":8,"price":100}`)
	s.exec(
		"CREATE SOURCE bid (auction BIGINT, price BIGINT, ts TIMESTAMP(3), who VARCHAR) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE MATERIALIZED VIEW sums AS SELECT auction, count(*) AS n, sum(price) AS s, max(who) AS who, max(ts) AS ts FROM bid GROUP BY auction",
		"CREATE PIPELINE raw INTO gold.raw AS SELECT auction, price FROM bid",
	)
	s.caughtUp()
	s.until("SELECT auction, n, s, who, ts FROM gold.sums ORDER BY 1", `0|8|18|a"9|2026-01-01T00:00:09`, `1|6|12|a"7|2026-01-01T00:00:07`, `2|6|15|a"8|2026-01-01T00:00:08`,
		"7|10|45|(null)|(null)", "8|1|100|(null)|(null)")
	s.until("SELECT count(*), count(price), sum(price) FROM gold.raw", "31|21|190")
}

// TestHistoryThatCannotBeReadIsRefused: what bronze has not as it was, or has not, makes no pipeline; what is refused says what to write instead.
func TestHistoryThatCannotBeReadIsRefused(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 1)
	s.topic("plain", 1)
	s.put("bid", 0, `{"k":1,"price":1.50}`)
	s.until("SELECT k FROM bronze.bid", "1") // what comes later does not fit that column
	s.put("bid", 0, `{"k":2,"price":2}`, `{"k":"two","price":0.1}`, `[1]`)
	s.put("bid", 0, `{"k":{"a": 1},"price":null}`, `{}`, `{"k":3,"price":3}`)
	s.put("plain", 0, `{"k":1}`)
	s.put("plain", 0, `{"k":2}`)
	s.cut("bid", 0, 4)
	s.cut("plain", 0, 1)
	s.exec(
		"CREATE SOURCE dec (k BIGINT, price DECIMAL(10, 2)) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE SOURCE bid (k VARCHAR, price DOUBLE) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE SOURCE rest (k VARCHAR, price VARCHAR) WITH (connector = 'kafka', topic = 'bid', scan.startup.mode = 'log')",
		"CREATE SOURCE plain (k BIGINT) WITH (connector = 'kafka', topic = 'plain')",
	)
	s.refused("CREATE MATERIALIZED VIEW d AS SELECT k, sum(price) AS s FROM dec GROUP BY k", "column price is double there", "declare it as it is there")
	s.exec(
		"CREATE PIPELINE a INTO gold.a AS SELECT k, price FROM bid",
		"CREATE PIPELINE b INTO gold.b AS SELECT k, price FROM rest",
		"CREATE PIPELINE c INTO gold.c AS SELECT k FROM plain",
	)
	s.until("SELECT k, price FROM gold.a ORDER BY price NULLS LAST", "two|0.1", "1|1.5", "2|2", "3|3", `{"a": 1}|(null)`, "(null)|(null)")
	s.until("SELECT k, price FROM gold.b ORDER BY 1 NULLS LAST", "3|3", `{"a": 1}|(null)`, "(null)|(null)")
	s.until("SELECT k FROM gold.c", "2") // it does not land: its log is all that there is
	s.cut("bid", 0, 5)
	s.exec("CREATE PIPELINE e INTO gold.e AS SELECT k, price FROM bid")
	s.fails("e", "partition 0, offset 4: member k is in _extra", "scan.startup.mode = 'log'")
	s.exec("DROP PIPELINE e", "DROP TABLE gold.e", "CREATE SOURCE num (k INT, price DOUBLE) WITH (connector = 'kafka', topic = 'bid')")
	s.cut("bid", 0, 6)
	s.exec("CREATE PIPELINE f INTO gold.f AS SELECT k, price FROM num")
	s.fails("f", "partition 0, offset 5: nothing tells whether it was an object without values", "scan.startup.mode = 'log'")
}

// TestATopicMadeAgainHasNoHistory: the records of the topic that had its name before are not its own.
func TestATopicMadeAgainHasNoHistory(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 1)
	s.put("bid", 0, `{"k":1}`, `{"k":2}`)
	s.until("SELECT count(*) FROM bronze.bid", "2")
	s.must(s.bus.DeleteTopic(s.ctx, "bid"))
	s.landed("bid", 1)
	s.put("bid", 0, `{"k":3}`)
	s.put("bid", 0, `{"k":4}`)
	s.stop()
	s.start()
	s.cut("bid", 0, 3)
	s.exec("CREATE SOURCE bid (k BIGINT) WITH (connector = 'kafka', topic = 'bid')", "CREATE PIPELINE a INTO gold.a AS SELECT k FROM bid")
	s.until("SELECT k FROM gold.a ORDER BY 1", "3", "4")
}

// TestAPipelineIsMadeAnewOfItsHistory: ALTER … AS, REBUILD and a state that is damaged all read what the log has lost.
func TestAPipelineIsMadeAnewOfItsHistory(t *testing.T) {
	s := newSite(t)
	s.landed("bid", 1)
	s.put("bid", 0, `{"k":1,"n":1}`)
	s.put("bid", 0, `{"k":1,"n":2}`, `{"k":2,"n":3}`)
	s.put("bid", 0, `{"k":2,"n":4}`)
	s.exec(
		"CREATE SOURCE bid (k BIGINT, n BIGINT) WITH (connector = 'kafka', topic = 'bid')",
		"CREATE MATERIALIZED VIEW a AS SELECT k, sum(n) AS s FROM bid GROUP BY k",
	)
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|3", "2|7")
	s.cut("bid", 0, 3)
	s.exec("ALTER PIPELINE a AS SELECT k, max(n) AS s FROM bid GROUP BY k")
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|2", "2|4")
	s.exec("ALTER PIPELINE a REBUILD")
	s.until("SELECT count(*) FROM system.pipelines WHERE name = 'gold.a' AND state = 'running'", "1")
	s.put("bid", 0, `{"k":2,"n":5}`)
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|2", "2|5")
	id := s.part.Statuses()[0].ID
	s.stop()
	s.must(os.WriteFile(filepath.Join(s.dir, "state", id+".duckdb"), []byte("junk"), 0o600))
	s.start()
	s.put("bid", 0, `{"k":1,"n":6}`)
	s.until("SELECT k, s FROM gold.a ORDER BY 1", "1|6", "2|5")
}
