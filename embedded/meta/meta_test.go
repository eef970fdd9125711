package meta_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	for i, least := range []int64{1 << 40, 7} {
		if n, err := s.NextFrom(t.Context(), "schema", least); err != nil || n != 1<<40+int64(i) {
			t.Fatalf("from %d: %d, %v", least, n, err)
		}
	}
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

// TestDamageInsideTheFileIsNamed: whatever part of the file is zeroed, and whichever bit of a
// value is flipped, what is read is right or refused, and the file stays as it was.
func TestDamageInsideTheFileIsNamed(t *testing.T) {
	made := filepath.Join(t.TempDir(), "meta.db")
	s := open(t, made)
	value := func(n int) []byte { return []byte(fmt.Sprintf("%0500d-value", n)) }
	for n := range 100 {
		if err := s.Put(t.Context(), meta.Entry{Bucket: meta.Positions, Key: fmt.Sprint(n), Value: value(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	// A value may be in the file more than once, of which one is in use.
	other := func(f func(v []byte)) func(b []byte) []byte {
		v := bytes.Clone(value(50))
		f(v)
		return func(b []byte) []byte { return bytes.ReplaceAll(b, value(50), v) }
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"second half zeroed": func(b []byte) []byte { clear(b[len(b)/2:]); return b },
		"first half zeroed":  func(b []byte) []byte { clear(b[:len(b)/2]); return b },
		"cut":                func(b []byte) []byte { return b[:len(b)/2] },
		"a page zeroed":      func(b []byte) []byte { clear(b[8192:12288]); return b },
		"100 bytes zeroed":   other(func(v []byte) { clear(v[200:300]) }),
		"a bit flipped":      other(func(v []byte) { v[200] ^= 1 }),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "meta.db")
			spoilt := spoil(bytes.Clone(whole))
			if err := os.WriteFile(path, spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			refused := 0
			refuse := func(err error) {
				t.Helper()
				refused++
				if fault.CodeOf(err) != fault.Damaged || fault.HintOf(err) == "" || !strings.Contains(err.Error(), path) {
					t.Fatalf("got %v", err)
				}
			}
			s, err := meta.Open(t.Context(), path)
			if err != nil {
				refuse(err)
			} else {
				for n := range 100 {
					if got, err := s.Get(t.Context(), meta.Positions, fmt.Sprint(n)); err != nil {
						refuse(err)
					} else if !bytes.Equal(got, value(n)) {
						t.Fatalf("value %d is %q", n, got)
					}
				}
				if _, err := s.List(t.Context(), meta.Positions); err != nil {
					refuse(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if refused == 0 {
				t.Fatal("nothing was refused")
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, spoilt) {
				t.Fatalf("the file was touched, %v", err)
			}
		})
	}
}
