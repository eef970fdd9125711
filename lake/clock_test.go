//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tarn/embedded/disk"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// TestClockSetBack commits to a table whose last snapshot was made by a clock that ran ahead: a commit of any
// kind goes through, and time travel finds it.
func TestClockSetBack(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, 300 * 24 * time.Hour} {
		for name, do := range map[string]func(h *house, tab table.Table){
			"append": func(_ *house, tab table.Table) { commit(t, tab, table.Change{Rows: numbered(100, 1, 1)}) },
			"upsert": func(_ *house, tab table.Table) {
				commit(t, tab, table.Change{Rows: numbered(100, 1, 1), Keys: numberedKeys(1, 1, 1)})
			},
			"column": func(_ *house, tab table.Table) {
				commit(t, tab, table.Change{AddColumns: []table.Column{{Name: "new", Type: record.Long}}})
			},
			"properties": func(_ *house, tab table.Table) {
				commit(t, tab, table.Change{Properties: map[string]string{"p": "after"}})
			},
			"compact": func(h *house, _ table.Table) {
				if done := h.compact(orders); done.FilesAdded != 1 {
					t.Fatalf("%+v", done)
				}
			},
			"expire": func(h *house, _ table.Table) {
				if done := h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1}); done.Snapshots == 0 {
					t.Fatalf("%+v", done)
				}
			},
		} {
			t.Run(fmt.Sprintf("%s, %s ahead", name, ahead), func(t *testing.T) {
				h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
				tab, _ := h.committed(5)
				h.restamp(orders, func(i int) time.Time {
					return time.Now().Add(time.Duration(i-4)*time.Minute + ahead*time.Duration(i/4))
				})
				do(h, tab)
				commit(t, tab, table.Change{Rows: numbered(200, 1, 1)})
				last := commit(t, tab, table.Change{Rows: numbered(201, 1, 1)})
				want := h.read(orders, catalog.At{})
				scan, err := h.Catalog().Scan(t.Context(), orders, catalog.At{Time: last.CommittedAt})
				if err != nil || scan.SnapshotID != last.ID {
					t.Fatalf("as of the last commit: %+v, %v", scan, err)
				}
				scan.Release()
				_ = h.Close()
				again := open(t, h.dir, disk.Local)
				equal(t, again.read(orders, catalog.At{}), want...)
				commit(t, again.ensure(orders, orderColumns), table.Change{Rows: numbered(300, 1, 1)})
			})
		}
	}
}

// TestNoSnapshotGoesEarly commits each minute while the clock is set an hour ahead and back, at random, and
// Tarn is started again. Each snapshot of the last hour stays, and one of each hour before, and no order to
// expire what is old takes one before its time has gone by.
func TestNoSnapshotGoesEarly(t *testing.T) {
	clock := newHandClock()
	h := openAt(t, filepath.Join(memoryDir(t), "lake"), disk.Local, clock)
	rnd, ahead := rand.New(rand.NewPCG(3, 3)), time.Duration(0)
	made := map[int64]time.Duration{} // by the time that goes by
	for i := range 190 {
		if i%30 == 29 {
			_ = h.Close()
			h = openAt(t, h.dir, disk.Local, clock)
		}
		snap := commit(t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(int64(i), 1, 1)})
		made[snap.ID] = clock.Elapsed()
		clock.pass(time.Minute)
		to := time.Duration(rnd.IntN(3)-1) * time.Hour
		clock.jump(to - ahead)
		ahead = to
	}
	// held tells which of the snapshots that are younger than an age are no more, and how many there are.
	held := func(age time.Duration) (lost []time.Duration, all int) {
		there := h.snapshots(orders)
		for id, at := range made {
			if old := clock.Elapsed() - at; old <= age && !slices.Contains(there, id) {
				lost = append(lost, old)
			}
		}
		return lost, len(there)
	}
	if lost, all := held(time.Hour); len(lost) > 0 || all > 60+14+3 {
		t.Errorf("of the last hour the snapshots are gone that are %v old; %d are there", lost, all)
	}
	hours := map[int64]bool{}
	for _, id := range h.snapshots(orders) {
		hours[int64(made[id]/time.Hour)] = true
	}
	for hour := range int64(clock.Elapsed() / time.Hour) {
		if !hours[hour] {
			t.Errorf("nothing of hour %d is there", hour)
		}
	}
	const asked = 20*time.Minute + time.Second
	h.execute(orders, catalog.Order{Action: catalog.ExpireSnapshots, Retention: asked})
	if lost, all := held(asked); len(lost) > 0 || all != 20 {
		t.Errorf("an order to expire what is older than %s took what is %v old; %d are there", asked, lost, all)
	}
}
