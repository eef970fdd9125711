package landing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/record"
	"tarn/lake/table"
)

// content is what a table holds, in an order of its own.
func content(r *rig, name string) []string {
	var out []string
	for _, row := range r.lake.rows(name) {
		out = append(out, fmt.Sprint(row))
	}
	slices.Sort(out)
	return out
}

// restart empties silver.calls, to be made again.
func restart(t *testing.T, r *rig) {
	t.Helper()
	if done, err := r.lake.restart("silver.calls", "bronze.port_main_calls", "port.main.calls"); !done || err != nil {
		t.Fatalf("the mirror cannot be made again: %v, %v", done, err)
	}
}

// TestAMirrorIsMadeAgainOfBronze: also where its keys were null or misfits, its key became
// another one, cells went to _extra and records to the dead letters. The log has nothing of it.
func TestAMirrorIsMadeAgainOfBronze(t *testing.T) {
	r := newRig(t)
	columns := func(key int) record.Schema {
		s := record.Schema{Source: "src", Schema: "main", Table: "calls", Columns: []record.Column{
			{Name: "code", Type: record.Long, Nullable: true},
			{Name: "berth", Type: record.String, Nullable: true},
			{Name: "tons", Type: record.Double, Nullable: true},
		}}
		s.Columns[key].Key = 1
		return s
	}
	s := newSource(t, r, "port.main.calls", columns(0))
	r.run()
	put := func(op byte, before, after record.Row) {
		t.Helper()
		s.append(t, record.Encode(s.change(op, before, after)))
	}
	put('c', nil, record.Row{num(9), str("of before the snapshot"), real(1)})
	s.gen = 2
	s.append(t, s.mark(record.SnapshotBegin), record.Encode(s.change('r', nil, record.Row{num(1), str("A"), real(1.5)})), s.mark(record.SnapshotEnd))
	put('c', nil, record.Row{str("x"), str("B"), str("heavy")})
	put('c', nil, record.Row{{}, str("C\"\\\u00e9"), {}})
	put('u', record.Row{num(1), str("A"), real(1.5)}, record.Row{num(1), str("A2"), real(2)})
	put('c', nil, record.Row{num(2), str("D"), real(-0.5)})
	put('d', record.Row{num(2), str("D"), real(-0.5)}, nil)
	left := s.change('c', nil, record.Row{num(3), str("E"), real(1)})
	left[0].Value = []byte(strings.Replace(string(left[0].Value), `,"tons":1.0`, "", 1)) // refused by silver alone
	s.append(t, record.Encode(left))
	junk := s.change('c', nil, record.Row{num(4), str("F"), real(1)})
	junk[0].Value = []byte(`{"op":"none"}`) // refused by bronze
	s.append(t, record.Encode(junk))
	put('c', nil, record.Row{num(7), str("I"), real(1)})
	s.put(t, columns(1))
	put('c', nil, record.Row{num(5), str("G"), real(1)})
	s.put(t, columns(0))
	put('c', nil, record.Row{num(6), str("H"), real(1)})
	one := r.settled(t, s.topic)
	want, letters := content(r, "silver.calls"), len(content(r, "system.dead_letter"))
	if one.DeadLetters != 2 || len(want) != 6 {
		t.Fatalf("%+v\n%s", one, strings.Join(want, "\n"))
	}
	r.halt()
	restart(t, r)
	end := r.lake.offsetsOf("silver.calls", "port.main.calls").Next
	if err := s.topic.Partitions()[0].Trim(r.ctx, end); err != nil || s.topic.Partitions()[0].LogStart() != end {
		t.Fatalf("the log begins at %d, %v", s.topic.Partitions()[0].LogStart(), err)
	}
	r.run()
	one = r.settled(t, s.topic)
	if got := content(r, "silver.calls"); !slices.Equal(got, want) {
		t.Fatalf("the mirror is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !slices.ContainsFunc(one.Findings, func(f string) bool { return strings.Contains(f, "made again of bronze.port_main_calls") }) {
		t.Fatalf("%+v", one)
	}
	put('u', nil, record.Row{num(6), str("H2"), real(2)})
	r.settled(t, s.topic)
	if n := len(content(r, "silver.calls")); n != len(want) {
		t.Fatalf("%d rows after one more change", n)
	}
	r.wait(t, func() bool { return len(content(r, "system.dead_letter")) >= letters }, func() any { return letters })
	if n := len(content(r, "system.dead_letter")); n != 2 {
		t.Fatalf("%d dead letters", n)
	}
}

// TestARebuildWaitsForWhatBronzeLacks: it never ends as if it had all.
func TestARebuildWaitsForWhatBronzeLacks(t *testing.T) {
	for name, harm := range map[string]func(b *memTable){
		"a record": func(b *memTable) { b.rows = slices.Delete(b.rows, 1, 2) },
		"a schema": func(b *memTable) { delete(b.rows[1], "_schema") },
		"all":      func(b *memTable) { delete(b.lake.tables, b.id) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := newSource(t, r, "port.main.calls", calls())
			for i := range 5 {
				s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1))))
			}
			r.run()
			r.settled(t, s.topic)
			r.halt()
			restart(t, r)
			harm(r.lake.tables[table.ParseIdent("bronze.port_main_calls")])
			c := s.topic.Config()
			c.Table = "another" // so that nobody fills the one that is read
			if err := r.bus.AlterTopic(r.ctx, s.topic.Name(), c); err != nil {
				t.Fatal(err)
			}
			r.run()
			r.wait(t, func() bool { return r.line(s.topic.Name()).State == "quarantined" }, func() any { return r.line(s.topic.Name()) })
			if one := r.line(s.topic.Name()); !strings.Contains(one.Hint, "tarn repair") || !strings.Contains(one.Error, "bronze.port_main_calls") {
				t.Fatalf("%+v", one)
			}
			if at := r.lake.offsetsOf("silver.calls", s.topic.Name()); at.Past.Again == nil {
				t.Fatalf("the mirror stands at %+v", at)
			}
		})
	}
}

// TestARebuildWaitsForASchema, also where tarn.mirror makes dead letters of such records of the log.
func TestARebuildWaitsForASchema(t *testing.T) {
	for _, named := range []string{"", "calls"} {
		t.Run("mirror "+named, func(t *testing.T) {
			r := newRig(t)
			s := newSource(t, r, "port.main.calls", calls())
			c := s.topic.Config()
			c.Mirror = named
			if err := r.bus.AlterTopic(r.ctx, s.topic.Name(), c); err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1))))
			}
			r.run()
			r.settled(t, s.topic)
			want := content(r, "silver.calls")
			r.halt()
			restart(t, r)
			r.schemas = newRig(t).schemas // which have lost it
			r.run()
			r.wait(t, func() bool { return r.line(s.topic.Name()).State == "quarantined" }, func() any { return r.line(s.topic.Name()) })
			one := r.line(s.topic.Name())
			if !strings.Contains(one.Hint, "tarn repair") || !strings.Contains(one.Error, "not in meta.db") || one.DeadLetters != 0 {
				t.Fatalf("%+v", one)
			}
			if at := r.lake.offsetsOf("silver.calls", s.topic.Name()); at.Past.Again == nil {
				t.Fatalf("the mirror stands at %+v", at)
			}
			r.halt()
			s.put(t, calls())
			r.run()
			r.wait(t, func() bool { return slices.Equal(content(r, "silver.calls"), want) }, func() any { return r.line(s.topic.Name()) })
		})
	}
}

// TestAMirrorThatWasMadeAndNotFilled tells its past all the same: of no_data no snapshot ever ends.
func TestAMirrorThatWasMadeAndNotFilled(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	for i := range 3 {
		s.append(t, record.Encode(s.change('c', nil, row(int64(i), "A", 1))))
	}
	died := make(chan struct{}, 100)
	r.lake.set(func(id table.Ident, _ table.Change) error {
		if id.Namespace != "silver" {
			return nil
		}
		select {
		case died <- struct{}{}:
		default:
		}
		return errors.New("killed")
	}, nil)
	r.run()
	<-died
	r.halt()
	r.lake.set(nil, nil)
	if r.lake.columns("silver.calls") == nil || r.lake.commits("silver.calls") != 0 {
		t.Fatal("the mirror was not to be filled")
	}
	r.run()
	r.settled(t, s.topic)
	r.halt()
	want := content(r, "silver.calls")
	if at := r.lake.offsetsOf("silver.calls", s.topic.Name()); at.Past.Empty() || at.Past.Whole == nil || *at.Past.Whole != (record.Since{Records: 3}) {
		t.Fatalf("the mirror stands at %+v", at)
	}
	restart(t, r)
	r.run()
	r.wait(t, func() bool { return slices.Equal(content(r, "silver.calls"), want) }, func() any { return r.line(s.topic.Name()) })
}

// TestAMirrorWhoseOffsetsWereTakenAway has rows of which nobody knows where they are from.
func TestAMirrorWhoseOffsetsWereTakenAway(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.run()
	r.settled(t, s.topic)
	r.halt()
	delete(r.lake.tables[table.ParseIdent("silver.calls")].props, table.PropOffsets+"landing")
	r.run()
	r.settled(t, s.topic)
	if at := r.lake.offsetsOf("silver.calls", s.topic.Name()); at.Next != 1 || !at.Past.Empty() {
		t.Fatalf("the mirror stands at %+v", at)
	}
}

// TestBronzeOfAnOlderTarnGetsItsColumns, and its mirror's past counts what it lacks.
func TestBronzeOfAnOlderTarnGetsItsColumns(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.main.calls", calls())
	s.append(t, record.Encode(s.change('c', nil, row(1, "A", 1))))
	r.run()
	r.settled(t, s.topic)
	r.halt()
	b := r.lake.tables[table.ParseIdent("bronze.port_main_calls")]
	b.cols = b.cols[:len(b.cols)-2]
	for _, row := range b.rows {
		delete(row, "_schema")
		delete(row, "_generation")
	}
	s.append(t, record.Encode(s.change('c', nil, row(2, "B", 1))))
	r.run()
	r.settled(t, s.topic)
	rows := r.lake.rows("bronze.port_main_calls")
	if len(rows) != 2 || rows[0]["_schema"] != nil || rows[1]["_schema"] != s.schema.ID || rows[1]["_generation"] != s.gen {
		t.Fatalf("%v", rows)
	}
}
