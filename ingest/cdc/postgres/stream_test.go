package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tarn/embedded/bus"
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

func opOf(t *testing.T, value []byte) string {
	t.Helper()
	var e struct{ Op string }
	if err := json.Unmarshal(value, &e); err != nil {
		t.Fatal(err)
	}
	return e.Op
}

// TestLargeTransactions come while they run: what is rolled back, whole or from a savepoint,
// leaves nothing, and a small transaction that commits meanwhile is before them.
func TestLargeTransactions(t *testing.T) {
	d := pgtest.Start(t, "logical_decoding_work_mem = '64kB'").Database("d", callsDDL, "CREATE TABLE other (id bigint PRIMARY KEY, v text)")
	r := newRig(t, d)
	r.start()
	r.until("streaming", func() bool { return r.marks("calls") == 1 && r.marks("other") == 1 })
	const insert = "INSERT INTO calls SELECT i, repeat('x', 100), 'of %s' FROM generate_series(%d, %d) i"
	a, b := d.Connect(), d.Connect()
	run := func(c conn, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if err := c.Exec(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	ca, cb := conn{a}, conn{b}
	run(ca, "BEGIN", fmt.Sprintf(insert, "a", 1, 3000), "SAVEPOINT s1", fmt.Sprintf(insert, "a s1", 3001, 6000))
	run(cb, "BEGIN", fmt.Sprintf(insert, "b", 20001, 23000))
	d.Exec("INSERT INTO other VALUES (1, 'meanwhile')")
	r.until("the small one", func() bool { return len(r.fold("other")) == 1 })
	run(ca, "ROLLBACK TO s1", "SAVEPOINT s2", "ALTER TABLE other ADD COLUMN w text", "INSERT INTO other VALUES (2, 'a', 'b')", fmt.Sprintf(insert, "a s2", 6001, 9000), "RELEASE s2",
		"SAVEPOINT s3", "UPDATE calls SET berth = 'u' WHERE id <= 2000", "SAVEPOINT s4", "DELETE FROM calls WHERE id < 1000", "ROLLBACK TO s4")
	run(cb, "ROLLBACK", "BEGIN", fmt.Sprintf(insert, "b again", 20001, 21000))
	run(ca, "COMMIT")
	run(cb, "COMMIT", "UPDATE other SET w = 'of old rows' WHERE id = 1")
	r.equal("calls", "id", "berth", "teu")
	r.equal("other", "id", "v", "w")
	if c, u, del := r.count("calls", "c"), r.count("calls", "u"), r.count("calls", "d"); c != 7000 || u != 2000 || del != 0 {
		t.Fatalf("%d created, %d updated, %d deleted", c, u, del)
	}
	// The same again, from a slot that has forgotten nothing of it, doubles nothing.
	r.stop()
	r.start()
	d.Exec("INSERT INTO calls VALUES (-1, '', '')")
	r.equal("calls", "id", "berth", "teu")
	if c := r.count("calls", "c"); c != 7001 {
		t.Fatalf("%d created", c)
	}
}

// TestTheServerIsKilled with writers at work, in snapshot and in stream.
func TestTheServerIsKilled(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL, "INSERT INTO calls SELECT i, repeat('x', 2000), i FROM generate_series(1, 5000) i")
	r := newRig(t, d)
	stop := writers(d, 2)
	r.start()
	for range 3 {
		events := len(r.log.Events(t, "p.public.calls"))
		r.until("some more", func() bool { return len(r.log.Events(t, "p.public.calls")) > events+50 })
		server.Kill()
		server.Run()
	}
	stop()
	r.equal("calls", "id", "berth", "teu")
	if r.marks("calls") != 1 {
		t.Fatalf("%d snapshots", r.marks("calls"))
	}
}

// TestASnapshotGoesOn where it was interrupted: rows that were read are not read again.
func TestASnapshotGoesOn(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, repeat('x', 3000), i FROM generate_series(1, 4000) i",
		"CREATE TABLE plain (id bigint, v text)", "INSERT INTO plain SELECT i, repeat('x', 3000) FROM generate_series(1, 1000) i",
		"CREATE TABLE first (id bigint PRIMARY KEY, v text)", "INSERT INTO first VALUES (1, 'a')")
	r := newRig(t, d, "snapshot.max.threads", "3")
	n := 0
	r.log.Refuse = func(topic string) (bool, error) {
		if topic == "p.public.calls" {
			if n++; n == 5 {
				return true, context.Canceled // it is in the log, and the source does not know
			}
		}
		return false, nil
	}
	stop := writers(d, 1)
	r.start()
	r.until("the rest", func() bool { return r.marks("calls") > 0 && r.marks("plain") > 0 && r.marks("first") > 0 })
	stop()
	if c, p, f := r.marks("calls"), r.marks("plain"), r.marks("first"); c != 1 || p != 1 || f != 1 {
		t.Errorf("%d snapshots of calls, %d of plain, %d of first", c, p, f)
	}
	r.equal("calls", "id", "berth", "teu")
	r.equal("first", "id", "v")
	if got := r.count("first", "r"); got != 1 {
		t.Fatalf("a finished table was read again: %d rows", got)
	}
	if got := r.count("calls", "r"); got > 4000+250 {
		t.Fatalf("%d rows of calls were read", got)
	}
	if got := r.count("plain", "r"); got != 1000 {
		t.Fatalf("%d rows of a table without a key", got)
	}
}

// TestTablesChange: columns come, go and change their type and name, tables are made, renamed,
// dropped, emptied, and made again.
func TestTablesChange(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1'), (2, 'b', '2')")
	r := newRig(t, d)
	r.start()
	r.until("streaming", func() bool { return r.marks("calls") == 1 })
	d.Exec("ALTER TABLE calls ADD COLUMN note text", "INSERT INTO calls VALUES (3, 'c', '3', 'n')", "UPDATE calls SET note = 'm'",
		"ALTER TABLE calls DROP COLUMN teu", "INSERT INTO calls VALUES (4, 'd', 'n')", "ALTER TABLE calls RENAME COLUMN berth TO quay", "UPDATE calls SET quay = 'q'")
	r.equal("calls", "id", "quay", "note")
	d.Exec("TRUNCATE calls", "INSERT INTO calls VALUES (9, 'z', 'y')")
	r.equal("calls", "id", "quay", "note")
	if r.count("calls", "r") != 2 {
		t.Fatal("an emptied table was read again")
	}
	d.Exec("CREATE TABLE late (id bigint PRIMARY KEY, v text)", "INSERT INTO late VALUES (1, 'x')")
	r.equal("late", "id", "v")
	d.Exec("BEGIN; INSERT INTO late VALUES (2, 'y'); ALTER TABLE late RENAME TO later; INSERT INTO later VALUES (3, 'z'); COMMIT", "UPDATE later SET v = v || '!'")
	r.equal("later", "id", "v")
	d.Exec("DROP TABLE calls", strings.Replace(callsDDL, "teu text", "teu text, w text", 1), "INSERT INTO calls VALUES (5, 'new', '1', 'w')")
	r.equal("calls", "id", "berth", "teu", "w")
}

// TestPartitionsCountAsTheirRoot, read once.
func TestPartitionsCountAsTheirRoot(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE part (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id)",
		"CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100)", "CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id)",
		"CREATE TABLE part21 PARTITION OF part2 FOR VALUES FROM (100) TO (200)", "INSERT INTO part SELECT i, i FROM generate_series(1, 150) i")
	r := newRig(t, d)
	r.start()
	r.equal("part", "id", "v")
	d.Exec("UPDATE part SET id = 199 WHERE id = 51", "DELETE FROM part WHERE id < 20 AND id <> 5", "CREATE TABLE part3 PARTITION OF part FOR VALUES FROM (200) TO (300)", "INSERT INTO part VALUES (250, 'c')")
	r.equal("part", "id", "v")
	if got := r.count("part", "r"); got != 150 || len(r.log.Events(t, "p.public.part1")) > 0 {
		t.Fatalf("%d rows read", got)
	}
}

// TestEveryIdentity: what a table gives the log of its old rows.
func TestEveryIdentity(t *testing.T) {
	d := pgtest.Start(t).Database("d",
		"CREATE TABLE whole (id bigint PRIMARY KEY, v text)", "ALTER TABLE whole REPLICA IDENTITY FULL",
		"CREATE TABLE other (id bigint NOT NULL UNIQUE, v text, k bigint PRIMARY KEY)", "ALTER TABLE other REPLICA IDENTITY USING INDEX other_id_key",
		"CREATE TABLE plain (id bigint, v text)", "ALTER TABLE plain REPLICA IDENTITY FULL",
		"CREATE TABLE wide (id bigint PRIMARY KEY, big text, v text)", "ALTER TABLE wide ALTER big SET STORAGE EXTERNAL", "ALTER TABLE wide REPLICA IDENTITY FULL")
	r := newRig(t, d)
	r.start()
	r.until("streaming", func() bool { return r.marks("wide") == 1 && r.marks("plain") == 1 })
	d.Exec("INSERT INTO whole VALUES (1, 'a'), (2, 'b')", "UPDATE whole SET v = 'c', id = 3 WHERE id = 1", "DELETE FROM whole WHERE id = 2",
		"INSERT INTO other VALUES (1, 'a', 7), (2, 'b', 8)", "UPDATE other SET id = 5 WHERE k = 7", "UPDATE other SET k = 9 WHERE k = 8", "DELETE FROM other WHERE k = 9",
		"INSERT INTO plain VALUES (1, 'a'), (1, 'a')", "UPDATE plain SET v = 'b'", "DELETE FROM plain",
		"INSERT INTO wide VALUES (1, repeat('x', 100000), '1')", "UPDATE wide SET v = '2'", "UPDATE wide SET id = 2")
	r.equal("whole", "id", "v")
	r.equal("wide", "id", "big", "v")
	r.until("other", func() bool { return fmt.Sprint(r.fold("other")) == `map[{"id":5}:{"id":5,"v":"a","k":7}]` })
	r.until("plain", func() bool {
		return r.count("plain", "c") == 2 && r.count("plain", "u") == 2 && r.count("plain", "d") == 2
	})
}

// TestTheSlotIsLost: the source asks, or begins anew where it may; it never tries for ever.
func TestTheSlotIsLost(t *testing.T) {
	server := pgtest.Start(t)
	for _, mode := range []string{"initial", "when_needed"} {
		t.Run(mode, func(t *testing.T) {
			d := server.Database("d_"+mode, callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')")
			r := newRig(t, d, "snapshot.mode", mode)
			r.start()
			r.equal("calls", "id", "berth", "teu")
			r.stop()
			r.until("the server has let go of the slot", func() bool {
				return d.Value("SELECT count(*) FROM pg_replication_slots WHERE active") == "0"
			})
			d.Exec("SELECT pg_drop_replication_slot('tarn_d_"+mode+"')", "DELETE FROM calls", "INSERT INTO calls VALUES (2, 'b', '2')")
			r.start()
			if mode == "initial" {
				r.until("it asks", func() bool { return r.runner.Status().State == "needs_resnapshot" })
				if st := r.runner.Status(); !strings.Contains(st.Error, "slot") || st.Hint == "" {
					t.Fatalf("%+v", st)
				}
				known := r.runner.Status().Tables
				if len(known) != 1 || known[0].Table != "public.calls" {
					t.Fatalf("tables %+v", known)
				}
				id := sourceID(t, r)
				if err := source.Wish(t.Context(), r.meta, id, "public.calls", "asked for"); err != nil {
					t.Fatal(err)
				}
				r.stop()
				r.start()
			}
			r.equal("calls", "id", "berth", "teu")
			if r.marks("calls") != 2 {
				t.Fatalf("%d snapshots", r.marks("calls"))
			}
		})
	}
}

func sourceID(t *testing.T, r *rig) string {
	t.Helper()
	return r.log.Owners()["p.public.calls"]
}

// TestATopicThatRefuses makes the source wait, and lose nothing.
func TestATopicThatRefuses(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL)
	r := newRig(t, d)
	n := 0
	r.log.Refuse = func(string) (bool, error) {
		n++
		return n%3 == 0, map[bool]error{true: bus.ErrRetry}[n%2 == 0]
	}
	r.start()
	for i := range 20 {
		d.Exec(fmt.Sprintf("INSERT INTO calls VALUES (%d, 'x', 'y'); UPDATE calls SET id = -id WHERE id = %d", i, i/2))
	}
	r.equal("calls", "id", "berth", "teu")
}

// TestAValueThatAChangeDoesNotHave, of a row that moved to where the interrupted snapshot had
// been already: the snapshot begins again, and has it. So it is with a change that is left out.
func TestAValueThatAChangeDoesNotHave(t *testing.T) {
	server := pgtest.Start(t)
	for name, keys := range map[string][]string{"large": nil, "skipped": {"skipped.operations", "u"}} {
		t.Run(name, func(t *testing.T) {
			d := server.Database("d_"+name, callsDDL, "ALTER TABLE calls ALTER berth SET STORAGE EXTERNAL",
				"INSERT INTO calls SELECT i, repeat('x', 5000), 'y' FROM generate_series(-199, 1000) i", "DELETE FROM calls WHERE id < 1", "VACUUM calls") // room at the beginning
			r := newRig(t, d, keys...)
			n := 0
			var once sync.Once
			r.log.Refuse = func(string) (bool, error) {
				if n++; n >= 3 && n < 8 {
					once.Do(func() { d.Exec("UPDATE calls SET teu = 'moved' WHERE id > 900") })
					return false, context.Canceled
				}
				return false, nil
			}
			r.start()
			r.equal("calls", "id", "berth", "teu")
		})
	}
}

// TestATableThatCannotBeRead is left out alone.
func TestATableThatCannotBeRead(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b')", "CREATE TABLE secret (id bigint PRIMARY KEY)",
		"CREATE ROLE reader LOGIN REPLICATION", "GRANT SELECT ON calls TO reader", "CREATE PUBLICATION dbz_publication FOR ALL TABLES")
	r := newRig(t, d, "database.user", "reader")
	r.start()
	r.equal("calls", "id", "berth", "teu")
	r.until("the other is quarantined", func() bool {
		st := r.runner.Status()
		return len(st.Tables) > 0 && slices.ContainsFunc(st.Tables, func(s source.TableState) bool {
			return s.Table == "public.secret" && s.State == source.Quarantined && s.Hint != ""
		})
	})
	d.Exec("INSERT INTO calls VALUES (2, 'a', 'b')")
	r.equal("calls", "id", "berth", "teu")
}

// TestCheckNamesWhatIsMissing, each with the statement that mends it.
func TestCheckNamesWhatIsMissing(t *testing.T) {
	d := pgtest.Start(t, "wal_level = replica").Database("d", "CREATE TABLE plain (id bigint)", "CREATE ROLE nobody LOGIN")
	keys := d.Keys("database.user", "nobody")
	var statements []string
	for _, f := range postgres.Kind.Check(t.Context(), source.Config{Name: "port", Keys: keys}) {
		if f.Message == "" || f.Hint == "" {
			t.Errorf("%+v", f)
		}
		statements = append(statements, f.SQL)
	}
	want := []string{"ALTER SYSTEM SET wal_level = logical", "ALTER ROLE nobody REPLICATION", `ALTER TABLE "public"."plain" REPLICA IDENTITY FULL`}
	if !slices.Equal(statements, want) {
		t.Fatalf("got %q", statements)
	}
	for key, value := range map[string]string{"database.port": "1", "database.dbname": "nope", "slot.name": "No", "plugin.name": "wal2json", "table.include.list": "(", "snapshot.mode": "x"} {
		bad := d.Keys(key, value)
		found := postgres.Kind.Check(t.Context(), source.Config{Name: "port", Keys: bad})
		if len(found) == 0 || found[0].Hint == "" {
			t.Errorf("%s=%s: %+v", key, value, found)
		}
	}
}
