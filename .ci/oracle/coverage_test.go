//go:build duckdb_arrow

package oracle_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"tarn/embedded/disk"
)

// coverage counts what cases of an operator met.
type coverage map[string]*met

type met struct{ Cases, Late, Null, Deleted, Dead, Killed, Empty int }

// progress is what runs of the same worlds have done together, where they keep it in a file: one goes on where the last ended.
type progress struct {
	path     string
	Seed     uint64
	Kills    int
	Done     []uint64 // worlds that held, by seed
	Coverage coverage
}

// resumed reads what was done; nothing is kept where path is "".
func resumed(path string, seed uint64) (*progress, error) {
	p := &progress{path: path, Seed: seed, Coverage: coverage{}}
	text, err := os.ReadFile(path) //nolint:gosec // the caller's
	if path == "" || errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	return p, json.Unmarshal(text, p)
}

// left are the worlds that are to be run yet.
func (p *progress) left(all []draft) []draft {
	return slices.DeleteFunc(all, func(d draft) bool { return slices.Contains(p.Done, d.seed) })
}

// note adds what a world met that holds.
func (p *progress) note(w *World, v *Verdict) error {
	p.Coverage.note(w, v)
	p.Kills += v.Kills
	p.Done = append(p.Done, w.Seed)
	if p.path == "" {
		return nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return disk.Local.WriteFile(p.path, text)
}

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

// The ways in which cases differ beside their operators.
const (
	ofMirror = "of a mirror"
	nullKeys = "of rows with one null key"
	global   = "late by the whole source, closed"
	skipped  = "unreadable records skipped"
	poisoned = "records not computed with"
	historic = "begins in history"
	altered  = "altered while it runs"
)

// always are met in every run that is large enough.
var always = []string{ofMirror, nullKeys, global, skipped, poisoned, historic, altered}

// ways are those of a case.
func (w *World) ways(c *Case, want *wanted) (out []string) {
	of := func(is func(s *Source) bool) bool {
		return slices.ContainsFunc(c.Legs, func(l Leg) bool { return is(w.Sources[l.Source]) })
	}
	for name, yes := range map[string]bool{
		ofMirror: of(func(s *Source) bool { return s.Mirror }), nullKeys: want.alike, global: c.Close && of(func(s *Source) bool { return s.Global }),
		skipped: of(func(s *Source) bool { return s.Skip }), poisoned: want.poisoned,
		historic: of(func(s *Source) bool { return slices.ContainsFunc(s.Cut, func(n int) bool { return n > 0 }) }), altered: c.Altered != "",
	} {
		if yes {
			out = append(out, name)
		}
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
		names = append(names, w.ways(one, want)...)
		for _, name := range names {
			m := c[name]
			if m == nil {
				m = &met{}
				c[name] = m
			}
			m.Cases++
			for at, yes := range map[*int]bool{&m.Late: len(want.late) > 0, &m.Null: want.nulls, &m.Deleted: want.deletes, &m.Dead: len(want.dead) > 0, &m.Killed: v.Killed[one.Name] > 0, &m.Empty: len(want.rows) == 0} {
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
		t.Logf("%-22s cases %4d, with late rows %4d, nulls %4d, deletes %4d, dead letters %4d, killed %4d, empty %3d", name, m.Cases, m.Late, m.Null, m.Deleted, m.Dead, m.Killed, m.Empty)
	}
}

// least is how often each operator has to meet each thing.
const least = 10

func (c coverage) check(t *testing.T) {
	t.Helper()
	for _, name := range always {
		m := c[name]
		if m == nil || m.Cases < least || name == poisoned && m.Dead < least {
			t.Errorf("%s: too little was met: %+v", name, m)
		}
	}
	if all := c["all"]; all.Dead < least {
		t.Errorf("too few dead letters were met: %+v", *all)
	}
	for name, m := range c {
		closes := strings.Contains(name, "closed")
		changes := !closes && name != poisoned && name != historic && name != skipped // those are of logs where rows stay
		killed := *flagKilled
		if slices.Contains(always, name) {
			killed = 1 // kills are chosen by operators
		}
		if m.Null < least || m.Killed < killed || closes && m.Late < least || changes && m.Deleted < least {
			t.Errorf("%s: too little was met: %+v", name, *m)
		}
	}
	if all := c["all"]; all.Empty*10 > all.Cases {
		t.Errorf("%d of %d results are empty", all.Empty, all.Cases)
	}
}
