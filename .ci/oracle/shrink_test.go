//go:build duckdb_arrow

package oracle_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func (v *Verdict) String() string {
	if v.Error != "" {
		return v.Error
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(v.Failures)) {
		out = append(out, v.Failures[name])
	}
	return strings.Join(append(out, v.Statuses...), "\n")
}

// shrink makes a world that fails smaller, for as long as flagShrink: the failing case alone, without kills, with
// fewer records, without pauses, in one partition.
func (w *World) shrink(t *testing.T, v *Verdict) (*World, string) {
	t.Helper()
	end, why := time.Now().Add(*flagShrink), v.String()
	smaller := func(one *World) bool {
		if one == nil || time.Now().After(end) {
			return false
		}
		got := one.check(t.Context(), false)
		if got.ok() || (got.Error == "") != (v.Error == "") {
			return false
		}
		w, why = one, got.String()
		return true
	}
	for name := range v.Failures {
		if smaller(w.only(name)) {
			break
		}
	}
	without := *w
	without.Kills = nil
	if !smaller(&without) {
		for i := 0; i < len(w.Kills); {
			less := *w
			if less.Kills = slices.Delete(slices.Clone(w.Kills), i, i+1); !smaller(&less) {
				i++
			}
		}
	}
	for part := 2; part <= 16 && time.Now().Before(end); part *= 2 {
		for i := 0; i < part; i++ {
			from, to := len(w.Steps)*i/part, len(w.Steps)*(i+1)/part
			if from < to {
				smaller(w.dropSteps(func(n int) bool { return n >= from && n < to }))
			}
		}
	}
	calm := *w
	calm.Steps = slices.Clone(w.Steps)
	for i := range calm.Steps {
		calm.Steps[i].Pause = 0
	}
	smaller(&calm)
	return w, why
}

// only is the world with one case.
func (w *World) only(name string) *World {
	out := *w
	out.Cases = nil
	for _, c := range w.Cases {
		if c.Name == name {
			out.Cases = []*Case{c}
		}
	}
	out.Kills = slices.DeleteFunc(slices.Clone(w.Kills), func(k Kill) bool { return k.Case != "" && k.Case != name })
	read := map[int]bool{}
	for _, l := range out.Cases[0].Legs {
		read[l.Source] = true
	}
	return out.dropSteps(func(n int) bool { return !read[w.Steps[n].Source] })
}

// dropSteps is the world without some steps and their records; nil where nothing is left.
func (w *World) dropSteps(drop func(n int) bool) *World {
	out := *w
	out.Sources, out.Steps = nil, nil
	for _, s := range w.Sources {
		one := *s
		one.Records = make([][]Rec, len(s.Records))
		out.Sources = append(out.Sources, &one)
	}
	at := map[string]int{}
	for n, s := range w.Steps {
		key := fmt.Sprint(s.Source, s.Partition)
		from := at[key]
		at[key] += s.Count
		if drop(n) {
			continue
		}
		out.Steps = append(out.Steps, s)
		list := &out.Sources[s.Source].Records[s.Partition]
		*list = append(*list, w.Sources[s.Source].Records[s.Partition][from:at[key]]...)
	}
	if len(out.Steps) == 0 {
		return nil
	}
	return &out
}

// coverage counts what cases of an operator met.
type coverage map[string]*met

type met struct{ cases, late, null, deleted, killed, empty int }

// operators are those of a case.
func (c *Case) operators() (out []string) {
	keyed := map[string]bool{"keyed": true, "keyed everything": true, "keyed group": true, "keyed group by rows": true, "keyed union": true, "windows of a changelog": true, "group twice": true}
	if keyed[c.Kind] {
		out = append(out, "last row of a key")
	}
	if len(c.Legs) > 1 {
		out = append(out, "union all")
	}
	if c.Close {
		name := "tumble, closed"
		if c.Window.Slide > 0 {
			name = "hop, closed"
		}
		out = append(out, name)
	} else if c.Window != nil && c.Group {
		out = append(out, "windows, updating")
	}
	switch c.Kind {
	case "project", "rows in windows", "keyed":
		out = append(out, "projection and filter")
	case "windows again":
		out = append(out, "closed windows again")
	case "everything", "keyed everything":
		out = append(out, "one row over all")
	case "group by rows", "keyed group by rows":
		out = append(out, "group of rows")
	case "group", "keyed group", "keyed union", "group twice":
		out = append(out, "group")
	}
	return out
}

func (c coverage) note(w *World, v *Verdict) {
	for _, one := range w.Cases {
		want := v.Wants[one.Name]
		if want == nil {
			continue
		}
		for _, name := range append(one.operators(), "all") {
			m := c[name]
			if m == nil {
				m = &met{}
				c[name] = m
			}
			m.cases++
			for at, yes := range map[*int]bool{&m.late: len(want.late) > 0, &m.null: want.nulls, &m.deleted: want.deletes, &m.killed: v.Killed[one.Name] > 0, &m.empty: len(want.rows) == 0} {
				if yes {
					*at++
				}
			}
		}
	}
}

func (c coverage) print(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(c)) {
		m := c[name]
		t.Logf("%-22s cases %4d, with late rows %4d, nulls %4d, deletes %4d, killed %4d, empty %3d", name, m.cases, m.late, m.null, m.deleted, m.killed, m.empty)
	}
}

// least is how often each operator has to meet each thing.
const least = 10

func (c coverage) check(t *testing.T) {
	t.Helper()
	for name, m := range c {
		closes := strings.Contains(name, "closed")
		changes := !closes
		if m.null < least || m.killed < *flagKilled || closes && m.late < least || changes && m.deleted < least {
			t.Errorf("%s: too little was met: %+v", name, *m)
		}
	}
	if all := c["all"]; all.empty*10 > all.cases {
		t.Errorf("%d of %d results are empty", all.empty, all.cases)
	}
}
