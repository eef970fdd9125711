// Package live sends values that change to the pages that are open: one stream of
// server-sent events for each, of which each event holds what has changed since the one
// before. It knows nothing of what the values mean.
package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tarn/embedded/fault"
)

// The bounds of a hub.
const (
	ClientsMax   = 64               // streams; a browser takes one for all its tabs
	writeTimeout = 10 * time.Second // a client that reads nothing for so long is let go
	beatEvery    = 5 * time.Second  // so that a page knows that a silent Tarn is alive
	retryMillis  = 1000             // how soon a browser comes again
)

// Event is what a client is sent. Set holds all values in a stream's first event.
type Event struct {
	Build string            `json:"build"` // of the page's files; another one means: load the page anew
	Shape string            `json:"shape"` // of the page; another one means: fetch its parts anew
	Set   map[string]string `json:"set"`
}

// Hub holds the last values. Clients keep no queue: a slow one is sent the changes since
// what it was sent last, in one event. Safe for concurrent use.
type Hub struct {
	build string

	mu      sync.Mutex
	shape   string
	seq     uint64 // of the last publish
	values  map[string]value
	wake    chan struct{} // closed by the next publish
	clients int
	closed  bool
	done    chan struct{} // closed by Close
}

// value is a text and when it last changed.
type value struct {
	text string
	seq  uint64
}

// NewHub returns a hub without values.
func NewHub(build string) *Hub {
	return &Hub{build: build, values: map[string]value{}, wake: make(chan struct{}), done: make(chan struct{})}
}

// Publish replaces all values and wakes the clients.
func (h *Hub) Publish(shape string, values map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	h.shape = shape
	for name, text := range values {
		if old, ok := h.values[name]; !ok || old.text != text {
			h.values[name] = value{text, h.seq}
		}
	}
	for name := range h.values {
		if _, ok := values[name]; !ok {
			delete(h.values, name)
		}
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

// Clients is the number of open streams.
func (h *Hub) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clients
}

// Close ends every stream and refuses new ones.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
}

// since returns what has changed after seq, the seq it is of, and what tells of the next change.
func (h *Hub) since(seq uint64) (Event, uint64, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := Event{Build: h.build, Shape: h.shape, Set: map[string]string{}}
	for name, v := range h.values {
		if v.seq > seq {
			e.Set[name] = v.text
		}
	}
	return e, h.seq, h.wake
}

func (h *Hub) enter() *fault.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return fault.New(fault.Unavailable, "Tarn is stopping", "the page comes back by itself")
	case h.clients >= ClientsMax:
		return fault.Newf(fault.Unavailable, "close other pages of this Tarn, or read /api/home", "%d pages are open, which is the limit", ClientsMax)
	}
	h.clients++
	return nil
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients--
}

// Stream answers a request with events until the client goes, or the hub is closed. It
// returns a fault before the first byte when there is no room.
func (h *Hub) Stream(w http.ResponseWriter, r *http.Request) *fault.Error {
	if f := h.enter(); f != nil {
		return f
	}
	defer h.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	out := stream{w: w, control: http.NewResponseController(w)}
	if out.send(fmt.Sprintf("retry: %d\n\n", retryMillis)) != nil {
		return nil
	}
	var at uint64
	for {
		e, seq, wake := h.since(at)
		if seq > at {
			text, _ := json.Marshal(e) // plain strings: it cannot fail
			if out.send("data: "+string(text)+"\n\n") != nil {
				return nil
			}
			at = seq
		}
		select {
		case <-wake:
		case <-beat.C:
			if out.send("event: beat\ndata: {}\n\n") != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		case <-h.done:
			return nil
		}
	}
}

// stream writes whole events to one client.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) send(text string) error {
	// A writer without deadlines, as in a test, is written to all the same.
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
