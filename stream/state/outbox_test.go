//go:build duckdb_arrow

package state_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"tarn/embedded/duck"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
	"tarn/lake/table"
	"tarn/stream/plan"
	"tarn/stream/state"
)

// The outbox has each epoch's rows once, until they are pruned, and nothing of a tick that failed: in a file, and in memory.
func TestOutbox(t *testing.T) {
	for name, path := range map[string]string{"memory": "", "file": filepath.Join(t.TempDir(), "s.duckdb")} {
		t.Run(name, func(t *testing.T) { outbox(t, path) })
	}
}

func outbox(t *testing.T, path string) {
	made := planned(t, "SELECT v || '!' AS w, CAST(v AS INT) AS n, k FROM s WHERE k > 0")
	s, err := state.Open(t.Context(), state.Options{Name: "p", MemoryBytes: 64 << 20, Path: path}, made)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	tick := func(pruned int64, values ...string) (int64, error) {
		progress := s.Progress.Clone()
		return s.Apply(t.Context(), state.Tick{Rows: map[string]state.Rows{"in0": texts(made.Scans[0], values)}, Progress: progress, Pruned: pruned})
	}
	tell := func(from, to int64, want ...string) {
		t.Helper()
		var got []string
		err := s.Rows(t.Context(), from, to, func(b arrow.RecordBatch) error {
			for row := range int(b.NumRows()) {
				got = append(got, b.Column(0).ValueStr(row)+b.Column(1).ValueStr(row)+"/"+b.Column(2).ValueStr(row))
			}
			return nil
		}, nil)
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("epochs above %d to %d: %q %v, want %q", from, to, got, err, want)
		}
	}
	upTo := func(above, rowsMax, want int64) {
		t.Helper()
		if got, err := s.Outbox(t.Context(), above, rowsMax); err != nil || got != want {
			t.Errorf("outbox above %d, %d rows: epoch %d %v, want %d", above, rowsMax, got, err, want)
		}
	}
	upTo(0, 100, 0)
	for n, values := range [][]string{{"0", "1", "2"}, {"0"}, {"0", "3"}, {"0", "4", "5"}} { // the first has k = 0
		if emitted, err := tick(0, values...); err != nil || emitted != int64(len(values)-1) {
			t.Fatalf("tick %d: %d rows, %v", n, emitted, err)
		}
	}
	if _, err := tick(0, "0", "6", "none"); !duck.Refused(err) {
		t.Fatalf("a text as a number: %v", err)
	}
	if s.Progress.Epoch != 4 {
		t.Errorf("epoch %d", s.Progress.Epoch)
	}
	upTo(0, 100, 4)
	upTo(0, 3, 3)
	upTo(0, 1, 1)
	upTo(1, 1, 3)
	upTo(3, 0, 4)
	upTo(4, 100, 0)
	tell(0, 4, "1!1/1", "2!2/2", "3!3/1", "4!4/1", "5!5/2")
	tell(1, 3, "3!3/1")
	if err := s.Prune(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	tell(0, 4, "3!3/1", "4!4/1", "5!5/2")
	if _, err := tick(3, "0", "7"); err != nil {
		t.Fatal(err)
	}
	tell(0, 5, "4!4/1", "5!5/2", "7!7/1")
	upTo(0, 2, 4)
}

// An outbox in memory says when it has many bytes, be they few rows, until they are pruned; a tick that failed leaves none.
func TestOutboxBytes(t *testing.T) {
	made := planned(t, "SELECT v || '!' AS w, CAST(left(v, 1) AS INT) AS n, k FROM s")
	s, err := state.Open(t.Context(), state.Options{Name: "p", MemoryBytes: 64 << 20}, made)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	tick := func(value string) error {
		values := slices.Repeat([]string{strings.Repeat(value, 100_000)}, 42)
		_, err := s.Apply(t.Context(), state.Tick{Rows: map[string]state.Rows{"in0": texts(made.Scans[0], values)}, Progress: s.Progress.Clone()})
		return err
	}
	for range 2 {
		for n := range 4 {
			if s.Full() {
				t.Errorf("full after %d ticks", n)
			}
			if err := tick("x"); !duck.Refused(err) {
				t.Fatalf("a text as a number: %v", err)
			}
			if err := tick("1"); err != nil {
				t.Fatal(err)
			}
		}
		if !s.Full() {
			t.Error("not full after 4 ticks")
		}
		if err := s.Prune(t.Context(), s.Progress.Epoch); err != nil {
			t.Fatal(err)
		}
	}
}

// planned is the plan of a SELECT over s, which has k and v.
func planned(t *testing.T, body string) *plan.Plan {
	t.Helper()
	p, err := plan.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	of := &plan.Source{Name: "s", Columns: []plan.Column{{Name: "k", Type: record.Long}, {Name: "v", Type: record.String}}}
	made, err := p.Plan(t.Context(), plan.Request{Body: body}, func(context.Context, sqltext.Table) (*plan.Source, error) { return of, nil })
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// texts are rows whose k is their place.
func texts(scan *plan.Scan, values []string) state.Rows {
	var fields []arrow.Field
	for _, c := range slices.Concat(scan.Columns, scan.Hidden()) {
		fields = append(fields, arrow.Field{Name: c.Name, Type: table.ArrowType(c.Type), Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	if len(fields) != 2 {
		panic(fmt.Sprint("hidden columns: ", fields))
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, v := range values {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(v)
	}
	return state.Rows{Schema: schema, Batches: []arrow.RecordBatch{b.NewRecordBatch()}}
}
