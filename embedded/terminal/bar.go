package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// The looks of a bar.
const (
	barRunes     = 24
	widthDefault = 80
	drawEvery    = 100 * time.Millisecond
)

// Bar is one line that tells how far long work is, drawn over itself. One goroutine uses it. A
// nil Bar, and one on what is no terminal, draws nothing.
type Bar struct {
	out   io.Writer
	width int
	last  time.Time
	drawn bool
}

// NewBar returns a bar on a writer; nil where that is no terminal.
func NewBar(out io.Writer) *Bar {
	if !Is(out) {
		return nil
	}
	b := &Bar{out: out, width: widthDefault}
	if w, _, err := term.GetSize(int(out.(*os.File).Fd())); err == nil && w > 0 { //nolint:gosec,forcetypeassert // Is has looked
		b.width = w
	}
	return b
}

// Set tells how much of all is done of what; all is 0 where nobody knows. It draws a few times
// a second at most.
func (b *Bar) Set(what string, done, all int64) {
	if b == nil || time.Since(b.last) < drawEvery {
		return
	}
	b.last, b.drawn = time.Now(), true
	_, _ = fmt.Fprint(b.out, "\r\x1b[K"+cut(Line(what, done, all), b.width-1))
}

// Clear takes the bar off the screen, for the line that follows.
func (b *Bar) Clear() {
	if b != nil && b.drawn {
		_, _ = io.WriteString(b.out, "\r\x1b[K")
		b.drawn, b.last = false, time.Time{}
	}
}

// Line is a bar as text.
func Line(what string, done, all int64) string {
	if all <= 0 {
		return fmt.Sprintf("%s  %d", what, done)
	}
	done = min(max(done, 0), all)
	full := int(done * barRunes / all)
	return fmt.Sprintf("[%s%s] %3d %%  %s  %d of %d", strings.Repeat("#", full), strings.Repeat("-", barRunes-full), done*100/all, what, done, all)
}

// cut keeps what fits into a line.
func cut(text string, width int) string {
	if width < 1 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width])
}
