package sourcetest

import (
	"fmt"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
)

// row is one row of a mirror.
type row struct {
	value string
	gen   int64
}

// Fold makes of a topic's events what a mirror holds: key -> row object, as rendered. It
// fails the test when a place comes twice or goes back, or a generation does.
func Fold(t TB, events []Event) map[string]string {
	t.Helper()
	f := folder{rows: map[string]row{}}
	for i := range events {
		if err := f.take(&events[i]); err != nil {
			t.Fatalf("offset %d: %v", events[i].Offset, err)
		}
	}
	out := map[string]string{}
	for key, r := range f.rows {
		out[key] = r.value
	}
	return out
}

// Values are the records of a source without changes: key -> value. It fails the test when a key comes
// twice, or a place goes back.
func Values(t TB, events []Event) map[string]string {
	t.Helper()
	out := map[string]string{}
	var last record.Pos
	for i := range events {
		e := &events[i]
		pos, err := record.ParsePos(e.Pos)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := out[string(e.Key)]; twice || pos.Incarnation == last.Incarnation && pos.Place < last.Place {
			t.Fatalf("offset %d: %s at %s, after %s", e.Offset, e.Key, pos.Place, last.Place)
		}
		out[string(e.Key)], last = string(e.Value), pos
	}
	return out
}

type folder struct {
	rows map[string]row
	last record.Pos
	gen  int64
}

func (f *folder) take(e *Event) error {
	pos, err := record.ParsePos(e.Pos)
	if err != nil {
		return err
	}
	chunk := e.Mark != nil || f.last.Place == pos.Place && len(pos.Place) >= 33 && pos.Place[16] == '.'
	if pos.Incarnation == f.last.Incarnation && !pos.After(f.last) && !chunk {
		return fmt.Errorf("place %s comes after %s", pos.Place, f.last.Place)
	}
	if e.Gen < f.gen {
		return fmt.Errorf("generation %d comes after %d", e.Gen, f.gen)
	}
	f.last, f.gen = pos, e.Gen
	switch {
	case e.Mark != nil:
		if e.Mark.Kind == record.SnapshotEnd {
			f.sweep(e.Mark.Generation)
		}
		return nil
	case e.Value == nil:
		delete(f.rows, string(e.Key))
		return nil
	}
	event, err := envelope.Split(e.Value)
	if err != nil {
		return err
	}
	if event.Op == 'd' {
		delete(f.rows, string(e.Key))
		return nil
	}
	if event.Op == 't' {
		return nil // the marks round it say it all
	}
	f.rows[string(e.Key)] = row{string(event.After), e.Gen}
	return nil
}

func (f *folder) sweep(gen int64) {
	for key, r := range f.rows {
		if r.gen < gen {
			delete(f.rows, key)
		}
	}
}
