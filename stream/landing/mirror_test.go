package landing_test

import (
	"strings"
	"testing"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/lake/table"
)

func TestASecondClaimantOfATableIsNamedAndTheFirstLandsOn(t *testing.T) {
	r := newRig(t)
	first := newSource(t, r, "p.main.calls", calls())
	r.run()
	first.append(t, record.Encode(first.change('c', nil, row(1, "A", 1))))
	r.settled(t, first.topic)
	second := newSource(t, r, "p_main.calls", calls())
	second.append(t, record.Encode(second.change('c', nil, row(2, "B", 2))))
	stuck := func(name, setting string) {
		t.Helper()
		r.wait(t, func() bool {
			one := r.line(name)
			return one.State == "quarantined" && strings.Contains(one.Hint, setting)
		}, func() any { return r.line(name) })
	}
	stuck("p_main.calls", "tarn.table")
	first.append(t, record.Encode(first.change('c', nil, row(3, "C", 3))))
	r.settled(t, first.topic)
	c := second.topic.Config()
	c.Table = "other"
	if err := r.bus.AlterTopic(r.ctx, second.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	stuck("p_main.calls", "tarn.mirror")
	c.Mirror = "Other Calls"
	if err := r.bus.AlterTopic(r.ctx, second.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	one := r.settled(t, second.topic)
	if one.State != "landing" || one.Silver.Name != "other_calls" || len(r.lake.rows("bronze.other")) != 1 || len(r.lake.rows("silver.other_calls")) != 1 {
		t.Fatalf("%+v", one)
	}
}

func TestTheMirrorFollowsTheSourcesColumns(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", record.Schema{Source: "src", Schema: "main", Table: "calls", Columns: []record.Column{
		{Name: "id", Type: record.Int, Key: 1},
		{Name: "berth", Type: record.String, Nullable: true},
		{Name: "_offset", Type: record.Long, Nullable: true},
		{Name: "a.b", Type: record.Float, Nullable: true},
	}})
	r.run()
	s.append(t, record.Encode(s.change('c', nil, record.Row{num(1), str("A"), num(7), real(1.5)})))
	r.settled(t, s.topic)
	s.put(t, record.Schema{Source: "src", Schema: "main", Table: "calls", Columns: []record.Column{
		{Name: "id", Type: record.Long, Key: 1},
		{Name: "berth", Type: record.Long, Nullable: true},
		{Name: "a.b", Type: record.Double, Nullable: true},
		{Name: "new", Type: record.Binary, Nullable: true},
	}})
	s.append(t, record.Encode(s.change('c', nil, record.Row{num(1 << 40), num(5), real(2.5), {Kind: record.BytesKind, B: []byte{1}}})),
		record.Encode(s.change('u', record.Row{num(1), num(4), real(1), {}}, record.Row{num(1), {}, real(1), {}})))
	one := r.settled(t, s.topic)
	var got []string
	for _, c := range r.lake.columns("silver.calls") {
		got = append(got, c.Name+" "+string(c.Type))
	}
	want := "id long,berth string,_offset_2 long,a_b double,_extra string,_offset long,_generation long,new binary"
	if strings.Join(got, ",") != want {
		t.Fatalf("columns %v", got)
	}
	rows := r.lake.rows("silver.calls")
	if len(rows) != 2 || rows[0]["id"] != int64(1<<40) || rows[0]["berth"] != nil || rows[0]["_extra"] != `{"berth":{"type":"integer","value":5}}` || rows[0]["a_b"] != "2.5" {
		t.Fatalf("%v", rows)
	}
	if rows[1]["_offset_2"] != nil || rows[1]["_extra"] != nil {
		t.Fatalf("%v", rows[1])
	}
	if one.Misfits != 1 || len(one.Findings) != 1 || !strings.Contains(one.Findings[0], "berth") {
		t.Fatalf("%+v", one)
	}
}

func TestRowsWithANullOrMisfittingKeyAreToldApart(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", record.Schema{Source: "src", Schema: "main", Table: "calls", Columns: []record.Column{
		{Name: "code", Type: record.Long, Key: 1, Nullable: true},
		{Name: "berth", Type: record.String, Nullable: true},
	}})
	r.run()
	s.append(t, record.Encode(s.change('c', nil, record.Row{num(1), str("A")})),
		record.Encode(s.change('c', nil, record.Row{str("x"), str("B")})),
		record.Encode(s.change('c', nil, record.Row{str("y"), str("C")})),
		record.Encode(s.change('c', nil, record.Row{{}, str("D")})),
		record.Encode(s.change('u', record.Row{str("x"), str("B")}, record.Row{str("x"), str("B2")})))
	r.settled(t, s.topic)
	s.append(t, record.Encode(s.change('d', record.Row{str("y"), str("C")}, nil)), record.Encode(s.change('d', record.Row{{}, str("D")}, nil)))
	one := r.settled(t, s.topic)
	rows := r.lake.rows("silver.calls")
	if len(rows) != 2 || rows[0]["_key"] != nil || rows[1]["berth"] != "B2" || rows[1]["_extra"] != `{"code":{"type":"text","value":"x"}}` {
		t.Fatalf("%v", rows)
	}
	if one.DeadLetters != 0 {
		t.Fatalf("%+v", one)
	}
}

func TestAReSnapshotLeavesNoGhosts(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "A", 1))), record.Encode(s.change('r', nil, row(2, "B", 2))), s.mark(record.SnapshotEnd))
	r.run()
	r.settled(t, s.topic)
	// In one commit: an old change whose row is gone by the end of the next snapshot.
	r.halt()
	s.append(t, record.Encode(s.change('c', nil, row(3, "ghost", 3))))
	s.gen = 2
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "A2", 1))),
		record.Encode(s.change('c', nil, row(4, "D", 4))), s.mark(record.SnapshotEnd), record.Encode(s.change('c', nil, row(5, "E", 5))))
	r.run()
	r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "A2,D,E" {
		t.Fatal(got)
	}
	s.gen = 3
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('t', nil, nil)), s.mark(record.SnapshotEnd))
	r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "" {
		t.Fatal(got)
	}
	if n := len(r.lake.rows("bronze.port_main_calls")); n != 7 {
		t.Fatalf("%d bronze rows: marks make none, and a TRUNCATE one", n)
	}
	if line := r.line(s.topic.Name()); line.DeadLetters != 0 || line.State != "landing" {
		t.Fatalf("%+v", line)
	}
}

func berths(r *rig, name string) string {
	var out []string
	for _, row := range r.lake.rows(name) {
		if b, ok := row["berth"].(string); ok {
			out = append(out, b)
		}
	}
	return strings.Join(out, ",")
}

func TestAnEmptySnapshotMakesTheMirror(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, s.mark(record.SnapshotBegin), s.mark(record.SnapshotEnd))
	r.settled(t, s.topic)
	if cols := r.lake.columns("silver.calls"); len(cols) != 6 || !cols[0].Required || !cols[0].Key {
		t.Fatalf("%+v", cols)
	}
}

func TestAnotherKeyOfTheSourceIsFollowed(t *testing.T) {
	r := newRig(t)
	open := func(key string) record.Schema {
		s := record.Schema{Source: "src", Schema: "main", Table: "calls"}
		for _, name := range []string{"a", "berth"} {
			c := record.Column{Name: name, Type: record.String, Nullable: true}
			if name == key {
				c.Key = 1
			}
			s.Columns = append(s.Columns, c)
		}
		return s
	}
	s := newSource(t, r, "port.main.calls", open("a"))
	s.append(t, record.Encode(s.change('c', nil, record.Row{str("1"), str("A")})), record.Encode(s.change('c', nil, record.Row{str("2"), str("B")})))
	s.put(t, open("berth"))
	s.gen = 2
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, record.Row{str("1"), str("A")})),
		record.Encode(s.change('r', nil, record.Row{str("1"), str("C")})), s.mark(record.SnapshotEnd))
	r.run()
	r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "A,C" {
		t.Fatal(got)
	}
}

func TestAKeyColumnThatIsGoneAsksForANewMirror(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.settled(t, s.topic)
	s.put(t, record.Schema{Source: "src", Schema: "main", Table: "calls", Columns: []record.Column{{Name: "berth", Type: record.String, Key: 1}}})
	s.append(t, record.Encode(s.change('c', nil, record.Row{str("A")})))
	r.wait(t, func() bool { return r.line("port.main.calls").State == "quarantined" }, func() any { return r.line("port.main.calls") })
	if one := r.line("port.main.calls"); !strings.Contains(one.Hint, "tarn.mirror") {
		t.Fatalf("%+v", one)
	}
}

// quarantined waits until a topic asks for a new mirror.
func quarantined(t *testing.T, s *source) {
	t.Helper()
	stuck := func() bool {
		one := s.rig.line(s.topic.Name())
		return one.State == "quarantined" && strings.Contains(one.Hint, "tarn.mirror")
	}
	s.rig.wait(t, stuck, func() any { return s.rig.line(s.topic.Name()) })
}

func TestAKeyThatMovesToAnotherColumnAsksForANewMirror(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.settled(t, s.topic)
	moved := calls()
	moved.Columns[0].Key, moved.Columns[0].Nullable = 0, true
	moved.Columns[1].Key, moved.Columns[1].Nullable = 1, false
	s.put(t, moved)
	s.gen = 2
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, record.Row{{}, str("B"), real(1)})), s.mark(record.SnapshotEnd))
	quarantined(t, s)
	if got := berths(r, "silver.calls"); got != "A" {
		t.Fatal(got)
	}
}

func TestAKeyOfAnotherTypeAsksForANewMirror(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))), record.Encode(s.change('c', nil, row(2, "B", 1))))
	r.settled(t, s.topic)
	other := calls()
	other.Columns[0].Type = record.String
	s.put(t, other)
	s.gen = 2
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, record.Row{str("1"), str("A"), real(1)})), s.mark(record.SnapshotEnd))
	quarantined(t, s)
	if got := berths(r, "silver.calls"); got != "A,B" {
		t.Fatal(got)
	}
	if one := r.line(s.topic.Name()); one.DeadLetters != 0 {
		t.Fatalf("%+v", one)
	}
	// The hint's way out, though the log still begins with the old key; also over a restart.
	c := s.topic.Config()
	c.Mirror = "a new one"
	if err := r.bus.AlterTopic(r.ctx, s.topic.Name(), c); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.wait(t, func() bool { return r.line(s.topic.Name()).SilverNext == 5 }, func() any { return r.line(s.topic.Name()) })
		one := r.line(s.topic.Name())
		if rows := r.lake.rows("silver.a_new_one"); one.State != "landing" || len(rows) != 1 || rows[0]["id"] != "1" || berths(r, "silver.calls") != "A,B" {
			t.Fatalf("%v %+v", rows, one)
		}
		r.halt()
		before := r.lake.commits("silver.a_new_one")
		r.run()
		r.settled(t, s.topic)
		if n := r.lake.commits("silver.a_new_one"); n != before {
			t.Fatalf("landed again: %d commits, then %d", before, n)
		}
	}
}

func TestASnapshotWithRefusedRowsKeepsTheOldOnes(t *testing.T) {
	for name, apart := range map[string]bool{"in one commit": false, "over a restart": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := newSource(t, r, "port.main.calls", calls())
			r.run()
			s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))), record.Encode(s.change('c', nil, row(2, "B", 1))))
			r.settled(t, s.topic)
			r.halt()
			s.gen = 2
			s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "A2", 1))),
				record.Encode(s.change('r', nil, record.Row{str("two"), str("B2"), real(1)})))
			if apart {
				r.run()
				r.settled(t, s.topic)
				r.halt()
			}
			s.append(t, s.mark(record.SnapshotEnd))
			r.run()
			one := r.settled(t, s.topic)
			if got := berths(r, "silver.calls"); got != "B,A2" {
				t.Fatal(got)
			}
			if !strings.Contains(strings.Join(one.Findings, "\n"), "snapshot of generation 2") {
				t.Fatalf("%+v", one)
			}
			s.gen = 3 // a whole one clears up
			s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "A3", 1))), s.mark(record.SnapshotEnd))
			r.settled(t, s.topic)
			if got := berths(r, "silver.calls"); got != "A3" {
				t.Fatal(got)
			}
		})
	}
}

// TestAKeyThatComesToBeNull: a mirror whose key was required takes such rows, and tells them
// apart from then on.
func TestAKeyThatComesToBeNull(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.settled(t, s.topic)
	both := calls()
	both.Columns[0].Nullable, both.Columns[1].Key = true, 2
	s.put(t, both)
	s.append(t, record.Encode(s.change('c', nil, record.Row{{}, str("B"), real(1)})), record.Encode(s.change('c', nil, record.Row{num(2), {}, real(1)})),
		record.Encode(s.change('c', nil, row(2, "C", 1))))
	one := r.settled(t, s.topic)
	if rows := r.lake.rows("silver.calls"); len(rows) != 4 || one.DeadLetters != 0 || one.State != "landing" || len(one.Findings) != 1 {
		t.Fatalf("%v %+v", rows, one)
	}
	s.append(t, record.Encode(s.change('c', nil, record.Row{str("x"), str("D"), real(1)})),
		record.Encode(s.change('d', record.Row{{}, str("B"), real(1)}, nil)), record.Encode(s.change('u', row(2, "C", 1), row(2, "C", 7))))
	one = r.settled(t, s.topic)
	if rows := r.lake.rows("silver.calls"); len(rows) != 4 || one.DeadLetters != 0 || berths(r, "silver.calls") != "A,D,C" {
		t.Fatalf("%v %+v", rows, one)
	}
}

// TestASchemaThatWasLost: its source stores it again at its next start, so the mirror waits.
func TestASchemaThatWasLost(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	later := calls()
	later.Columns = append(later.Columns, record.Column{Name: "late", Type: record.Long, Nullable: true})
	id, err := newRig(t).schemas.Put(r.ctx, later)
	if err != nil {
		t.Fatal(err)
	}
	unstored := later
	unstored.ID = id
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	s.schema = &unstored
	s.append(t, record.Encode(s.change('c', nil, append(row(2, "B", 1), num(7)))))
	r.wait(t, func() bool {
		one := r.line(s.topic.Name())
		return one.State == "quarantined" && strings.Contains(one.Error, "is not in meta.db") && one.Hint != "" && one.DeadLetters == 0
	}, func() any { return r.line(s.topic.Name()) })
	s.put(t, later)
	r.halt()
	r.run()
	r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "A,B" {
		t.Fatal(got)
	}
}

func TestATableThatGainsAKeyIsMirroredFromThenOn(t *testing.T) {
	r := newRig(t)
	keyless := calls()
	keyless.Columns[0].Key = 0
	s := newSource(t, r, "port.main.calls", keyless)
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "A", 1))), s.mark(record.SnapshotEnd))
	s.put(t, calls())
	s.gen = 2
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "A", 1))), s.mark(record.SnapshotEnd))
	r.run()
	r.settled(t, s.topic)
	// It loses its key, and has it again.
	s.put(t, keyless)
	s.gen = 3
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(1, "B", 1))), s.mark(record.SnapshotEnd))
	one := r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "A" || one.State != "landing" || one.DeadLetters != 0 || len(one.Findings) != 1 || !strings.Contains(one.Findings[0], "no key") {
		t.Fatalf("%s %+v", got, one)
	}
	s.put(t, calls())
	s.gen = 4
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, row(2, "C", 1))), s.mark(record.SnapshotEnd))
	r.settled(t, s.topic)
	if got := berths(r, "silver.calls"); got != "C" {
		t.Fatal(got)
	}
}

func TestTheSchemaStandsBeforeTheMirrorsNameUnlessItIsTheOnlyOne(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"pg.harbour.calls", "pg.yard.moves"} {
		r.topic(t, name, bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"})
	}
	schema := calls()
	schema.Schema = "harbour"
	s := newSource(t, r, "pg.harbour.calls", schema)
	r.run()
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.settled(t, s.topic)
	if r.lake.columns("silver.harbour_calls") == nil {
		t.Fatal("no silver.harbour_calls")
	}
	p, _ := r.lake.tables[table.ParseIdent("silver.harbour_calls")].Property(table.PropSource)
	if p != "src/harbour.calls" {
		t.Fatal(p)
	}
}
