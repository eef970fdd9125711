//go:build duckdb_arrow

package lake_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tarn/lake/catalog"
)

// TestTableAgainstModelByPyIceberg lets PyIceberg append and delete, and read every snapshot that is
// kept: some histories, with -deep as many as rapid likes.
func TestTableAgainstModelByPyIceberg(t *testing.T) {
	t.Parallel()
	histories := 6
	if *deep {
		histories = 0
	}
	checkModel(t, newPeerProcess(t), histories)
}

func (m *model) hook(op, path string) error {
	if err := m.inside.hook(op, path); err != nil || !m.disk.armed.Load() {
		return err
	}
	return m.disk.hook(op, path)
}

// crash lets the disk fail from some operation on, and leaves the house as it is then.
func (m *model) crash() {
	m.were = maps.Clone(m.rows)
	m.disk.left.Store(int64(rapid.IntRange(1, 45).Draw(m.t, "operations until it crashes")))
	m.disk.armed.Store(true)
	m.steps[rapid.SampledFrom([]string{"append", "upsert", "delete below", "add column", "properties", "compact", "exchange"}).Draw(m.t, "crashing")]()
	m.disk.armed.Store(false)
	m.reopen()
	m.check(catalog.At{})
}

// crashed takes what a step thinks that it did back, if the disk failed it.
func (m *model) crashed(err error) bool {
	if err == nil {
		return false
	}
	if !m.disk.armed.Load() || !errors.Is(err, errInjected) {
		m.t.Fatal(err)
	}
	m.rows = maps.Clone(m.were)
	return true
}

// rollback makes an older snapshot the current one, as another engine does.
func (m *model) rollback() {
	if len(m.order) == 0 {
		return
	}
	id := rapid.SampledFrom(m.order).Draw(m.t, "rolled back to")
	m.h.edit(orders, func(meta map[string]any) {
		now := time.Now().UnixMilli()
		meta["current-snapshot-id"], meta["last-updated-ms"] = id, now
		meta["refs"].(map[string]any)["main"].(map[string]any)["snapshot-id"] = id
		log, _ := meta["snapshot-log"].([]any)
		meta["snapshot-log"] = append(log, map[string]any{"snapshot-id": id, "timestamp-ms": now})
	})
	m.rows = maps.Clone(m.past[id].rows)
	for row := range m.rows { // it may have been made under another name, from where on numbers were counted anew
		m.next = max(m.next, row%foreignKeys+1)
	}
}

// many makes so many snapshots that commits thin them.
func (m *model) many() {
	for range 30 {
		row := m.row(m.next)
		m.rows[m.next] = row
		m.next++
		m.commit(m.change(m.tab.Columns(), []map[string]any{row}))
	}
	kept := m.h.snapshots(orders)
	m.order = slices.DeleteFunc(m.order, func(id int64) bool { return !slices.Contains(kept, id) })
}

// complete holds the metadata to what the model remembers: it names no snapshot that nobody made.
func (m *model) complete() {
	if len(m.order) == 0 {
		return
	}
	for _, id := range m.h.snapshots(orders) {
		if !slices.Contains(m.order, id) {
			m.t.Fatalf("nobody made snapshot %d: %v", id, m.order)
		}
	}
}

// peerProcess is a PyIceberg that takes one command after another.
type peerProcess struct {
	in  io.Writer
	out *bufio.Scanner
	log *strings.Builder
}

func newPeerProcess(t *testing.T) *peerProcess {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), filepath.Join("testdata", "pyiceberg_peer.py"), "serve")
	p := &peerProcess{log: &strings.Builder{}}
	cmd.Stderr = p.log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	p.in, p.out = in, bufio.NewScanner(out)
	p.out.Buffer(nil, 16<<20)
	return p
}

type peerAnswer struct {
	Error    string
	Snapshot int64
	Rows     []map[string]json.RawMessage
}

func (m *model) ask(command map[string]any) (a peerAnswer) {
	command["lake"], command["table"] = m.h.dir, orders.String()
	line, err := json.Marshal(command)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.peer.in.Write(append(line, '\n')); err != nil {
		m.t.Fatal(err)
	}
	if !m.peer.out.Scan() {
		m.t.Fatalf("PyIceberg says nothing more: %v\n%s", m.peer.out.Err(), m.peer.log)
	}
	if err := json.Unmarshal(m.peer.out.Bytes(), &a); err != nil || a.Error != "" {
		m.t.Fatalf("PyIceberg %s: %v\n%s", line, err, a.Error)
	}
	return a
}

func (m *model) appendByPeer() {
	var puts []map[string]any
	for range rapid.IntRange(1, 3).Draw(m.t, "foreign rows") {
		row := m.row(foreignKeys + m.next)
		m.next++
		m.rows[row["id"].(int64)] = row
		puts = append(puts, row)
	}
	m.keep(m.seen(m.ask(map[string]any{"do": "append", "rows": puts})))
}

func (m *model) deleteByPeer() {
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.rows))).Draw(m.t, "foreign delete")
	delete(m.rows, id)
	m.keep(m.seen(m.ask(map[string]any{"do": "delete", "id": id})))
}

// seen makes the lake follow the catalog, so that the columns are those of the other's commit.
func (m *model) seen(a peerAnswer) int64 {
	m.tab = m.h.ensure(orders, orderColumns)
	return a.Snapshot
}

// readByPeer renders rows as the model does.
func (m *model) readByPeer(at catalog.At, cols []string) []string {
	var out []string
	for _, row := range m.ask(map[string]any{"do": "rows", "snapshot": at.SnapshotID}).Rows {
		var fields []string
		for _, c := range cols {
			name, _ := json.Marshal(c)
			fields = append(fields, string(name)+":"+string(row[c]))
			delete(row, c)
		}
		if len(row) > 0 {
			m.t.Fatalf("PyIceberg reads more columns than %q: %v", cols, row)
		}
		out = append(out, "{"+strings.Join(fields, ",")+"}")
	}
	slices.Sort(out)
	return out
}
