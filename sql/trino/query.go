//go:build duckdb_arrow

package trino

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/sql/engine"
)

// query is a statement on its way to a client, which fetches its rows page by page. run makes the pages in a goroutine
// of its own, a few ahead of the client; each request takes one under a lock.
type query struct {
	id, slug string
	text     string // while it runs
	shown    string // what is shown of it, without its secrets
	who      guard.Principal
	session  session
	dialect  *engine.Dialect
	now      func() time.Time
	began    time.Time
	ctx      context.Context //nolint:containedctx // the statement's own: requests come and go
	cancel   context.CancelFunc

	pages   chan []byte   // rows as JSON; closed at the end, after which the fields below do not change
	all     *atomic.Int64 // the bytes of all statements' pages
	err     error
	columns atomic.Pointer[[]byte] // as JSON; nil before they are known
	tag     string                 // of a statement that is no query
	count   *int64                 // of the rows that it changed; nil for none
	changed http.Header            // what the client shall keep of the session
	ended   time.Time
	kept    int // bytes that count once it has ended; of the door's mu

	finished  chan struct{} // closed when run has ended
	rows      atomic.Int64
	bytes     atomic.Int64
	abandoned atomic.Bool
	killed    atomic.Pointer[string] // by kill_query, with its message
	running   atomic.Bool            // its rows are read
	noted     atomic.Int64           // its id in system.queries
	progress  func(noted int64) (running bool, percent float64)

	away    *time.Timer
	awayMax time.Duration

	asking sync.Mutex // one request at a time
	token  int        // of the last page that was given
	last   []byte     // that page
	held   int64      // of its bytes, as they are counted in all
	head   http.Header
	done   atomic.Bool // the final page was given
}

func newQuery(ctx context.Context, text string, who guard.Principal, s session, now func() time.Time) *query {
	ctx, cancel := context.WithCancel(ctx)
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return &query{
		slug: hex.EncodeToString(b[:]), text: text, shown: engine.Kept(text), who: who, session: s, now: now, began: now(), ctx: ctx, cancel: cancel,
		pages: make(chan []byte, pagesAhead), finished: make(chan struct{}), changed: http.Header{},
	}
}

// run makes the pages.
func (q *query) run(d *Door) {
	defer close(q.pages)
	defer close(q.finished)
	defer q.cancel()
	q.err = life.Guarded(d.o.Log, func() error { return q.produce(d) })
	switch {
	case q.err == nil:
	case q.abandoned.Load():
		q.err = failure{"ABANDONED_QUERY", fault.Newf(fault.Canceled, "send the statement again", "the client has not come back for %s", q.awayMax)}
	case q.killed.Load() != nil:
		q.err = failure{"ADMINISTRATIVELY_KILLED", fault.Newf(fault.Canceled, "", "Query killed. Message: %s", *q.killed.Load())}
	case q.ctx.Err() != nil && d.ctx.Err() == nil && fault.CodeOf(q.err) == fault.Canceled:
		q.err = failure{"USER_CANCELED", fault.New(fault.Canceled, "the statement was canceled", "")}
	}
	q.ended = q.now()
	q.text, q.session.prepared, q.session.properties = "", nil, nil
}

func (q *query) produce(d *Door) error {
	if done, err := q.kill(d); done || err != nil {
		return err
	}
	result, err := q.statement(q.ctx, d.o.Gate)
	if err != nil {
		return err
	}
	if result == nil {
		return nil
	}
	defer result.Close()
	q.running.Store(true)
	rows := newRows(result.Schema, result.Types, q.session.parametric)
	within, cancel := q.ctx, context.CancelFunc(func() {})
	if !result.Until.IsZero() {
		within, cancel = context.WithDeadline(q.ctx, result.Until)
	}
	defer cancel()
	return q.read(within, result, rows)
}

// read turns batches into pages until the last row.
func (q *query) read(ctx context.Context, result *engine.Result, rows *rows) error {
	page := []byte{'['}
	hand := func() error {
		q.bytes.Add(int64(len(page)))
		bytes := q.weight(len(page) + 1)
		full := q.all.Add(bytes) > allBytesMax
		if q.count != nil { // what the statement changed stays so: its one page passes
			q.pages <- append(page, ']')
			return nil
		}
		if full {
			q.all.Add(-bytes)
			return fault.New(fault.Unavailable, "the rows that wait to be fetched fill their memory", "fetch the rows of other statements, or end them, and try again")
		}
		select {
		case q.pages <- append(page, ']'):
			page = []byte{'['}
			return nil
		case <-ctx.Done():
			q.all.Add(-bytes)
			if q.ctx.Err() != nil {
				return fault.New(fault.Canceled, "the statement was canceled", "")
			}
			return fault.New(fault.Timeout, "the statement's time was over before its rows were read", "ask for less, or raise sql.timeout")
		}
	}
	for result.Reader.Next() {
		batch := result.Reader.RecordBatch()
		rows.look(batch)
		q.tell(rows)
		for i := range int(batch.NumRows()) {
			if len(page) > 1 {
				page = append(page, ',')
			}
			var err error
			if page, err = rows.append(page, batch, i); err != nil {
				return err
			}
			q.rows.Add(1)
			if len(page) >= pageBytes {
				if err := hand(); err != nil {
					return err
				}
			}
		}
	}
	if err := result.Reader.Err(); err != nil {
		return err
	}
	q.tell(rows)
	if len(page) > 1 {
		return hand()
	}
	return nil
}

// weight is what a page counts: its columns are told with it.
func (q *query) weight(page int) int64 {
	return int64(page + len(*q.columns.Load()))
}

// size is what there is of a query beside its rows.
func (q *query) size() int {
	n := len(q.shown) + len(q.who.User) + len(q.session.source) + len(q.session.catalog) + len(q.session.schema) + len(q.session.transaction)
	if columns := q.columns.Load(); columns != nil {
		n += 2 * len(*columns) // once in a last answer that is still to be made
	}
	return n
}

// hold counts a page in the place of the last one; nil is none.
func (q *query) hold(page []byte) {
	q.all.Add(-q.held)
	if q.held = 0; page != nil {
		q.held = q.weight(len(page))
	}
}

// tell makes the columns known.
func (q *query) tell(rows *rows) {
	if q.columns.Load() == nil {
		columns := rows.columns()
		q.columns.Store(&columns)
	}
}

// drop ends the query and forgets its rows: nobody wants them.
func (q *query) drop() {
	q.cancel()
	for page := range q.pages { // until run has ended
		q.all.Add(-q.weight(len(page)))
	}
	q.asking.Lock()
	defer q.asking.Unlock()
	q.last = nil
	q.hold(nil)
}

// state is where the query is, and when it ended.
func (q *query) state() (string, time.Time) {
	select {
	case <-q.finished:
		if q.err != nil {
			return "FAILED", q.ended
		}
		return "FINISHED", q.ended
	default:
	}
	return q.under(), time.Time{}
}

// under is the state of one that is under way.
func (q *query) under() string {
	if running, _ := q.progress(q.noted.Load()); running || q.running.Load() {
		return "RUNNING"
	}
	return "QUEUED"
}

// over tells that nothing is left to fetch.
func (q *query) over() bool { return q.done.Load() }

// answer is the page of a token; false where it has gone. A client that waits for long is told to ask for the same again.
func (q *query) answer(ctx context.Context, head http.Header, token int, base string) ([]byte, bool) {
	q.asking.Lock()
	defer q.asking.Unlock()
	switch {
	case token == q.token && q.last != nil:
		maps.Copy(head, q.head)
		return q.last, true
	case token != q.token+1:
		return nil, false
	}
	if !q.over() {
		q.away.Stop() // the client is here
		defer func() {
			if !q.over() {
				q.away.Reset(q.awayMax)
			}
		}()
	}
	wait := time.NewTimer(waitMax)
	defer wait.Stop()
	var body []byte
	select {
	case page, more := <-q.pages:
		if more {
			body = q.more(head, base, token+1, page)
		} else {
			body = q.final(head, base)
			q.done.Store(true)
		}
		q.token, q.last, q.head = token, body, head.Clone()
		q.hold(page)
	case <-wait.C:
		body = q.more(head, base, token, nil)
	case <-ctx.Done():
		return nil, false
	}
	return body, true
}
