package landing_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/lake/table"
)

func calls() record.Schema {
	return record.Schema{Source: "src", Database: "port.db", Schema: "main", Table: "calls", Columns: []record.Column{
		{Name: "id", Type: record.Long, Key: 1},
		{Name: "berth", Type: record.String, Nullable: true},
		{Name: "tons", Type: record.Double, Nullable: true},
	}}
}

func newSource(t *testing.T, r *rig, topic string, schema record.Schema) *source {
	t.Helper()
	s := &source{rig: r, topic: r.topic(t, topic, bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"}), gen: 1}
	s.put(t, schema)
	return s
}

func row(id int64, berth string, tons float64) record.Row {
	return record.Row{num(id), str(berth), real(tons)}
}

func TestChangesLandInBronzeAndSilver(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A1", 10))), record.Encode(s.change('c', nil, row(2, "B2", 20))))
	r.settled(t, s.topic)
	s.append(t, record.Encode(s.change('u', row(1, "A1", 10), row(1, "A9", 11))), record.Encode(s.change('d', row(2, "B2", 20), nil)))
	s.append(t, record.Encode(s.change('c', nil, record.Row{num(3), {}, {}})))
	one := r.settled(t, s.topic)
	if one.Bronze.String() != "bronze.port_main_calls" || one.Silver.String() != "silver.calls" || one.LagRecords != 0 {
		t.Fatalf("%+v", one)
	}
	bronze := r.lake.rows("bronze.port_main_calls")
	if len(bronze) != 6 {
		t.Fatalf("%d bronze rows: %v", len(bronze), bronze)
	}
	for i, want := range []any{"c", "c", "u", "d", nil, "c"} {
		if bronze[i]["_op"] != want || bronze[i]["_offset"] != int64(i) {
			t.Fatalf("row %d: %v", i, bronze[i])
		}
	}
	if got := bronze[0]; got["_key"] != `{"id":1}` || got["after"] != `{"id":1,"berth":"A1","tons":10.0}` || got["before"] != nil || got["_topic"] != "port.main.calls" {
		t.Fatalf("%v", got)
	}
	silver := r.lake.rows("silver.calls")
	if len(silver) != 2 || silver[0]["berth"] != "A9" || silver[0]["_offset"] != int64(2) || silver[1]["id"] != int64(3) || silver[1]["_generation"] != int64(1) {
		t.Fatalf("%v", silver)
	}
	r.halt()
	r.run()
	s.append(t, record.Encode(s.change('d', row(1, "A9", 11), nil)))
	r.settled(t, s.topic)
	if n := len(r.lake.rows("bronze.port_main_calls")); n != 8 {
		t.Fatalf("%d bronze rows after a restart", n)
	}
	if n := len(r.lake.rows("silver.calls")); n != 1 {
		t.Fatalf("%d silver rows after a restart", n)
	}
	p, _ := r.lake.tables[table.ParseIdent("silver.calls")].Property(table.PropOffsets + "landing")
	if want := `{"port.main.calls":{"0":{"next":8,"places":{"src":"i1/0000000000000008"},"past":{"whole":{"offset":0,"records":8}}}}}`; p != want {
		t.Fatalf("offsets %s, want %s", p, want)
	}
}

// TestAnEmptyTopicIsWellAgain: what kept its table from being made is over, and no commit comes to tell it.
func TestAnEmptyTopicIsWellAgain(t *testing.T) {
	r := newRig(t)
	var full atomic.Bool
	full.Store(true)
	r.lake.make = func(table.Ident) error {
		if full.Load() {
			return errors.New("the disk is full")
		}
		return nil
	}
	newSource(t, r, "port.main.calls", calls())
	r.run()
	state := func() any { return r.line("port.main.calls") }
	r.wait(t, func() bool { return r.line("port.main.calls").State == "retrying" }, state)
	full.Store(false)
	r.wait(t, func() bool {
		return r.line("port.main.calls").State == "landing" && r.line("port.main.calls").Error == ""
	}, state)
}
