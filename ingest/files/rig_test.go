package files_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/ingest/files"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

const patience = 2 * time.Minute

// rig runs the source over a directory, with a log and a meta that outlive it.
type rig struct {
	t      *testing.T
	dir    string
	config source.Config
	log    *sourcetest.Log
	meta   *meta.Store
	runner *source.Runner
	stop   func()

	mu     sync.Mutex
	ending func()
	dead   map[string]source.Dead // by place
}

func newRig(t *testing.T, keys ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), log: sourcetest.NewLog(), dead: map[string]source.Dead{}}
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	r.meta = m
	t.Cleanup(func() { _ = m.Close() })
	r.config = config(r.dir, keys...)
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

func (r *rig) start() {
	r.runner = source.NewRunner(source.Options{
		Kind: files.Kind, Config: r.config, Log: r.log, Meta: r.meta, Schemas: schemas.New(r.meta), Logger: slog.New(slog.DiscardHandler),
		Metrics: source.NewMetrics(nil), Clock: life.SystemClock{}, Version: "test", Dead: r.bury,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.runner.Run(ctx) }()
	r.stop = func() { cancel(); <-done }
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending = cancel
}

// cancel ends the source without waiting for it.
func (r *rig) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending()
}

// schema is that of the topic's first record.
func (r *rig) schema() *record.Schema {
	r.t.Helper()
	records, err := r.log.Batches("gate")[0].Records()
	if err != nil {
		r.t.Fatal(err)
	}
	text, _ := records[0].Header(record.HeaderSchema)
	id, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	schema, err := schemas.New(r.meta).Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return schema
}

func (r *rig) bury(_ context.Context, of source.Burial, letters []source.Dead) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of.Topic != "gate" || of.Incarnation == "" {
		return errors.New("no topic or incarnation")
	}
	for _, d := range letters {
		r.dead[d.Place] = d
	}
	return nil
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

// values are what the topic holds, in order: key=value.
func (r *rig) values() []string {
	out := []string{}
	for _, e := range r.log.Events(r.t, "gate") {
		out = append(out, string(e.Key)+"="+string(e.Value))
	}
	return out
}

// letters are the dead letters in order of their places: key=value, and why.
func (r *rig) letters() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var places, out []string
	for place := range r.dead {
		places = append(places, place)
	}
	slices.Sort(places)
	for _, place := range places {
		d := r.dead[place]
		out = append(out, string(d.Key)+"="+string(d.Value)+": "+d.Why)
	}
	return out
}

// until waits for the topic to hold just these.
func (r *rig) until(want ...string) {
	r.t.Helper()
	r.await(func() bool { return reflect.DeepEqual(r.values(), want) }, func() any { return r.values() })
}

func (r *rig) await(holds func() bool, what func() any) {
	r.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not in time: %q, %q, %+v", what(), r.letters(), r.runner.Status())
		}
	}
}

// finds waits for a finding that says something.
func (r *rig) finds(text string) {
	r.t.Helper()
	r.await(func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool { return strings.Contains(f.Message, text) })
	}, func() any { return text })
}

func kindCheck(t *testing.T, c source.Config) []source.Finding {
	t.Helper()
	return files.Kind.Check(t.Context(), c)
}
