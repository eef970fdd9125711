package door

import (
	"encoding/json"
	"net/http"

	"tarn/embedded/fault"
	"tarn/embedded/life"
)

// Front is the handler of the HTTP door: it answers /ready, /health and /metrics from
// the first moment, and the rest once the rooms have mounted it.
type Front struct {
	house   *life.House
	version string

	own *http.ServeMux // always there
	mux *http.ServeMux // what rooms mounted; a ServeMux may grow while it serves
}

// NewFront returns a front for a house whose parts are starting.
func NewFront(house *life.House, version string, metrics http.Handler) *Front {
	f := &Front{house: house, version: version, own: http.NewServeMux(), mux: http.NewServeMux()}
	f.own.HandleFunc("GET /ready", f.ready)
	f.own.HandleFunc("GET /health", f.health)
	f.own.Handle("GET /metrics", metrics)
	f.own.HandleFunc("/", f.rooms)
	return f
}

// Mount adds a room's handler under a pattern of http.ServeMux.
func (f *Front) Mount(pattern string, h http.Handler) { f.mux.Handle(pattern, h) }

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.own.ServeHTTP(w, r) }

func (f *Front) rooms(w http.ResponseWriter, r *http.Request) {
	if _, pattern := f.mux.Handler(r); pattern == "" && !f.house.Ready() {
		Refuse(w, http.StatusServiceUnavailable, fault.New(fault.Unavailable, "Tarn is starting", "wait until /ready answers 200"))
		return
	}
	f.mux.ServeHTTP(w, r)
}

func (f *Front) ready(w http.ResponseWriter, _ *http.Request) {
	if !f.house.Ready() {
		Refuse(w, http.StatusServiceUnavailable, fault.New(fault.Unavailable, "not every part is ready", "see /health"))
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// health is always 200: a monitor reads the status in it.
func (f *Front) health(w http.ResponseWriter, _ *http.Request) {
	parts := f.house.Statuses()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": life.Overall(parts), "version": f.version, "parts": parts})
}
