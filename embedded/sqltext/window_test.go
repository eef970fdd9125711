//go:build duckdb_arrow

package sqltext_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// ask runs a query of a test's own and returns its rows as text.
func (c *cage) ask(t *testing.T, query string) []string {
	t.Helper()
	rows, err := c.conn.QueryContext(context.Background(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var out []string
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, cell := range cells {
			line += fmt.Sprint(*cell.(*any)) + ","
		}
		out = append(out, strings.TrimSuffix(line, ","))
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	slices.Sort(out)
	return out
}

// TestWindowSQL holds the windows against the definition: those that begin at the offset from
// the epoch plus any number of slides, and hold the time.
func TestWindowSQL(t *testing.T) {
	in, err := duck.Open(context.Background(), duck.Options{Threads: 1, MemoryBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c := &cage{}
	if c.conn, err = in.Conn(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(c.conn.Close(), in.Close()) })
	if err := c.conn.Exec(context.Background(), "SET TimeZone = 'America/New_York'"); err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	times := []int64{0, 1, -1, 999_999, 1_000_000, -1_000_000, -1_000_001, 1767830400_000_000, -777_777_777_777_777, 123_456_789_012_345, 59_999_999, 60_000_000}
	for _, w := range []sqltext.Window{
		{Kind: "TUMBLE", Size: 10 * time.Second},
		{Kind: "TUMBLE", Size: 7 * day},
		{Kind: "TUMBLE", Size: 7 * day, Shift: -3 * day},
		{Kind: "TUMBLE", Size: time.Hour, Shift: 90 * time.Minute},
		{Kind: "TUMBLE", Size: 1500 * time.Millisecond},
		{Kind: "HOP", Size: 10 * time.Second, Slide: 2 * time.Second},
		{Kind: "HOP", Size: 10 * time.Second, Slide: 3 * time.Second},
		{Kind: "HOP", Size: 7 * day, Slide: 2 * day, Shift: day},
		{Kind: "HOP", Size: 2 * time.Second, Slide: 5 * time.Second},
		{Kind: "HOP", Size: time.Minute, Slide: time.Minute},
	} {
		w.Column = `t"s`
		size, slide := w.Size.Microseconds(), w.Slide.Microseconds()
		if w.Kind == "TUMBLE" {
			slide = size
		}
		var want, values []string
		for i, at := range times {
			values = append(values, fmt.Sprintf("(%d, make_timestamp(%d))", i, at))
			for start := w.Shift.Microseconds() + (at/slide-2*size/slide-20)*slide; start <= at; start += slide {
				if at < start+size {
					want = append(want, fmt.Sprintf("%d,%d,%d", i, start, start+size))
				}
			}
		}
		slices.Sort(want)
		for _, kind := range []string{"TIMESTAMP", "TIMESTAMPTZ"} {
			source := `(SELECT i, ts::` + kind + ` AS "t""s" FROM (VALUES ` + strings.Join(values, ",") + `, (99, NULL), (98, 'infinity'), (97, '-infinity'), (96, make_timestamp(9223372036854775806)), (95, make_timestamp(-9223372022400000000))) v(i, ts))`
			if kind == "TIMESTAMPTZ" {
				source = strings.ReplaceAll(strings.ReplaceAll(source, "ts::TIMESTAMPTZ", "ts"), "make_timestamp", "make_timestamptz")
			}
			for _, w.Type = range []string{"", kind} {
				query := sqltext.WindowSQL(w, source)
				if got := c.ask(t, "SELECT i, epoch_us(window_start), epoch_us(window_end) FROM ("+query+")"); !slices.Equal(got, want) {
					t.Errorf("%+v of %s\ngot  %v\nwant %v", w, kind, got, want)
				}
				if same := c.ask(t, `SELECT DISTINCT typeof(window_start) = typeof("t""s") AND typeof(window_end) = typeof("t""s") FROM (`+query+")"); !slices.Equal(same, []string{"true"}) {
					t.Errorf("%+v of %s: its bounds have another type", w, kind)
				}
			}
		}
	}
}

// windows lets the table bids through, with a time of each second from 0 to 29.
func (c *cage) windows(statement string) (sqltext.Rewritten, error) {
	return c.parser.Rewrite(context.Background(), statement, 1000, func(t sqltext.Table) (sqltext.Relation, error) {
		if t.Name == "bids" || t.Name == "asks" {
			return sqltext.Relation{Text: "SELECT range AS id, make_timestamp(range * 1000000) AS ts FROM range(30)", Name: "s." + t.Name, Columns: []string{"id", "ts"}}, nil
		}
		return sqltext.Relation{}, fault.New(fault.Denied, "no "+t.Name, "")
	})
}

// TestWindowsInQueries: TUMBLE and HOP stand wherever a table does, in each spelling.
func TestWindowsInQueries(t *testing.T) {
	c := newCage(t)
	for _, q := range []struct {
		query string
		want  []string
	}{
		{"SELECT epoch(window_start), epoch(window_end), count(*), min(id) FROM TUMBLE(bids, ts, INTERVAL '10 SECONDS') GROUP BY ALL", []string{"0,10,10,0", "10,20,10,10", "20,30,10,20"}},
		{"SELECT epoch(window_start), count(*) FROM TABLE(TUMBLE(TABLE s.bids, DESCRIPTOR(`ts`), INTERVAL '20' SECOND)) AS w GROUP BY window_start", []string{"0,20", "20,10"}},
		{"SELECT epoch(w.window_start), count(*) FROM HOP(bids, ts, INTERVAL 10 SECOND, INTERVAL 20 SECOND) w GROUP BY 1", []string{"-10,10", "0,20", "10,20", "20,10"}},
		{"WITH x AS (SELECT id, ts FROM bids WHERE id < 5) SELECT count(*), max(id) FROM TUMBLE(x, ts, INTERVAL '1' MINUTE)", []string{"5,4"}},
		{"SELECT a.id, b.id FROM TUMBLE(bids, ts, INTERVAL '1' SECOND) a JOIN TUMBLE(asks, ts, INTERVAL '1' SECOND) b ON a.window_end = b.window_start WHERE a.id < 2", []string{"0,1", "1,2"}},
		{"SELECT count(*) FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE) JOIN TUMBLE(asks, ts, INTERVAL '1' MINUTE) USING (window_start)", []string{"900"}},
		{"SELECT bids.id FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE) WHERE id = 7", []string{"7"}},
		{"SELECT a, c FROM TUMBLE((SELECT id, ts FROM bids WHERE id = 3), ts, INTERVAL '1' MINUTE) AS w(a, b, c)", []string{"3,1970-01-01 00:00:00 +0000 UTC"}},
		{"SELECT tumble.id FROM TUMBLE((SELECT id, ts FROM bids WHERE id = 3), ts, INTERVAL '1' MINUTE)", []string{"3"}},
		{"SELECT count(*) FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE, INTERVAL '30' SECOND) WHERE window_start = TIMESTAMP '1969-12-31 23:59:30'", []string{"30"}},
		{"SELECT n FROM (SELECT count(*) AS n FROM bids WHERE id IN (SELECT id FROM HOP(bids, ts, INTERVAL '5' SECOND, INTERVAL '5' SECOND) WHERE window_start = TIMESTAMP '1970-01-01'))", []string{"5"}},
		{"SELECT count(*) FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE) UNION ALL SELECT count(*) FROM TABLE(HOP(TABLE asks, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '2' SECOND))", []string{"30", "60"}},
	} {
		out, err := c.windows(q.query)
		if err != nil {
			t.Errorf("%s: %v", q.query, err)
			continue
		}
		if got := c.ask(t, out.Text); !slices.Equal(got, q.want) {
			t.Errorf("%s\ngot  %q\nwant %q", q.query, got, q.want)
		}
	}
	for _, r := range []refusal{
		{"SELECT id FROM bids, TUMBLE(«»secret, ts, INTERVAL '1' MINUTE)", "no secret", ""},
		{"SELECT id FROM TABLE(TUMBLE(TABLE «»secret, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE))", "no secret", ""},
		{"SELECT id FROM TUMBLE((SELECT * FROM «»secret), ts, INTERVAL '1' MINUTE)", "no secret", ""},
		{"SELECT id FROM TUMBLE(bids, «»t, INTERVAL '1' MINUTE)", "no column t", "ts"},
		{"SELECT id FROM TUMBLE(bids, ts, INTERVAL «»'1' MONTH)", "fixed length", "TUMBLE("},
		{"SELECT count(*) FROM bids GROUP BY «»TUMBLE(ts, INTERVAL '1' MINUTE)", "tumble", "FROM TUMBLE("},
		{"SELECT `id`, «»getenv('x') FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE))", "getenv", ""},
	} {
		r.check(t, func(s string) error { _, err := c.windows(s); return err })
	}
}

// TestWindowLineage: window_start comes from the time, the others from their columns.
func TestWindowLineage(t *testing.T) {
	c := newCage(t)
	for query, want := range map[string]string{
		"SELECT * FROM TUMBLE(bids, ts, INTERVAL '1' MINUTE)":                                                             "id<s.bids.id ts<s.bids.ts window_start<s.bids.ts window_end<s.bids.ts",
		"SELECT window_start AS w, sum(id) AS n FROM HOP(bids, ts, INTERVAL '1' MINUTE, INTERVAL '1' HOUR)":               "w<s.bids.ts n<s.bids.id",
		"WITH x AS (SELECT id + 1 AS n, ts AS time FROM bids) SELECT n, window_end FROM TUMBLE(x, time, INTERVAL 1 HOUR)": "n<s.bids.id window_end<s.bids.ts",
	} {
		out, err := c.windows(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		var got []string
		for _, o := range out.Outputs {
			got = append(got, o.Name+"<"+strings.Join(o.Inputs, ","))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s\ngot  %s\nwant %s", query, strings.Join(got, " "), want)
		}
	}
}
