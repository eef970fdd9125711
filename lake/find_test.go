package lake_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/disk"
	"tarn/lake/table"
)

// TestRowsAreFoundByTheirKeys finds rows of several files, but those that are deleted or replaced, in the order of columns asked for.
func TestRowsAreFoundByTheirKeys(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(table.Ident{Namespace: "silver", Name: "list"}, listColumns)
	find := func(keys ...string) map[int64]string {
		t.Helper()
		got := map[int64]string{}
		if err := tab.Find(t.Context(), rows(t, keyColumns(listColumns), keys...), []string{"text", "n"}, func(b arrow.RecordBatch) error {
			texts, numbers := b.Column(0).(*array.String), b.Column(1).(*array.Int64)
			for i := range numbers.Len() {
				if _, twice := got[numbers.Value(i)]; twice {
					return fmt.Errorf("row %d came twice", numbers.Value(i))
				}
				got[numbers.Value(i)] = strings.Clone(texts.Value(i))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := find(`{"n":1}`); len(got) > 0 {
		t.Fatalf("an empty table has %v", got)
	}
	commit(t, tab, table.Change{Rows: rows(t, listColumns, `{"n":1,"text":"a"}`, `{"n":2,"text":"b"}`, `{"n":3,"text":"c"}`)})
	commit(t, tab, table.Change{Rows: rows(t, listColumns, `{"n":4,"text":"d"}`)})
	commit(t, tab, table.Change{Keys: rows(t, keyColumns(listColumns), `{"n":2}`, `{"n":3}`), Rows: rows(t, listColumns, `{"n":2,"text":"bb"}`)})
	if got, want := find(`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}`, `{"n":9}`), map[int64]string{1: "a", 2: "bb", 4: "d"}; !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if err := tab.Find(t.Context(), rows(t, keyColumns(listColumns), `{"n":1}`), []string{"none"}, nil); err == nil {
		t.Fatal("a column that is not there was read")
	}
}
