//go:build duckdb_arrow

package pipelines_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
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
	s.refusedAs(map[string]fault.Code{
		"CREATE TABLE gold.a (id INT)":                   fault.Exists,
		"CREATE TABLE silver.x (id INT)":                 fault.Denied,
		"CREATE TABLE nowhere.x (id INT)":                fault.NotFound,
		"CREATE TABLE gold.x (id INT DEFAULT now())":     fault.Invalid,
		"CREATE TABLE gold.x AS SELECT 1 AS a, 2 AS A":   fault.Invalid,
		"CREATE TABLE gold.x AS SELECT [1] AS a":         fault.Invalid,
		"INSERT INTO gold.a (id) VALUES (1)":             fault.Invalid, // due is null
		"INSERT INTO gold.a (id, due) VALUES (1, 'x')":   fault.Invalid,
		"INSERT INTO gold.a (id, due) VALUES (1, 3e9)":   fault.Invalid,
		"INSERT INTO gold.a (id, nope) VALUES (1, 1)":    fault.NotFound,
		"INSERT INTO gold.a VALUES (1, 2)":               fault.Invalid,
		"INSERT INTO gold.nope VALUES (1)":               fault.NotFound,
		"INSERT INTO gold.a VALUES (1) ON CONFLICT DO x": fault.Syntax,
		"DROP SCHEMA own":                                fault.Invalid,
		"DROP SCHEMA gold CASCADE":                       fault.Denied,
	})
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

// TestRowsAreChanged: rows that go, change and come are one commit, of all of a table's files, and a failed statement changes none.
func TestRowsAreChanged(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t (id BIGINT NOT NULL, n INT, name VARCHAR)")
	for _, of := range []string{"range(10)", "range(10, 20)", "range(20, 30)"} {
		s.exec("INSERT INTO gold.t SELECT i, i, 'x' FROM " + of + " r(i)")
	}
	for _, step := range []struct{ statement, told, rows string }{
		{"DELETE FROM gold.t WHERE id % 3 = 0", "DELETE 10", "20|300|x"},
		{"DELETE FROM gold.t WHERE id % 3 = 0", "DELETE 0", "20|300|x"},
		{"UPDATE gold.t AS a SET n = a.n + 1, name = 'y' WHERE id IN (1, 11, 28)", "UPDATE 3", "20|303|x,y"},
		{"UPDATE gold.t SET n = s.n FROM (VALUES (1, 100), (2, 200)) s(id, n) WHERE t.id = s.id", "UPDATE 2", "20|599|x,y"},
		{"DELETE FROM gold.t USING (VALUES (1), (1)) s(id) WHERE t.id = s.id", "DELETE 1", "19|499|x,y"},
		{"MERGE INTO gold.t AS a USING (SELECT i AS id, 7 AS n FROM range(4) r(i)) s ON a.id = s.id WHEN MATCHED AND a.id = 2 THEN DELETE WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED AND s.id = 3 THEN INSERT (id, n, name) VALUES (s.id, s.n, 'z') WHEN NOT MATCHED THEN DO NOTHING", "MERGE 2", "19|306|x,y,z"},
		{"UPDATE lake.gold.t SET n = LAKE.gold.t.n + s.n FROM (VALUES (4, 1)) s(id, n) WHERE gold.t.id = s.id AND lake.\"gold\".t.n IS NOT NULL", "UPDATE 1", "19|307|x,y,z"},
		{"MERGE INTO gold.t USING (VALUES (4, -1, 'z')) AS s(id, n, name) ON gold.t.id = s.id WHEN MATCHED THEN UPDATE SET n = t.n + s.n WHEN NOT MATCHED THEN INSERT (id, n) VALUES (id, n)", "MERGE 1", "19|306|x,y,z"},
		{"MERGE INTO gold.t AS a USING (SELECT 100 AS id, 1 AS n, NULL AS name) s ON a.id = s.id WHEN NOT MATCHED THEN INSERT (id, \"n\", name) VALUES (\"id\", n, NULL)", "MERGE 1", "20|307|x,y,z"},
		{"DELETE FROM gold.t WHERE EXISTS (SELECT 1 FROM (VALUES (100)) s(id) WHERE s.id = gold.t.id)", "DELETE 1", "19|306|x,y,z"},
		{"UPDATE gold.t SET name = NULL", "UPDATE 19", "19|306|NULL"},
		{"DELETE FROM gold.t", "DELETE 19", "0|NULL|NULL"},
		{"INSERT INTO gold.t VALUES (1, 1, 'a'), (2, 2, 'b')", "INSERT 2", "2|3|a,b"},
		{"TRUNCATE TABLE gold.t", "TRUNCATE TABLE", "0|NULL|NULL"},
		{"MERGE INTO gold.t USING (VALUES (1, 1, 'm')) s(id, n, name) ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.n, s.name)", "MERGE 1", "1|1|m"},
		{"MERGE INTO gold.t USING (VALUES (5, 40)) s(id, n) ON t.id = s.id WHEN NOT MATCHED AND n > 30 AND id IS NOT NULL THEN INSERT (id, n, name) VALUES (id, n + 1, 'n' || n::VARCHAR)", "MERGE 1", "2|42|m,n40"},
	} {
		got, err := s.run(step.statement)
		if err != nil || strings.Join(got, "") != step.told {
			t.Fatalf("%s: %q, %v, want %s", step.statement, got, err, step.told)
		}
		if got, err := s.run("SELECT coalesce(count(*), 0) || '|' || coalesce(sum(n)::VARCHAR, 'NULL') || '|' || coalesce(string_agg(DISTINCT name, ',' ORDER BY name), 'NULL') FROM gold.t"); err != nil || strings.Join(got, "") != step.rows {
			t.Fatalf("after %s: %q, %v, want %s", step.statement, got, err, step.rows)
		}
	}
	s.refusedAs(map[string]fault.Code{
		"UPDATE gold.t SET id = NULL":                            fault.Invalid,
		"UPDATE gold.t SET n = 'x'":                              fault.Invalid,
		"UPDATE gold.t SET nope = 1":                             fault.NotFound,
		"UPDATE gold.t SET n = s.n FROM (VALUES (1), (2)) s(n)":  fault.Invalid, // a row twice
		"DELETE FROM gold.t WHERE nope = 1":                      fault.NotFound,
		"DELETE FROM gold.nope":                                  fault.NotFound,
		"DELETE FROM system.topics":                              fault.NotFound,
		"DELETE FROM gold.t WHERE id IN (SELECT id FROM nope.x)": fault.NotFound,
		"DELETE FROM gold.t RETURNING nope":                      fault.NotFound,
		"UPDATE gold.t SET name = COLUMNS('id|n')":               fault.Invalid,
		"MERGE INTO gold.t USING (VALUES (1, 2)) s(id, n) ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = n + 1":                    fault.Invalid,
		"MERGE INTO gold.t USING (VALUES (7, 2)) s(id, n) ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, name) VALUES (id, name)": fault.Invalid,
	})
	if _, err := s.run("DELETE FROM gold.t WHERE v = 1"); err == nil || !strings.Contains(err.Error(), `"v"`) {
		t.Errorf("a column that is not there: %v", err)
	}
	s.exec("ALTER TABLE gold.t RENAME TO u", "CREATE VIEW gold.v AS SELECT n FROM gold.u", "ALTER VIEW gold.v RENAME TO w", "COMMENT ON TABLE gold.u IS 'mine'")
	s.stop()
	s.start()
	if got, err := s.run("SELECT sum(n)::INT FROM gold.w"); err != nil || strings.Join(got, "") != "42" {
		t.Errorf("the view answers %q, %v", got, err)
	}
	if _, err := s.run("DROP TABLE gold.u"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a table that a view reads is dropped: %v", err)
	}
	s.exec("DROP TABLE gold.u CASCADE")
	if got, err := s.run("SHOW TABLES FROM gold"); err != nil || len(got) > 0 {
		t.Errorf("left is %q, %v", got, err)
	}
}

// TestColumnsNamedAsPlaces: what a column is called has no part in which rows are there, in tables of statements and in mirrors.
func TestColumnsNamedAsPlaces(t *testing.T) {
	s := newSite(t)
	for i, name := range []string{"filename", "FILE_ROW_NUMBER", "file_index", "FileName", "tarn_path", "tarn_pos", "tarn_changed", "f", "m", "c1"} {
		mirror := table.Ident{Namespace: "silver", Name: "docs" + strconv.Itoa(i)}
		for _, key := range []string{"id", name} {
			mirror.Name += "_"
			columns := []table.Column{{Name: "id", Type: record.Long, Key: key == "id"}, {Name: name, Type: record.String, Key: key == name}}
			tab, err := s.lake.Tables().Ensure(s.ctx, table.Spec{Ident: mirror, Columns: columns})
			s.must(err)
			row := func(id, value string) string { return `{"id":` + id + `,"` + name + `":"` + value + `"}` }
			_, err = tab.Commit(s.ctx, table.Change{Rows: s.batch(columns, row("1", "a"), row("2", "b"), row("3", "c"))})
			s.must(err)
			again, of := row("1", "z"), `{"id":1}`
			if key == name {
				again, of = row("9", "a"), `{"`+name+`":"a"}`
			}
			_, err = tab.Commit(s.ctx, table.Change{Rows: s.batch(columns, again), Keys: s.batch(slices.DeleteFunc(slices.Clone(columns), func(c table.Column) bool { return !c.Key }), of)})
			s.must(err)
			want := []string{"1|z", "2|b", "3|c"}
			if key == name {
				want = []string{"2|b", "3|c", "9|a"}
			}
			got, err := s.run("SELECT id, " + name + " FROM " + mirror.String() + " ORDER BY id")
			s.must(err)
			s.want(mirror.String()+" of "+name+" by "+key, got, want...)
		}
		of := "gold.t" + strconv.Itoa(i)
		s.exec("CREATE TABLE "+of+"(id BIGINT, "+name+" VARCHAR)", "INSERT INTO "+of+" VALUES (1, 'a'), (2, 'b'), (3, 'c')", "INSERT INTO "+of+" VALUES (4, 'd')")
		for _, step := range []struct{ statement, told, rows string }{
			{"UPDATE " + of + " SET id = 10 WHERE " + name + " = 'a'", "UPDATE 1", "2|b 3|c 4|d 10|a"},
			{"UPDATE " + of + " SET " + name + " = 'x' WHERE id = 10", "UPDATE 1", "2|b 3|c 4|d 10|x"},
			{"DELETE FROM " + of + " WHERE id = 2", "DELETE 1", "3|c 4|d 10|x"},
			{"MERGE INTO " + of + " t USING (VALUES (3, 'y'), (5, 'e')) s(id, v) ON t.id = s.id WHEN MATCHED THEN UPDATE SET " + name + " = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)", "MERGE 2", "3|y 4|d 5|e 10|x"},
			{"DELETE FROM " + of + " WHERE " + name + " <> 'd'", "DELETE 3", "4|d"},
		} {
			got, err := s.run(step.statement)
			s.must(err)
			s.want(step.statement, got, step.told)
			got, err = s.run("SELECT * FROM " + of + " ORDER BY id")
			s.must(err)
			s.want("rows after "+step.statement, got, strings.Fields(step.rows)...)
		}
	}
}

// TestARowIsItsColumns: a statement that changes rows and means whole ones sees the columns of the table and nothing besides, also where some
// rows of its files are gone.
func TestARowIsItsColumns(t *testing.T) {
	s := newSite(t)
	const from = " FROM (VALUES (1, 'gone'), (2, 'b'), (3, 'c')) s(n, v)"
	for _, step := range []struct{ statement, told, rows string }{
		{"UPDATE gold.t SET name = t::VARCHAR", "UPDATE 2", "2|{'id': 2, 'name': b} 3|{'id': 3, 'name': c}"},
		{"UPDATE gold.t AS x SET name = to_json(x)::VARCHAR WHERE x.id = 2", "UPDATE 1", `2|{"id":2,"name":"b"} 3|c`},
		{"UPDATE gold.t SET name = (SELECT t::VARCHAR)", "UPDATE 2", "2|{'id': 2, 'name': b} 3|{'id': 3, 'name': c}"},
		{"UPDATE gold.t SET name = s.v || t::VARCHAR" + from + " WHERE s.n = t.id", "UPDATE 2", "2|b{'id': 2, 'name': b} 3|c{'id': 3, 'name': c}"},
		{"UPDATE gold.t SET name = len(t::VARCHAR)::VARCHAR WHERE COLUMNS(*)::VARCHAR IN ('2', 'b')", "UPDATE 1", "2|20 3|c"},
		{"DELETE FROM gold.t WHERE COLUMNS(t.*)::VARCHAR IN ('2', 'b')", "DELETE 1", "3|c"},
		{"DELETE FROM gold.t WHERE t = {'id': 2, 'name': 'b'}", "DELETE 1", "3|c"},
		{"DELETE FROM gold.t WHERE t::VARCHAR LIKE '%parquet%'", "DELETE 0", "2|b 3|c"},
		{
			"MERGE INTO gold.t USING (SELECT 2 AS n UNION ALL SELECT 4) s ON t.id = s.n WHEN MATCHED THEN UPDATE SET name = t::VARCHAR WHEN NOT MATCHED THEN INSERT VALUES (s.n, t::VARCHAR)",
			"MERGE 2", "2|{'id': 2, 'name': b} 3|c 4|{'id': NULL, 'name': NULL}",
		},
		{"UPDATE gold.t SET name = filename", "", "2|b 3|c"},
		{"UPDATE gold.t SET name = t.file_index::VARCHAR", "", "2|b 3|c"},
	} {
		for _, gone := range []bool{false, true} { // a row that has gone from the file
			s.exec("CREATE OR REPLACE TABLE gold.t(id INT, name VARCHAR)")
			if s.exec("INSERT INTO gold.t VALUES (2, 'b'), (3, 'c')"); gone {
				s.exec("TRUNCATE gold.t", "INSERT INTO gold.t VALUES (1, 'gone'), (2, 'b'), (3, 'c')", "DELETE FROM gold.t WHERE id = 1")
			}
			got, err := s.run(step.statement)
			if (err == nil) != (step.told != "") || strings.Join(got, "") != step.told {
				t.Errorf("%s: %q, %v, want %q", step.statement, got, err, step.told)
			}
			got, err = s.run("SELECT id, name FROM gold.t ORDER BY id")
			if want := step.rows; err != nil || strings.Join(got, " ") != want {
				t.Errorf("after %s: %q, %v, want %s", step.statement, got, err, want)
			}
		}
	}
}

// TestFoldersMeanNothing: a data folder whose path looks as that of a partition gives tables no column, and changes none.
func TestFoldersMeanNothing(t *testing.T) {
	t.Parallel()
	s := &site{T: t, ctx: context.WithoutCancel(t.Context()), dir: filepath.Join(t.TempDir(), "id=7", "pos=9", "zone=x")}
	s.must(os.MkdirAll(s.dir, 0o700))
	s.start()
	t.Cleanup(func() { s.stop() })
	s.exec("CREATE TABLE gold.t(id INT, name VARCHAR)", "INSERT INTO gold.t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
	holds := func(want ...string) {
		t.Helper()
		for _, query := range []string{"SELECT * FROM gold.t ORDER BY id", "SELECT * FROM gold.t WHERE id < 10 ORDER BY id", "SELECT t.id, t.name FROM gold.t t ORDER BY 1"} {
			got, err := s.run(query)
			s.must(err)
			s.want(query, got, want...)
		}
	}
	holds("1|a", "2|b", "3|c", "4|d")
	s.exec("DELETE FROM gold.t WHERE id = 1", "UPDATE gold.t SET name = t::VARCHAR WHERE id = 2")
	holds("2|{'id': 2, 'name': b}", "3|c", "4|d")
	s.exec("DELETE FROM gold.t WHERE id = 3")
	holds("2|{'id': 2, 'name': b}", "4|d")
}

// TestMergeAsksOnce: a condition that has another answer each time is asked once of a row.
func TestMergeAsksOnce(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE gold.t(id BIGINT, n INT, name VARCHAR)", "INSERT INTO gold.t SELECT i, 0, 'x' FROM range(2000) r(i)")
	for _, condition := range []string{"random() < 0.5", "(SELECT random()) < 0.5", "random() < s.p"} {
		s.exec("MERGE INTO gold.t USING (SELECT i AS id, 0.5 AS p FROM range(4000) r(i)) s ON t.id = s.id WHEN MATCHED AND " + condition + " THEN UPDATE SET n = 1 WHEN MATCHED AND " +
			condition + " THEN DELETE WHEN NOT MATCHED AND " + condition + " THEN INSERT VALUES (s.id, 2, 'y')")
		got, err := s.run("SELECT count(*) - count(id), count(*) - count(n), count(*) - count(name), count(*) - count(DISTINCT id), count(*) FILTER (n = 2 AND name <> 'y' OR name IS NULL) FROM gold.t")
		s.must(err)
		s.want(condition, got, "0|0|0|0|0")
	}
}

// TestOwnedMeanwhile: a table that has come to be somebody else's takes no rows of a statement that was allowed before.
func TestOwnedMeanwhile(t *testing.T) {
	s := newSite(t)
	s.written = func(of table.Table) {
		_, err := of.Commit(s.ctx, table.Change{Properties: map[string]string{table.PropOwner: "landing"}})
		s.must(err)
	}
	for i, statement := range []string{"INSERT INTO %s VALUES (2)", "UPDATE %s SET id = 3", "DELETE FROM %s"} {
		id := table.Ident{Namespace: "gold", Name: "t" + strconv.Itoa(i)}
		columns := []table.Column{{Name: "id", Type: record.Long}}
		tab, err := s.lake.Tables().Ensure(s.ctx, table.Spec{Ident: id, Columns: columns})
		s.must(err)
		_, err = tab.Commit(s.ctx, table.Change{Rows: s.batch(columns, `{"id":1}`)})
		s.must(err)
		if got, err := s.run(strings.ReplaceAll(statement, "%s", id.String())); fault.CodeOf(err) != fault.Denied {
			t.Errorf("%s: %q, %v", statement, got, err)
		}
		got, err := s.run("SELECT id FROM " + id.String())
		s.must(err)
		s.want(statement, got, "1")
	}
}

// TestColumnsAreAltered: a table that has rows takes columns, wider types and comments, and keeps them over a restart.
func TestColumnsAreAltered(t *testing.T) {
	s := newSite(t)
	s.exec(
		"CREATE TABLE gold.t (id INT PRIMARY KEY, n DECIMAL(5, 2) NOT NULL COMMENT 'in euros')", "INSERT INTO gold.t VALUES (1, 1.5)",
		"ALTER TABLE gold.t ADD COLUMN name VARCHAR, ADD \"Two Words\" BIGINT COMMENT 'ours'",
		"ALTER TABLE gold.t ADD COLUMN IF NOT EXISTS NAME INT",
		"ALTER TABLE IF EXISTS gold.nope ADD COLUMN x INT",
		"INSERT INTO gold.t VALUES (2, 2.5, 'b', 22)",
		"ALTER TABLE t ALTER COLUMN id TYPE BIGINT, ALTER n SET DATA TYPE DECIMAL(12, 2), ALTER COLUMN N DROP NOT NULL",
		"INSERT INTO gold.t (id) VALUES (3000000000)",
		"UPDATE gold.t SET name = 'c' WHERE name IS NULL",
		"CREATE VIEW gold.v AS SELECT id, name FROM gold.t",
		"COMMENT ON TABLE gold.t IS $x$a $ table$x$", "COMMENT ON COLUMN lake.gold.t.ID IS 'its number'", "COMMENT ON COLUMN t.n IS NULL",
		"COMMENT ON VIEW gold.v IS 'a view'", "COMMENT ON COLUMN gold.v.name IS 'of it'",
	)
	s.refusedAs(map[string]fault.Code{
		"ALTER TABLE gold.t ADD COLUMN Id INT":                  fault.Exists,
		"ALTER TABLE gold.t ADD COLUMN a INT, ADD COLUMN A INT": fault.Exists,
		"ALTER TABLE gold.t ADD COLUMN a INT NOT NULL":          fault.Invalid,
		"ALTER TABLE gold.t ADD COLUMN a INT DEFAULT 1":         fault.Invalid,
		"ALTER TABLE gold.t ADD COLUMN a":                       fault.Syntax,
		"ALTER TABLE gold.t ADD PRIMARY KEY (n)":                fault.Syntax,
		"ALTER TABLE gold.t DROP COLUMN nope":                   fault.NotFound,
		"ALTER TABLE gold.t RENAME COLUMN nope TO m":            fault.NotFound,
		"ALTER TABLE gold.t ALTER COLUMN id TYPE INT":           fault.Invalid,
		"ALTER TABLE gold.t ALTER COLUMN nope TYPE INT":         fault.NotFound,
		"ALTER TABLE gold.t ALTER COLUMN n SET NOT NULL":        fault.Syntax,
		"ALTER TABLE gold.v ADD COLUMN a INT":                   fault.Invalid,
		"ALTER TABLE gold.nope ADD COLUMN a INT":                fault.NotFound,
		"COMMENT ON COLUMN gold.t.nope IS 'x'":                  fault.NotFound,
		"COMMENT ON COLUMN gold.v.nope IS 'x'":                  fault.NotFound,
		"COMMENT ON COLUMN t IS 'x'":                            fault.Syntax,
	})
	for range 2 {
		got, err := s.run(`SELECT id, n, name, "Two Words" FROM gold.t ORDER BY id`)
		s.must(err)
		s.want("rows", got, "1|1.5|c|(null)", "2|2.5|b|22", "3000000000|(null)|c|(null)")
		got, err = s.run("SELECT id, name FROM gold.v WHERE id = 2")
		s.must(err)
		s.want("the view", got, "2|b")
		docs := map[string]string{}
		scan, err := s.lake.Catalog().Scan(s.ctx, table.Ident{Namespace: "gold", Name: "t"}, catalog.At{})
		s.must(err)
		scan.Release()
		view, err := s.lake.Catalog().View(s.ctx, table.Ident{Namespace: "gold", Name: "v"})
		s.must(err)
		for _, c := range slices.Concat(scan.Columns, view.Columns) {
			if c.Doc != "" {
				docs[c.Name] = c.Doc
			}
		}
		if want := map[string]string{"id": "its number", "Two Words": "ours", "name": "of it"}; !maps.Equal(docs, want) || scan.Comment != "a $ table" || view.Comment != "a view" {
			t.Errorf("comments are %q, %q and %q", docs, scan.Comment, view.Comment)
		}
		s.stop()
		s.start()
	}
}
