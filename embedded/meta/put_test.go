package meta_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"tarn/embedded/meta"
)

// TestPutsShareTransactions: of many at once each is written whole and in its caller's order, or, where its context had ended, not at all.
func TestPutsShareTransactions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	s := open(t, path)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	const writers, puts = 20, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := range puts {
				value := fmt.Append(nil, n)
				mine, shared := meta.Entry{Bucket: "mine", Key: fmt.Sprint(w), Value: value}, meta.Entry{Bucket: "shared", Key: fmt.Sprint(w, "/", n), Value: value}
				if err := s.Put(t.Context(), mine, shared); err != nil {
					t.Error(err)
				}
				mine.Value = []byte("never")
				if err := s.Put(over, mine); !errors.Is(err, context.Canceled) {
					t.Errorf("put though it is over: %v", err)
				}
				if got, err := s.Get(t.Context(), "mine", mine.Key); err != nil || string(got) != string(value) {
					t.Errorf("got %s, %v; want %s", got, err, value)
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), meta.Entry{Bucket: "mine", Key: "late", Value: []byte("v")}); err == nil {
		t.Fatal("put into a store that is closed")
	}
	s = open(t, path)
	if got, err := s.List(t.Context(), "shared"); err != nil || len(got) != writers*puts {
		t.Fatalf("%d entries, %v", len(got), err)
	}
}
