// Package terminal is what a person at a terminal gets beyond the text that programs read:
// colours, and a bar on long work. Where the writer is no terminal there is neither.
package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Is tells whether a writer is a terminal.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a descriptor fits
}

// Paint colours words, or leaves them as they are. The zero value leaves them.
type Paint bool

// PaintOn is the paint for a writer: none where it is no terminal, where NO_COLOR says so
// (https://no-color.org), or where the terminal knows no colours.
func PaintOn(w io.Writer) Paint {
	return Paint(Is(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func (p Paint) with(code, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Red is for what failed or goes away.
func (p Paint) Red(text string) string { return p.with("31", text) }

// Green is for what is well or comes.
func (p Paint) Green(text string) string { return p.with("32", text) }

// Yellow is for what changes, and for warnings.
func (p Paint) Yellow(text string) string { return p.with("33", text) }

// Bold is for what a line is about.
func (p Paint) Bold(text string) string { return p.with("1", text) }

// Dim is for what is only said beside it.
func (p Paint) Dim(text string) string { return p.with("2", text) }
