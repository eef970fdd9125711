package landing_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/landing"
)

func TestNames(t *testing.T) {
	for topic, want := range map[string]string{
		"port.main.calls": "port_main_calls", "Port-Ä.x": "port___x", "a_1": "a_1", "": "",
	} {
		if got := table.NameOf(topic); got != want {
			t.Errorf("%q lands in %q, want %q", topic, got, want)
		}
	}
	for _, c := range []struct {
		schema, name string
		only         bool
		want         string
	}{
		{"main", "Calls", false, "calls"},
		{"public", "calls", false, "calls"},
		{"DBO", "calls", false, "calls"},
		{"", "calls", false, "calls"},
		{"yard", "calls", true, "calls"},
		{"yard", "calls", false, "yard_calls"},
	} {
		if got := landing.MirrorName(c.schema, c.name, c.only); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func FuzzTableName(f *testing.F) {
	f.Add("port.main.calls")
	f.Add("İ\xff..")
	f.Fuzz(func(t *testing.T, topic string) {
		name := table.NameOf(topic)
		if i := strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_", r) }); i >= 0 {
			t.Fatalf("%q lands in %q", topic, name)
		}
		if table.NameOf(name) != name || landing.MirrorName("main", topic, false) != name {
			t.Fatalf("%q is not stable", name)
		}
	})
}

func FuzzColumnName(f *testing.F) {
	f.Add("a.b", "A_B", "a_b")
	f.Add("", " ", "\x00")
	f.Add("_extra", "_EXTRA", strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		taken := map[string]bool{"_extra": true}
		for _, source := range []string{a, b, c, a} {
			name := landing.ColumnName(source, func(lower string) bool { return taken[lower] })
			if lower := strings.ToLower(name); taken[lower] || strings.TrimSpace(name) == "" {
				t.Fatalf("%q becomes %q, which is taken or empty", source, name)
			} else {
				taken[lower] = true
			}
			if strings.ContainsFunc(name, func(r rune) bool { return r == '.' || unicode.IsControl(r) }) || !bytes.Equal([]byte(name), bytes.ToValidUTF8([]byte(name), nil)) {
				t.Fatalf("%q becomes %q", source, name)
			}
		}
	})
}

// FuzzJunk appends records of any shape between two good ones: nothing stops, the good ones land,
// and every other one is in the dead letters or, if it can be read, in the tables.
func FuzzJunk(f *testing.F) {
	good := []byte(`{"before":null,"after":{"id":1,"berth":"A","tons":1.0},"source":{},"op":"c","ts_ms":1}`)
	f.Add([]byte(`{"id":1}`), good, []byte("src/i1/0001"), []byte("1"), []byte("1"))
	f.Add([]byte(nil), []byte(`{"op":"u","before":{"id":2},"after":{"id":null,"_extra":{"id":7}}}`), []byte("x"), []byte("1"), []byte("-1"))
	f.Add([]byte{0xff}, []byte(`{"op":"d","before":{"id":1e3}}`), []byte("a/b/c"), []byte("1"), []byte("9223372036854775807"))
	f.Add([]byte(`{"id":3}`), []byte(`{"op":"r","after":{"id":3,"_extra":{"berth":`), []byte("a/b/c"), []byte("1"), []byte("0"))
	var n int
	r := newRig(f)
	r.run()
	f.Fuzz(func(t *testing.T, key, value, pos, schema, gen []byte) {
		if _, err := record.ParsePos(string(pos)); err != nil {
			pos = []byte("src/i1/zz") // the log refuses such a header
		}
		n++
		s := &source{rig: r, topic: r.topic(t, fmt.Sprintf("p.main.t%d", n), bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"}), gen: 1}
		s.put(t, named(fmt.Sprintf("t%d", n)))
		if string(schema) == "1" {
			schema = s.headers()[1].Value
		}
		first, last := s.change('c', nil, row(100, "first", 1)), s.change('c', nil, row(101, "last", 1))
		s.append(t, record.Encode(append(append(first, record.Record{Key: key, Value: value, Headers: []record.Header{
			{Key: record.HeaderPos, Value: pos}, {Key: record.HeaderSchema, Value: schema}, {Key: record.HeaderGen, Value: gen},
		}}), last...)))
		one := r.settled(t, s.topic)
		bronze := len(r.lake.rows(one.Bronze.String()))
		if one.State != "landing" || bronze < 2 || bronze+int(one.DeadLetters) < 3 {
			t.Fatalf("%d in bronze, %+v", bronze, one)
		}
		if got := berths(r, one.Silver.String()); !strings.Contains(got, "first") || !strings.Contains(got, "last") {
			t.Fatalf("silver has %s", got)
		}
		if err := r.bus.DeleteTopic(context.Background(), s.topic.Name()); err != nil {
			t.Fatal(err)
		}
	})
}
