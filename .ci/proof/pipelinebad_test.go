package proof_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/embedded/duck"
)

// stateShare is what a single pipeline's state may take of the least memory.
const stateShare = 32 << 20

// equalOnce waits until two queries have the same rows, each as often.
func equalOnce(t *testing.T, p *proof.Process, got, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), proof.QuietWithin)
	defer cancel()
	err := proof.Until(ctx, func() (bool, error) {
		n, err := p.Numbers(ctx, fmt.Sprintf("SELECT (SELECT count(*) FROM (%[1]s)), (SELECT count(*) FROM ((%[2]s) EXCEPT ALL (%[1]s))), (SELECT count(*) FROM ((%[1]s) EXCEPT ALL (%[2]s)))", got, want))
		if err == nil && n[0] > 0 && n[1] == 0 && n[2] == 0 {
			return true, nil
		}
		return false, errors.Join(err, fmt.Errorf("%v: rows, missing, too many", n))
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.House.Tail())
	}
}

// TestPipelineHotKey has nearly all rows of a topic under one key, whose state is all of its rows, and kills the program in the midst
// of it.
func TestPipelineHotKey(t *testing.T) {
	const hot = "SELECT CASE WHEN price %% 100 > 0 THEN 0 ELSE auction END AS a, count(*) AS n, count(DISTINCT price) AS prices, median(price) AS middle FROM %s GROUP BY ALL"
	h := pipelineHouse(t, stateStatements+"CREATE MATERIALIZED VIEW hot AS "+strings.Replace(fmt.Sprintf(hot, "bid"), "GROUP BY ALL", "GROUP BY CASE WHEN price % 100 > 0 THEN 0 ELSE auction END", 1)+";\n", stateEvents, stateSeed)
	for _, point := range []string{"pipeline.applied@gold.hot:2", "pipeline.publishing@gold.hot:2"} {
		p, err := h.Start("TARN_CRASH="+point, "TARN_LANDING_COMMIT_INTERVAL=100ms")
		must(t, err)
		crashed(t, p)
	}
	p, err := h.Up(t.Context())
	must(t, err)
	defer p.Kill()
	groupedEqual(t, p)
	equalOnce(t, p, "SELECT a, n, prices, middle FROM gold.hot", fmt.Sprintf(hot, "gold.bids"))
	most, err := p.Numbers(t.Context(), "SELECT max(n), sum(n)::BIGINT FROM gold.hot")
	must(t, err)
	if most[0]*10 < most[1]*9 {
		t.Errorf("the hot key has %d rows of %d", most[0], most[1])
	}
}

// crashed waits until a program has ended at the point that it was to crash at.
func crashed(t *testing.T, p *proof.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(5 * time.Minute):
		p.Kill()
		t.Fatal("it did not come to where it was to crash")
	}
}

// TestPipelineLargeState has a state of several times what pipelines may have of the least memory, and a commit of more keys than the
// lake may have memory for, killed in the midst of both: the state goes to the disk, the keys are looked up some at a time, and the table is the
// batch answer.
func TestPipelineLargeState(t *testing.T) {
	const events, least = 240_000, 384
	h := pipelineHouse(t, `
CREATE SOURCE bid (auction BIGINT, bidder BIGINT, price BIGINT, url VARCHAR, extra VARCHAR, "dateTime" TIMESTAMP(3)) WITH (connector = 'kafka', topic = 'bid');
CREATE MATERIALIZED VIEW every AS SELECT md5(url) || md5(extra) || md5(url || extra) || url || extra AS k, price, count(*) AS n, count(DISTINCT bidder) AS bidders FROM bid GROUP BY md5(url) || md5(extra) || md5(url || extra) || url || extra, price;
`, events, stateSeed)
	h.Args = []string{"--listen", "auto", "--set", fmt.Sprintf("memory=%dMB", least)}
	for _, point := range []string{"pipeline.applied@gold.every:6", "pipeline.publishing@gold.every:2"} {
		p, err := h.Start("TARN_CRASH="+point, "TARN_LANDING_COMMIT_INTERVAL=30s") // so that a commit has all the rows that one may have
		must(t, err)
		crashed(t, p)
	}
	p, err := h.Up(t.Context())
	must(t, err)
	defer p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), proof.QuietWithin)
	defer cancel()
	bids := int64(events / 50 * 46)
	var n []int64
	err = proof.Until(ctx, func() (_ bool, err error) {
		n, err = p.Numbers(ctx, "SELECT sum(n)::BIGINT, count(*), count(DISTINCT (k, price)), sum(bidders)::BIGINT, sum(strlen(k))::BIGINT FROM gold.every")
		if err == nil && n[0] == bids && n[1] == n[2] && n[3] >= n[1] {
			return true, nil
		}
		return false, errors.Join(err, fmt.Errorf("%d rows of %d", n, bids))
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, h.Tail())
	}
	t.Logf("%d keys of %d MB, peak %.0f MB of %d", n[1], n[4]>>20, p.Status("VmHWM"), least)
	if n[4] < stateShare {
		t.Errorf("the keys alone have %d MB, which is not more than a pipeline may have of the memory", n[4]>>20)
	}
	log, err := os.ReadFile(h.Log)
	must(t, err)
	if at := bytes.Index(log, []byte("the lake's part of the memory")); at >= 0 {
		t.Errorf("a commit failed: %.300s", log[at:])
	}
}

// TestPipelineClock sets the clock of a Tarn an hour ahead and back, and back again, while a topic gets a row now and again: no source is
// taken for quiet before its time, so that no row comes too late, and each is in its window once.
func TestPipelineClock(t *testing.T) {
	t.Parallel() // it waits more than it works
	path, err := proof.BuildClocked(t.Context(), buildDir)
	must(t, err)
	h := plain(t)
	h.Binary = path
	clock, err := proof.NewClock(filepath.Join(t.TempDir(), "clock"))
	must(t, err)
	h.Env = append(h.Env, clock.Env(), "TARN_LANDING_COMMIT_INTERVAL=200ms")
	p := up(t, h)
	sent := 0
	send := func(rows int) {
		t.Helper()
		ports, err := h.Ports()
		must(t, err)
		for range rows {
			body := fmt.Sprintf(`{"k":%d,"ts":%q}`, sent%5, time.Now().UTC().Format("2006-01-02 15:04:05.000"))
			resp, err := http.Post("http://"+ports["http"]+"/ingest/ticking", "application/json", strings.NewReader(body)) //nolint:noctx // a test's own
			must(t, err)
			must(t, resp.Body.Close())
			if resp.StatusCode != http.StatusAccepted {
				t.Fatalf("status %d", resp.StatusCode)
			}
			sent++
			time.Sleep(50 * time.Millisecond) // that is the pace
		}
	}
	send(1)
	const windows = "SELECT k, count(*) AS n, window_end FROM TUMBLE(%s, ts, INTERVAL '500 milliseconds') GROUP BY k, window_end"
	for _, statement := range []string{
		"CREATE SOURCE ticking (k BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH (connector = 'kafka', topic = 'ticking', flush_timeout = '5s', idle_timeout = '5s')",
		"INSERT INTO gold.rows SELECT k, ts FROM ticking",
		"CREATE MATERIALIZED VIEW windowed AS " + fmt.Sprintf(windows, "ticking") + " EMIT ON WINDOW CLOSE",
	} {
		_, err := p.SQL(t.Context(), statement)
		must(t, err)
	}
	for _, ahead := range []time.Duration{time.Hour, 0, -time.Hour, 0} {
		send(20)
		must(t, clock.Set(ahead))
		send(20)
	}
	p.Kill()
	must(t, clock.Set(time.Hour)) // while it is down
	p = up(t, h)
	send(20)
	must(t, proof.Until(t.Context(), func() (bool, error) {
		n, err := p.Numbers(t.Context(), "SELECT (SELECT count(*) FROM gold.rows), (SELECT sum(n)::BIGINT FROM gold.windowed), (SELECT count(*) FROM system.late)")
		if err == nil && n[0] == int64(sent) && n[1] == int64(sent) && n[2] == 0 {
			return true, nil
		}
		return false, errors.Join(err, fmt.Errorf("%d rows, in windows, late; %d sent", n, sent))
	}))
	equalOnce(t, p, "SELECT k, n, window_end FROM gold.windowed", fmt.Sprintf(windows, "gold.rows"))
}

// olderPlan makes a state file one of a plan that another version made.
func olderPlan(t *testing.T, path string) {
	t.Helper()
	in, err := duck.Open(t.Context(), duck.Options{Path: path, MemoryBytes: 64 << 20, Threads: 1})
	must(t, err)
	conn, err := in.Conn(t.Context())
	must(t, err)
	must(t, conn.Exec(t.Context(), `UPDATE tarn_progress SET doc = regexp_replace(doc, '"plan":"[^"]*"', '"plan":"of an older version"')`))
	must(t, errors.Join(conn.Close(), in.Close()))
}
