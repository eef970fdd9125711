package landing_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/lake/table"
)

var errPlanted = errors.New("planted")

func TestWhatCannotBeDecodedGoesToTheDeadLettersOnce(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	missing := s.change('c', nil, row(8, "gone", 1))
	missing[0].Value = []byte(strings.Replace(string(missing[0].Value), `"gone"`, `"__debezium_unavailable_value"`, 1))
	keyless := s.change('c', nil, record.Row{{}, str("A"), {}})
	unknown := s.change('c', nil, row(9, "A", 1))
	unknown[0].Headers[0].Value, unknown[0].Headers[1].Value = []byte("another/i/1"), []byte("999")
	s.append(t, record.Encode([]record.Record{
		{Key: []byte{0xff}, Value: []byte("junk \xff"), Headers: s.headers()},
		{Key: []byte("k"), Value: []byte(`{"op":"c"}`)},
		missing[0], keyless[0], unknown[0],
		s.change('c', nil, row(1, "A", 1))[0],
	}))
	// Every first commit is applied and its answer lost.
	seen := map[table.Ident]bool{}
	r.lake.after = func(id table.Ident, _ table.Change) error {
		r.lake.mu.Lock()
		defer r.lake.mu.Unlock()
		if !seen[id] {
			seen[id] = true
			return errPlanted
		}
		return nil
	}
	// And every table's first try fails after the dead letters were written.
	tried := map[table.Ident]bool{}
	r.lake.before = func(id table.Ident, _ table.Change) error {
		r.lake.mu.Lock()
		defer r.lake.mu.Unlock()
		if !tried[id] {
			tried[id] = true
			return errPlanted
		}
		return nil
	}
	r.run()
	r.settled(t, s.topic)
	r.halt()
	r.lake.before, r.lake.after = nil, nil
	r.run()
	r.wait(t, func() bool { return len(r.lake.rows("system.dead_letter")) >= 5 }, func() any { return r.lake.rows("system.dead_letter") })
	got := map[string]string{}
	for _, row := range r.lake.rows("system.dead_letter") {
		got[fmt.Sprint(row["offset"])] += row["error"].(string)
		if row["letter"] == nil || row["reader"] != "landing in bronze" && row["reader"] != "landing in silver" {
			t.Fatalf("who refused it, and its number: %v", row)
		}
		if row["topic"] != "port.main.calls" || row["at"] == nil || row["partition"] != int64(0) {
			t.Fatalf("%v", row)
		}
		if row["offset"] == int64(0) && (row["key"] != `\xff` || row["value"] != `\x6a756e6b20ff` || !strings.Contains(row["headers"].(string), "tarn.pos")) {
			t.Fatalf("%v", row)
		}
	}
	for offset, want := range map[string]string{
		"0": "not a change event: want '{' at byte 0", "1": "no header tarn.pos", "2": "the source left out column berth",
		"3": "a key column that may not be null is null, or of another type", "4": "schema 999 is not known",
	} {
		if got[offset] != want {
			t.Errorf("offset %s: %q, want %q", offset, got[offset], want)
		}
	}
	if len(r.lake.rows("bronze.port_main_calls")) != 4 || len(r.lake.rows("silver.calls")) != 1 {
		t.Fatalf("%v %v", r.lake.rows("bronze.port_main_calls"), r.lake.rows("silver.calls"))
	}
}

// TestDeadLettersOfAVersionBefore: their table gets the columns that it lacks, and its rows stay.
func TestDeadLettersOfAVersionBefore(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode([]record.Record{{Value: []byte("junk"), Headers: s.headers()}}))
	rows := func() []map[string]any { return r.lake.rows("system.dead_letter") }
	r.wait(t, func() bool { return len(rows()) == 1 }, func() any { return rows() })
	r.halt()
	r.lake.forget("system.dead_letter", "letter", "reader")
	r.run()
	s.append(t, record.Encode([]record.Record{{Value: []byte("junk again"), Headers: s.headers()}}))
	r.wait(t, func() bool { return len(rows()) == 2 }, func() any { return rows() })
	if old, fresh := rows()[0], rows()[1]; old["letter"] != nil || old["reader"] != nil || fresh["letter"] != int64(1) || fresh["reader"] != "landing in bronze" || old["value"] != "junk" {
		t.Fatalf("%v\n%v", old, fresh)
	}
}

// TestADeadLetterOfAHugeRecord: rendered it would be larger than the log takes.
func TestADeadLetterOfAHugeRecord(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode([]record.Record{{Key: []byte("k"), Value: bytes.Repeat([]byte{1}, 7<<20), Headers: s.headers()}}),
		record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.settled(t, s.topic)
	r.wait(t, func() bool { return len(r.lake.rows("system.dead_letter")) == 1 }, func() any { return r.line(s.topic.Name()) })
	if got := r.lake.rows("system.dead_letter")[0]["error"].(string); !strings.Contains(got, "the record of 7340033 bytes is cut") {
		t.Fatal(got)
	}
}

func TestATableThatFailsIsRetriedAndOthersGoOn(t *testing.T) {
	r := newRig(t)
	a, b := newSource(t, r, "p.main.a", named("a")), newSource(t, r, "p.main.b", named("b"))
	var broken atomic.Bool
	broken.Store(true)
	r.lake.before = func(id table.Ident, _ table.Change) error {
		if id.Name == "a" && broken.Load() {
			return errPlanted
		}
		if id.Name == "p_main_a" && broken.Load() {
			panic("planted")
		}
		return nil
	}
	r.run()
	a.append(t, record.Encode(a.change('c', nil, row(1, "A", 1))))
	b.append(t, record.Encode(b.change('c', nil, row(1, "B", 1))))
	r.settled(t, b.topic)
	r.wait(t, func() bool { return r.line("p.main.a").State == "retrying" }, func() any { return r.line("p.main.a") })
	report := r.landing.Report()
	if len(report) != 2 || report[0].State != "degraded" || report[1].Name != "landing:p.main.a" || report[1].Error == "" {
		t.Fatalf("%+v", report)
	}
	broken.Store(false)
	if one := r.settled(t, a.topic); one.State != "landing" || one.Error != "" {
		t.Fatalf("%+v", one)
	}
	if len(r.lake.rows("bronze.p_main_a")) != 1 || len(r.lake.rows("silver.a")) != 1 || len(r.landing.Report()) != 1 {
		t.Fatal("not landed once")
	}
}

func named(name string) record.Schema {
	s := calls()
	s.Table = name
	return s
}

func TestALogThatBeginsAboveTheTableIsAFaultThatNamesBothOffsets(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	for i := range 6 {
		s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1))))
	}
	r.settled(t, s.topic)
	r.halt()
	if err := s.topic.Partitions()[0].Trim(r.ctx, 5); err != nil {
		t.Fatal(err)
	}
	start := s.topic.Partitions()[0].LogStart()
	if start == 0 {
		t.Fatal("nothing was trimmed")
	}
	held := r.lake.tables[table.ParseIdent("silver.calls")]
	held.props[table.PropOffsets+"landing"] = `{"port.main.calls":{"0":{"next":0}}}`
	r.run()
	r.wait(t, func() bool { return r.line("port.main.calls").State == "quarantined" }, func() any { return r.line("port.main.calls") })
	one := r.line("port.main.calls")
	if !strings.Contains(one.Error, "up to offset 0") || !strings.Contains(one.Error, fmt.Sprintf("begins at %d", start)) {
		t.Fatalf("%+v", one)
	}
}

func TestAStopLandsWhatIsInFlight(t *testing.T) {
	r := newRig(t)
	r.every = time.Hour
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	for i := range 50 {
		s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1))))
	}
	start := time.Now()
	r.halt()
	if len(r.lake.rows("bronze.port_main_calls")) != 50 || len(r.lake.rows("silver.calls")) != 50 {
		t.Fatalf("%d, %d rows", len(r.lake.rows("bronze.port_main_calls")), len(r.lake.rows("silver.calls")))
	}
	if took := time.Since(start); took > patience {
		t.Fatal(took)
	}
}

func TestAStopDoesNotWaitForAStuckTable(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.lake.before = func(table.Ident, table.Change) error { return errPlanted }
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.wait(t, func() bool { return r.line("port.main.calls").State == "retrying" }, func() any { return r.line("port.main.calls") })
	r.halt()
}

func TestCommitsAreToldInTheirTopic(t *testing.T) {
	r := newRig(t)
	r.run()
	for i := range 3 {
		r.landing.Committed(table.Committed{Table: table.Ident{Namespace: "bronze", Name: "x"}, ID: "u", SnapshotID: int64(i), Operation: "append", AddedRows: 5, At: time.Now(), Millis: 7})
	}
	r.landing.Committed(table.Committed{Table: table.Ident{Namespace: "system", Name: "commits"}})
	r.wait(t, func() bool { return len(r.lake.rows("system.commits")) == 3 }, func() any { return r.lake.rows("system.commits") })
	row := r.lake.rows("system.commits")[2]
	if row["table"] != "bronze.x" || row["snapshot_id"] != int64(2) || row["ms"] != int64(7) || row["added_rows"] != int64(5) || row["at"] == nil {
		t.Fatalf("%v", row)
	}
	if _, ok := r.lake.tables[table.ParseIdent("system.dead_letter")]; !ok {
		t.Fatal("system.dead_letter is not there before its first record")
	}
}

func TestTopicsComeAndGo(t *testing.T) {
	r := newRig(t)
	r.run()
	s := newSource(t, r, "port.main.calls", calls())
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.settled(t, s.topic)
	c := s.topic.Config()
	c.Land = false
	if err := r.bus.AlterTopic(r.ctx, s.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	r.wait(t, func() bool { return r.line(s.topic.Name()).Topic == "" }, func() any { return r.landing.Landings() })
	s.append(t, record.Encode(s.change('c', nil, row(2, "B", 1))))
	c.Land = true
	if err := r.bus.AlterTopic(r.ctx, s.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "A,B" {
		t.Fatal(got)
	}
}

func TestATopicWithoutSchemasIsTypedByWhatItHolds(t *testing.T) {
	r := newRig(t)
	top := r.topic(t, "Gate.Events", bus.TopicConfig{Partitions: 2, Land: true})
	put := func(p int, values ...string) {
		t.Helper()
		var list []record.Record
		for _, v := range values {
			list = append(list, record.Record{Timestamp: 1, Key: []byte("k"), Value: []byte(v)})
		}
		if _, err := top.Partitions()[p].Append(r.ctx, record.Encode(list)); err != nil {
			t.Fatal(err)
		}
	}
	put(0, `{"n":1,"f":1,"s":"x","ok":true,"o":{"a":[1]},"_key":null}`, `{"n":2,"f":1.5,"_key":9}`, `no json`, `[1]`)
	put(1, `{"n":3}`)
	r.run()
	r.settled(t, top)
	put(1, `{"n":1.5,"f":7,"s":3,"o":"text","late":12345678901234567890,"new":1}`)
	one := r.settled(t, top)
	var got []string
	for _, c := range r.lake.columns("bronze.gate_events")[5:] {
		got = append(got, c.Name+" "+string(c.Type))
	}
	if want := "n long,f double,s string,ok boolean,o string,_key_2 long,_extra string,_value binary,new long"; strings.Join(got, ",") != want {
		t.Fatal(got)
	}
	rows := r.lake.rows("bronze.gate_events")
	if len(rows) != 6 {
		t.Fatalf("%v", rows)
	}
	for _, row := range rows {
		switch {
		case row["_partition"] == int64(0) && row["_offset"] == int64(0):
			if row["o"] != `{"a":[1]}` || row["ok"] != "true" || row["f"] != "1" {
				t.Fatalf("%v", row)
			}
		case row["_partition"] == int64(1) && row["_offset"] == int64(1):
			if row["_extra"] != `{"late":12345678901234567890,"n":1.5,"s":3}` || row["o"] != `"text"` || row["f"] != "7" || row["new"] != int64(1) {
				t.Fatalf("%v", row)
			}
		case row["_offset"] == int64(2):
			if row["_value"] == nil || row["n"] != nil {
				t.Fatalf("%v", row)
			}
		}
	}
	if one.Misfits != 5 {
		t.Fatalf("%+v", one)
	}
}
