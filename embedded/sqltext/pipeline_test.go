//go:build duckdb_arrow

package sqltext_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// one reads a SELECT and returns its expressions.
func (t teller) one(body string) *sqltext.Query {
	t.Helper()
	q, err := t.Query(context.Background(), body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return q
}

// TestKeys: equal expressions have equal keys, and no others.
func TestKeys(t *testing.T) {
	tell := teller{t, newParser(t)}
	for pair, want := range map[[2]string]bool{
		{"SELECT a + 1 FROM t", "SELECT  A+1 AS x FROM t"}:                                                 true,
		{"SELECT t.a FROM t", "SELECT a FROM t"}:                                                           true,
		{"SELECT s.t.a FROM s.t", "SELECT T.a FROM s.t"}:                                                   true,
		{"SELECT t.a FROM t, u", "SELECT a FROM t, u"}:                                                     false,
		{"SELECT t.a FROM t, u", "SELECT u.a FROM t, u"}:                                                   false,
		{"SELECT s.t.a FROM s.t, u", "SELECT t.a FROM s.t, u"}:                                             true,
		{"SELECT 'a' FROM t", "SELECT 'A' FROM t"}:                                                         false,
		{"SELECT 1 FROM t", "SELECT 1.0 FROM t"}:                                                           false,
		{"SELECT sum(a) FROM t", "SELECT SUM(t.a) FROM t"}:                                                 true,
		{"SELECT sum(a) FROM t", "SELECT sum(DISTINCT a) FROM t"}:                                          false,
		{"SELECT sum(a) FROM t", "SELECT sum(a) FILTER (WHERE b) FROM t"}:                                  false,
		{"SELECT a.b FROM t", "SELECT b FROM t"}:                                                           false,
		{"SELECT a::INT FROM t", "SELECT TRY_CAST(a AS INT) FROM t"}:                                       false,
		{"SELECT a::INT FROM t", "SELECT a::BIGINT FROM t"}:                                                false,
		{"SELECT a < b FROM t", "SELECT a <= b FROM t"}:                                                    false,
		{"SELECT a AND b FROM t", "SELECT a OR b FROM t"}:                                                  false,
		{"SELECT a IS NULL FROM t", "SELECT a IS NOT NULL FROM t"}:                                         false,
		{"SELECT list_transform(l, x -> x.a) FROM t x", "SELECT list_transform(l, x -> a) FROM t x"}:       false,
		{"SELECT list_transform(l, x -> x + b) FROM t", "SELECT list_transform(t.l, x -> x + t.b) FROM t"}: true,
	} {
		a, b := tell.one(pair[0]).Items[0].Expr.Key(), tell.one(pair[1]).Items[0].Expr.Key()
		if (a == b) != want {
			t.Errorf("%q: %s, %s", pair, a, b)
		}
	}
}

// TestExpressions: columns, aggregates and the SQL of what has columns in its place.
func TestExpressions(t *testing.T) {
	tell := teller{t, newParser(t)}
	columns := func(e *sqltext.Expr) string {
		var out []string
		for _, c := range e.Columns() {
			out = append(out, fmt.Sprintf("%s.%s@%d", c.Qualifier, c.Name, c.Offset))
		}
		return strings.Join(out, " ")
	}
	for body, want := range map[string]string{
		"SELECT s.t.a.b + c FROM s.t":                                                      "t.a@7 .c@17",
		"SELECT list_transform(l, x -> x + y) FROM t":                                      ".l@22 .y@34",
		"SELECT list_transform(l, lambda x, i: x + i + z) FROM t":                          ".l@22 .z@46",
		"SELECT [x + y FOR x IN l IF x > v] FROM t":                                        ".y@12 .v@32 .l@23",
		"SELECT x -> '$.a' FROM t":                                                         ".x@7",
		"SELECT a.b.c FROM t":                                                              ".a@7",
		"SELECT CASE WHEN a BETWEEN b AND c THEN d ELSE e END FROM t":                      ".a@17 .b@27 .c@33 .d@40 .e@47",
		"SELECT sum(a) FILTER (WHERE b > 0) + CAST(c AS INT) FROM t":                       ".a@11 .b@28 .c@42",
		"SELECT a = 'x' AND NOT (b IN (1, c)) OR d IS NULL AND coalesce(e, f[g]) FROM t u": ".a@7 .b@24 .c@33 .d@40 .e@63 .f@66 .g@68",
	} {
		got := strings.Fields(columns(tell.one(body).Items[0].Expr))
		wanted := strings.Fields(want)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, wanted)
		}
	}
	q := tell.one(`SELECT window_start + 1 AS w, sum(p.price * 2) FILTER (WHERE "old" > 0) / count(*) + count(DISTINCT "user") AS x FROM p GROUP BY window_start + 1`)
	e := q.Items[1].Expr
	var calls []string
	swap := map[string]string{q.Group[0].Key(): "g0"}
	for i, c := range e.Calls() {
		said := c.Name
		for _, a := range c.Args {
			said += " " + tell.sql(a)
		}
		calls = append(calls, fmt.Sprintf("%s %v %v %v %s", said, c.Star, c.Distinct, c.Filter != nil, tell.sql(c.Filter)))
		swap[c.Expr.Key()] = fmt.Sprintf("Old %d", i)
	}
	slices.Sort(calls)
	want := []string{`count "user" false true false `, "count true false false ", `sum (p.price * 2) false false true ("old" > 0)`}
	if !slices.Equal(calls, want) {
		t.Errorf("calls are %q", calls)
	}
	for _, c := range []struct {
		e    *sqltext.Expr
		want string
	}{{e, `(("Old 0" / "Old 1") + "Old 2")`}, {q.Items[0].Expr, "g0"}} {
		if got, err := tell.SQL(context.Background(), c.e, swap); err != nil || got != c.want {
			t.Errorf("%s, %v", got, err)
		}
	}
	if q := tell.one("SELECT b.a, count(*) FROM t AS b GROUP BY a"); q.Items[0].Expr.Key() != q.Group[0].Key() {
		t.Error("a column with its table's name is another")
	}
}

// TestSQLAgain: what is written out is read as the same, in every form that a pipeline takes.
func TestSQLAgain(t *testing.T) {
	tell := teller{t, newParser(t)}
	for _, item := range []string{
		"-1", "- a", "1e300", "0.1", "123456789012345678901234567890", "'it''s'", "'\n\t\\'", "E'\\n'", "$$x$$", "NULL", "true", "'\\x00'::BLOB", "DATE '2026-01-01'", "TIMESTAMP '2026-01-01 00:00:00.123456'",
		"TIMESTAMPTZ '2026-01-01 00:00:00+02'", "INTERVAL '10' SECOND", "INTERVAL '1 day 2 hours'", "INTERVAL (a) DAY", "ts + INTERVAL 3 MONTH", "a IN (1, 2, NULL)", "a NOT IN ('x')", "a BETWEEN 1 AND 2",
		"a NOT BETWEEN 1 AND 2", "a LIKE 'x%'", "a NOT ILIKE 'x' ESCAPE '!'", "a SIMILAR TO 'x.*'", "a ~ 'x'", "a IS DISTINCT FROM b", "a IS NOT DISTINCT FROM b", "NOT a", "a IS NOT NULL", "a IS TRUE", "a IS NOT FALSE", "a IS UNKNOWN",
		"CASE a WHEN 1 THEN 'x' ELSE 'y' END", "CASE WHEN a THEN 1 END", "coalesce(a, b, 0)", "nullif(a, b)", "if(a, b, c)", "ifnull(a, b)", "a // b", "a / b", "a % b", "a ** b", "a || 'x'", "a ^ 2", "a & b | c", "~a", "a << 2", "@a",
		"[1, 2, a]", "{'k': a, 'q r': 1}", "MAP {'a': 1}", "a[1]", "a[1:2]", "a[-1:]", "s.f", "(s).f", "struct_pack(x := a)", "list_transform(l, x -> x + 1)", "list_filter(l, lambda x: x > a)", "[x FOR x IN l IF x > 1]",
		"j -> '$.a'", "j ->> '$.a'", "json_extract_string(j, '$.a')", "(j -> 'a') = b", "CAST(a AS DECIMAL(10,2))", "a::VARCHAR[]", "TRY_CAST(a AS INTEGER)", "a::STRUCT(x INTEGER, \"y z\" VARCHAR)", "extract(year FROM ts)", "date_trunc('hour', ts)",
		"ts AT TIME ZONE 'UTC'", "epoch(ts)", "strftime(ts, '%Y')", "substring(a FROM 1 FOR 2)", "position('a' IN b)", "trim(BOTH 'x' FROM a)", "\"old\"", "\"group\"", "\"a \"\"b\"", "\"Ünder\"", "t.\"order\"", "count(*)", "count(DISTINCT a)",
		"sum(a) FILTER (WHERE b > 1)", "median(a) + 1", "(a, b) = (1, 2)", "row(a, b)", "TRY(a / b)", "concat_ws(',', a, b)", "greatest(a, b)", "array[1, 2]", "a.b.c.d",
		"try_strptime(a, '%Y')", "1 = 1 AND (2 = 2 OR NOT 3 = 3)", "(a = b) IS NULL", "- (- 1)", "-(-a)", "2 - -1", "1::HUGEINT", "'x'::UUID", "1.5::FLOAT", "'infinity'::DOUBLE", "1_000",
	} {
		q, err := tell.Query(context.Background(), "SELECT "+item+" FROM t GROUP BY x")
		if err != nil {
			t.Errorf("%s: %v", item, err)
			continue
		}
		out, err := tell.SQL(context.Background(), q.Items[0].Expr, nil)
		if err != nil {
			t.Errorf("%s: %v", item, err)
			continue
		}
		again, err := tell.Query(context.Background(), "SELECT "+out+" FROM t GROUP BY x")
		if err != nil || again.Items[0].Expr.Key() != q.Items[0].Expr.Key() {
			t.Errorf("%s became %s: %v\n%s\n%s", item, out, err, q.Items[0].Expr.Key(), again.Items[0].Expr.Key())
		}
	}
}

// TestAliases: a name that is taken for an alias is told, for DuckDB takes a column first.
func TestAliases(t *testing.T) {
	tell := teller{t, newParser(t)}
	q := tell.one("SELECT a + 1 AS x, x * 2 AS y, count(*) AS n FROM t WHERE y > 3 GROUP BY x, y HAVING n > 2")
	if got := tell.query(q); got != "(a + 1):x, ((a + 1) * 2):y, count_star():n < t where (((a + 1) * 2) > 3) by (a + 1), ((a + 1) * 2) having (count_star() > 2)" {
		t.Error(got)
	}
	var names []string
	for _, a := range q.Aliases {
		names = append(names, fmt.Sprintf("%s@%d", a.Name, a.Offset))
	}
	if got := strings.Join(names, " "); got != "x@19 y@58 x@73 y@76" {
		t.Error(got)
	}
}

// FuzzQuery: any body is read or refused, and what was read can be written out.
func FuzzQuery(f *testing.F) {
	for _, s := range append(passing, refused...) {
		f.Add(s)
	}
	files, _ := filepath.Glob("testdata/nexmark/*.sql")
	for _, name := range files {
		if body, err := os.ReadFile(name); err == nil {
			f.Add(string(body))
		}
	}
	f.Add("SELECT a AS x, count(*) FILTER (WHERE b) AS n FROM TABLE(HOP(TABLE t, DESCRIPTOR(`ts`), INTERVAL '1' DAY, INTERVAL 7 DAY)) GROUP BY x, 1 HAVING n > 1 AND sum(DISTINCT c) > 2")
	f.Add("SELECT list_transform(l, x -> x + y), a -> 'b', [z FOR z IN l IF z > 1] FROM t JOIN u USING (k) UNION ALL SELECT 1, 2, 3 FROM (SELECT DISTINCT * EXCLUDE (q) FROM v)")
	p := newParser(f)
	f.Fuzz(func(t *testing.T, body string) {
		q, err := p.Query(context.Background(), body)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		_ = teller{t, p}.query(q)
		for _, part := range append(q.Union, q) {
			for _, i := range part.Items {
				if i.Expr == nil {
					continue
				}
				if len(i.Expr.Key()) == 0 || i.Offset >= len(body) {
					t.Fatalf("%q: %+v", body, i)
				}
				for _, c := range i.Expr.Columns() {
					if c.Name == "" && !strings.Contains(body, `""`) {
						t.Fatalf("%q: %+v", body, c)
					}
				}
			}
		}
	})
}
