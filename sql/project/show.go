package project

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/terminal"
)

func asFault(err error) (*fault.Error, bool) { return errors.AsType[*fault.Error](err) }

// show writes a plan for a person.
func (p Planned) show(out io.Writer) error {
	paint := terminal.PaintOn(out)
	signs := map[string]string{
		Create: paint.Green("+ create   "), Alter: paint.Yellow("~ alter    "), Drop: paint.Red("- drop     "), Run: paint.Yellow("> run      "),
		Unchanged: paint.Dim("  unchanged"), Refuse: paint.Red("! error    "), Leave: paint.Dim("  left     "),
	}
	var text strings.Builder
	counts := map[string]int{}
	for i := range p {
		s := &p[i]
		counts[s.Action]++
		line := strings.TrimSpace(s.Kind + " " + paint.Bold(s.Name))
		if at := s.Place(); at != "" {
			line = strings.TrimSpace(line + "  " + paint.Dim(at))
		}
		if s.Note != "" {
			line += paint.Dim("  (" + s.Note + ")")
		}
		_, _ = fmt.Fprintf(&text, "%s %s\n", signs[s.Action], line)
		if s.Error != "" {
			_, _ = fmt.Fprintf(&text, "             %s\n", s.Error)
		}
		if s.Hint != "" {
			_, _ = fmt.Fprintf(&text, "             %s %s\n", paint.Yellow("hint:"), s.Hint)
		}
	}
	_, _ = fmt.Fprintf(&text, "%d to create, %d to alter, %d to drop, %d to run, %d unchanged", counts[Create], counts[Alter], counts[Drop], counts[Run], counts[Unchanged])
	if n := counts[Leave]; n > 0 {
		_, _ = fmt.Fprintf(&text, ", %d not in the folder and left alone", n)
	}
	if n := counts[Refuse]; n > 0 {
		_, _ = fmt.Fprintf(&text, ", %s", paint.Red(count(n, "error")))
	}
	text.WriteString("\n")
	_, err := io.WriteString(out, text.String())
	return err
}

// Finding is what a check found.
type Finding struct {
	Level   string `json:"level"` // error, warning
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Mend    string `json:"mend,omitempty"` // the statement for a source's database that mends it
}

// Found is a finding of another room; mend is the statement for the source that mends it, or "".
func Found(fatal bool, file, message, hint, mend string) Finding {
	f := Finding{Level: levelWarning, File: file, Message: message, Hint: hint, Mend: mend}
	if fatal {
		f.Level = levelError
	}
	return f
}

// The levels of findings.
const (
	levelError   = "error"
	levelWarning = "warning"
)

// write writes a finding as compilers do, for editors read that.
func (f Finding) write(out io.Writer, paint terminal.Paint) error {
	level := paint.Red(f.Level + ":")
	if f.Level == levelWarning {
		level = paint.Yellow(f.Level + ":")
	}
	if at := place(f.File, f.Line, f.Column); at != "" {
		level = paint.Bold(at+":") + " " + level
	}
	_, err := fmt.Fprintf(out, "%s %s\n", level, f.Message)
	if err == nil && f.Hint != "" {
		_, err = fmt.Fprintf(out, "  %s %s\n", paint.Yellow("hint:"), f.Hint)
	}
	if err == nil && f.Mend != "" {
		_, err = fmt.Fprintf(out, "  %s %s\n", paint.Yellow("mend:"), f.Mend)
	}
	return err
}
