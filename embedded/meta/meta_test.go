package meta_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tarn/embedded/fault"
	"tarn/embedded/meta"
)

func open(t *testing.T, path string) *meta.Store {
	t.Helper()
	s, err := meta.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestEntriesStayAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	s := open(t, path)
	err := s.Put(t.Context(),
		meta.Entry{Bucket: meta.Topics, Key: "b", Value: []byte("2")},
		meta.Entry{Bucket: meta.Topics, Key: "a", Value: []byte("1")},
		meta.Entry{Bucket: meta.Schemas, Key: "a", Value: []byte("other")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), meta.Entry{Bucket: meta.Schemas, Key: "a"}); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	s = open(t, path)
	list, err := s.List(t.Context(), meta.Topics)
	if err != nil || len(list) != 2 || list[0].Key != "a" || string(list[1].Value) != "2" {
		t.Fatalf("got %v, %v", list, err)
	}
	if _, err := s.Get(t.Context(), meta.Schemas, "a"); !errors.Is(err, meta.ErrNotFound) {
		t.Fatalf("deleted key: %v", err)
	}
}

func TestNextNeverGivesANumberTwice(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "meta.db"))
	var mu sync.Mutex
	seen := map[int64]bool{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 25 {
				n, err := s.Next(t.Context(), "schema")
				mu.Lock()
				if err != nil || seen[n] {
					t.Errorf("%d: %v, seen %v", n, err, seen[n])
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

func TestADamagedFileIsNamedAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	junk := []byte("this is no database, but somebody's letter, long enough to be read as a page")
	if err := os.WriteFile(path, junk, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := meta.Open(t.Context(), path)
	if fault.CodeOf(err) != fault.Damaged || fault.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(junk) {
		t.Fatalf("the file was touched: %q %v", after, err)
	}
}
