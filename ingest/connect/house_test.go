package connect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/ingest"
	"tarn/ingest/connect"
	"tarn/ingest/source"
)

// patience bounds every wait, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const patience = 2 * time.Minute

// house is a bus, the room of connectors and the door.
type house struct {
	t       *testing.T
	dir     string
	address string
	room    *ingest.Ingest
	bus     *bus.Bus
	log     *lines
}

// lines are what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), log: &lines{}}
	if err := os.MkdirAll(h.path("project/connectors"), 0o755); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(h.log, nil))
	m, err := meta.Open(t.Context(), h.path("meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Options{
		Dir: h.path("bus"), Fsync: bus.FsyncAlways, SyncInterval: time.Second, CacheBytes: 1 << 20, Meta: m, Disk: disk.Local, Clock: life.SystemClock{}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.bus = b
	h.room = ingest.New(ingest.Options{
		Bus: b, Meta: m, Schemas: schemas.New(m), Log: log, Clock: life.SystemClock{}, Dir: h.path("project/connectors"), Version: "test",
		Kinds: append(slices.DeleteFunc(ingest.Kinds(), func(k source.Kind) bool { return k.Class == postgres.Class }), postgres),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.address = l.Addr().String()
	door := connect.New(connect.Options{
		Listener: l, Room: h.room, Cluster: func(context.Context) (string, error) { return "cluster", nil },
		Log: log, Version: "0.1.0",
	})
	ctx, cancel := context.WithCancel(context.Background())
	var ends []func() error
	for _, part := range []life.Part{h.room, door} {
		ready, done := make(chan struct{}), make(chan error, 1)
		go func() { done <- part.Run(ctx, func() { close(ready) }) }()
		<-ready
		ends = append(ends, func() error { return <-done })
	}
	t.Cleanup(func() {
		cancel()
		for _, end := range ends {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
		_ = b.Close(context.Background())
		_ = m.Close()
	})
	return h
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// call makes a call and returns its status and what its JSON says.
func (h *house) call(method, path string, body []byte) (int, any) {
	h.t.Helper()
	r, err := http.NewRequest(method, "http://"+h.address+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(body) > 0 && string(body) != "null" {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(text) == 0 {
		return resp.StatusCode, nil
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		h.t.Fatalf("%s %s: %q", method, path, text)
	}
	return resp.StatusCode, out
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	h.t.Fatalf("not in time: %s: %+v", what, h.room.Statuses())
}

// runs tells whether a connector streams.
func (h *house) runs(name string) bool {
	return slices.ContainsFunc(h.room.Statuses(), func(s source.Status) bool { return s.Name == name && s.State == source.Streaming })
}

// postgres stands in for Debezium's connector: it has the keys that a validation needs, and a snapshot of two tables of a row each.
var postgres = source.Kind{
	Class: "io.debezium.connector.postgresql.PostgresConnector", Name: "postgresql", Title: "PostgreSQL",
	Fields: []source.Field{
		{Key: "database.hostname", Required: true},
		{Key: "database.user", Required: true},
		{Key: "database.dbname", Required: true},
		{Key: "topic.prefix", Required: true},
		{Key: "database.port"},
		{Key: "database.password"},
		{Key: "plugin.name"},
		{Key: "slot.name"},
		{Key: "publication.name"},
		{Key: "table.include.list"},
		{Key: "snapshot.mode"},
		{Key: "tombstones.on.delete"},
	},
	Check: func(context.Context, source.Config) []source.Finding { return nil },
	Open: func(ctx context.Context, c source.Config, env source.Env, at source.Position) (source.Source, error) {
		if at != nil {
			return &still{first: &source.Batch{Mark: at}}, nil
		}
		b := source.Batch{Mark: source.Position(`{"lsn":1}`)}
		for _, table := range []string{"pkc", "nopk"} {
			s := record.Schema{Source: env.SourceID, Database: "types", Schema: "public", Table: table, Columns: []record.Column{{Name: "id", Type: record.Long, Key: 1}}}
			id, err := env.Schema(ctx, s)
			if err != nil {
				return nil, err
			}
			s.ID = id
			topic := c.Keys["topic.prefix"] + ".public." + table
			last, err := env.Generation(ctx, topic)
			if err != nil {
				return nil, err
			}
			b.Topics = append(b.Topics, source.TopicBatch{
				Topic: topic, Schema: &s, Incarnation: env.Now().Format("150405.000000000"), Generation: last + 1, Snapshot: "true",
				Changes: []source.Change{{Op: source.Read, After: record.Row{record.Value{Kind: record.IntKind, I: 1}}, Place: "1"}},
			})
		}
		return &still{first: &b}, nil
	},
}

// still is a source that has one batch at most.
type still struct{ first *source.Batch }

func (s *still) Next(ctx context.Context) (source.Batch, error) {
	if b := s.first; b != nil {
		s.first = nil
		return *b, nil
	}
	<-ctx.Done()
	return source.Batch{}, ctx.Err()
}

func (*still) Ack(context.Context, source.Position) error { return nil }
func (*still) Close() error                               { return nil }
