package project_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/sql/project"
)

// house is a Tarn that knows the statements "ok …" and, once the table is there, "late".
type house struct {
	mu    sync.Mutex
	table bool
	ran   []string
}

func (h *house) exec(_ context.Context, statement string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case statement == "late" && !h.table:
		return fault.New(fault.NotFound, "no table silver.calls", "")
	case statement == "bad":
		return fault.New(fault.Syntax, "near bad", "write it well")
	}
	h.ran = append(h.ran, statement)
	return nil
}

func TestStatementsAreAppliedOnceAndWaitForTheirTables(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "sql"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sql", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1.sql", "ok a; late;\n-- a comment; of two parts\nok b")
	write("2.sql", "bad;\n")
	synctest.Test(t, func(t *testing.T) {
		h := &house{}
		p := project.New(project.Options{Dir: dir, Exec: h.exec, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx, func() {}) }()
		time.Sleep(1500 * time.Millisecond) // fake time: two looks
		states := map[string]life.State{}
		for _, s := range p.Report() {
			states[s.Name] = s.State
		}
		if states["project:1.sql"] != life.Starting || states["project:2.sql"] != life.Degraded {
			t.Errorf("states are %v", states)
		}
		h.mu.Lock()
		h.table = true
		h.mu.Unlock()
		write("2.sql", "ok mended;\n")
		time.Sleep(2 * time.Second)
		if got := p.Report(); len(got) != 0 {
			t.Errorf("still %v", got)
		}
		h.mu.Lock()
		got := slices.Sorted(slices.Values(h.ran))
		h.mu.Unlock()
		if want := []string{"late", "ok a", "ok b", "ok mended"}; !slices.Equal(got, want) {
			t.Errorf("ran %v, want %v", got, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
