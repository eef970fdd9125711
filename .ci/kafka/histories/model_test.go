//go:build duckdb_arrow

package histories_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

func (p place) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// fate is what is known of a transaction's end.
type fate int

const (
	pending   fate = iota // nobody has asked for its end
	committed             // its commit was acknowledged
	aborted
	unsure // its commit was asked for, and nobody was told
)

// txn is one transaction.
type txn struct {
	name string
	fate fate
}

// sent is one record that a producer has sent.
type sent struct {
	id        string
	producer  string // whose records keep their order in each partition
	n         int    // of the producer's records
	at        place
	key       string
	tombstone bool
	txn       *txn  // nil for none
	offset    int64 // where it was acknowledged or seen; -1 while neither is so
	refused   bool  // nobody may ever see it
	gone      bool  // by compaction, as it may
}

// committed tells whether readers of committed records get it. The model is held.
func (s *sent) committed() bool { return s.txn == nil || s.txn.fate == committed }

// part is what is known of a partition.
type part struct {
	at      map[int64]*sent
	trimmed int64 // the highest low watermark that was ever told
	tried   int64 // the highest offset below which somebody asked to delete
	high    int64 // above each offset that was acknowledged or seen
}

// staged is an offset that a group was given, at once or with a transaction.
type staged struct {
	offset int64
	txn    *txn
}

// committing is what a group of consumers has committed of a partition: never less is there than what was
// acknowledged, and never more than what was tried.
type committing struct{ acked, tried int64 }

// model is what the door must hold, kept as simply as can be. Safe for concurrent use.
type model struct {
	mu      sync.Mutex
	records map[string]*sent
	parts   map[place]*part
	groups  map[string]map[place]*committing
	offsets map[string][]staged // of groups that transactions commit for, each of one partition
	txns    []*txn
	rules   map[string]*rules // by topic
	faults  []string          // what was found to be wrong
	journal []string
	began   time.Time
}

// rules are what may become of a topic's records: whatever a setting has once allowed.
type rules struct {
	compacts   bool // an older record of a key may go
	tombstones bool // tombstones may go
	retains    bool // the log's start moves by itself
}

func newModel() *model {
	return &model{
		records: map[string]*sent{}, parts: map[place]*part{}, groups: map[string]map[place]*committing{},
		offsets: map[string][]staged{}, rules: map[string]*rules{}, began: time.Now(),
	}
}

// faultsShown is how many faults the journal has: one brings many.
const faultsShown = 5

// wrong keeps a fault. The model is held.
func (m *model) wrong(format string, args ...any) {
	if m.faults = append(m.faults, fmt.Sprintf(format, args...)); len(m.faults) <= faultsShown {
		m.note("WRONG: "+format, args...)
	}
}

// note keeps a line of the journal. The model is held.
func (m *model) note(format string, args ...any) {
	m.journal = append(m.journal, fmt.Sprintf("%8.3f ", time.Since(m.began).Seconds())+fmt.Sprintf(format, args...))
}

// did keeps a line of what somebody did.
func (m *model) did(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(format, args...)
}

// fails keeps a fault that an actor has found.
func (m *model) fails(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong(format, args...)
}

func (m *model) faulty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.faults) > 0
}

// part is what is known of a partition. The model is held.
func (m *model) part(p place) *part {
	if m.parts[p] == nil {
		m.parts[p] = &part{at: map[int64]*sent{}}
	}
	return m.parts[p]
}

func (m *model) places() []place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Keys(m.parts), func(a, b place) int {
		if a.topic != b.topic {
			if a.topic < b.topic {
				return -1
			}
			return 1
		}
		return int(a.partition - b.partition)
	})
}

// allow widens what may become of a topic's records.
func (m *model) allow(topic string, more rules) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rules[topic]
	if r == nil {
		r = &rules{}
		m.rules[topic] = r
	}
	r.compacts, r.tombstones, r.retains = r.compacts || more.compacts, r.tombstones || more.tombstones, r.retains || more.retains
}

// sends takes over a record that is about to be sent.
func (m *model) sends(s *sent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.offset = -1
	m.records[s.id] = s
	m.part(s.at)
}

// acked takes over where a record is.
func (m *model) acked(id string, offset int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pin(m.records[id], offset, "acknowledged")
}

// refuses takes over that a record is not there, now or ever.
func (m *model) refuses(ids ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if s := m.records[id]; s.offset >= 0 {
			m.wrong("%s was refused, and is at %s offset %d", id, s.at, s.offset)
		} else {
			s.refused = true
		}
	}
}

// pin fixes a record at its offset, for ever: what was acknowledged, or what anybody has seen, stays. The model is held.
func (m *model) pin(s *sent, offset int64, how string) bool {
	p := m.part(s.at)
	switch other := p.at[offset]; {
	case s.refused:
		m.wrong("%s was refused, and is %s at %s offset %d", s.id, how, s.at, offset)
	case s.offset >= 0 && s.offset != offset:
		m.wrong("%s is %s at %s offset %d, and was at %d", s.id, how, s.at, offset, s.offset)
	case other != nil && other != s:
		m.wrong("%s is %s at %s offset %d, where %s was", s.id, how, s.at, offset, other.id)
	default:
		s.offset, p.at[offset] = offset, s
		p.high = max(p.high, offset+1)
		return true
	}
	return false
}

// saw takes over a record that a reader was given.
func (m *model) saw(reader string, onlyCommitted bool, p place, offset int64, id string) *sent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.see(reader, onlyCommitted, p, offset, id)
}

// see is saw. The model is held.
func (m *model) see(reader string, onlyCommitted bool, p place, offset int64, id string) *sent {
	s := m.records[id]
	switch {
	case s == nil:
		m.wrong("%s saw %q at %s offset %d, which nobody has sent", reader, id, p, offset)
		return nil
	case s.at != p:
		m.wrong("%s saw %s at %s offset %d, which was sent to %s", reader, id, p, offset, s.at)
		return nil
	case !m.pin(s, offset, "seen by "+reader):
		return nil
	case onlyCommitted && s.txn != nil:
		switch s.txn.fate {
		case aborted:
			m.wrong("%s, which reads committed records, saw %s at %s offset %d of %s, which was aborted", reader, id, p, offset, s.txn.name)
		case pending, unsure: // who asks for the end writes it down before
			if s.txn.fate == pending {
				m.wrong("%s, which reads committed records, saw %s at %s offset %d of %s, which is open", reader, id, p, offset, s.txn.name)
			}
			s.txn.fate = committed
		case committed:
		}
	}
	return s
}

// begins is a new transaction.
func (m *model) begins(name string) *txn {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &txn{name: name}
	m.txns = append(m.txns, t)
	return t
}

// ends takes over how a transaction ends. A commit that is asked for is unsure first.
func (m *model) ends(t *txn, how fate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end(t, how)
}

// end is ends. The model is held.
func (m *model) end(t *txn, how fate) {
	if t.fate != how && (t.fate == committed && how == aborted || t.fate == aborted) {
		m.wrong("%s is %s after it was %s", t.name, [...]string{"open", "committed", "aborted", "unsure"}[how], [...]string{"open", "committed", "aborted", "unsure"}[t.fate])
		return
	}
	if t.fate != committed {
		t.fate = how
	}
	m.note("%s is %s", t.name, [...]string{"open", "committed", "aborted", "unsure"}[t.fate])
}

// abandons takes over that nobody goes on with a transaction: it is aborted, if nobody has asked for its commit.
func (m *model) abandons(t *txn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t != nil && t.fate == pending {
		m.end(t, aborted)
	}
}

// stages takes over the offset that a transaction commits for a group.
func (m *model) stages(group string, offset int64, t *txn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offsets[group] = append(m.offsets[group], staged{offset, t})
}

// commits takes over an offset of a group, which is tried or acknowledged.
func (m *model) commits(group string, p place, offset int64, acked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.groups[group] == nil {
		m.groups[group] = map[place]*committing{}
	}
	c := m.groups[group][p]
	if c == nil {
		c = &committing{acked: -1, tried: -1}
		m.groups[group][p] = c
	}
	if c.tried = max(c.tried, offset); acked {
		c.acked = max(c.acked, offset)
	}
}

// committed is what a group has committed so far.
func (m *model) committed(group string, p place) committing {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.groups[group][p]; c != nil {
		return *c
	}
	return committing{acked: -1, tried: -1}
}

// trims takes over that somebody asks to delete all below an offset, or the low watermark that a broker has told.
func (m *model) trims(p place, asked, told int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.part(p)
	at.tried, at.trimmed = max(at.tried, asked), max(at.trimmed, told)
}
