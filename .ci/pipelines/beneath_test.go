//go:build duckdb_arrow

package pipelines_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/pipeline"
)

// pipelines are three over the topic t: with state, without, and without from the end of the topic on.
func pipelines(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.topic("t", 1)
	s.exec("CREATE SOURCE s (k BIGINT, v BIGINT) WITH (connector = 'kafka', topic = 't')",
		"CREATE SOURCE l (k BIGINT, v BIGINT) WITH (connector = 'kafka', topic = 't', 'scan.startup.mode' = 'latest')",
		"CREATE MATERIALIZED VIEW grouped AS SELECT k, sum(v) AS n FROM s GROUP BY k",
		"CREATE MATERIALIZED VIEW plain AS SELECT k, v FROM s",
		"CREATE MATERIALIZED VIEW newest AS SELECT k, v FROM l")
	return s
}

// keys puts n rows into the topic t, with the keys 0, 1 and 2 in turns.
func (s *site) keys(n int) {
	s.Helper()
	var values []string
	for i := range n {
		values = append(values, fmt.Sprintf(`{"k":%d,"v":1}`, i%3))
	}
	s.put("t", 0, values...)
}

// fails waits until a pipeline has failed, and holds what it says: a piece of the message and of the hint.
func (s *site) fails(name, message, hint string) {
	s.Helper()
	s.wait(func() (bool, string) {
		for _, p := range s.part.Statuses() {
			if p.Name == name && p.State == pipeline.Failed {
				if !strings.Contains(p.Error, message) || !strings.Contains(p.Hint, hint) {
					s.Fatalf("it says %q, and %q; want %q and %q", p.Error, p.Hint, message, hint)
				}
				return true, ""
			}
		}
		return false, s.pipelines()
	})
}

// id is a pipeline's.
func (s *site) id(name string) string {
	s.Helper()
	for _, p := range s.part.Statuses() {
		if p.Name == name {
			return p.ID
		}
	}
	s.Fatalf("no pipeline %s: %s", name, s.pipelines())
	return ""
}

// What the tables of pipelines have.
const (
	countGrouped = "SELECT count(*), sum(n)::BIGINT FROM gold.grouped"
	countPlain   = "SELECT count(*), sum(v)::BIGINT FROM gold.plain"
	countNewest  = "SELECT count(*), sum(v)::BIGINT FROM gold.newest"
)

// TestATopicIsMadeAgainBeneathPipelines: one with state that read the topic before fails, keeps its table as it is and says what to
// do; done, it goes on with the new one. One without state has nothing to lose, and goes on by itself: the new topic's
// offsets are above the old one's. Whether it was paused meanwhile, or pipelines were down.
func TestATopicIsMadeAgainBeneathPipelines(t *testing.T) {
	for name, away := range map[string]func(s *site, again func()){
		"paused": func(s *site, again func()) {
			s.exec("PAUSE PIPELINE grouped", "PAUSE PIPELINE plain", "PAUSE PIPELINE newest")
			again()
			s.exec("RESUME PIPELINE grouped", "RESUME PIPELINE plain", "RESUME PIPELINE newest")
		},
		"down": func(s *site, again func()) {
			again()
			s.stop()
			s.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := pipelines(t)
			s.keys(30)
			for _, counted := range []string{countGrouped, countPlain, countNewest} {
				s.until(counted, map[bool]string{true: "3|30", false: "30|30"}[counted == countGrouped])
			}
			away(s, func() {
				s.must(s.bus.DeleteTopic(s.ctx, "t"))
				s.topic("t", 1)
				s.keys(2)
			})
			s.fails("gold.grouped", "topic t was deleted and made again", "ALTER PIPELINE gold.grouped REBUILD")
			s.until(countGrouped, "3|30")
			s.exec("ALTER PIPELINE gold.grouped REBUILD")
			s.until(countGrouped, "2|2")
			s.until(countPlain, "32|32")
			s.until(countNewest, "32|32")
			s.exec("ALTER PIPELINE gold.newest REBUILD")
			s.until(countNewest, "2|2")
		})
	}
}

// TestATableIsDroppedBeneathAPipeline: one with state notices at its next start, fails and says what to do; done, its table
// is made of the whole log. One without state makes its table of the whole log at once, or says that it cannot.
func TestATableIsDroppedBeneathAPipeline(t *testing.T) {
	s := pipelines(t)
	drop := func(name string) {
		s.exec("PAUSE PIPELINE " + name)
		s.must(s.lake.Tables().Drop(s.ctx, table.Ident{Namespace: "gold", Name: name}, s.id("gold."+name)))
		s.exec("RESUME PIPELINE " + name)
	}
	s.keys(2)
	s.until(countGrouped, "2|2")
	s.keys(30)
	s.until(countGrouped, "3|32")
	drop("grouped")
	s.fails("gold.grouped", "was dropped or put back", "ALTER PIPELINE gold.grouped REBUILD")
	s.exec("ALTER PIPELINE gold.grouped REBUILD")
	s.until(countGrouped, "3|32")

	s.until(countPlain, "32|32")
	drop("plain")
	s.until(countPlain, "32|32")
	p := s.bus.Topics()[0].Partitions()[0]
	s.wait(func() (bool, string) {
		s.must(p.Trim(s.ctx, -1))
		return p.LogStart() == 32, fmt.Sprintf("the log begins at %d: %s", p.LogStart(), s.pipelines())
	})
	drop("plain")
	s.fails("gold.plain", "but its log begins at 32", "ALTER PIPELINE gold.plain REBUILD")
	s.until(countPlain, "0|(null)")
	s.exec("ALTER PIPELINE gold.plain REBUILD")
	s.keys(4)
	s.until(countPlain, "4|4")
}

// TestATableRequiresAColumnThatAPipelineHasNot: the pipeline says so, for as long as it does.
func TestATableRequiresAColumnThatAPipelineHasNot(t *testing.T) {
	s := pipelines(t)
	s.keys(2)
	s.until(countPlain, "2|2")
	s.exec("PAUSE PIPELINE plain")
	ident, id := table.Ident{Namespace: "gold", Name: "plain"}, s.id("gold.plain")
	s.must(s.lake.Tables().Drop(s.ctx, ident, id))
	_, err := s.lake.Tables().Ensure(s.ctx, table.Spec{Ident: ident, Properties: map[string]string{table.PropOwner: id}, Columns: []table.Column{
		{Name: "k", Type: record.Long}, {Name: "v", Type: record.Long}, {Name: "must", Type: record.Long, Required: true},
	}})
	s.must(err)
	s.exec("RESUME PIPELINE plain")
	s.wait(func() (bool, string) {
		return strings.Contains(s.pipelines(), `error "the pipeline has no column must, which the table requires"`), s.pipelines()
	})
}

// TestAStateIsDamagedBeforeItsTableHasAnything: what only the state had is made again of the log, where that still has all of it;
// where it has not, the pipeline fails and says so, and its table never lacks rows that nobody tells of.
func TestAStateIsDamagedBeforeItsTableHasAnything(t *testing.T) {
	for name, c := range map[string]struct {
		sources, body string
		trimmed       bool
	}{
		"all is there":      {"", "", false},
		"some has gone":     {"", "", true},
		"begun at the end":  {", 'scan.startup.mode' = 'latest'", "", true},
		"read twice, mixed": {"", " UNION ALL SELECT k, ts FROM l", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			topic := s.topic("t", 1)
			row := func(k, at int) string { return fmt.Sprintf(`{"k":%d,"ts":"2026-01-01 00:00:%02d"}`, k, at) }
			s.put("t", 0, row(9, 1), row(9, 1))
			const columns = "(k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (connector = 'kafka', topic = 't', flush_timeout = 'off'"
			s.exec("CREATE SOURCE s "+columns+c.sources+")", "CREATE SOURCE l "+columns+", 'scan.startup.mode' = 'latest')",
				"CREATE PIPELINE windowed INTO gold.windowed AS SELECT k, count(*) AS n, window_end FROM TUMBLE((SELECT k, ts FROM s"+c.body+"), ts, INTERVAL '10' SECOND) GROUP BY k, window_end EMIT ON WINDOW CLOSE")
			const counted = "SELECT k, sum(n)::BIGINT FROM gold.windowed GROUP BY k ORDER BY k"
			for i := range 3 { // what was ticked goes from the log with the next tick's commit
				s.put("t", 0, row(1, 2+i))
				s.caughtUp()
			}
			if c.trimmed {
				s.wait(func() (bool, string) {
					s.must(topic.Partitions()[0].Trim(s.ctx, -1))
					return topic.Partitions()[0].LogStart() >= 3, fmt.Sprintf("the log begins at %d", topic.Partitions()[0].LogStart())
				})
			}
			path := filepath.Join(s.dir, "state", s.id("windowed")+".duckdb")
			s.stop()
			s.must(os.WriteFile(path, []byte("no state at all"), 0o600))
			s.must(os.RemoveAll(path + ".wal"))
			s.start()
			s.put("t", 0, row(2, 20))
			if !c.trimmed {
				s.until(counted, "1|3", "9|2")
				return
			}
			s.fails("windowed", "but its log begins at", "ALTER PIPELINE windowed REBUILD")
			s.until("SELECT count(*) FROM gold.windowed", "0")
			s.exec("ALTER PIPELINE windowed REBUILD")
			s.put("t", 0, row(3, 40))
			s.wait(func() (bool, string) {
				got, err := s.run("SELECT k FROM gold.windowed WHERE k = 2")
				return err == nil && len(got) > 0, fmt.Sprint(got, err, s.pipelines())
			})
		})
	}
}

// TestAPlaceIsTakenInSteps: the new pipeline's table has the old one's name already, and the old table cannot be put aside for a while. What was
// begun is ended by itself, without a restart, and nothing is missing or there twice.
func TestAPlaceIsTakenInSteps(t *testing.T) {
	s := newSite(t)
	s.topic("t", 1)
	var tries atomic.Int64
	s.renames = func() error {
		if tries.Add(1) < 4 {
			return errors.New("planted")
		}
		return nil
	}
	s.exec("CREATE SOURCE s (k BIGINT, v BIGINT) WITH (connector = 'kafka', topic = 't')",
		"CREATE MATERIALIZED VIEW grouped AS SELECT k, sum(v) AS n FROM s GROUP BY k")
	s.keys(30)
	s.until(countGrouped, "3|30")
	s.exec("ALTER PIPELINE gold.grouped AS SELECT k, sum(v) + 1 AS n FROM s GROUP BY k")
	s.until(countGrouped, "3|33")
	s.until("SELECT count(*), sum(n)::BIGINT FROM gold.grouped__old", "3|30")
	s.keys(30)
	s.until(countGrouped, "3|63")
	s.until("SELECT count(*) FROM system.pipelines WHERE state = 'running'", "1")
	if tries.Load() != 4 {
		t.Errorf("it was tried %d times", tries.Load())
	}
}
