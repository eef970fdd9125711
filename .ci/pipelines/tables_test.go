//go:build duckdb_arrow

package pipelines_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/ui/tables"
)

// batch is rows of columns, from JSON.
func (s *site) batch(cols []table.Column, lines ...string) []arrow.RecordBatch {
	s.Helper()
	b, _, err := array.RecordFromJSON(memory.DefaultAllocator, table.ArrowSchema(cols), strings.NewReader("["+strings.Join(lines, ",")+"]"))
	s.must(err)
	return []arrow.RecordBatch{b}
}

// compared runs what the page of a table makes of two snapshots, and returns counts and rows.
func (s *site) compared(id table.Ident, from, to table.Snapshot) (counts, rows []string, d tables.Diff) {
	s.Helper()
	past, err := s.lake.Catalog().Histories(s.ctx, id)
	s.must(err)
	known, _ := tables.State{}.Find(id.String())
	d = *known.Detail(past[0], nil, strconv.FormatInt(from.ID, 10), strconv.FormatInt(to.ID, 10)).Diff
	counts, err = s.run(d.Counts)
	if err != nil {
		s.Fatalf("%s: %v", d.Counts, err)
	}
	if rows, err = s.run(d.Rows); err != nil {
		s.Fatalf("%s: %v", d.Rows, err)
	}
	return counts, rows, d
}

func (s *site) want(what string, got []string, want ...string) {
	s.Helper()
	if !slices.Equal(got, want) {
		s.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSnapshotsAreComparedByTheGate: the statements of a table's page find each row that came, went or changed, by key or as a whole,
// over changes of columns too; and system.* tells of the same snapshots.
func TestSnapshotsAreComparedByTheGate(t *testing.T) {
	s := newSite(t)
	odd := `odd "%d" name`
	cols := []table.Column{
		{Name: "id", Type: record.Long, Required: true, Key: true},
		{Name: odd, Type: record.String, Key: true},
		{Name: "_there", Type: record.Int},
		{Name: "order", Type: record.Double},
		{Name: "_offset", Type: record.Long},
	}
	id := table.Ident{Namespace: "silver", Name: "calls"}
	tab, err := s.lake.Tables().Ensure(s.ctx, table.Spec{Ident: id, Columns: cols})
	s.must(err)
	commit := func(tab table.Table, c table.Change) table.Snapshot {
		t.Helper()
		snap, err := tab.Commit(s.ctx, c)
		s.must(err)
		return snap
	}
	row := func(id, key, there, x, offset string) string {
		return `{"id":` + id + `,"odd \"%d\" name":` + key + `,"_there":` + there + `,"order":` + x + `,"_offset":` + offset + `}`
	}
	keys := cols[:2]
	first := commit(tab, table.Change{Rows: s.batch(cols, row("1", `"a"`, "1", "1.5", "1"), row("1", "null", "2", "null", "2"), row("2", `"b"`, "3", "0", "3"), row("3", `"c"`, "4", "0", "4"))})
	last := commit(tab, table.Change{
		Rows:       s.batch(cols, row("1", `"a"`, "1", "2.5", "5"), row("1", "null", "2", "7", "6"), row("2", `"b"`, "3", "0", "7"), row("4", `"d"`, "5", "0", "8")),
		Keys:       s.batch(keys, `{"id":1,"odd \"%d\" name":"a"}`, `{"id":1,"odd \"%d\" name":null}`, `{"id":2,"odd \"%d\" name":"b"}`, `{"id":3,"odd \"%d\" name":"c"}`),
		AddColumns: []table.Column{{Name: "late", Type: record.String}}, Widen: map[string]record.Type{"_there": record.Long},
	})
	counts, rows, d := s.compared(id, first, last)
	s.want("counts", counts, "1|1|2")
	slices.Sort(rows)
	s.want("rows", rows, "added|4|d|(null)|5|(null)|0", "changed|1|(null)|2|2|(null)|7", "changed|1|a|1|1|1.5|2.5", "removed|3|c|4|(null)|0|(null)")
	s.want("columns", append(append(d.Keys, d.Columns...), d.Left...), "id", odd, "_there", "order", "_offset")
	if len(d.Schema) != 2 || d.Schema[0].Change != "widened" || d.Schema[1].Column != "late" {
		t.Errorf("schema: %+v", d.Schema)
	}
	if counts, rows, _ = s.compared(id, last, last); counts[0] != "0|0|0" || len(rows) != 0 {
		t.Errorf("the same: %q, %q", counts, rows)
	}

	id.Namespace, cols = "gold", []table.Column{{Name: "at", Type: record.Int}, {Name: "order", Type: record.Double}}
	plain, err := s.lake.Tables().Ensure(s.ctx, table.Spec{Ident: id, Columns: cols})
	s.must(err)
	first = commit(plain, table.Change{Rows: s.batch(cols, `{"at":1,"order":null}`, `{"at":1,"order":null}`)})
	last = commit(plain, table.Change{Rows: s.batch(cols, `{"at":1,"order":null}`, `{"at":2,"order":3}`)})
	counts, rows, _ = s.compared(id, first, last)
	s.want("counts of whole rows", counts, "2|0|0")
	slices.Sort(rows)
	s.want("whole rows", rows, "added|1|(null)", "added|2|3")

	id.Namespace, cols = "bronze", []table.Column{{Name: "_topic", Type: record.String}, {Name: "_partition", Type: record.Int}, {Name: "_offset", Type: record.Long}, {Name: "v", Type: record.String}}
	raw, err := s.lake.Tables().Ensure(s.ctx, table.Spec{Ident: id, Columns: cols})
	s.must(err)
	first = commit(raw, table.Change{Rows: s.batch(cols, `{"_topic":"t","_partition":0,"_offset":0,"v":"a"}`)})
	last = commit(raw, table.Change{Rows: s.batch(cols, `{"_topic":"t","_partition":0,"_offset":1,"v":"a"}`)})
	_, rows, _ = s.compared(id, first, last)
	s.want("events", rows, "added|t|0|1|(null)|a")

	got, err := s.run("SELECT operation, coalesce(made_by, '-'), schema_id, added_rows, deleted_rows, rows, thinned, is_current FROM system.snapshots WHERE layer = 'silver'")
	s.must(err)
	slices.Sort(got)
	s.want("system.snapshots", got, "append|-|0|4|0|4|0|false", "overwrite|-|1|4|4|4|0|true")
	got, err = s.run("SELECT schema_id, change, column_name, data_type, before, since IS NULL FROM system.schemas WHERE layer = 'silver' AND schema_id > 0 ORDER BY field_id")
	s.must(err)
	s.want("system.schemas", got, "1|widened|_there|long|int|false", "1|added|late|string|(null)|false")
	got, err = s.run("SELECT content, count(*), sum(f.rows), sum(deleted) FROM system.files f JOIN system.tables t ON t.id = f.table_id WHERE layer = 'silver' GROUP BY ALL ORDER BY ALL")
	s.must(err)
	s.want("system.files", got, "data|2|8|4", "deletes|1|4|(null)")
}
