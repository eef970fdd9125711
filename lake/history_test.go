//go:build duckdb_arrow

package lake_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestATableTellsItsPast: its schemas with what each changed and when, and who made each snapshot of how many rows.
func TestATableTellsItsPast(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab, err := h.Tables().Ensure(t.Context(), table.Spec{Ident: orders, Columns: orderColumns, Properties: map[string]string{table.PropOwner: "landing", table.PropTopic: "shop.main.orders"}})
	must(t, err)
	landed := func(c table.Change) table.Snapshot {
		t.Helper()
		c.Owner = "landing"
		return commit(t, tab, c)
	}
	landed(table.Change{Rows: rows(t, orderColumns, one, two)})
	landed(table.Change{Rows: rows(t, orderColumns, two), Keys: rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":1}`)})
	landed(table.Change{AddColumns: []table.Column{{Name: "size", Type: record.Int}}, Properties: map[string]string{table.PropEpoch + "x.table": "7"}, Rows: numbered(10, 1, 3)})
	last := landed(table.Change{Widen: map[string]record.Type{"size": record.Long}, Relax: []string{"id"}})
	if done, err := h.Upkeep().Execute(t.Context(), orders, catalog.Order{Action: catalog.Compact}); err != nil || done.FilesAdded == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	list, err := h.Catalog().Histories(t.Context(), orders)
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	past := list[0]
	if past.Ident != orders || past.ID != tab.ID() || past.Owner != "landing" || past.Topic != "shop.main.orders" || past.SchemaID != 2 {
		t.Errorf("%+v", past)
	}
	var told []string
	for _, s := range past.Snapshots {
		told = append(told, fmt.Sprintf("%s by %s %d: +%d -%d = %d, files +%d -%d = %d+%d, schema %d, thinned %d, %v", s.Operation, s.By, s.Epoch, s.AddedRows, s.DeletedRows, s.Rows, s.AddedFiles, s.RemovedFiles, s.Files, s.DeleteFiles, s.SchemaID, s.Thinned, s.Current))
	}
	want := []string{
		"append by landing 0: +2 -0 = 2, files +1 -0 = 1+0, schema 0, thinned 0, false",
		"overwrite by landing 0: +1 -2 = 1, files +2 -0 = 2+1, schema 0, thinned 0, false",
		"append by landing 7: +3 -0 = 4, files +1 -0 = 3+1, schema 1, thinned 0, false",
		"replace by upkeep 0: +0 -0 = 4, files +1 -4 = 1+0, schema 2, thinned 0, true",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if last.ID != past.Snapshots[2].ID {
		t.Errorf("a change of columns alone made a snapshot: %+v", last)
	}
	var changes []string
	for i, s := range past.Schemas {
		if s.At.IsZero() || i > 0 && s.At.Before(past.Schemas[i-1].At) {
			t.Errorf("schema %d came at %s", s.ID, s.At)
		}
		if i > 0 {
			for _, c := range catalog.Changes(past.Schemas[i-1].Columns, s.Columns) {
				changes = append(changes, fmt.Sprintf("%d %s %s %s %s", s.ID, c.Change, c.Column, c.Type, c.Before))
			}
		}
	}
	if want := []string{"1 added size int ", "2 relaxed id long ", "2 widened size long int"}; !slices.Equal(changes, want) {
		t.Errorf("changes are %q", changes)
	}
	all, err := h.Catalog().Histories(t.Context())
	if err != nil || len(all) != 1 || len(all[0].Snapshots) != len(past.Snapshots) {
		t.Errorf("of all: %+v, %v", all, err)
	}
	if _, err := h.Catalog().Histories(t.Context(), table.Ident{Namespace: "gold", Name: "none"}); !errors.Is(err, table.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}

// TestHistoryCountsWhatIsGone: snapshots that were thinned out leave a gap that is told, and rows are counted back to it.
func TestHistoryCountsWhatIsGone(t *testing.T) {
	t.Parallel()
	h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	const commits = 90
	for i := range commits {
		c := table.Change{Rows: numbered(int64(i), 1, 1)}
		if i > 0 && i%2 == 0 {
			c.Keys = rows(t, keyColumns(orderColumns), fmt.Sprintf(`{"id":%d}`, i-1))
		}
		commit(t, tab, c)
	}
	list, err := h.Catalog().Histories(t.Context(), orders)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	past := list[0].Snapshots
	kept, gone := int64(len(past)), int64(0)
	for i, s := range past {
		gone += s.Thinned
		if n := len(past) - i; n <= 40 {
			if at := commits - n; s.Rows != int64(at+1-at/2) {
				t.Errorf("snapshot %d of %d has %d rows", at, commits, s.Rows)
			}
		}
	}
	if kept+gone != commits || gone == 0 || !past[kept-1].Current {
		t.Errorf("%d are kept, %d are gone, of %d", kept, gone, commits)
	}
}

// TestFilesOfDeletesAreTold beside those of rows, with what they hold.
func TestFilesOfDeletesAreTold(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one, two)})
	commit(t, tab, table.Change{Keys: rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":1}`)})
	look := func() (data, deletes int, deleted, positions int64) {
		t.Helper()
		files, err := h.Catalog().Files(t.Context(), orders)
		must(t, err)
		for _, f := range files {
			if f.Bytes <= 0 || f.TableID != tab.ID() {
				t.Errorf("%+v", f)
			}
			if f.Deletes {
				deletes, positions = deletes+1, positions+f.Rows
			} else {
				data, deleted = data+1, deleted+f.Deleted
			}
		}
		return data, deletes, deleted, positions
	}
	for range 2 { // as the commits know it, and as the manifests do
		if data, deletes, deleted, positions := look(); data != 1 || deletes != 1 || deleted != 2 || positions != 2 {
			t.Errorf("%d files with %d deleted rows, %d of %d positions", data, deleted, deletes, positions)
		}
		must(t, h.Close())
		h = open(t, h.dir, disk.Local)
		tab = h.ensure(orders, orderColumns)
	}
}
