package postgres_test

import (
	"context"
	"crypto/md5" //nolint:gosec // a connector may ask for it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// TestEveryKeyIsKnown holds Debezium 3.5's own list of its keys against what Tarn says of each: it has a use, or there are words for
// what is done instead, and docs/connectors/postgresql.md has them.
func TestEveryKeyIsKnown(t *testing.T) {
	table, err := os.ReadFile("../../connect/postgresql.tsv")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../../docs/connectors/postgresql.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		key, _, _ := strings.Cut(line, "\t")
		if strings.HasPrefix(key, "#") {
			continue
		}
		n++
		used := slices.ContainsFunc(postgres.Kind.Fields, func(f source.Field) bool { return source.Other{Key: f.Key}.Means(key) })
		other := slices.ContainsFunc(postgres.Kind.Others, func(o source.Other) bool { return o.Means(key) && o.Instead != "" })
		if used == other {
			t.Errorf("%s: has a use: %v, has not: %v", key, used, other)
		}
	}
	if n != 122 {
		t.Errorf("%d keys", n)
	}
	for _, o := range postgres.Kind.Others {
		if line := fmt.Sprintf("| `%s` | %s |", keyInDocs(o.Key), o.Instead); !strings.Contains(string(docs), line) {
			t.Errorf("docs/connectors/postgresql.md lacks %s", line)
		}
	}
	for _, f := range postgres.Kind.Fields {
		if line := "| `" + keyInDocs(f.Key) + "` | "; !strings.Contains(string(docs), line) {
			t.Errorf("docs/connectors/postgresql.md lacks %s", line)
		}
	}
}

func keyInDocs(key string) string {
	if strings.HasSuffix(key, ".") {
		return key + "…"
	}
	return key
}

// rows are what the events of a table have after them, in order; a record without a value is "null".
func (r *rig) rows(table string) (out []string) {
	for _, e := range r.log.Events(r.t, "p.public."+table) {
		if e.Mark != nil {
			continue
		}
		if e.Value == nil {
			out = append(out, string(e.Key)+" null")
			continue
		}
		var v struct {
			Op    string
			After json.RawMessage
		}
		if err := json.Unmarshal(e.Value, &v); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Key, v.Op, v.After)))
	}
	return out
}

// wants waits until the events of a table are these.
func (r *rig) wants(table string, want ...string) {
	r.t.Helper()
	var got []string
	defer func() {
		if r.t.Failed() {
			r.t.Logf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}()
	r.until("the events of "+table, func() bool {
		got = r.rows(table)
		return slices.Equal(got, want)
	})
}

// TestColumns are left out, masked and made keys as Debezium does it.
func TestColumns(t *testing.T) {
	const ddl = "CREATE TABLE people (id bigint PRIMARY KEY, name text, mail varchar(80), note text, pin integer, old text)"
	d := pgtest.Start(t).Database("d", ddl, "ALTER TABLE people REPLICA IDENTITY FULL", "INSERT INTO people VALUES (1, 'Ada', 'ada@x', 'hello', 7, 'o')")
	r := newRig(t, d, "column.exclude.list", "public.people.old,public.people.id", "column.mask.with.3.chars", "public.people.pin,public.people.name",
		"column.truncate.to.2.chars", "PUBLIC\\.PEOPLE\\.NOTE", "column.mask.hash.v2.MD5.with.salt.s", "public.people.mail", "message.key.columns", "public.people:mail,id")
	r.start()
	hash := hex.EncodeToString(func() []byte { h := md5.Sum([]byte("sada@x")); return h[:] }()) //nolint:gosec // asked for
	row := func(note string) string {
		return fmt.Sprintf(`{"id":1,"name":"***","mail":"%s","note":"%s","pin":7}`, hash, note)
	}
	id := fmt.Sprintf(`{"mail":"%s","id":1}`, hash)
	r.wants("people", id+" r "+row("he"))
	d.Exec("UPDATE people SET note = 'x' || note", "DELETE FROM people")
	r.wants("people", id+" r "+row("he"), id+" u "+row("xh"), id+" d null", id+" null")
	found := r.runner.Status().Findings
	if !slices.ContainsFunc(found, func(f source.Finding) bool { return strings.Contains(f.Message, `["pin"]`) && f.Hint != "" }) {
		t.Errorf("nothing tells that a number has no mask: %+v", found)
	}
}

// TestSnapshotsOfOtherRows: of a query's, of some tables alone, with Debezium's words for the first and last row.
func TestSnapshotsOfOtherRows(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE a (id bigint PRIMARY KEY, v text)", "INSERT INTO a SELECT i, 'v' FROM generate_series(1, 9) i",
		"CREATE TABLE b (id bigint PRIMARY KEY, v text)", "INSERT INTO b SELECT i, repeat('x', 50000) FROM generate_series(1, 60) i",
		"CREATE TABLE c (id bigint PRIMARY KEY)", "INSERT INTO c VALUES (1)", "CREATE TABLE z (id bigint PRIMARY KEY)",
		"CREATE TABLE late (id bigint PRIMARY KEY)", "INSERT INTO late VALUES (1)")
	r := newRig(t, d, "snapshot.select.statement.overrides", "public.a, public.b",
		"snapshot.select.statement.overrides.public.a", "SELECT * FROM public.a WHERE id IN (2, 4) ORDER BY id DESC;",
		"snapshot.select.statement.overrides.public.b", "SELECT v, id FROM public.b",
		"snapshot.include.collection.list", "public.[^l].*")
	r.start()
	r.wants("a", `{"id":4} r {"id":4,"v":"v"}`, `{"id":2} r {"id":2,"v":"v"}`)
	r.until("the rest", func() bool { return r.marks("b") == 1 && r.marks("c") == 1 && r.marks("z") == 1 })
	if n := r.count("b", "r"); n != 60 {
		t.Errorf("%d rows of b", n)
	}
	d.Exec("INSERT INTO late VALUES (2)", "INSERT INTO a VALUES (10, 'w')")
	r.wants("late", `{"id":2} c {"id":2}`)
	r.wants("a", `{"id":4} r {"id":4,"v":"v"}`, `{"id":2} r {"id":2,"v":"v"}`, `{"id":10} c {"id":10,"v":"w"}`)
	words := ""
	for _, table := range []string{"a", "b", "c"} {
		for _, w := range r.snapshots(table) {
			words += " " + w
		}
		words += ";"
	}
	want := " first last_in_data_collection false; first_in_data_collection" + strings.Repeat(" true", 58) + " last_in_data_collection; last;"
	if words != want {
		t.Errorf("snapshot: got %s\nwant %s", words, want)
	}
}

// TestAWrongQueryOfATable quarantines it alone.
func TestAWrongQueryOfATable(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b')", "CREATE TABLE wrong (id bigint PRIMARY KEY)")
	r := newRig(t, d, "snapshot.select.statement.overrides", "public.wrong", "snapshot.select.statement.overrides.public.wrong", "SELECT nothing FROM public.wrong")
	r.start()
	r.until("it is quarantined", func() bool {
		return slices.ContainsFunc(r.runner.Status().Tables, func(s source.TableState) bool { return s.Table == "public.wrong" && s.State == source.Quarantined })
	})
	r.equal("calls", "id", "berth", "teu")
}

// snapshots are what the events of a table have as source.snapshot, in order.
func (r *rig) snapshots(table string) (out []string) {
	for _, e := range r.log.Events(r.t, "p.public."+table) {
		var v struct{ Source struct{ Snapshot string } }
		if e.Mark != nil || e.Value == nil {
			continue
		}
		if err := json.Unmarshal(e.Value, &v); err != nil {
			r.t.Fatal(err)
		}
		out = append(out, v.Source.Snapshot)
	}
	return out
}

// TestOperations: deletes without tombstones, updates without events, TRUNCATE with one.
func TestOperations(t *testing.T) {
	d := pgtest.Start(t).Database("d", "CREATE TABLE a (id bigint PRIMARY KEY, v text)", "INSERT INTO a VALUES (1, 'a')")
	r := newRig(t, d, "skipped.operations", "u", "tombstones.on.delete", "false", "database.initial.statements", "SELECT 'a;;b';SET work_mem = '1MB'")
	r.start()
	r.until("the snapshot", func() bool { return r.marks("a") == 1 })
	d.Exec("UPDATE a SET v = 'b'", "DELETE FROM a", "INSERT INTO a VALUES (2, 'c')", "TRUNCATE a", "INSERT INTO a VALUES (3, 'd')")
	want := []string{`{"id":1} r {"id":1,"v":"a"}`, `{"id":1} d null`, `{"id":2} c {"id":2,"v":"c"}`, "t null", `{"id":3} c {"id":3,"v":"d"}`}
	r.wants("a", want...)
	r.stop()
	r.start()
	d.Exec("INSERT INTO a VALUES (4, 'e')")
	r.wants("a", append(want, `{"id":4} c {"id":4,"v":"e"}`)...)
	r.equal("a", "id", "v")
}

// TestWrongKeys are refused with what to write.
func TestWrongKeys(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL)
	for key, value := range map[string]string{
		"skipped.operations": "x", "tombstones.on.delete": "perhaps", "column.exclude.list": "(", "column.mask.with.x.chars": "a", "column.mask.hash.CRC.with.salt.x": "a",
		"column.truncate.to.99999999999999999999.chars": "a", "message.key.columns": "a", "snapshot.select.statement.overrides": "public.calls",
		"snapshot.tables.order.by.row.count": "up", "snapshot.mode": "configuration_based", "snapshot.mode.configuration.based.start.stream": "1",
	} {
		keys := d.Keys(key, value)
		if strings.Contains(key, "based.start") {
			keys["snapshot.mode"] = "configuration_based"
		}
		found := postgres.Kind.Check(t.Context(), source.Config{Name: "port", Keys: keys})
		if len(found) != 1 || !found[0].Fatal || found[0].Hint == "" || !strings.Contains(found[0].Message, found[0].Key) {
			t.Errorf("%s=%s: %+v", key, value, found)
		}
	}
}

// plain are the records of a topic that is no table's: key and value.
func (r *rig) plain(topic string) (out []string) {
	for _, e := range r.log.Events(r.t, topic) {
		out = append(out, string(e.Key)+" "+string(e.Value))
	}
	return out
}

// TestTransactions are told in events and in a topic of their own, each once whatever is sent again, also large ones, which come while they run.
func TestTransactions(t *testing.T) {
	d := pgtest.Start(t, "logical_decoding_work_mem = '64kB'").Database("d", callsDDL, "CREATE TABLE other (id bigint PRIMARY KEY)")
	r := newRig(t, d, "provide.transaction.metadata", "true", "topic.transaction", "tx")
	r.start()
	r.until("streaming", func() bool { return r.marks("calls") == 1 && r.marks("other") == 1 })
	d.Exec("BEGIN; INSERT INTO calls SELECT i, repeat('x', 100), 'y' FROM generate_series(1, 3000) i; INSERT INTO other VALUES (1); UPDATE calls SET id = -1 WHERE id = 1; COMMIT",
		"INSERT INTO other VALUES (2)")
	ends := func(texts ...string) func() bool {
		return func() bool {
			got := r.plain("p.tx")
			return len(got) == 2*len(texts) && func() bool {
				for i, text := range texts {
					if !strings.Contains(got[2*i], `"status":"BEGIN"`) || !strings.Contains(got[2*i+1], text) {
						return false
					}
				}
				return true
			}()
		}
	}
	const first = `"event_count":3003,"data_collections":[{"data_collection":"public.calls","event_count":3002},{"data_collection":"public.other","event_count":1}]`
	const second = `"event_count":1,"data_collections":[{"data_collection":"public.other","event_count":1}]`
	r.until("both", ends(first, second))
	events := r.log.Events(t, "p.public.calls")
	last := events[len(events)-1]
	if !strings.Contains(string(last.Value), `"total_order":3003,"data_collection_order":3002}`) {
		t.Errorf("the last event has %.600s", last.Value)
	}
	r.log.Refuse = func(topic string) (bool, error) {
		return true, map[bool]error{true: context.Canceled}[topic == "p.public.other"]
	}
	d.Exec("INSERT INTO other VALUES (3)")
	r.until("its append", func() bool { return r.count("other", "c") == 3 })
	r.stop()
	r.log.Refuse = nil
	r.start()
	d.Exec("BEGIN; INSERT INTO other VALUES (4); SELECT pg_logical_emit_message(true, 'app', 'hello'); COMMIT", "SELECT pg_logical_emit_message(false, 'app', 'loose')",
		"SELECT pg_logical_emit_message(true, 'secret', 'no')")
	r.until("all", ends(first, second, second, `"event_count":2,"data_collections":[{"data_collection":"public.other","event_count":1},{"data_collection":"message","event_count":1}]`, `"event_count":1`))
	r.until("messages", func() bool { return len(r.plain("p.message")) == 3 })
	if got := r.plain("p.message"); !strings.Contains(got[0], `"total_order":2,"data_collection_order":1},"message":{"prefix":"app","content":"aGVsbG8="}`) || !strings.Contains(got[1], `"transaction":null`) {
		t.Errorf("got %q", got)
	}
}

// TestHeartbeats: a record now and then, with a statement, in a topic that a restart goes on with; a statement that is refused is told.
func TestHeartbeats(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "CREATE TABLE beats (at timestamptz)")
	r := newRig(t, d, "heartbeat.interval.ms", "20", "heartbeat.topics.prefix", "beat", "heartbeat.action.query", "INSERT INTO beats VALUES (now())",
		"table.exclude.list", "public.beats", "key.converter.schemas.enable", "true", "message.prefix.exclude.list", ".*")
	r.start()
	some := func(n int) func() bool { return func() bool { return len(r.plain("beat.p")) >= n } }
	r.until("a few", some(3))
	r.stop()
	n := len(r.plain("beat.p"))
	r.start()
	r.until("more", some(n+3))
	d.Exec("SELECT pg_logical_emit_message(true, 'app', 'hello')", "DROP TABLE beats")
	r.until("the refusal is told", func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool { return f.Key == "heartbeat.action.query" && f.Hint != "" })
	})
	n = len(r.plain("beat.p"))
	r.until("it goes on", some(n+2))
	r.stop()
	const key = `{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"serverName"}],"optional":false,"name":"io.debezium.connector.common.ServerNameKey","version":1},"payload":{"serverName":"p"}} {"ts_ms":`
	last := ""
	for _, line := range r.plain("beat.p") {
		if !strings.HasPrefix(line, key) || line < last {
			t.Fatalf("%s after %s", line, last)
		}
		last = line
	}
	if got := r.plain("p.message"); len(got) > 0 {
		t.Errorf("messages that are left out: %q", got)
	}
}

// TestSignals: rows of a table ask for new snapshots, once each, also across a restart; the table itself need not be captured.
func TestSignals(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', 'b'), (2, 'c', 'd')", "CREATE TABLE other (id bigint PRIMARY KEY)", "INSERT INTO other VALUES (1)",
		"CREATE TABLE signals (id text PRIMARY KEY, type text, data text)")
	r := newRig(t, d, "signal.data.collection", "public.signals", "table.include.list", "public.calls,public.other", "publication.autocreate.mode", "filtered", "snapshot.mode", "no_data")
	r.start()
	r.until("streaming", func() bool { return r.streams() })
	d.Exec("INSERT INTO other VALUES (2)")
	r.wants("other", `{"id":2} c {"id":2}`)
	d.Exec(`BEGIN; INSERT INTO calls VALUES (3, 'e', 'f'); INSERT INTO signals VALUES ('s1', 'execute-snapshot', '{"data-collections": ["public\\.c.*"], "type": "INCREMENTAL"}'); UPDATE calls SET teu = 'late' WHERE id = 3; COMMIT`)
	r.until("the snapshot, behind the changes", func() bool {
		return strings.Join(r.snapshots("calls"), " ") == "false false incremental incremental incremental"
	})
	d.Exec("INSERT INTO calls VALUES (4, 'g', 'h')")
	r.equal("calls", "id", "berth", "teu")
	r.stop()
	r.start()
	said := func(what string) func() bool {
		return func() bool {
			return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
				return f.Key == "signal.data.collection" && strings.Contains(f.Message, what)
			})
		}
	}
	for data, what := range map[string]string{
		`'execute-snapshot', '{"data-collections": ["public.nope"]}'`: "no captured table", `'execute-snapshot', '{'`: "no JSON", `'nonsense', '{}'`: "no effect",
		`'log', '{"message": "hello"}'`: "hello", `'execute-snapshot', '{"data-collections": ["("]}'`: "no regular expression",
	} {
		d.Exec("DELETE FROM signals", "INSERT INTO signals VALUES ('s2', "+data+")")
		r.until(what, said(what))
	}
	d.Exec(`INSERT INTO signals VALUES ('s3', 'execute-snapshot', '{"data-collections": ["public.other"], "type": "BLOCKING", "additional-conditions": [{"data-collection": "public.other", "filter": "id > 1"}]}')`)
	r.wants("other", `{"id":2} c {"id":2}`, `{"id":2} r {"id":2}`)
	for _, filter := range []string{"nope = 1", "true) TO STDOUT; DROP TABLE other; --", "true -- a comment\\n) OR (id = 1", "true; SELECT 1", "generate_series(1, 2) = 1", "true \\u0000"} {
		d.Exec(`DELETE FROM signals`, `INSERT INTO signals VALUES ('s4', 'execute-snapshot', '{"data-collections": ["public.other"], "additional-conditions": [{"data-collection": "public.other", "filter": "`+filter+`"}]}')`)
		r.until("it is refused", said("is refused"))
		d.Exec(`INSERT INTO signals VALUES ('s5', 'log', '{"message": "next"}')`)
		r.until("the next", said("next"))
	}
	d.Exec("CREATE FUNCTION refuse(code text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = code; END $$")
	for _, filter := range []string{"1 / (id - 1) > 0", "(SELECT i FROM generate_series(1, 2) i) = id", "refuse($$P0001$$)", "refuse($$54001$$)", "refuse($$42501$$)", "refuse($$42P01$$)"} {
		d.Exec(`INSERT INTO signals VALUES ('s6' || now(), 'execute-snapshot', '{"data-collections": ["public.other"], "additional-conditions": [{"data-collection": "public.other", "filter": "` + filter + `"}]}')`)
		r.until("it is given up: "+filter, said("not read again"))
		d.Exec(`INSERT INTO signals VALUES ('s7' || now(), 'log', '{"message": "beyond"}')`)
		r.until("what is behind it", said("beyond"))
	}
	d.Exec(`INSERT INTO signals VALUES ('s7', 'execute-snapshot', '{"data-collections": ["public.other"], "type": "BLOCKING"}')`)
	r.until("the whole snapshot", func() bool { return r.marks("other") == 1 })
	r.equal("other", "id")
	if n := r.marks("calls"); n != 0 {
		t.Errorf("%d whole snapshots of calls", n)
	}
	if got := r.rows("signals"); len(got) > 0 {
		t.Errorf("events of signals: %q", got)
	}
	r.stop()
	d.Exec("DROP TABLE signals")
	r.start()
	r.until("the table's absence is told", said("there is no table public.signals"))
}

// TestBadValues: rows with a value that its column cannot hold are flagged, buried, or stop their table.
func TestBadValues(t *testing.T) {
	server := pgtest.Start(t)
	for policy, keys := range map[string][]string{
		"flag": nil, "dead_letter": {"errors.tolerance", "all", "errors.deadletterqueue.topic.name", "dlq"}, "fail": {"tarn.bad.values", "fail"},
	} {
		t.Run(policy, func(t *testing.T) {
			d := server.Database("d_"+policy, "CREATE TABLE days (id bigint PRIMARY KEY, at text)", "INSERT INTO days VALUES (1, '__debezium_unavailable_value'), (2, 'a')",
				"CREATE TABLE other (id bigint PRIMARY KEY, v text)", "CREATE TABLE later (id bigint PRIMARY KEY, at text)")
			r := newRig(t, d, keys...)
			r.start()
			const good, extra = `{"id":2} r {"id":2,"at":"a"}`, `"_extra":{"at":{"type":"text","value":"__debezium_unavailable_value"}}}`
			dead := func(n int) func() bool {
				return func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.dead) == n }
			}
			r.until("the others", func() bool { return r.marks("other") == 1 && r.marks("later") == 1 })
			d.Exec("INSERT INTO later VALUES (7, '__debezium_unavailable_value')", "INSERT INTO later VALUES (8, 'b')", "INSERT INTO other VALUES (1, 'a')")
			const late = `{"id":8} c {"id":8,"at":"b"}`
			switch policy {
			case "flag":
				r.wants("days", `{"id":1} r {"id":1,"at":null,`+extra, good)
				r.wants("later", `{"id":7} c {"id":7,"at":null,`+extra, late)
			case "dead_letter":
				r.wants("days", good)
				r.wants("later", late)
				r.until("two letters", dead(2))
				for _, l := range r.dead {
					if !strings.Contains(string(l.Value), extra) || !strings.Contains(l.Why, "column at (text)") || l.Place == "" {
						t.Errorf("%+v", l)
					}
				}
				r.stop()
				r.start()
				d.Exec("INSERT INTO later VALUES (9, 'b')")
				r.wants("later", late, `{"id":9} c {"id":9,"at":"b"}`)
			case "fail":
				r.until("both are quarantined", func() bool {
					n := 0
					for _, s := range r.runner.Status().Tables {
						if s.State == source.Quarantined && strings.Contains(s.Error, "column at") && s.Hint != "" {
							n++
						}
					}
					return n == 2
				})
			}
			r.equal("other", "id", "v")
		})
	}
}

// TestChunksOfBadRowsAlone are no reason to begin an interrupted snapshot again: the topic has nothing of them.
func TestChunksOfBadRowsAlone(t *testing.T) {
	const good, bad = 200, 8000
	d := pgtest.Start(t).Database("d", "CREATE TABLE days (id bigint PRIMARY KEY, at text, v text)",
		fmt.Sprintf("INSERT INTO days SELECT i, CASE WHEN i BETWEEN %d AND %d THEN '__debezium_unavailable_value' ELSE 'a' END, repeat('x', 3000) FROM generate_series(1, %d) i", good/2+1, good/2+bad, good+bad))
	r := newRig(t, d, "errors.tolerance", "all", "errors.deadletterqueue.topic.name", "dlq")
	letters := func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.dead) }
	var once sync.Once
	r.log.Refuse = func(string) (_ bool, err error) {
		if letters() > bad/2 {
			once.Do(func() { err = context.Canceled })
		}
		return false, err
	}
	r.start()
	r.until("the end of the snapshot", func() bool { return r.marks("days") == 1 && letters() >= bad })
	if n := r.count("days", "r"); n != good {
		t.Errorf("%d rows were read, want %d", n, good)
	}
}

// TestMessagesThatTheirTopicRefuses stop no table: what is too large goes to the dead letters, and a topic that is somebody else's is told.
func TestMessagesThatTheirTopicRefuses(t *testing.T) {
	server := pgtest.Start(t)
	for name, message := range map[string]string{"large": "repeat('x', 25000000)", "taken": "'hello'"} {
		t.Run(name, func(t *testing.T) {
			d := server.Database("d_"+name, callsDDL)
			r := newRig(t, d)
			if name == "taken" {
				if _, err := r.log.Open(t.Context(), "p.message", bus.TopicConfig{Partitions: 1}); err != nil {
					t.Fatal(err)
				}
			}
			r.start()
			r.until("the snapshot", func() bool { return r.marks("calls") == 1 })
			d.Exec("SELECT pg_logical_emit_message(false, 'app', "+message+")", "INSERT INTO calls VALUES (1, 'a', 'b')")
			r.equal("calls", "id", "berth", "teu")
			if name == "taken" {
				r.until("it is told", func() bool { st := r.runner.Status(); return strings.Contains(st.Error, "p.message") })
				return
			}
			d.Exec("SELECT pg_logical_emit_message(false, 'app', 'hello')")
			r.until("a small one", func() bool { return len(r.plain("p.message")) == 1 })
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.dead) != 1 || !strings.Contains(r.dead[0].Why, "more than the log takes") {
				t.Errorf("%d letters", len(r.dead))
			}
		})
	}
}

// TestAStatementOfHeartbeatsThatDoesNotEnd holds nothing up for long, and is told.
func TestAStatementOfHeartbeatsThatDoesNotEnd(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL)
	r := newRig(t, d, "heartbeat.interval.ms", "3600000", "heartbeat.action.query", "SELECT pg_sleep(100000)")
	r.start()
	r.until("it is told", func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
			return f.Key == "heartbeat.action.query" && strings.Contains(f.Message, "does not end") && f.Hint != ""
		})
	})
	d.Exec("INSERT INTO calls VALUES (1, 'a', 'b')")
	r.equal("calls", "id", "berth", "teu")
}

// TestSignalsOfOneCopy are all done, though they are at one place of the log.
func TestSignalsOfOneCopy(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "CREATE TABLE signals (id text PRIMARY KEY, type text, data text)")
	r := newRig(t, d, "signal.data.collection", "public.signals")
	r.start()
	r.until("the snapshot", func() bool { return r.marks("calls") == 1 && r.marks("signals") == 1 })
	lines := strings.NewReader("s1\tlog\t{\"message\": \"first\"}\ns2\tlog\t{\"message\": \"second\"}\n")
	if _, err := d.Connect().CopyFrom(t.Context(), lines, "COPY signals FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	r.until("the second", func() bool {
		return slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool { return strings.Contains(f.Message, "second") })
	})
}

// TestHeartbeatsMoveTheSlotOn also where each takes longer than the time between two.
func TestHeartbeatsMoveTheSlotOn(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL)
	r := newRig(t, d, "heartbeat.interval.ms", "1")
	r.log.Refuse = func(string) (bool, error) {
		time.Sleep(5 * time.Millisecond) // a slow disk
		return false, nil
	}
	r.start()
	r.until("a few", func() bool { return len(r.plain("__debezium-heartbeat.p")) > 3 })
	server.Database("busy", "CREATE TABLE t (id int)", "INSERT INTO t SELECT generate_series(1, 1000)")
	at := d.Value("SELECT pg_current_wal_lsn()")
	r.until("the slot moves", func() bool {
		return d.Value("SELECT confirmed_flush_lsn >= '"+at+"' FROM pg_replication_slots WHERE slot_name = 'tarn_d'") == "t"
	})
}
