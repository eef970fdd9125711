package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record/schemas"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/cdc/postgres/pgtype"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

var (
	flagHistories = flag.Int("histories", 20, "how many random histories TestHistories runs, beside those that once found a fault")
	flagSeed      = flag.Uint64("seed", 1, "the first one's seed; 0 for one of chance, as make oracle-postgres has it. One history has the seed that is printed with it")
)

// found are the seeds of histories that have found a fault, here or in the model.
var found = []uint64{7053, 8045, 125391308}

// The tables that come and go.
var historyTables = []string{"t1", "t2", "t3", "t4", "t5", "t6"}

// The ways in which a table is made: every sort of key and identity, large values, partitions, and all types.
var historyDDL = []string{
	"CREATE TABLE %s (id bigint PRIMARY KEY, a text, b int)",
	"CREATE TABLE %s (a text, id int, n numeric, PRIMARY KEY (id, a))",
	"CREATE TABLE %s (id int PRIMARY KEY, wide text, n int, more bytea); ALTER TABLE %s ALTER wide SET STORAGE EXTERNAL, ALTER more SET STORAGE EXTERNAL",
	"CREATE TABLE %s (id bigint PRIMARY KEY, wide text, n int); ALTER TABLE %s ALTER wide SET STORAGE EXTERNAL; ALTER TABLE %s REPLICA IDENTITY FULL",
	"CREATE TABLE %s (id bigint NOT NULL UNIQUE, code text PRIMARY KEY, x jsonb); ALTER TABLE %s REPLICA IDENTITY USING INDEX %s_id_key",
	"CREATE TABLE %s (id bigint PRIMARY KEY, a text, m mood); ALTER TABLE %s REPLICA IDENTITY NOTHING",
	"CREATE TABLE %s (a text, b int); ALTER TABLE %s REPLICA IDENTITY FULL",
	"CREATE TABLE %s (a text, b int)",
	"CREATE TABLE %s (id bigint, a text, wide text, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE %s_1_# PARTITION OF %s FOR VALUES FROM (MINVALUE) TO (3); " +
		"CREATE TABLE %s_2_# PARTITION OF %s FOR VALUES FROM (3) TO (MAXVALUE) PARTITION BY HASH (id); CREATE TABLE %s_3_# PARTITION OF %s_2_# FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
	"CREATE TABLE %s (id int PRIMARY KEY, i2 smallint, f4 real, f8 double precision, n numeric(10,2), mo money, vc varchar(300), by bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval, " +
		"u uuid, j json, jb jsonb, m mood, bt bit(3), ip inet, ra int4range, ia int[], ta text[], na numeric[], pt point, ok boolean, dm posint, pr pair, hs hstore, ct citext, bx box)",
}

// The values of each type: so few that rows meet often.
var historyValues = map[string][]string{
	"bigint": {"1", "2", "3", "4", "5"}, "integer": {"1", "2", "3", "4", "5", "NULL"}, "smallint": {"-7", "32767"},
	"text": {"'a'", "'b'", "''", "NULL", "'tëxt \"q\"'", "'__debezium_unavailable_value'"}, "character varying": {"'v'", "NULL"}, "citext": {"'Ab'"},
	"numeric": {"1", "0.50", "-12345678.25", "NULL"}, "money": {"1.25"}, "boolean": {"true", "false"}, "real": {"'NaN'", "1.5"}, "double precision": {"'-Infinity'", "0.1"},
	"bytea": {"'\\x00ff'", "decode(repeat('ab', 4000), 'hex')"}, "date": {"'infinity'", "'0044-03-15 BC'", "'2024-02-29'"}, "time without time zone": {"'24:00'", "'12:30:00.5'"},
	"time with time zone": {"'12:30:00+02'"}, "timestamp without time zone": {"'infinity'", "'1969-12-31 23:59:59.999999'"}, "timestamp with time zone": {"'-infinity'", "'2026-11-23 13:14:15.123456+01'"},
	"interval": {"'1 year -3 days 04:05:06.7'"}, "uuid": {"'0191d3a0-0000-7000-8000-000000000001'"}, "json": {"'{\"a\": [1, null]}'"}, "jsonb": {"'{\"b\":1,\"a\":2}'", "NULL"},
	"mood": {"'sad'", "'hap,py'", "NULL"}, "bit": {"B'101'"}, "inet": {"'10.0.0.1/24'"}, "int4range": {"'[1,5)'", "'empty'"}, "integer[]": {"'{1,NULL,-3}'", "'{}'"}, "text[]": {"'{\"a,b\",NULL}'"},
	"numeric[]": {"'{1.50,NULL}'"}, "point": {"'(1.5,-2)'"}, "posint": {"1", "7"}, "pair": {"'(1,x)'"}, "hstore": {"'a=>1, b=>NULL'"}, "box": {"'(1,1),(0,0)'"},
}

// session is one connection of the application.
type session struct {
	*pgconn.PgConn
	open  bool
	saves []string
	stale []string // what its transaction did to tables that no log tells of
}

// history is an application that changes tables as freely as their rows, by several connections in turn, and a source that is
// disturbed in every way. What it says may fail, as in life.
type history struct {
	*rig
	rnd      *rand.Rand
	aside    *rand.Rand // of signals
	sessions []*session
	stale    map[string]bool // OIDs of tables whose old rows changed without the log's saying so
	n        int             // names are never used twice, but for tables
	said     []string
	refusals chan func() (bool, error)
	running  bool
}

func pick[T any](h *history, from ...T) T { return from[h.rnd.IntN(len(from))] }

func (h *history) fresh(prefix string) string {
	h.n++
	return fmt.Sprintf("%s%d", prefix, h.n)
}

// exec runs a statement, and tells whether it went well.
func (h *history) exec(s *session, text string) bool {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.Exec(ctx, text).ReadAll()
	h.said = append(h.said, fmt.Sprintf("%d: %.300s -- %v", slices.Index(h.sessions, s), text, err))
	if _, ofServer := errors.AsType[*pgconn.PgError](err); err != nil && !ofServer {
		h.t.Fatalf("%s: %v", text, err)
	}
	return err == nil
}

// rows are what a query answers to a session, who sees what it has done.
func (h *history) query(s *session, text string) (out [][]string) {
	h.t.Helper()
	results, err := s.Exec(h.t.Context(), text).ReadAll()
	if err != nil {
		return nil // of a table that another has locked
	}
	for _, row := range results[len(results)-1].Rows {
		var line []string
		for _, cell := range row {
			line = append(line, string(cell))
		}
		out = append(out, line)
	}
	return out
}

func (h *history) tables(s *session) (out []string) {
	for _, row := range h.query(s, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'beat' ORDER BY 1") {
		out = append(out, row[0])
	}
	return out
}

// columns are names and types.
func (h *history) columns(s *session, table string) [][]string {
	return h.query(s, "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = '"+table+
		"' AND c.relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
}

func (h *history) value(column []string) string {
	if column[0] == "wide" {
		return fmt.Sprintf("repeat('w%d', 3000)", h.rnd.IntN(3))
	}
	values := historyValues[column[1]]
	if len(values) == 0 {
		return "NULL"
	}
	return pick(h, values...)
}

// write is one change of rows.
func (h *history) write(s *session, tables []string) string {
	table := pick(h, tables...)
	columns := h.columns(s, table)
	if len(columns) == 0 {
		return "SELECT 1"
	}
	var names, values []string
	for _, c := range columns {
		names, values = append(names, c[0]), append(values, h.value(c))
	}
	set, where := pick(h, columns...), pick(h, columns...)
	insert := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	switch h.rnd.IntN(12) {
	case 0, 1, 2, 3:
		return insert + "VALUES (" + strings.Join(values, ", ") + ") ON CONFLICT DO NOTHING"
	case 4, 5, 6:
		return "UPDATE " + table + " SET " + set[0] + " = " + h.value(set) + " WHERE " + where[0] + " = " + h.value(where)
	case 7:
		return "UPDATE " + table + " SET " + set[0] + " = " + h.value(set)
	case 8:
		return "DELETE FROM " + table + " WHERE " + where[0] + " = " + h.value(where)
	case 9: // many, which the server sends before it knows how they end
		for i, c := range columns {
			if c[1] == "bigint" || c[1] == "integer" {
				values[i] = "g + " + fmt.Sprint(10*h.rnd.IntN(100))
			} else if c[0] == "code" || c[0] == "a" {
				values[i] = "'m' || g"
			}
		}
		return insert + "SELECT " + strings.Join(values, ", ") + fmt.Sprintf(" FROM generate_series(1, %d) g ON CONFLICT DO NOTHING", 1+h.rnd.IntN(400))
	case 10:
		for _, c := range columns {
			if c[0] == "id" {
				return "UPDATE " + table + " SET id = id + 1000 WHERE id = (SELECT max(id) FROM " + table + ")"
			}
		}
		fallthrough
	default:
		return "UPDATE " + table + " SET " + set[0] + " = " + set[0]
	}
}

// made makes a table.
func (h *history) made(table string) string {
	return strings.NewReplacer("%s", table, "#", h.fresh("")).Replace(pick(h, historyDDL...))
}

// alter is one change of the schema; stale tells that old rows may look otherwise behind it, without the log's saying so.
func (h *history) alter(s *session, tables []string) (text string, stale string) {
	free := slices.DeleteFunc(slices.Clone(historyTables), func(t string) bool { return slices.Contains(tables, t) })
	kind := h.rnd.IntN(16)
	if len(free) > 0 && (len(tables) < 2 || kind == 0) {
		return h.made(pick(h, free...)), ""
	}
	table := pick(h, tables...)
	columns := h.columns(s, table)
	if len(columns) == 0 {
		return "SELECT 1", ""
	}
	column := pick(h, columns...)
	alter := "ALTER TABLE " + table + " "
	switch kind {
	case 1:
		return "DROP TABLE " + table, ""
	case 2:
		return alter + "ADD COLUMN " + h.fresh("c") + pick(h, " int", " text", " boolean", " jsonb", " integer[]", " mood"), ""
	case 3:
		return alter + "ADD COLUMN " + h.fresh("c") + pick(h, " int DEFAULT 7", " text NOT NULL DEFAULT 'x'", " timestamptz DEFAULT now()", " uuid DEFAULT gen_random_uuid()"), table
	case 4:
		return alter + "DROP COLUMN " + column[0], ""
	case 5:
		return alter + "RENAME COLUMN " + column[0] + " TO " + h.fresh("r"), table
	case 6:
		to := map[string]string{"integer": "bigint", "bigint": "numeric", "numeric": "text", "character varying": "text", "text": "varchar(9000)", "mood": "text", "boolean": "text"}[column[1]]
		if to == "" {
			to = "text"
		}
		return alter + "ALTER " + column[0] + " TYPE " + to, table
	case 7:
		if len(free) > 0 {
			return alter + "RENAME TO " + pick(h, free...), ""
		}
	case 8:
		return "TRUNCATE " + table + pick(h, "", ", "+pick(h, tables...)), ""
	case 9, 12, 13:
		index := pick(h, append(h.query(s, "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = '"+table+"'::regclass AND indisunique"), []string{"none"})...)[0]
		return alter + "REPLICA IDENTITY " + pick(h, "DEFAULT", "FULL", "NOTHING", "USING INDEX "+index, "USING INDEX "+index), ""
	case 10, 14:
		for _, row := range h.query(s, "SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = '"+table+"'::regclass") {
			drop := alter + "DROP CONSTRAINT " + row[0]
			return pick(h, drop, drop+", ADD PRIMARY KEY ("+column[0]+")"), ""
		}
		return alter + "ADD PRIMARY KEY (" + column[0] + ")", ""
	}
	return pick(h, alter+"ALTER "+column[0]+" SET NOT NULL", "CREATE UNIQUE INDEX ON "+table+" ("+column[0]+"); "+alter+"ALTER "+column[0]+" SET NOT NULL"), ""
}

// say is one step of a session.
func (h *history) say(s *session) {
	if !s.open {
		switch h.rnd.IntN(8) {
		case 0:
			if tables := h.tables(s); len(tables) > 0 {
				h.exec(s, pick(h, "VACUUM FULL ", "VACUUM ", "ANALYZE ")+pick(h, tables...))
			}
			return
		case 1:
			h.exec(s, "SELECT pg_logical_emit_message(true, 'x', 'y')")
			return
		}
		s.open = h.exec(s, "BEGIN")
	}
	switch h.rnd.IntN(20) {
	case 0:
		name := h.fresh("s")
		if h.exec(s, "SAVEPOINT "+name) {
			s.saves = append(s.saves, name)
		}
		return
	case 1:
		if len(s.saves) > 0 {
			at := h.rnd.IntN(len(s.saves))
			h.exec(s, pick(h, "ROLLBACK TO ", "RELEASE ")+s.saves[at])
			s.saves = s.saves[:at]
		}
		return
	case 2, 3, 4, 5, 6:
		h.end(s)
		return
	}
	var text, stale string
	if tables := h.tables(s); len(tables) == 0 || h.rnd.IntN(6) == 0 {
		text, stale = h.alter(s, tables)
	} else {
		text = h.write(s, tables)
	}
	var id string
	if stale != "" {
		for _, row := range h.query(s, "SELECT '"+stale+"'::regclass::oid") {
			id = row[0]
		}
	}
	h.exec(s, "SAVEPOINT one")
	if !h.exec(s, text) {
		h.exec(s, "ROLLBACK TO one")
	} else {
		if id != "" {
			s.stale = append(s.stale, id)
		}
		if h.rnd.IntN(2) == 0 {
			h.exec(s, "RELEASE one")
		}
	}
}

// end ends a session's transaction.
func (h *history) end(s *session) {
	if !s.open {
		return
	}
	if h.rnd.IntN(8) == 0 {
		h.exec(s, "ROLLBACK")
	} else if h.exec(s, "COMMIT") {
		for _, id := range s.stale {
			h.stale[id] = true
		}
	}
	s.open, s.saves, s.stale = false, nil, nil
}

// breathe lets the source come to where the log ends, if it can.
func (h *history) breathe() {
	if !h.running {
		return
	}
	most := breath
	if h.rnd.IntN(4) > 0 { // nobody keeps it waiting
		for _, s := range h.sessions {
			h.end(s)
		}
		most = patience
	}
	h.n++
	beat := fmt.Sprintf(`{"id":%d}`, h.n)
	h.db.Exec(fmt.Sprintf("INSERT INTO beat VALUES (%d)", h.n))
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if slices.ContainsFunc(h.log.Events(h.t, "p.public.beat"), func(e sourcetest.Event) bool { return string(e.Key) == beat }) {
			return
		}
	}
}

// breath is for how long a history waits for its source, which may be waiting for the history.
const breath = 100 * time.Millisecond

// disturb does something to the source.
func (h *history) disturb() {
	if h.aside.IntN(2) == 0 {
		h.signal()
	}
	switch h.rnd.IntN(6) {
	case 0, 1: // it may stay away for long
		if h.running {
			h.stop()
		} else {
			h.start()
		}
		h.running = !h.running
		h.said = append(h.said, fmt.Sprintf("running %v", h.running))
	case 2:
		landed, err := h.rnd.IntN(2) == 0, pick[error](h, context.Canceled, bus.ErrRetry, fault.New(fault.NoSpace, "full", ""))
		h.said = append(h.said, fmt.Sprintf("refusal: landed %v, %v", landed, err))
		select {
		case h.refusals <- func() (bool, error) { return landed, err }:
		default:
		}
	case 3:
		h.said = append(h.said, "cut")
		h.db.Query("SELECT count(pg_terminate_backend(active_pid)) FROM pg_replication_slots WHERE active_pid IS NOT NULL AND database = current_database()")
	case 4:
		if tables := h.tables(h.sessions[0]); len(tables) > 0 {
			h.wish("public." + pick(h, tables...))
		}
	case 5:
		if h.running {
			h.runner.Reopen()
		}
	}
}

// signal has rows read again, or such a reading held.
func (h *history) signal() {
	kinds := []string{
		`"execute-snapshot", "data": {"data-collections": ["public.t[1-4]"]}`, `"execute-snapshot", "data": {"data-collections": ["public.t.*"], "type": "BLOCKING"}`,
		`"execute-snapshot", "data": {"data-collections": ["public.t.*"], "additional-conditions": [{"data-collection": "public.t.*", "filter": "ctid > '(0,3)'"}]}`,
		`"stop-snapshot", "data": {"data-collections": ["public.t[1-2]"]}`, `"pause-snapshot"`, `"resume-snapshot"`,
	}
	line := fmt.Sprintf(`{"id": "1", "type": %s}`, kinds[h.aside.IntN(len(kinds))])
	f, err := os.OpenFile(h.keys["signal.file"], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.said = append(h.said, "signal "+line)
}

func (h *history) wish(table string) {
	topics := h.log.Topics()
	if len(topics) == 0 { // it has not run yet
		return
	}
	if err := source.Wish(h.t.Context(), h.meta, h.log.Owners()[topics[0]], table, "asked for"); err != nil {
		h.t.Fatal(err)
	}
	h.said = append(h.said, "wish "+table)
	if h.running {
		h.runner.Reopen()
	}
}

// TestHistories runs random histories of rows and tables while the source is stopped, started, cut off, refused, and asked for new
// snapshots: in the end each table that there is equals what its topic folds to, and no place is in a topic twice.
func TestHistories(t *testing.T) {
	server := pgtest.Start(t, "logical_decoding_work_mem = '64kB'", "max_replication_slots = 40", "max_wal_senders = 40")
	first := *flagSeed
	if first == 0 {
		first = uint64(time.Now().UnixNano()) % 1_000_000_000 //nolint:gosec // not negative
	}
	seeds := slices.Clone(found)
	for i := range *flagHistories {
		seeds = append(seeds, first+uint64(i)) //nolint:gosec // not negative
	}
	for n, seed := range seeds {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runHistory(t, server, n, seed) }) {
			return
		}
	}
}

func runHistory(t *testing.T, server *pgtest.Server, n int, seed uint64) {
	d := server.Database(fmt.Sprintf("h%d", n), "CREATE EXTENSION hstore; CREATE EXTENSION citext", "CREATE TYPE mood AS ENUM ('sad', 'hap,py')",
		"CREATE DOMAIN posint AS int CHECK (VALUE > 0)", "CREATE TYPE pair AS (a int, b text)")
	h := &history{
		rig: newRig(t, d, "decimal.handling.mode", "string", "include.unknown.datatypes", "true", "signal.enabled.channels", "file", "signal.file", filepath.Join(t.TempDir(), "signals"),
			"signal.poll.interval.ms", "1"),
		rnd: rand.New(rand.NewPCG(seed, 1)), aside: rand.New(rand.NewPCG(seed, 2)),
		stale: map[string]bool{}, refusals: make(chan func() (bool, error), 100),
	}
	if seed%2 == 0 {
		h.keys["tarn.changed.columns"] = "reread"
	}
	defer func() {
		h.stop()
		h.until2("the slot is free", func() bool {
			return d.Try("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT temporary") == nil
		}, server.Log)
		if t.Failed() {
			t.Logf("-args -histories 1 -seed %d\n%s", seed, strings.Join(h.said, "\n"))
		}
	}()
	var quiet atomic.Bool
	h.log.Refuse = func(string) (bool, error) {
		if quiet.Load() {
			return false, nil
		}
		select {
		case f := <-h.refusals:
			return f()
		default:
			return false, nil
		}
	}
	for range 3 {
		c := d.Connect()
		h.sessions = append(h.sessions, &session{PgConn: c})
		h.exec(h.sessions[len(h.sessions)-1], "SET lock_timeout = '20ms'")
	}
	for range 1 + h.rnd.IntN(4) {
		h.exec(h.sessions[0], h.made(pick(h, historyTables...)))
		for range 10 {
			h.exec(h.sessions[0], h.write(h.sessions[0], h.tables(h.sessions[0])))
		}
	}
	h.exec(h.sessions[0], "CREATE TABLE beat (id int PRIMARY KEY)")
	if h.running = h.rnd.IntN(4) > 0; h.running {
		h.start()
		h.breathe()
	}
	for range 40 + h.rnd.IntN(120) {
		switch h.rnd.IntN(20) {
		case 0:
			h.disturb()
		case 1, 2, 3:
			h.breathe()
		default:
			h.say(pick(h, h.sessions[0], pick(h, h.sessions...)))
		}
	}
	for _, s := range h.sessions {
		h.end(s)
		_ = s.Close(t.Context())
	}
	quiet.Store(true)
	if h.running {
		h.stop()
	}
	h.start()
	h.running = true
	h.judge()
	t.Log(h.tally())
}

// tally tells what a history came to, for the eye.
func (h *history) tally() string {
	ops := map[byte]int{}
	for _, topic := range h.log.Topics() {
		for _, e := range h.log.Events(h.t, topic) {
			if at := bytes.Index(e.Value, []byte(`"op":"`)); at >= 0 && topic != "p.public.beat" {
				ops[e.Value[at+6]]++
			}
		}
	}
	well := 0
	for _, s := range h.said {
		if strings.HasSuffix(s, "-- <nil>") {
			well++
		}
	}
	return fmt.Sprintf("%d of %d statements went well; %d rows read, %d created, %d updated, %d deleted", well, len(h.said), ops['r'], ops['c'], ops['u'], ops['d'])
}

// judge compares each table with the fold of its topic, until they are equal.
func (h *history) judge() {
	h.t.Helper()
	var tables []string
	keyed := map[string]bool{}
	for _, row := range h.db.Query(`SELECT relname, oid, EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND CASE relreplident WHEN 'i' THEN indisreplident ELSE indisprimary END)
FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`) {
		tables = append(tables, row[0])
		keyed[row[0]] = row[2] == "t"
		if h.stale[row[1]] {
			h.wish("public." + row[0])
		}
	}
	truths := truthsOf(h.t, h.db, pgtype.Modes{Decimal: "string", Unknown: true})
	store := schemas.New(h.meta)
	for _, table := range tables {
		columns, rows := truths.rows(h.t, table)
		want := lines(columns, rows)
		var got []string
		h.until2("the rows of "+table, func() bool {
			m := &mirror{t: h.t, schemas: store, rows: map[string]mirrored{}}
			for _, e := range h.log.Events(h.t, "p.public."+table) {
				if err := m.take(&e); err != nil {
					h.t.Fatalf("offset %d of %s: %v", e.Offset, table, err)
				}
			}
			var have []cells
			for _, r := range m.rows {
				have = append(have, r.cells)
			}
			if !m.keyed {
				for _, r := range m.bag {
					have = append(have, r.cells)
				}
			}
			got = lines(columns, have)
			return slices.Equal(got, want) || m.keyed && !keyed[table] // which has no mirror any longer
		}, func() string {
			return "got alone:\n" + beside(got, want) + "wanted alone:\n" + beside(want, got)
		})
	}
}

// beside are the lines of one list that another has not, as much of them as an eye takes.
func beside(these, those []string) string {
	var out strings.Builder
	left := slices.Clone(those)
	for _, line := range these {
		if at := slices.Index(left, line); at >= 0 { // rows without a key may be there more than once
			left = slices.Delete(left, at, at+1)
		} else if out.Len() < 4000 {
			fmt.Fprintf(&out, "\t%s\n", regexp.MustCompile(`(..)(w\d|ab){9,}`).ReplaceAllString(line, "$1$2…"))
		}
	}
	return out.String()
}

// until2 is until, with what there is instead.
func (h *history) until2(what string, ok func() bool, instead func() string) {
	h.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	h.t.Errorf("not in time: %s; %+v\n%s", what, h.runner.Status(), instead())
}
