package client

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cellRunesMax is where a cell of a table is cut; CSV and JSON show it whole.
const cellRunesMax = 60

// answer is the JSON shape of /api/sql; an answer that ended early has an error and no stats.
type answer struct {
	failure
	Columns []struct{ Name, Type string }
	Rows    [][]any
	Stats   struct {
		Rows int64
		MS   float64
	}
}

// draw writes the answer as a table: numbers to the right, NULL for null.
func (a *answer) draw(out io.Writer) error {
	w := bufio.NewWriter(out)
	cells := make([][]string, len(a.Rows))
	widths := make([]int, len(a.Columns))
	for i, c := range a.Columns {
		widths[i] = utf8.RuneCountInString(c.Name)
	}
	for r, row := range a.Rows {
		cells[r] = make([]string, len(a.Columns))
		for i := range min(len(row), len(a.Columns)) {
			cells[r][i] = cell(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(cells[r][i]))
		}
	}
	for i, c := range a.Columns {
		pad(w, c.Name, widths[i], a.right(i), i == len(a.Columns)-1)
	}
	for i, width := range widths {
		end := "  "
		if i == len(widths)-1 {
			end = "\n"
		}
		_, _ = w.WriteString(strings.Repeat("-", width) + end)
	}
	for _, row := range cells {
		for i, text := range row {
			pad(w, text, widths[i], a.right(i), i == len(row)-1)
		}
	}
	return a.foot(w)
}

// foot says how much there is.
func (a *answer) foot(w *bufio.Writer) error {
	noun := "rows"
	if a.Stats.Rows == 1 {
		noun = "row"
	}
	_, _ = fmt.Fprintf(w, "(%d %s, %.0f ms)\n", a.Stats.Rows, noun, a.Stats.MS)
	return w.Flush()
}

// stand writes a line for each cell, for rows wider than the terminal. Cells are whole.
func (a *answer) stand(out io.Writer) error {
	w := bufio.NewWriter(out)
	width := 0
	for _, c := range a.Columns {
		width = max(width, utf8.RuneCountInString(c.Name))
	}
	for r, row := range a.Rows {
		_, _ = fmt.Fprintf(w, "- row %d\n", r+1)
		for i := range min(len(row), len(a.Columns)) {
			name := a.Columns[i].Name
			_, _ = fmt.Fprintf(w, "%s%s  %s\n", name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), oneLine(row[i]))
		}
	}
	return a.foot(w)
}

func pad(w *bufio.Writer, text string, width int, right, last bool) {
	gap := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	switch {
	case right:
		_, _ = w.WriteString(gap + text)
	case last:
		_, _ = w.WriteString(text)
	default:
		_, _ = w.WriteString(text + gap)
	}
	if last {
		_ = w.WriteByte('\n')
		return
	}
	_, _ = w.WriteString("  ")
}

// right tells whether a column holds numbers, by the first cell that is not null or by
// its type.
func (a *answer) right(i int) bool {
	t := strings.ToUpper(a.Columns[i].Type)
	for _, n := range []string{"INT", "DECIMAL", "DOUBLE", "FLOAT", "LONG"} {
		if strings.Contains(t, n) && !strings.Contains(t, "[") && !strings.Contains(t, "INTERVAL") {
			return true
		}
	}
	return false
}

// cell is a value on one line, cut at cellRunesMax.
func cell(v any) string {
	text := oneLine(v)
	if utf8.RuneCountInString(text) > cellRunesMax {
		text = string([]rune(text)[:cellRunesMax-1]) + "…"
	}
	return text
}

// oneLine is a value with its control characters as spaces.
func oneLine(v any) string {
	var text string
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		text = v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		text = string(b)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
