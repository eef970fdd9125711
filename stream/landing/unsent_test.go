package landing_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
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
				// A change of key, as the runner writes it: the create's place is the delete's with "-" behind it.
				gone := s.change('d', old, nil)
				delete(model, id)
				id, now[0], sent[0] = to, num(to), num(to)
				made := s.change('c', nil, sent)
				made[0].Headers[0].Value = append(append([]byte{}, gone[0].Headers[0].Value...), '-')
				out = append(append(out, gone...), made...)
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
