package schemas_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
)

func openMeta(t *testing.T, path string) *meta.Store {
	t.Helper()
	m, err := meta.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func calls(columns ...string) record.Schema {
	s := record.Schema{Source: "a", Database: "port.db", Schema: "main", Table: "calls"}
	for i, name := range columns {
		s.Columns = append(s.Columns, record.Column{Name: name, Type: record.Long, Nullable: i > 0, Key: max(1-i, 0)})
	}
	return s
}

func TestEqualSchemasShareAnIDAlsoAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	m := openMeta(t, path)
	first := schemas.New(m)
	id, err := first.Put(t.Context(), calls("id", "berth"))
	if err != nil || id < 1 {
		t.Fatalf("id %d, %v", id, err)
	}
	other, err := first.Put(t.Context(), calls("id"))
	if err != nil || other == id {
		t.Fatalf("another schema got id %d, %v", other, err)
	}
	again := schemas.New(m)
	if same, err := again.Put(t.Context(), calls("id", "berth")); err != nil || same != id {
		t.Fatalf("got id %d, %v; want %d", same, err, id)
	}
	got, err := schemas.New(m).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := calls("id", "berth")
	want.ID = id
	if !reflect.DeepEqual(*got, want) {
		t.Fatalf("got %+v, want %+v", *got, want)
	}
	if _, err := again.Get(t.Context(), 99); !errors.Is(err, schemas.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}

func TestManyMayPutAtOnce(t *testing.T) {
	s := schemas.New(openMeta(t, filepath.Join(t.TempDir(), "meta.db")))
	var wg sync.WaitGroup
	ids := make([]int64, 8)
	for i := range ids {
		wg.Go(func() { ids[i], _ = s.Put(t.Context(), calls("id")) })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == 0 {
			t.Fatalf("ids differ: %v", ids)
		}
	}
}
