//go:build duckdb_arrow

package plan_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/stream/plan"
)

var bid = &plan.Source{
	Name: "bid", Time: "dateTime", Delay: 4 * time.Second,
	Columns: []plan.Column{
		{"auction", record.Long},
		{"bidder", record.Long},
		{"price", record.Long},
		{"channel", record.String},
		{"url", record.String},
		{"dateTime", record.Timestamp},
		{"extra", record.String},
		{"rate", record.Double},
	},
}

var calls = &plan.Source{
	Name: "silver.calls", Key: []string{"id"},
	Columns: []plan.Column{{"id", record.Long}, {"vessel", record.String}, {"berth", record.Int}, {"fee", "decimal(10,2)"}},
}

func resolve(_ context.Context, t sqltext.Table) (*plan.Source, error) {
	switch t.Name {
	case "bid":
		return bid, nil
	case "calls":
		return calls, nil
	}
	return nil, fault.Newf(fault.NotFound, "", "there is no %s", t)
}

func planner(t *testing.T) *plan.Planner {
	t.Helper()
	p, err := plan.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// TestPlans holds what is known of a plan.
func TestPlans(t *testing.T) {
	p := planner(t)
	for _, c := range []struct {
		name, body string
		close      bool
		columns    string
		operators  int
		append     bool
		key        string
		times      bool
	}{
		{"q0", `SELECT auction, bidder, price, "dateTime", extra FROM bid`, true, "auction long,bidder long,price long,dateTime timestamp,extra string", 0, true, "", false},
		{"q1", `SELECT auction, 0.908 * price AS price FROM bid`, true, "auction long,price decimal(23,3)", 0, true, "", false},
		{"q2", `SELECT auction, price FROM bid WHERE auction % 123 = 0`, true, "auction long,price long", 0, true, "", false},
		{
			"tumble", "SELECT auction, COUNT(*), MAX(price), SUM(price) AS s, window_start FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end", true,
			`auction long,count_star() long,max(price) long,s decimal(38,0),window_start timestamp`, 1, true, "", true,
		},
		{
			"hop", `SELECT auction, count(*) AS n, window_end FROM HOP(bid, "dateTime", INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY ALL`, true,
			"auction long,n long,window_end timestamp", 1, true, "", true,
		},
		{
			"hot", `SELECT max(n) AS most, window_end AS till FROM (SELECT auction, count(*) AS n, window_end FROM HOP(bid, "dateTime", INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY ALL) GROUP BY window_end`, true,
			"most long,till timestamp", 1, true, "", true,
		},
		{
			"hop of windows", `SELECT max(window_start) AS last, window_end FROM HOP(bid, "dateTime", INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY window_end`, true,
			"last timestamp,window_end timestamp", 1, true, "", true,
		},
		{"updates", `SELECT auction, count(*) AS n, median(price) AS m FROM bid GROUP BY auction`, true, "auction long,n long,m double", 1, false, "auction", false},
		{"times", `SELECT auction, avg("dateTime") AS at FROM bid GROUP BY auction`, true, "auction long,at timestamp", 1, false, "auction", false},
		{"times in windows", `SELECT window_end, avg("dateTime") AS at FROM HOP(bid, "dateTime", INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY window_end`, true, "window_end timestamp,at timestamp", 1, true, "", true},
		{"everything", `SELECT count(*) AS n, median(price) AS m FROM bid`, false, "n long,m double", 1, false, "n,m", false},
		{"by berth", `SELECT berth + 1 AS b, sum(fee) AS fees, count(DISTINCT vessel) AS vessels FROM silver.calls GROUP BY berth + 1 HAVING count(*) > 1`, false, "b int,fees decimal(38,2),vessels long", 2, false, "b", false},
		{"mirror", `SELECT id, upper(vessel) AS vessel FROM silver.calls WHERE berth > 2`, false, "id long,vessel string", 1, false, "id", false},
		{"union", `SELECT auction, count(*) AS n FROM (SELECT auction FROM bid UNION ALL SELECT id FROM calls) GROUP BY auction`, false, "auction long,n long", 2, false, "auction", false},
	} {
		got, err := p.Plan(t.Context(), plan.Request{Body: c.body, OnClose: c.close}, resolve)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var columns []string
		for _, one := range got.Columns {
			columns = append(columns, one.Name+" "+string(one.Type))
		}
		if text := strings.Join(columns, ","); text != c.columns {
			t.Errorf("%s: columns %s, want %s", c.name, text, c.columns)
		}
		if len(got.Operators) != c.operators || got.Append != c.append || strings.Join(got.Key, ",") != c.key || got.Times != c.times {
			t.Errorf("%s: %d operators, append %t, key %v, times %t", c.name, len(got.Operators), got.Append, got.Key, got.Times)
		}
	}
}

// TestPanes holds which windows that overlap are put together of panes, and that the others are not.
func TestPanes(t *testing.T) {
	p := planner(t)
	const hop, odd = `HOP(bid, "dateTime", INTERVAL '2 seconds', INTERVAL '10 seconds')`, `HOP(bid, "dateTime", INTERVAL '4 seconds', INTERVAL '10 seconds')`
	for body, want := range map[string]bool{
		"SELECT auction, count(*) AS n, sum(price) AS s, avg(price) AS a, max(channel) AS c, window_end FROM " + hop + " AS h WHERE price > 1 GROUP BY ALL HAVING count(*) > 1": true,
		"SELECT auction + 1 AS one, window_start FROM " + hop + " GROUP BY ALL":                                                                                                 true,
		"SELECT count(*) AS n, window_start FROM " + odd + " GROUP BY window_start":                                                                                             false,
		`SELECT count(*) AS n, window_start FROM TUMBLE(bid, "dateTime", INTERVAL '2 seconds') GROUP BY window_start`:                                                           false,
		"SELECT sum(price::DOUBLE) AS s, window_end FROM " + hop + " GROUP BY ALL":                                                                                              false,
		"SELECT avg(price::FLOAT) AS s, window_end FROM " + hop + " GROUP BY ALL":                                                                                               false,
		"SELECT median(price) AS s, window_end FROM " + hop + " GROUP BY ALL":                                                                                                   false,
		"SELECT count(DISTINCT price) AS s, window_end FROM " + hop + " GROUP BY ALL":                                                                                           false,
		"SELECT max(window_start) AS s, window_end FROM " + hop + " GROUP BY window_end":                                                                                        false,
		"SELECT count(*) FILTER (window_start > '2026-01-01') AS s, window_end FROM " + hop + " GROUP BY window_end":                                                            false,
		"SELECT hour(window_start) AS h, count(*) AS n, window_end FROM " + hop + " GROUP BY ALL":                                                                               false,
		"SELECT count(*) AS n, window_end FROM " + hop + " AS h WHERE h.window_start > '2026-01-01' GROUP BY ALL":                                                               false,
		"SELECT count(*) AS n, window_end AS e FROM (SELECT * FROM " + hop + ") GROUP BY window_end":                                                                            false,
	} {
		got, err := p.Plan(t.Context(), plan.Request{Body: body, OnClose: true}, resolve)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if has := strings.Contains(got.Operators[0].String(), "of panes"); has != want {
			t.Errorf("%s: %s", body, got.Operators[0])
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	p := planner(t)
	for _, c := range []struct {
		body, message string
		line, column  int
		must          bool
	}{
		{"SELECT auction, pric FROM bid", `"pric" not found`, 1, 17, false},
		{"SELECT auction, count(*) FROM bid", "must appear in the GROUP BY", 1, 8, false},
		{"SELECT 1 AS one FROM bid HAVING true", "HAVING needs", 1, 1, false},
		{"SELECT count(*) AS n FROM bid", "EMIT ON WINDOW CLOSE", 1, 1, true},
		{"SELECT auction,\n sum(channel) FROM bid GROUP BY auction", "sum", 2, 2, false},
		{"SELECT auction FROM bid JOIN calls ON id = auction", "join", 1, 21, false},
		{"SELECT berth FROM calls", "nothing tells the rows", 1, 1, false},
		{"SELECT auction, price FROM bid", "EMIT ON WINDOW CLOSE", 1, 1, true},
		{"SELECT auction, INTERVAL 1 DAY AS d FROM bid", "no table keeps", 1, 1, false},
		{"SELECT auction FROM nothing", "there is no nothing", 1, 21, false},
	} {
		_, err := p.Plan(t.Context(), plan.Request{Body: c.body, OnClose: true, MustClose: c.must}, resolve)
		f, ok := err.(*fault.Error) //nolint:errorlint // the fault itself
		if !ok {
			t.Errorf("%s: %v", c.body, err)
			continue
		}
		if !strings.Contains(strings.ToLower(f.Error()), strings.ToLower(c.message)) || f.Line != c.line || f.Column != c.column || f.Hint == "" && c.message != "there is no nothing" {
			t.Errorf("%s: %v at %d:%d, hint %q", c.body, f, f.Line, f.Column, f.Hint)
		}
	}
}
