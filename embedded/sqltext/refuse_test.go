//go:build duckdb_arrow

package sqltext_test

import (
	"context"
	"testing"
)

// TestQueryRefuses: each form that a pipeline does not know is refused where it stands, with
// what to write instead.
func TestQueryRefuses(t *testing.T) {
	p := newParser(t)
	for _, r := range []refusal{
		{"SELECT a FROM t «»ORDER BY a", "ORDER BY", "leave it out"},
		{"SELECT a FROM t\n «»LIMIT 3", "LIMIT", "leave it out"},
		{"SELECT a FROM (SELECT a FROM t «»LIMIT 3) x", "LIMIT", "leave it out"},
		{"SELECT a FROM t «»OFFSET 3", "LIMIT", "leave it out"},
		{"SELECT «»DISTINCT ON (a) a, b FROM t", "DISTINCT ON", "group by"},
		{"SELECT a, «»now() FROM t", "now", "column of the source"},
		{"SELECT a FROM t WHERE ts > «»current_timestamp", "current_timestamp", "column of the source"},
		{"SELECT «»random() FROM t", "random", "column"},
		{"SELECT «»age(ts) FROM t", "age", "age(later, earlier)"},
		{"SELECT «»nextval('x') FROM t", "nextval", "arguments"},
		{"SELECT «»version() FROM t", "version", "leave"},
		{"SELECT «»uuid() FROM t", "uuid", "column"},
		{"SELECT «»grouping(a), count(*) FROM t GROUP BY a", "grouping", "another way"},
		{"SELECT «»UNIX_TIMESTAMP(CAST(a AS STRING)) FROM t", "unix_timestamp", "epoch(time)"},
		{"SELECT «»unnest(l) FROM t", "more rows", "list"},
		{"SELECT «»string_agg(a, ',') FROM t", "string_agg", "median"},
		{"SELECT «»first(a) FROM t", "first", "median"},
		{"SELECT «»sum(a ORDER BY b) FROM t", "ORDER BY within", "order"},
		{"SELECT «»max(a, 3) FROM t", "2 arguments", "one expression"},
		{"SELECT sum(«»count(*)) FROM t", "within another", "subquery"},
		{"SELECT a FROM t WHERE «»count(*) > 1", "WHERE", "HAVING"},
		{"SELECT count(*) FROM t GROUP BY «»sum(a)", "GROUP BY", "HAVING"},
		{"SELECT a FROM t JOIN u ON «»max(t.a) = u.a", "ON", "HAVING"},
		{"SELECT «»upper(DISTINCT a) FROM t", "no aggregate", "aggregates"},
		{"SELECT «»row_number() OVER (ORDER BY a) FROM t", "OVER", "GROUP BY"},
		{"SELECT a FROM t QUALIFY «»row_number() OVER () = 1", "QUALIFY", "GROUP BY"},
		{"SELECT a FROM t «»GROUP BY GROUPING SETS ((a), ())", "GROUPING SETS", "UNION ALL"},
		{"SELECT a FROM t «»GROUP BY ROLLUP (a)", "GROUPING SETS", "UNION ALL"},
		{"SELECT a FROM «»t TABLESAMPLE 10%", "sample", "condition"},
		{"«»SELECT a FROM t USING SAMPLE 10%", "sample", "condition"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r", "RECURSIVE", "recursion"},
		{"SELECT a FROM t WHERE «»a IN (SELECT b FROM u)", "subquery", "in FROM"},
		{"SELECT «»(SELECT 1) FROM t", "subquery", "in FROM"},
		{"SELECT a FROM t WHERE «»EXISTS (SELECT b FROM u)", "subquery", "in FROM"},
		{"SELECT a FROM t «»UNION SELECT b FROM u", "UNION without ALL", "UNION ALL"},
		{"SELECT a FROM t «»INTERSECT SELECT b FROM u", "INTERSECT", "join"},
		{"SELECT a FROM t «»EXCEPT ALL SELECT b FROM u", "EXCEPT", "join"},
		{"SELECT a FROM t «»UNION ALL BY NAME SELECT b FROM u", "BY NAME", "UNION ALL"},
		{"SELECT * FROM t PIVOT (sum(a) FOR b IN (1))", "PIVOT", "another way"},
		{"SELECT a FROM t AT (VERSION => «»3)", "AT", "leave it out"},
		{"SELECT a FROM t ASOF JOIN «»u ON t.a >= u.a", "ASOF", "ON"},
		{"SELECT a FROM t NATURAL JOIN «»u", "NATURAL", "USING"},
		{"SELECT a FROM t POSITIONAL JOIN «»u", "POSITIONAL", "ON"},
		{"SELECT a FROM «»range(3)", "range", "source"},
		{"FROM (VALUES («»1)) v SELECT *", "VALUES", "table"},
		{"SELECT a FROM «»read_text('x')", "read_text", "FROM"},
		{"SELECT «»* REPLACE (1 AS a) FROM t", "EXCLUDE", "list"},
		{"SELECT «»COLUMNS('a') FROM t", "EXCLUDE", "list"},
		{"SELECT struct_pack(a := 1, b := «»t.*) FROM t", "* in an expression", "list"},
		{"SELECT «»* , count(*) FROM t GROUP BY ALL", "GROUP BY ALL", "list"},
		{"SELECT a FROM t GROUP BY «»2", "GROUP BY 2", "1 to 1"},
		{"SELECT *, a FROM t GROUP BY «»2", "counts the columns", "expression"},
		{"SELECT «»#1 FROM t", "#1", "name"},
		{"SELECT a FROM t WHERE «»a COLLATE NOCASE = 'x'", "COLLATE", "lower"},
		{"SELECT $1 FROM t", "parameters", "value"},
		{"SELECT a::BIT::VARCHAR FROM t", "BIT", "VARCHAR"},
		{"SELECT CAST(a AS UHUGEINT) FROM t", "UHUGEINT", "VARCHAR"},
		{"SELECT a FROM t «»FOR SYSTEM_TIME AS OF x", "SYSTEM_TIME", "in a query"},
		{"SELECT a FROM t «»/*+ OPTIONS('scan.startup.mode'='latest-offset') */ WHERE a", "options", "declared"},
		{"SELECT a FROM t «»MATCH_RECOGNIZE (x)", "MATCH_RECOGNIZE", "TUMBLE"},
		{"SELECT a FROM «»CUMULATE(t, ts, INTERVAL '1' SECOND, INTERVAL '1' DAY)", "cumulate", "TUMBLE"},
		{"SELECT a FROM TABLE(«»SESSION(TABLE t, DESCRIPTOR(`ts`), INTERVAL '1' SECOND))", "session", "TUMBLE"},
		{"SELECT count(*) FROM t GROUP BY «»TUMBLE(ts, INTERVAL '1' SECOND)", "tumble", "in FROM"},
		{"SELECT «»TUMBLE_START(ts, INTERVAL '1' SECOND) FROM t", "tumble_start", "in FROM"},
		{"SELECT a FROM «»TUMBLE(t, ts)", "arguments", "TUMBLE(table, column"},
		{"SELECT a FROM TUMBLE(«»'t', ts, INTERVAL '1' SECOND)", "no table", "TUMBLE(table, column"},
		{"SELECT a FROM TUMBLE(t, «»t.ts, INTERVAL '1' SECOND)", "no column", "TUMBLE(table, column"},
		{"SELECT a FROM TUMBLE(t, ts, INTERVAL «»'1' MONTH)", "fixed length", "TUMBLE(table, column"},
		{"SELECT a FROM TUMBLE(t, ts, INTERVAL «»'0' SECOND)", "out of bounds", "millisecond"},
		{"SELECT a FROM TUMBLE(t, ts, «»3)", "fixed length", "INTERVAL"},
		{"SELECT a FROM HOP(t, ts, INTERVAL «»'1' SECOND, INTERVAL '7' DAY)", "10000 windows", "longer"},
		{"SELECT a FROM TUMBLE(DATA => TABLE «»t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' SECOND)", "named arguments", "without names"},
		{"SELECT `a\"b` FROM t", "quote", "double quotes"},
		{"SELECT a FROM t; «»SELECT b", "more than one", "one by one"},
		{"SELECT a FORM «»t", "syntax error", "FROM instead of FORM"},
		{"SELECT `ä`, b FROM TABLE(TUMBLE(TABLE x, DESCRIPTOR(`ts`), INTERVAL '1' SECOND)) WHERE «»random() < 1", "random", "column"},
	} {
		r.check(t, func(s string) error { _, err := p.Query(context.Background(), s); return err })
	}
}
