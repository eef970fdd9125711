package rows

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"tarn/embedded/record/envelope"
)

// Table cuts CSV, row by row, as its bytes come. Its first row names the columns.
type Table struct {
	Comma byte
	// Cell appends a cell as JSON; why tells that the row is none. Nil: every cell is a text.
	Cell func(dst []byte, column int, cell []byte) (out []byte, why string)

	names  []string
	quoted [][]byte // the names as members: "name":
}

// rowError is what is wrong with a row, at a byte of it.
type rowError struct {
	at   int
	what string
}

func (e *rowError) Error() string { return e.what }

// Next takes the first row off b: its length with its end of line, and its object; nil of the row that
// names the columns, and of an empty line. n is 0 where b ends within the row, unless last says
// that no more will come. why tells that it is no row, and ends with a line.
func (t *Table) Next(b []byte, last bool) (n int, object []byte, why string) {
	n, cells, why := t.Cells(b, last)
	if why != "" || len(cells) == 0 {
		return n, nil, why
	}
	object, err := t.take(cells)
	if err != nil {
		return n, nil, err.Error()
	}
	return n, object, ""
}

// Cells are those of the first row of b, in the words of Next; nil of an empty line.
func (t *Table) Cells(b []byte, last bool) (n int, cells [][]byte, why string) {
	n, cells, err := t.cut(b, last)
	wrong, ok := err.(*rowError) //nolint:errorlint // made here, never wrapped
	if !ok {
		return n, cells, ""
	}
	end := bytes.IndexByte(b[wrong.at:], '\n')
	switch {
	case end >= 0:
		n = wrong.at + end + 1
	case last:
		n = len(b)
	}
	return n, nil, wrong.what
}

// Names are the columns, once their row was read.
func (t *Table) Names() []string { return t.names }

// cut cuts the first row off b: its length with its end of line, and its cells. n is 0 where b
// ends within the row and more may come; an empty line has no cells. A row that is wrong has
// no length: nobody knows where it ends.
func (t *Table) cut(b []byte, last bool) (n int, cells [][]byte, err error) {
	i := 0
	for {
		cell, next, err := t.cell(b, i, last)
		if err != nil || next < 0 {
			return 0, nil, err
		}
		cells = append(cells, cell)
		if len(cells) > columnsMax {
			return 0, nil, &rowError{i, fmt.Sprintf("more than %d cells", columnsMax)}
		}
		i = next
		if i < len(b) && b[i] == t.Comma {
			i++
			continue
		}
		if i < len(b) && b[i] == '\r' {
			i++
		}
		if i < len(b) { // '\n'
			i++
		} else if !last {
			return 0, nil, nil
		}
		if len(cells) == 1 && len(cells[0]) == 0 && bytes.Trim(b[:i], "\r\n") == nil {
			return i, nil, nil
		}
		return i, cells, nil
	}
}

// cell cuts one cell off at i. next is at what ends it; -1 where more may come.
func (t *Table) cell(b []byte, i int, last bool) (cell []byte, next int, err error) {
	if i < len(b) && b[i] == '"' {
		return t.quotedCell(b, i, last)
	}
	for end := i; ; end++ {
		switch {
		case end == len(b):
			if !last {
				return nil, -1, nil
			}
			return bytes.TrimSuffix(b[i:end], []byte("\r")), end, nil
		case b[end] == t.Comma:
			return b[i:end], end, nil
		case b[end] == '\n':
			if end > i && b[end-1] == '\r' {
				return b[i : end-1], end - 1, nil
			}
			return b[i:end], end, nil
		case b[end] == '"':
			return nil, 0, &rowError{end, "a quote within a cell that does not begin with one"}
		}
	}
}

func (t *Table) quotedCell(b []byte, from int, last bool) (cell []byte, next int, err error) {
	for i := from + 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			if !last {
				return nil, -1, nil
			}
			return nil, 0, &rowError{from, "a quote that is not closed"}
		}
		cell = append(cell, b[i:i+n]...)
		i += n + 1
		switch {
		case i == len(b) && !last:
			return nil, -1, nil
		case i == len(b), b[i] == t.Comma, b[i] == '\n', b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n'):
			if cell == nil {
				cell = []byte{}
			}
			return cell, i, nil
		case b[i] == '"':
			cell = append(cell, '"')
			i++
		default:
			return nil, 0, &rowError{i, "more behind the closing quote of a cell"}
		}
	}
}

// take makes an object of a row's cells; nil of the row that names the columns.
func (t *Table) take(cells [][]byte) ([]byte, error) {
	for i, c := range cells {
		if !utf8.Valid(c) {
			return nil, &rowError{0, fmt.Sprintf("cell %d is not UTF-8", i+1)}
		}
	}
	if t.names == nil {
		return nil, t.head(cells)
	}
	if len(cells) != len(t.names) {
		return nil, &rowError{0, fmt.Sprintf("%d cells, want %d", len(cells), len(t.names))}
	}
	size := 2
	for i, c := range cells {
		size += len(t.quoted[i]) + len(c) + 3
	}
	out := append(make([]byte, 0, size), '{')
	for i, c := range cells {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, t.quoted[i]...)
		if t.Cell == nil {
			out = envelope.AppendText(out, c)
			continue
		}
		var why string
		if out, why = t.Cell(out, i, c); why != "" {
			return nil, &rowError{0, fmt.Sprintf("column %s: %s", t.names[i], why)}
		}
	}
	return append(out, '}'), nil
}

func (t *Table) head(cells [][]byte) error {
	seen := map[string]bool{}
	var names []string
	for i, c := range cells {
		name := string(c)
		if name == "" || seen[name] {
			return &rowError{0, fmt.Sprintf("column %d has the name %q", i+1, name)}
		}
		seen[name] = true
		names = append(names, name)
		t.quoted = append(t.quoted, append(envelope.AppendText(nil, name), ':'))
	}
	t.names = names
	return nil
}
