package proof_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// The budget that the setting gives, and how large a row of the source is, in bytes.
const (
	memoryMB     = 512
	eventBytes   = 300
	landedWithin = 15 * time.Minute
)

// heavy are statements that do not fit into their share of the memory and spill.
var heavy = []string{
	"SELECT count(*), sum(n), max(len) FROM (SELECT row_number() OVER (ORDER BY body) AS n, length(body) AS len FROM silver.events)",
	"SELECT count(*), sum(c) FROM (SELECT body, count(*) AS c, max(x) FROM silver.events GROUP BY body ORDER BY body DESC)",
	"SELECT count(*), sum(a.x + b.x) FROM silver.events a JOIN silver.events b ON a.body = b.body",
}

// TestMemory holds a snapshot, its landing, queries that spill and a compaction, all at once,
// to one budget: slower, without an error.
func TestMemory(t *testing.T) {
	rows := *flagMemory << 20 / eventBytes
	dir := t.TempDir()
	database := filepath.Join(dir, "source.db")
	fillEvents(t, database, rows)
	h := plain(t)
	h.Args = []string{"--listen", "auto", "--set", fmt.Sprintf("memory=%dMB", memoryMB), "--set", "landing.commit_interval=200ms"}
	must(t, proof.WriteConnector(h.Project, "src", proof.Connector(database)))
	began := time.Now()
	p := up(t, h)
	ctx, cancel := context.WithTimeout(t.Context(), landedWithin)
	defer cancel()
	peak := watch(ctx, p)
	var queries, compactions atomic.Int64
	beside := func(count *atomic.Int64, statements ...string) <-chan error {
		done := make(chan error, 1)
		go func() { done <- repeat(ctx, p, count, statements) }()
		return done
	}
	// The first commit makes the tables.
	must(t, proof.Until(ctx, func() (bool, error) {
		_, err := p.Numbers(ctx, "SELECT count(*) FROM silver.events")
		return err == nil, err
	}))
	asking := beside(&queries, heavy...)
	compacting := beside(&compactions, "ALTER TABLE silver.events EXECUTE compact", "ALTER TABLE bronze.src_main_events EXECUTE compact")
	must(t, proof.Until(ctx, func() (bool, error) {
		n, err := p.Numbers(ctx, "SELECT (SELECT count(*) FROM silver.events), (SELECT count(*) FROM bronze.src_main_events)")
		if err != nil {
			return true, err
		}
		if n[0] < int64(rows) || n[1] < int64(rows) || queries.Load() < int64(len(heavy)) || compactions.Load() == 0 {
			return false, fmt.Errorf("%v of %d rows are landed, %d queries and %d compactions were answered", n, rows, queries.Load(), compactions.Load())
		}
		return true, nil
	}))
	took := time.Since(began)
	cancel()
	asked, compacted, most := <-asking, <-compacting, peak()
	if asked != nil || compacted != nil || most.rss > memoryMB {
		t.Log(h.Tail())
		t.Errorf("queries: %v; compactions: %v; it took %d MB, memory is %d MB", asked, compacted, most.rss, memoryMB)
	}
	t.Logf("memory_setting_mb=%d source_mb=%d rows=%d seconds=%.0f queries=%d compactions=%d %s",
		memoryMB, *flagMemory, rows, took.Seconds(), queries.Load(), compactions.Load(), most)
}

// repeat runs statements in turn until ctx ends.
func repeat(ctx context.Context, p *proof.Process, count *atomic.Int64, statements []string) error {
	for i := 0; ; i++ {
		if _, err := p.SQL(ctx, statements[i%len(statements)]); err != nil {
			if ctx.Err() != nil {
				err = nil // it was told to end
			}
			return err
		}
		count.Add(1)
	}
}

// resident is what a process held at most, in MB.
type resident struct{ rss, anon, file int64 }

func (r resident) String() string {
	return fmt.Sprintf("peak_rss_mb=%d peak_anon_mb=%d peak_file_mb=%d", r.rss, r.anon, r.file)
}

// watch looks at what a process holds until it is asked what that was at most.
func watch(ctx context.Context, p *proof.Process) func() resident {
	ctx, cancel := context.WithCancel(ctx)
	found := make(chan resident, 1)
	go func() {
		var most resident
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			now := func(line string) int64 { return int64(p.Status(line)) }
			most = resident{max(most.rss, now("VmHWM")), max(most.anon, now("RssAnon")), max(most.file, now("RssFile"))}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		found <- most
	}()
	return func() resident {
		cancel()
		return <-found
	}
}

// fillEvents makes a source database of one table.
func fillEvents(t *testing.T, path string, rows int) {
	db, err := proof.OpenSource(path, "WAL")
	must(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), "CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT, x REAL, body TEXT)")
	must(t, err)
	const step = 50_000
	for at := 0; at < rows; at += step {
		_, err = db.ExecContext(t.Context(), `INSERT INTO events
			WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
			SELECT i, 'kind ' || (i % 97), i * 0.5, hex(randomblob(125)) FROM n`, at, min(rows, at+step))
		must(t, err)
	}
}
