//go:build duckdb_arrow

package histories_test

import (
	"maps"
	"slices"
)

// seen is a record that a reader was given.
type seen struct {
	offset int64
	id     string
}

// reading is a partition from its start to its end, as it was read while nobody wrote.
type reading struct {
	committed bool  // of committed records alone
	low       int64 // the low watermark before
	lowAfter  int64
	end       int64 // high watermark, or last stable offset of committed records
	records   []seen
}

// judge holds a reading against what was sent.
func (m *model) judge(p place, r reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	who := "who reads all"
	if r.committed {
		who = "who reads committed records"
	}
	at, got, last := r.low-1, map[*sent]bool{}, map[string]*sent{}
	for _, one := range r.records {
		if one.offset <= at {
			m.wrong("%s: %s got offset %d after %d (log start %d)", p, who, one.offset, at, r.low)
		}
		at = one.offset
		s := m.see(who, r.committed, p, one.offset, one.id)
		switch {
		case s == nil:
			continue
		case got[s]:
			m.wrong("%s: %s got %s twice", p, who, s.id)
		case last[s.producer] != nil && last[s.producer].n >= s.n:
			m.wrong("%s: %s got %s at %d after %s at %d of the same producer", p, who, s.id, s.offset, last[s.producer].id, last[s.producer].offset)
		}
		got[s], last[s.producer] = true, s
	}
	if at >= r.end {
		m.wrong("%s: %s got offset %d, and the end is %d", p, who, at, r.end)
	}
	m.misses(p, who, r, got)
	if high := m.part(p).high; !r.committed && r.end < high {
		m.wrong("%s: the high watermark is %d, and offset %d was acknowledged or seen", p, r.end, high-1)
	}
}

// misses judges the records that a reading lacks. The model is held.
func (m *model) misses(p place, who string, r reading, got map[*sent]bool) {
	known, rule := m.part(p), m.rules[p.topic]
	newer := map[string]*sent{}  // of each key the newest committed record, going down
	absent := map[string]*sent{} // of each key one that is missing, going down
	for _, offset := range slices.Backward(slices.Sorted(maps.Keys(known.at))) {
		s := known.at[offset]
		if offset < r.lowAfter || offset >= r.end {
			continue
		}
		if r.committed && !got[s] && s.txn != nil && s.txn.fate == unsure && !rule.compacts {
			m.end(s.txn, aborted)
		}
		if !s.committed() {
			if !r.committed && !got[s] && (!rule.compacts || s.txn.fate == pending) {
				m.wrong("%s: %s lacks %s at %d of %s", p, who, s.id, offset, s.txn.name)
			}
			continue
		}
		switch {
		case got[s] && absent[s.key] != nil:
			m.wrong("%s: %s got %s at %d, and newer %s at %d of its key %s is gone", p, who, s.id, offset, absent[s.key].id, absent[s.key].offset, s.key)
		case got[s]:
		case !rule.compacts:
			m.wrong("%s: %s lacks %s at %d", p, who, s.id, offset)
		case newer[s.key] == nil && (!s.tombstone || !rule.tombstones):
			m.wrong("%s: %s lacks %s at %d, the newest of its key %s", p, who, s.id, offset, s.key)
		}
		if s.gone = !got[s]; s.gone {
			absent[s.key] = s
		}
		if newer[s.key] == nil {
			newer[s.key] = s
		}
	}
}

// bounds holds the ends of a partition, while nobody writes, against what was done: low and high watermark and the last
// stable offset.
func (m *model) bounds(p place, low, stable, high int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, rule := m.part(p), m.rules[p.topic]
	if low < known.trimmed {
		m.wrong("%s: the low watermark is %d, and was %d", p, low, known.trimmed)
	}
	if low > known.tried && !rule.retains {
		m.wrong("%s: the low watermark is %d, and nobody has deleted above %d", p, low, known.tried)
	}
	known.trimmed = max(known.trimmed, low)
	if want := m.stable(p, high); stable != want {
		m.wrong("%s: the last stable offset is %d, want %d", p, stable, want)
	}
}

// stable is the last stable offset that a partition must have: that of the first record of an open transaction. The
// model is held.
func (m *model) stable(p place, high int64) int64 {
	for _, offset := range slices.Sorted(maps.Keys(m.part(p).at)) {
		if s := m.part(p).at[offset]; s.txn != nil && s.txn.fate == pending {
			return min(offset, high)
		}
	}
	return high
}

// wants is the last stable offset that a partition comes to have.
func (m *model) wants(p place, high int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stable(p, high)
}

// offsetOf judges the offset that a group has of which transactions commit, -1 for none, while none of them is being
// ended.
func (m *model) offsetOf(group string, got int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	want := int64(-1)
	for _, s := range m.offsets[group] {
		switch {
		case s.txn.fate != unsure:
		case s.offset == got:
			m.end(s.txn, committed)
		case s.offset > got: // each is above those before
			m.end(s.txn, aborted)
		}
		if s.txn.fate == committed {
			want = s.offset
		}
	}
	if got != want {
		m.wrong("group %s: the offset is %d, want %d", group, got, want)
	}
}

// tell sums a history up. The model is held.
func (m *model) tell() {
	var known, refused, unknown, compacted int
	for _, s := range m.records {
		if s.gone {
			compacted++
		}
		switch {
		case s.refused:
			refused++
		case s.offset < 0:
			unknown++
		default:
			known++
		}
	}
	fates := map[fate]int{}
	for _, t := range m.txns {
		fates[t.fate]++
	}
	m.note("%d records are known, %d of them compacted, %d were refused, %d are unknown; %d transactions were committed, %d aborted, of %d nobody knows",
		known, compacted, refused, unknown, fates[committed], fates[aborted], fates[unsure]+fates[pending])
}
