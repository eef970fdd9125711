package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of the log in memory.
const (
	linesMax     = 500
	lineBytesMax = 2 << 10 // of a line's message, and of its facts
)

// Line is a line of the log, for who looks at it while Tarn runs.
type Line struct {
	Number  uint64    `json:"number"` // from 1 on, in order
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // debug, info, warn, error
	Part    string    `json:"part,omitempty"`
	Message string    `json:"message"`
	Facts   string    `json:"facts,omitempty"` // key=value …

	level slog.Level
}

// Lines are the last lines above a number, those of at least a level, the oldest first. The log keeps 500.
func (t *Telemetry) Lines(above uint64, level slog.Level) []Line {
	t.lines.mu.Lock()
	defer t.lines.mu.Unlock()
	out := []Line{}
	for _, l := range t.lines.kept {
		if l.Number > above && l.level >= level {
			out = append(out, l)
		}
	}
	return out
}

// lines are the last lines of the log.
type lines struct {
	mu   sync.Mutex
	last uint64
	kept []Line
}

// lineHandler keeps what it is told in lines.
type lineHandler struct {
	lines *lines
	level slog.Leveler
	group string
	attrs []slog.Attr
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		a.Key = h.group + a.Key
		next.attrs = append(next.attrs, a)
	}
	return &next
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.group += name + "."
	return &next
}

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	line := Line{At: r.Time.UTC(), Level: strings.ToLower(r.Level.String()), Message: short(r.Message), level: r.Level}
	var facts strings.Builder
	add := func(a slog.Attr) bool {
		value := a.Value.Resolve().String()
		switch {
		case a.Key == "part":
			line.Part = short(value)
			return true
		case secretKey.MatchString(a.Key):
			value = "***"
		}
		if facts.Len() < lineBytesMax {
			fmt.Fprintf(&facts, " %s=%s", a.Key, value)
		}
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(func(a slog.Attr) bool { a.Key = h.group + a.Key; return add(a) })
	line.Facts = short(strings.TrimSpace(facts.String()))

	l := h.lines
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	line.Number = l.last
	l.kept = append(l.kept, line)
	l.kept = slices.Delete(l.kept, 0, max(0, len(l.kept)-linesMax))
	return nil
}

// What is never shown: the values of keys that name a secret, and passwords within addresses and settings.
var (
	secretKey  = regexp.MustCompile(`(?i)passw|secret|token|credential|api_?key`)
	secretText = regexp.MustCompile(`(?i)(://[^/\s:@]*:)[^/\s@]+@|((?:password|secret|token)["']?\s*[=:]\s*["']?)[^\s"'&,;]+`)
)

// short is a text without secrets, and its beginning if it is long.
func short(text string) string {
	if len(text) > 2*lineBytesMax { // a secret that is cut here is beyond what is left in the end
		text = text[:2*lineBytesMax]
	}
	text = secretText.ReplaceAllStringFunc(text, func(found string) string {
		m := secretText.FindStringSubmatch(found)
		if m[1] != "" {
			return m[1] + "***@"
		}
		return m[2] + "***"
	})
	if len(text) > lineBytesMax {
		text = strings.ToValidUTF8(text[:lineBytesMax], "") + "…"
	}
	return text
}
