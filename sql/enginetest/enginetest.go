//go:build duckdb_arrow

// Package enginetest is a Gate over a lake without tables, and a door before it. It is for tests alone.
package enginetest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/sql/engine"
)

// empty is a lake without tables.
type empty struct{ catalog.Catalog }

func (empty) Namespaces(context.Context) ([]string, error)             { return nil, nil }
func (empty) Entries(context.Context, string) ([]catalog.Entry, error) { return nil, nil }
func (empty) View(context.Context, table.Ident) (catalog.View, error) {
	return catalog.View{}, table.ErrNotFound
}

func (empty) Scan(context.Context, table.Ident, catalog.At) (*catalog.Scan, error) {
	return nil, table.ErrNotFound
}

// Door is one that is tested.
type Door interface {
	Run(ctx context.Context, ready func()) error
}

// Serve starts a Gate whose answers have rowsMax rows at most, with the live table system.ports (name, berths), and the door that
// door makes before it. Both end with the test, which fails where they do not end well. addr is the door's.
func Serve(t testing.TB, rowsMax int64, door func(net.Listener, *engine.Gate) Door) (gate *engine.Gate, addr string) {
	t.Helper()
	return ServeIn(t, t.TempDir(), rowsMax, guard.Open{}, door)
}

// ServeWith is Serve with a guard.
func ServeWith(t testing.TB, of guard.Guard, door func(net.Listener, *engine.Gate) Door) (gate *engine.Gate, addr string) {
	t.Helper()
	return ServeIn(t, t.TempDir(), 0, of, door)
}

// ServeIn is Serve with a guard, the folder that statements spill to, and more live tables.
func ServeIn(t testing.TB, spill string, rowsMax int64, of guard.Guard, door func(net.Listener, *engine.Gate) Door, more ...engine.SystemTable) (gate *engine.Gate, addr string) {
	t.Helper()
	return ServeAs(t, engine.Options{Guard: of, TempDir: spill, RowsMax: rowsMax, System: more}, door)
}

// ServeAs is Serve with options of the Gate; its catalog, clock and log, and its memory and threads where they are 0, are those of Serve.
func ServeAs(t testing.TB, o engine.Options, door func(net.Listener, *engine.Gate) Door) (gate *engine.Gate, addr string) {
	t.Helper()
	o.Catalog, o.Clock, o.Log = empty{}, life.SystemClock{}, slog.New(slog.DiscardHandler)
	o.MemoryBytes, o.Threads = cmp.Or(o.MemoryBytes, 256<<20), cmp.Or(o.Threads, 1)
	o.System = append([]engine.SystemTable{{
		Name: "ports", Columns: []engine.SystemColumn{{Name: "name", Type: record.String}, {Name: "berths", Type: record.Long}},
		Rows: func(context.Context) ([][]any, error) {
			return [][]any{{"Tanger Med", int64(8)}, {"Rotterdam", nil}}, nil
		},
	}}, o.System...)
	gate, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	d := door(l, gate)
	go func() { ended <- d.Run(ctx, func() {}) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, gate.Close()); err != nil {
			t.Error(err)
		}
	})
	return gate, l.Addr().String()
}

// Measured is the value of a counter or gauge without labels.
func Measured(t testing.TB, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	all, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
