package landing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/lake/table"
)

// toasted is a table as PostgreSQL's source describes it, with values that it does not send when they have not changed.
func toasted() record.Schema {
	return record.Schema{Source: "src", Database: "port", Schema: "public", Table: "notes", Columns: []record.Column{
		{Name: "id", Type: record.Int, Key: 1},
		{Name: "big", Type: record.String, Nullable: true},
		{Name: "amount", Type: "decimal(10,2)", Semantic: record.Decimal, Scale: 2, Nullable: true},
		{Name: "at", Type: record.Timestamp, Semantic: record.MilliTimestamp, Nullable: true},
		{Name: "v", Type: record.Int, Nullable: true},
	}}
}

var unsent = record.Value{Kind: record.Missing}

// moveKey is a change of key, as the runner writes it: the create's place is the delete's with "-" behind it.
func moveKey(s *source, old, now record.Row) []record.Record {
	out := s.change('d', old, nil)
	made := s.change('c', nil, now)
	place := out[0].Headers[0].Value
	out[1].Headers[0].Value = append(append([]byte{}, place...), '+')
	made[0].Headers[0].Value = append(append([]byte{}, place...), '-')
	return append(out, made...)
}

// TestAMirrorMadeAgainKeepsUnsentValues: no piece of what is read ends inside a change of key.
func TestAMirrorMadeAgainKeepsUnsentValues(t *testing.T) {
	r := newRig(t)
	calls := toasted()
	calls.Schema, calls.Table = "main", "calls"
	s := newSource(t, r, "port.main.calls", calls)
	r.run()
	whole := func(id int64) record.Row { return record.Row{num(id), str(fmt.Sprint("big of ", id)), {}, {}, num(id)} }
	for id := range int64(8) {
		s.append(t, record.Encode(s.change('c', nil, whole(id))))
	}
	for id := range int64(8) {
		now := whole(100 + id)
		now[1] = unsent
		s.append(t, record.Encode(moveKey(s, whole(id), now)))
		if id%3 > 0 { // so that they come in every turn
			s.append(t, record.Encode(s.change('c', nil, whole(1000+id))))
		}
	}
	r.settled(t, s.topic)
	want := content(r, "silver.calls")
	if len(want) != 13 || strings.Contains(strings.Join(want, " "), "missing") {
		t.Fatalf("the mirror is\n%s", strings.Join(want, "\n"))
	}
	r.halt()
	restart(t, r)
	r.run()
	r.settled(t, s.topic)
	if got := content(r, "silver.calls"); !slices.Equal(got, want) {
		t.Fatalf("the mirror is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestUnsentValuesOfOneCommitAreBounded, however short the records are that keep them: also of changes of key.
func TestUnsentValuesOfOneCommitAreBounded(t *testing.T) {
	const rows, big = 60, 200_000
	r := newRig(t)
	s := newSource(t, r, "port.public.notes", toasted())
	r.run()
	whole := func(id int64) record.Row {
		return record.Row{num(id), str(strings.Repeat("x", big) + fmt.Sprint(id%100)), {}, {}, num(1)}
	}
	for id := range int64(rows) {
		s.append(t, record.Encode(s.change('c', nil, whole(id))))
	}
	r.settled(t, s.topic)
	var largest atomic.Int64
	r.lake.mu.Lock()
	r.lake.before = func(id table.Ident, c table.Change) error {
		if id.Namespace == "silver" && len(c.Rows) > 0 {
			largest.Store(max(largest.Load(), c.Rows[0].NumRows()*big))
		}
		return nil
	}
	r.lake.mu.Unlock()
	var out []record.Record
	for id := range int64(rows) {
		now := whole(id)
		if now[1], now[4] = unsent, num(2); id%2 == 0 {
			out = append(out, s.change('u', nil, now)...)
			continue
		}
		now[0] = num(100 + id)
		out = append(out, moveKey(s, record.Row{num(id), {}, {}, {}, {}}, now)...)
	}
	s.append(t, record.Encode(out))
	r.settled(t, s.topic)
	got := r.lake.rows("silver.notes")
	if len(got) != rows || largest.Load() > 4<<20 { // of the rig's memory a commit has less than 3 MB
		t.Fatalf("%d rows, %d bytes in a commit", len(got), largest.Load())
	}
	for _, row := range got {
		text, _ := row["big"].(string)
		if id, _ := row["id"].(int64); row["v"] != int64(2) || len(text) < big || text[big:] != fmt.Sprint(id%100) {
			t.Fatalf("row %d has %d bytes and v=%v", id, len(text), row["v"])
		}
	}
}

// TestUnchangedValuesAreOfTheRowBefore runs random changes over few keys, in collections as they come, and holds the mirror
// against a model: a value that the source left out is the row's last one, also behind a change of its key, also where that
// one did not fit its column.
func TestUnchangedValuesAreOfTheRowBefore(t *testing.T) {
	r := newRig(t)
	s := newSource(t, r, "port.public.notes", toasted())
	r.run()
	const seed = 8
	random := rand.New(rand.NewPCG(seed, seed))
	model := map[int64]record.Row{}
	amounts := []record.Value{str("12.34"), str("-99999999.99"), {}, str("NaN")}
	times := []record.Value{num(1795439655123000), {}, str("infinity")}
	for range 40 {
		var out []record.Record
		for range 1 + random.IntN(12) {
			id, to := random.Int64N(5), 5+random.Int64N(5)
			old, there := model[id]
			now := record.Row{num(id), str(strings.Repeat("x", random.IntN(50))), amounts[random.IntN(4)], times[random.IntN(3)], num(random.Int64N(100))}
			switch {
			case !there:
				out = append(out, s.change('c', nil, now)...)
			case random.IntN(8) == 0:
				out = append(out, s.change('d', old, nil)...)
				delete(model, id)
				continue
			default:
				sent := append(record.Row{}, now...)
				for _, i := range []int{1, 2, 3} {
					if random.IntN(2) == 0 {
						now[i], sent[i] = old[i], unsent
					}
				}
				if _, taken := model[to]; random.IntN(6) > 0 || taken {
					out = append(out, s.change('u', nil, sent)...)
					break
				}
				delete(model, id)
				id, now[0], sent[0] = to, num(to), num(to)
				out = append(out, moveKey(s, old, sent)...)
			}
			model[id] = now
		}
		if random.IntN(2) == 0 { // schemas before keys and values change nothing
			frame := envelope.FrameOf(s.schema, s.topic.Name(), true)
			for i := range out {
				out[i].Key, out[i].Value = envelope.Wrap(frame.Key, out[i].Key), envelope.Wrap(frame.Value, out[i].Value)
			}
		}
		s.append(t, record.Encode(out))
		if random.IntN(3) == 0 {
			r.settled(t, s.topic)
		}
	}
	r.settled(t, s.topic)
	rows := r.lake.rows("silver.notes")
	if len(rows) != len(model) || len(rows) == 0 {
		t.Fatalf("%d rows, want %d", len(rows), len(model))
	}
	for _, row := range rows {
		want := model[row["id"].(int64)]
		extra := ""
		for i, name := range []string{"", "big", "amount", "at"} {
			misfit := i > 0 && want[i].Kind == record.TextKind && (string(want[i].B) == "NaN" || string(want[i].B) == "infinity")
			if misfit {
				extra += fmt.Sprintf(`,"%s":{"type":"text","value":"%s"}`, name, want[i].B)
			}
			if i == 3 {
				if _, has := row[name]; has != (want[i].Kind == record.IntKind) {
					t.Errorf("row %v: at is there: %t, want %v", row, has, want[i])
				}
				continue
			}
			if i == 0 || misfit || want[i].Kind == record.Null {
				if i > 0 && row[name] != nil {
					t.Errorf("row %v: %s, want null", row, name)
				}
				continue
			}
			if row[name] != string(want[i].B) {
				t.Errorf("row %v: %s, want %q", row, name, want[i].B)
			}
		}
		if row["v"] != want[4].I {
			t.Errorf("row %v: v, want %d", row, want[4].I)
		}
		if got, _ := row["_extra"].(string); strings.Trim(got, "{}") != strings.Trim(strings.TrimPrefix(extra, ","), "{}") {
			t.Errorf("row %v: extra %s, want %s", row, got, extra)
		}
	}
}
