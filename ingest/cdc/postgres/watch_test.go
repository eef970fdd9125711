package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// TestTheSlotIsWeighedWhileASnapshotIsRead: that is when the server keeps most.
func TestTheSlotIsWeighedWhileASnapshotIsRead(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, repeat('x', 4000), i FROM generate_series(1, 6000) i")
	stored := schemas.New(newRig(t, d).meta)
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	s, err := postgres.Kind.Open(t.Context(), source.Config{Name: "port", Keys: d.Keys()}, source.Env{SourceID: "s", Schema: stored.Put, Now: now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for chunks := 0; chunks < 2; {
		b, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Topics) > 0 {
			if b.Topics[len(b.Topics)-1].End != nil {
				t.Fatal("the snapshot has ended already")
			}
			chunks++
			d.Exec("UPDATE calls SET teu = 'z' WHERE id < 100")
			later.Add(int64(time.Minute))
		}
	}
	if lag := s.(source.Lagger).Lag(); lag.Bytes <= 0 || lag.Snapshot == "" {
		t.Fatalf("%+v", lag)
	}
}

// TestATopicThatLostItsEndIsTold of, also after the next look at the catalog.
func TestATopicThatLostItsEndIsTold(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')")
	r := newRig(t, d)
	r.start()
	r.equal("calls", "id", "berth", "teu")
	d.Exec("INSERT INTO calls VALUES (2, 'b', '2')")
	r.equal("calls", "id", "berth", "teu")
	r.stop()
	r.log.Cut(t, "p.public.calls", 1)
	r.start()
	r.equal("calls", "id", "berth", "teu")
	r.until("it is told", func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
			return f.Table == "public.calls" && strings.Contains(f.Message, "lost its end")
		})
	})
}

// TestAServerThatSaysNothing is not taken for one that is idle.
func TestAServerThatSaysNothing(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL)
	r := newRig(t, d, "status.update.interval.ms", "1000")
	r.start()
	r.until("the snapshot", func() bool { return r.marks("calls") == 1 })
	d.Exec("INSERT INTO calls VALUES (1, 'a', '1')")
	r.until("streaming", func() bool { return r.count("calls", "c") == 1 })
	pid, err := strconv.Atoi(d.Value("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'tarn_d'"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wake := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(wake)
	d.Exec(fmt.Sprintf("INSERT INTO calls VALUES (2, 'b', '%d')", pid))
	r.until("it is missed", func() bool { return r.runner.Status().State == "retrying" })
	wake()
	r.equal("calls", "id", "berth", "teu")
}
