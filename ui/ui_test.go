package ui_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tarn/embedded/leaktest"
	"tarn/embedded/life"
	"tarn/ui"
	"tarn/ui/home"
	"tarn/ui/tables"
	"tarn/ui/uitest"
)

// patience bounds every wait, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := leaktest.Find(goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop")); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// run starts a UI over a feed and returns its address and what stops it.
func run(t *testing.T, feed *uitest.Feed) (url string, stop func()) {
	t.Helper()
	u := ui.New(ui.Options{
		Parts: feed.Parts, Sources: feed.Sources, Topics: feed.Topics, Groups: feed.Groups, Landings: feed.Landings, Catalog: feed.Catalog(), Ports: feed.Ports,
		Version: "1.2.3", Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- u.Run(ctx, func() { close(ready) }) }()
	<-ready
	server := httptest.NewServer(u.Handler())
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(func() { stop(); server.Close() })
	return server.URL, stop
}

// answer is a response that was read.
type answer struct {
	code   int
	header http.Header
}

func get(t *testing.T, url string) (answer, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header}, string(body)
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	url, _ := run(t, uitest.Port(time.Now()))
	for path, want := range map[string]int{"/": 200, "/lake": 200, "/lake?sort=y&find=z": 200, "/lake/x": 200, "/lake/silver.calls?show=files": 200, "/lake/silver.calls?show=snapshots&from=x": 200, "/api/lake/x": 404, "/api/lake/silver.calls": 200, "/api/lake/silver.calls?from=x": 400, "/api/lake/silver.calls?from=1": 200, "/topics": 200, "/topics?find=x": 200, "/topics?topic=x": 200, "/api/topics": 200, "/api/topics/x/records": 503, "/sources": 200, "/sources?new=1": 200, "/sources/x": 200, "/api/sources": 200, "/api/sources/x": 404, "/api/sources/port": 200, "/pipelines": 200, "/pipelines/x": 200, "/api/pipelines": 200, "/api/pipelines/x": 404, "/api/home": 200, "/api/lake": 200, "/status": 200, "/status?level=<x>": 200, "/status/log": 200, "/api/status": 200, "/assets/x/y.js": 404, "/nothing": 404} {
		got, _ := get(t, url+path)
		if got.code != want {
			t.Errorf("%s: %d", path, got.code)
		}
		csp := got.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: no %s", path, part)
			}
		}
		if strings.Contains(csp, "unsafe") || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
	if resp, err := http.Post(url+"/", "text/plain", nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST to the page: %v %v", resp, err)
	} else {
		_ = resp.Body.Close()
	}
}

func TestATableThatIsNotThereIsSaid(t *testing.T) {
	url, _ := run(t, uitest.Port(time.Now()))
	waitFor(t, "it is said", func() bool {
		_, body := get(t, url+"/lake/nope.x")
		return strings.Contains(body, "there is no table nope.x")
	})
	waitFor(t, "a view has a page", func() bool {
		_, body := get(t, url+"/lake/gold.berth_productivity")
		return strings.Contains(body, `data-of="gold.berth_productivity"`)
	})
	if _, body := get(t, url+"/lake/silver.calls"); strings.Contains(body, "there is no table") {
		t.Error("one that is there is missed")
	}
}

func TestTwin(t *testing.T) {
	url, _ := run(t, uitest.Port(time.Now()))
	waitFor(t, "the catalog is in", func() bool {
		_, body := get(t, url+"/api/home")
		var s home.State
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		return s.Ready && len(s.Nodes) == 15 && len(s.Figures) == 6
	})
}

func TestStreamMovesAndEndsWithThePart(t *testing.T) {
	feed := uitest.Port(time.Now())
	url, stop := run(t, feed)
	resp, err := http.Get(url + "/api/live")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v", resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	events := 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "{}" {
			continue
		}
		var e struct {
			Build, Shape string
			Set          map[string]string
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Build == "" || e.Shape == "" {
			t.Fatalf("%s: %v", data, err)
		}
		if events++; events == 1 && len(e.Set) < 50 {
			t.Errorf("the first event has %d values", len(e.Set))
		}
		feed.Step(100, time.Now())
		if events > 1 && e.Set["f.in"] != "" && e.Set["f.in"] != home.Unknown {
			stop() // the scan ends because the stream does
		}
	}
	if events < 2 {
		t.Errorf("%d events", events)
	}
	if got, _ := get(t, url+"/api/live"); got.code != http.StatusServiceUnavailable {
		t.Errorf("a stream after the stop: %d", got.code)
	}
	if got, _ := get(t, url+"/"); got.code != 200 {
		t.Errorf("the page after the stop: %d", got.code)
	}
}

func TestPagesCostTheRoomsNothing(t *testing.T) {
	feed := uitest.Port(time.Now())
	url, _ := run(t, feed)
	waitFor(t, "the catalog is read", func() bool { feed.Lock(); defer feed.Unlock(); return feed.CatalogRead > 0 })
	feed.Lock()
	before := feed.CatalogRead
	feed.Unlock()
	for range 50 {
		get(t, url+"/")
		get(t, url+"/api/home")
	}
	feed.Lock()
	defer feed.Unlock()
	if feed.CatalogRead > before+1 {
		t.Errorf("a hundred requests read the catalog %d times", feed.CatalogRead-before)
	}
}

// TestUpkeepIsReadOnlyWhileSomebodyLooks, and then not again for each who does.
func TestUpkeepIsReadOnlyWhileSomebodyLooks(t *testing.T) {
	feed := uitest.Port(time.Now())
	url, _ := run(t, feed)
	waitFor(t, "Home is there", func() bool { _, body := get(t, url+"/api/home"); return strings.Contains(body, `"silver.calls"`) })
	read := func() int { feed.Lock(); defer feed.Unlock(); return feed.HealthRead }
	if n := read(); n != 0 {
		t.Errorf("it was read %d times with nobody there", n)
	}
	twin := func() (s tables.State) {
		_, body := get(t, url+"/api/lake")
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	waitFor(t, "it is read", func() bool { return twin().CaredAt != nil })
	for range 50 {
		get(t, url+"/lake")
		get(t, url+"/api/lake")
	}
	if n := read(); n != 1 {
		t.Errorf("a hundred requests read it %d times", n)
	}
	s := twin()
	if len(s.Tables) != 8 || len(s.Figures) != 6 || s.Tables[5].Name != "silver.moves" || s.Tables[5].Action != "compact" || *s.Tables[5].OrphanFiles != 12 {
		t.Errorf("%+v", s)
	}
}

func TestManifestsThatCannotBeReadAreSaid(t *testing.T) {
	feed := uitest.Port(time.Now())
	feed.HealthErr = errors.New("read manifests: permission denied")
	url, _ := run(t, feed)
	waitFor(t, "the page says so", func() bool {
		_, body := get(t, url+"/lake")
		return strings.Contains(body, "permission denied") && strings.Contains(body, "silver.calls")
	})
}

func TestADeadCatalogIsSaid(t *testing.T) {
	feed := uitest.Port(time.Now())
	feed.CatalogErr = errors.New("catalog.db: disk I/O error")
	url, _ := run(t, feed)
	for _, page := range []string{"/", "/lake"} {
		waitFor(t, page+" says so", func() bool { _, body := get(t, url+page); return strings.Contains(body, "disk I/O error") })
	}
	feed.Lock()
	feed.CatalogErr = nil
	feed.Unlock()
	waitFor(t, "it heals", func() bool { _, body := get(t, url+"/"); return !strings.Contains(body, "disk I/O error") })
}

func TestWithoutAnyRoom(t *testing.T) {
	u := ui.New(ui.Options{Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	w := httptest.NewRecorder()
	u.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Tarn is starting") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestDocumentsArePacked for who can unpack them, and are the same either way.
func TestDocumentsArePacked(t *testing.T) {
	url, _ := run(t, uitest.Port(time.Now()))
	for _, path := range []string{"/", "/sql", "/nowhere"} {
		ask := func(accept string) (http.Header, string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", accept)
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body := io.Reader(resp.Body)
			if resp.Header.Get("Content-Encoding") == "gzip" {
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			text, err := io.ReadAll(body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.Header, string(text)
		}
		plain, want := ask("identity")
		packed, got := ask("gzip, br")
		if plain.Get("Content-Encoding") != "" || packed.Get("Content-Encoding") != "gzip" || packed.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v %v", path, plain, packed)
		}
		if asOf.ReplaceAllString(got, "") != asOf.ReplaceAllString(want, "") || !strings.HasSuffix(got, "</html>") {
			t.Errorf("%s: %d bytes packed, %d plain", path, len(got), len(want))
		}
	}
}

// asOf is what changes from one look to the next.
var asOf = regexp.MustCompile(`>[^<]*<`)
