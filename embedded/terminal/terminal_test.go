package terminal_test

import (
	"strings"
	"testing"

	"tarn/embedded/terminal"
)

func TestWhatIsNoTerminalGetsPlainText(t *testing.T) {
	var out strings.Builder
	if p := terminal.PaintOn(&out); p.Red("no") != "no" || p.Bold("") != "" {
		t.Error("a file is painted")
	}
	bar := terminal.NewBar(&out)
	bar.Set("rows", 1, 2)
	bar.Clear()
	if out.Len() > 0 {
		t.Errorf("it draws %q", out.String())
	}
	if got := terminal.Paint(true).Green("yes"); got != "\x1b[32myes\x1b[0m" {
		t.Errorf("got %q", got)
	}
}

func TestLine(t *testing.T) {
	for want, got := range map[string]string{
		"[############------------]  50 %  files  5 of 10": terminal.Line("files", 5, 10),
		"[########################] 100 %  files  3 of 3":  terminal.Line("files", 7, 3),
		"[------------------------]   0 %  files  0 of 3":  terminal.Line("files", -1, 3),
		"files  12": terminal.Line("files", 12, 0),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
