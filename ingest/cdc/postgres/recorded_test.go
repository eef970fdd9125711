package postgres_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// recorded is an event as testdata/types.jsonl.gz has it, a line each.
type recorded struct {
	Topic string `json:"topic"`
	Key   any    `json:"key"`
	Value any    `json:"value"`
}

// decided are the differences that docs/compat/debezium.md decides, by topic and path.
var decided = []string{
	`tmsa\.public\.part1 .*`,       // a partition is no table of its own
	`tmsa\.public\.t .*\.g(\..*)?`, // a stored generated column is in the snapshot alone
}

// workload is what Debezium was recorded with, into testdata/<its name>.jsonl.gz.
type workload struct {
	schema, changes []string
	keys            map[string]string
}

func workloads(t *testing.T) map[string]workload {
	t.Helper()
	all := map[string]workload{
		"types": {statements(t, "testdata/types-schema.sql"), statements(t, "testdata/types-changes.sql"), map[string]string{}},
		"columns": {
			[]string{
				"create table people (id int primary key, name text, mail varchar(80), note text, code char(4), pin int default 5, extra text not null default 'd')",
				"alter table people replica identity full", "insert into people values (1, 'Ada', 'ada@x', 'hello', 'ab', 1), (2, null, null, null, null, null)",
				"create table calls (id int primary key, v text)", "insert into calls select i, 'v' from generate_series(1, 5) i",
				"create table emptied (id int primary key)",
				"create publication dbz for all tables",
			},
			[]string{
				"insert into people values (3, '🚢 Bé', 'é🚢@x', '🚢🚢🚢', 'abcd')", "update people set note = 'xyzzy' where id = 1", "update people set mail = 'new' where id = 1",
				"update people set id = 9 where id = 2", "delete from people where id = 3", "insert into emptied values (1)", "truncate emptied", "insert into emptied values (2)",
				"begin; update calls set id = 50 where id = 5; delete from calls where id = 1; select pg_logical_emit_message(true, 'a', 'b'); commit",
				"select pg_logical_emit_message(true, 'none', 'b')", "insert into people values (4, 'last', 'last', 'last', 'last')",
			},
			map[string]string{
				"column.mask.hash.SHA-256.with.salt.s0": "public.people.mail", "column.mask.hash.v2.MD5.with.salt.s1": "public.people.code", "column.mask.with.5.chars": "public.people.name",
				"column.truncate.to.4.chars": "public.people.note", "column.exclude.list": "public.people.pin", "message.key.columns": "public.people:extra,id",
				"skipped.operations": "none", "tombstones.on.delete": "false", "message.prefix.exclude.list": "no.*",
				"snapshot.select.statement.overrides": "public.calls", "snapshot.select.statement.overrides.public.calls": "SELECT * FROM public.calls WHERE id > 2 ORDER BY id",
			},
		},
	}
	for name, w := range all {
		maps.Copy(w.keys, map[string]string{
			"topic.prefix": "tmsa", "publication.name": "dbz", "publication.autocreate.mode": "disabled", "slot.name": "tarn_" + name, "provide.transaction.metadata": "true",
			"key.converter.schemas.enable": "true", "value.converter.schemas.enable": "true", "snapshot.max.threads": "1",
		})
	}
	return all
}

// TestRecordedWorkload runs the statements that Debezium 3.5.0.Final was recorded with, and compares the events topic by topic:
// keys, values, both schemas, transactions, messages, and which row a snapshot's is. Clocks, places in the log and numbers of
// transactions differ from run to run; that the same ones go together is compared. `make oracle-debezium` compares them live.
func TestRecordedWorkload(t *testing.T) {
	server := pgtest.Start(t)
	for name, w := range workloads(t) {
		t.Run(name, func(t *testing.T) {
			d := server.Database(name, w.schema...)
			r := newRig(t, d)
			maps.Copy(r.keys, w.keys)
			r.start()
			r.until("the snapshot", r.streams)
			d.Exec(w.changes...)
			golden := goldenEvents(t, name)
			r.until("the last event", func() bool { return len(r.log.Events(t, "tmsa.transaction")) >= len(golden["tmsa.transaction"]) })
			compare(t, r.events(golden), golden, func(*recorded) bool { return true })
		})
	}
}

// streams tells whether the snapshot of each table has ended.
func (r *rig) streams() bool {
	st := r.runner.Status()
	return st.State == source.Streaming && len(st.Tables) > 0 && !slices.ContainsFunc(st.Tables, func(s source.TableState) bool { return s.State != source.Streaming })
}

// compare holds the events of each topic against those that are wanted. run tells whether places and numbers of an event may be others,
// as from run to run.
func compare(t *testing.T, ours, golden map[string][]recorded, run func(*recorded) bool) {
	t.Helper()
	for topic, want := range golden {
		got := ours[topic]
		if len(got) != len(want) && !decides(topic+" length") {
			t.Errorf("%s: %d events, want %d", topic, len(got), len(want))
		}
		masks := [2]map[string]string{{}, {}}
		for i := range min(len(got), len(want)) {
			sides := [2]any{}
			for j, e := range []*recorded{&got[i], &want[i]} {
				seen := masks[j]
				if !run(&want[i]) {
					seen = nil
				}
				sides[j] = masked(seen, "", map[string]any{"key": e.Key, "value": e.Value})
			}
			for _, d := range differing("", sides[0], sides[1]) {
				if !decides(topic + " " + d) {
					t.Errorf("%s, event %d: %s", topic, i+1, d)
				}
			}
		}
	}
}

// events are those of topics in the log.
func (r *rig) events(topics map[string][]recorded) map[string][]recorded {
	ours := map[string][]recorded{}
	for topic := range topics {
		for _, e := range r.log.Events(r.t, topic) {
			if e.Mark == nil {
				ours[topic] = append(ours[topic], recorded{topic, parsed(r.t, e.Key), parsed(r.t, e.Value)})
			}
		}
	}
	return ours
}

func decides(difference string) bool {
	at, _, _ := strings.Cut(difference, ": ")
	return slices.ContainsFunc(decided, func(p string) bool { return regexp.MustCompile("^(?:" + p + ")$").MatchString(at) })
}

// statements are those of a file. Each is sent by itself, so that each is a transaction where the file says no other.
func statements(t *testing.T, path string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	quoted, from := false, 0
	text = regexp.MustCompile(`(?m)^--.*$`).ReplaceAll(text, nil)
	for i, c := range text {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == ';' && !quoted:
			out = append(out, strings.TrimSpace(string(text[from:i])))
			from = i + 1
		}
	}
	return out
}

func goldenEvents(t *testing.T, name string) map[string][]recorded {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return readEvents(t, z)
}

// readEvents reads events by topic, a line each.
func readEvents(t *testing.T, from io.Reader) map[string][]recorded {
	t.Helper()
	out := map[string][]recorded{}
	in := bufio.NewScanner(from)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var e recorded
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		out[e.Topic] = append(out[e.Topic], e)
	}
	return out
}

func parsed(t *testing.T, text []byte) (v any) {
	t.Helper()
	if text == nil {
		return nil
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// masked is an event with what differs from run to run replaced: clocks, and unless seen is nil places, and by their order the numbers
// of transactions.
func masked(seen map[string]string, name string, v any) any {
	switch is := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range sortedKeys(is) {
			out[key] = masked(seen, key, is[key])
		}
		return out
	case []any:
		out := make([]any, len(is))
		for i := range is {
			out[i] = masked(seen, name+"[]", is[i])
		}
		if name == "data_collections" { // Debezium's are in the order of a hash table
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		return out
	case nil:
		return nil
	}
	switch name {
	case "ts_ms", "ts_us", "ts_ns":
		return "…"
	case "data_collection":
		if text, is := v.(string); is && strings.Contains(text, "LogicalDecodingMessageId@") {
			return "message" // which docs/compat/debezium.md decides
		}
	case "version":
		if text, is := v.(string); is && text != "" {
			return "…"
		}
	}
	if seen == nil {
		return v
	}
	switch name {
	case "lsn", "sequence":
		return "…"
	case "txId":
		return number(seen, fmt.Sprintf("%.0f", v))
	case "id":
		if text, is := v.(string); is && strings.Contains(text, ":") {
			xid, _, _ := strings.Cut(text, ":")
			return number(seen, xid)
		}
	}
	return v
}

func number(seen map[string]string, id string) string {
	if seen[id] == "" {
		seen[id] = fmt.Sprintf("tx%d", len(seen)+1)
	}
	return seen[id]
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// differing are the paths at which two values differ, with both. Fields of a schema are told by their names.
func differing(at string, got, want any) (out []string) {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for _, key := range sortedKeys(w) {
			out = append(out, differing(strings.TrimPrefix(at+"."+key, "."), g[key], w[key])...)
		}
		for _, key := range sortedKeys(g) {
			if _, there := w[key]; !there {
				out = append(out, fmt.Sprintf("%s.%s: got %v, want none", at, key, g[key]))
			}
		}
		return out
	case []any:
		g, _ := got.([]any)
		if named(w) {
			return differing(at, byField(g), byField(w))
		}
		if len(g) == len(w) {
			for i := range w {
				out = append(out, differing(fmt.Sprintf("%s[%d]", at, i), g[i], w[i])...)
			}
			return out
		}
	}
	if !reflect.DeepEqual(got, want) {
		out = append(out, fmt.Sprintf("%s: got %.300v, want %.300v", at, got, want))
	}
	return out
}

// named tells whether a list is of the fields of a schema.
func named(list []any) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool {
		m, is := v.(map[string]any)
		return !is || m["field"] == nil
	})
}

// byField are the fields of a schema by name. Their order is held by TestEveryRecordedEventIsRenderedAgain.
func byField(list []any) any {
	out := map[string]any{}
	for _, v := range list {
		if m, is := v.(map[string]any); is {
			out[fmt.Sprint(m["field"])] = m
		}
	}
	return out
}
