package live_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tarn/ui/live"
)

// patience bounds every wait, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const patience = 2 * time.Minute

// client reads a hub's stream.
type client struct {
	lines *bufio.Scanner
	end   func()
}

func listen(t *testing.T, url string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // closed by end
	if err != nil {
		t.Fatal(err)
	}
	c := &client{lines: bufio.NewScanner(resp.Body), end: func() { cancel(); _ = resp.Body.Close() }}
	t.Cleanup(c.end)
	return c
}

func (c *client) next(t *testing.T) live.Event {
	t.Helper()
	for c.lines.Scan() {
		if data, ok := strings.CutPrefix(c.lines.Text(), "data: "); ok && data != "{}" {
			var e live.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			return e
		}
	}
	t.Fatalf("the stream ended: %v", c.lines.Err())
	return live.Event{}
}

func serve(t *testing.T, h *live.Hub) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := h.Stream(w, r); f != nil {
			http.Error(w, f.Error(), http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(func() { h.Close(); s.Close() })
	return s.URL
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func TestFirstAllThenWhatChanged(t *testing.T) {
	h := live.NewHub("b1")
	h.Publish("s1", map[string]string{"a": "1", "b": "2"})
	c := listen(t, serve(t, h))
	if e := c.next(t); e.Build != "b1" || e.Shape != "s1" || len(e.Set) != 2 || e.Set["a"] != "1" {
		t.Fatalf("%v", e)
	}
	h.Publish("s1", map[string]string{"a": "1", "b": "3"})
	if e := c.next(t); len(e.Set) != 1 || e.Set["b"] != "3" {
		t.Fatalf("%v", e)
	}
	h.Publish("s2", map[string]string{"a": "1"})
	if e := c.next(t); e.Shape != "s2" || len(e.Set) != 0 {
		t.Fatalf("%v", e)
	}
	h.Publish("s2", map[string]string{"a": "1", "b": "3"})
	if e := c.next(t); e.Set["b"] != "3" {
		t.Fatalf("a value that came back: %v", e)
	}
}

// slowWriter holds a client up until it is let go.
type slowWriter struct {
	hold chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

func (w *slowWriter) Header() http.Header { return http.Header{} }
func (w *slowWriter) WriteHeader(int)     {}
func (w *slowWriter) Flush()              {}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.hold
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *slowWriter) sent() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestASlowClientGetsTheLatestInOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := live.NewHub("b")
		w := &slowWriter{hold: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = h.Stream(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		}()
		synctest.Wait()
		for i := range 100 {
			h.Publish("s", map[string]string{"n": strings.Repeat("x", i)})
		}
		close(w.hold)
		synctest.Wait()
		if n := strings.Count(w.sent(), "data: "); n != 1 || !strings.Contains(w.sent(), strings.Repeat("x", 99)) {
			t.Errorf("%d events: %s", n, w.sent())
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if !strings.Contains(w.sent(), "event: beat") {
			t.Error("no beat in a silence")
		}
		cancel()
		<-done
		if h.Clients() != 0 {
			t.Error("the client is still counted")
		}
	})
}

func TestNoMoreThanTheLimit(t *testing.T) {
	h := live.NewHub("b")
	h.Publish("s", map[string]string{"a": "1"})
	url := serve(t, h)
	var open []*client
	for range live.ClientsMax {
		c := listen(t, url)
		c.next(t)
		open = append(open, c)
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one too many got %d", resp.StatusCode)
	}
	open[0].end()
	waitFor(t, "a place is free", func() bool { return h.Clients() < live.ClientsMax })
	listen(t, url).next(t)
	h.Close()
	waitFor(t, "all are gone after the close", func() bool { return h.Clients() == 0 })
}
