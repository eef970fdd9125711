package proof_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tarn/.ci/nexmark"
	proof "tarn/.ci/proof"
)

// pipelinePoints are the hand-overs of a tick and of its publication: within the transaction of the
// state, before and after its commit, before and within the commit of the table, and after it.
var pipelinePoints = []string{
	"pipeline.begun", "pipeline.applied", "pipeline.ticked", "pipeline.publishing", "lake.written", "lake.committed", "pipeline.published",
}

// killAlterWithin is how long a pipeline that is made anew may take to come to a point.
const killAlterWithin = 20 * time.Second

// pipelineEvents are what the pipelines have to read at first, and moreEvents what they get when they have read all of it before they were
// killed where they were to be: how many hand-overs they come to depends on the machine's pace.
const (
	pipelineEvents = 400_000
	moreEvents     = 150_000
)

const pipelineStatements = `
CREATE SOURCE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, "dateTime" TIMESTAMP(3),
  WATERMARK FOR "dateTime" AS "dateTime" - INTERVAL '4' SECOND) WITH (connector = 'kafka', topic = 'bid', format = 'json', flush_timeout = '1s');
-- without state, and what the others are held against
INSERT INTO gold.bids SELECT auction, bidder, price, channel, "dateTime" FROM bid;
-- windows that close, appended
INSERT INTO gold.tumbled SELECT auction, count(*) AS n, max(price) AS most, sum(price) AS sum, window_start
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR("dateTime"), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end;
-- groups that change, keyed: with partial answers, and with the rows themselves
CREATE MATERIALIZED VIEW grouped AS SELECT auction % 500 AS a, count(*) AS n, sum(price) AS sum FROM bid GROUP BY auction % 500;
CREATE MATERIALIZED VIEW counted AS SELECT channel, count(DISTINCT auction) AS auctions, median(price) AS middle FROM bid GROUP BY channel;
`

// TestPipelineKills kills the program at each hand-over, early and late, while four pipelines of every
// kind run at once. At the end each table is the batch answer over the same events.
func TestPipelineKills(t *testing.T) {
	h := pipelineHouse(t, pipelineStatements, pipelineEvents, 42)
	hits := h.Log + ".hits"
	h.Env = []string{"TARN_LANDING_COMMIT_INTERVAL=200ms", "TARN_CRASH_LOG=" + hits}
	events := pipelineEvents
	for _, pass := range []int{1, 3, 6} {
		for _, point := range pipelinePoints {
			end := time.Now().Add(pointWithin)
			for !killedAt(t, h, fmt.Sprintf("%s:%d", point, pass)) {
				if time.Now().After(end) {
					t.Fatalf("%s:%d was not come to\n%s", point, pass, h.Tail())
				}
				events += moreEvents
				_, err := nexmark.Fill{Data: h.Data, Events: events, Seed: 42}.Run(t.Context())
				must(t, err)
			}
		}
	}
	t.Logf("%d events", events)
	content, err := os.ReadFile(hits)
	must(t, err)
	for _, point := range pipelinePoints {
		if n := strings.Count(string(content), point+"\n"); n < 3 {
			t.Errorf("killed at %s %d times, want 3", point, n)
		}
	}
	p, err := h.Up(t.Context())
	must(t, err)
	pipelinesEnd(t, p, events)
	p.Kill()
	alterKills(t, h, events)
}

// killedAt runs the program until it kills itself at a point; false when its pipelines have read all that there is before.
func killedAt(t *testing.T, h *proof.House, point string) bool {
	t.Helper()
	p, err := h.Start("TARN_CRASH=" + point)
	must(t, err)
	defer p.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), pointWithin)
	defer cancel()
	if p.Ready(ctx) == nil {
		var seen looks
		err = proof.Until(ctx, func() (bool, error) {
			idle, err := seen.idle(ctx, p)
			return p.Ended() || idle, err
		})
	}
	if p.Ended() && !p.Killed() || !p.Ended() && err != nil {
		t.Fatalf("on the way to %s: %v\n%s", point, err, h.Tail())
	}
	return p.Ended()
}

// looks counts how often, one after the other, the four pipelines were seen with all read.
type looks int

// idle looks once more, and tells whether they have nothing left to do.
func (l *looks) idle(ctx context.Context, p *proof.Process) (bool, error) {
	n, err := p.Numbers(ctx, "SELECT count(*), count(*) FILTER (WHERE state = 'running' AND lag = 0) FROM system.pipelines")
	if *l++; err != nil || n[0] != 4 || n[1] != 4 {
		*l = 0
	}
	return *l > 100, err
}

// alterKills kills the program while a pipeline is made anew, and while its table takes the old one's
// name. Whatever it comes to, there are four pipelines in the end, and each table is right.
func alterKills(t *testing.T, h *proof.House, events int) {
	for _, point := range []string{"pipeline.ticked:2", "lake.renaming:1", "lake.renaming:2", "lake.committed:3"} {
		p, err := h.Up(t.Context(), "TARN_CRASH="+point)
		must(t, err)
		for _, name := range []string{"gold.grouped", "gold.tumbled"} {
			_, _ = p.SQL(t.Context(), "ALTER PIPELINE "+name+" REBUILD") // it may be killed under it
		}
		select {
		case <-p.Done():
		case <-time.After(killAlterWithin):
			t.Logf("%s was not come to", point)
			p.Kill()
		}
		p, err = h.Up(t.Context())
		must(t, err)
		err = proof.Until(t.Context(), func() (bool, error) {
			n, err := p.Numbers(t.Context(), "SELECT count(*), count(*) FILTER (WHERE state = 'running') FROM system.pipelines")
			if err != nil || len(n) == 2 && n[0] == 4 && n[1] == 4 {
				return err == nil, err
			}
			return false, fmt.Errorf("%d pipelines, %d of them run", n[0], n[1])
		})
		if err != nil {
			t.Fatalf("%s: %v\n%s", point, err, h.Tail())
		}
		pipelinesEnd(t, p, events)
		p.Kill()
	}
}

// pipelinesEnd waits until all is read and every window closed, and compares.
func pipelinesEnd(t *testing.T, p *proof.Process, events int) {
	t.Helper()
	count, sum := 0, 0
	for e := range nexmark.Events(events, 42) {
		if e.Topic == "bid" {
			count++
			var auction, bidder, price int
			_, err := fmt.Sscanf(string(e.Value), `{"auction":%d,"bidder":%d,"price":%d,`, &auction, &bidder, &price)
			must(t, err)
			sum += price
		}
	}
	equal := func(what, got, want string) {
		t.Helper()
		err := proof.Until(t.Context(), func() (bool, error) {
			a, err := p.Numbers(t.Context(), got)
			if err != nil {
				return false, err
			}
			b, err := p.Numbers(t.Context(), want)
			if err != nil {
				return false, err
			}
			if fmt.Sprint(a) == fmt.Sprint(b) {
				return true, nil
			}
			return false, fmt.Errorf("%v, want %v", a, b)
		})
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, p.House.Tail())
		}
	}
	equal("bids", "SELECT count(*), sum(price)::BIGINT FROM gold.bids", fmt.Sprintf("SELECT %d, %d", count, sum))
	for _, c := range []struct{ table, columns, batch string }{
		{"tumbled", "auction, n, most, sum::HUGEINT AS sum, window_start", `SELECT auction, count(*) AS n, max(price) AS most, sum(price) AS sum, window_start FROM TUMBLE(gold.bids, "dateTime", INTERVAL '10' SECOND) GROUP BY auction, window_start, window_end`},
		{"grouped", "a, n, sum::HUGEINT AS sum", "SELECT auction % 500 AS a, count(*) AS n, sum(price) AS sum FROM gold.bids GROUP BY auction % 500"},
		{"counted", "channel, auctions, middle", "SELECT channel, count(DISTINCT auction) AS auctions, median(price) AS middle FROM gold.bids GROUP BY channel"},
	} {
		got := "SELECT " + c.columns + " FROM gold." + c.table
		equal(c.table, fmt.Sprintf("SELECT count(*) FROM ((%s) EXCEPT ALL (%s))", got, c.batch), "SELECT 0")
		equal(c.table, fmt.Sprintf("SELECT count(*) FROM ((%s) EXCEPT ALL (%s))", c.batch, got), "SELECT 0")
	}
	equal("late", "SELECT count(*) FROM system.late", "SELECT 0")
}
