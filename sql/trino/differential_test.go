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

// TestAnswersAreThoseThatTrinoGave asks what Trino was asked. A difference that is new is red, and so is one that is gone: the third column
// only gets shorter. TARN_TRINO_ORACLE=http://… asks a Trino again, TARN_UPDATE=1 writes what both answered.
func TestAnswersAreThoseThatTrinoGave(t *testing.T) {
	text, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	addr, oracle, update := open(t, 0), os.Getenv("TARN_TRINO_ORACLE"), os.Getenv("TARN_UPDATE") != ""
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			out.WriteString(line + "\n")
			continue
		}
		expression, rest, _ := strings.Cut(line, "\t")
		theirs, ours, _ := strings.Cut(rest, "\t")
		if oracle != "" {
			theirs = run(t, oracle, "SELECT "+expression).said()
		}
		a := run(t, addr, "SELECT "+expression)
		got := a.said()
		if os.Getenv("TARN_WHY") != "" && a.Error != nil && got != theirs {
			t.Log(expression, a.Error.Message)
		}
		if want := cmp.Or(ours, theirs); got != want && !update {
			t.Errorf("%s: got %s, want %s; Trino answers %s", expression, got, want, theirs)
		}
		line = expression + "\t" + theirs
		if got != theirs {
			line += "\t" + got
		}
		out.WriteString(line + "\n")
	}
	if update {
		if err := os.WriteFile(recorded, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
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
	return strings.Join(types, " ") + ": " + strings.ReplaceAll(a.rows(), "\n", " / ")
}
