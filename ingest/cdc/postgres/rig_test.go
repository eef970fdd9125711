package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/disk"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

// patience bounds every wait for a condition.
const patience = 2 * time.Minute

// rig is a source with its log and its meta, which outlive it.
type rig struct {
	t    *testing.T
	db   *pgtest.Database
	log  *sourcetest.Log
	meta *meta.Store
	keys map[string]string
	// transform changes the records; nil for none.
	transform source.Transform
	spool     source.Spool // in a folder of the test's where it has none
	runner    *source.Runner
	stop      func()
	cancel    func() // of what runs, without waiting

	mu   sync.Mutex // guards dead, and is held while bury runs
	dead []source.Dead
	bury func(of source.Burial, letters []source.Dead) // what else is done with letters; nil for nothing
}

func newRig(t *testing.T, d *pgtest.Database, keys ...string) *rig {
	t.Helper()
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: d, log: sourcetest.NewLog(), meta: m, keys: d.Keys(keys...), stop: func() {}}
	t.Cleanup(func() { r.stop(); _ = m.Close() })
	return r
}

// start runs the source until stop.
func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	spool := r.spool
	if spool.Dir == "" {
		spool = source.Spool{Dir: filepath.Join(r.t.TempDir(), "spool"), Disk: disk.Local}
	}
	r.runner = source.NewRunner(source.Options{
		Kind: postgres.Kind, Config: source.Config{Name: "port", Keys: maps.Clone(r.keys)}, Log: r.log, Meta: r.meta, Schemas: schemas.New(r.meta), Transform: r.transform,
		Logger: slog.New(slog.DiscardHandler), Metrics: source.NewMetrics(nil), Clock: life.SystemClock{}, Version: "test",
		Dead: func(_ context.Context, of source.Burial, letters []source.Dead) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.dead = append(r.dead, letters...)
			if r.bury != nil {
				r.bury(of, letters)
			}
			return nil
		},
		Spool: spool,
	})
	ended.Go(func() { r.runner.Run(ctx) })
	r.cancel, r.stop = cancel, func() { cancel(); ended.Wait() }
}

// until waits for a condition.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	if r.runner == nil {
		r.t.Fatalf("not in time: %s", what)
	}
	r.t.Fatalf("not in time: %s; %+v", what, r.runner.Status())
}

// equal waits until a topic holds what the table does: an id and texts.
func (r *rig) equal(table string, columns ...string) {
	r.t.Helper()
	var got, want map[string]string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		got, want = r.fold(table), truth(r.t, r.db, table, columns...)
		if reflect.DeepEqual(got, want) {
			return
		}
	}
	for key := range want {
		if got[key] != want[key] {
			r.t.Errorf("%s: got %.100s, want %.100s", key, got[key], want[key])
			break
		}
	}
	r.t.Fatalf("not in time: %d rows of %s, want %d; %+v", len(got), table, len(want), r.runner.Status())
}

func (r *rig) fold(table string) map[string]string {
	return sourcetest.Fold(r.t, r.log.Events(r.t, "p.public."+table))
}

// count is how many events of an op a topic holds.
func (r *rig) count(table, op string) (n int) {
	for _, e := range r.log.Events(r.t, "p.public."+table) {
		if e.Mark == nil && e.Value != nil && opOf(r.t, e.Value) == op {
			n++
		}
	}
	return n
}

func (r *rig) marks(table string) (n int) {
	for _, e := range r.log.Events(r.t, "p.public."+table) {
		if e.Mark != nil && e.Mark.Kind == record.SnapshotEnd {
			n++
		}
	}
	return n
}

// writers change calls until they are stopped, each its own rows; trouble of the server is theirs to
// live with.
func writers(d *pgtest.Database, n int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	for w := range n {
		ended.Go(func() {
			c := d.Another()
			for i := 0; ctx.Err() == nil; i++ {
				id := 1_000_000*(w+1) + i%200
				if c.Try(fmt.Sprintf(`BEGIN; INSERT INTO calls VALUES (%d, 'B%d', '%d') ON CONFLICT (id) DO UPDATE SET teu = calls.teu || '.', berth = excluded.berth;
SAVEPOINT s; INSERT INTO calls VALUES (-%d, 'gone', 'gone'); ROLLBACK TO s; DELETE FROM calls WHERE id = %d; COMMIT`, id, i, i, id, id-7)) != nil {
					time.Sleep(10 * time.Millisecond) // the server is down
				}
			}
		})
	}
	return func() { cancel(); ended.Wait() }
}

// conn runs statements in a session of its own.
type conn struct{ c *pgconn.PgConn }

func (c conn) Exec(ctx context.Context, text string) error {
	_, err := c.c.Exec(ctx, text).ReadAll()
	return err
}
