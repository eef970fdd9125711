//go:build duckdb_arrow

package engine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/embedded/sqltext"
)

// The bounds of what is kept of statements that have ended.
const (
	endedMax      = 1000
	textBytesKept = 4 << 10 // of one statement
	nearMax       = 3       // tokens from a name to its value: password => 'x'
)

// queries knows the statements that run, and the last that have run.
type queries struct {
	mu    sync.Mutex
	last  int64 // id
	live  map[int64]*statement
	ended []*statement // a ring
	next  int          // its oldest
}

// statement is one of them. What is not atomic is set before it is shown, or held by mu.
type statement struct {
	id     int64
	who    guard.Principal
	text   string
	began  time.Time
	cancel context.CancelCauseFunc
	rows   atomic.Int64
	bytes  atomic.Int64
	far    duck.Progress

	mu        sync.Mutex
	ran       time.Time // when it got its turn
	ended     time.Time
	snapshots map[string]int64
	err       error // how it ended, as it was shown
	closed    bool  // its asker did not read it to its end
	pressed   bool  // it is told to end for the memory of the process, and may not have: its asker reads slowly
}

// newQueries starts its numbers at the time, so that they go on growing over restarts.
func newQueries(now time.Time) *queries {
	return &queries{last: now.UnixMilli() * 1000, live: map[int64]*statement{}}
}

func (q *queries) begin(who guard.Principal, text string, now time.Time, cancel context.CancelCauseFunc) *statement {
	s := &statement{who: who, text: Kept(text), began: now, cancel: cancel}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	s.id = q.last
	q.live[s.id] = s
	return s
}

func (q *queries) end(s *statement, now time.Time) {
	s.mu.Lock()
	s.ended = now
	s.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.live, s.id)
	if len(q.ended) < endedMax {
		q.ended = append(q.ended, s)
		return
	}
	q.ended[q.next] = s
	q.next = (q.next + 1) % endedMax
}

// all are in the order of their beginning.
func (q *queries) all() []*statement {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := slices.AppendSeq(slices.Clone(q.ended), maps.Values(q.live))
	slices.SortFunc(out, func(a, b *statement) int { return cmp.Compare(a.id, b.id) })
	return out
}

// noted is the statement that a context is of; nil for none.
func noted(ctx context.Context) *statement {
	s, _ := ctx.Value(notedKey{}).(*statement)
	return s
}

// progress is told how far its query is.
func (s *statement) progress() *duck.Progress {
	if s == nil {
		return nil
	}
	return &s.far
}

// Progress is whether the statement of an id of system.queries has its turn, and how far its query is, in percent: -1 where DuckDB
// cannot tell, where it is no query, and before and after it.
func (g *Gate) Progress(id int64) (running bool, percent float64) {
	g.log.mu.Lock()
	s := g.log.live[id]
	g.log.mu.Unlock()
	if s == nil {
		return false, -1
	}
	s.mu.Lock()
	running = !s.ran.IsZero()
	s.mu.Unlock()
	if percent, known := s.far.Percent(); known {
		return running, percent
	}
	return running, -1
}

// running notes when it got its turn; the zero time for that it waits for one.
func (s *statement) running(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = now
}

func (s *statement) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *statement) reads(snapshots map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots = snapshots
}

// leave notes how the reading of the answer ended.
func (s *statement) leave(within context.Context, read *counted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, timed := within.Deadline() // by which doors go, too: one may be before the context itself
	switch {
	case read.done:
		s.err = read.err
	case context.Cause(within) != nil && !errors.Is(within.Err(), context.DeadlineExceeded):
		s.err = fault.New(fault.Canceled, "the statement was canceled", "")
	case within.Err() != nil || timed && time.Until(until) <= 0:
		s.err = fault.New(fault.Timeout, "its time was over before its rows were read", "")
	default:
		s.closed = true
	}
}

// queriesTable is system.queries. A principal sees its own statements; who may alter it sees those of all.
const queriesTable = "queries"

func (g *Gate) queriesOf(who guard.Principal) SystemTable {
	columns := []SystemColumn{
		{"id", record.Long},
		{"user", record.String},
		{"door", record.String},
		{"statement", record.String},
		{"state", record.String},
		{"began", record.TimestampTZ},
		{"queued_ms", record.Double},
		{"ms", record.Double},
		{"rows", record.Long},
		{"bytes", record.Long},
		{"snapshots", record.String},
		{"outcome", record.String},
		{"error", record.String},
	}
	return liveTable(queriesTable, columns, func(context.Context) (rows [][]any, _ error) {
		now := g.o.Clock.Now()
		for _, s := range g.log.all() {
			if g.MayCancel(who, s.who) {
				rows = append(rows, s.row(now))
			}
		}
		return rows, nil
	})
}

// MayCancel tells whether a principal sees, and may end, what another runs.
func (g *Gate) MayCancel(who, whose guard.Principal) bool {
	if whose.User == who.User {
		return true
	}
	return g.o.Guard.Decide(who, guard.Alter, guard.Resource{Kind: guard.Table, Path: []string{systemSchema, queriesTable}}).Allow
}

func (s *statement) row(now time.Time) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	millis := func(from, to time.Time) any { return float64(to.Sub(from).Microseconds()) / 1000 }
	state, outcome, message := "running", any(nil), any(nil)
	until := now
	switch {
	case !s.ended.IsZero():
		until, state, outcome = s.ended, "ended", "ok"
		if s.closed {
			outcome = "closed"
		}
		if s.err != nil {
			outcome = string(fault.CodeOf(s.err))
			if f, ok := errors.AsType[*fault.Error](s.err); ok {
				message = f.Message
			}
		}
	case s.ran.IsZero():
		state = "queued"
	}
	ran := cmp.Or(s.ran, until)
	var snapshots []string
	for _, name := range slices.Sorted(maps.Keys(s.snapshots)) {
		snapshots = append(snapshots, name+"="+strconv.FormatInt(s.snapshots[name], 10))
	}
	return []any{
		s.id, s.who.User, s.who.Door, s.text, state, s.began.UTC(), millis(s.began, ran), millis(s.began, until), s.rows.Load(), s.bytes.Load(),
		strings.Join(snapshots, " "), outcome, message,
	}
}

var (
	secretNames = []string{"password", "passwd", "secret", "token", "credential", "private", "sasl", "access_key"}
	secretURL   = regexp.MustCompile(`://[^/@\s']*@`)
)

// Kept is what is kept of a statement's text: its beginning, and no secret. A value behind a name that tells of one, and
// every text of a statement about connectors and sources, is left out, and comments where there is one.
func Kept(text string) string {
	verbs := sqltext.Verbs(text, verbsMax)
	all := slices.Contains(verbs, "CONNECTOR") || slices.Contains(verbs, "SOURCE") || slices.Contains(verbs, "SECRET")
	begin := text[:min(len(text), textBytesKept)]
	if !all && !tellsSecret(begin) && (!strings.Contains(begin, ":/") || !secretURL.MatchString(text)) { // whose @ may be behind what is kept
		return cut(text)
	}
	tokens, err := sqltext.Lex(text)
	if err != nil {
		return "(a statement that cannot be read)"
	}
	var b strings.Builder
	var before sqltext.Token
	end, near := 0, nearMax+1 // the tokens since such a name
	for _, t := range tokens {
		if b.Len() > textBytesKept {
			break
		}
		if between := text[end:t.Offset]; strings.TrimSpace(between) == "" {
			b.WriteString(between)
		} else { // a comment
			b.WriteByte(' ')
		}
		end = t.Offset + len(t.Text)
		near++
		hidden := t.Kind != sqltext.Symbol && secretURL.MatchString(t.Text)
		switch t.Kind {
		case sqltext.String:
			hidden = hidden || all || near <= nearMax
		case sqltext.Number:
			hidden = hidden || near <= nearMax
		case sqltext.Quoted: // where a text was meant
			hidden = hidden || near <= nearMax && (before.Is("=") || before.Is(">"))
		case sqltext.Word, sqltext.Symbol, sqltext.End:
		}
		if hidden {
			b.WriteString("'…'")
		} else {
			b.WriteString(t.Text)
		}
		if t.Kind != sqltext.Symbol && tellsSecret(t.Text) {
			near = 0
		}
		before = t
	}
	return cut(b.String())
}

// tellsSecret tells whether a text has a name behind which a secret may stand.
func tellsSecret(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc(secretNames, func(name string) bool { return strings.Contains(lower, name) })
}

func cut(text string) string {
	if len(text) <= textBytesKept {
		return strings.Clone(strings.ToValidUTF8(text, "?"))
	}
	return strings.ToValidUTF8(text[:textBytesKept], "") + "…"
}

// cancelQuery is CANCEL QUERY id: one that waits or runs, of whatever door, ends.
func (g *Gate) cancelQuery(_ context.Context, who guard.Principal, stmt string) (*Result, error) {
	in, err := sqltext.NewReader(stmt)
	if err != nil {
		return nil, err
	}
	in.Take("CANCEL", "QUERY")
	t := in.Next()
	id, err := strconv.ParseInt(strings.Trim(t.Value(), "'"), 10, 64)
	if err != nil || t.Kind != sqltext.Number && t.Kind != sqltext.String {
		return nil, sqltext.At(fault.New(fault.Syntax, "CANCEL QUERY wants the number of a statement", "its id is in system.queries"), stmt, t.Offset)
	}
	if err := in.Done(); err != nil {
		return nil, err
	}
	if err := g.Cancel(who, id); err != nil {
		return nil, placed(err, stmt, t.Offset)
	}
	return Status("CANCEL QUERY"), nil
}

// Cancel ends the statement of an id of system.queries, of whatever door. It is a fault NotFound where none runs that
// the principal may cancel.
func (g *Gate) Cancel(who guard.Principal, id int64) error {
	g.log.mu.Lock()
	s := g.log.live[id]
	g.log.mu.Unlock()
	if s == nil || !g.MayCancel(who, s.who) {
		return fault.Newf(fault.NotFound, "see SELECT id, statement FROM system.queries WHERE state <> 'ended'", "no statement %d runs", id)
	}
	by := ""
	if who.User != s.who.User {
		by = " by " + who.User
	}
	s.cancel(fault.New(fault.Canceled, "the statement was canceled"+by, ""))
	return nil
}

// counted notes what of an answer was read.
type counted struct {
	array.RecordReader
	of      *statement
	done    bool
	err     error
	changed *int64 // rows, of a statement that changed some: those count
}

// Next moves on by a batch.
func (c *counted) Next() bool {
	if c.done {
		return false
	}
	if c.RecordReader.Next() {
		b := c.RecordBatch()
		if c.changed == nil {
			c.of.rows.Add(b.NumRows())
		}
		c.of.bytes.Add(duck.Bytes(b))
		return true
	}
	if c.done, c.err = true, c.RecordReader.Err(); c.changed != nil {
		c.of.rows.Store(*c.changed)
	}
	return false
}

// Err is what ended the answer early.
func (c *counted) Err() error { return c.err }
