//go:build duckdb_arrow

package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"tarn/embedded/fault"
)

// field is a value of a row that a client copies in, in the form of its COPY.
type field struct {
	text []byte
	null bool
}

// copyRows cuts what a client sends into rows, as pieces of any size come. It holds one row that is not whole, at most.
type copyRows struct {
	form    *copyForm
	names   []string // of the columns
	held    []byte
	at      int  // of held that was looked at
	quoted  bool // at is within quotes
	escaped bool // at is behind an escape
	crlf    bool // lines end with both
	line    int  // of the last row, from 1
	begun   bool // the header is behind
	ended   bool // the mark of the end came
	fields  []field
}

// copyError is PostgreSQL's for what is no row.
func (p *copyRows) copyError(format string, args ...any) error {
	return stateError{"22P04", fault.Newf(fault.Invalid, "", format, args...)}
}

// add takes the next piece.
func (p *copyRows) add(piece []byte) { p.held = append(p.held, piece...) }

// next is the next row; nil when it is not whole yet, or for last when there is none. Its fields are good until add or next.
func (p *copyRows) next(last bool) ([]field, error) {
	for {
		row, err := p.row(last)
		if err != nil || row == nil {
			return nil, err
		}
		if !p.begun && !p.form.binary && p.form.header {
			p.begun = true
			if err := p.headed(row); err != nil {
				return nil, err
			}
			continue
		}
		p.begun = true
		if len(row) < len(p.names) {
			return nil, p.copyError("missing data for column %q", p.names[len(row)])
		}
		if len(row) > len(p.names) {
			return nil, p.copyError("extra data after last expected column")
		}
		return row, nil
	}
}

func (p *copyRows) headed(row []field) error {
	if !p.form.match {
		return nil
	}
	for i, name := range p.names {
		if i >= len(row) || string(row[i].text) != name {
			return p.copyError("column name mismatch in header line field %d: want %q", i+1, name)
		}
	}
	if len(row) != len(p.names) {
		return p.copyError("wrong number of fields in header line: got %d, expected %d", len(row), len(p.names))
	}
	return nil
}

func (p *copyRows) row(last bool) ([]field, error) {
	if p.ended {
		p.held = p.held[:0]
		return nil, nil
	}
	if p.form.binary {
		return p.tuple(last)
	}
	line, ok := p.cut(last)
	if !ok {
		if len(p.held) > messageBytesMax {
			return nil, stateError{"54000", fault.Newf(fault.TooLarge, "", "a row has more than %d bytes", messageBytesMax)}
		}
		if last && p.quoted {
			return nil, p.copyError("unterminated CSV quoted field")
		}
		return nil, nil
	}
	p.line++
	if p.line == 1 {
		p.crlf = bytes.HasSuffix(line, []byte("\r"))
	}
	if p.crlf {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	if string(line) == `\.` {
		p.ended, p.held = true, p.held[:0]
		return nil, nil
	}
	p.fields = p.fields[:0]
	if p.form.csv {
		return p.csvFields(line), nil
	}
	return p.textFields(line), nil
}

// cut takes a line off what is held, and leaves its end out.
func (p *copyRows) cut(last bool) ([]byte, bool) {
	for ; p.at < len(p.held); p.at++ {
		c := p.held[p.at]
		switch {
		case p.escaped:
			p.escaped = false
		case !p.form.csv && c == '\\':
			p.escaped = true
		case p.form.csv && p.quoted && c == p.form.escape && p.form.escape != p.form.quote:
			p.escaped = true
		case p.form.csv && c == p.form.quote:
			p.quoted = !p.quoted
		case c == '\n' && !p.quoted:
			return p.taken(p.at, 1), true
		}
	}
	if last && len(p.held) > 0 && !p.quoted {
		return p.taken(len(p.held), 0), true
	}
	return nil, false
}

// taken is what is held up to n, and makes what is behind it, but for skip bytes, what is held.
func (p *copyRows) taken(n, skip int) []byte {
	out := p.held[:n:n]
	p.held, p.at, p.escaped = p.held[n+skip:], 0, false
	return out
}

// textFields reads a line of the text format (PostgreSQL's documentation of COPY, "Text Format").
func (p *copyRows) textFields(line []byte) []field {
	start := 0
	for i := 0; i <= len(line); i++ {
		if i+1 < len(line) && line[i] == '\\' {
			i++
			continue
		}
		if i < len(line) && line[i] != p.form.delimiter {
			continue
		}
		raw := line[start:min(i, len(line))]
		start = i + 1
		if string(raw) == p.form.null {
			p.fields = append(p.fields, field{null: true})
			continue
		}
		p.fields = append(p.fields, field{text: unescaped(raw)})
	}
	return p.fields
}

// unescaped undoes the text format's escapes, in the place where they are.
func unescaped(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			out = append(out, raw[i])
			continue
		}
		i++
		c := raw[i]
		switch {
		case bytes.IndexByte([]byte("bfnrtv"), c) >= 0:
			out = append(out, "\b\f\n\r\t\v"[bytes.IndexByte([]byte("bfnrtv"), c)])
		case c >= '0' && c <= '7':
			value, n := number(raw[i:], 8, 3)
			out, i = append(out, value), i+n-1
		case c == 'x' && i+1 < len(raw) && digit(raw[i+1]) < 16:
			value, n := number(raw[i+1:], 16, 2)
			out, i = append(out, value), i+n
		default:
			out = append(out, c)
		}
	}
	return out
}

// number reads up to most digits, and tells how many they were.
func number(raw []byte, base, most int) (value byte, n int) {
	for n < most && n < len(raw) && digit(raw[n]) < base {
		value = value*byte(base) + byte(digit(raw[n])) //nolint:gosec // as PostgreSQL, of more than a byte the lower one
		n++
	}
	return value, n
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 99
}

// csvFields reads a line of CSV, within whose quotes there may be others.
func (p *copyRows) csvFields(line []byte) []field {
	f := p.form
	for i := 0; ; i++ {
		var out []byte
		quoted, within := false, false
		for ; i < len(line) && (within || line[i] != f.delimiter); i++ {
			switch c := line[i]; {
			case within && c == f.escape && i+1 < len(line) && (line[i+1] == f.quote || line[i+1] == f.escape):
				i++
				out = append(out, line[i])
			case c == f.quote:
				quoted, within = true, !within
			default:
				out = append(out, c)
			}
		}
		name := ""
		if len(p.fields) < len(p.names) {
			name = p.names[len(p.fields)]
		}
		null := string(out) == f.null && (!quoted && !forced(f.forceNotNull, name) || quoted && forced(f.forceNull, name))
		p.fields = append(p.fields, field{text: out, null: null})
		if i >= len(line) {
			return p.fields
		}
	}
}

// forced tells whether a list of columns names one; * stands for all.
func forced(names []string, name string) bool {
	return slices.Contains(names, name) || slices.Contains(names, "*")
}

// signature is what the binary format begins with.
const signature = "PGCOPY\n\xff\r\n\x00"

// tuple reads a row of the binary format.
func (p *copyRows) tuple(last bool) ([]field, error) {
	if !p.begun {
		n := len(signature) + 8
		if len(p.held) >= n {
			n += int(binary.BigEndian.Uint32(p.held[len(signature)+4:]) % messageBytesMax)
		}
		if len(p.held) < n {
			if last || !bytes.HasPrefix(p.held, []byte(signature)[:min(len(p.held), len(signature))]) {
				return nil, p.copyError("COPY file signature not recognized")
			}
			return nil, nil
		}
		if string(p.held[:len(signature)]) != signature || binary.BigEndian.Uint32(p.held[len(signature):]) != 0 {
			return nil, p.copyError("COPY file signature not recognized")
		}
		p.held, p.begun = p.held[n:], true
	}
	wanting := func() ([]field, error) {
		if last && len(p.held) > 0 {
			return nil, p.copyError("unexpected EOF in COPY data")
		}
		return nil, nil
	}
	if len(p.held) < 2 {
		return wanting()
	}
	count := int16(binary.BigEndian.Uint16(p.held)) //nolint:gosec // two's complement
	if count == -1 {
		p.ended, p.held = true, nil
		return nil, nil
	}
	if int(count) != len(p.names) {
		p.line++
		return nil, p.copyError("row field count is %d, expected %d", count, len(p.names))
	}
	p.fields = p.fields[:0]
	at := 2
	for range p.names {
		if len(p.held) < at+4 {
			return wanting()
		}
		size := int32(binary.BigEndian.Uint32(p.held[at:])) //nolint:gosec // two's complement
		at += 4
		switch {
		case size == -1:
			p.fields = append(p.fields, field{null: true})
			continue
		case size < 0:
			return nil, p.copyError("invalid field size")
		case int(size)+at > messageBytesMax:
			return nil, stateError{"54000", fault.Newf(fault.TooLarge, "", "a row has more than %d bytes", messageBytesMax)}
		case len(p.held) < at+int(size):
			return wanting()
		}
		p.fields = append(p.fields, field{text: p.held[at : at+int(size)]})
		at += int(size)
	}
	p.line++
	p.held = p.held[at:]
	return p.fields, nil
}

// where is PostgreSQL's CONTEXT of an error.
func (p *copyRows) where(table, column string) string {
	out := fmt.Sprintf("COPY %s, line %d", table, p.line)
	if column != "" {
		out += ", column " + column
	}
	return out
}
