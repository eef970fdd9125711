package proof_test

import (
	"fmt"
	"testing"
	"time"

	"tarn/.ci/nexmark"
	proof "tarn/.ci/proof"
)

// One bid in so many has a text that its pipelines cast to a number.
const (
	poison       = 211
	poisonEvents = 20_000
)

const poisonStatements = `
CREATE SOURCE bid (auction BIGINT, price BIGINT, channel VARCHAR, "dateTime" TIMESTAMP(3), WATERMARK FOR "dateTime" AS "dateTime" - INTERVAL '4' SECOND)
  WITH (connector = 'kafka', topic = 'bid', flush_timeout = '1s');
INSERT INTO gold.plain SELECT auction, CAST(CASE WHEN price % 211 = 0 THEN channel || 'x' ELSE '1' END AS INT) AS one FROM bid;
CREATE MATERIALIZED VIEW grouped AS SELECT auction % 500 AS a, sum(CAST(CASE WHEN price % 211 = 0 THEN channel || 'x' ELSE '1' END AS INT)) AS n FROM bid GROUP BY auction % 500;
`

// TestPoisonKills kills the program while it finds records with which pipelines cannot compute: in the end each of them is
// told once by each pipeline, and all others are in the tables once.
func TestPoisonKills(t *testing.T) {
	h := pipelineHouse(t, poisonStatements, poisonEvents, stateSeed)
	for _, point := range []string{"pipeline.begun:2", "pipeline.begun:4", "pipeline.ticked:2", "pipeline.published:1"} {
		p, err := h.Start("TARN_LANDING_COMMIT_INTERVAL=200ms", "TARN_CRASH="+point)
		must(t, err)
		select {
		case <-p.Done():
		case <-time.After(pointWithin):
			t.Errorf("%s was not come to", point)
			p.Kill()
		}
	}
	p, err := h.Up(t.Context())
	must(t, err)
	defer p.Kill()
	bids, bad := 0, 0
	for e := range nexmark.Events(poisonEvents, stateSeed) {
		if e.Topic != "bid" {
			continue
		}
		var auction, bidder, price int
		_, err := fmt.Sscanf(string(e.Value), `{"auction":%d,"bidder":%d,"price":%d,`, &auction, &bidder, &price)
		must(t, err)
		if bids++; price%poison == 0 {
			bad++
		}
	}
	want := []int64{int64(bids - bad), int64(bids - bad), int64(2 * bad), int64(bad)}
	err = proof.Until(t.Context(), func() (bool, error) {
		n, err := p.Numbers(t.Context(), `SELECT (SELECT count(*) FROM gold.plain), (SELECT sum(n)::BIGINT FROM gold.grouped),
			(SELECT count(*) FROM system.dead_letter WHERE topic = 'bid' AND error LIKE 'Conversion%' AND value LIKE '{%'),
			(SELECT count(*) FROM (SELECT DISTINCT "partition", "offset" FROM system.dead_letter WHERE topic = 'bid'))`)
		if err != nil {
			return false, err
		}
		if fmt.Sprint(n) == fmt.Sprint(want) {
			return true, nil
		}
		return false, fmt.Errorf("rows, sum, letters and places are %v, want %v", n, want)
	})
	if err != nil || bad == 0 {
		t.Fatalf("%v\n%s", err, h.Tail())
	}
	t.Logf("%d of %d records", bad, bids)
}
