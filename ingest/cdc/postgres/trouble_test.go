package postgres_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"tarn/embedded/fault"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// TestAKeyChangesBesideALargeValue: the log then has the old key alone, and nothing of the value.
func TestAKeyChangesBesideALargeValue(t *testing.T) {
	d := pgtest.Start(t).Database("d",
		"CREATE TABLE doc (id bigint PRIMARY KEY, body text NOT NULL, n bigint NOT NULL)", "ALTER TABLE doc ALTER body SET STORAGE EXTERNAL",
		"CREATE TABLE pair (id bigint, name text, PRIMARY KEY (id, name))", "ALTER TABLE pair ALTER name SET STORAGE EXTERNAL",
		"INSERT INTO doc VALUES (1, repeat('x', 5000), 7)", "INSERT INTO pair VALUES (1, repeat('x', 2500))")
	r := newRig(t, d)
	r.start()
	r.until("streaming", func() bool { return r.marks("doc") == 1 && r.marks("pair") == 1 })
	d.Exec("UPDATE doc SET id = 2", "UPDATE pair SET id = 2")
	r.until("the change", func() bool { return r.count("doc", "c") == 1 && r.count("pair", "c") == 1 })
	for key, row := range r.fold("doc") {
		if row != `{"id":2,"body":"__debezium_unavailable_value","n":7}` {
			t.Errorf("%s: %.200s", key, row)
		}
	}
	for key, row := range r.fold("pair") {
		if row != `{"id":2,"name":"`+strings.Repeat("x", 2500)+`"}` {
			t.Errorf("%s: %.200s", key, row)
		}
	}
}

// TestTheServerIsPutBack to a copy of its disk: neither the system nor the timeline tells.
func TestTheServerIsPutBack(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')")
	r := newRig(t, d)
	r.start()
	r.equal("calls", "id", "berth", "teu")
	r.stop()
	server.Stop()
	copyOf := server.Data() + ".copy"
	move := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	move("cp", "-a", server.Data(), copyOf)
	server.Run()
	r.start()
	server.On("d").Exec("INSERT INTO calls SELECT i, repeat('x', 1000), 'y' FROM generate_series(2, 3000) i")
	r.equal("calls", "id", "berth", "teu")
	r.stop()
	server.Stop()
	move("rm", "-r", server.Data())
	move("mv", copyOf, server.Data())
	server.Run()
	r.start()
	r.until("it asks", func() bool { return r.runner.Status().State == source.NeedsSnapshot })
}

// TestAQuarantinedTableComesBack with what it missed, also where no snapshots are made.
func TestAQuarantinedTableComesBack(t *testing.T) {
	server := pgtest.Start(t)
	for _, mode := range []string{"initial", "no_data"} {
		t.Run(mode, func(t *testing.T) {
			d := server.Database("d_"+mode, callsDDL, "CREATE TABLE other (id bigint PRIMARY KEY, v text)")
			r := newRig(t, d, "snapshot.mode", mode)
			var refuse atomic.Bool
			r.log.Refuse = func(topic string) (bool, error) {
				if refuse.Load() && topic == "p.public.calls" {
					return false, fault.New(fault.TooLarge, "a row is too large", "make it smaller")
				}
				return false, nil
			}
			r.start()
			r.until("streaming", func() bool { return r.runner.Status().State == source.Streaming })
			d.Exec("INSERT INTO calls VALUES (1, 'a', '1')", "INSERT INTO other VALUES (1, 'a')")
			r.equal("calls", "id", "berth", "teu")
			refuse.Store(true)
			d.Exec("INSERT INTO calls VALUES (2, 'too large', '2')", "INSERT INTO calls VALUES (3, 'missed', '3')", "INSERT INTO other VALUES (2, 'b')", "DELETE FROM calls WHERE id = 1")
			r.equal("other", "id", "v")
			r.stop()
			refuse.Store(false)
			r.start()
			r.equal("calls", "id", "berth", "teu")
		})
	}
}

// TestASnapshotIsAskedForAndInterrupted before its first chunk: the end of the older one, which the
// topic ends with, is not taken for its own.
func TestASnapshotIsAskedForAndInterrupted(t *testing.T) {
	server := pgtest.Start(t)
	for _, mode := range []string{"initial", "no_data"} {
		t.Run(mode, func(t *testing.T) {
			d := server.Database("d_"+mode, callsDDL, "INSERT INTO calls SELECT i, 'a', 'b' FROM generate_series(1, 10) i")
			r := newRig(t, d)
			r.start()
			r.equal("calls", "id", "berth", "teu")
			r.stop()
			r.keys["snapshot.mode"] = mode
			if err := source.Wish(t.Context(), r.meta, sourceID(t, r), "public.calls", "asked for"); err != nil {
				t.Fatal(err)
			}
			var n atomic.Int64
			r.log.Refuse = func(string) (bool, error) {
				if n.Add(1) == 1 {
					return false, context.Canceled
				}
				return false, nil
			}
			r.start()
			r.until("the new snapshot", func() bool { return r.marks("calls") == 2 })
			r.equal("calls", "id", "berth", "teu")
		})
	}
}

// TestATableThatTheServerCannotRead is left out alone, and not tried again for ever.
func TestATableThatTheServerCannotRead(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b')", "CREATE TABLE broken (id bigint PRIMARY KEY)",
		"INSERT INTO broken VALUES (1)", "CHECKPOINT")
	file := filepath.Join(server.Data(), d.Value("SELECT pg_relation_filepath('broken')"))
	server.Stop()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Repeat([]byte{0xff}, 8192)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	server.Run()
	r := newRig(t, d)
	r.start()
	r.equal("calls", "id", "berth", "teu")
}

// TestOnePartitionIsEmptied, of a publication that has each by itself: the others keep their rows.
func TestOnePartitionIsEmptied(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE part (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id)",
		"CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100)", "CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200)",
		"INSERT INTO part SELECT i, i FROM generate_series(1, 150) i", "CREATE PUBLICATION dbz_publication FOR ALL TABLES")
	r := newRig(t, d)
	r.start()
	r.equal("part", "id", "v")
	d.Exec("BEGIN; UPDATE part SET v = 'u' WHERE id > 140; TRUNCATE part1; INSERT INTO part VALUES (7, 'new'); COMMIT", "INSERT INTO part VALUES (8, 'new')")
	r.equal("part", "id", "v")
	if n := r.marks("part"); n != 2 {
		t.Fatalf("%d snapshots", n)
	}
	d.Exec("TRUNCATE part", "INSERT INTO part VALUES (120, 'last')")
	r.equal("part", "id", "v")
}

// TestInitialOnlyLeavesNoSlot behind, also where it was interrupted: it then begins again, for it
// does not read what changed meanwhile.
func TestInitialOnlyLeavesNoSlot(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, repeat('x', 3000), i FROM generate_series(1, 2000) i")
	r := newRig(t, d, "snapshot.mode", "initial_only")
	var n atomic.Int64
	r.log.Refuse = func(string) (bool, error) {
		if n.Add(1) == 4 {
			d.Exec("DELETE FROM calls WHERE id = 1", "UPDATE calls SET teu = 'changed' WHERE id = 2")
			return false, context.Canceled
		}
		return false, nil
	}
	r.start()
	r.equal("calls", "id", "berth", "teu")
	r.until("the end", func() bool { return r.marks("calls") == 1 })
	if left := d.Value("SELECT count(*) FROM pg_replication_slots WHERE NOT temporary"); left != "0" {
		t.Fatalf("%s slots", left)
	}
	r.stop()
	r.start()
	r.until("nothing to do", func() bool {
		st := r.runner.Status()
		return st.State == source.Streaming && len(st.Tables) == 1 && st.Tables[0].State == source.Streaming
	})
	if r.marks("calls") != 1 {
		t.Fatalf("%d snapshots", r.marks("calls"))
	}
	r.stop()
	d.Exec("INSERT INTO calls VALUES (-1, 'later', 'later')")
	r.keys["snapshot.mode"] = "when_needed" // there is no slot that would have the changes since
	r.start()
	r.equal("calls", "id", "berth", "teu")
}
