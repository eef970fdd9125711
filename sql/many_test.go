//go:build duckdb_arrow

package sql_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestLargerThanMemory: what does not fit the memory is answered from the disk or refused with what to do, and leaves no file.
func TestLargerThanMemory(t *testing.T) {
	h := open(t)
	h.harmless(t, func() {
		for _, w := range h.wires {
			for _, text := range []string{
				"SELECT i, rpad(CAST(i * 7919 % 1000003 AS VARCHAR), 400, 'x') AS s FROM range(1000000) t(i) ORDER BY s DESC, i LIMIT 5 OFFSET 900000",
				"SELECT len(list(rpad(CAST(i AS VARCHAR), 100, 'x'))) FROM range(4000000) t(i)",
			} {
				rows, err := w.ask(t.Context(), w.addr, text, 0)
				if err != nil && !strings.Contains(err.Error(), "memory") {
					t.Errorf("%s: %s: %d rows, %v", w.name, text, rows, err)
				}
			}
		}
	})
}

// TestManyConnections has 500 clients at each door at once: each has an answer, or is told that too many ask.
func TestManyConnections(t *testing.T) {
	h := open(t)
	const clients = 500
	for _, w := range h.wires {
		h.harmless(t, func() {
			var work sync.WaitGroup
			var answered, told atomic.Int64
			for range clients {
				work.Go(func() {
					rows, err := w.ask(t.Context(), w.addr, "SELECT i FROM range(100) t(i)", 0)
					switch {
					case err == nil && rows == 100:
						answered.Add(1)
					case err != nil && (strings.Contains(err.Error(), "wait already") || strings.Contains(err.Error(), "are under way already")):
						told.Add(1)
					default:
						t.Errorf("%s: %d rows, %v", w.name, rows, err)
					}
				})
			}
			work.Wait()
			t.Logf("%s: %d answered, %d told to wait", w.name, answered.Load(), told.Load())
			if answered.Load() == 0 {
				t.Errorf("%s: nobody was answered", w.name)
			}
		})
		idle := make([]net.Conn, clients) // say nothing
		h.harmless(t, func() {
			for i := range idle {
				nc, err := net.Dial("tcp", w.addr)
				if err != nil {
					t.Fatal(w.name, i, err)
				}
				idle[i] = nc
			}
			h.answers(t)
			for _, nc := range idle {
				_ = nc.Close()
			}
		})
	}
}

// cut are statements whose every beginning is asked.
var cut = []string{
	`WITH a AS (SELECT "name", berths::BIGINT AS b FROM system.ports WHERE name LIKE 'R%' ESCAPE '\') SELECT count(*) FILTER (b > 1), [x + 1 FOR x IN [1, 2]] FROM a`,
	"SELECT * FROM TUMBLE(system.ports, DESCRIPTOR(at), INTERVAL '10' SECOND) -- a remark",
	"FROM (PIVOT system.ports ON name USING sum(berths)) UNION ALL BY NAME SELECT E'a\\n', $$x$$, {'k': DATE '2026-01-02'} /* and another */",
	"SELECT CASE WHEN x IN (SELECT 1) THEN TIMESTAMP '2026-01-02 03:04:05 +02:00' END, CAST('12' AS DECIMAL(10, 2)) FROM (VALUES (1), (NULL)) t(x) ORDER BY 1 NULLS LAST LIMIT 3",
	"EXPLAIN ANALYZE SELECT row_number() OVER (PARTITION BY name ORDER BY berths ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM system.ports",
	"CREATE TEMP TABLE u AS SELECT array_agg(DISTINCT name) FROM system.ports GROUP BY GROUPING SETS ((), (name))",
	"COPY (SELECT 1) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';')",
	"DECLARE c CURSOR FOR SELECT 1", "EXECUTE IMMEDIATE 'SELECT ?' USING ARRAY[1, 2]",
	"ALTER TABLE silver.calls EXECUTE expire_snapshots(retention_threshold => '7d')", "CREATE PIPELINE p AS SELECT 1 FROM t EMIT CHANGES", "SELECT x'é\xff\x00'",
}

// TestCutStatements asks each beginning of statements at the first door, and each seventh at the others: it is answered or refused, and no door ends or waits for the rest.
func TestCutStatements(t *testing.T) {
	h := open(t)
	h.harmless(t, func() {
		for i, w := range h.wires {
			step := 7
			if i == 0 {
				step = 1
			}
			for _, text := range cut {
				for n := i; n <= len(text); n += step {
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
					_, err := w.ask(ctx, w.addr, text[:n], 0)
					if ctx.Err() != nil {
						t.Fatalf("%s does not answer %q", w.name, text[:n])
					}
					if err != nil && strings.Contains(err.Error(), "connection re") {
						t.Errorf("%s: %q: %v", w.name, text[:n], err)
					}
					cancel()
				}
			}
		}
	})
}
