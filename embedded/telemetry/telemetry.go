// Package telemetry is how Tarn tells what it does: one logger that writes for a
// person on stderr, for later in DATA/logs and the last of it in memory, and one registry of metrics. It decides
// nothing.
package telemetry

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The bounds of the log on disk: the file being written and one older.
const logFileBytesMax = 8 << 20

// Telemetry is the log and the metrics of one Tarn.
type Telemetry struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	file    *logFile
	lines   *lines
}

// New logs to w as text from level on. Call ToFile when there is a data folder.
func New(w io.Writer, level slog.Level) *Telemetry {
	t := &Telemetry{Metrics: prometheus.NewRegistry(), file: &logFile{}, lines: &lines{}}
	o := &slog.HandlerOptions{Level: level}
	t.Log = slog.New(slog.NewMultiHandler(slog.NewTextHandler(w, o), slog.NewJSONHandler(t.file, o), &lineHandler{lines: t.lines, level: level}))
	t.Metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return t
}

// ToFile also logs to path, as JSON, from now on. When the file is full it becomes
// path.1 and a new one begins.
func (t *Telemetry) ToFile(path string) error { return t.file.open(path) }

// Handler serves the metrics in Prometheus' text format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.Metrics, promhttp.HandlerOpts{})
}

// Close ends the file.
func (t *Telemetry) Close() error { return t.file.close() }

// logFile is a log of bounded size. It is no user data: nothing here is synced, and a
// write that fails is dropped so that a full disk stops no part.
type logFile struct {
	mu   sync.Mutex
	path string
	f    *os.File
	size int64
}

func (l *logFile) open(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path = path
	return l.reopen()
}

func (l *logFile) reopen() error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.f, l.size = f, info.Size()
	return nil
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil && (l.path == "" || l.reopen() != nil) {
		return len(p), nil
	}
	if l.size+int64(len(p)) > logFileBytesMax {
		_ = l.f.Close()
		l.f = nil
		if os.Rename(l.path, l.path+".1") != nil || l.reopen() != nil {
			return len(p), nil
		}
	}
	n, _ := l.f.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f, l.path = nil, ""
	return err
}
