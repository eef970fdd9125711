//go:build duckdb_arrow

package lake_test

import (
	dbsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// handClock is set by hand: pass lets time go by, jump is somebody who sets the clock.
type handClock struct {
	mu      sync.Mutex
	now     time.Time
	elapsed time.Duration
	asked   func() // by Elapsed
}

func newHandClock() *handClock { return &handClock{now: time.Now()} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Round(0)
}

func (c *handClock) Elapsed() time.Duration {
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	if asked != nil {
		asked()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.elapsed = c.now.Add(d), c.elapsed+d
}

func (c *handClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openAt opens a lake with a clock set by hand.
func openAt(t testing.TB, dir string, fs *disk.FS, c *handClock) *house {
	t.Helper()
	o := options(dir, fs)
	o.Clock = c
	l, err := lake.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Lake: l, t: t, dir: dir, fs: fs}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func (h *house) execute(id table.Ident, o catalog.Order) catalog.Done {
	h.t.Helper()
	done, err := h.Upkeep().Execute(h.t.Context(), id, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

// snapshots lists a table's snapshots, oldest first, as the metadata on disk has them.
func (h *house) snapshots(id table.Ident) []int64 {
	h.t.Helper()
	var out []int64
	snaps, _ := h.metadata(id)["snapshots"].([]any)
	for _, s := range snaps {
		n, _ := s.(map[string]any)["snapshot-id"].(json.Number).Int64()
		out = append(out, n)
	}
	return out
}

func (h *house) location(id table.Ident) string {
	h.t.Helper()
	return strings.TrimPrefix(h.one("SELECT metadata_location FROM iceberg_tables WHERE table_namespace=? AND table_name=?", id.Namespace, id.Name), "file://")
}

func (h *house) metadata(id table.Ident) map[string]any {
	h.t.Helper()
	content, err := os.ReadFile(h.location(id))
	if err != nil {
		h.t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(content)))
	d.UseNumber()
	var meta map[string]any
	if err := d.Decode(&meta); err != nil {
		h.t.Fatal(err)
	}
	return meta
}

// edit commits metadata as somebody else would.
func (h *house) edit(id table.Ident, change func(meta map[string]any)) {
	h.t.Helper()
	meta, before := h.metadata(id), h.location(id)
	change(meta)
	content, err := json.Marshal(meta)
	if err != nil {
		h.t.Fatal(err)
	}
	last := 0
	if _, err := fmt.Sscanf(filepath.Base(before), "%05d-", &last); err != nil {
		h.t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(before), fmt.Sprintf("%05d-%s.metadata.json", max(last+1, 99), uuid.NewString()))
	if err := os.WriteFile(path, content, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.exec("UPDATE iceberg_tables SET metadata_location=?, previous_metadata_location=? WHERE metadata_location=?", "file://"+path, "file://"+before, "file://"+before)
}

// restamp gives the snapshots, oldest first, other times, as if another machine had made them.
func (h *house) restamp(id table.Ident, when func(i int) time.Time) {
	h.t.Helper()
	h.edit(id, func(meta map[string]any) {
		stamps := map[any]int64{}
		for i, s := range meta["snapshots"].([]any) {
			snap := s.(map[string]any)
			stamps[snap["snapshot-id"]] = when(i).UnixMilli()
			snap["timestamp-ms"] = stamps[snap["snapshot-id"]]
			delete(snap["summary"].(map[string]any), "tarn.mark")
		}
		delete(meta, "metadata-log")
		last := int64(0)
		for _, e := range meta["snapshot-log"].([]any) {
			entry := e.(map[string]any)
			entry["timestamp-ms"] = stamps[entry["snapshot-id"]]
			last = max(last, stamps[entry["snapshot-id"]])
		}
		meta["last-updated-ms"] = last
	})
}

// database works on catalog.db as another program does.
func (h *house) database(f func(*dbsql.DB) error) {
	h.t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+filepath.Join(h.dir, "catalog.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := f(db); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) exec(statement string, args ...any) {
	h.t.Helper()
	h.database(func(db *dbsql.DB) error {
		_, err := db.ExecContext(h.t.Context(), statement, args...)
		return err
	})
}

func (h *house) one(query string, args ...any) (value string) {
	h.t.Helper()
	h.database(func(db *dbsql.DB) error { return db.QueryRowContext(h.t.Context(), query, args...).Scan(&value) })
	return value
}

// committed makes a table of so many commits of one row each. More than 64 are thinned as they come.
func (h *house) committed(n int) (table.Table, []table.Snapshot) {
	h.t.Helper()
	tab := h.ensure(orders, orderColumns)
	all := make([]table.Snapshot, n)
	for i := range all {
		all[i] = commit(h.t, tab, table.Change{Rows: numbered(int64(i), 1, 1)})
	}
	return tab, all
}

func TestExpire(t *testing.T) {
	clock := newHandClock()
	h := openAt(t, filepath.Join(memoryDir(t), "lake"), disk.Local, clock)
	tab, all := h.committed(60)
	now := clock.Now()
	h.restamp(orders, func(i int) time.Time { return now.Add(time.Duration(i-59) * 10 * time.Second) }) // of the last ten minutes

	// The ten above the last fifty are of three minutes, of each of which one stays.
	expire := catalog.Order{Action: catalog.ExpireSnapshots, DryRun: true}
	told := h.execute(orders, expire)
	if told.Snapshots < 7 || told.Snapshots > 8 || len(h.snapshots(orders)) != 60 {
		t.Fatalf("a dry run tells %+v and leaves %d snapshots", told, len(h.snapshots(orders)))
	}
	expire.DryRun = false
	if done := h.execute(orders, expire); done.Snapshots != told.Snapshots || len(h.snapshots(orders)) != 60-int(told.Snapshots) {
		t.Fatalf("told %+v, done %+v, %d snapshots are left", told, done, len(h.snapshots(orders)))
	}
	if done := h.execute(orders, expire); done.Snapshots != 0 {
		t.Fatalf("a second time: %+v", done)
	}

	// With an age: what is tagged and what is read stays, and so does the last.
	scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{SnapshotID: all[30].ID})
	if err != nil {
		t.Fatal(err)
	}
	h.edit(orders, func(meta map[string]any) {
		meta["refs"].(map[string]any)["nightly"] = map[string]any{"snapshot-id": all[20].ID, "type": "tag"}
	})
	order := catalog.Order{Action: catalog.ExpireSnapshots, Retention: 61 * time.Second}
	if done := h.execute(orders, order); done.Snapshots == 0 {
		t.Fatalf("%+v", done)
	}
	want := []int64{all[20].ID, all[30].ID}
	for _, s := range all[53:] { // of the last minute
		want = append(want, s.ID)
	}
	if got := h.snapshots(orders); !slices.Equal(got, want) {
		t.Fatalf("left %v, want %v", got, want)
	}
	scan.Release()
	order.Retention = time.Millisecond
	h.execute(orders, order)
	if got := h.snapshots(orders); !slices.Equal(got, []int64{all[20].ID, all[59].ID}) {
		t.Fatalf("left %v", got)
	}
	if rows := h.read(orders, catalog.At{}); len(rows) != 60 {
		t.Fatalf("%d rows", len(rows))
	}
	if rows := h.read(orders, catalog.At{Ref: "nightly"}); len(rows) != 21 {
		t.Fatalf("%d rows of the tag", len(rows))
	}
	commit(t, tab, table.Change{Rows: numbered(100, 1, 1)})
	if _, err := h.Upkeep().Execute(t.Context(), table.Ident{Namespace: "gold", Name: "none"}, order); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("an unknown table: %v", err)
	}
}

// TestExpireAgainstOthers: an expiry that somebody else's commit overtakes is worked out again, and a
// disk that fails leaves the table as it was.
func TestExpireAgainstOthers(t *testing.T) {
	var h *house
	b := &breaker{}
	theirs := 0
	fs := &disk.FS{Hook: func(op, path string) error {
		if op == "create" && strings.HasSuffix(path, ".metadata.json") && theirs > 0 {
			theirs--
			if _, err := foreignCommit(t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
				tx := tab.NewTransaction()
				if err := tx.SetProperties(map[string]string{"theirs": fmt.Sprint(theirs)}); err != nil {
					return nil, err
				}
				return tx.Commit(t.Context())
			}); err != nil {
				return err
			}
		}
		return b.hook(op, path)
	}}
	clock := newHandClock()
	h = openAt(t, filepath.Join(t.TempDir(), "lake"), fs, clock)
	tab, all := h.committed(4)
	clock.pass(time.Hour)
	order := catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Minute}
	for n := int64(1); n < 6; n++ {
		before := h.location(orders)
		b.seen.Store(0)
		b.left.Store(n)
		done, err := h.Upkeep().Execute(t.Context(), orders, order)
		seen := b.seen.Load()
		b.left.Store(0)
		if seen < n {
			break
		}
		if !errors.Is(err, errInjected) || done.Snapshots != 0 || h.location(orders) != before || len(h.snapshots(orders)) != 4 {
			t.Fatalf("operation %d: %+v, %v", n, done, err)
		}
	}
	h.committed(4)
	clock.pass(time.Hour)
	theirs = 1
	if done := h.execute(orders, order); done.Snapshots == 0 || len(h.snapshots(orders)) != 1 {
		t.Fatalf("%+v, %d left", done, len(h.snapshots(orders)))
	}
	if p, _ := tab.Property("theirs"); p != "0" {
		t.Fatal("the other's commit is lost")
	}
	_ = all
	h.committed(4)
	clock.pass(time.Hour)
	theirs = 1000
	if _, err := h.Upkeep().Execute(t.Context(), orders, order); !errors.Is(err, table.ErrConflict) || fault.HintOf(err) == "" {
		t.Fatalf("another one who is always first: %v", err)
	}
}

// TestClockJumps: neither a clock that is set ahead, nor a snapshot that was stamped by one which ran
// ahead, makes others look old.
func TestClockJumps(t *testing.T) {
	clock := newHandClock()
	h := openAt(t, filepath.Join(t.TempDir(), "lake"), disk.Local, clock)
	h.committed(64)
	// Fourteen above the last fifty, one a minute.
	stamps := func(ahead time.Duration) {
		now := clock.Now()
		h.restamp(orders, func(i int) time.Time {
			if i == len(h.snapshots(orders))-1 {
				return now.Add(ahead)
			}
			return now.Add(time.Duration(i-64) * time.Minute / 2)
		})
	}
	stamps(0)
	clock.jump(time.Hour)
	for _, retention := range []time.Duration{0, 59 * time.Minute} {
		if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: retention, DryRun: true}); done.Snapshots > 8 {
			t.Errorf("a clock an hour ahead expires %d", done.Snapshots)
		}
	}
	clock.jump(-2 * time.Hour)
	if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Minute, DryRun: true}); done.Snapshots != 0 {
		t.Errorf("a clock an hour behind expires %d", done.Snapshots)
	}
	clock.jump(time.Hour)
	for _, ahead := range []time.Duration{time.Hour, 25 * time.Hour} {
		stamps(ahead)
		if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, DryRun: true}); done.Snapshots > 8 {
			t.Errorf("a snapshot %v ahead expires %d others", ahead, done.Snapshots)
		}
	}
	stamps(0)
	_ = h.Close()
	clock.jump(25 * time.Hour) // while the house is closed nobody can tell, but for the newest snapshot
	h = openAt(t, h.dir, disk.Local, clock)
	if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, DryRun: true}); done.Snapshots > 8 {
		t.Errorf("opened with a clock a day ahead expires %d", done.Snapshots)
	}
	clock.jump(-25 * time.Hour)
	if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots}); done.Snapshots < 6 || done.Snapshots > 8 {
		t.Errorf("%+v", done)
	}
	commit(t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(1000, 1, 1)})
}

// TestManySnapshotsInDoubt: where clocks differ about ages, the number of snapshots is bounded all the same.
func TestManySnapshotsInDoubt(t *testing.T) {
	h := openAt(t, filepath.Join(t.TempDir(), "lake"), disk.Local, newHandClock())
	h.committed(2)
	h.edit(orders, func(meta map[string]any) {
		snaps := meta["snapshots"].([]any)
		for i := range 398 { // more of the first one, before it
			other := maps.Clone(snaps[0].(map[string]any))
			other["snapshot-id"], other["sequence-number"] = i+1, 0
			snaps = slices.Insert(snaps, i, any(other))
		}
		meta["snapshots"] = snaps
	})
	now := time.Now()
	h.restamp(orders, func(i int) time.Time { return now.Add(time.Duration(i+1) * 2 * time.Minute) }) // all to come
	if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, DryRun: true}); done.Snapshots < 400-134 {
		t.Fatalf("of 400 snapshots %d are expired", done.Snapshots)
	}
}

// TestMemoryHasWhatIsOnDisk: a commit on what its predecessor left in memory writes the metadata that one on
// the predecessor's file writes.
func TestMemoryHasWhatIsOnDisk(t *testing.T) {
	h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	then := func() map[string]any {
		commit(t, tab, table.Change{Rows: numbered(1, 1, 1), Keys: numberedKeys(1, 1, 1)})
		meta := h.metadata(orders)
		for _, last := range []string{"snapshots", "snapshot-log"} { // the commit's own have its id and time
			all := meta[last].([]any)
			meta[last] = all[:len(all)-1]
		}
		for _, own := range []string{"current-snapshot-id", "refs", "last-updated-ms"} {
			delete(meta, own)
		}
		return meta
	}
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"append", func() { commit(t, tab, table.Change{Rows: numbered(1, 1, 100)}) }},
		{"upsert", func() { commit(t, tab, table.Change{Rows: numbered(1, 7, 5), Keys: numberedKeys(1, 7, 5)}) }},
		{"properties", func() {
			commit(t, tab, table.Change{Properties: map[string]string{"tarn.offsets.landing": `{"orders":{"0":{"next":7}}}`}})
		}},
		{"column", func() { commit(t, tab, table.Change{AddColumns: []table.Column{{Name: "new", Type: record.Long}}}) }},
		{"compact", func() { h.execute(orders, catalog.Order{Action: catalog.Compact}) }},
		{"expire", func() { h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: time.Nanosecond}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change()
			before := h.location(orders)
			memory := then()
			h.exec("UPDATE iceberg_tables SET metadata_location=? WHERE table_name=?", "file://"+before, orders.Name)
			if file := then(); !reflect.DeepEqual(memory, file) {
				t.Errorf("on memory %v\non the file %v", memory, file)
			}
		})
	}
}
