package client

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"tarn/embedded/disk"
)

// The bounds of the history.
const (
	historyLinesMax = 1000 // that are kept
	historyLineMax  = 64 << 10
)

// history is what was typed, oldest first. It is kept in a file, each line when it is entered, so that
// prompts that are open beside each other lose nothing. What cannot be kept is not: a prompt without
// a home works.
type history struct {
	lines []string
	path  string
}

// openHistory reads what was typed before, and cuts a file that has grown.
func openHistory(path string) *history {
	h := &history{path: path}
	if path == "" {
		return h
	}
	f, err := os.Open(path)
	if err != nil {
		return h
	}
	in := bufio.NewScanner(f)
	in.Buffer(nil, historyLineMax)
	for in.Scan() {
		h.lines = append(h.lines, in.Text())
	}
	_ = f.Close()
	if n := len(h.lines); n > historyLinesMax {
		grown := n > 2*historyLinesMax
		h.lines = h.lines[n-historyLinesMax:]
		if grown {
			_ = disk.Local.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"))
		}
	}
	return h
}

// Add is called with each line that was entered.
func (h *history) Add(line string) {
	if n := len(h.lines); strings.TrimSpace(line) == "" || len(line) >= historyLineMax || n > 0 && h.lines[n-1] == line {
		return
	}
	if h.lines = append(h.lines, line); len(h.lines) > historyLinesMax {
		h.lines = h.lines[1:]
	}
	if h.path == "" || os.MkdirAll(filepath.Dir(h.path), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(line + "\n")
	_ = f.Close()
}

// Len is how many there are.
func (h *history) Len() int { return len(h.lines) }

// At is one of them; 0 is the newest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
