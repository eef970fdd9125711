//go:build duckdb_arrow

package sqltext_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

func newParser(t testing.TB) *sqltext.Parser {
	t.Helper()
	p, err := sqltext.NewParser(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// told writes a Query out, so that a table of tests can hold it.
type teller struct {
	*testing.T
	*sqltext.Parser
}

func (t teller) sql(e *sqltext.Expr) string {
	if e == nil {
		return ""
	}
	out, err := t.SQL(context.Background(), e, nil)
	if err != nil {
		t.Error(err)
	}
	return out
}

func (t teller) query(q *sqltext.Query) string {
	if len(q.Union) > 0 {
		var parts []string
		for _, part := range q.Union {
			parts = append(parts, t.query(part))
		}
		return strings.Join(parts, " + ")
	}
	var items, groups []string
	for _, i := range q.Items {
		if i.Star {
			items = append(items, strings.TrimPrefix(i.StarOf+".*", ".")+strings.Join(append([]string{""}, i.Exclude...), "-"))
			continue
		}
		items = append(items, t.sql(i.Expr)+":"+i.Name)
	}
	for _, g := range q.Group {
		groups = append(groups, t.sql(g))
	}
	out := strings.Join(items, ", ") + " < " + t.from(q.From)
	for name, part := range map[string]string{"where": t.sql(q.Where)} {
		if part != "" {
			out += " " + name + " " + part
		}
	}
	if len(groups) > 0 {
		out += " by " + strings.Join(groups, ", ")
	}
	if q.Having != nil {
		out += " having " + t.sql(q.Having)
	}
	if q.Distinct {
		out = "distinct " + out
	}
	return out
}

func (t teller) from(f *sqltext.From) string {
	if f == nil {
		return "nothing"
	}
	out := ""
	switch {
	case f.Table != nil:
		out = f.Table.String()
	case f.Sub != nil:
		out = "(" + t.query(f.Sub) + ")"
	case f.Window != nil:
		w := f.Window
		out = fmt.Sprintf("%s(%s, %s, %s/%s+%s)", w.Kind, t.from(w.Of), w.Column, w.Slide, w.Size, w.Shift)
	case f.Join != nil:
		out = "[" + t.from(f.Join.Left) + " " + f.Join.Kind + " " + t.from(f.Join.Right) + " on " + t.sql(f.Join.On) + strings.Join(f.Join.Using, ",") + "]"
	}
	if f.Alias != "" {
		out += "=" + f.Alias
	}
	if len(f.Columns) > 0 {
		out += "(" + strings.Join(f.Columns, ",") + ")"
	}
	return out
}

// TestQuery: bodies in the three spellings, in a planner's terms.
func TestQuery(t *testing.T) {
	tell := teller{t, newParser(t)}
	for body, want := range map[string]string{
		"SELECT auction, `dateTime` FROM bid":                                               `auction:auction, dateTime:dateTime < bid`,
		"SELECT a AS x, count(*) FROM TUMBLE(bids, ts, INTERVAL '10 SECONDS') GROUP BY ALL": `a:x, count_star():count_star() < TUMBLE(bids, ts, 10s/10s+0s) by a`,
		"SELECT auction, max(price) AS m FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(`ts`), INTERVAL '1' MINUTE)) AS t GROUP BY auction, window_start": `auction:auction, max(price):m < TUMBLE(bids, ts, 1m0s/1m0s+0s)=t by auction, window_start`,
		"SELECT 1 FROM HOP(silver.bids, ts, INTERVAL 2 SECOND, INTERVAL '1 minute', INTERVAL '1' SECOND) h(a, b);":                                  `1:1 < HOP(silver.bids, ts, 2s/1m0s+1s)=h(a,b)`,
		"WITH x AS (SELECT a FROM t), y(b) AS (SELECT a + 1 FROM x) SELECT b FROM y WHERE b > 3":                                                    `b:b < ((a + 1):(a + 1) < (a:a < t)=x)=y(b) where (b > 3)`,
		"SELECT a * 2 AS d, count(*) n FROM t GROUP BY d HAVING n > 1":                                                                              `(a * 2):d, count_star():n < t by (a * 2) having (count_star() > 1)`,
		"SELECT upper(a) AS a, count(*) FROM t GROUP BY a":                                                                                          `upper(a):a, count_star():count_star() < t by a`,
		"SELECT a, b FROM t GROUP BY 2, 1":                                                                                                          `a:a, b:b < t by b, a`,
		"SELECT a FROM t UNION ALL SELECT b FROM u UNION ALL (SELECT DISTINCT c FROM v)":                                                            `a:a < t + b:b < u + distinct c:c < v`,
		"SELECT * EXCLUDE (a, b), u.* FROM t LEFT JOIN s.u USING (k), v":                                                                            `*-a-b, u.* < [[t LEFT s.u on k] CROSS v on ]`,
		"SELECT count(DISTINCT a), sum(b) FILTER (WHERE c > 0), 1 + avg(d) FROM t JOIN u ON t.k = u.k":                                              `count(DISTINCT a):count(DISTINCT a), sum(b) FILTER (WHERE (c > 0)):sum(b) FILTER (WHERE (c > 0)), (1 + avg(d)):(1 + avg(d)) < [t INNER u on (t.k = u.k)]`,
		"SELECT 1 FROM TUMBLE((SELECT a, ts FROM t), ts, INTERVAL '1 hour')":                                                                        `1:1 < TUMBLE((a:a, ts:ts < t), ts, 1h0m0s/1h0m0s+0s)`,
		"WITH x AS (FROM t SELECT *) SELECT 1 FROM TUMBLE(x, ts, INTERVAL '1 hour') AS w":                                                           `1:1 < TUMBLE((* < t)=x, ts, 1h0m0s/1h0m0s+0s)=w`,
	} {
		q, err := tell.Query(context.Background(), body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if got := tell.query(q); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
}

// TestQueryOfNexmark: what Flink runs is read as it stands.
func TestQueryOfNexmark(t *testing.T) {
	files, err := filepath.Glob("testdata/nexmark/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	p := newParser(t)
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		q, err := p.Query(context.Background(), string(body))
		if strings.Contains(string(body), "UNIX_TIMESTAMP") {
			if fault.CodeOf(err) != fault.Denied {
				t.Errorf("%s: %v", f, err)
			}
			q, err = p.Query(context.Background(), strings.ReplaceAll(string(body), "UNIX_TIMESTAMP", "upper"))
		}
		if err != nil || len(q.Items) == 0 {
			t.Errorf("%s: %v", f, err)
		}
	}
}
