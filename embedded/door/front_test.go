package door_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tarn/embedded/door"
	"tarn/embedded/life"
)

func TestFrontAnswersFromTheFirstMoment(t *testing.T) {
	house := life.NewHouse(life.SystemClock{}, quiet)
	front := door.NewFront(house, "1.2.3", http.NotFoundHandler())
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		front.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	expect := func(path string, code int, part string) {
		t.Helper()
		if got, body := get(path); got != code || !strings.Contains(body, part) {
			t.Fatalf("%s: %d %s, want %d with %s", path, got, body, code, part)
		}
	}
	expect("/ready", 503, "unavailable")
	expect("/health", 200, `"version":"1.2.3"`)
	expect("/page", 503, "starting")

	ctx, cancel := context.WithCancel(t.Context())
	up, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- house.Run(ctx, life.Func("roof", func(ctx context.Context, ready func()) error {
			front.Mount("GET /page", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
			ready()
			close(up)
			<-ctx.Done()
			return nil
		}))
	}()
	<-up
	expect("/page", 200, "hello")
	expect("/ready", 200, "ready")
	expect("/health", 200, `"name":"roof","state":"ready"`)
	expect("/nothing", 404, "")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	expect("/ready", 503, "")
}
