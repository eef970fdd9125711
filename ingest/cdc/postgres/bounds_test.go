package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// TestASnapshotReadsOnlySoManyTablesAhead, however few rows they have: what was read waits in memory.
func TestASnapshotReadsOnlySoManyTablesAhead(t *testing.T) {
	const tables = 40
	var ddl []string
	for i := range tables {
		ddl = append(ddl, fmt.Sprintf("CREATE TABLE t%d (id bigint PRIMARY KEY, v text)", i), fmt.Sprintf("INSERT INTO t%d VALUES (1, 'a')", i))
	}
	for _, name := range []string{"u1", "u2"} { // with which both connections are busy in the end
		ddl = append(ddl, "CREATE TABLE "+name+" (id bigint PRIMARY KEY, v text)", "INSERT INTO "+name+" SELECT i, repeat('x', 4000) FROM generate_series(1, 1500) i")
	}
	d := pgtest.Start(t).Database("d", ddl...)
	r := newRig(t, d, "snapshot.max.threads", "2")
	var held atomic.Bool
	var refused atomic.Int64
	held.Store(true)
	r.log.Refuse = func(string) (bool, error) {
		if held.Load() {
			refused.Add(1)
			return false, bus.ErrRetry
		}
		return false, nil
	}
	r.start()
	r.until("the first table waits", func() bool { return refused.Load() >= 4 })
	const most = 8 + 2*2 // chunks that were handed over together, and two for each connection behind them
	if n := len(d.Query("SELECT DISTINCT c.oid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relkind = 'r' AND c.relname ~ '^t[0-9]+$'")); n > most {
		t.Errorf("%d tables were read ahead, want %d at most", n, most)
	}
	held.Store(false)
	for i := range tables {
		r.equal(fmt.Sprintf("t%d", i), "id", "v")
	}
}

// TestABatchIsBoundedByItsMemory: cells without bytes take some, too.
func TestABatchIsBoundedByItsMemory(t *testing.T) {
	const columns, rows = 500, 3000
	ddl := "CREATE TABLE wide (id bigint PRIMARY KEY"
	for i := range columns {
		ddl += fmt.Sprintf(", c%d text", i)
	}
	d := pgtest.Start(t).Database("d", ddl+")")
	stored := schemas.New(newRig(t, d).meta)
	s, err := postgres.Kind.Open(t.Context(), source.Config{Name: "port", Keys: d.Keys()}, source.Env{SourceID: "s", Schema: stored.Put, Now: time.Now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	most := 0
	for snapshot, read := true, 0; read < rows; {
		b, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range b.Topics {
			if one.Chunk && one.End != nil && snapshot {
				snapshot = false
				d.Exec(fmt.Sprintf("INSERT INTO wide (id) SELECT i FROM generate_series(1, %d) i", rows))
			}
			if !one.Chunk {
				read, most = read+len(one.Changes), max(most, len(one.Changes))
			}
		}
	}
	if bytes := most * columns * int(unsafe.Sizeof(record.Value{})); bytes > 5<<20 {
		t.Fatalf("%d changes in a batch take %d bytes", most, bytes)
	}
}
