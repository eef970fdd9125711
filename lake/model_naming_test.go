//go:build duckdb_arrow

package lake_test

import (
	"errors"

	"tarn/lake/catalog"
	"tarn/lake/table"
)

// twin is what the model knows of the table that orders change names with.
type twin struct {
	rows  map[int64]map[string]any
	past  map[int64]past
	order []int64
}

// naming are the model's steps that change what is called what.
func (m *model) naming() map[string]func() {
	return map[string]func(){"exchange": m.exchange, "exchange again": m.exchange, "rename": m.rename, "drop": m.drop}
}

// exchange gives orders the other table's name: what is said of orders afterwards is said of that one.
func (m *model) exchange() {
	if m.twin == nil {
		_, err := m.h.Tables().Ensure(m.tb.Context(), table.Spec{Ident: fresher, Columns: orderColumns})
		if m.crashed(err) {
			return
		}
		m.twin = &twin{rows: map[int64]map[string]any{}, past: map[int64]past{}}
	}
	was := m.tab
	if m.crashed(m.h.Tables().Exchange(m.tb.Context(), orders, fresher)) {
		return
	}
	if was.Ident() != fresher {
		m.t.Fatalf("the handle of what was orders says that it is %s", was.Ident())
	}
	m.tab = m.h.ensure(orders, orderColumns)
	m.rows, m.twin.rows = m.twin.rows, m.rows
	m.past, m.twin.past = m.twin.past, m.past
	m.order, m.twin.order = m.twin.order, m.order
}

// rename moves the table away and back, while another one has its name.
func (m *model) rename() {
	tables, ctx := m.h.Tables(), m.tb.Context()
	id := m.tab.ID()
	must(m.tb, tables.Rename(ctx, orders, spare))
	commit(m.tb, m.h.ensure(orders, orderColumns), table.Change{Rows: numbered(1, 1, 1)})
	if err := tables.Rename(ctx, spare, orders); !errors.Is(err, table.ErrExists) {
		m.t.Fatalf("two tables of a name: %v", err)
	}
	must(m.tb, tables.Drop(ctx, orders, ""))
	must(m.tb, tables.Rename(ctx, spare, orders))
	m.dropped = true
	if m.tab.ID() != id || m.tab.Ident() != orders {
		m.t.Fatalf("the table is %s %s", m.tab.Ident(), m.tab.ID())
	}
	m.check(catalog.At{})
}

// drop makes the table again, while its rows may be read.
func (m *model) drop() {
	old := m.tab
	must(m.tb, m.h.Tables().Drop(m.tb.Context(), orders, ""))
	m.tab = m.h.ensure(orders, orderColumns)
	if _, err := old.Commit(m.tb.Context(), table.Change{Rows: numbered(1, 1, 1)}); !errors.Is(err, table.ErrNotFound) {
		m.t.Fatalf("a commit to what was dropped: %v", err)
	}
	clear(m.rows)
	clear(m.past)
	m.order, m.dropped = nil, true // ids go on: a twin that comes back by name keeps its own
}
