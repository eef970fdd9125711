package view

import (
	"slices"
	"strings"

	"tarn/embedded"
	"tarn/embedded/telemetry"
	"tarn/ui/health"
	"tarn/ui/home"
	"tarn/ui/words"
)

// HealthPage is what the templates of Tarn's own state show.
type HealthPage struct {
	Frame
	State health.State
	Level string // of the log's lines, at least
}

// faults are the problems that are more than notes.
func (p HealthPage) faults() home.State { return home.State{Problems: p.State.Problems} }

// level is a choice of the log's lines.
type level struct {
	name string
	word words.Text
}

var levels = []level{{"info", words.Say("all lines")}, {"warn", words.Say("warnings and errors")}, {"error", words.Say("errors alone")}}

// levelPath is the page's address with a choice.
func levelPath(name string) string {
	if name == "info" {
		return healthWindow.path
	}
	return healthWindow.path + "?level=" + name
}

// bytesOrNot is a size, where it is known.
func bytesOrNot(n int64) words.Text {
	if n < 0 {
		return words.Plain(words.Unknown)
	}
	return words.Bytes(n)
}

// diskLevel says how far the disk is from its reserve.
func diskLevel(u *embedded.Usage) home.Level {
	switch {
	case u.DiskFree < 0:
		return home.Idle
	case u.DiskFree < u.DiskReserve:
		return home.Bad
	case u.DiskFree < 2*u.DiskReserve:
		return home.Warn
	}
	return home.OK
}

// shareNames are the parts of the memory budget.
var shareNames = map[string]words.Text{
	"go": words.Say("the program"), "query": words.Say("queries"), "lake": words.Say("the lake's upkeep"), "pipelines": words.Say("state of pipelines"),
}

func shareName(name string) words.Text {
	if t, ok := shareNames[name]; ok {
		return t
	}
	return words.Plain(name)
}

// newestFirst turns the log around: what came last is read first.
func newestFirst(lines []telemetry.Line) []telemetry.Line {
	out := slices.Clone(lines)
	slices.Reverse(out)
	return out[:min(len(out), logLinesMax)]
}

// logLinesMax bounds what of the log one page draws; its twin has more.
const logLinesMax = 200

// lineLevel is the pill of a line's level.
func lineLevel(name string) string {
	switch {
	case strings.HasPrefix(name, "error"):
		return badge(home.Bad)
	case strings.HasPrefix(name, "warn"):
		return badge(home.Warn)
	}
	return badge(home.Idle)
}

const partsQuery = "SELECT * FROM system.parts"
