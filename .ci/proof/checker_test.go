package proof_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// written is a database after an outside writer's work, with its list.
type written struct {
	tables   []*proof.Table
	txns     []*proof.Txn
	database map[string]proof.Rows
}

func write(t *testing.T, mode string) *written {
	t.Helper()
	dir := t.TempDir()
	scene, err := proof.NewScene(t.Context(), "", dir, filepath.Join(dir, "data"), filepath.Join(dir, "source.db"), mode)
	must(t, err)
	scene.Every = 100 * time.Microsecond
	must(t, scene.Write())
	t.Cleanup(scene.Abandon)
	w := &written{tables: scene.Tables, database: map[string]proof.Rows{}}
	must(t, proof.Until(t.Context(), func() (bool, error) {
		w.txns, err = proof.ReadList(scene.ListPath, -1)
		return len(w.txns) > 400 || err != nil, err
	}))
	must(t, scene.StopWriting())
	w.txns, err = proof.ReadList(scene.ListPath, -1)
	must(t, err)
	db, err := proof.OpenSource(scene.Database, "")
	must(t, err)
	defer func() { _ = db.Close() }()
	for _, table := range w.tables {
		w.database[table.Name], err = proof.DatabaseRows(t.Context(), db, table)
		must(t, err)
	}
	return w
}

// TestListTellsTheDatabase proves the writer: what its list says is what the database has.
func TestListTellsTheDatabase(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			w := write(t, mode)
			for _, table := range w.tables {
				alive := map[string][]string{}
				for _, txn := range w.txns {
					for _, e := range txn.Events {
						if e.Table != table.Name {
							continue
						}
						if e.Born {
							alive[e.Key] = append(alive[e.Key], fmt.Sprint(e.Token))
							continue
						}
						at := slices.Index(alive[e.Key], fmt.Sprint(e.Token))
						if at < 0 {
							t.Fatalf("%s: version %d dies without having lived as %q", table.Name, e.Token, e.Key)
						}
						alive[e.Key] = slices.Delete(alive[e.Key], at, at+1)
					}
				}
				listed, there := 0, 0
				for _, versions := range alive {
					listed += len(versions)
				}
				for key, rows := range w.database[table.Name] {
					there += len(rows)
					if len(alive[key]) != len(rows) {
						t.Fatalf("%s: key %q has %d rows, the list %d", table.Name, key, len(rows), len(alive[key]))
					}
				}
				if listed != there {
					t.Errorf("%s: the list has %d rows, the database %d", table.Name, listed, there)
				}
			}
		})
	}
}

// bronzeOf makes the bronze that a flawless Tarn would have.
func bronzeOf(w *written, table *proof.Table) (landed []proof.Landed) {
	versions := map[int64]*proof.Version{}
	for _, txn := range w.txns {
		for i := range txn.Events {
			e := &txn.Events[i]
			if e.Table != table.Name {
				continue
			}
			e.Captured = true
			l := proof.Landed{Offset: int64(len(landed)), Op: "d"}
			if e.Born {
				versions[e.Token] = &proof.Version{Key: e.Key, Token: e.Token, Sum: e.Sum}
				l.Op, l.After = "c", versions[e.Token]
			} else {
				l.Before = versions[e.Token]
			}
			landed = append(landed, l)
		}
	}
	return landed
}

// version is the one row that an event of bronzeOf has, and with puts another in its place.
func version(l proof.Landed) *proof.Version {
	if l.After != nil {
		return l.After
	}
	return l.Before
}

func with(l proof.Landed, v *proof.Version) proof.Landed {
	if l.After != nil {
		l.After = v
	} else {
		l.Before = v
	}
	return l
}

func TestCheckerFindsWhatIsPlantedInBronze(t *testing.T) {
	w := write(t, "WAL")
	for _, table := range w.tables {
		whole := bronzeOf(w, table)
		at := len(whole) * 2 / 3
		altered := *version(whole[at])
		altered.Sum += "0"
		for name, c := range map[string]struct {
			plant func(l []proof.Landed) []proof.Landed
			want  string // "" for nothing to find
		}{
			"nothing":  {func(l []proof.Landed) []proof.Landed { return l }, ""},
			"one lost": {func(l []proof.Landed) []proof.Landed { return slices.Delete(l, at, at+1) }, "is lost"},
			"one doubled": {func(l []proof.Landed) []proof.Landed {
				again := l[at]
				again.Offset = l[len(l)-1].Offset + 1
				return append(l, again)
			}, "is there 2 times"},
			"one offset twice": {func(l []proof.Landed) []proof.Landed { return slices.Insert(l, at, l[at]) }, "is there twice"},
			"one altered": {func(l []proof.Landed) []proof.Landed {
				l[at] = with(l[at], &altered)
				return l
			}, "is altered"},
			"one invented": {func(l []proof.Landed) []proof.Landed {
				return append(l, proof.Landed{Offset: l[len(l)-1].Offset + 1, Op: "c", After: &proof.Version{Token: 1 << 50}})
			}, "never written"},
		} {
			found := proof.CheckBronze(table, w.txns, c.plant(slices.Clone(whole)), 1)
			if c.want == "" && len(found) > 0 || c.want != "" && !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("%s, %s: want %q, found %q", table.Name, name, c.want, found)
			}
		}
	}
}

// TestCheckerFindsDisorder swaps two changes of one key.
func TestCheckerFindsDisorder(t *testing.T) {
	w := write(t, "WAL")
	table := w.tables[0]
	l := bronzeOf(w, table)
	for i := range l {
		for j := i + 1; j < len(l); j++ {
			if version(l[i]).Key == version(l[j]).Key {
				l[i], l[j] = l[j], l[i]
				l[i].Offset, l[j].Offset = l[j].Offset, l[i].Offset
				if found := proof.CheckBronze(table, w.txns, l, 1); !strings.Contains(strings.Join(found, "\n"), "out of order") {
					t.Fatalf("found %q", found)
				}
				return
			}
		}
	}
	t.Fatal("no key changed twice")
}

func TestCheckerFindsWhatIsPlantedInSilver(t *testing.T) {
	w := write(t, "WAL")
	for _, table := range w.tables {
		if !table.Keyed() {
			continue
		}
		database := w.database[table.Name]
		key := slices.Sorted(maps.Keys(database))[len(database)/2]
		row := database[key][0]
		for name, c := range map[string]struct {
			plant func(r proof.Rows)
			want  string
		}{
			"nothing":     {func(proof.Rows) {}, ""},
			"one lost":    {func(r proof.Rows) { delete(r, key) }, "is lost"},
			"one doubled": {func(r proof.Rows) { r[key] = append(r[key], row) }, "is there 2 times"},
			"one ghost":   {func(r proof.Rows) { r["i:77777777"] = [][]proof.Cell{row} }, "is a ghost"},
			"one altered": {func(r proof.Rows) {
				changed := slices.Clone(row)
				changed[len(changed)-1] = "t:something else"
				r[key] = [][]proof.Cell{changed}
			}, "is altered"},
		} {
			silver := maps.Clone(database)
			c.plant(silver)
			found := proof.CheckSilver(table, database, silver)
			if c.want == "" && len(found) > 0 || c.want != "" && !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("%s, %s: want %q, found %q", table.Name, name, c.want, found)
			}
		}
	}
}
