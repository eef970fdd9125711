package ui_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tarn/embedded/door"
	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/embedded/life"
	"tarn/sql/engine"
	"tarn/ui"
	"tarn/ui/uitest"
)

// TestSwitchesAreGuarded: a fault is switched by whoever may write here, and by nothing else.
func TestSwitchesAreGuarded(t *testing.T) {
	on := map[string]bool{"late": false}
	o := ui.Options{
		Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
		Lab: ui.Lab{Faults: func() (map[string]bool, error) { return on, nil }, Switch: func(name string, wish bool) error {
			if name != "late" {
				return errors.New("no fault is called " + name)
			}
			on[name] = wish
			return nil
		}},
	}
	with := door.Checked(nil, ui.New(o).Handler())
	o.Lab = ui.Lab{}
	without := door.Checked(nil, ui.New(o).Handler())
	for _, c := range []struct {
		house                    http.Handler
		method, host, site, path string
		body                     string
		code                     int
		is                       bool
	}{
		{with, "POST", "127.0.0.1", "", "late", "on", 200, true},
		{with, "POST", "127.0.0.1", "cross-site", "late", "off", 403, true},
		{with, "POST", "evil.example", "", "late", "off", 421, true},
		{with, "GET", "127.0.0.1", "", "late", "off", 404, true},
		{with, "POST", "127.0.0.1", "", "late", "perhaps", 400, true},
		{with, "POST", "127.0.0.1", "", "late", strings.Repeat("off", 100), 400, true},
		{with, "POST", "127.0.0.1", "", "fog", "on", 400, true},
		{without, "POST", "127.0.0.1", "", "late", "off", 404, true},
		{with, "POST", "localhost:7700", "same-origin", "late", "off\n", 200, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "http://x/api/lab/faults/"+c.path, strings.NewReader(c.body))
		r.Host = c.host
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		c.house.ServeHTTP(w, r)
		if w.Code != c.code || on["late"] != c.is {
			t.Errorf("%s %s from %q by %s with %q: %d, late is %v: %s", c.method, c.path, c.site, c.host, c.body, w.Code, on["late"], w.Body)
		}
	}
}

func TestTheTourIsServed(t *testing.T) {
	url, _ := run(t, uitest.Port(time.Now()))
	for path, want := range map[string]int{"/lab": 200, "/lab?step=x&topic=y": 200, "/lab/check?step=1": 200, "/lab/check?step=x": 404, "/api/lab": 200, "/api/lab/1": 503, "/api/lab/x": 404} {
		if got, body := get(t, url+path); got.code != want {
			t.Errorf("%s: %d %s", path, got.code, body)
		}
	}
}

// refusing is a guard that knows nobody but one.
type refusing struct{ guard.Open }

func (refusing) Authenticate(_ context.Context, c guard.Credential) (guard.Principal, error) {
	if c.User != "amina" {
		return guard.Principal{}, fault.New(fault.Denied, "who are you", "say it")
	}
	return guard.Principal{User: c.User}, nil
}

// TestAChecksStatementIsItsReaders, a few run at once, and a gate that fails is told.
func TestAChecksStatementIsItsReaders(t *testing.T) {
	feed := uitest.Port(time.Now())
	held, asked := make(chan struct{}), make(chan string, 100)
	u := ui.New(ui.Options{
		Sources: feed.Sources, Landings: feed.Landings, Clock: life.SystemClock{}, Log: slog.New(slog.DiscardHandler),
		Lab: ui.Lab{Guard: refusing{}, Gate: func(_ context.Context, r engine.Request) (*engine.Result, error) {
			asked <- r.Principal.User
			<-held
			return nil, fault.New(fault.Timeout, "it took too long", "ask for less")
		}},
	})
	server := httptest.NewServer(u.Handler())
	t.Cleanup(server.Close)
	ask := func(user string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/lab/bronze", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, "")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode, string(body)
	}
	if code, body := ask("eve"); code != 503 || !strings.Contains(body, "who are you") || len(asked) != 0 {
		t.Errorf("somebody unknown: %d %s", code, body)
	}
	bodies := make(chan string, 4)
	for range 4 {
		go func() {
			_, body := ask("amina")
			bodies <- body
		}()
	}
	for range 4 {
		if who := <-asked; who != "amina" {
			t.Errorf("asked as %q", who)
		}
	}
	if code, body := ask("amina"); code != 503 || !strings.Contains(body, "4 checks run already") {
		t.Errorf("the fifth: %d %s", code, body)
	}
	close(held)
	for range 4 {
		if body := <-bodies; !strings.Contains(body, "it took too long") {
			t.Error(body)
		}
	}
}
