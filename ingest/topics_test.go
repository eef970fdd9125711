package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/meta"
	"tarn/ingest"
)

// teller runs statements of topics on a bus.
type teller struct {
	t    *testing.T
	bus  *bus.Bus
	room *ingest.Ingest
}

func newTeller(t *testing.T, g guard.Guard) *teller {
	t.Helper()
	m, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir(), Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the test's context has ended
		_ = errors.Join(b.Close(context.Background()), m.Close())
	})
	return &teller{t, b, ingest.New(ingest.Options{Bus: b, Meta: m, Guard: g, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler)})}
}

// say runs a statement; its rows are one text.
func (s *teller) say(statement string) (string, error) {
	s.t.Helper()
	for _, c := range s.room.Commands() {
		for _, verb := range c.Verbs {
			if strings.HasPrefix(strings.ToUpper(statement)+" ", verb+" ") {
				a, err := c.Run(s.t.Context(), guard.Principal{User: "ines"}, statement)
				_, _, rows := a.Result()
				return strings.Trim(fmt.Sprint(rows), "[]"), err
			}
		}
	}
	s.t.Fatalf("nobody runs %s", statement)
	return "", nil
}

// must runs a statement that is to be done.
func (s *teller) must(statement string) string {
	s.t.Helper()
	got, err := s.say(statement)
	if err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
	return got
}

func TestTopicsAreMadeAlteredAndDropped(t *testing.T) {
	s := newTeller(t, nil)
	s.must(`CREATE TOPIC orders PARTITIONS 3 WITH ('retention.ms' = 60000, "cleanup.policy" = 'compact, delete', 'tarn.land' = true)`)
	s.must("create topic if not exists orders partitions 9;")
	topic, err := s.bus.Topic("orders")
	if err != nil || len(topic.Partitions()) != 3 {
		t.Fatal(err, topic)
	}
	value := func(name string) string {
		setting, err := bus.SettingNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		got, changed := setting.Value(topic.Config())
		return fmt.Sprintf("%s %v,", got, changed)
	}
	if got := value("retention.ms") + value("cleanup.policy") + value("tarn.land"); got != "60000 true,compact, delete true,true true," {
		t.Errorf("made with %s", got)
	}
	if got := s.must("ALTER TOPIC orders SET ('retention.ms' = -1, 'max.message.bytes' = '2097152')"); got != "retention.ms 60000 -1] [max.message.bytes 1048588 2097152" {
		t.Errorf("set: %s", got)
	}
	if got := s.must("ALTER TOPIC orders RESET ('retention.ms', 'segment.ms', 'tarn.land')"); got != "retention.ms -1 604800000] [segment.ms 604800000 604800000] [tarn.land true false" {
		t.Errorf("reset: %s", got)
	}
	if got := s.must("ALTER TOPIC orders SET PARTITIONS 5"); got != "partitions 3 5" {
		t.Errorf("partitions: %s", got)
	}
	s.must(`CREATE TOPIC "a-b"`)
	s.must(`CREATE TOPIC 'port.main-calls'`)
	s.must(`CREATE TOPIC port.calls.late.again`)
	if got := s.must("DESCRIBE TOPIC orders"); !strings.Contains(got, "[max.message.bytes 2097152 1048588 true true number The largest batch") || !strings.Contains(got, "[segment.ms 604800000 604800000 false false number") {
		t.Errorf("described: %s", got)
	}
	rows, err := s.room.SettingRows(t.Context())
	if want := 4 * len(bus.Settings()); err != nil || len(rows) != want {
		t.Errorf("%d rows of settings, want %d, %v", len(rows), want, err)
	}
	for _, name := range []string{`"a-b"`, "'port.main-calls'", "port.calls.late.again", "orders"} {
		s.must("DROP TOPIC " + name)
	}
	s.must("DROP TOPIC IF EXISTS orders")
	s.must("ALTER TOPIC IF EXISTS orders SET PARTITIONS 6")
	if left := s.bus.Topics(); len(left) != 0 {
		t.Errorf("left: %d topics", len(left))
	}
}

func TestRecordsAreProduced(t *testing.T) {
	s := newTeller(t, nil)
	s.must("CREATE TOPIC orders PARTITIONS 3")
	topic, err := s.bus.Topic("orders")
	if err != nil {
		t.Fatal(err)
	}
	// Kafka's DefaultPartitioner: murmur2 of the key (21 has -973932308, UtilsTest) without its sign, of three partitions.
	for i := range 2 {
		want := fmt.Sprintf("orders %d %d ", (-973932308&0x7fffffff)%3, i)
		if got := s.must("PRODUCE TO orders KEY '21' VALUE '{\"n\": 1}' HEADERS ('trace' = '8f2a', 'empty' = '')"); !strings.HasPrefix(got, want) {
			t.Errorf("produced: %s, want %s", got, want)
		}
	}
	if got := s.must("produce to orders partition 2 value 'it''s'"); !strings.HasPrefix(got, "orders 2 ") {
		t.Errorf("produced: %s", got)
	}
	s.must("PRODUCE TO orders PARTITION 1 KEY '' VALUE NULL")
	s.must("PRODUCE TO orders KEY NULL VALUE ''")
	var all []string
	for _, p := range topic.Partitions() {
		r := p.Reader(0)
		defer r.Close()
		for at := int64(0); at < p.Next(); {
			got, err := r.Next(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range got.Batches {
				records, err := b.Records()
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					all = append(all, fmt.Sprintf("%q %v %q %v %s", r.Key, r.Key == nil, r.Value, r.Value == nil, r.Headers))
				}
			}
			at = got.Next
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`"21" false "{\"n\": 1}" false [{trace 8f2a} {empty }]`, `"" true "it's" false []`, `"" false "" true []`, `"" true "" false []`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	s.must("ALTER TOPIC orders SET ('cleanup.policy' = 'compact', 'max.message.bytes' = 200)")
	for statement, code := range map[string]fault.Code{
		"PRODUCE TO orders VALUE 'no key'":                                          fault.Invalid,
		"PRODUCE TO orders KEY 'k' VALUE '" + strings.Repeat("x", 300) + "'":        fault.TooLarge,
		"PRODUCE TO orders PARTITION 3 VALUE 'x'":                                   fault.NotFound,
		"PRODUCE TO order VALUE 'x'":                                                fault.NotFound,
		"PRODUCE TO orders":                                                         fault.Syntax,
		"PRODUCE TO orders VALUE 7":                                                 fault.Syntax,
		"PRODUCE TO orders VALUE 'x' KEY 'k'":                                       fault.Syntax,
		"PRODUCE TO orders PARTITION -1 VALUE 'x'":                                  fault.Syntax,
		"PRODUCE TO orders KEY 'k' VALUE 'x' HEADERS ()":                            fault.Syntax,
		"PRODUCE TO orders KEY 'k' VALUE 'x' HEADERS ('a' = '1', 'a' = '2')":        fault.Invalid,
		"PRODUCE TO orders KEY 'k' VALUE 'x' HEADERS ('a' = '1'":                    fault.Syntax,
		"PRODUCE TO tarn.commits VALUE 'forged'":                                    fault.Denied,
		"PRODUCE TO orders PARTITION 99999999999999999999 KEY 'k' VALUE 'x'":        fault.Syntax,
		"PRODUCE TO orders KEY 'k' VALUE E'x'":                                      fault.Syntax,
		"PRODUCE TO orders KEY 'k' VALUE 'x' HEADERS ('a' = '1') AND ONE MORE":      fault.Syntax,
		"PRODUCE TO orders KEY 'k' VALUE 'x' HEADERS ('a' = '1') HEADERS ('b'='2')": fault.Syntax,
	} {
		if _, err := s.say(statement); fault.CodeOf(err) != code || fault.HintOf(err) == "" {
			t.Errorf("%s: %s, %v, %q", statement, fault.CodeOf(err), err, fault.HintOf(err))
		}
	}
}

func TestStatementsOfTopicsRefuse(t *testing.T) {
	s := newTeller(t, nil)
	for name, c := range map[string]bus.TopicConfig{"tarn.commits": {}, "port.main.calls": {Source: "s"}, "orders": {Partitions: 2}} {
		if _, err := s.bus.CreateTopic(t.Context(), name, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		statement string
		code      fault.Code
		says      string // of message and hint
		column    int
	}{
		{"CREATE TOPIC orders", fault.Exists, "topic orders is there already", 14},
		{"CREATE TOPIC tarn.mine", fault.Denied, "topic tarn.mine is Tarn's own", 14},
		{"CREATE TOPIC Tarn.mine", fault.Denied, "topic Tarn.mine is Tarn's own", 14},
		{"CREATE TOPIC 'a b'", fault.Invalid, "1 to 249 letters", 14},
		{"CREATE TOPIC ''", fault.Invalid, "1 to 249 letters", 14},
		{"CREATE TOPIC", fault.Syntax, "a name", 13},
		{"CREATE TOPIC x PARTITIONS 0", fault.Invalid, "want 1 to 1024", 27},
		{"CREATE TOPIC x PARTITIONS 1025", fault.Invalid, "want 1 to 1024", 27},
		{"CREATE TOPIC x PARTITIONS many", fault.Syntax, "a number of partitions", 27},
		{"CREATE TOPIC x WITH ('retention' = '1')", fault.NotFound, "did you mean retention.ms?", 22},
		{"CREATE TOPIC x WITH ('qqqqqqqqqq' = '1')", fault.NotFound, "DESCRIBE TOPIC", 22},
		{"CREATE TOPIC x WITH ('retention.ms' = 'soon')", fault.Invalid, "whole number", 39},
		{"CREATE TOPIC x WITH ('retention.ms' = '1', 'retention.ms' = '2')", fault.Invalid, "twice", 44},
		{"CREATE TOPIC x WITH (retention.ms = 1)", fault.Syntax, "a key such as 'retention.ms'", 22},
		{"CREATE TOPIC x WITH retention", fault.Syntax, "('retention.ms'", 21},
		{"CREATE TOPIC x WITH ('retention.ms' = '1'", fault.Syntax, "a comma or )", 42},
		{"CREATE TOPIC x REPLICAS 3", fault.Syntax, "does not go on with REPLICAS", 16},
		{"ALTER TOPIC order SET PARTITIONS 3", fault.NotFound, "did you mean orders?", 13},
		{"ALTER TOPIC tarn.commits SET ('retention.ms' = 1)", fault.Denied, "topic tarn.commits is Tarn's own", 13},
		{"ALTER TOPIC orders SET PARTITIONS 2", fault.Invalid, "has 2 partitions already", 0},
		{"ALTER TOPIC port.main.calls SET PARTITIONS 2", fault.Invalid, "filled by a source", 0},
		{"ALTER TOPIC orders SET ('tarn.land' = 'yes')", fault.Invalid, "true, false", 39},
		{"ALTER TOPIC orders RESET ('tarn.lands')", fault.NotFound, "did you mean tarn.land?", 27},
		{"ALTER TOPIC orders RESET ()", fault.Syntax, "a key", 27},
		{"ALTER TOPIC orders RENAME TO x", fault.Syntax, "SET PARTITIONS 6", 20},
		{"ALTER TOPIC orders", fault.Syntax, "SET PARTITIONS 6", 19},
		{"DROP TOPIC order", fault.NotFound, "did you mean orders?", 12},
		{"DROP TOPIC tarn.commits", fault.Denied, "topic tarn.commits is Tarn's own", 12},
		{"DROP TOPIC port.main.calls", fault.Conflict, "filled by a source", 12},
		{"DROP TOPIC orders CASCADE", fault.Syntax, "does not go on with CASCADE", 19},
		{"DESCRIBE TOPIC nothing", fault.NotFound, "system.topics", 16},
		{"DESC TOPIC orders EXTENDED", fault.Syntax, "EXTENDED", 19},
		{"PRODUCE TO port.main.calls VALUE 'forged'", fault.Conflict, "filled by a source", 12},
	} {
		_, err := s.say(c.statement)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Code != c.code || !strings.Contains(f.Error()+f.Hint, c.says) || f.Hint == "" || f.Column != c.column {
			t.Errorf("%s: %s at %d: %v, %q", c.statement, fault.CodeOf(err), f.Column, err, fault.HintOf(err))
		}
	}
	if all := s.bus.Topics(); len(all) != 3 {
		t.Errorf("%d topics", len(all))
	}
	topic, err := s.bus.Topic("orders")
	if err != nil || topic.Config().Land || len(topic.Partitions()) != 2 {
		t.Error("a refused statement changed something")
	}
}

// onlyRead lets nobody change anything.
type onlyRead struct{ guard.Open }

func (onlyRead) Decide(_ guard.Principal, a guard.Action, _ guard.Resource) guard.Decision {
	return guard.Decision{Allow: a == guard.Read}
}

func TestStatementsOfTopicsAskTheGuard(t *testing.T) {
	s := newTeller(t, onlyRead{})
	if _, err := s.bus.CreateTopic(t.Context(), "orders", bus.TopicConfig{}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE TOPIC x", "CREATE TOPIC IF NOT EXISTS orders", "ALTER TOPIC orders SET PARTITIONS 2", "DROP TOPIC orders", "DROP TOPIC IF EXISTS x", "PRODUCE TO orders VALUE 'x'"} {
		if _, err := s.say(statement); fault.CodeOf(err) != fault.Denied {
			t.Errorf("%s: %v", statement, err)
		}
	}
	s.must("DESCRIBE TOPIC orders")
}
