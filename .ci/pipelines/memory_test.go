//go:build duckdb_arrow

package pipelines_test

import (
	"fmt"
	"strings"
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
