//go:build duckdb_arrow

package rest_test

import (
	"strings"
	"testing"
	"time"
	"fmt"

	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/table"
)

func TestProbe(t *testing.T) {
	h := newHouse(t, guard.Open{}, "silver")
	h.table(table.Ident{Namespace: "silver", Name: "calls"}, "SELECT 1 AS id, 'x' AS status", column("id", record.Int), column("status", record.String))
	for _, s := range []string{
		"SELECT COLUMNS('.*') FROM calls", "SELECT COLUMNS('file.*') FROM calls", "SELECT calls FROM calls", "SELECT to_json(calls) FROM calls", "SELECT * FROM calls NATURAL JOIN calls b",
		"SELECT unnest(calls) FROM calls", "SELECT * FROM calls UNPIVOT (v FOR n IN (COLUMNS(*)))", "SELECT rowid FROM calls", "SELECT COLUMNS(c -> c LIKE 'fi%') FROM calls",
		"SELECT calls.* FROM calls", "SELECT U&\"fil\\0065name\" FROM calls", "SELECT \"FileName\" FROM calls", "SELECT struct_extract(calls, 'file'||'name') FROM calls",
		"SELECT json_extract(to_json(calls), '$.*') FROM calls", "SUMMARIZE calls", "DESCRIBE calls", "SHOW COLUMNS FROM calls", "SHOW TABLES", "SHOW SCHEMAS", "SHOW DATABASES", "SHOW TABLES FROM silvr",
		"EXPLAIN SELECT count(*) FROM calls WHERE id=1", "EXPLAIN SELECT * FROM calls AT (VERSION => 3)", "SELECT * FROM calls AT (VERSION => 'x')", "SELECT * FROM calls AT (TIMESTAMP => now() - INTERVAL 1 HOUR)",
		"SELECT * FROM calls AT (TIMESTAMP => (SELECT now()))", "SELECT * FROM calls AT (TIMESTAMP => id)", "SELECT * FROM calls AT (TIMESTAMP => current_timestamp)", "SELECT * FROM calls AT (TIMESTAMP => '2026-01-01')", "SELECT * FROM calls AT (TIMESTAMP => 'nonsense')",
		"SELECT status.upper() FROM calls", "SELECT current_user, current_schema, current_database()", "SELECT version()", "SELECT id FROM calls WHERE status > 1", "SELECT foo(1)", "SELECT sum(status) FROM calls",
		"SELECT c.idd FROM calls c", "SELECT x.id FROM calls", "SELECT 1/0", "SELECT * FROM calls WHERE id = 'abc'", "SELECT id, count(*) FROM calls", "SELECT * FROM information_schema.columns", "SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.schemata",
		"set timezone='Europe/Paris'", "SELECT 'a' COLLATE de", "SELECT 1 AS a, 2 AS a", "TABLE calls", "SELECT * FROM calls, calls", "SELECT silver.calls.id, lake.silver.calls.id FROM lake.silver.calls", "/* c */ SELECT -- x\n 1;", "SELECT 1;;", ";", "SELECT E'\\'' || $$a;b$$",
		"CREATE VIEW gold.v AS SELECT 1 AS a; SELECT 2", "CREATE VIEW gold.v AS SELECT * FROM calls;", "SELECT * FROM gold.v", "CREATE TABLE x AS SELECT 1", "PIVOT calls ON status USING sum(id)", "SELECT list_aggregate([1,2],'sum')", "SELECT 'x'::mytype", "SELECT 1 WHERE 1 = ?",
		"SELECT * FROM (SELECT max(id) FROM calls)", "SELECT (SELECT max(id) FROM calls)", "SELECT gen_random_uuid() IS NOT NULL, INTERVAL '1' MONTH + INTERVAL 3 DAY, 'infinity'::TIMESTAMP, 'infinity'::DATE", "SELECT {'a': [1,2]}, MAP{'k':1}, '{\"a\":1}'::JSON, '2026-01-01 00:00:00+02'::TIMESTAMPTZ, TIME '01:02:03.5', TIMETZ '01:02:03+02', 1::UTINYINT, 1e400, 1e300::FLOAT", "SELECT bitstring '0101', 'a'::ENUM('a','b'), union_value(k := 1)",
		"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM (SELECT * FROM r LIMIT 10)",
	} {
		st, body := h.post(s, "")
		fmt.Printf("%d %s\n    %.330s\n", st, s, body)
	}
	for name, s := range map[string]string{
		"unions": strings.Repeat("SELECT 1 UNION ALL ", 50000) + "SELECT 1",
		"unions900": strings.Repeat("SELECT 1 UNION ALL ", 900) + "SELECT 1",
		"unions1300": strings.Repeat("SELECT 1 UNION ALL ", 1300) + "SELECT 1",
		"joins": "SELECT 1 FROM range(1)" + strings.Repeat(", range(1)", 900),
		"subq": strings.Repeat("SELECT * FROM (", 300) + "SELECT 1" + strings.Repeat(")", 300),
		"plus": "SELECT 1" + strings.Repeat("+1", 990),
		"ors": "SELECT 1 WHERE true" + strings.Repeat(" or 1=2", 50000),
		"in": "SELECT 1 WHERE 1 IN (0" + strings.Repeat(",2", 100000) + ")",
		"scal": strings.Repeat("SELECT (", 200) + "SELECT 1" + strings.Repeat(")", 200),
		"ctes": "WITH a0 AS (SELECT 1 x)" + func() (o string) { for i := 1; i < 300; i++ { o += fmt.Sprintf(", a%d AS (SELECT * FROM a%d UNION ALL SELECT * FROM a%d)", i, i-1, i-1) }; return }() + " SELECT count(*) FROM a299",
		"cross": "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000) c",
		"mem": "SELECT repeat('x', 1000000000)",
		"list": "SELECT range(1000000000)",
		"listagg": "SELECT list(range) FROM range(1000000000)",
		"strings": "SELECT string_agg(repeat('x',1000),'') FROM range(10000000)",
		"lpad": "SELECT length(lpad('a', 2000000000, 'b'))",
		"sort": "SELECT * FROM (SELECT repeat('y', 200) || range AS s FROM range(5000000)) ORDER BY s DESC LIMIT 1 OFFSET 4000000",
	} {
		t0 := time.Now()
		st, body := h.post(s, "")
		fmt.Printf("%s: %d %v %.200s\n", name, st, time.Since(t0), body)
	}
}
