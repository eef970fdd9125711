//go:build duckdb_arrow

package pipelines_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestBytesThatWait: what waits in memory for a commit is committed when it is many bytes, however long the interval, be it few rows.
func TestBytesThatWait(t *testing.T) {
	s := newSite(t)
	s.stop()
	s.commits = time.Hour
	s.start()
	s.topic("t", 1)
	s.exec("CREATE SOURCE s (v STRING) WITH (connector = 'kafka', topic = 't')", "CREATE MATERIALIZED VIEW plain AS SELECT v FROM s")
	s.put("t", 0, `{"v":"first"}`)
	s.until("SELECT count(*) FROM gold.plain", "1") // the first commit of a run waits for nothing
	for i := range 20 {
		s.put("t", 0, fmt.Sprintf(`{"v":"%d %s"}`, i, strings.Repeat("x", 1<<20)))
	}
	s.until("SELECT count(*) > 10 FROM gold.plain", "true")
}

// scarcities counts how often a pipeline said that it lacked memory.
type scarcities struct{ atomic.Int64 }

func (n *scarcities) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("needs more memory")) {
		n.Add(1)
	}
	return len(line), nil
}

// small starts the site anew with little memory for the states of pipelines.
func (s *site) small(bytes int64) *scarcities {
	s.Helper()
	n := &scarcities{}
	s.stop()
	s.memory, s.log = bytes, n
	s.start()
	return n
}

// TestWideRows: records of eight bytes, of which a fetch has tens of thousands, and which are rows of a hundred columns: a tick has as
// many of them as the memory of a state can hold, be they one batch of the log.
func TestWideRows(t *testing.T) {
	s := newSite(t)
	lacks := s.small(32 << 20)
	s.topic("t", 1)
	var columns, sums []string
	for i := range 100 {
		columns = append(columns, fmt.Sprintf("c%d BIGINT", i))
		if i%10 == 0 {
			sums = append(sums, fmt.Sprintf("sum(c%d)::BIGINT AS s%d", i, i))
		}
	}
	s.put("t", 0, slices.Repeat([]string{`{"c0":1}`}, 60_000)...) // 48 MB in columns
	s.exec("CREATE SOURCE s ("+strings.Join(columns, ", ")+") WITH (connector = 'kafka', topic = 't')",
		"CREATE MATERIALIZED VIEW plain AS SELECT * FROM s", "CREATE MATERIALIZED VIEW grouped AS SELECT c1, "+strings.Join(sums, ", ")+" FROM s GROUP BY c1")
	s.until("SELECT count(*), sum(c0)::BIGINT, count(c99) FROM gold.plain", "60000|60000|0")
	s.until("SELECT count(*), sum(s0)::BIGINT, count(s90) FROM gold.grouped", "1|60000|0")
	if n := lacks.Load(); n > 0 {
		t.Errorf("they lacked memory %d times", n)
	}
}

// TestLessAtATime: a pipeline whose SELECT needs more memory for a tick than there is, however narrow its rows are, takes fewer and fewer
// of them at once until it has enough. Here each row of 220 bytes makes a text of 4,000 in its group, of which no part can be
// spilled: all of them need half as much again as there is.
func TestLessAtATime(t *testing.T) {
	s := newSite(t)
	lacks := s.small(32 << 20)
	s.topic("t", 1)
	var values []string
	for i := range 12_000 {
		values = append(values, fmt.Sprintf(`{"k":%d,"v":"%s"}`, i, strings.Repeat("x", 200)))
	}
	s.put("t", 0, values...) // at once, and so in one tick at first
	s.exec("CREATE SOURCE s (k BIGINT, v VARCHAR) WITH (connector = 'kafka', topic = 't')",
		"CREATE MATERIALIZED VIEW longest AS SELECT k, min(repeat(v, 20)) AS v FROM s GROUP BY k HAVING count(*) > 1 OR k < 1000")
	s.until("SELECT count(*), sum(length(v))::BIGINT FROM gold.longest", "1000|4000000")
	s.caughtUp()
	if n := lacks.Load(); n == 0 || n > 7 {
		t.Errorf("it lacked memory %d times", n)
	}
}
