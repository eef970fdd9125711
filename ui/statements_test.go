package ui_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tarn/ui/uitest"
)

// TestScriptsAreTakenApartAFewAtOnce holds four requests open, whose scripts do not end.
func TestScriptsAreTakenApartAFewAtOnce(t *testing.T) {
	url, _ := run(t, uitest.Port(time.Now()))
	post := func(body io.Reader) (*http.Response, error) {
		return http.Post(url+"/api/pipelines/statements", "text/plain", body)
	}
	ended, release := make(chan int, 4), make(chan struct{})
	finish := sync.OnceFunc(func() { close(release) })
	t.Cleanup(finish) // before that of the server, which waits for them
	hold := func() (int, error) {
		r, w := io.Pipe()
		defer func() { _ = r.Close() }()
		go func() {
			_, _ = w.Write([]byte("SELECT "))
			<-release
			_, _ = w.Write([]byte("1"))
			_ = w.Close()
		}()
		resp, err := post(r)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	for range 4 {
		go func() {
			code, err := hold()
			// The fifth was there for a moment, or the connection was one that the server had just closed.
			for t.Context().Err() == nil && (err != nil || code == http.StatusServiceUnavailable) {
				code, err = hold()
			}
			ended <- code
		}()
	}
	waitFor(t, "the fifth is refused", func() bool {
		resp, err := post(strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
	})
	finish()
	for range 4 {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("one of the four: %d", code)
		}
	}
}
