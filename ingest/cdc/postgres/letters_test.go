package postgres_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/record"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// letters are dead letters as stream/own keeps them: each once, by its place under its topic and the id of its source.
type letters struct {
	last map[string]record.Pos
	all  []source.Dead
}

func (l *letters) bury(of source.Burial, list []source.Dead) {
	if l.last == nil {
		l.last = map[string]record.Pos{}
	}
	id := of.SourceID + ":" + of.Topic
	for _, one := range list {
		if last := l.last[id]; last.Incarnation == of.Incarnation && one.Place <= last.Place {
			continue
		}
		l.last[id] = record.Pos{Source: id, Incarnation: of.Incarnation, Place: one.Place}
		l.all = append(l.all, one)
	}
}

// version is what a letter says of a row: how it was read, its key and the text that says which of its versions it is.
func version(t *testing.T, l source.Dead) string {
	t.Helper()
	var e struct {
		Op    string
		After struct {
			ID int64
			V  string
		}
	}
	if err := json.Unmarshal(l.Value, &e); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %d %s", e.Op, e.After.ID, e.After.V)
}

// TestEachBadRowHasOneLetter, wherever Tarn is killed while a snapshot buries rows, and whatever becomes of rows meanwhile: also of those
// that an update puts to where the snapshot has been, in the room of others.
func TestEachBadRowHasOneLetter(t *testing.T) {
	server := pgtest.Start(t)
	const bad = "__debezium_unavailable_value"
	for name, keys := range map[string][]string{"whole": nil, "again": {"snapshot.mode", "no_data", "signal.data.collection", "public.signals"}} {
		for kill := range 4 {
			t.Run(fmt.Sprint(name, kill), func(t *testing.T) {
				d := server.Database(fmt.Sprintf("d_%s%d", name, kill), "CREATE TABLE days (id bigint PRIMARY KEY, at text, v text, room text) WITH (autovacuum_enabled = off)",
					"CREATE TABLE signals (id text PRIMARY KEY, type text, data text)",
					"INSERT INTO days SELECT i, CASE WHEN i % 7 = 3 THEN '"+bad+"' ELSE 'good' END, '0', repeat('x', 30000) FROM generate_series(1, 300) i")
				r := newRig(t, d, append([]string{"tarn.bad.values", "dead_letter", "snapshot.max.threads", "1"}, keys...)...)
				var got letters
				calls, appends := 0, 0
				gone := func() { r.cancel(); panic("killed") }
				r.bury = func(of source.Burial, list []source.Dead) {
					if calls++; kill%2 == 0 && calls == 1+kill/2 {
						gone()
					}
					got.bury(of, list)
					if kill%2 == 1 && calls == 1+kill/2 {
						gone()
					}
				}
				r.log.Refuse = func(string) (bool, error) {
					if appends++; appends == 5 {
						gone()
					}
					return false, nil
				}
				r.start()
				if keys != nil {
					r.until("streaming", r.streams)
					d.Exec(`INSERT INTO signals VALUES ('1', 'execute-snapshot', '{"data-collections": ["public.days"]}')`)
				}
				for round := range 2 {
					r.until("it is killed", func() bool { return r.runner.Status().State == source.Stopped || round == 1 && r.streams() })
					r.stop()
					d.Exec("DELETE FROM days WHERE id IN (1, 2, 4, 5, 6, 8, 9)", "VACUUM days",
						fmt.Sprintf("UPDATE days SET v = 'moved %d' WHERE id IN (10, 24, 94, 150, 192)", round), fmt.Sprintf("UPDATE days SET v = 'late %d', at = '%s' WHERE id IN (12, 80)", round, bad),
						fmt.Sprintf("INSERT INTO days VALUES (%d, '%s', 'new', repeat('y', 15000)), (%d, 'good', 'new', '')", 400+round, bad, 500+round))
					calls, appends = -100*round, -100*round
					r.start()
				}
				d.Exec("INSERT INTO days VALUES (999, '" + bad + "', 'last', '')")
				r.until("the last letter", func() bool {
					r.mu.Lock()
					defer r.mu.Unlock()
					return slices.ContainsFunc(got.all, func(l source.Dead) bool { return strings.HasSuffix(version(t, l), " 999 last") }) && r.streams()
				})
				r.stop()
				seen := map[string]bool{}
				for _, l := range got.all {
					v := version(t, l)
					if seen[v] {
						t.Errorf("two letters of %s", v)
					}
					seen[v] = true
				}
				for _, row := range d.Query("SELECT id, v FROM days WHERE at = '" + bad + "'") {
					if is := row[0] + " " + row[1]; !seen["r "+is] && !seen["c "+is] && !seen["u "+is] {
						t.Errorf("no letter of %s", is)
					}
				}
			})
		}
	}
}

// TestRowsThatAreTooLarge for the log, in a snapshot and in the stream, cost their table alone: it is quarantined, or goes on without
// them where they may go to the dead letters, which have them without their large values.
func TestRowsThatAreTooLarge(t *testing.T) {
	server := pgtest.Start(t)
	const huge = "repeat('x', 25500000)"
	for _, policy := range []string{"flag", "dead_letter"} {
		t.Run(policy, func(t *testing.T) {
			d := server.Database("d_"+policy, callsDDL, "CREATE TABLE old (id bigint PRIMARY KEY, berth text, teu text)", "CREATE TABLE later (id bigint PRIMARY KEY, berth text, teu text)",
				"ALTER TABLE later REPLICA IDENTITY FULL", "INSERT INTO old VALUES (1, "+huge+", 'a'), (2, 'b', 'b')", "INSERT INTO calls VALUES (1, 'a', 'b')")
			r := newRig(t, d, "tarn.bad.values", policy)
			r.start()
			r.until("the snapshots", func() bool { return r.marks("calls") == 1 && r.marks("later") == 1 })
			d.Exec("INSERT INTO later VALUES (1, 'a', 'a'), (2, 'b', 'b')", "UPDATE later SET berth = "+huge+" WHERE id = 1", "UPDATE calls SET berth = 'c'", "UPDATE later SET teu = 'c'",
				"DELETE FROM later WHERE id = 1")
			r.equal("calls", "id", "berth", "teu")
			if policy != "dead_letter" {
				r.until("both are quarantined", func() bool {
					n := 0
					for _, s := range r.runner.Status().Tables {
						if s.State == source.Quarantined && strings.Contains(s.Error, "more than") && strings.Contains(s.Hint, "dead_letter") && strings.Contains(s.Hint, "TABLE "+s.Table) {
							n++
						}
					}
					return n == 2
				})
				d.Exec("UPDATE old SET berth = 'c'")
				for _, table := range []string{"public.old", "public.later"} {
					if err := source.Wish(t.Context(), r.meta, sourceID(t, r), table, "it is mended"); err != nil {
						t.Fatal(err)
					}
				}
				r.runner.Reopen()
				r.equal("old", "id", "berth", "teu")
				r.equal("later", "id", "berth", "teu")
				r.equal("calls", "id", "berth", "teu")
				return
			}
			r.wants("old", `{"id":2} r {"id":2,"berth":"b","teu":"b"}`)
			r.wants("later", `{"id":1} c {"id":1,"berth":"a","teu":"a"}`, `{"id":2} c {"id":2,"berth":"b","teu":"b"}`, `{"id":2} u {"id":2,"berth":"b","teu":"c"}`, `{"id":1} d null`, `{"id":1} null`)
			r.stop()
			for i, want := range []string{`{"before":null,"after":{"id":1,"berth":null,"teu":"a"}`, `"after":{"id":1,"berth":null,"teu":"a"}`, `"after":{"id":1,"berth":null,"teu":"c"}`} {
				if len(r.dead) != 3 || !strings.Contains(string(r.dead[i].Value), want) || !strings.Contains(r.dead[i].Why, "column berth is left out here, 25500000 bytes") {
					t.Fatalf("%d letters; the %d. is %.300s, %s, want %s", len(r.dead), i, r.dead[i].Value, r.dead[i].Why, want)
				}
			}
		})
	}
}
