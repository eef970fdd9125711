//go:build duckdb_arrow

// Package trino is the door of Trino's client protocol: its clients' statements go to the Gate, and Arrow batches come
// back in pages of JSON. It knows no table and runs no statement by itself, but for those of a session, which its
// clients keep in their headers.
package trino

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	doors "tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/sqltext"
	"tarn/sql/engine"
)

// The bounds of the door.
const (
	queriesMax  = 200         // that have rows left, or run; one more is told to try again
	endedMax    = 1000        // of which the last answer is kept, for a client that asks for it again
	endedBytes  = 16 << 20    // of what is kept of those
	pageBytes   = 512 << 10   // of rows in an answer; one row may have more
	pagesAhead  = 2           // that are made before the client asks for them
	rowBytesMax = 16 << 20    // of one row, as JSON
	allBytesMax = 64 << 20    // of the pages of all statements that wait to be fetched, or asked for again
	waitMax     = time.Second // that an answer waits for rows
	awayMax     = 2 * time.Minute
	preparedMax = 32 << 10 // bytes of a prepared statement: clients keep it in a header
)

// doorName is the name of this door, as in ports.json.
const doorName = "trino"

// serverVersion is that of the Trino whose answers these are held against.
const serverVersion = "476"

// Options of the door.
type Options struct {
	Listener net.Listener // the door closes it
	Hosts    []string     // names by which it may be called, beside loopback's
	Gate     *engine.Gate
	Guard    guard.Guard
	// Away is how long a client may let its rows wait; 0 = two minutes. A statement with rows left has one of the Gate's turns.
	Away    time.Duration
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: counted for nobody
}

// Door is the part that answers Trino's clients.
type Door struct {
	o       Options
	gauge   prometheus.Gauge
	began   time.Time
	dialect *engine.Dialect
	ctx     context.Context //nolint:containedctx // of Run: statements outlive the request that brings them
	runs    sync.WaitGroup

	mu    sync.Mutex
	live  map[string]*query // by id
	ended map[string]*query
	order []string // of ended, oldest first
	kept  int      // bytes of ended
	next  int
	zoned map[string]*engine.Dialect // by the zone of their clients

	bytes atomic.Int64 // of pages
}

// New returns the door of a listener.
func New(o Options) *Door {
	if o.Guard == nil {
		o.Guard = guard.Open{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Away <= 0 {
		o.Away = awayMax
	}
	d := &Door{o: o, began: o.Gate.Now(), live: map[string]*query{}, ended: map[string]*query{}, zoned: map[string]*engine.Dialect{}, gauge: prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "tarn", Subsystem: "trino", Name: "statements", Help: "Statements of Trino's clients that run, or have rows left.",
	})}
	d.dialect = &engine.Dialect{Name: ViewDialect, Words: Words(), Schemas: d.tables(), LateViews: true}
	if o.Metrics != nil {
		o.Metrics.MustRegister(d.gauge)
	}
	return d
}

// Name is the part's name.
func (d *Door) Name() string { return doorName }

// Run answers until ctx ends.
func (d *Door) Run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer d.runs.Wait()
	defer cancel()
	d.ctx = ctx
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/statement", d.begin)
	mux.HandleFunc("GET /v1/statement/{state}/{id}/{slug}/{token}", d.page)
	mux.HandleFunc("DELETE /v1/statement/{state}/{id}/{slug}/{token}", d.end)
	mux.HandleFunc("GET /v1/info", d.info)
	ready()
	return doors.Serve(ctx, d.o.Listener, doors.Checked(d.o.Hosts, mux), d.o.Log)
}

// info is what clients ask of a server before anything else.
func (d *Door) info(w http.ResponseWriter, _ *http.Request) {
	uptime := d.o.Gate.Now().Sub(d.began).Seconds()
	write(w, map[string]any{
		"nodeVersion": map[string]string{"version": serverVersion}, "environment": "tarn", "coordinator": true, "starting": false,
		"uptime": strconv.FormatFloat(uptime, 'f', 2, 64) + "s",
	})
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// begin takes a statement. Its rows are fetched from where the answer says.
func (d *Door) begin(w http.ResponseWriter, r *http.Request) {
	s, err := readSession(r.Header)
	if err != nil {
		doors.Refuse(w, http.StatusBadRequest, shown(err))
		return
	}
	who, err := d.who(r)
	if err != nil {
		doors.Refuse(w, http.StatusUnauthorized, shown(err))
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, sqltext.TextBytesMax))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); err != nil && !tooLarge {
		doors.Refuse(w, http.StatusBadRequest, fault.New(fault.Invalid, "the statement could not be read", "send it again"))
		return
	} else if tooLarge {
		err = fault.Newf(fault.TooLarge, "send it in parts", "the statement has more than %d bytes", sqltext.TextBytesMax)
	}
	s.user = who.User
	q := newQuery(d.ctx, string(text), who, s, d.o.Gate.Now)
	q.dialect, q.all, q.progress = d.speech(s.zone), &d.bytes, d.o.Gate.Progress
	if err == nil && !d.enter(q) {
		err = failure{"QUERY_QUEUE_FULL", fault.Newf(fault.Unavailable, "try again in a moment", "%d statements are under way already", queriesMax)}
	}
	if err != nil {
		q.cancel()
		q.err = err
		_, _ = w.Write(q.final(w.Header(), base(r)))
		return
	}
	d.runs.Go(func() { q.run(d) })
	_, _ = w.Write(q.queued(w.Header(), base(r)))
}

// who is whose request it is.
func (d *Door) who(r *http.Request) (guard.Principal, error) {
	credential := doors.Credential(r, doorName)
	if user := r.Header.Get(headUser); user != "" {
		credential.User = user
	}
	if credential.User == "" {
		return guard.Principal{}, fault.New(fault.Denied, "the request names no user", "send "+headUser)
	}
	return d.o.Guard.Authenticate(r.Context(), credential)
}

// base is the address by which the client has called.
func base(r *http.Request) string { return "http://" + r.Host }

// find is the query of a request, for the user who has sent it; nil, with the answer written, where there is none.
func (d *Door) find(w http.ResponseWriter, r *http.Request) *query {
	who, err := d.who(r)
	if err != nil {
		doors.Refuse(w, http.StatusUnauthorized, shown(err))
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	id := r.PathValue("id")
	for _, known := range []map[string]*query{d.live, d.ended} {
		if q := known[id]; q != nil && q.slug == r.PathValue("slug") && q.who.User == who.User {
			return q
		}
	}
	doors.Refuse(w, http.StatusNotFound, fault.New(fault.NotFound, "there is no such statement here", "it may be over for long; send it again"))
	return nil
}

// page answers the rows of a token, or the same as before where the client asks once more.
func (d *Door) page(w http.ResponseWriter, r *http.Request) {
	q := d.find(w, r)
	token, err := strconv.Atoi(r.PathValue("token"))
	if q == nil {
		return
	}
	if err != nil {
		doors.Refuse(w, http.StatusNotFound, fault.New(fault.NotFound, "there is no such page", ""))
		return
	}
	body, ok := q.answer(r.Context(), w.Header(), token, base(r))
	if !ok {
		doors.Refuse(w, http.StatusGone, fault.New(fault.NotFound, "this page has gone", "a page is kept until the next one is asked for"))
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeMax))
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if q.over() {
		d.leave(q, len(body))
	}
}

// writeMax is how long a client may take for one answer.
const writeMax = 30 * time.Second

// end is what a client asks that has lost interest.
func (d *Door) end(w http.ResponseWriter, r *http.Request) {
	if q := d.find(w, r); q != nil {
		d.leave(q, 0)
		q.drop()
		w.WriteHeader(http.StatusNoContent)
	}
}

// enter gives a query its id; false when there are too many.
func (d *Door) enter(q *query) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.live) >= queriesMax {
		return false
	}
	d.next++
	q.id = q.began.UTC().Format("20060102_150405_") + pad(d.next%100000, 5) + "_tarn0"
	d.live[q.id] = q
	d.gauge.Set(float64(len(d.live)))
	q.awayMax = d.o.Away
	q.away = time.AfterFunc(d.o.Away, func() { d.abandon(q) })
	return true
}

// abandon ends a query whose client has not come back.
func (d *Door) abandon(q *query) {
	q.abandoned.Store(true)
	d.leave(q, 0)
	q.drop()
}

// leave keeps a query only for its last answer, of so many bytes.
func (d *Door) leave(q *query, last int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.live[q.id] == nil {
		return
	}
	q.away.Stop()
	delete(d.live, q.id)
	d.gauge.Set(float64(len(d.live)))
	q.kept = last + q.size()
	d.ended[q.id], d.kept = q, d.kept+q.kept
	d.order = append(d.order, q.id)
	for len(d.order) > endedMax || d.kept > endedBytes && len(d.order) > 1 {
		d.kept -= d.ended[d.order[0]].kept
		delete(d.ended, d.order[0])
		d.order = d.order[1:]
	}
}
