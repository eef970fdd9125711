package proof

import (
	"fmt"
	"slices"
)

// findingsMax bounds what a check tells of one table.
const findingsMax = 12

// Findings are a check's complaints; none means that it holds.
type Findings struct {
	What string
	All  []string
}

func (f *Findings) add(format string, args ...any) {
	if len(f.All) >= findingsMax {
		return
	}
	f.All = append(f.All, fmt.Sprintf(f.What+": "+format, args...))
	if len(f.All) == findingsMax {
		f.All = append(f.All, f.What+": and more")
	}
}

// step is a birth or a death in the life of one key.
type step struct {
	token int64
	born  bool
}

func (s step) String() string {
	if s.born {
		return fmt.Sprintf("+%d", s.token)
	}
	return fmt.Sprintf("-%d", s.token)
}

// promised is what a list says of one table.
type promised struct {
	sums  map[int64]string // of each version, by token
	keys  map[int64]string
	maybe map[step]bool     // in a transaction that was not acknowledged
	want  map[string][]step // by key: the acknowledged changes that triggers saw
	count map[step]int      // of want
	lazy  map[int64]bool    // versions from before the triggers: a snapshot may tell them
	gone  map[int64]bool    // versions that died unseen
}

func promise(t *Table, txns []*Txn) *promised {
	p := &promised{
		sums: map[int64]string{}, keys: map[int64]string{}, maybe: map[step]bool{}, want: map[string][]step{},
		count: map[step]int{}, lazy: map[int64]bool{}, gone: map[int64]bool{},
	}
	for _, txn := range txns {
		for _, e := range txn.Events {
			if e.Table != t.Name {
				continue
			}
			s := step{e.Token, e.Born}
			if e.Born {
				p.sums[e.Token], p.keys[e.Token] = e.Sum, e.Key
			}
			switch {
			case !txn.Acked:
				p.maybe[s] = true
			case e.Captured:
				p.want[life(t, e.Key, e.Token)] = append(p.want[life(t, e.Key, e.Token)], s)
				p.count[s]++
			case e.Born:
				p.lazy[e.Token] = true
			default:
				p.gone[e.Token] = true
			}
		}
	}
	return p
}

// life names what an order is kept for: a key, or in a table without one a single version.
func life(t *Table, key string, token int64) string {
	if t.Keyed() {
		return key
	}
	return fmt.Sprint("version ", token)
}

// CheckBronze holds a table's bronze against a list: each acknowledged change once and
// unaltered, the changes of one key in their order, nothing that nobody wrote. snapshots
// is how many snapshots of the table there have been.
func CheckBronze(t *Table, txns []*Txn, landed []Landed, snapshots int) []string {
	f := &Findings{What: "bronze of " + t.Name}
	p := promise(t, txns)
	seen, reads, got := map[step]int{}, map[int64]int{}, map[string][]step{}
	last := int64(-1)
	for _, l := range landed {
		if l.Offset == last {
			f.add("offset %d is there twice", l.Offset)
		}
		last = l.Offset
		if !wellFormed(l) {
			f.add("offset %d: op %q with before %v, after %v", l.Offset, l.Op, l.Before != nil, l.After != nil)
			continue
		}
		if l.Op == "r" {
			reads[l.After.Token]++
			p.same(f, l.Offset, l.After)
			continue
		}
		for _, v := range []struct {
			*Version
			born bool
		}{{l.Before, false}, {l.After, true}} {
			if v.Version == nil {
				continue
			}
			p.same(f, l.Offset, v.Version)
			s := step{v.Token, v.born}
			seen[s]++
			if !p.maybe[s] {
				got[life(t, v.Key, v.Token)] = append(got[life(t, v.Key, v.Token)], s)
			}
		}
	}
	p.compare(f, seen)
	p.order(f, got)
	p.readsFit(f, reads, snapshots)
	return f.All
}

// wellFormed tells whether an event has the rows that its operation has.
func wellFormed(l Landed) bool {
	switch l.Op {
	case "":
		return l.Before == nil && l.After == nil
	case "c", "r":
		return l.Before == nil && l.After != nil
	case "u":
		return l.Before != nil && l.After != nil
	case "d":
		return l.Before != nil && l.After == nil
	}
	return false
}

// same checks that a version is one that was written, unaltered.
func (p *promised) same(f *Findings, offset int64, v *Version) {
	sum, known := p.sums[v.Token]
	switch {
	case !known:
		f.add("offset %d: version %d was never written", offset, v.Token)
	case sum != v.Sum || p.keys[v.Token] != v.Key:
		f.add("offset %d: version %d of key %q is altered", offset, v.Token, p.keys[v.Token])
	}
}

func (p *promised) compare(f *Findings, seen map[step]int) {
	for s, want := range p.count {
		if n := seen[s]; n < want {
			f.add("change %s of key %q is lost (%d of %d)", s, p.keys[s.token], n, want)
		}
	}
	for s, n := range seen {
		want := p.count[s]
		if p.maybe[s] {
			want++
		}
		if n > want {
			f.add("change %s of key %q is there %d times, want %d", s, p.keys[s.token], n, want)
		}
	}
}

func (p *promised) order(f *Findings, got map[string][]step) {
	for key, want := range p.want {
		if g := got[key]; len(g) == len(want) && !slices.Equal(g, want) {
			f.add("changes of %q are out of order: %v, want %v", key, g, want)
		}
	}
}

// readsFit checks the rows that snapshots told. A version older than the triggers that
// lived on is told by each snapshot; the others at most once by each.
func (p *promised) readsFit(f *Findings, reads map[int64]int, snapshots int) {
	for v, n := range reads {
		if n > snapshots {
			f.add("version %d of key %q was read %d times by %d snapshots", v, p.keys[v], n, snapshots)
		}
	}
	for v := range p.lazy {
		if died := p.gone[v] || p.count[step{v, false}] > 0 || p.maybe[step{v, false}]; !died && reads[v] == 0 {
			f.add("row of key %q, version %d, is lost: no snapshot told it", p.keys[v], v)
		}
	}
}
