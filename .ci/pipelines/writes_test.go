//go:build duckdb_arrow

package pipelines_test

import (
	"strings"
	"testing"

	"tarn/embedded/fault"
)

// TestRowsByStatements: rows are there once and after a restart, refused ones not at all, and pipelines mean what they did.
func TestRowsByStatements(t *testing.T) {
	s := newSite(t)
	s.exec(
		"CREATE TABLE gold.a (id BIGINT PRIMARY KEY, name VARCHAR, u UUID, since TIMESTAMPTZ, d DECIMAL(10, 2), due INT NOT NULL)",
		"CREATE TABLE IF NOT EXISTS gold.a (x INT)",
		"INSERT INTO gold.a VALUES (1, 'x', '6f1e0a4e-5b1e-4b52-9d43-0a2d2d9c1b11', '2026-01-01 10:00:00+02', 1.25, 7), (2, NULL, NULL, NULL, NULL, 8)",
		"INSERT INTO a (due, id) SELECT i, i + 10 FROM range(5000) r(i)",
		"CREATE TABLE gold.b AS SELECT id, name FROM gold.a WHERE id < 3",
		"CREATE OR REPLACE TABLE gold.b AS (SELECT id * 10 AS id FROM gold.b)",
		"CREATE SCHEMA own",
		"CREATE TABLE own.c AS SELECT 1 AS n WITH NO DATA",
		"INSERT INTO own.c VALUES (5)",
	)
	for statement, code := range map[string]fault.Code{
		"CREATE TABLE gold.a (id INT)":                   fault.Exists,
		"CREATE TABLE silver.x (id INT)":                 fault.Denied,
		"CREATE TABLE nowhere.x (id INT)":                fault.NotFound,
		"CREATE TABLE gold.x (id INT DEFAULT 1)":         fault.Syntax,
		"CREATE TABLE gold.x AS SELECT 1 AS a, 2 AS A":   fault.Invalid,
		"CREATE TABLE gold.x AS SELECT [1] AS a":         fault.Invalid,
		"INSERT INTO gold.a (id) VALUES (1)":             fault.Invalid, // due is null
		"INSERT INTO gold.a (id, due) VALUES (1, 'x')":   fault.Invalid,
		"INSERT INTO gold.a (id, due) VALUES (1, 3e9)":   fault.Invalid,
		"INSERT INTO gold.a (id, nope) VALUES (1, 1)":    fault.NotFound,
		"INSERT INTO gold.a VALUES (1, 2)":               fault.Invalid,
		"INSERT INTO gold.nope VALUES (1)":               fault.NotFound,
		"INSERT INTO gold.a VALUES (1) ON CONFLICT DO x": fault.Invalid,
		"DROP SCHEMA own":                                fault.Invalid,
		"DROP SCHEMA gold CASCADE":                       fault.Denied,
	} {
		if got, err := s.run(statement); fault.CodeOf(err) != code {
			t.Errorf("%s: %q, %v, want %s", statement, got, err, code)
		}
	}
	for range 2 {
		for query, want := range map[string]string{
			"SELECT count(*), sum(id), sum(due) FROM gold.a":                                         "5002|12547503|12497515",
			"SELECT name, u, since = TIMESTAMPTZ '2026-01-01 08:00:00Z', d FROM gold.a WHERE id = 1": "x|6f1e0a4e-5b1e-4b52-9d43-0a2d2d9c1b11|true|1.25",
			"SELECT id FROM gold.b ORDER BY id":                                                      "10\n20",
			"SELECT n FROM own.c":                                                                    "5",
			"SELECT owner FROM system.tables WHERE name = 'a'":                                       "statements",
		} {
			if got, err := s.run(query); err != nil || strings.Join(got, "\n") != want {
				t.Errorf("%s: %q, %v, want %q", query, got, err, want)
			}
		}
		s.stop()
		s.start()
	}
	s.exec("DROP TABLE gold.b", "DROP SCHEMA own CASCADE")
	if got, err := s.run("SELECT * FROM gold.b"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a dropped table answers %q, %v", got, err)
	}
}
