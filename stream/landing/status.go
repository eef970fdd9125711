package landing

import (
	"errors"
	"slices"
	"sync"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/life"
	"tarn/lake/table"
	"tarn/stream/pipeline"
)

// The states of a way, as pipeline.Landing names them.
const (
	stateLanding     = "landing"
	stateRetrying    = "retrying"
	stateQuarantined = "quarantined"
)

// findingsMax bounds what a way remembers of what it found.
const findingsMax = 20

// progress is what a way tells of itself. Its own goroutine writes, others read.
type progress struct {
	mu       sync.Mutex
	state    string
	since    time.Time // of the state
	err      string
	hint     string
	findings []string
	table    table.Ident

	next        int64 // committed, over all partitions summed
	rows        int64
	commits     int64
	failures    int64
	commitTime  time.Duration // of all commits
	deadLetters int64
	misfits     int64
	committedAt time.Time
	freshness   time.Duration // of the last commit: its oldest record's age
	oldest      int64         // milliseconds, of what waits; 0 unknown

	pendingRows, pendingMisfits int // of the commit in hand
}

func (p *progress) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *progress) commitCount() (n int64) {
	p.do(func() { n = p.commits })
	return n
}

func (p *progress) failed(err error, now time.Time) {
	p.do(func() {
		state := stateRetrying
		if _, stuck := errors.AsType[quarantine](err); stuck {
			state = stateQuarantined
		}
		if p.state != state {
			p.since = now
		}
		p.state, p.err, p.hint = state, err.Error(), fault.HintOf(err)
		p.failures++
		p.pendingRows, p.pendingMisfits = 0, 0
	})
}

func (p *progress) opened(t table.Table, feeds []*feed) {
	p.do(func() {
		if p.next = sum(feeds); t != nil {
			p.table = t.Ident()
		}
	})
}

// idle notes that the table is there and has all.
func (p *progress) idle() { p.do(func() { p.state, p.err, p.hint = stateLanding, "", "" }) }

func sum(feeds []*feed) (n int64) {
	for _, f := range feeds {
		n += f.reached()
	}
	return n
}

// waiting notes that records wait; the oldest is of that time in milliseconds.
func (p *progress) waiting(oldest int64) { p.do(func() { p.oldest = oldest }) }

// began notes where a table without offsets begins.
func (p *progress) began(partition int, offset int64) {
	if offset > 0 {
		p.finding("partition " + itoa(int64(partition)) + " was landed from offset " + itoa(offset) + " on: what was before had left the log")
	}
}

func (p *progress) finding(text string) {
	p.do(func() {
		if len(p.findings) < findingsMax && !slices.Contains(p.findings, text) {
			p.findings = append(p.findings, text)
		}
	})
}

func (p *progress) dead(n int)   { p.do(func() { p.deadLetters += int64(n) }) }
func (p *progress) adding(n int) { p.do(func() { p.pendingRows = n }) }
func (p *progress) misfit(n int) { p.do(func() { p.pendingMisfits = n }) }

func (p *progress) committed(c *collection, id table.Ident, now time.Time, took time.Duration) {
	p.do(func() {
		p.state, p.err, p.hint = stateLanding, "", ""
		p.table, p.next, p.oldest = id, sum(c.feeds.list), 0
		p.rows += int64(p.pendingRows)
		p.misfits += int64(p.pendingMisfits)
		p.pendingRows, p.pendingMisfits = 0, 0
		p.commits++
		p.commitTime += took
		p.committedAt = now
		if c.oldest > 0 {
			p.freshness = max(0, now.Sub(time.UnixMilli(c.oldest)))
		}
	})
}

// Landings tells of every topic that lands, in order of name.
func (l *Landing) Landings() []pipeline.Landing {
	l.mu.Lock()
	ways := make([]*way, 0, len(l.ways))
	for _, w := range l.ways {
		ways = append(ways, w)
	}
	l.mu.Unlock()
	now := l.o.Clock.Now()
	byTopic := map[string]*pipeline.Landing{}
	var order []string
	for _, w := range ways {
		one, ok := byTopic[w.key.topic]
		if !ok {
			one = &pipeline.Landing{Topic: w.key.topic, State: stateLanding}
			byTopic[w.key.topic] = one
			order = append(order, w.key.topic)
		}
		w.tell(one, now)
	}
	slices.Sort(order)
	out := make([]pipeline.Landing, 0, len(order))
	for _, topic := range order {
		out = append(out, *byTopic[topic])
	}
	return out
}

// tell adds a way to its topic's line.
func (w *way) tell(one *pipeline.Landing, now time.Time) {
	p := &w.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.key.reader == bronzeReader {
		one.Bronze, one.BronzeRows, one.BronzeNext = p.table, p.rows, p.next
	} else {
		one.Silver, one.SilverRows, one.SilverNext = p.table, p.rows, p.next
	}
	lag := max(0, w.stable()-p.next)
	one.LagRecords = max(one.LagRecords, lag)
	if lag > 0 && p.oldest > 0 {
		one.LagMillis = max(one.LagMillis, now.UnixMilli()-p.oldest)
	}
	if p.committedAt.After(one.CommittedAt) {
		one.CommittedAt = p.committedAt
	}
	one.DeadLetters += p.deadLetters
	one.Misfits += p.misfits
	one.Findings = append(one.Findings, p.findings...)
	if rank(p.state) > rank(one.State) {
		one.State, one.Error, one.Hint = p.state, p.err, p.hint
	}
}

func rank(state string) int {
	return slices.Index([]string{stateLanding, stateRetrying, stateQuarantined}, state)
}

func (w *way) stable() (n int64) {
	for _, p := range w.topic.Partitions() {
		n += p.Stable()
	}
	return n
}

// Report is the part's own line, and one for each topic that does not land.
func (l *Landing) Report() []life.Status {
	own := life.Status{Name: l.Name(), State: life.Ready, Since: l.since}
	out := []life.Status{own}
	for _, one := range l.Landings() {
		out[0].LagMillis = max(out[0].LagMillis, one.LagMillis)
		if one.State == stateLanding {
			continue
		}
		out[0].State = life.Degraded
		if out[0].Error == "" {
			out[0].Error, out[0].Hint = one.Topic+": "+one.Error, one.Hint
		}
		out = append(out, life.Status{
			Name: l.Name() + ":" + one.Topic, State: life.Degraded, Since: one.CommittedAt,
			LagMillis: one.LagMillis, Error: one.Error, Hint: one.Hint,
		})
	}
	return out
}
