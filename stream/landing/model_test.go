package landing_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/lake/table"
)

// world is a source table, the log of what happened to it, and what silver must be.
type world struct {
	*source
	t    *rapid.T
	rows map[int64]record.Row // the source's rows, in its schema's columns

	bronze []string // op and key of each record that is no mark, by its order
	silver map[int64]landed
	types  map[string]record.Type // of silver's columns
}

type landed struct {
	gen   int64
	cells map[string]any
	extra []string
}

// TestHistoriesLandOnce plays random histories of a source table (changes, changed keys,
// lost rows, snapshots with changes meanwhile, other columns) against random failures: commits
// refused, commits applied whose answer is lost, stops, crashes in between, mirrors that are
// damaged and made again of bronze.
func TestHistoriesLandOnce(t *testing.T) {
	r := newRig(t)
	var n atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		name := fmt.Sprintf("port.main.t%d", n.Add(1))
		w := &world{
			source: &source{rig: r, topic: r.topic(t, name, bus.TopicConfig{Partitions: 1, Land: true, Keyed: true, Source: "src"}), gen: 1},
			t:      t, rows: map[int64]record.Row{}, silver: map[int64]landed{}, types: map[string]record.Type{},
		}
		defer r.halt()
		w.alter("int", "string", "")
		w.play()
		r.halt()
		if err := r.bus.DeleteTopic(r.ctx, name); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

func (w *world) play() {
	steps := rapid.IntRange(3, 25).Draw(w.t, "steps")
	w.start()
	for range steps {
		switch rapid.SampledFrom([]string{"change", "change", "change", "snapshot", "lose", "alter", "restart", "crash", "settle", "rebuild"}).Draw(w.t, "step") {
		case "change":
			w.change1()
		case "snapshot":
			w.snapshot()
		case "lose":
			if ids := slices.Sorted(maps.Keys(w.rows)); len(ids) > 0 {
				delete(w.rows, rapid.SampledFrom(ids).Draw(w.t, "lost"))
			}
		case "alter":
			w.alter(
				rapid.SampledFrom([]string{"int", "long"}).Draw(w.t, "id"),
				rapid.SampledFrom([]string{"int", "long", "double", "string"}).Draw(w.t, "a"),
				rapid.SampledFrom([]string{"", "string", "long"}).Draw(w.t, "b"))
		case "restart":
			w.rig.halt()
			w.start()
		case "crash":
			w.rig.lake.set(func(table.Ident, table.Change) error { return errPlanted }, nil)
			w.rig.halt()
			if rapid.Bool().Draw(w.t, "up again") {
				w.start()
			}
		case "rebuild":
			w.rebuild()
		case "settle":
			if w.rig.stop != nil {
				w.rig.settled(w.t, w.topic)
			}
		}
	}
	if rapid.Bool().Draw(w.t, "snapshot at last") {
		w.snapshot()
	}
	if w.rig.stop == nil {
		w.start()
	}
	w.rig.settled(w.t, w.topic)
	w.check()
}

// rebuild damages the mirror, and has it made again of bronze, maybe behind a log that is gone.
func (w *world) rebuild() {
	w.rig.halt()
	name := w.topic.Name()
	bronze := "bronze." + table.NameOf(name)
	done, err := w.rig.lake.restart("silver."+w.schema.Table, bronze, name)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	if done && rapid.Bool().Draw(w.t, "the log is gone") {
		p := w.topic.Partitions()[0]
		next := w.rig.lake.offsetsOf("silver."+w.schema.Table, name).Next
		if err := p.Trim(w.rig.ctx, next); err != nil {
			w.t.Fatalf("trim to %d: %v", next, err)
		}
	}
	if rapid.Bool().Draw(w.t, "up again") {
		w.start()
	}
}

// start runs a landing whose commits fail now and then, before or after they are applied.
func (w *world) start() {
	var n atomic.Int64
	plan := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(w.t, "failures")
	fails := func(kind int) func(table.Ident, table.Change) error {
		return func(table.Ident, table.Change) error {
			if i := n.Add(1) - 1; i < int64(len(plan)) && plan[i] == kind {
				return errPlanted
			}
			return nil
		}
	}
	w.rig.lake.set(fails(1), fails(2))
	w.rig.run()
}

func (w *world) alter(id, a, b string) {
	s := record.Schema{Source: "src", Schema: "main", Table: w.topic.Name()[len("port.main."):], Columns: []record.Column{
		{Name: "id", Type: record.Type(id), Key: 1}, {Name: "a", Type: record.Type(a), Nullable: true},
	}}
	if b != "" {
		s.Columns = append(s.Columns, record.Column{Name: "b", Type: record.Type(b), Nullable: true})
	}
	w.put(w.t, s)
	for id := range w.rows { // as a rebuilt table has them
		w.rows[id] = w.row(id)
	}
}

func (w *world) row(id int64) record.Row {
	row := record.Row{num(id)}
	for _, c := range w.schema.Columns[1:] {
		n := rapid.Int64Range(-3, 3).Draw(w.t, c.Name)
		switch {
		case n == 0:
			row = append(row, record.Value{})
		case c.Type == record.String:
			row = append(row, str("t"+strconv.FormatInt(n, 10)))
		case c.Type == record.Double:
			row = append(row, real(float64(n)/2))
		default:
			row = append(row, num(n))
		}
	}
	return row
}

// change1 is one transaction of the source.
func (w *world) change1() {
	var out []record.Record
	for range rapid.IntRange(1, 4).Draw(w.t, "changes") {
		id := rapid.Int64Range(1, 5).Draw(w.t, "id")
		old, there := w.rows[id]
		switch {
		case !there:
			w.rows[id] = w.row(id)
			out = append(out, w.log('c', nil, w.rows[id])...)
		case rapid.Bool().Draw(w.t, "delete"):
			delete(w.rows, id)
			out = append(out, w.log('d', old, nil)...)
			if to := id + 5; rapid.Bool().Draw(w.t, "changed key") && w.rows[to] == nil {
				w.rows[to] = slices.Clone(old)
				w.rows[to][0] = num(to)
				out = append(out, w.log('c', nil, w.rows[to])...)
			}
		default:
			w.rows[id] = w.row(id)
			out = append(out, w.log('u', old, w.rows[id])...)
		}
	}
	w.append(w.t, record.Encode(out))
}

// snapshot takes one with a new generation, and changes in its midst.
func (w *world) snapshot() {
	w.gen++
	w.append(w.t, w.mark(record.SnapshotBegin))
	w.seen()
	ids := slices.Sorted(maps.Keys(w.rows))
	for len(ids) > 0 {
		n := rapid.IntRange(1, len(ids)).Draw(w.t, "chunk")
		var out []record.Record
		for _, id := range ids[:n] {
			if row := w.rows[id]; row != nil {
				out = append(out, w.log('r', nil, row)...)
			}
		}
		ids = ids[n:]
		if len(out) > 0 {
			w.append(w.t, record.Encode(out))
		}
		if rapid.Bool().Draw(w.t, "meanwhile") {
			w.change1()
		}
	}
	w.append(w.t, w.mark(record.SnapshotEnd))
	maps.DeleteFunc(w.silver, func(_ int64, l landed) bool { return l.gen < w.gen })
}

// log renders a change and notes what the tables must hold of it.
func (w *world) log(op byte, before, after record.Row) []record.Record {
	out := w.change(op, before, after)
	for _, r := range out {
		o := "null"
		if r.Value != nil {
			o = string(op)
		}
		w.bronze = append(w.bronze, o+string(r.Key))
	}
	w.seen()
	if op == 'd' {
		delete(w.silver, before[0].I)
		return out
	}
	l := landed{gen: w.gen, cells: map[string]any{}}
	for i, c := range w.schema.Columns {
		if v := after[i]; v.Kind == record.Null {
			continue
		} else if !fits(w.types[c.Name], c.Type) {
			l.extra = append(l.extra, c.Name)
		} else {
			l.cells[c.Name] = plain(v)
		}
	}
	w.silver[after[0].I] = l
	return out
}

// seen evolves the model's columns to the schema in use.
func (w *world) seen() {
	for _, c := range w.schema.Columns {
		if have, ok := w.types[c.Name]; !ok || have == record.Int && c.Type == record.Long {
			w.types[c.Name] = c.Type
		}
	}
}

func fits(have, is record.Type) bool { return have == is || have == record.Long && is == record.Int }

func plain(v record.Value) any {
	switch v.Kind {
	case record.TextKind:
		return string(v.B)
	case record.FloatKind:
		return strconv.FormatFloat(v.F, 'g', -1, 64)
	}
	return v.I
}

func (w *world) check() {
	one := w.rig.line(w.topic.Name())
	if one.DeadLetters != 0 {
		w.t.Fatalf("dead letters: %+v", one)
	}
	var bronze []string
	last := int64(-1)
	for _, row := range w.rig.lake.rows("bronze." + one.Bronze.Name) {
		op, ok := row["_op"].(string)
		if !ok {
			op = "null"
		}
		bronze = append(bronze, op+row["_key"].(string))
		if row["_offset"].(int64) <= last {
			w.t.Fatalf("offset %d after %d", row["_offset"], last)
		}
		last = row["_offset"].(int64)
	}
	if !slices.Equal(bronze, w.bronze) {
		w.t.Fatalf("bronze %v\nwant   %v", bronze, w.bronze)
	}
	got := map[int64]landed{}
	for _, row := range w.rig.lake.rows("silver." + w.schema.Table) {
		l := landed{gen: row["_generation"].(int64), cells: map[string]any{}}
		if x, ok := row["_extra"].(string); ok {
			var extra map[string]json.RawMessage
			if err := json.Unmarshal([]byte(x), &extra); err != nil {
				w.t.Fatalf("%v", err)
			}
			l.extra = slices.Sorted(maps.Keys(extra))
		}
		for name, v := range row {
			if name[0] != '_' && v != nil {
				l.cells[name] = v
			}
		}
		got[row["id"].(int64)] = l
	}
	if g, want := fmt.Sprint(got), fmt.Sprint(w.silver); g != want {
		w.t.Fatalf("silver %s\nwant   %s", g, want)
	}
}
