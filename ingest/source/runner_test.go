package source_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/embedded/record/schemas"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

// patience bounds every wait, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const patience = 2 * time.Minute

// script is a source that gives the batches it was told to give.
type script struct {
	mu      sync.Mutex
	batches []func(env source.Env) (source.Batch, error)
	acked   []string
	skipped []string
	opened  []string // the positions it was opened at
	env     source.Env
}

func (s *script) kind() source.Kind {
	return source.Kind{
		Class: "script", Name: "script",
		Open: func(_ context.Context, _ source.Config, env source.Env, at source.Position) (source.Source, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.env, s.skipped = env, env.Skip
			s.opened = append(s.opened, string(at))
			return s, nil
		},
	}
}

func (s *script) Next(ctx context.Context) (source.Batch, error) {
	s.mu.Lock()
	if len(s.batches) == 0 {
		s.mu.Unlock()
		<-ctx.Done()
		return source.Batch{}, ctx.Err()
	}
	f := s.batches[0]
	s.batches = s.batches[1:]
	env := s.env
	s.mu.Unlock()
	return f(env)
}

func (s *script) Ack(_ context.Context, at source.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked = append(s.acked, string(at))
	return nil
}

func (s *script) Close() error { return nil }

func (s *script) list(of *[]string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(*of)
}

// stage is a runner with its script.
type stage struct {
	t      *testing.T
	script *script
	log    *sourcetest.Log
	meta   *meta.Store
	runner *source.Runner
	keys   map[string]string // of the connector, beside topic.prefix
	ahead  bool              // as Kind.Ahead
	panics int               // how often it panics when it is opened
}

func newStage(t *testing.T, batches ...func(env source.Env) (source.Batch, error)) *stage {
	t.Helper()
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return &stage{t: t, script: &script{batches: batches}, log: sourcetest.NewLog(), meta: m}
}

func (s *stage) run(ackDelay time.Duration) {
	s.t.Helper()
	keys := map[string]string{"topic.prefix": "p"}
	maps.Copy(keys, s.keys)
	kind := s.script.kind()
	kind.Ahead = s.ahead
	kind.Open = func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		if s.panics--; s.panics >= 0 {
			panic("opened")
		}
		return s.script.kind().Open(ctx, c, env, at)
	}
	s.runner = source.NewRunner(source.Options{
		Kind: kind, Config: source.Config{Name: "s", Keys: keys}, Log: s.log, Meta: s.meta,
		Schemas: schemas.New(s.meta), Logger: slog.New(slog.DiscardHandler), Metrics: source.NewMetrics(nil),
		Clock: life.SystemClock{}, Version: "test", AckDelay: ackDelay,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.runner.Run(ctx) }()
	s.t.Cleanup(func() { cancel(); <-done })
}

func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("not in time: %s: %+v", what, s.runner.Status())
}

func (s *stage) acked(mark string) {
	s.t.Helper()
	s.until("ack of "+mark, func() bool { return slices.Contains(s.script.list(&s.script.acked), mark) })
}

func row(id int64, v string) record.Row {
	return record.Row{{Kind: record.IntKind, I: id}, {Kind: record.TextKind, B: []byte(v)}}
}

// batch is one batch of changes to a table with the columns id and v.
func batch(mark, table string, changes ...source.Change) func(env source.Env) (source.Batch, error) {
	return func(env source.Env) (source.Batch, error) {
		s := record.Schema{Source: env.SourceID, Database: "d", Schema: "main", Table: table, Columns: []record.Column{
			{Name: "id", Type: record.Long, Key: 1}, {Name: "v", Type: record.String, Nullable: true},
		}}
		id, err := env.Schema(context.Background(), s)
		if err != nil {
			return source.Batch{}, err
		}
		s.ID = id
		return source.Batch{Mark: source.Position(mark), Topics: []source.TopicBatch{{
			Topic: "p.main." + table, Schema: &s, Incarnation: "i", Generation: 3, Snapshot: "false", Changes: changes,
		}}}, nil
	}
}

func change(seq int64, op source.Op, before, after record.Row) source.Change {
	return source.Change{Op: op, Before: before, After: after, Place: record.Hex16(seq), Seq: seq}
}

func TestRecordsOfAChange(t *testing.T) {
	s := newStage(t, batch(`"1"`, "calls",
		change(1, source.Create, nil, row(1, "a")),
		change(2, source.Update, row(1, "a"), row(1, "b")),
		change(3, source.Update, row(1, "b"), row(2, "b")),
		change(4, source.Delete, row(2, "b"), nil),
		change(5, source.Update, nil, row(9, "no before"))))
	s.run(0)
	s.acked(`"1"`)
	var got []string
	for _, e := range s.log.Events(t, "p.main.calls") {
		op := "tombstone"
		if at := strings.Index(string(e.Value), `"op":"`); at >= 0 {
			op = string(e.Value[at+6])
		}
		_, place, _ := strings.Cut(e.Pos, "/i/")
		got = append(got, string(e.Key)+" "+op+" "+strings.TrimLeft(place, "0"))
		if e.Gen != 3 {
			t.Fatalf("generation %d", e.Gen)
		}
	}
	want := []string{
		`{"id":1} c 1`, `{"id":1} u 2`, `{"id":1} d 3`, `{"id":1} tombstone 3+`, `{"id":2} c 3-`,
		`{"id":2} d 4`, `{"id":2} tombstone 4+`, `{"id":9} u 5`,
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func TestSchemasStandBeforeKeysAndValuesThatWantThem(t *testing.T) {
	s := newStage(t, batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a")), change(2, source.Delete, row(1, "a"), nil)))
	s.keys = map[string]string{source.KeySchemas: "true", source.ValueSchemas: "true"}
	s.run(0)
	s.acked(`"1"`)
	const key = `{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"p.main.calls.Key"},"payload":{"id":1}}`
	events := s.log.Events(t, "p.main.calls")
	if len(events) != 3 {
		t.Fatalf("%d events", len(events))
	}
	for i, e := range events {
		if string(e.Key) != key {
			t.Errorf("key %s", e.Key)
		}
		if i == 2 && e.Value != nil || i < 2 && (!bytes.HasPrefix(e.Value, []byte(`{"schema":{"type":"struct","fields":[`)) || !bytes.Contains(e.Value, []byte(`"name":"p.main.calls.Envelope","version":2},"payload":{"before":`))) {
			t.Errorf("value %s", e.Value)
		}
	}
	if got := envelope.KeyPayload([]byte(key)); string(got) != `{"id":1}` {
		t.Errorf("the key's payload is %s", got)
	}
}

func TestALargeStreamGoesInSeveralAppendsAndIsResumedInside(t *testing.T) {
	var changes []source.Change
	big := string(bytes.Repeat([]byte("x"), 100_000))
	for i := range int64(50) {
		changes = append(changes, change(i+1, source.Create, nil, row(i, big)))
	}
	s := newStage(t, batch(`"1"`, "calls", changes...), batch(`"1"`, "calls", changes...))
	appends := 0
	s.log.Refuse = func(string) (bool, error) {
		if appends++; appends == 3 {
			return true, bus.ErrRetry
		}
		if appends == 4 {
			return false, errors.New("gone")
		}
		return false, nil
	}
	s.run(0)
	s.acked(`"1"`)
	if n := len(s.log.Events(t, "p.main.calls")); n != 50 {
		t.Fatalf("%d records, want 50", n)
	}
	if len(s.log.Batches("p.main.calls")) < 5 {
		t.Fatalf("%d batches", len(s.log.Batches("p.main.calls")))
	}
	if got := s.script.list(&s.script.opened); len(got) != 2 || got[1] != "" {
		t.Fatalf("opened at %q: the position went past what was appended", got)
	}
}

// TestTheRecordsOfAChangeAreInOneBatch, wherever the bounds of an append fall: a mirror's commit ends between batches alone.
func TestTheRecordsOfAChangeAreInOneBatch(t *testing.T) {
	var changes []source.Change
	for i := range int64(60) {
		changes = append(changes, change(i, source.Update, row(i, strings.Repeat("b", 20_000)), row(1000+i, strings.Repeat("a", 30_000+1000*int(i)))))
	}
	s := newStage(t, batch(`"1"`, "calls", changes...))
	s.run(0)
	s.acked(`"1"`)
	batches := s.log.Batches("p.main.calls")
	if len(batches) < 3 {
		t.Fatalf("%d batches", len(batches))
	}
	for i, b := range batches {
		records, err := b.Records()
		if err != nil {
			t.Fatal(err)
		}
		if pos, _ := records[0].Header(record.HeaderPos); strings.HasSuffix(string(pos), "+") || strings.HasSuffix(string(pos), "-") || len(b) > source.ChunkBytesMax {
			t.Errorf("batch %d of %d bytes begins with %s", i, len(b), pos)
		}
	}
}

func TestAFailingTableLeavesTheOthersAlone(t *testing.T) {
	huge := string(bytes.Repeat([]byte("x"), record.BatchBytesMax))
	s := newStage(t,
		batch(`"1"`, "big", change(1, source.Create, nil, row(1, huge))),
		batch(`"2"`, "calls", change(1, source.Create, nil, row(1, "a"))),
		batch(`"3"`, "foreign", change(1, source.Create, nil, row(1, "a"))),
		batch(`"3"`, "aside", change(1, source.Create, nil, row(1, "a"))),
		batch(`"4"`, "calls", change(2, source.Create, nil, row(2, "b"))))
	s.log.Refuse = func(topic string) (bool, error) {
		if topic == "p.main.foreign" {
			return false, fault.New(fault.Conflict, "filled by somebody else", "choose another prefix")
		}
		if topic == "p.main.aside" {
			return false, fault.New(fault.Damaged, "the partition is set aside", "check the disk")
		}
		return false, nil
	}
	s.run(0)
	s.acked(`"4"`)
	if got := s.script.list(&s.script.skipped); !slices.Equal(got, []string{"aside", "big", "foreign"}) {
		t.Fatalf("skipped %q", got)
	}
	if got := s.script.list(&s.script.acked); slices.Contains(got, `"1"`) || slices.Contains(got, `"3"`) {
		t.Fatalf("what was not appended was acknowledged: %q", got)
	}
	s.until("an error that stays", func() bool {
		st := s.runner.Status()
		return st.State == source.Streaming && strings.Contains(st.Error, "aside, big, foreign") && st.Hint != ""
	})
	for _, table := range []string{"aside", "big", "foreign"} {
		if !slices.ContainsFunc(s.runner.Status().Findings, func(f source.Finding) bool { return f.Table == table && f.Hint != "" }) {
			t.Fatalf("no finding on %s: %+v", table, s.runner.Status().Findings)
		}
	}
}

// TestATopicThatWasDeleted: what else it held is for the source to find out.
func TestATopicThatWasDeleted(t *testing.T) {
	s := newStage(t,
		batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))),
		batch(`"2"`, "calls", change(2, source.Create, nil, row(2, "b"))),
		batch(`"3"`, "calls", change(1, source.Create, nil, row(1, "a")), change(2, source.Create, nil, row(2, "b"))))
	appends := 0
	s.log.Refuse = func(string) (bool, error) {
		if appends++; appends == 2 {
			return false, bus.ErrNoTopic
		}
		return false, nil
	}
	s.run(0)
	s.acked(`"3"`)
	if got := s.script.list(&s.script.opened); !slices.Equal(got, []string{"", `"1"`}) {
		t.Fatalf("opened at %q", got)
	}
}

func TestAcknowledgmentsWaitTheirDelay(t *testing.T) {
	s := newStage(t,
		batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))),
		batch(`"2"`, "calls", change(2, source.Create, nil, row(2, "a"))))
	s.run(time.Hour)
	s.until("both appended", func() bool { return len(s.log.Events(t, "p.main.calls")) == 2 })
	s.until("the position saved", func() bool { return s.runner.Status().Position == `"2"` })
	if got := s.script.list(&s.script.acked); len(got) > 0 {
		t.Fatalf("acknowledged %q at once", got)
	}
}

func TestTransientTroubleKeepsTheSourceOpen(t *testing.T) {
	s := newStage(t,
		func(source.Env) (source.Batch, error) {
			return source.Batch{}, fault.New(fault.Unavailable, "database is locked", "wait")
		},
		batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a"))))
	s.run(0)
	s.acked(`"1"`)
	if got := s.script.list(&s.script.opened); len(got) != 1 {
		t.Fatalf("opened %d times", len(got))
	}
	if st := s.runner.Status(); st.Error != "" || st.State != source.Streaming || st.Rows != 1 {
		t.Fatalf("got %+v", st)
	}
}

func TestANewSnapshotIsAskedForOnce(t *testing.T) {
	var asked [][]string
	note := func(f func(source.Env) (source.Batch, error)) func(source.Env) (source.Batch, error) {
		return func(env source.Env) (source.Batch, error) {
			asked = append(asked, env.Resnapshot)
			return f(env)
		}
	}
	fail := func(source.Env) (source.Batch, error) {
		return source.Batch{}, &source.NeedsResnapshot{Tables: []string{"calls"}, Reason: "put back"}
	}
	s := newStage(t, note(fail), note(batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a")))),
		func(source.Env) (source.Batch, error) { return source.Batch{}, errors.New("gone") },
		note(batch(`"2"`, "calls", change(2, source.Create, nil, row(2, "a")))))
	s.run(0)
	s.acked(`"2"`)
	if len(asked) != 3 || len(asked[0]) != 0 || !slices.Equal(asked[1], []string{"calls"}) || len(asked[2]) != 0 {
		t.Fatalf("asked %v", asked)
	}
}

func TestAPanicOfASourceIsItsError(t *testing.T) {
	s := newStage(t,
		func(source.Env) (source.Batch, error) { panic("a defect") },
		nil)
	seen := make(chan source.Status, 1)
	s.script.batches[1] = func(source.Env) (source.Batch, error) {
		seen <- s.runner.Status()
		return batch(`"1"`, "calls", change(1, source.Create, nil, row(1, "a")))(s.script.env)
	}
	s.run(0)
	if st := <-seen; st.State != source.Retrying || !strings.Contains(st.Error, "a defect") || st.Hint == "" {
		t.Fatalf("got %+v", st)
	}
	s.acked(`"1"`)
}
