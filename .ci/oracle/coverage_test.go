//go:build duckdb_arrow

package oracle_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

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
		if len(c.Also) > 0 {
			name = "several windows, closed"
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
		names := append(one.operators(), "all")
		if slices.ContainsFunc(one.Legs, func(l Leg) bool { return w.Sources[l.Source].Mirror }) {
			names = append(names, "mirror")
		}
		for _, name := range names {
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
