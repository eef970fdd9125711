package telemetry_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/telemetry"
)

func TestLogGoesToBothAndStaysBounded(t *testing.T) {
	var screen bytes.Buffer
	tel := telemetry.New(&screen, slog.LevelInfo)
	path := filepath.Join(t.TempDir(), "tarn.log")
	if err := tel.ToFile(path); err != nil {
		t.Fatal(err)
	}
	tel.Log.Debug("unseen")
	tel.Log.Info("started", "part", "bus")
	fill := strings.Repeat("x", 1<<20)
	for range 20 {
		tel.Log.Info("fill", "text", fill)
	}
	if err := tel.Close(); err != nil {
		t.Fatal(err)
	}
	if got := screen.String(); !strings.Contains(got, "msg=started part=bus") || strings.Contains(got, "unseen") {
		t.Errorf("screen has %.200q", got)
	}
	for _, p := range []string{path, path + ".1"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 9<<20 {
			t.Errorf("%s has %d bytes", p, info.Size())
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	w := httptest.NewRecorder()
	telemetry.New(&bytes.Buffer{}, slog.LevelInfo).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(w.Body.String(), "go_goroutines") {
		t.Error("no Go metrics")
	}
}
