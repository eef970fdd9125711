//go:build duckdb_arrow

package lake_test

import (
	dbsql "database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icesql "github.com/apache/iceberg-go/catalog/sql"
	icetable "github.com/apache/iceberg-go/table"
	"pgregory.net/rapid"

	"tarn/embedded/disk"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// foreignKeys are given to rows of the foreign writer, so that it makes no duplicates.
const foreignKeys = 1_000_000

// model is a table as a map, and the same after each snapshot.
type model struct {
	t     *rapid.T
	tb    testing.TB
	h     *house
	tab   table.Table
	rows  map[int64]map[string]any
	past  map[int64]past
	order []int64
	next  int64

	clock    *handClock
	readings []reading

	peer *peerProcess             // is the foreign one, and reads too; nil is iceberg-go
	disk breaker                  // fails where the house crashes
	were map[int64]map[string]any // before that

	twin    *twin // the table that is called fresher; nil for none yet
	dropped bool  // a table, whose files are to go

	steps map[string]func()
	// A compaction that has written its file waits on resume, after a word on written.
	inside          rewritten
	written, resume chan struct{}
}

type past struct {
	rows map[int64]map[string]any
	cols []string
}

func TestTableAgainstModel(t *testing.T) {
	t.Parallel()
	histories := 0
	if raced && !*deep {
		histories = 25 // make test walks all of them without the race detector
	}
	checkModel(t, nil, histories)
}

// checkModel walks so many histories; 0 is as many as rapid likes.
func checkModel(t *testing.T, peer *peerProcess, histories int) {
	base, turn := memoryDir(t), 0
	rapid.Check(t, func(r *rapid.T) {
		if turn++; histories > 0 && turn > histories {
			return
		}
		dir := filepath.Join(base, fmt.Sprint(turn))
		m := &model{t: r, tb: t, peer: peer, rows: map[int64]map[string]any{}, past: map[int64]past{}, written: make(chan struct{}), resume: make(chan struct{})}
		m.inside.do = func() { m.written <- struct{}{}; <-m.resume }
		m.disk.stays = true
		m.clock = newHandClock()
		m.h = openAt(t, dir, &disk.FS{Hook: m.hook}, m.clock)
		defer func() { _ = m.h.Close() }()
		m.tab = m.h.ensure(orders, orderColumns)
		m.steps = map[string]func(){
			"append": m.append, "upsert": m.upsert, "upsert again": m.upsert, "delete below": m.deleteBelow, "add column": m.addColumn,
			"foreign append": m.foreignAppend, "foreign delete": m.foreignDelete, "reopen": m.reopen, "properties": m.properties, "relax": m.relax,
			"compact": func() { m.compact(false) }, "compact beside others": func() { m.compact(true) },
			"rollback": m.rollback, "crash": m.crash,
		}
		maps.Copy(m.steps, m.upkeep())
		maps.Copy(m.steps, m.naming())
		if *deep {
			m.steps["many"] = m.many
		}
		names := slices.Sorted(maps.Keys(m.steps))
		for range rapid.IntRange(1, 16).Draw(r, "steps") {
			m.steps[rapid.SampledFrom(names).Draw(r, "step")]()
			if rapid.Bool().Draw(r, "look") { // a scan makes the lake read files that it would not know otherwise
				m.check(catalog.At{})
			}
		}
		m.clean()
		m.checkAll()
		if m.twin != nil {
			m.exchange()
			m.checkAll()
		}
		_ = m.h.Close()
		_ = os.RemoveAll(dir)
	})
}

// checkAll reads every snapshot that is kept.
func (m *model) checkAll() {
	m.check(catalog.At{})
	for _, id := range m.order {
		m.check(catalog.At{SnapshotID: id})
	}
	m.complete()
}

func (m *model) row(id int64) map[string]any {
	row := map[string]any{"id": id, "note": nil, "price": nil, "at": nil, "_generation": int64(rapid.IntRange(1, 3).Draw(m.t, "generation"))}
	if rapid.Bool().Draw(m.t, "noted") {
		row["note"] = rapid.StringMatching(`[a-c'" ]{0,4}`).Draw(m.t, "note")
	}
	for _, c := range m.tab.Columns() {
		if _, known := row[c.Name]; !known {
			row[c.Name] = nil
			if rapid.Bool().Draw(m.t, "filled") {
				row[c.Name] = id * 10
			}
		}
	}
	return row
}

func (m *model) change(cols []table.Column, puts []map[string]any) table.Change {
	var lines []string
	for _, p := range puts {
		line, _ := json.Marshal(p)
		lines = append(lines, string(line))
	}
	return table.Change{Rows: rows(m.tb, cols, lines...)}
}

func (m *model) commit(c table.Change) {
	snap, err := m.tab.Commit(m.tb.Context(), c)
	if m.crashed(err) {
		return
	}
	if snap.ID != 0 && snap.Rows >= 0 && snap.Rows != int64(len(m.rows)) {
		m.t.Fatalf("snapshot counts %d rows, model has %d", snap.Rows, len(m.rows))
	}
	m.keep(snap.ID)
}

func (m *model) keep(id int64) {
	if _, known := m.past[id]; known || id == 0 {
		return
	}
	cols := make([]string, 0, 8)
	for _, c := range m.tab.Columns() {
		cols = append(cols, c.Name)
	}
	m.past[id] = past{maps.Clone(m.rows), cols}
	m.order = append(m.order, id)
}

func (m *model) append() {
	var puts []map[string]any
	for range rapid.IntRange(0, 4).Draw(m.t, "new rows") {
		row := m.row(m.next)
		m.rows[m.next] = row
		puts = append(puts, row)
		m.next++
	}
	m.commit(m.change(m.tab.Columns(), puts))
}

func (m *model) upsert() {
	keys := rapid.SliceOfN(rapid.Int64Range(0, m.next+2), 1, 5).Draw(m.t, "keys")
	if len(m.rows) > 0 && rapid.Bool().Draw(m.t, "one that is there") {
		keys = append(keys, rapid.SampledFrom(slices.Sorted(maps.Keys(m.rows))).Draw(m.t, "key"))
	}
	var puts []map[string]any
	var lines []string
	done := map[int64]bool{}
	for _, k := range keys {
		lines = append(lines, fmt.Sprintf(`{"id":%d}`, k)) // may repeat
		if done[k] {
			continue
		}
		done[k] = true
		if k < foreignKeys {
			m.next = max(m.next, k+1)
		}
		delete(m.rows, k)
		if rapid.IntRange(0, 3).Draw(m.t, "deleted?") > 0 {
			m.rows[k] = m.row(k)
			puts = append(puts, m.rows[k])
		}
	}
	c := m.change(m.tab.Columns(), puts)
	c.Keys = rows(m.tb, keyColumns(orderColumns), lines...)
	m.commit(c)
}

// relax lets the key be null, which it never is here: what is looked up by it is the same.
func (m *model) relax() {
	m.commit(table.Change{Relax: []string{"id"}})
	if c := m.tab.Columns()[0]; c.Required {
		m.t.Fatalf("column %+v", c)
	}
}

func (m *model) deleteBelow() {
	below := int64(rapid.IntRange(1, 4).Draw(m.t, "below"))
	for id, row := range m.rows {
		if row["_generation"].(int64) < below {
			delete(m.rows, id)
		}
	}
	m.commit(table.Change{DeleteBelow: &table.Below{Column: "_generation", Value: below}})
}

func (m *model) addColumn() {
	added := table.Column{Name: fmt.Sprintf("extra %d", len(m.tab.Columns())), Type: record.Long}
	for _, row := range m.rows {
		row[added.Name] = nil
	}
	row := m.row(m.next)
	row[added.Name] = m.next
	m.rows[m.next] = row
	m.next++
	c := m.change(append(m.tab.Columns(), added), []map[string]any{row})
	c.AddColumns = []table.Column{added}
	m.commit(c)
}

func (m *model) properties() {
	m.commit(table.Change{Properties: map[string]string{"note": rapid.String().Draw(m.t, "value")}})
}

func (m *model) reopen() {
	dir := m.h.dir
	if err := m.h.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.readings = nil // a query does not outlive the house
	m.h = openAt(m.tb, dir, m.h.fs, m.clock)
	m.tab = m.h.ensure(orders, orderColumns)
}

// compact puts files together; beside others some steps come between its files and its commit.
func (m *model) compact(beside bool) {
	m.inside.armed.Store(beside)
	failed := make(chan error, 1)
	go func() {
		_, err := m.h.Upkeep().Execute(m.tb.Context(), orders, catalog.Order{Action: catalog.Compact})
		failed <- err
	}()
	select {
	case <-m.written:
		for range rapid.IntRange(1, 4).Draw(m.t, "steps meanwhile") {
			m.steps[rapid.SampledFrom([]string{"append", "upsert", "upsert again", "delete below", "add column", "foreign append", "foreign delete", "properties", "rollback", "sweep", "sweep for an hour", "expire", "remove orphans"}).Draw(m.t, "meanwhile")]()
		}
		m.resume <- struct{}{}
		if err := <-failed; err != nil {
			m.t.Fatal(err)
		}
	case err := <-failed:
		if m.crashed(err) {
			return
		}
	}
	m.inside.armed.Store(false)
	m.check(catalog.At{})
	scan, err := m.h.Catalog().Scan(m.tb.Context(), orders, catalog.At{})
	if err != nil {
		m.t.Fatal(err)
	}
	scan.Release()
	m.keep(scan.SnapshotID)
}

func (m *model) foreignAppend() {
	if m.peer != nil {
		m.appendByPeer()
		return
	}
	m.foreign(func(tab *icetable.Table) (*icetable.Table, error) {
		var puts []map[string]any
		for range rapid.IntRange(1, 3).Draw(m.t, "foreign rows") {
			row := m.row(foreignKeys + m.next)
			m.next++
			m.rows[row["id"].(int64)] = row
			puts = append(puts, row)
		}
		batches := m.change(m.tab.Columns(), puts).Rows
		reader, err := array.NewRecordReader(batches[0].Schema(), batches)
		if err != nil {
			return nil, err
		}
		return tab.Append(m.tb.Context(), reader, nil)
	})
}

func (m *model) foreignDelete() {
	if len(m.rows) == 0 {
		return
	}
	if m.peer != nil {
		m.deleteByPeer()
		return
	}
	m.foreign(func(tab *icetable.Table) (*icetable.Table, error) {
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.rows))).Draw(m.t, "foreign delete")
		delete(m.rows, id)
		tx := tab.NewTransaction()
		if err := tx.SetProperties(iceberg.Properties{"write.delete.mode": "merge-on-read"}); err != nil {
			return nil, err
		}
		if err := tx.Delete(m.tb.Context(), iceberg.EqualTo(iceberg.Reference("id"), id), nil); err != nil {
			return nil, err
		}
		return tx.Commit(m.tb.Context())
	})
}

// foreign commits through a catalog handle that this lake knows nothing of.
func (m *model) foreign(write func(*icetable.Table) (*icetable.Table, error)) {
	snap, err := foreignCommit(m.tb, m.h.dir, write)
	if err != nil {
		m.t.Fatal(err)
	}
	m.keep(snap)
}

func foreignCommit(t testing.TB, dir string, write func(*icetable.Table) (*icetable.Table, error)) (int64, error) {
	db, err := dbsql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	c, err := icesql.NewCatalog("tarn", db, icesql.SQLite, iceberg.Properties{"warehouse": "file://" + filepath.Join(dir, "warehouse")})
	if err != nil {
		return 0, err
	}
	tab, err := c.LoadTable(t.Context(), []string{orders.Namespace, orders.Name})
	if err != nil {
		return 0, err
	}
	tab, err = write(tab)
	if err != nil {
		return 0, err
	}
	return tab.CurrentSnapshot().SnapshotID, nil
}

// check reads a snapshot and compares it with the model's.
func (m *model) check(at catalog.At) {
	want := past{rows: m.rows}
	if at.SnapshotID != 0 {
		want = m.past[at.SnapshotID]
	}
	scan, err := m.h.Catalog().Scan(m.tb.Context(), orders, at)
	if err != nil {
		m.t.Fatal(err)
	}
	defer scan.Release()
	var cols []string
	for _, c := range scan.Columns {
		cols = append(cols, c.Name)
	}
	if want.cols != nil && !slices.Equal(cols, want.cols) {
		m.t.Fatalf("snapshot %d has columns %q, had %q", at.SnapshotID, cols, want.cols)
	}
	var lines []string
	for _, row := range want.rows {
		var fields []string
		for _, c := range cols {
			name, _ := json.Marshal(c)
			value, _ := json.Marshal(row[c])
			fields = append(fields, string(name)+":"+string(value))
		}
		lines = append(lines, "{"+strings.Join(fields, ",")+"}")
	}
	slices.Sort(lines)
	got := readScan(m.tb, scan)
	slices.Sort(got)
	if !slices.Equal(got, lines) {
		m.t.Fatalf("at %+v rows are\n%s\nwant\n%s", at, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
	if m.peer != nil {
		if got := m.readByPeer(at, cols); !slices.Equal(got, lines) {
			m.t.Fatalf("at %+v PyIceberg reads\n%s\nwant\n%s", at, strings.Join(got, "\n"), strings.Join(lines, "\n"))
		}
	}
}

// dropForeign drops the table as another engine does.
func dropForeign(t testing.TB, dir string) {
	t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM iceberg_tables WHERE table_name=?", orders.Name); err != nil {
		t.Fatal(err)
	}
}
