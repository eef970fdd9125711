//go:build duckdb_arrow

package lake_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"tarn/lake/catalog"
)

// reading is a query that goes on: a scan and the rows that it must find.
type reading struct {
	scan *catalog.Scan
	rows []string
}

// upkeep are the model's steps that take things away.
func (m *model) upkeep() map[string]func() {
	return map[string]func(){
		"sweep": func() { m.h.swept(m.clock, 1) }, "sweep for an hour": func() { m.h.sweptHours(m.clock, 2) },
		"expire": m.expire, "remove orphans": m.removeOrphans, "begin to read": m.beginToRead, "end to read": m.endToRead, "make again": m.makeAgain,
	}
}

// expire takes out snapshots, of which the current one and those that are read stay.
func (m *model) expire() {
	m.clock.pass(time.Hour)
	m.h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Millisecond})
	kept := m.h.snapshots(orders)
	for _, r := range m.readings {
		if r.scan.TableID == m.tab.ID() && r.scan.SnapshotID != 0 && !slices.Contains(kept, r.scan.SnapshotID) {
			m.t.Fatalf("snapshot %d is gone while it is read", r.scan.SnapshotID)
		}
	}
	m.order = slices.DeleteFunc(m.order, func(id int64) bool { return !slices.Contains(kept, id) })
}

// removeOrphans is by hand, of all that is unnamed for an hour.
func (m *model) removeOrphans() {
	m.h.execute(orders, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: time.Second})
}

func (m *model) beginToRead() {
	at := catalog.At{}
	if len(m.order) > 0 {
		at.SnapshotID = rapid.SampledFrom(m.order).Draw(m.t, "snapshot to read")
	}
	scan, err := m.h.Catalog().Scan(m.tb.Context(), orders, at)
	if err != nil {
		m.t.Fatal(err)
	}
	m.readings = append(m.readings, reading{scan, readScan(m.tb, scan)})
}

// endToRead reads to the end what was begun.
func (m *model) endToRead() {
	for _, r := range m.readings {
		if got := readScan(m.tb, r.scan); !slices.Equal(got, r.rows) {
			m.t.Fatalf("a query reads %v, began with %v", got, r.rows)
		}
		r.scan.Release()
	}
	m.readings = nil
}

// makeAgain drops the table as another engine does, without its files.
func (m *model) makeAgain() {
	dropForeign(m.tb, m.h.dir)
	m.tab = m.h.ensure(orders, orderColumns)
	clear(m.rows)
	clear(m.past)
	m.order = nil
}

// clean lets upkeep come to an end: then every file is named, and what is kept reads right.
func (m *model) clean() {
	m.endToRead()
	if rapid.Bool().Draw(m.t, "expired at last") {
		m.expire()
	}
	hours := 2
	if whole := m.dropped && rapid.IntRange(0, 7).Draw(m.t, "until what was dropped is gone") == 0; whole {
		hours, m.dropped = 75, false
	}
	m.h.sweptHours(m.clock, hours)
	m.removeOrphans()
	tables := 1
	if m.twin != nil {
		m.h.execute(fresher, catalog.Order{Action: catalog.RemoveOrphanFiles, Retention: time.Second})
		tables++
	}
	if n := m.h.one("SELECT count(*) FROM tarn_dropped"); n != "0" && !m.dropped {
		m.t.Fatalf("the folders of %s tables that were dropped are not gone: %v", n, m.h.files())
	}
	if left := m.h.orphans(); len(left) > 0 {
		m.t.Fatalf("nothing names %v", left)
	}
	list, err := m.h.Catalog().Health(m.tb.Context())
	if err != nil || len(list) != tables || list[0].OrphanFiles != 0 || list[tables-1].OrphanFiles != 0 {
		m.t.Fatalf("%+v, %v: %v", list, err, m.h.files())
	}
}
