//go:build duckdb_arrow

package rest_test

import (
	"strings"
	"testing"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// TestWindows: TUMBLE and HOP over tables, views and CTEs, in each spelling and statement.
func TestWindows(t *testing.T) {
	h := newHouse(t, guard.Open{})
	h.table(table.Ident{Namespace: "silver", Name: "bids"}, "SELECT range AS id, make_timestamp(range * 1000000) AS ts, make_timestamptz(range * 1000000) AS at_utc FROM range(30)",
		column("id", record.Long), column("ts", record.Timestamp), column("at_utc", record.TimestampTZ))
	h.want("SELECT epoch(window_start)::INT, count(*) FROM TUMBLE(bids, ts, INTERVAL '10 SECONDS') GROUP BY ALL ORDER BY ALL", "0,10", "10,10", "20,10")
	h.want("SELECT epoch(window_end)::INT, count(*) FROM TABLE(HOP(TABLE silver.bids, DESCRIPTOR(`at_utc`), INTERVAL '10' SECOND, INTERVAL '20' SECOND)) GROUP BY 1 ORDER BY 1",
		"10,10", "20,20", "30,20", "40,10")
	h.want("CREATE VIEW gold.late AS SELECT * FROM silver.bids WHERE id >= 25", "CREATE VIEW")
	h.want("SELECT count(*) FROM TUMBLE(gold.late, at_utc, INTERVAL '1' DAY)", "5")
	h.want("CREATE VIEW gold.minutes AS SELECT window_start, count(*) AS n FROM TABLE(TUMBLE(TABLE silver.bids, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE)) GROUP BY window_start", "CREATE VIEW")
	h.want("SELECT n FROM gold.minutes", "30")
	h.want("DESCRIBE gold.minutes", "window_start,TIMESTAMP,YES,,,", "n,BIGINT,YES,,,")
	h.want("DESCRIBE SELECT window_end FROM TUMBLE(bids, at_utc, INTERVAL '1' MINUTE)", "window_end,TIMESTAMP WITH TIME ZONE,YES,,,")
	h.want("WITH x AS (SELECT * FROM bids) SELECT x.id FROM TUMBLE(x, ts, INTERVAL '1' MINUTE) WHERE id = 3", "3")
	if _, body := h.post("EXPLAIN SELECT sum(id) FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE)", ""); !strings.Contains(body, "AGGREGATE") {
		t.Error(body)
	}
	for statement, want := range map[string]string{
		"SELECT 1\n FROM TABLE(TUMBLE(TABLE bidz, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE))":       `"line":2,"column":26`,
		"SELECT 1 FROM TUMBLE(bids, tz, INTERVAL '1' MINUTE)":                                    `"line":1,"column":28`,
		"SELECT 1 FROM TUMBLE(bids, id, INTERVAL '1' MINUTE)":                                    `the windows of TUMBLE cannot be of id, which is a BIGINT`,
		"SELECT `nothing` FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE))": `"line":1,"column":8`,
		"CREATE VIEW gold.x AS\nSELECT 1 FROM TUMBLE(bids, ts, INTERVAL '1' YEAR)":               `"line":2,"column":41`,
		"SELECT 1 FROM TUMBLE((SELECT id FROM bids), ts, INTERVAL '1' MINUTE)":                   `"line":1,"column":45`,
		"SELECT 1 FROM TUMBLE((SELECT id FROM bids), id, INTERVAL '1' MINUTE)":                   `take a column of the type TIMESTAMP`,
		"SELECT 1 FROM bids GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)":                            `write it in FROM`,
	} {
		if status, body := h.post(statement, ""); status < 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %s", statement, body)
		}
	}
}
