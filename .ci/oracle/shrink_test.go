//go:build duckdb_arrow

package oracle_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
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

// shrinker makes a world that fails smaller: what may go is tried away, and where the world fails still, it stays away.
type shrinker struct {
	t      *testing.T
	w      *World
	why    string
	broken bool // it fails by an error, not by an answer
	end    time.Time
	tried  int
}

// shrink makes a world that fails smaller, for as long as flagShrink: the failing case alone, without kills, with
// fewer records and less of a SELECT, without pauses, in one partition.
func (w *World) shrink(t *testing.T, v *Verdict) (*World, string) {
	t.Helper()
	s := &shrinker{t: t, w: w, why: v.String(), broken: v.Error != "", end: time.Now().Add(*flagShrink)}
	var alone []*World
	for _, c := range w.Cases {
		if v.Failures[c.Name] != "" {
			alone = append(alone, w.only(c.Name))
		}
	}
	slices.SortFunc(alone, func(a, b *World) int { return cmp.Compare(a.size().words, b.size().words) })
	if !slices.ContainsFunc(alone, func(one *World) bool { return s.takes(one) }) {
		for _, c := range w.Cases { // an error has no case
			if v.Error != "" && s.takes(w.only(c.Name)) {
				break
			}
		}
	}
	s.kills()
	s.records(coarse)
	for s.takes(s.w.simpler()...) {
	}
	s.takes(s.w.joined())
	s.records(math.MaxInt)
	s.pauses()
	s.kills()
	t.Logf("shrunk within %d runs to %s", s.tried, s.w.size())
	return s.w, s.why
}

// takes goes on with one of the worlds that fails as the one in hand does.
func (s *shrinker) takes(worlds ...*World) bool {
	worlds = slices.DeleteFunc(worlds, func(w *World) bool { return w == nil })
	var mu sync.Mutex
	took := false
	side(worlds, func(one *World) bool {
		if time.Now().After(s.end) {
			return false
		}
		got := one.check(s.t.Context(), false)
		mu.Lock()
		defer mu.Unlock()
		if s.tried++; !took && !got.ok() && (got.Error != "") == s.broken {
			s.w, s.why, took = one, got.String(), true
		}
		return !took
	})
	return took
}

// kills tries to do without.
func (s *shrinker) kills() {
	without := *s.w
	if without.Kills = nil; len(s.w.Kills) == 0 || s.takes(&without) {
		return
	}
	for i := 0; i < len(s.w.Kills); {
		less := *s.w
		if less.Kills = slices.Delete(slices.Clone(s.w.Kills), i, i+1); !s.takes(&less) {
			i++
		}
	}
}

// coarse is into how many parts the records are cut while there are many.
const coarse = 16

// records takes records out: it tries each part alone, then all without it, in parts that get smaller.
func (s *shrinker) records(partsMax int) {
	for parts := 8; time.Now().Before(s.end); {
		n := s.w.size().records
		parts = min(parts, n)
		var less []*World
		for _, alone := range []bool{true, false} {
			for i := range parts {
				from, to := n*i/parts, n*(i+1)/parts
				if parts > 1 && (!alone || parts > 2 && to-from > 1) {
					less = append(less, s.w.without(func(i int) bool { return (i >= from && i < to) != alone }))
				}
			}
		}
		switch {
		case s.takes(less...):
		case parts >= n || parts >= partsMax:
			return
		default:
			parts *= 2
		}
	}
}

// pauses tries to do without each; those that have to be are made long, so that they do on any machine.
func (s *shrinker) pauses() {
	for i := range s.w.Steps {
		for _, pause := range []time.Duration{0, lull} {
			if s.w.Steps[i].Pause == pause {
				break
			}
			calm := *s.w
			calm.Steps = slices.Clone(s.w.Steps)
			if calm.Steps[i].Pause = pause; s.takes(&calm) && s.again() {
				break
			}
		}
	}
}

// again tells whether the world in hand fails again.
func (s *shrinker) again() bool { return !s.w.check(s.t.Context(), false).ok() }

// size is how large a world is.
type size struct{ cases, sources, records, kills, words int }

func (n size) String() string {
	return fmt.Sprintf("%d case of %d words over %d records of %d sources with %d kills", n.cases, n.words, n.records, n.sources, n.kills)
}

func (w *World) size() (n size) {
	n.cases, n.sources, n.kills = len(w.Cases), len(w.Sources), len(w.Kills)
	for _, s := range w.Steps {
		n.records += s.Count
	}
	for _, c := range w.Cases {
		n.words += len(strings.Fields(c.Statement))
	}
	return n
}

// only is the world with one case, and what it reads.
func (w *World) only(name string) *World {
	out := *w
	out.Cases, out.Sources = nil, nil
	for _, c := range w.Cases {
		if c.Name == name {
			one := *c
			out.Cases = []*Case{&one}
		}
	}
	out.Kills = slices.DeleteFunc(slices.Clone(w.Kills), func(k Kill) bool { return k.Case != "" && k.Case != name })
	at := map[int]int{}
	c := out.Cases[0]
	c.Legs = slices.Clone(c.Legs)
	for i, l := range c.Legs {
		if _, ok := at[l.Source]; !ok {
			at[l.Source] = len(out.Sources)
			out.Sources = append(out.Sources, w.Sources[l.Source])
		}
		c.Legs[i].Source = at[l.Source]
	}
	out.Steps = nil
	for _, s := range w.Steps {
		if to, ok := at[s.Source]; ok {
			s.Source = to
			out.Steps = append(out.Steps, s)
		}
	}
	return &out
}

// without is the world without some records, by their number in the order of the steps; nil where none is left.
func (w *World) without(drop func(n int) bool) *World {
	return w.moved(func(n int, at Step) (Step, bool) { return at, !drop(n) })
}

// joined is the world in one partition.
func (w *World) joined() *World {
	if !slices.ContainsFunc(w.Sources, func(s *Source) bool { return s.Partitions > 1 }) {
		return nil
	}
	out := w.moved(func(_ int, at Step) (Step, bool) {
		at.Partition = 0
		return at, true
	})
	for _, s := range out.Sources {
		s.Partitions, s.Records = 1, s.Records[:1]
	}
	return out
}

// moved is the world with each record where to puts it, if anywhere.
func (w *World) moved(to func(n int, at Step) (Step, bool)) *World {
	out := *w
	out.Sources, out.Steps = nil, nil
	for _, s := range w.Sources {
		one := *s
		one.Records = make([][]Rec, len(s.Records))
		out.Sources = append(out.Sources, &one)
	}
	next, n := map[[2]int]int{}, 0
	for _, s := range w.Steps {
		from := [2]int{s.Source, int(s.Partition)}
		var step Step
		for range s.Count {
			at, stays := to(n, s)
			if stays {
				list := &out.Sources[at.Source].Records[at.Partition]
				*list = append(*list, w.Sources[s.Source].Records[s.Partition][next[from]])
				step, step.Count = at, step.Count+1
			}
			next[from]++
			n++
		}
		if step.Count > 0 {
			out.Steps = append(out.Steps, step)
		}
	}
	if len(out.Steps) == 0 {
		return nil
	}
	return &out
}

// simpler are worlds whose one case says less.
func (w *World) simpler() (out []*World) {
	if len(w.Cases) != 1 {
		return nil
	}
	less := func(change func(c *Case)) {
		one, c := *w, *w.Cases[0]
		c.Legs, c.Keys, c.Items = slices.Clone(c.Legs), slices.Clone(c.Keys), slices.Clone(c.Items)
		change(&c)
		c.print(newChance(1), w.Sources)
		one.Cases, one.Kills = []*Case{&c}, slices.Clone(w.Kills)
		for i := range one.Kills {
			if one.Kills[i].Case != "" {
				one.Kills[i].Pipeline = c.pipeline()
			}
		}
		out = append(out, &one)
	}
	if whole := *w; slices.ContainsFunc(w.Sources, func(s *Source) bool { return len(s.Cut) > 0 }) {
		whole.Sources = nil
		for _, s := range w.Sources {
			one := *s
			one.Cut = nil
			whole.Sources = append(whole.Sources, &one)
		}
		out = append(out, &whole)
	}
	c := w.Cases[0]
	if c.Altered != "" {
		less(func(*Case) {}) // it is said at once
	}
	if c.Where != "" {
		less(func(c *Case) { c.Where = "" })
	}
	if c.Having != "" {
		less(func(c *Case) { c.Having = "" })
	}
	if c.Outer != nil {
		less(func(c *Case) { c.Outer = nil })
	}
	for i := range c.Items {
		if len(c.Items) > 1 && c.Outer == nil {
			less(func(c *Case) { c.Items = slices.Delete(c.Items, i, i+1) })
		}
	}
	for i, k := range c.Keys {
		if len(c.Keys) > 1 && (c.Window == nil || !strings.Contains(k.Expr, "{window_")) {
			less(func(c *Case) { c.Keys = slices.Delete(c.Keys, i, i+1) })
		}
	}
	for i, l := range c.Legs {
		if l.Where != "" {
			less(func(c *Case) { c.Legs[i].Where = "" })
		}
		if len(c.Legs) > 1 {
			less(func(c *Case) { c.Legs = slices.Delete(c.Legs, i, i+1) })
		}
	}
	return out
}
