//go:build duckdb_arrow

package trino_test

import (
	"cmp"
	"os"
	"strings"
	"testing"
)

// recorded are expressions with Trino 476's own answers, a line each: the expression, what Trino answers, and, where that is something
// else, what Tarn does. An answer is its columns' types and its rows, or the name of an error.
const recorded = "testdata/differential.txt"

// together is how many expressions are asked in one statement.
const together = 25

// line is one of the record.
type line struct{ expression, theirs, ours string }

func (l line) want() string { return cmp.Or(l.ours, l.theirs) }

// TestAnswersAreThoseThatTrinoGave asks what Trino was asked. A difference that is new is red, and so is one that is gone: the third column
// only gets shorter. TARN_TRINO_ORACLE=http://… asks a Trino again, TARN_UPDATE=1 writes what both answered.
func TestAnswersAreThoseThatTrinoGave(t *testing.T) {
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	addr, oracle, update := open(t, 0), os.Getenv("TARN_TRINO_ORACLE"), os.Getenv("TARN_UPDATE") != ""
	var lines, group []line
	ask := func(l line) {
		if got := run(t, addr, "SELECT "+l.expression).said(); got != l.want() && !update {
			t.Errorf("%s: got %s, want %s; Trino answers %s", l.expression, got, l.want(), l.theirs)
		}
	}
	hand := func() {
		if !sameTogether(t, addr, group) {
			for _, l := range group {
				ask(l)
			}
		}
		group = nil
	}
	for text := range strings.Lines(string(text)) {
		text = strings.TrimRight(text, "\n")
		l := line{expression: text}
		if !strings.HasPrefix(text, "#") {
			l.expression, l.theirs, _ = strings.Cut(text, "\t")
			l.theirs, l.ours, _ = strings.Cut(l.theirs, "\t")
			switch {
			case update:
				if oracle != "" {
					l.theirs = run(t, oracle, "SELECT "+l.expression).said()
				}
				a := run(t, addr, "SELECT "+l.expression)
				if l.ours = a.said(); l.ours == l.theirs {
					l.ours = ""
				} else if a.Error != nil {
					t.Log(l.expression, a.Error.Message)
				}
			case strings.Contains(l.want(), ": ") && !strings.Contains(l.expression, " FROM "):
				if group = append(group, l); len(group) == together {
					hand()
				}
			default:
				ask(l)
			}
		}
		lines = append(lines, l)
	}
	hand()
	if update {
		write(t, lines)
	}
}

// sameTogether tells whether all expressions of one row each are answered as they should be, in one statement.
func sameTogether(t *testing.T, addr string, group []line) bool {
	var said, types, values []string
	for _, l := range group {
		of, value, _ := strings.Cut(l.want(), ": ")
		said, types, values = append(said, l.expression), append(types, of), append(values, value)
	}
	return len(group) == 0 || run(t, addr, "SELECT "+strings.Join(said, ", ")).said() == strings.Join(types, " ")+": "+strings.Join(values, " ")
}

func write(t *testing.T, lines []line) {
	t.Helper()
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(l.expression)
		if l.theirs != "" {
			out.WriteString("\t" + l.theirs)
		}
		if l.ours != "" {
			out.WriteString("\t" + l.ours)
		}
		out.WriteString("\n")
	}
	if err := os.WriteFile(recorded, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is the answer in one line.
func (a answer) said() string {
	if a.Error != nil {
		return a.Error.ErrorName
	}
	types := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		types[i] = c.Type
	}
	return strings.Join(types, " ") + ": " + strings.NewReplacer("\n", " / ", "\t", " ").Replace(a.rows())
}
