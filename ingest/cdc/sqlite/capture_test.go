package sqlite_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/ingest/source"
)

// TestWhatIsCapturedBeforeThePositionIsKept has the first opening cut short when the triggers
// are up and nothing else is: what they see until Tarn comes back is captured all the same.
func TestWhatIsCapturedBeforeThePositionIsKept(t *testing.T) {
	r := newRig(t, t.TempDir(), "WAL", "CREATE TABLE calls (id INTEGER PRIMARY KEY, teu INTEGER)", "INSERT INTO calls VALUES (1, 1)")
	defer r.close()
	var full atomic.Bool
	full.Store(true)
	open := r.kind.Open
	r.kind.Open = func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		put := env.Schema
		env.Schema = func(ctx context.Context, s record.Schema) (int64, error) {
			if full.Load() {
				return 0, fault.New(fault.NoSpace, "write the schema", "")
			}
			return put(ctx, s)
		}
		return open(ctx, c, env, at)
	}
	r.start()
	r.until("triggers", func() bool { return r.number("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'") > 0 })
	r.exec("INSERT INTO calls VALUES (17, 40)", "DELETE FROM calls WHERE id = 17")
	r.stop()
	full.Store(false)
	r.start()
	r.equal("calls")
	var seen []string
	for _, e := range r.log.Events(t, "p.main.calls") {
		if strings.Contains(string(e.Key), "17") && e.Value != nil {
			seen = append(seen, string(e.Value))
		}
	}
	if len(seen) != 2 || !strings.Contains(seen[0], `"op":"c"`) || !strings.Contains(seen[1], `"op":"d"`) {
		t.Errorf("a row that came and went is told by %q", seen)
	}
}
