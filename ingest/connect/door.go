// Package connect is the door of Kafka Connect's REST API: the calls by which teams, Terraform and operators make, watch and
// change connectors. A connector that is made here is a file of the project folder, as one of CREATE CONNECTOR. The door keeps
// no connector and reads no source; docs/compat/connect.md says what it answers otherwise than Connect.
package connect

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	doors "tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/ingest"
	"tarn/ingest/source"
)

// doorName is the name of this door, as in ports.json.
const doorName = "connect"

// bodyBytesMax bounds a request's body, as that of a connector's file is bounded.
const bodyBytesMax = 1 << 20

// The versions that the door speaks as: those of which its answers were recorded.
const (
	workerVersion   = "4.1.1"
	debeziumVersion = "3.5.0.Final"
)

// Options of the door.
type Options struct {
	Listener net.Listener // the door closes it
	Hosts    []string     // names by which it may be called, beside loopback's
	Room     *ingest.Ingest
	Cluster  func(context.Context) (string, error) // the id of the Kafka door's cluster
	Level    slog.Level                            // of the log
	Guard    guard.Guard                           // nil: everyone may do everything
	Log      *slog.Logger
	Version  string // Tarn's
}

// Door is the part that answers Connect's clients.
type Door struct {
	o      Options
	kinds  []source.Kind // in order of class
	worker string        // the door's address, by which a status names the worker

	mu    sync.Mutex
	reset map[string]map[string]int64 // by connector: where its topics ended when they were reset
}

// New returns the door of a listener.
func New(o Options) *Door {
	if o.Guard == nil {
		o.Guard = guard.Open{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	kinds := slices.SortedFunc(slices.Values(o.Room.Kinds()), func(a, b source.Kind) int { return strings.Compare(a.Class, b.Class) })
	return &Door{o: o, kinds: kinds, worker: o.Listener.Addr().String(), reset: map[string]map[string]int64{}}
}

// Name is the part's name.
func (d *Door) Name() string { return doorName }

// Run answers until ctx ends.
func (d *Door) Run(ctx context.Context, ready func()) error {
	ready()
	return doors.Serve(ctx, d.o.Listener, doors.Checked(d.o.Hosts, d.Handler()), d.o.Log)
}

// call is one request, with who asks.
type call struct {
	*http.Request
	who guard.Principal
}

// name is the connector that a call is about.
func (c *call) name() string { return c.PathValue("connector") }

// answer is a status with a body, which is none where it is nil.
type answer struct {
	status int
	body   any
}

func ok(body any) answer { return answer{http.StatusOK, body} }

// route is what is done for one method and path, a pattern of http.ServeMux.
type route struct {
	pattern string
	do      func(d *Door, c *call) (answer, error)
}

func routes() []route {
	return []route{
		{"GET /{$}", (*Door).root},
		{"GET /health", (*Door).health},
		{"GET /connectors", (*Door).list},
		{"POST /connectors", (*Door).create},
		{"GET /connectors/{connector}", (*Door).info},
		{"DELETE /connectors/{connector}", (*Door).remove},
		{"GET /connectors/{connector}/config", (*Door).config},
		{"PUT /connectors/{connector}/config", (*Door).configure},
		{"PATCH /connectors/{connector}/config", (*Door).patch},
		{"GET /connectors/{connector}/status", (*Door).status},
		{"POST /connectors/{connector}/restart", (*Door).restart},
		{"PUT /connectors/{connector}/pause", holding(source.Paused, http.StatusAccepted)},
		{"PUT /connectors/{connector}/stop", holding(source.Stopped, http.StatusNoContent)},
		{"PUT /connectors/{connector}/resume", holding("", http.StatusAccepted)},
		{"GET /connectors/{connector}/topics", (*Door).topics},
		{"PUT /connectors/{connector}/topics/reset", (*Door).resetTopics},
		{"GET /connectors/{connector}/tasks", (*Door).tasks},
		{"GET /connectors/{connector}/tasks/{task}/status", (*Door).taskStatus},
		{"POST /connectors/{connector}/tasks/{task}/restart", (*Door).restartTask},
		{"GET /connectors/{connector}/offsets", (*Door).offsets},
		{"PATCH /connectors/{connector}/offsets", (*Door).alterOffsets},
		{"DELETE /connectors/{connector}/offsets", (*Door).resetOffsets},
		{"GET /connector-plugins", (*Door).plugins},
		{"GET /connector-plugins/{plugin}/config", (*Door).pluginConfig},
		{"PUT /connector-plugins/{plugin}/config/validate", (*Door).validate},
		{"GET /admin/loggers", (*Door).loggers},
		{"GET /admin/loggers/{logger}", (*Door).logger},
		{"PUT /admin/loggers/{logger}", (*Door).setLogger},
	}
}

// Handler answers the calls, without the checks of Host and Origin.
func (d *Door) Handler() http.Handler {
	mux := http.NewServeMux()
	paths := map[string][]string{} // the methods of each
	for _, r := range routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		paths[path] = append(paths[path], method)
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { d.serve(w, req, r.do) })
	}
	for path, methods := range paths {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			refuse(w, refusal{http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed"})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, refusal{http.StatusNotFound, "HTTP 404 Not Found"})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.Path; len(path) > 1 && strings.HasSuffix(path, "/") { // as the path without it
			u := *r.URL
			u.Path, u.RawPath = strings.TrimRight(path, "/"), strings.TrimRight(u.RawPath, "/")
			r = r.WithContext(r.Context())
			r.URL = &u
		}
		mux.ServeHTTP(w, r)
	})
}

func (d *Door) serve(w http.ResponseWriter, r *http.Request, do func(*Door, *call) (answer, error)) {
	who, err := d.o.Guard.Authenticate(r.Context(), doors.Credential(r, doorName))
	if err != nil {
		refuse(w, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyBytesMax)
	a, err := do(d, &call{r, who})
	if err != nil {
		refuse(w, err)
		return
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	write(w, a.status, a.body)
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body)
}

// refusal is an error in Connect's words.
type refusal struct {
	status  int
	message string
}

func (r refusal) Error() string { return r.message }

// statusOf are the statuses of faults.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Invalid, fault.Syntax:
		return http.StatusBadRequest
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Exists, fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable, fault.NoSpace, fault.Timeout, fault.Canceled:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// refuse answers with an error as Connect does, with the hint of a fault behind its message.
func refuse(w http.ResponseWriter, err error) {
	r, said := errors.AsType[refusal](err)
	if !said {
		r = refusal{statusOf(fault.CodeOf(err)), err.Error()}
		if hint := fault.HintOf(err); hint != "" {
			r.message += "; " + hint
		}
	}
	write(w, r.status, map[string]any{"error_code": r.status, "message": r.message})
}

// read reads the JSON body of a call.
func (c *call) read(into any) error {
	if kind := c.Header.Get("Content-Type"); kind != "" && !strings.HasPrefix(kind, "application/json") {
		return refusal{http.StatusUnsupportedMediaType, "HTTP 415 Unsupported Media Type"}
	}
	d := json.NewDecoder(c.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && d.More() {
		err = errors.New("there is more behind the document")
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return fault.Newf(fault.TooLarge, "shorten the connector's keys", "the body has more than %d bytes", bodyBytesMax)
	}
	if errors.Is(err, io.EOF) {
		return refusal{http.StatusBadRequest, "the request has no body; send the JSON that Kafka Connect takes here"}
	}
	if err != nil {
		return refusal{http.StatusBadRequest, "the request's body is not the JSON that Kafka Connect takes here: " + err.Error()}
	}
	return nil
}

func (d *Door) root(c *call) (answer, error) {
	cluster, err := d.o.Cluster(c.Context())
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]string{"version": workerVersion, "commit": "tarn-" + d.o.Version, "kafka_cluster_id": cluster}), nil
}

func (d *Door) health(*call) (answer, error) {
	return ok(map[string]string{"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."}), nil
}

// level is a logger as Connect tells of it.
type level struct {
	Level    string `json:"level"`
	Modified *int64 `json:"last_modified"` // Tarn's level is that of its start
}

func (d *Door) loggers(*call) (answer, error) {
	return ok(map[string]level{"root": {Level: d.o.Level.String()}}), nil
}

func (d *Door) logger(*call) (answer, error) { return ok(level{Level: d.o.Level.String()}), nil }

func (d *Door) setLogger(c *call) (answer, error) {
	var asked map[string]string
	if err := c.read(&asked); err != nil {
		return answer{}, err
	}
	if asked["level"] == "" {
		return answer{}, refusal{http.StatusBadRequest, "Desired 'level' parameter was not specified in request."}
	}
	return answer{}, refusal{http.StatusBadRequest, "Tarn's log has one level, that of its start; set log.level, or start tarn up --set log.level=debug"}
}
