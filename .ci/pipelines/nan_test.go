//go:build duckdb_arrow

package pipelines_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/lake/table"
)

// drawn is one of some texts.
func drawn(r *rapid.T, all ...string) string { return rapid.SampledFrom(all).Draw(r, "text") }

func floatValue(r *rapid.T) string {
	return drawn(r, "'NaN'::DOUBLE", "'NaN'::FLOAT", "'inf'::DOUBLE", "'-inf'::FLOAT", "0.0", "-0.0::DOUBLE", "1.5::FLOAT", "1000", "-1000", "2")
}

func floatCondition(r *rapid.T) string {
	column := drawn(r, "t.x", "t.f")
	switch rapid.IntRange(0, 2).Draw(r, "condition") {
	case 0:
		return column + drawn(r, " IN (", " NOT IN (") + floatValue(r) + ", " + floatValue(r) + ")"
	case 1:
		return column + drawn(r, " BETWEEN ", " NOT BETWEEN ") + floatValue(r) + " AND " + floatValue(r)
	}
	return column + drawn(r, " = ", " < ", " <= ", " > ", " >= ", " <> ", " IS DISTINCT FROM ") + floatValue(r)
}

// floatQuery answers texts. Of zeros that are the same, either may come.
func floatQuery(r *rapid.T, name string) string {
	switch rapid.IntRange(0, 4).Draw(r, "query") {
	case 0:
		return "SELECT " + drawn(r, "min", "max") + "(t." + drawn(r, "x", "f") + ")::DOUBLE + 0 FROM " + name + " t"
	case 1:
		column := drawn(r, "t.x", "t.f")
		return "SELECT " + column + " + 0 FROM " + name + " t ORDER BY " + column + drawn(r, "", " DESC") + " NULLS LAST LIMIT 2"
	case 2:
		return "SELECT t.k FROM " + name + " t JOIN (VALUES (" + floatValue(r) + "), (" + floatValue(r) + ")) v(y) ON " + drawn(r, "t.x", "t.f") + drawn(r, " = ", " < ", " >= ") + "v.y"
	case 3:
		return "SELECT t.k * 1000 + u.k FROM " + name + " t JOIN " + name + " u ON t." + drawn(r, "x", "f") + " = u." + drawn(r, "x", "f") + " WHERE " + floatCondition(r)
	}
	return "SELECT t.k FROM " + name + " t WHERE " + floatCondition(r)
}

// floatChange is a statement that changes the table.
func floatChange(r *rapid.T, name string) string {
	row := func() string {
		of := func() string {
			return drawn(r, "'NaN'", "'NaN'", "'inf'", "'-inf'", "0", "-0.0", "1.5", "-2", "3", "NULL")
		}
		return fmt.Sprintf("(%d, %s::DOUBLE, %s::FLOAT)", rapid.IntRange(0, 30).Draw(r, "k"), of(), of())
	}
	switch rapid.IntRange(0, 5).Draw(r, "change") {
	case 0:
		return "DELETE FROM " + name + " t WHERE " + floatCondition(r) + " AND t.k % 2 = 0"
	case 1:
		return "UPDATE " + name + " t SET k = t.k + 100 WHERE " + floatCondition(r)
	case 2:
		column := drawn(r, "x", "f")
		return "MERGE INTO " + name + " t USING (VALUES " + row() + ") s(k, x, f) ON t." + column + " = s." + column +
			" WHEN MATCHED THEN UPDATE SET k = t.k + 1000 WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.x, s.f)"
	}
	var rows []string
	for range rapid.IntRange(1, 5).Draw(r, "rows") {
		rows = append(rows, row())
	}
	return "INSERT INTO " + name + " VALUES " + strings.Join(rows, ", ")
}

// nanTables bounds how many tables are made.
const nanTables = 12

// TestComparisonsWithNaN: it is greater than all numbers and equal to itself, though the bounds of a file leave it out: in tables of files and of those
// in memory, in changes by keys of floats, and behind upkeep, as in a table of DuckDB.
func TestComparisonsWithNaN(t *testing.T) {
	s := openShop(t, guard.Open{})
	in, err := duck.Open(t.Context(), duck.Options{MemoryBytes: 128 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	model, err := in.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = model.Close() }()
	made := 0
	rapid.Check(t, func(r *rapid.T) {
		if made++; made > nanTables {
			return
		}
		id := table.Ident{Namespace: "gold", Name: "nan" + strconv.Itoa(made)}
		both := func(statement string) {
			if err := s.do(statement); err != nil {
				r.Fatalf("%s: %v", statement, err)
			}
			if err := model.Exec(t.Context(), statement); err != nil {
				r.Fatalf("of DuckDB: %s: %v", statement, err)
			}
		}
		if err := model.Exec(t.Context(), "CREATE SCHEMA IF NOT EXISTS gold"); err != nil {
			t.Fatal(err)
		}
		both("CREATE TABLE " + id.String() + " (k BIGINT, x DOUBLE, f FLOAT)")
		for range rapid.IntRange(1, 6).Draw(r, "steps") {
			both(floatChange(r, id.String()))
			switch rapid.IntRange(0, 3).Draw(r, "then") {
			case 0:
				if err := s.do("ALTER TABLE " + id.String() + " EXECUTE compact"); err != nil {
					r.Fatal(err)
				}
			case 1:
				s.warm(id)
			}
			for range 12 {
				query := "SELECT coalesce(v::VARCHAR, 'null') FROM (" + floatQuery(r, id.String()) + ") q(v)"
				got := s.ask(query)
				want, err := model.Texts(t.Context(), query)
				if err != nil {
					r.Fatalf("of DuckDB: %s: %v", query, err)
				}
				for i := range want {
					want[i] = "[" + want[i] + "]"
				}
				if slices.Sort(want); !slices.Equal(got, want) {
					r.Fatalf("%s\n%q\nbut of DuckDB\n%q", query, got, want)
				}
			}
		}
	})
}
