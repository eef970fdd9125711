package sourcetest

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/ingest/source"
)

// patience bounds every wait for a condition.
const patience = 2 * time.Minute

// Subject is a source under test, with one keyed table that nobody has captured yet and
// that holds some rows.
type Subject struct {
	Kind   source.Kind
	Config source.Config
	Table  string
	Topic  string
	// Change commits some changes to the table, at least one.
	Change func()
	// Truth is what the table holds now: key object -> row object, as rendered. Of a source whose records are
	// no changes: each record's key -> its value.
	Truth func() map[string]string
	// Plain is a source whose records are no changes: it has no table, no snapshot and no generation.
	Plain bool
}

// fold is what the topic holds.
func (s *Subject) fold(t *testing.T, log *Log) map[string]string {
	t.Helper()
	if s.Plain {
		return Values(t, log.Events(t, s.Topic))
	}
	return Fold(t, log.Events(t, s.Topic))
}

var errGone = errors.New("the process is gone")

// Run is what every connector passes: it resumes after any batch, repeats harmlessly,
// keeps the order per key, marks its snapshots, raises its generation, obeys ctx and closes
// twice. open makes a new subject for each test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for name, refuse := range map[string]func(n int, stop func()) (bool, error){
		"undisturbed":               func(int, func()) (bool, error) { return false, nil },
		"stopped after each append": func(_ int, stop func()) (bool, error) { stop(); return false, nil },
		"gone before an append":     func(n int, _ func()) (bool, error) { return false, oneIn(2, n, errGone) },
		"gone after an append":      func(n int, _ func()) (bool, error) { return true, oneIn(2, n, errGone) },
		"refused":                   func(n int, _ func()) (bool, error) { return false, oneIn(2, n, bus.ErrRetry) },
		"refused but landed":        func(n int, _ func()) (bool, error) { return true, oneIn(2, n, bus.ErrRetry) },
	} {
		t.Run(name, func(t *testing.T) { resumes(t, open(t), refuse) })
	}
	t.Run("obeys its context", func(t *testing.T) { obeys(t, open(t)) })
	t.Run("closes twice", func(t *testing.T) { closes(t, open(t)) })
	t.Run("raises its generation", func(t *testing.T) {
		s := open(t)
		if s.Plain {
			t.Skip("it has none")
		}
		regenerates(t, s)
	})
}

func oneIn(m, n int, err error) error {
	if n%m == 0 {
		return err
	}
	return nil
}

// resumes runs the source under trouble at its appends, and changes the table meanwhile.
func resumes(t *testing.T, s Subject, refuse func(n int, stop func()) (bool, error)) {
	h := newHouse(t)
	var mu sync.Mutex
	n, stop := 0, func() {}
	h.log.Refuse = func(string) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		return refuse(n, stop)
	}
	for range 5 {
		h.untilEqual(s, func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			stop = f
		})
		s.Change()
	}
	h.untilEqual(s, func(func()) {})
	if !s.Plain {
		marks(t, h.log.Events(t, s.Topic))
	}
}

// marks checks that one snapshot was taken: its begin, its rows, its end.
func marks(t *testing.T, events []Event) {
	t.Helper()
	var kinds []record.MarkKind
	for i := range events {
		if events[i].Mark != nil {
			kinds = append(kinds, events[i].Mark.Kind)
		}
	}
	if !reflect.DeepEqual(kinds, []record.MarkKind{record.SnapshotBegin, record.SnapshotEnd}) {
		t.Fatalf("the marks are %v", kinds)
	}
}

// house is what outlives a source: a log and a meta.
type house struct {
	t    *testing.T
	log  *Log
	meta *meta.Store
}

func newHouse(t *testing.T) *house {
	t.Helper()
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return &house{t: t, log: NewLog(), meta: m}
}

// untilEqual runs the source, again whenever it was stopped, until the fold equals the table.
func (h *house) untilEqual(s Subject, stopper func(stop func())) {
	h.t.Helper()
	var got, want map[string]string
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ctx, cancel := context.WithCancel(h.t.Context())
		stopper(cancel)
		r := source.NewRunner(source.Options{
			Kind: s.Kind, Config: s.Config, Log: h.log, Meta: h.meta, Schemas: schemas.New(h.meta),
			Logger: slog.New(slog.DiscardHandler), Metrics: source.NewMetrics(nil),
			Clock: life.SystemClock{}, Version: "test",
		})
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		equal := false
		for ctx.Err() == nil && !equal && time.Now().Before(end) {
			got, want = s.fold(h.t, h.log), s.Truth()
			equal = reflect.DeepEqual(got, want)
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		if equal {
			return
		}
	}
	h.t.Fatalf("not in time:\n got %v\nwant %v", got, want)
}

// env lends a source what a runner would.
func (h *house) env() source.Env {
	return source.Env{
		SourceID: "test", Schema: schemas.New(h.meta).Put, Now: life.SystemClock{}.Now,
		Place: func(string) record.Pos { return record.Pos{} },
	}
}

func (h *house) open(s Subject, env source.Env, at source.Position) source.Source {
	h.t.Helper()
	src, err := s.Kind.Open(h.t.Context(), s.Config, env, at)
	if err != nil {
		h.t.Fatal(err)
	}
	return src
}

// settle reads until the table's snapshot has ended, and returns its generation and the position.
func (h *house) settle(s Subject, src source.Source) (gen int64, at source.Position) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	for {
		b, err := src.Next(ctx)
		if err != nil {
			h.t.Fatal(err)
		}
		at = b.Mark
		for i := range b.Topics {
			if b.Topics[i].Topic == s.Topic && (b.Topics[i].End != nil || s.Plain) {
				return b.Topics[i].Generation, at
			}
		}
	}
}

func obeys(t *testing.T, s Subject) {
	h := newHouse(t)
	src := h.open(s, h.env(), nil)
	defer func() { _ = src.Close() }()
	h.settle(s, src)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		for {
			if _, err := src.Next(ctx); err != nil {
				failed <- err
				return
			}
		}
	}()
	cancel()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Next goes on after its context has ended")
	}
	s.Change()
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		b, err := src.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Topics) > 0 {
			return
		}
	}
}

func closes(t *testing.T, s Subject) {
	h := newHouse(t)
	src := h.open(s, h.env(), nil)
	for range 2 {
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := src.Next(t.Context()); !errors.Is(err, source.ErrStopped) {
		t.Fatalf("got %v", err)
	}
}

func regenerates(t *testing.T, s Subject) {
	h := newHouse(t)
	src := h.open(s, h.env(), nil)
	first, at := h.settle(s, src)
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	env := h.env()
	env.Resnapshot = []string{s.Table}
	src = h.open(s, env, at)
	defer func() { _ = src.Close() }()
	if second, _ := h.settle(s, src); second <= first {
		t.Fatalf("generation %d comes after %d", second, first)
	}
}
