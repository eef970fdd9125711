//go:build duckdb_arrow

package lake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

const landing = table.PropOffsets + "landing"

// whole reads a table by Read, a line of JSON a row, in order of the text.
func whole(t testing.TB, tab table.Table, columns ...string) ([]string, table.Snapshot, map[string]string) {
	t.Helper()
	var out []string
	snap, props, err := tab.Read(t.Context(), columns, func(b arrow.RecordBatch) error {
		var text bytes.Buffer
		if err := array.RecordToJSON(b, &text); err != nil {
			return err
		}
		out = append(out, strings.Split(strings.TrimSpace(text.String()), "\n")...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out, snap, props
}

// TestReadIsOfOneSnapshot reads while another commits, expires and compacts: the rows, their number and the offsets
// are of one commit.
func TestReadIsOfOneSnapshot(t *testing.T) {
	t.Parallel()
	h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	change := func(n int64) table.Change { // afterwards the ids n to n+10 are there, and id 0
		c := table.Change{Keys: numberedKeys(n-1, 1, 1), Rows: numbered(n+10, 1, 1), Properties: map[string]string{landing: fmt.Sprint(n)}}
		return c
	}
	commit(t, tab, table.Change{Rows: numbered(0, 1, 11), Properties: map[string]string{landing: "0"}})
	ctx, stop := context.WithCancel(t.Context())
	var both sync.WaitGroup
	defer both.Wait()
	defer stop()
	both.Go(func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			_, err := tab.Commit(ctx, change(n))
			if err == nil && n%10 == 0 {
				_, err = h.Upkeep().Execute(ctx, orders, catalog.Order{Action: catalog.Compact})
			}
			if err == nil && n%7 == 0 {
				_, err = h.Upkeep().Execute(ctx, orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1})
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	seen := map[int64]bool{}
	for len(seen) < 40 && !t.Failed() {
		rows, snap, props := whole(t, tab, "id")
		n, err := strconv.ParseInt(props[landing], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for id := n; id <= n+10; id++ {
			want = append(want, fmt.Sprintf(`{"id":%d}`, id))
		}
		slices.Sort(want)
		if !slices.Equal(rows, want) || snap.Rows != int64(len(want)) {
			t.Fatalf("with offset %d and %d rows come %v", n, snap.Rows, rows)
		}
		seen[n] = true
	}
}

// TestReadHoldsItsSnapshot: what is read stays, whatever is dropped from the table meanwhile; and it goes when it is read.
func TestReadHoldsItsSnapshot(t *testing.T) {
	h, c := fresh(t)
	tab, _ := h.committed(3)
	want, first, _ := whole(t, tab, "id")
	files := 0
	snap, _, err := tab.Read(t.Context(), []string{"id"}, func(arrow.RecordBatch) error {
		if files++; files > 1 {
			return nil
		}
		commit(t, tab, table.Change{Keys: numberedKeys(0, 1, 100)})
		h.compact(orders)
		h.swept(c, 1)
		h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1})
		h.swept(c, graceLooks)
		return nil
	})
	if err != nil || snap.ID != first.ID || files != len(want) {
		t.Fatalf("read %d batches of snapshot %d, not %d of %d: %v", files, snap.ID, len(want), first.ID, err)
	}
	before := len(h.files())
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1})
	h.sweptHours(c, 80)
	if after := len(h.files()); after >= before {
		t.Fatalf("after it was read %d files stay of %d", after, before)
	}
}

// TestReadOfEveryType: rows come back in the shape of ArrowSchema, in the order that was asked for, through files of
// every age.
func TestReadOfEveryType(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	id := table.Ident{Namespace: "silver", Name: "types"}
	tab := h.ensure(id, everyType)
	nothing := func(arrow.RecordBatch) error { return errors.New("there is nothing to read") }
	if snap, props, err := tab.Read(t.Context(), []string{"k"}, nothing); err != nil || snap != (table.Snapshot{}) || props["format-version"] == "" && len(props) == 0 {
		t.Fatalf("of an empty table come %+v, %v, %v", snap, props, err)
	}
	commit(t, tab, table.Change{Rows: rows(t, everyType, everyRow(1, true), everyRow(2, false), everyRow(3, true))})
	wide := slices.Clone(everyType)
	wide[2].Type, wide[3].Type, wide[5].Type = record.Long, record.Double, "decimal(20,2)"
	added := table.Column{Name: "added", Type: record.String}
	commit(t, tab, table.Change{
		Rows: rows(t, append(slices.Clone(wide), added), strings.Replace(everyRow(5, true), `{`, `{"added":"new",`, 1)), Keys: rows(t, everyType[:1], `{"k":2}`, `{"k":5}`),
		AddColumns: []table.Column{added}, Widen: map[string]record.Type{"int": record.Long, "float": record.Double, "dec 9": "decimal(20,2)"},
	})
	cols := tab.Columns()
	slices.Reverse(cols)
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	var batches []arrow.RecordBatch
	snap, _, err := tab.Read(t.Context(), names, func(b arrow.RecordBatch) error {
		b.Retain()
		batches = append(batches, b)
		return nil
	})
	if err != nil || snap.Rows != 3 {
		t.Fatalf("%+v, %v", snap, err)
	}
	want := map[bool][]string{false: {everyRow(1, true), everyRow(3, true)}, true: {strings.Replace(everyRow(5, true), `{`, `{"added":"new",`, 1)}}
	got := map[bool]bool{}
	for _, b := range batches {
		last := b.NumRows() == 1
		if expected := rows(t, cols, want[last]...)[0]; !array.RecordEqual(b, expected) {
			t.Fatalf("there is\n%v\nnot\n%v", b, expected)
		}
		got[last] = true
	}
	if len(batches) != 2 || !maps.Equal(got, map[bool]bool{false: true, true: true}) {
		t.Fatalf("%d batches", len(batches))
	}
	for _, bad := range [][]string{nil, {"none"}} {
		if _, _, err := tab.Read(t.Context(), bad, nothing); fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("%q: %v", bad, err)
		}
	}
	if _, _, err := tab.Read(t.Context(), names, func(arrow.RecordBatch) error { return errInjected }); !errors.Is(err, errInjected) {
		t.Fatalf("the reader's own error comes back as %v", err)
	}
	for _, path := range h.dataFiles(id) {
		harms["a bit flipped"](t, path)
	}
	if _, _, err := tab.Read(t.Context(), names, func(arrow.RecordBatch) error { return nil }); fault.CodeOf(err) != fault.Damaged {
		t.Fatalf("of a damaged file: %v", err)
	}
}
