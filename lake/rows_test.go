//go:build duckdb_arrow

package lake_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/table"
)

var listColumns = []table.Column{
	{Name: "n", Type: record.Long, Required: true, Key: true},
	{Name: "text", Type: record.String},
	{Name: "raw", Type: record.Binary},
}

// TestRowsAreReadBackInOrder reads a table in portions of several sizes: whatever order its
// commits had, whatever was deleted, added and compacted since.
func TestRowsAreReadBackInOrder(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	id := table.Ident{Namespace: "bronze", Name: "list"}
	tab := h.ensure(id, listColumns)
	want := map[int64]string{}
	put := func(from, to int64) {
		var lines []string
		for n := from; n < to; n++ {
			want[n] = strings.Repeat("x", int(n%7)*10)
			lines = append(lines, fmt.Sprintf(`{"n":%d,"text":%q,"raw":"AAAA"}`, n, want[n]))
		}
		commit(t, tab, table.Change{Rows: rows(t, listColumns, lines...)})
	}
	put(40, 60)
	put(0, 30)
	commit(t, tab, table.Change{Keys: rows(t, keyColumns(listColumns), `{"n":7}`, `{"n":45}`)})
	delete(want, 7)
	delete(want, 45)
	put(150_000, 150_010) // beyond what one reading looks through
	check := func(t *testing.T) {
		t.Helper()
		for _, bytesMax := range []int{1, 200, 1 << 20} {
			var got []int64
			next, portions := int64(3), 0
			for next < 150_007 {
				from, bytes := next, 0
				var err error
				next, err = tab.Rows(t.Context(), []string{"text", "n"}, table.Span{Column: "n", From: next, To: 150_007}, bytesMax, func(b arrow.RecordBatch) error {
					texts, numbers := b.Column(0).(*array.String), b.Column(1).(*array.Int64)
					for i := range numbers.Len() {
						n := numbers.Value(i)
						if n < from || texts.Value(i) != want[n] {
							return fmt.Errorf("row %d from %d on has %q", n, from, texts.Value(i))
						}
						got, bytes = append(got, n), bytes+len(want[n])
					}
					return nil
				})
				if err != nil || next <= from || bytes > bytesMax && bytes > 60 {
					t.Fatalf("from %d on come %d bytes up to %d, %v", from, bytes, next, err)
				}
				portions++
			}
			var all []int64
			for n := range want {
				if n >= 3 && n < 150_007 {
					all = append(all, n)
				}
			}
			slices.Sort(all)
			if !slices.Equal(got, all) {
				t.Fatalf("in portions of %d bytes come %v, want %v", bytesMax, got, all)
			}
			if bytesMax > 1000 && portions > 2 || bytesMax == 1 && portions < len(all) {
				t.Fatalf("%d portions of %d bytes", portions, bytesMax)
			}
		}
	}
	check(t)
	commit(t, tab, table.Change{AddColumns: []table.Column{{Name: "more", Type: record.Long}}})
	h.compact(id)
	check(t)
	_, err := tab.Rows(t.Context(), []string{"more"}, table.Span{Column: "n", From: 0, To: 10}, 1<<20, func(b arrow.RecordBatch) error {
		if b.NumRows() != 9 || b.NumCols() != 1 || b.Column(0).NullN() != 9 {
			return fmt.Errorf("of a column that came later come %v", b)
		}
		return errInjected
	})
	if !errors.Is(err, errInjected) {
		t.Fatalf("the reader's own error comes back as %v", err)
	}
	nothing := func(arrow.RecordBatch) error { return errors.New("there is nothing to read") }
	if next, err := tab.Rows(t.Context(), []string{"n"}, table.Span{Column: "n", From: 1000, To: 2000}, 1, nothing); next != 2000 || err != nil {
		t.Fatalf("of an empty span comes %d, %v", next, err)
	}
	for _, s := range []table.Span{{Column: "text", To: 1}, {Column: "none", To: 1}} {
		if _, err := tab.Rows(t.Context(), []string{"n"}, s, 1, nothing); fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("%+v: %v", s, err)
		}
	}
	for _, path := range h.dataFiles(id) {
		harms["a bit flipped"](t, path)
	}
	if _, err := tab.Rows(t.Context(), []string{"text"}, table.Span{Column: "n", From: 0, To: 60}, 1<<20, func(arrow.RecordBatch) error { return nil }); fault.CodeOf(err) != fault.Damaged {
		t.Fatalf("of a damaged file: %v", err)
	}
}
