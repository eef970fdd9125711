//go:build duckdb_arrow

package pipelines_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestStatementsAreAModel: whatever statements make, change, rename and replace a table in whatever order, with restarts between
// them, its rows are those of a map.
func TestStatementsAreAModel(t *testing.T) {
	s := newSite(t)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++
		name, moves := fmt.Sprintf("gold.m%d", run), 0
		rows := map[int]int{} // n by id; ids are there once
		must := func(statement string, told string) {
			got, err := s.run(statement)
			if err != nil || strings.Join(got, "") != told {
				r.Fatalf("%s: %q, %v, want %s", statement, got, err, told)
			}
		}
		among := func(from, to int) (n int) {
			for id := range rows {
				if id >= from && id < to {
					n++
				}
			}
			return n
		}
		span := func() (int, int) {
			from := rapid.IntRange(0, 40).Draw(r, "from")
			return from, from + rapid.IntRange(0, 20).Draw(r, "many")
		}
		must("CREATE TABLE "+name+" (id INT NOT NULL, n INT)", "CREATE TABLE")
		r.Repeat(map[string]func(*rapid.T){
			"insert": func(*rapid.T) {
				from, to := span()
				to = from + to - from
				fresh := to - from - among(from, to)
				must(fmt.Sprintf("INSERT INTO %[1]s SELECT i, i FROM range(%[2]d, %[3]d) r(i) WHERE i NOT IN (SELECT id FROM %[1]s)", name, from, to), fmt.Sprintf("INSERT %d", fresh))
				for id := from; id < to; id++ {
					if _, there := rows[id]; !there {
						rows[id] = id
					}
				}
			},
			"delete": func(*rapid.T) {
				from, to := span()
				must(fmt.Sprintf("DELETE FROM %s WHERE id >= %d AND id < %d", name, from, to), fmt.Sprintf("DELETE %d", among(from, to)))
				maps.DeleteFunc(rows, func(id, _ int) bool { return id >= from && id < to })
			},
			"update": func(*rapid.T) {
				from, to := span()
				must(fmt.Sprintf("UPDATE %s SET n = n + 1 WHERE id >= %d AND id < %d", name, from, to), fmt.Sprintf("UPDATE %d", among(from, to)))
				for id := range rows {
					if id >= from && id < to {
						rows[id]++
					}
				}
			},
			"merge": func(*rapid.T) {
				from, to := span()
				must(fmt.Sprintf("MERGE INTO %s AS t USING (SELECT i AS id FROM range(%d, %d) r(i)) s ON t.id = s.id WHEN MATCHED AND t.n > 50 THEN DELETE WHEN MATCHED THEN UPDATE SET n = t.n + 30 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 9)", name, from, to),
					fmt.Sprintf("MERGE %d", to-from))
				for id := from; id < to; id++ {
					switch n, there := rows[id]; {
					case !there:
						rows[id] = 9
					case n > 50:
						delete(rows, id)
					default:
						rows[id] = n + 30
					}
				}
			},
			"refused": func(r *rapid.T) {
				if len(rows) == 0 {
					r.Skip()
				}
				if got, err := s.run("UPDATE " + name + " SET n = CASE WHEN id = (SELECT max(id) FROM " + name + ") THEN 3000000000 ELSE 0 END"); err == nil {
					r.Fatalf("what is no INT was taken: %q", got)
				}
			},
			"replace": func(*rapid.T) {
				must(fmt.Sprintf("CREATE OR REPLACE TABLE %[1]s AS SELECT id, n FROM %[1]s WHERE id %% 5 <> 0", name), fmt.Sprintf("CREATE TABLE %d", func() (n int) {
					maps.DeleteFunc(rows, func(id, _ int) bool { return id%5 == 0 })
					return len(rows)
				}()))
			},
			"rename": func(*rapid.T) {
				moves++
				to := fmt.Sprintf("m%d_%d", run, moves)
				must("ALTER TABLE "+name+" RENAME TO "+to, "ALTER TABLE")
				name = "gold." + to
			},
			"truncate": func(r *rapid.T) {
				if rapid.IntRange(0, 3).Draw(r, "rare") > 0 {
					r.Skip()
				}
				must("TRUNCATE "+name, "TRUNCATE TABLE")
				clear(rows)
			},
			"restart": func(r *rapid.T) {
				if rapid.IntRange(0, 7).Draw(r, "rare") > 0 {
					r.Skip()
				}
				s.stop()
				s.start()
			},
			"": func(r *rapid.T) {
				got, err := s.run("SELECT id, n FROM " + name + " ORDER BY id, n")
				var want []string
				for _, id := range slices.Sorted(maps.Keys(rows)) {
					want = append(want, fmt.Sprintf("%d|%d", id, rows[id]))
				}
				if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
					r.Fatalf("%s has %q, %v, want %q", name, got, err, want)
				}
			},
		})
		must("DROP TABLE "+name, "DROP TABLE")
	})
}
