package door_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tarn/embedded/door"
	"tarn/embedded/fault"
)

var quiet = slog.New(slog.DiscardHandler)

func TestTakenPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	addr := taken.Addr().String()
	_, err = door.Open([]door.Door{{Name: "http", Setting: "http.listen", Addr: addr, Set: true}, {Name: "kafka", Setting: "kafka.listen", Addr: addr, Set: true}}, false, quiet)
	if fault.CodeOf(err) != fault.PortTaken || !strings.Contains(err.Error(), "http") || !strings.Contains(err.Error(), "kafka") {
		t.Fatalf("set ports: %v", err)
	}
	for _, auto := range []bool{false, true} {
		open, err := door.Open([]door.Door{{Name: "http", Setting: "http.listen", Addr: addr}}, auto, quiet)
		if err != nil {
			t.Fatalf("auto %v: %v", auto, err)
		}
		if got := door.Addrs(open)["http"]; got == addr {
			t.Errorf("auto %v: got the taken %s", auto, got)
		}
		_ = open["http"].Close()
	}
}

func TestAutoLeavesAnAddressThatIsSet(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	open, err := door.Open([]door.Door{{Name: "kafka", Setting: "kafka.listen", Addr: addr, Set: true}, {Name: "http", Setting: "http.listen", Addr: addr}}, true, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range open {
		defer func() { _ = l.Close() }()
	}
	if got := door.Addrs(open); got["kafka"] != addr || got["http"] == addr {
		t.Errorf("kafka is set to %s; open are %v", addr, got)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.168.1.4:7700", "[::]:0", "example.com:80"} {
		_, err := door.Open([]door.Door{{Name: "http", Setting: "http.listen", Addr: addr}}, false, quiet)
		if fault.CodeOf(err) != fault.Denied || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", addr, err)
		}
	}
	elsewhere := door.Door{Name: "postgres", Setting: "postgres.listen", Addr: "192.0.2.1:0", Set: true, Close: "give it a login"} // of no machine
	if _, err := door.Open([]door.Door{elsewhere}, false, quiet); fault.CodeOf(err) != fault.Denied || fault.HintOf(err) != elsewhere.Close {
		t.Errorf("%v", err)
	}
	elsewhere.Closed = true
	if _, err := door.Open([]door.Door{elsewhere}, false, quiet); fault.CodeOf(err) == fault.Denied {
		t.Errorf("with a login and TLS: %v", err)
	}
}

func TestHostAndOrigin(t *testing.T) {
	h := door.Checked([]string{"tarn.site"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for name, c := range map[string]struct {
		method, host, origin, site string
		want                       int
	}{
		"loopback":             {"GET", "127.0.0.1:7700", "", "", 204},
		"localhost":            {"GET", "localhost:7700", "", "", 204},
		"ipv6":                 {"GET", "[::1]:7700", "", "", 204},
		"configured":           {"GET", "tarn.site", "", "", 204},
		"rebound name":         {"GET", "evil.example", "", "", 421},
		"no host":              {"GET", "", "", "", 421},
		"post by a program":    {"POST", "127.0.0.1:7700", "", "", 204},
		"post from our page":   {"POST", "127.0.0.1:7700", "http://127.0.0.1:7700", "same-origin", 204},
		"post from elsewhere":  {"POST", "127.0.0.1:7700", "http://evil.example", "cross-site", 403},
		"post of an old agent": {"POST", "127.0.0.1:7700", "http://evil.example", "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://x/api/sql", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Fatalf("got %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

func TestServeStopsWithItsContext(t *testing.T) {
	open, err := door.Open([]door.Door{{Name: "http", Setting: "http.listen", Addr: "127.0.0.1:0"}}, true, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- door.Serve(ctx, open["http"], http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), quiet)
	}()
	go func() {
		resp, err := http.Get("http://" + open["http"].Addr().String())
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
