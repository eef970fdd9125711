//go:build duckdb_arrow

package pipelines_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
)

// measured is the value of a metric without labels.
func (s *shop) measured(name string) float64 {
	s.t.Helper()
	return enginetest.Measured(s.t, s.told, name)
}

// hot asks until files of the table are read from memory.
func (s *shop) hot(query string) {
	s.t.Helper()
	before := s.measured("tarn_sql_hot_statements_total")
	for end := time.Now().Add(patience); s.measured("tarn_sql_hot_statements_total") == before; {
		if got := s.ask(query); len(got) == 1 && strings.HasPrefix(got[0], "error") {
			s.t.Fatalf("%s: %s", query, got)
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s never reads from memory", query)
		}
	}
}

// whole is an answer with its types, its rows in order; or the error's text alone.
func (s *shop) whole(statement string) []string {
	r, err := s.gate.Run(s.t.Context(), engine.Request{Text: statement, Principal: guard.Principal{User: "tester"}, Typed: true})
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	defer r.Close()
	out := []string{fmt.Sprint(r.Schema.Fields(), r.Types)}
	for r.Reader.Next() {
		b := r.Reader.RecordBatch()
		for row := range int(b.NumRows()) {
			var cells []string
			for _, column := range b.Columns() {
				cells = append(cells, strings.Clone(column.ValueStr(row))) // the batch goes
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	if err := r.Reader.Err(); err != nil {
		return []string{"error: " + err.Error()}
	}
	slices.Sort(out[1:])
	return out
}

// TestHotFiles: statements answer of files in memory what they answer of the files, whatever was committed to the table since.
func TestHotFiles(t *testing.T) {
	s := openShop(t, guard.Open{})
	if err := s.do("CREATE TABLE gold.one AS SELECT 1 AS one"); err != nil {
		t.Fatal(err)
	}
	made, began := 0, time.Now()
	rapid.Check(t, func(r *rapid.T) {
		if made++; made > 3 && time.Since(began) > pointsTime {
			return // on a slow machine three tables do
		}
		tab, err := s.lake.Tables().Ensure(t.Context(), table.Spec{Ident: table.Ident{Namespace: "silver", Name: "h" + strconv.Itoa(made)}, Columns: pointColumns})
		if err != nil {
			t.Fatal(err)
		}
		name := tab.Ident().Name
		for range rapid.IntRange(1, 4).Draw(r, "steps") {
			if _, err := tab.Commit(t.Context(), hotChange(r, tab.Columns())); err != nil {
				t.Fatal(err)
			}
			s.warm(tab.Ident())
			for range 8 {
				p := strings.NewReplacer("silver.p.", "silver."+name+".", "p.k", name+".k").Replace(predicate(r))
				head := rapid.SampledFrom([]string{"*", "k, s, i + 100 AS alias", "count(*) AS alias, sum(k), max(tz), min(s)", "i AS k, k AS i, 1 AS alias", "u, raw, wide, at, tz, 1 AS alias"}).Draw(r, "head")
				hot := "SELECT " + head + " FROM silver." + name + " WHERE " + p
				files := "SELECT " + head + " FROM (SELECT " + name + ".* FROM silver." + name + ", gold.one) " + name + " WHERE " + strings.ReplaceAll(p, "silver."+name+".", name+".")
				got, want := s.whole(hot), s.whole(files)
				unfit := func(rows []string) bool {
					return len(rows) == 1 && strings.HasPrefix(rows[0], "error: Could not convert")
				}
				if !slices.Equal(got, want) && !unfit(got) && !unfit(want) {
					r.Fatalf("%s\n%q\nbut of the files\n%q", hot, got, want)
				}
			}
		}
	})
}

// warm makes some files of a table hot, if it has any.
func (s *shop) warm(id table.Ident) {
	scan, err := s.lake.Catalog().Scan(s.t.Context(), id, catalog.At{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer scan.Release()
	if len(scan.Files) > 0 {
		s.hot("SELECT count(*) FROM " + id.String())
	}
}

// hotChange is rows of a table, some of which write rows anew that were there before, and what may become of its columns.
func hotChange(r *rapid.T, columns []table.Column) (out table.Change) {
	from := rapid.Int64Range(0, 40).Draw(r, "from")
	keys := rapid.SliceOfNDistinct(rapid.Int64Range(from, from+8), 1, 6, rapid.ID[int64]).Draw(r, "keys")
	switch rapid.IntRange(0, 3).Draw(r, "change") {
	case 0:
		out.Keys = []arrow.RecordBatch{pointRows(r, columns[:1], keys, nil)}
	case 1:
		if columns[1].Type == record.Int {
			out.Widen = map[string]record.Type{"i": record.Long, "f": record.Double, "n": "decimal(12,2)"}
			return out
		}
	case 2:
		if len(columns) > len(pointColumns) { // and may come again, without what it held
			out.Drop = []string{"new"}
			return out
		}
		out.AddColumns = []table.Column{{Name: "new", Type: record.Long}}
	}
	columns = append(slices.Clone(columns), out.AddColumns...)
	// Of NaN a file's answer is not that of its rows: DuckDB goes by the bounds of its row groups, in which no NaN is.
	out.Rows = []arrow.RecordBatch{pointRows(r, columns, keys, numbers)}
	return out
}

// TestHotFilesUnderChange: while rows of tables come and change, and their files are compacted and dropped, and there is memory for a few of their files alone, each
// reader sees all of some commits, none of which is older than one that it knew of.
func TestHotFilesUnderChange(t *testing.T) {
	const (
		tables  = 3
		commits = 12
		pairs   = 1500
	)
	s := openShopOf(t, guard.Open{}, 192<<20)
	var known [tables]atomic.Int64 // the last commit
	name := func(i int) string { return "gold.u" + strconv.Itoa(i) }
	for i := range tables {
		if err := s.do("CREATE TABLE " + name(i) + " (n BIGINT, v BIGINT, s VARCHAR)"); err != nil {
			t.Fatal(err)
		}
	}
	var writers, readers errgroup.Group
	var written atomic.Bool
	for i := range tables {
		writers.Go(func() error {
			for n := range int64(commits) {
				err := s.do(fmt.Sprintf("INSERT INTO %s SELECT %d, CASE WHEN i < %d THEN i + %d ELSE %[3]d - i - %[4]d - 1 END, 'row ' || i FROM range(2 * %[3]d) r(i)", name(i), n+1, pairs, n))
				if err == nil {
					known[i].Store(n + 1)
					switch n % 5 {
					case 2:
						err = s.do("UPDATE " + name(i) + " SET v = v WHERE v > 0")
					case 4:
						err = s.do("ALTER TABLE " + name(i) + " EXECUTE compact")
					}
					if fault.CodeOf(err) == fault.Conflict { // of upkeep
						err = nil
					}
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range 4 {
		readers.Go(func() error {
			for n := 0; !written.Load() || n < 40; n++ {
				at := (n + i) % tables
				since := known[at].Load()
				of := max(1, since-int64(n%3))
				got := s.ask(fmt.Sprintf("SELECT count(*), count(DISTINCT s), count(DISTINCT v) FROM %s WHERE n = %d", name(at), of))
				if want := fmt.Sprintf("[%d %[1]d %[1]d]", 2*pairs); since > 0 && !slices.Equal(got, []string{want}) {
					return fmt.Errorf("commit %d of %s: %q", of, name(at), got)
				}
				got = s.ask("SELECT count(*) - max(n) * " + strconv.Itoa(2*pairs) + ", max(n) FROM " + name(at))
				var off, last int64
				if _, err := fmt.Sscanf(got[0], "[%d %d]", &off, &last); since > 0 && (err != nil || off != 0 || last < since) {
					return fmt.Errorf("%s after commit %d: %q", name(at), since, got)
				}
			}
			return nil
		})
	}
	err := writers.Wait()
	written.Store(true)
	if err = errors.Join(err, readers.Wait()); err != nil {
		t.Fatal(err)
	}
	s.hot("SELECT v FROM " + name(0) + " WHERE n = 1 AND s = 'row 1'")
	if got := s.measured("tarn_sql_hot_bytes"); got == 0 || got > 8<<20 {
		t.Errorf("%.0f bytes are hot, of %d", got, 8<<20)
	}
	for i := range tables {
		if err := s.do("DROP TABLE " + name(i)); err != nil {
			t.Fatal(err)
		}
		if got := s.ask("SELECT v FROM " + name(i) + " WHERE n = 1 AND s = 'row 1'"); !strings.HasPrefix(got[0], "error: there is no table") {
			t.Errorf("a dropped table answers %q", got)
		}
	}
}
