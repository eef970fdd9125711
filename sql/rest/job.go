//go:build duckdb_arrow

package rest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/sql/cell"
	"tarn/sql/engine"
)

// The bounds of answers that are fetched later. They are held in memory.
const (
	jobsMax     = 64
	jobBytesMax = 32 << 20 // of one answer
	allBytesMax = 64 << 20 // of all
	keepFor     = 10 * time.Minute
	waitMax     = 30 * time.Second // for a state that is asked for with wait
)

// jobs are the statements that were sent to be answered later.
type jobs struct {
	gate *engine.Gate
	log  *slog.Logger

	ctx  context.Context //nolint:containedctx // of all that run, until stop
	stop context.CancelFunc
	work sync.WaitGroup

	mu    sync.Mutex
	all   map[string]*job
	bytes int64
}

// job is one of them. What follows mu is held by it.
type job struct {
	id     string
	who    guard.Principal
	began  time.Time
	cancel context.CancelFunc
	ended  chan struct{} // closed when it has

	mu     sync.Mutex
	query  int64 // its id in system.queries
	schema *arrow.Schema
	reads  map[string]int64
	pages  []arrow.RecordBatch
	rows   int64
	bytes  int64
	fault  *fault.Error
	end    time.Time
	gone   bool // nobody can ask for it any more
}

func newJobs(gate *engine.Gate, log *slog.Logger) *jobs {
	j := &jobs{gate: gate, log: log, all: map[string]*job{}}
	j.ctx, j.stop = context.WithCancel(context.Background())
	return j
}

// close ends all that run.
func (js *jobs) close() {
	js.stop()
	js.work.Wait()
}

// start runs a statement for whoever asks for its answer later.
func (js *jobs) start(who guard.Principal, text string) (*job, error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.sweep()
	if len(js.all) >= jobsMax {
		return nil, fault.Newf(fault.Unavailable, "delete those whose answers you have", "%d statements with Prefer: respond-async are kept already", jobsMax)
	}
	if js.ctx.Err() != nil {
		return nil, fault.New(fault.Unavailable, "Tarn is stopping", "try again when it is back")
	}
	ctx, cancel := context.WithCancel(js.ctx)
	j := &job{id: strings.ToLower(rand.Text()), who: who, began: js.gate.Now(), cancel: cancel, ended: make(chan struct{})}
	js.all[j.id] = j
	js.work.Go(func() {
		defer cancel()
		err := life.Guarded(js.log, func() error { return js.run(ctx, j, text) })
		j.mu.Lock()
		defer j.mu.Unlock()
		if err != nil {
			j.fault = shown(err)
		}
		j.end = js.gate.Now()
		close(j.ended)
	})
	return j, nil
}

func (js *jobs) run(ctx context.Context, j *job, text string) error {
	result, err := js.gate.Run(ctx, engine.Request{Text: text, Principal: j.who, Noted: func(id int64) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.query = id
	}})
	if err != nil {
		return err
	}
	defer result.Close()
	j.mu.Lock()
	j.schema, j.reads = result.Schema, result.Snapshots
	j.mu.Unlock()
	err = engine.Merge(result.Reader, func(b arrow.RecordBatch) error { return js.keep(j, b, result.Told()) })
	if err != nil && result.Returned { // so that nobody sends it again
		return fault.Newf(fault.TooLarge, "ask for the rows by a SELECT", "the statement has written its rows, of which RETURNING cannot be answered: %s", shown(err).Message)
	}
	return err
}

// keep adds a page. That of a statement that has done something already passes the bounds: it is small, and an error would be taken
// for one of the statement.
func (js *jobs) keep(j *job, b arrow.RecordBatch, passes bool) error {
	js.mu.Lock()
	defer js.mu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	bytes := duck.Bytes(b)
	switch {
	case j.gone:
		return fault.New(fault.Canceled, "the statement was deleted", "")
	case passes:
	case j.bytes+bytes > jobBytesMax:
		return fault.Newf(fault.TooLarge, "send it without Prefer: respond-async, and read the answer as it comes", "the answer has more than %d MiB", jobBytesMax>>20)
	case js.bytes+bytes > allBytesMax:
		return fault.New(fault.Unavailable, "delete answers that you have read, or try again later", "the answers that wait to be fetched fill their memory")
	}
	b.Retain()
	j.pages, j.rows, j.bytes, js.bytes = append(j.pages, b), j.rows+b.NumRows(), j.bytes+bytes, js.bytes+bytes
	return nil
}

// sweep forgets answers that nobody has fetched for long. The caller holds mu.
func (js *jobs) sweep() {
	now := js.gate.Now()
	for _, j := range js.all {
		j.mu.Lock()
		old := !j.end.IsZero() && now.Sub(j.end) > keepFor
		j.mu.Unlock()
		if old {
			js.forget(j)
		}
	}
}

// forget lets one go, and ends it. The caller holds mu.
func (js *jobs) forget(j *job) {
	delete(js.all, j.id)
	j.cancel()
	j.mu.Lock()
	defer j.mu.Unlock()
	js.bytes -= j.bytes
	for _, b := range j.pages {
		b.Release()
	}
	j.pages, j.bytes, j.gone = nil, 0, true
}

// of finds the one of a request, if it is its principal's.
func (js *jobs) of(who guard.Principal, id string) (*job, error) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.sweep()
	if j := js.all[id]; j != nil && j.who.User == who.User {
		return j, nil
	}
	return nil, fault.New(fault.NotFound, "there is no such statement", "it was deleted, or its answer is older than ten minutes")
}

// The states of a job.
const (
	stateRunning  = "running"
	stateDone     = "done"
	stateFailed   = "failed"
	stateCanceled = "canceled"
)

func (j *job) state() string {
	switch {
	case j.end.IsZero():
		return stateRunning
	case j.fault == nil:
		return stateDone
	case j.fault.Code == fault.Canceled:
		return stateCanceled
	}
	return stateFailed
}

// describe is a job's state as JSON.
func (js *jobs) describe(j *job) []byte {
	now := js.gate.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.end.IsZero() {
		now = j.end
	}
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	out := struct {
		ID      string          `json:"id"`
		Query   int64           `json:"query"`
		State   string          `json:"state"`
		Rows    int64           `json:"rows"`
		Bytes   int64           `json:"bytes"`
		Pages   int             `json:"pages"`
		MS      float64         `json:"ms"`
		Percent *float64        `json:"progress,omitempty"`
		Columns []column        `json:"columns,omitempty"`
		Error   json.RawMessage `json:"error,omitempty"`
	}{j.id, j.query, j.state(), j.rows, j.bytes, len(j.pages), float64(now.Sub(j.began).Microseconds()) / 1000, js.progress(j), nil, nil}
	if j.schema != nil {
		for _, f := range j.schema.Fields() {
			out.Columns = append(out.Columns, column{f.Name, cell.TypeName(f)})
		}
	}
	if j.fault != nil {
		var whole map[string]json.RawMessage
		if json.Unmarshal(errorJSON(j.fault), &whole) == nil {
			out.Error = whole["error"]
		}
	}
	b, err := json.Marshal(out)
	if err != nil { // never for texts and numbers
		return nil
	}
	return append(b, '\n')
}

// progress is how far a job is, in percent; nil where nobody knows. The caller holds the job's mu.
func (js *jobs) progress(j *job) *float64 {
	switch j.state() {
	case stateDone:
		return new(100.0)
	case stateRunning:
		if _, percent := js.gate.Progress(j.query); percent >= 0 {
			return &percent
		}
	}
	return nil
}

// page is an answer that is page n, counted from 0; nil where it is not there. Close it.
func (j *job) page(n int) (*engine.Result, func(), error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.schema == nil || n > len(j.pages) || n == len(j.pages) && n > 0 {
		return nil, nil, j.noPage(n)
	}
	var batches []arrow.RecordBatch
	if n < len(j.pages) {
		batches = j.pages[n : n+1]
	} else if j.end.IsZero() || j.fault != nil {
		return nil, nil, j.noPage(n)
	} // an answer without rows has one page without rows
	reader, err := array.NewRecordReader(j.schema, batches)
	if err != nil {
		return nil, nil, err
	}
	return &engine.Result{Schema: j.schema, Reader: reader, Snapshots: j.reads, Tag: "SELECT"}, reader.Release, nil
}

func (j *job) noPage(n int) error {
	switch {
	case j.end.IsZero():
		return fault.New(fault.Unavailable, "the page is not there yet", "ask for the state, with ?wait=10s")
	case j.fault != nil:
		return fault.New(j.fault.Code, j.fault.Message, j.fault.Hint)
	}
	return fault.Newf(fault.NotFound, "the state says how many there are", "there is no page %d", n)
}

// refuseJob is refuse, but that what is not there is 404: the path names it, not a statement.
func refuseJob(w http.ResponseWriter, err error) {
	if f := shown(err); f.Code == fault.NotFound {
		writeFault(w, http.StatusNotFound, f)
		return
	}
	refuse(w, err)
}

// serveJob answers GET and DELETE of /api/sql/{id}.
func (d *Door) serveJob(w http.ResponseWriter, r *http.Request) {
	j, err := d.jobOf(r)
	if err != nil {
		refuseJob(w, err)
		return
	}
	if r.Method == http.MethodDelete {
		d.jobs.mu.Lock()
		d.jobs.forget(j)
		d.jobs.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if text := r.URL.Query().Get("wait"); text != "" {
		wait, err := time.ParseDuration(text)
		if err != nil || wait < 0 {
			refuse(w, fault.New(fault.Invalid, "wait is no length of time", "write it as in wait=10s"))
			return
		}
		late := time.NewTimer(min(wait, waitMax))
		defer late.Stop()
		select {
		case <-j.ended:
		case <-late.C:
		case <-r.Context().Done():
		}
	}
	d.tell(w, http.StatusOK, j)
}

func (d *Door) tell(w http.ResponseWriter, status int, j *job) {
	w.Header().Set("Content-Type", typeJSON)
	w.WriteHeader(status)
	_, _ = w.Write(d.jobs.describe(j))
}

func (d *Door) jobOf(r *http.Request) (*job, error) {
	who, err := d.who(r)
	if err != nil {
		return nil, err
	}
	return d.jobs.of(who, r.PathValue("id"))
}

// servePage answers GET /api/sql/{id}/pages/{page} as POST /api/sql does.
func (d *Door) servePage(w http.ResponseWriter, r *http.Request) {
	j, err := d.jobOf(r)
	if err != nil {
		refuseJob(w, err)
		return
	}
	format, ok := accepted(r.Header.Values("Accept"))
	if !ok {
		notAcceptable(w)
		return
	}
	n, err := strconv.Atoi(r.PathValue("page"))
	if err != nil || n < 0 {
		refuseJob(w, fault.New(fault.NotFound, "pages are numbered from 0", "the state says how many there are"))
		return
	}
	result, release, err := j.page(n)
	if err != nil {
		refuseJob(w, err)
		return
	}
	defer release()
	d.send(w, result, format, d.gate.Now())
}
