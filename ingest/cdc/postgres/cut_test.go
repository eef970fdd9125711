package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// TestAMigrationUnderWay ends between the look at the catalog and the cut: the snapshot has the columns and the heaps that it made.
func TestAMigrationUnderWay(t *testing.T) {
	server := pgtest.Start(t)
	for name, migration := range map[string]struct {
		statements []string
		columns    string
		part       int
	}{
		"adds":        {[]string{"ALTER TABLE calls ADD COLUMN note text NOT NULL DEFAULT 'n'", "CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200)", "INSERT INTO part VALUES (150, 'b')"}, "teu,note", 2},
		"takes":       {[]string{"ALTER TABLE calls DROP COLUMN teu", "ALTER TABLE named RENAME TO renamed"}, "", 1},
		"writes anew": {[]string{"ALTER TABLE calls ALTER teu TYPE varchar(9) USING teu || '!'"}, "teu", 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := server.Database("d_"+name[:4], callsDDL, "INSERT INTO calls VALUES (1, 'a', '1'), (2, 'b', '2')",
				"CREATE TABLE part (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id)", "CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100)", "INSERT INTO part VALUES (1, 'a')",
				"CREATE TABLE named (id bigint PRIMARY KEY, v text)", "INSERT INTO named VALUES (1, 'a')")
			session := conn{d.Connect()}
			run := func(texts ...string) {
				t.Helper()
				for _, text := range texts {
					if err := session.Exec(t.Context(), text); err != nil {
						t.Fatal(err)
					}
				}
			}
			run("BEGIN")
			run(migration.statements...)
			r := newRig(t, d)
			r.start()
			r.until("the cut waits for it", func() bool {
				return d.Value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE_REPLICATION_SLOT%' AND wait_event_type = 'Lock'") == "1"
			})
			run("COMMIT")
			r.equal("calls", strings.Fields("id berth "+strings.ReplaceAll(migration.columns, ",", " "))...)
			r.equal("part", "id", "v")
			if name == "takes" {
				r.equal("renamed", "id", "v")
			}
			if c, p := r.count("calls", "r"), r.count("part", "r"); c != 2 || p != migration.part || r.marks("calls") != 1 {
				t.Fatalf("%d rows of calls were read, %d of part, in %d snapshots of calls", c, p, r.marks("calls"))
			}
		})
	}
}

// TestASnapshotThatCannotBeCut keeps no other table waiting: it says why, and is cut when it can be.
func TestASnapshotThatCannotBeCut(t *testing.T) {
	d := pgtest.Start(t, "max_replication_slots = 2").Database("d", callsDDL, "CREATE TABLE busy (id bigint PRIMARY KEY)", "SELECT pg_create_physical_replication_slot('another')")
	r := newRig(t, d)
	r.start()
	r.until("streaming", func() bool { return r.marks("calls") == 1 })
	n := 0
	streamsAndSays := func(words ...string) {
		t.Helper()
		r.until("it says "+words[0], func() bool {
			return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
				return f.Hint != "" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(f.Message+f.Hint, w) })
			})
		})
		n++
		d.Exec(fmt.Sprintf("INSERT INTO calls VALUES (%d, 'a', 'b')", n))
		r.equal("calls", "id", "berth", "teu")
		if r.marks("late") > 0 {
			t.Fatal("the snapshot was cut after all")
		}
	}
	d.Exec("CREATE TABLE late (id bigint PRIMARY KEY, v text)", "INSERT INTO late VALUES (1, 'x')")
	streamsAndSays("max_replication_slots")
	open := conn{d.Connect()}
	for _, text := range []string{"BEGIN", "INSERT INTO busy VALUES (1)"} {
		if err := open.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	d.Exec("SELECT pg_drop_replication_slot('another')")
	streamsAndSays("transaction", fmt.Sprint(open.c.PID()))
	if err := open.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	r.equal("late", "id", "v")
	r.equal("calls", "id", "berth", "teu")
	for _, f := range r.runner.Status().Findings {
		if strings.Contains(f.Message, "snapshot") {
			t.Errorf("it says still: %+v", f)
		}
	}
}
