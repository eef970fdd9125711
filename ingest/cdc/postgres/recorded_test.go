package postgres_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tarn/ingest/cdc/postgres/pgtest"
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
	`tmsa\.transaction value\.payload\.data_collections\[\d+\]\.data_collection`, // of a message
}

// TestRecordedWorkload runs the statements that Debezium 3.5.0.Final was recorded with, and compares the events topic by topic:
// keys, values, both schemas, transactions, messages, and which row a snapshot's is. Clocks, places in the log and numbers of
// transactions differ from run to run; that the same ones go together is compared.
func TestRecordedWorkload(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("types", statements(t, "testdata/types-schema.sql")...)
	r := newRig(t, d, "topic.prefix", "tmsa", "publication.name", "dbz", "slot.name", "dbz_types", "provide.transaction.metadata", "true",
		"key.converter.schemas.enable", "true", "value.converter.schemas.enable", "true", "snapshot.max.threads", "1")
	r.start()
	r.until("the snapshot", func() bool {
		return r.runner.Status().State == "streaming" && len(r.log.Events(t, "tmsa.public.t")) == 4
	})
	d.Exec(statements(t, "testdata/types-changes.sql")...)
	golden := goldenEvents(t)
	ours := map[string][]recorded{}
	r.until("the last event", func() bool { return len(r.log.Events(t, "tmsa.transaction")) >= len(golden["tmsa.transaction"]) })
	for topic := range golden {
		for _, e := range r.log.Events(t, topic) {
			if e.Mark == nil {
				ours[topic] = append(ours[topic], recorded{topic, parsed(t, e.Key), parsed(t, e.Value)})
			}
		}
	}
	for topic, want := range golden {
		got := ours[topic]
		if len(got) != len(want) && !decides(topic+" length") {
			t.Errorf("%s: %d events, want %d", topic, len(got), len(want))
		}
		masks := [2]map[string]string{{}, {}}
		for i := range min(len(got), len(want)) {
			for _, d := range differing("", masked(masks[0], "", any(map[string]any{"key": got[i].Key, "value": got[i].Value})), masked(masks[1], "", any(map[string]any{"key": want[i].Key, "value": want[i].Value}))) {
				if !decides(topic + " " + d) {
					t.Errorf("%s, event %d: %s", topic, i+1, d)
				}
			}
		}
	}
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

func goldenEvents(t *testing.T) map[string][]recorded {
	t.Helper()
	f, err := os.Open("testdata/types.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]recorded{}
	in := bufio.NewScanner(z)
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

// masked is an event with what differs from run to run replaced: clocks, places, and by their order the numbers of transactions.
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
		return out
	case nil:
		return nil
	}
	switch name {
	case "ts_ms", "ts_us", "ts_ns", "lsn", "sequence":
		return "…"
	case "version":
		if text, is := v.(string); is && text != "" {
			return "…"
		}
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
