package ingest_test

import (
	"strings"
	"testing"

	"tarn/ingest/source"
)

// TestTwoTablesOfOneName: RegexRouter may not bring tables together, for their places and keys would be mistaken; the one that came
// first goes on, also after a restart.
func TestTwoTablesOfOneName(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls_1 (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls_1 VALUES (1, 'a')")
	h.write("port.json", strings.Replace(connector("port", "../port.db"), `"poll`, `"transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter",
		"transforms.r.regex": ".*calls.*", "transforms.r.replacement": "all", "poll`, 1))
	h.start()
	h.until("the snapshot", func() bool { return h.ops("all") == "r" })
	h.database("port.db", "CREATE TABLE calls_0 (id INTEGER PRIMARY KEY, v)", "INSERT INTO calls_0 VALUES (1, 'b')")
	apart := func() bool {
		s := h.status("port")
		return strings.Contains(s.Error, "calls_0 is quarantined") && s.Hint != ""
	}
	h.until("the quarantine", apart)
	h.stop()
	h.database("port.db", "INSERT INTO calls_1 VALUES (2, 'c')")
	h.start()
	h.until("the change", func() bool { return h.ops("all") == "rc" })
	h.until("the quarantine again", apart)
}

// TestTransformsOfTwoTables: what a router brings together is there once each, whatever is stopped between.
func TestTransformsOfTwoTables(t *testing.T) {
	h := newHouse(t)
	h.database("port.db", "CREATE TABLE calls_1 (id INTEGER PRIMARY KEY, v)", "CREATE TABLE calls_2 (id INTEGER PRIMARY KEY, v)",
		"INSERT INTO calls_1 VALUES (1, 'a'), (2, 'b')", "INSERT INTO calls_2 VALUES (1, 'a')")
	h.write("port.json", strings.Replace(connector("port", "../port.db"), `"poll`, `"transforms": "r", "transforms.r.type": "io.debezium.transforms.ByLogicalTableRouter",
		"transforms.r.topic.regex": "(.*)calls.*", "transforms.r.topic.replacement": "$1all", "poll`, 1))
	h.start()
	h.until("the snapshots", func() bool { return h.ops("port.main.all") == "rrr" })
	want := "rrr"
	for range 4 {
		h.until("streaming", func() bool { return h.status("port").State == source.Streaming })
		h.database("port.db", "INSERT INTO calls_2 (v) VALUES ('x')")
		want += "c"
		h.until("the change", func() bool { return h.ops("port.main.all") == want })
		h.stop()
		h.database("port.db", "UPDATE calls_1 SET v = v || 'x' WHERE id = 1")
		want += "u"
		h.start()
		h.until("what came meanwhile", func() bool { return h.ops("port.main.all") == want })
	}
}
