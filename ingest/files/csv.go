package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"tarn/ingest/rows"
)

// sampleRows is how many rows of a file tell what its columns hold.
const sampleRows = 1000

// table is CSV whose first row names the columns.
type table struct {
	comma    byte
	declared map[string]*columnType
}

// errNotYet tells that a file does not hold enough to begin with.
var errNotYet = errors.New("not yet")

func (c table) open(r io.ReaderAt, from *at, end int64, last bool) (rowCutter, error) {
	start := make([]byte, min(end, windowBytes))
	if _, err := r.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	t := &rows.Table{Comma: c.comma}
	head, err := c.head(t, start, last && end <= windowBytes)
	if err != nil {
		return nil, err
	}
	if from.Kinds == "" {
		from.Kinds = c.sample(t, start[head:], last && end <= windowBytes, end > windowBytes)
	}
	kinds := from.Kinds
	t.Cell = func(dst []byte, i int, cell []byte) ([]byte, string) {
		if declared := c.declared[t.Names()[i]]; declared != nil {
			return declared.append(dst, cell)
		}
		return appendAs(dst, kinds[i], cell), ""
	}
	pass := 0
	if from.Bytes == 0 {
		pass = head
	}
	return func(b []byte, last bool) (int, []byte, string) {
		switch {
		case pass > 0 && len(b) < pass, kinds == "" && pass == 0:
			return 0, nil, ""
		case pass > 0:
			n := pass
			pass = 0
			return n, nil, ""
		}
		n, value, why := t.Next(b, last)
		if n == 0 && len(b) >= lineBytesMax {
			if n = line(b, false); n > 0 {
				why = fmt.Sprintf("a quote that is not closed within %d bytes", lineBytesMax)
			}
		}
		return n, value, why
	}, nil
}

// head reads the names of the columns, and returns where their row ends.
func (c table) head(t *rows.Table, b []byte, last bool) (int, error) {
	i := len(b) - len(bytes.TrimPrefix(b, bom))
	for t.Names() == nil {
		n, _, why := t.Next(b[i:], last)
		switch {
		case why != "":
			return 0, fmt.Errorf("the line of column names: %s", why)
		case n == 0 && len(b) >= windowBytes:
			return 0, fmt.Errorf("the line of column names has more than %d bytes", windowBytes)
		case n == 0:
			return 0, errNotYet
		}
		i += n
	}
	return i, nil
}

// sample looks at the first rows: a letter for each column; "" where there is no row yet.
func (c table) sample(t *rows.Table, b []byte, last, more bool) string {
	kinds := bytes.Repeat([]byte{unknownCells}, len(t.Names()))
	seen := false
	for range sampleRows {
		n, cells, why := t.Cells(b, last)
		if n == 0 {
			break
		}
		b = b[n:]
		seen = seen || len(cells) > 0 || why != ""
		if len(cells) == len(kinds) {
			for i, cell := range cells {
				kinds[i] = both(kinds[i], kindOf(cell))
			}
		}
	}
	if !seen && !more && !last {
		return ""
	}
	return string(bytes.ReplaceAll(kinds, []byte{unknownCells}, []byte{textCells}))
}
