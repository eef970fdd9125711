package files

import (
	"bytes"
	"io"

	"tarn/ingest/rows"
)

// cutter cuts the bytes of a file into records.
type cutter interface {
	// open readies it for a file of end bytes, which is read on from there; last says that no more will
	// come. What it finds out of the columns it keeps in from. errNotYet: there is too little to begin with.
	open(r io.ReaderAt, from *at, end int64, last bool) (rowCutter, error)
}

// rowCutter cuts the first record off b: its length with its end of line, and its value; nil for an
// empty line. why tells that the bytes are no record. n is 0 where b ends within a record,
// unless last says that no more will come.
type rowCutter func(b []byte, last bool) (n int, value []byte, why string)

// lines are JSON lines.
type lines struct{}

func (lines) open(io.ReaderAt, *at, int64, bool) (rowCutter, error) {
	return func(b []byte, last bool) (int, []byte, string) {
		n := line(b, last)
		text := bytes.TrimPrefix(b[:n], bom)
		if len(bytes.TrimSpace(text)) == 0 {
			return n, nil, ""
		}
		value, why := rows.Object(text)
		return n, value, why
	}, nil
}

// bom is the mark that some programs put before UTF-8.
var bom = []byte("\xef\xbb\xbf")

// line is the length of the first line, with its end; 0 where b ends within it.
func line(b []byte, last bool) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 && last {
		return len(b)
	}
	return n
}
