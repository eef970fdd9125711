package ui_test

import (
	"io"
	"net/http"
	"strings"
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
	ended := make(chan int, 4)
	var writers []*io.PipeWriter
	for range 4 {
		r, w := io.Pipe()
		writers = append(writers, w)
		go func() {
			resp, err := post(r)
			if err != nil {
				ended <- 0
				return
			}
			_ = resp.Body.Close()
			ended <- resp.StatusCode
		}()
		if _, err := w.Write([]byte("SELECT ")); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the fifth is refused", func() bool {
		resp, err := post(strings.NewReader("SELECT 1"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
	})
	for _, w := range writers {
		_, _ = w.Write([]byte("1"))
		_ = w.Close()
	}
	for range 4 {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("one of the four: %d", code)
		}
	}
}
