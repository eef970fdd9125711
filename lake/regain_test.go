//go:build duckdb_arrow

package lake_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/disk"
	"tarn/embedded/record"
	"tarn/embedded/repair"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var keptColumns = append(slices.Clone(rawColumns),
	table.Column{Name: "_schema", Type: record.Long}, table.Column{Name: "_generation", Type: record.Long})

// keeping is a scene whose mirror tells which records it is made of, and whose bronze table keeps
// what it takes to make it again.
type keeping struct {
	*house
	mirrored, raw table.Table
	again         *record.Again // of the mirror, from the next commit on
}

func newKeeping(t *testing.T, columns []table.Column) *keeping {
	k := &keeping{house: open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)}
	k.openKept(columns)
	return k
}

func (k *keeping) openKept(columns []table.Column) {
	k.mirrored = k.ensureWith(mirrored, mirroredColumns, map[string]string{table.PropSource: "src/main.t", table.PropTopic: "port.t"})
	k.raw = k.ensureWith(raw, columns, map[string]string{table.PropTopic: "port.t"})
}

// landBoth commits the n-th, from 1. The snapshot of generation 2 began at offset 5.
func (k *keeping) landBoth(n int, past *record.Past) {
	k.landMirror(n, past)
	k.landBronze(n)
}

func standingAt(t testing.TB, n int, past *record.Past) map[string]string {
	text, err := json.Marshal(record.Offsets{"port.t": {"0": {Next: int64(n * perCommit), Past: past}}})
	must(t, err)
	return map[string]string{table.PropOffsets + "landing": string(text)}
}

func (k *keeping) landMirror(n int, past *record.Past) {
	if past != nil {
		past.Again = k.again
	}
	commit(k.t, k.mirrored, table.Change{
		Rows:       rows(k.t, mirroredColumns, fmt.Sprintf(`{"id":%d,"note":"n","_offset":%d,"_generation":2}`, n, n*perCommit-1)),
		Keys:       rows(k.t, keyColumns(mirroredColumns), fmt.Sprintf(`{"id":%d}`, n)),
		Properties: standingAt(k.t, n, past),
	})
}

func (k *keeping) landBronze(n int) {
	at := n * perCommit
	var lines []string
	for o := at - perCommit; o < at; o++ {
		lines = append(lines, fmt.Sprintf(`{"_partition":0,"_offset":%d,"value":"x%d","_schema":7,"_generation":2}`, o, o))
	}
	if _, ok := find(k.raw.Columns(), "_schema"); !ok {
		for i := range lines {
			lines[i] = strings.Replace(lines[i], `,"_schema":7,"_generation":2`, "", 1)
		}
	}
	commit(k.t, k.raw, table.Change{Rows: rows(k.t, k.raw.Columns(), lines...), Properties: standingAt(k.t, n, nil)})
}

func find(cols []table.Column, name string) (table.Column, bool) {
	i := slices.IndexFunc(cols, func(c table.Column) bool { return c.Name == name })
	return table.Column{}, i >= 0
}

func pastOf(n int) *record.Past {
	return &record.Past{Whole: &record.Since{Generation: 2, Offset: 5, Records: int64(n*perCommit - 5)}}
}

// standing reads the mirror's offsets.
func (k *keeping) standing() record.PartitionOffsets {
	text, _ := k.mirrored.Property(table.PropOffsets + "landing")
	var o record.Offsets
	must(k.t, json.Unmarshal([]byte(text), &o))
	return o.At("port.t", 0)
}

// TestAMirrorIsRebuiltFromBronze damages a mirror that the log cannot bring again.
func TestAMirrorIsRebuiltFromBronze(t *testing.T) {
	const commits = 4
	const gone = commits * perCommit
	newest := func(k *keeping) { harms["missing"](t, last(k.dataFiles(mirrored))) }
	for name, c := range map[string]struct {
		columns  []table.Column
		past     func(n int) *record.Past
		harm     func(k *keeping)
		logStart int64
		deep     bool
		says     string
		hint     string
	}{
		"bronze has all": {harm: newest, logStart: gone, says: "rebuilds the mirror from bronze: empties it, and when Tarn starts lands the 35 records from offset 5 to 39 of topic port.t again out of bronze.raw"},
		"bronze has other partitions": {harm: func(k *keeping) {
			newest(k)
			commit(t, k.raw, table.Change{Rows: rows(t, keptColumns, `{"_partition":1,"_offset":7,"value":"of another partition","_schema":7,"_generation":2}`)})
		}, logStart: gone, says: "rebuilds the mirror from bronze"},
		"the log has it all, too":     {harm: newest, says: "goes back to version"},
		"bronze is of an older Tarn":  {columns: rawColumns, harm: newest, logStart: gone, says: "takes a new snapshot", hint: "bronze.raw is of an older Tarn"},
		"the mirror is of an older":   {past: func(int) *record.Past { return nil }, harm: newest, logStart: gone, says: "takes a new snapshot", hint: "not known which records make the mirror"},
		"bronze does not reach back":  {past: func(n int) *record.Past { return &record.Past{Whole: &record.Since{Records: int64(n*perCommit + 1)}} }, harm: newest, logStart: gone, says: "takes a new snapshot", hint: "bronze.raw has 40 of the 41 records from offset 0 to 39"},
		"a file of bronze is missing": {harm: func(k *keeping) { newest(k); harms["missing"](t, k.dataFiles(raw)[1]) }, logStart: gone, says: "takes a new snapshot", hint: "no table of bronze is whole"},
		"a bit of bronze is flipped":  {harm: func(k *keeping) { newest(k); harms["a bit flipped"](t, k.dataFiles(raw)[1]) }, logStart: gone, says: "takes a new snapshot", hint: "cannot be decoded"},
		"bronze has a record twice": {harm: func(k *keeping) {
			newest(k)
			commit(t, k.raw, table.Change{Rows: rows(t, keptColumns, `{"_partition":0,"_offset":7,"value":"again","_schema":7,"_generation":2}`)})
		}, logStart: gone, says: "takes a new snapshot", hint: "cannot be rebuilt from bronze"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.columns == nil {
				c.columns = keptColumns
			}
			if c.past == nil {
				c.past = pastOf
			}
			k := newKeeping(t, c.columns)
			for n := 1; n <= commits; n++ {
				k.landBoth(n, c.past(n))
			}
			c.harm(k)
			must(t, k.Close())
			before := folderHash(t, k.dir)
			var asked []string
			plan, err := repaired(t, k.dir, disk.Local, repair.Order{}, c.logStart, &asked)
			must(t, err)
			f := plan[len(plan)-1]
			if f.Of != mirrored.String() || !strings.Contains(f.Action, c.says) || !strings.Contains(f.Hint, c.hint) || f.Loss != "" || folderHash(t, k.dir) != before {
				t.Fatalf("said %+v", plan)
			}
			_, err = repaired(t, k.dir, disk.Local, repair.Order{Yes: true}, c.logStart, &asked)
			must(t, err)
			if want := strings.Contains(c.says, "new snapshot"); want != slices.Equal(asked, []string{"src/main.t"}) || !want && asked != nil {
				t.Fatalf("asked for %v", asked)
			}
			k.house = open(t, k.dir, disk.Local)
			k.openKept(c.columns)
			defer func() { must(t, k.Close()) }()
			at := k.standing()
			if strings.Contains(c.says, "goes back") {
				return
			}
			equal(t, k.read(mirrored, catalog.At{}))
			if at.Next != gone {
				t.Fatalf("the mirror stands at %+v", at)
			}
			if !strings.Contains(c.says, "rebuilds") {
				if at.Past != nil {
					t.Fatalf("the mirror is not what came since %+v", at.Past)
				}
				return
			}
			if a := at.Past.Again; a == nil || *a != (record.Again{Table: "bronze.raw", Next: 5}) || *at.Past.Whole != *pastOf(commits).Whole {
				t.Fatalf("the mirror stands at %+v", at.Past)
			}
		})
	}
}

// TestAMirrorIsEmptiedOnlyForWhatWillFillIt: not where landing will not or cannot go on with it.
func TestAMirrorIsEmptiedOnlyForWhatWillFillIt(t *testing.T) {
	const commits, end = 4, 4 * perCommit
	for name, c := range map[string]struct {
		set              func(o *lake.RepairOptions)
		says, loss, hint string
		left             int // rows after it; below 0 where nothing is done
		harm             func(k *keeping)
	}{
		"its topic does not land in it": {func(o *lake.RepairOptions) {
			o.Lands = func(topic, mirror string) bool { return topic != "port.t" || mirror != mirrored.Name }
		}, "keeps the table without 1 files", "1 rows of offsets 39 to 39", "nothing is landed into it any more, for topic port.t", commits - 1, nil},
		"nor with the log at hand": {func(o *lake.RepairOptions) {
			*o = repairOptions(0, nil, nil)
			o.Lands = func(string, string) bool { return false }
		}, "keeps the table without 1 files", "1 rows of offsets 39 to 39", "nothing is landed into it any more", commits - 1, nil},
		"it is not known whether it does": {func(o *lake.RepairOptions) { o.Lands = nil }, "takes a new snapshot", "", "not known whether topic port.t lands", 0, nil},
		"a schema is lost":                {func(o *lake.RepairOptions) { o.Schemas = map[int64]bool{8: true} }, "takes a new snapshot", "", "schema 7, of which bronze.raw has records, is not in meta.db", 0, nil},
		"the log begins behind it":        {func(o *lake.RepairOptions) { o.LogStart = repairOptions(end+1, nil, nil).LogStart }, "takes a new snapshot", "", "does not go on at offset 40", 0, nil},
		"the log has a hole there": {func(o *lake.RepairOptions) {
			o.LogStart = repairOptions(9, [][2]int64{{end, end + 3}, {7, 9}}, nil).LogStart
		}, "goes back to version", "", "", commits - 1, nil},
		"a hole there and no way back": {func(o *lake.RepairOptions) { o.LogStart = repairOptions(end, [][2]int64{{end, end + 3}}, nil).LogStart }, "takes a new snapshot", "", "does not go on at offset 40", 0, nil},
		"it is left and nothing is whole": {func(o *lake.RepairOptions) { o.Lands = func(string, string) bool { return false } }, "", "", "put its folder back from a backup; nothing is landed into it any more", -1, func(k *keeping) {
			for _, m := range k.manifests(mirrored) {
				harms["empty"](t, m)
			}
			text, err := os.ReadFile(last(k.matching(mirrored, "metadata/*.metadata.json")))
			must(t, err)
			for _, old := range k.matching(mirrored, "metadata/*.metadata.json") {
				if !strings.Contains(string(text), filepath.Base(old)) {
					continue
				}
				harms["missing"](t, old)
			}
		}},
		"meta.db cannot be read": {func(o *lake.RepairOptions) { o.Lands, o.LogStart = nil, nil }, "", "", "put meta.db back", -1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeeping(t, keptColumns)
			for n := 1; n <= commits; n++ {
				k.landBoth(n, pastOf(n))
			}
			if c.harm == nil {
				c.harm = func(k *keeping) { harms["missing"](t, last(k.dataFiles(mirrored))) }
			}
			c.harm(k)
			must(t, k.Close())
			o := repairOptions(end, nil, nil)
			c.set(&o)
			before := folderHash(t, k.dir)
			found, err := lake.Repair(options(k.dir, disk.Local), o)(t.Context(), repair.Order{Yes: true})
			must(t, err)
			if f := found[0]; len(found) != 1 || !strings.Contains(f.Action, c.says) || f.Done != (c.left >= 0) || !strings.Contains(f.Loss, c.loss) || c.loss == "" && f.Loss != "" || !strings.Contains(f.Hint, c.hint) {
				t.Fatalf("did %+v", found)
			}
			if c.left < 0 {
				if folderHash(t, k.dir) != before {
					t.Fatal("it changed something")
				}
				return
			}
			k.house = open(t, k.dir, disk.Local)
			defer func() { must(t, k.Close()) }()
			k.openKept(keptColumns)
			if rows := k.read(mirrored, catalog.At{}); len(rows) != c.left {
				t.Fatalf("%v", rows)
			}
			if c.loss != "" && k.standing().Next != end {
				t.Fatalf("it stands at %+v", k.standing())
			}
		})
	}
}

// TestAMirrorWaitsForBronzeThatIsBehind: a kill may leave it so, and the log has what it lacks.
func TestAMirrorWaitsForBronzeThatIsBehind(t *testing.T) {
	const commits = 3
	k := newKeeping(t, keptColumns)
	for n := 1; n < commits; n++ {
		k.landBoth(n, pastOf(n))
	}
	k.landMirror(commits, pastOf(commits))
	harms["missing"](t, k.dataFiles(mirrored)[0])
	must(t, k.Close())
	before := folderHash(t, k.dir)
	var asked []string
	found, err := repaired(t, k.dir, disk.Local, repair.Order{Yes: true}, (commits-1)*perCommit, &asked)
	must(t, err)
	if len(found) != 1 || found[0].Done || asked != nil || !strings.Contains(found[0].Hint, "bronze.raw is behind it") || folderHash(t, k.dir) != before {
		t.Fatalf("did %+v, asked for %v", found, asked)
	}
	found, err = repaired(t, k.dir, disk.Local, repair.Order{}, (commits-1)*perCommit+1, nil)
	if err != nil || !strings.Contains(found[0].Action, "takes a new snapshot") {
		t.Fatalf("of a log without it says %+v, %v", found, err)
	}
	k.house = open(t, k.dir, disk.Local)
	k.openKept(keptColumns)
	k.landBronze(commits)
	must(t, k.Close())
	found, err = repaired(t, k.dir, disk.Local, repair.Order{}, (commits-1)*perCommit, nil)
	if err != nil || !strings.Contains(found[0].Action, "rebuilds the mirror from bronze") {
		t.Fatalf("once bronze has caught up it says %+v, %v", found, err)
	}
}

// TestARebuildThatBronzeCannotFinish is told, and given to the source.
func TestARebuildThatBronzeCannotFinish(t *testing.T) {
	k := newKeeping(t, keptColumns)
	k.landBoth(1, pastOf(1))
	k.again = &record.Again{Table: "bronze.raw", Next: 9, Records: 4}
	k.landBoth(2, pastOf(2))
	must(t, k.Close())
	found, err := repaired(t, k.dir, disk.Local, repair.Order{}, 20, nil)
	if err != nil || len(found) > 0 {
		t.Fatalf("of a rebuild that goes on it says %+v, %v", found, err)
	}
	o := repairOptions(20, nil, nil)
	o.Lands = func(string, string) bool { return false }
	found, err = lake.Repair(options(k.dir, disk.Local), o)(t.Context(), repair.Order{Yes: true})
	if err != nil || len(found) != 1 || found[0].Done || !strings.Contains(found[0].Damage[0].Problem, "stands at offset 9 of 20") || !strings.Contains(found[0].Hint, "let the topic land in it again") {
		t.Fatalf("of a rebuild that nobody goes on with it says %+v, %v", found, err)
	}
	o = repairOptions(20, nil, nil)
	o.Schemas = nil
	found, err = lake.Repair(options(k.dir, disk.Local), o)(t.Context(), repair.Order{})
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Damage[0].Problem, "schema 7") || !strings.Contains(found[0].Action, "takes a new snapshot") {
		t.Fatalf("of a rebuild that lacks a schema it says %+v, %v", found, err)
	}
	harms["missing"](t, k.dataFiles(raw)[0])
	var asked []string
	found, err = repaired(t, k.dir, disk.Local, repair.Order{Yes: true}, 20, &asked)
	if err != nil || len(found) != 2 || !strings.Contains(found[1].Damage[0].Problem, "being rebuilt from bronze") || !slices.Equal(asked, []string{"src/main.t"}) {
		t.Fatalf("did %+v, %v", found, err)
	}
	if found, err = repaired(t, k.dir, disk.Local, repair.Order{}, 20, nil); err != nil || len(found) > 0 {
		t.Fatalf("a second repair finds %+v, %v", found, err)
	}
}

// TestARebuildWithoutAPast is what a property changed by hand asks for: it goes to the source.
func TestARebuildWithoutAPast(t *testing.T) {
	k := newKeeping(t, keptColumns)
	k.again = &record.Again{Table: "bronze.raw", Next: 5}
	k.landBoth(1, &record.Past{})
	must(t, k.Close())
	found, err := repaired(t, k.dir, disk.Local, repair.Order{}, 0, nil)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Action, "takes a new snapshot") || !strings.Contains(found[0].Damage[0].Problem, "not known which records") {
		t.Fatalf("said %+v, %v", found, err)
	}
}

// TestARebuildCanBeOrderedAnywhere fails each operation of the repair on the disk, and all after it.
func TestARebuildCanBeOrderedAnywhere(t *testing.T) {
	for n := int64(1); ; n++ {
		b := &breaker{stays: true}
		k := newKeeping(t, keptColumns)
		k.landBoth(1, pastOf(1))
		must(t, k.Close())
		harms["missing"](t, k.dataFiles(mirrored)[0])
		b.left.Store(n)
		if _, err := repaired(t, k.dir, &disk.FS{Hook: b.hook}, repair.Order{Yes: true}, 10, nil); err != nil && !errors.Is(err, errInjected) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if _, err := repaired(t, k.dir, disk.Local, repair.Order{Yes: true}, 10, nil); err != nil {
			t.Fatalf("after operation %d: %v", n, err)
		}
		k.house = open(t, k.dir, disk.Local)
		k.openKept(keptColumns)
		if a := k.standing().Past.Again; a == nil || a.Next != 5 {
			t.Fatalf("after operation %d: %+v", n, a)
		}
		equal(t, k.read(mirrored, catalog.At{}))
		must(t, k.Close())
		if b.seen.Load() < n {
			t.Logf("%d operations", n-1)
			return
		}
	}
}
