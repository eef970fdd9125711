// Package httpdoor is the HTTP door of ingest: POST /ingest/{topic} takes JSON, JSON lines or CSV,
// and answers 202 once the log has every record of the request on the disk, or stores none of
// them. It checks no Host and no Origin; whoever mounts it does.
package httpdoor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"tarn/embedded/bus"
	doors "tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/ingest/rows"
)

// The bounds of the door.
const (
	bodyBytesMax = 8 << 20 // rule 17
	// workBytesMax bounds the memory of all requests together, of which one takes bodyWeight times its
	// body, and as much as its records may need.
	workBytesMax = 96 << 20
	bodyWeight   = 3
	recordWeight = 160
	waitMax      = 10 * time.Second // for that memory
	drainMax     = 5 * time.Second  // for a body that is not taken
	readMax      = 30 * time.Second // for the body
	answerMax    = 30 * time.Second // for the log
	keyBytesMax  = 255
	retrySoon    = "1"  // seconds
	retryLater   = "30" // for a disk without room
)

// door is the name of this door, as in ports.json.
const door = "http"

// format is a way to cut a body.
type format struct {
	cut   func([]byte) ([][]byte, error)
	grows bool // the records may be much larger than the body
}

// formats are by media type.
var formats = map[string]format{
	"application/json":     {cut: rows.JSON},
	"application/x-ndjson": {cut: rows.Lines},
	"application/ndjson":   {cut: rows.Lines},
	"application/jsonl":    {cut: rows.Lines},
	"text/csv":             {cut: rows.CSV, grows: true},
}

// Options of the door.
type Options struct {
	Bus     *bus.Bus
	Guard   guard.Guard
	Clock   life.Clock
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: counted for nobody
}

// Door answers POST /ingest/{topic}. It is an http.Handler.
type Door struct {
	o       Options
	steady  life.Steady
	room    *semaphore.Weighted
	turn    atomic.Uint32 // of requests without a key
	kept    atomic.Int64  // keys of all partitions
	answers *prometheus.CounterVec
	records prometheus.Counter

	mu   sync.Mutex
	keys map[*bus.Partition]*keys
}

// New returns the door. Run looks after it.
func New(o Options) *Door {
	if o.Guard == nil {
		o.Guard = guard.Open{}
	}
	d := &Door{
		o: o, steady: life.NewSteady(o.Clock), room: semaphore.NewWeighted(workBytesMax), keys: map[*bus.Partition]*keys{},
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tarn", Subsystem: "ingest", Name: "requests_total", Help: "Requests to /ingest, by the status of the answer.",
		}, []string{"status"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "tarn", Subsystem: "ingest", Name: "requested_records_total", Help: "Records that requests to /ingest appended.",
		}),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(d.answers, d.records)
	}
	return d
}

// Run looks after the keys of requests until ctx ends.
func (d *Door) Run(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		d.keep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := d.take(w, r)
	if err == nil {
		d.count(writeAnswer(w, http.StatusAccepted, a))
		return
	}
	d.count(refuse(w, err))
}

// take does all that a request asks for.
func (d *Door) take(w http.ResponseWriter, r *http.Request) (answer, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return answer{}, status{http.StatusMethodNotAllowed, fault.New(fault.Invalid, "records come by POST", "send them by POST /ingest/{topic}; read them by SQL in bronze")}
	}
	f, err := formatOf(r)
	if err != nil {
		return answer{}, err
	}
	key, err := keyOf(r)
	if err != nil {
		return answer{}, err
	}
	name := r.PathValue("topic")
	if err := d.allowed(r, name); err != nil {
		return answer{}, err
	}
	body, free, err := d.body(w, r)
	if err != nil {
		return answer{}, err
	}
	more, err := d.acquire(r.Context(), growth(f, body))
	if err != nil {
		free()
		return answer{}, err
	}
	done := func() { free(); more() }
	records, topic, err := d.cutUp(r, name, key != "", f, body)
	if err != nil {
		done()
		return answer{}, err
	}
	return d.append(r.Context(), topic, key, body, records, done)
}

// cutUp makes the records of a body, with the topic that they go to.
func (d *Door) cutUp(r *http.Request, name string, keyed bool, f format, body []byte) ([][]byte, *bus.Topic, error) {
	records, err := f.cut(body)
	if err != nil {
		return nil, nil, err
	}
	if len(records) == 0 {
		return nil, nil, fault.New(fault.Invalid, "the body holds no record", "send one object at least; of CSV the first line names the columns")
	}
	topic, err := d.topic(r.Context(), name, keyed)
	return records, topic, err
}

// formatOf is how the body is cut. Nothing is guessed: a type must be said.
func formatOf(r *http.Request) (format, error) {
	refused := func(what string) (format, error) {
		return format{}, status{http.StatusUnsupportedMediaType, fault.New(fault.Invalid, what,
			"set Content-Type to application/json (an object or an array of objects), application/x-ndjson (one object a line) or text/csv (the first line names the columns), in UTF-8")}
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return refused("a body in Content-Encoding " + coding + " is not read")
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	f, ok := formats[kind]
	if err != nil || !ok {
		return refused("a body of Content-Type \"" + r.Header.Get("Content-Type") + "\" is not read")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return refused("a body in charset " + charset + " is not read")
	}
	if kind == "text/csv" && params["header"] == "absent" {
		return refused("CSV without a line of column names is not read")
	}
	return f, nil
}

// keyOf is the request's Idempotency-Key; "" for none.
func keyOf(r *http.Request) (string, error) {
	all := r.Header.Values("Idempotency-Key")
	if len(all) == 0 {
		return "", nil
	}
	if len(all) > 1 {
		return "", fault.Newf(fault.Invalid, "send one, such as a UUID", "the request has %d Idempotency-Keys", len(all))
	}
	for _, c := range []byte(all[0]) {
		if c < ' ' || c > '~' {
			return "", fault.New(fault.Invalid, "the Idempotency-Key is not plain ASCII", "use a UUID")
		}
	}
	if all[0] == "" || len(all[0]) > keyBytesMax {
		return "", fault.Newf(fault.Invalid, "use a UUID", "the Idempotency-Key has %d characters, want 1 to %d", len(all[0]), keyBytesMax)
	}
	return all[0], nil
}

// allowed asks who it is and whether they may write to the topic, or make it.
func (d *Door) allowed(r *http.Request, topic string) error {
	who, err := d.o.Guard.Authenticate(r.Context(), doors.Credential(r, door))
	if err != nil {
		return err
	}
	what := guard.Resource{Kind: guard.Topic, Path: []string{topic}}
	actions := []guard.Action{guard.Write}
	if t, err := d.o.Bus.Topic(topic); err == nil {
		what.ID = t.Config().ID
	} else {
		actions = append(actions, guard.Create)
	}
	for _, action := range actions {
		if !d.o.Guard.Decide(who, action, what).Allow {
			return fault.Newf(fault.Denied, "ask for the right to it", "user %s may not %s topic %s", who.User, action, topic)
		}
	}
	if _, err := d.o.Bus.Writable(topic); fault.CodeOf(err) == fault.Denied {
		return err
	}
	return nil
}

// body reads the request's body within the bounds; free gives its memory back.
func (d *Door) body(w http.ResponseWriter, r *http.Request) (body []byte, free func(), err error) {
	tooLarge := fault.Newf(fault.TooLarge, "send it in parts", "the body has more than %d bytes", bodyBytesMax)
	size := r.ContentLength
	if size > bodyBytesMax {
		return nil, nil, tooLarge
	}
	if size < 0 {
		size = bodyBytesMax
	}
	free, err = d.acquire(r.Context(), max(size, 1)*bodyWeight)
	if err != nil {
		drain(w, r)
		return nil, nil, err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readMax)) // a recorder of tests has none
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		return body, free, nil
	}
	free()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, tooLarge
	}
	return nil, nil, fault.Wrap(err, fault.Timeout, "read the body", "send the whole body; nothing of it was stored")
}

// drain reads a body that is not taken, for many clients hear no answer before they have sent all.
func drain(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainMax))
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, bodyBytesMax)) // the answer is the same
}

// acquire takes memory of the door's share; free gives it back.
func (d *Door) acquire(ctx context.Context, weight int64) (free func(), err error) {
	wait, cancel := context.WithTimeout(ctx, waitMax)
	defer cancel()
	if err := d.room.Acquire(wait, weight); err != nil {
		return nil, status{http.StatusTooManyRequests, fault.New(fault.Unavailable, "too many bodies are read at once", "send fewer requests at once; nothing of this one was stored")}
	}
	return func() { d.room.Release(weight) }, nil
}

// growth bounds what the records of a body take beside it. Each row of CSV names its columns again.
func growth(f format, body []byte) int64 {
	mark := []byte("{")
	if f.grows {
		mark = []byte("\n")
	}
	records := int64(min(bytes.Count(body, mark)+1, rows.RecordsMax))
	size := records * recordWeight
	if f.grows {
		head, _, _ := bytes.Cut(body, mark)
		const escape = 6 // bytes for one, at most
		size += 2 * min(rows.BytesMax, escape*(int64(len(body))+records*int64(len(head)+1)))
	}
	return size
}

// topic is the topic of a name, made if it is not there: with one partition, and landed.
func (d *Door) topic(ctx context.Context, name string, keyed bool) (*bus.Topic, error) {
	t, err := d.o.Bus.Writable(name)
	if fault.CodeOf(err) == fault.NotFound {
		if err := d.o.Bus.Creatable(name); err != nil && fault.CodeOf(err) != fault.Exists {
			return nil, err
		}
		if _, err := d.o.Bus.CreateTopic(ctx, name, bus.TopicConfig{Partitions: 1, Land: true, Requests: keyed}); err != nil {
			return nil, err
		}
		t, err = d.o.Bus.Writable(name)
	}
	if err != nil {
		return nil, err
	}
	if c := t.Config(); keyed && !c.Requests {
		c.Requests = true
		err = d.o.Bus.AlterTopic(ctx, name, c)
	}
	return t, err
}
