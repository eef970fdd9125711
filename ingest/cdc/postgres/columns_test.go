package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
)

// mirrors waits until the mirror of a table has what the table has.
func (r *rig) mirrors(table string) {
	r.t.Helper()
	columns, rows := truthsOf(r.t, r.db, pgtype.Modes{}).rows(r.t, table)
	want := lines(columns, rows)
	r.until("the rows of "+table, func() bool {
		m := &mirror{t: r.t, schemas: schemas.New(r.meta), rows: map[string]mirrored{}}
		for _, e := range r.log.Events(r.t, "p.public."+table) {
			if err := m.take(&e); err != nil {
				r.t.Fatal(err)
			}
		}
		var have []cells
		for _, row := range m.rows {
			have = append(have, row.cells)
		}
		return slices.Equal(lines(columns, have), want)
	})
}

// TestATableGetsAKey: a mirror begins with a snapshot, for what came without a key is not in it.
func TestATableGetsAKey(t *testing.T) {
	server := pgtest.Start(t)
	for name, stopped := range map[string]bool{"running": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			d := server.Database("d_"+name, "CREATE TABLE plain (id bigint, v text)", "INSERT INTO plain VALUES (1, 'read')", "CREATE TABLE had (id bigint PRIMARY KEY, v text)")
			r := newRig(t, d)
			r.start()
			r.until("streaming", func() bool { return r.marks("plain") == 1 && r.marks("had") == 1 })
			d.Exec("ALTER TABLE had DROP CONSTRAINT had_pkey", "INSERT INTO had VALUES (1, 'without')", "INSERT INTO plain VALUES (2, 'without')")
			r.until("the changes", func() bool { return r.count("plain", "c") == 1 && r.count("had", "c") == 1 })
			if stopped {
				r.stop()
			}
			d.Exec("BEGIN; ALTER TABLE plain ADD PRIMARY KEY (id); UPDATE plain SET v = v || '!' WHERE id = 1; INSERT INTO plain VALUES (3, 'with'); COMMIT",
				"ALTER TABLE had ADD PRIMARY KEY (id)", "INSERT INTO had VALUES (2, 'with')")
			if stopped {
				r.start()
			}
			r.mirrors("plain")
			r.mirrors("had")
		})
	}
}

// TestColumnsOfOldRowsAreTold of: the log does not have what a default, another name or another type made of rows that are there.
func TestColumnsOfOldRowsAreTold(t *testing.T) {
	server := pgtest.Start(t)
	for name, c := range map[string]struct{ statement, word string }{
		"default": {"ALTER TABLE calls ADD COLUMN late text NOT NULL DEFAULT 'x'", "late"},
		"renamed": {"ALTER TABLE calls RENAME COLUMN berth TO quay", "quay"},
		"retyped": {"ALTER TABLE calls ALTER teu TYPE int USING length(teu)", "teu"},
		"plain":   {"ALTER TABLE calls ADD COLUMN late text", ""},
		"dropped": {"ALTER TABLE calls DROP COLUMN berth", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := server.Database("d_"+name, callsDDL, "INSERT INTO calls VALUES (1, 'a', '1'), (2, 'b', '2')")
			r := newRig(t, d)
			r.start()
			r.until("the snapshot", func() bool { return r.marks("calls") == 1 })
			d.Exec("UPDATE calls SET teu = '3' WHERE id = 2")
			r.until("the change", func() bool { return r.count("calls", "u") == 1 })
			d.Exec(c.statement, "UPDATE calls SET id = 3 WHERE id = 2")
			r.until("the change", func() bool { return r.count("calls", "c") == 1 })
			told := func() bool {
				return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
					return f.Table == "public.calls" && strings.Contains(f.Message, "keep what they had until") && strings.Contains(f.Message, c.word) && f.Hint != ""
				})
			}
			if told() != (c.word != "") {
				t.Fatalf("%+v", r.runner.Status().Findings)
			}
			if err := source.Wish(t.Context(), r.meta, sourceID(t, r), "public.calls", "asked for"); err != nil {
				t.Fatal(err)
			}
			r.runner.Reopen()
			r.mirrors("calls")
			if told() {
				t.Fatalf("%+v", r.runner.Status().Findings)
			}
		})
	}
}

// TestAnIdentityOfLater is not that of changes before it, which are read when it is in the catalog already.
func TestAnIdentityOfLater(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE two (id bigint PRIMARY KEY, code text NOT NULL UNIQUE, v text)", "INSERT INTO two SELECT i, 'c' || i, 'v' FROM generate_series(1, 9) i")
	r := newRig(t, d)
	r.start()
	r.until("the snapshot", func() bool { return r.marks("two") == 1 })
	r.stop()
	d.Exec("DELETE FROM two WHERE id = 1", "UPDATE two SET id = 10 WHERE id = 2", "ALTER TABLE two REPLICA IDENTITY USING INDEX two_code_key",
		"DELETE FROM two WHERE id = 3", "UPDATE two SET code = 'd' WHERE id = 4", "ALTER TABLE two REPLICA IDENTITY FULL", "UPDATE two SET id = 11, code = 'e' WHERE id = 5", "DELETE FROM two WHERE id = 6",
		"ALTER TABLE two REPLICA IDENTITY DEFAULT", "UPDATE two SET id = 12 WHERE id = 7", "ALTER TABLE two REPLICA IDENTITY USING INDEX two_code_key")
	r.start()
	r.mirrors("two")
}

// TestPartitionsHaveAnIdentityOfTheirOwn: ALTER TABLE … REPLICA IDENTITY of the root does not reach them, and the log says the root's.
func TestPartitionsHaveAnIdentityOfTheirOwn(t *testing.T) {
	server := pgtest.Start(t)
	for name, identity := range map[string]string{
		"full": "FULL", "nothing": "NOTHING", "index": "USING INDEX part_code", "both": "FULL; ALTER TABLE part1 REPLICA IDENTITY FULL; ALTER TABLE part2 REPLICA IDENTITY FULL",
		"one": "FULL; ALTER TABLE part1 REPLICA IDENTITY FULL", "leaves": "DEFAULT; ALTER TABLE part1 REPLICA IDENTITY FULL; ALTER TABLE part2 REPLICA IDENTITY FULL",
	} {
		t.Run(name, func(t *testing.T) {
			d := server.Database("d_"+name, "CREATE TABLE part (id bigint, code bigint NOT NULL, wide text, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
				"CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100)", "CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200)",
				"CREATE UNIQUE INDEX part_code ON part (code, id)", "ALTER TABLE part1 ALTER wide SET STORAGE EXTERNAL", "ALTER TABLE part2 ALTER wide SET STORAGE EXTERNAL",
				"INSERT INTO part SELECT i, i, repeat('w' || i, 2000), 'v' FROM generate_series(95, 109) i", "ALTER TABLE part REPLICA IDENTITY "+identity)
			r := newRig(t, d)
			r.start()
			r.until("the snapshot", func() bool { return r.marks("part") == 1 })
			d.Exec("UPDATE part SET v = 'u' WHERE id IN (95, 105)", "UPDATE part SET id = id - 50 WHERE id = 96", "UPDATE part SET id = id + 50 WHERE id = 106",
				"DELETE FROM part WHERE id IN (97, 107)", "UPDATE part SET code = 1 WHERE id IN (98, 108)", "UPDATE part SET id = 199 WHERE id = 99")
			r.mirrors("part")
		})
	}
}

// TestAKeyThatOldRowsDoNotTell takes no other row out of the mirror: a delete, which does not tell whose it is, is left out, and a finding says so.
func TestAKeyThatOldRowsDoNotTell(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE two (id bigint PRIMARY KEY, code text NOT NULL DEFAULT '', v text)", "INSERT INTO two VALUES (1, '', 'a'), (2, 'b', 'b'), (3, 'c', 'c')")
	r := newRig(t, d, "message.key.columns", "public.two:code")
	r.start()
	r.until("the snapshot", func() bool { return r.marks("two") == 1 })
	d.Exec("UPDATE two SET id = 20, v = 'd' WHERE id = 2", "DELETE FROM two WHERE id = 3", "INSERT INTO two VALUES (4, 'e', 'e')")
	r.wants("two", `{"code":""} r {"id":1,"code":"","v":"a"}`, `{"code":"b"} r {"id":2,"code":"b","v":"b"}`, `{"code":"c"} r {"id":3,"code":"c","v":"c"}`,
		`{"code":"b"} u {"id":20,"code":"b","v":"d"}`, `{"code":"e"} c {"id":4,"code":"e","v":"e"}`)
	if !slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
		return f.Table == "public.two" && strings.Contains(f.Message, "deletes are left out") && strings.Contains(f.SQL, "REPLICA IDENTITY FULL")
	}) {
		t.Errorf("%+v", r.runner.Status().Findings)
	}
}
