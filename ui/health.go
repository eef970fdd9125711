package ui

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tarn/embedded"
	"tarn/embedded/telemetry"
	"tarn/ui/health"
	"tarn/ui/view"
)

// usageEvery is how seldom the sizes of folders are looked at, however many ask.
const usageEvery = 10 * time.Second

// usage is what was seen last of disk and memory.
type usage struct {
	mu   sync.Mutex
	last *embedded.Usage
	at   time.Time
}

func (u *UI) usageNow(ctx context.Context) *embedded.Usage {
	if u.o.Usage == nil {
		return nil
	}
	u.usage.mu.Lock()
	defer u.usage.mu.Unlock()
	if u.usage.last == nil || time.Since(u.usage.at) > usageEvery {
		u.usage.last, u.usage.at = new(u.o.Usage(ctx)), time.Now()
	}
	return u.usage.last
}

// linesOf are the lines of the log of at least a level, which is told by its name; info if by none.
func (u *UI) linesOf(level string) []telemetry.Line {
	if u.o.Lines == nil {
		return []telemetry.Line{}
	}
	return u.o.Lines(0, map[string]slog.Level{"warn": slog.LevelWarn, "error": slog.LevelError, "debug": slog.LevelDebug}[level])
}

func (u *UI) healthState(r *http.Request) health.State {
	s := u.seen.Load().health
	s.Usage, s.Log = u.usageNow(r.Context()), u.linesOf(r.URL.Query().Get("level"))
	return s
}

func (u *UI) healthPage(w http.ResponseWriter, r *http.Request) {
	level := cmp.Or(r.URL.Query().Get("level"), "info")
	u.draw(w, r, view.Health(view.HealthPage{Frame: u.frame(u.seen.Load()), State: u.healthState(r), Level: level}))
}

func (u *UI) healthTwin(w http.ResponseWriter, r *http.Request) { u.twin(w, u.healthState(r)) }

// logPart is the part of the page with the log alone, for its live tail.
func (u *UI) logPart(w http.ResponseWriter, r *http.Request) {
	u.draw(w, r, view.LogLines(u.linesOf(r.URL.Query().Get("level"))))
}
