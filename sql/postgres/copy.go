//go:build duckdb_arrow

package postgres

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"tarn/embedded/fault"
	"tarn/embedded/sqltext"
)

// copyForm is how COPY writes rows, and reads them.
type copyForm struct {
	match                   bool     // the names of the header are those of the columns
	forceNull, forceNotNull []string // columns of CSV whose quoted values may be null, or none
	binary, csv, header     bool
	delimiter               byte
	null                    string
	quote, escape           byte
	nullSet, delimiterSet   bool
	head                    []byte // of binary, until it is sent: clients look for it in the message of the first row
}

// readForm reads [WITH] (FORMAT csv, HEADER, DELIMITER ';', NULL ”, QUOTE '"', ESCAPE '"'), or the older [WITH] CSV HEADER.
func readForm(tokens []sqltext.Token) (*copyForm, error) {
	f := &copyForm{delimiter: '\t', null: `\N`, quote: '"', escape: '"'}
	for i := 0; i < len(tokens); i++ {
		name := tokens[i]
		if into := f.forces(name); into != nil {
			i = listOf(tokens, i+1, into)
			continue
		}
		if slices.ContainsFunc([]string{"WITH", "(", ")", ",", "AS"}, name.Is) {
			continue
		}
		err := f.option(name, func(words ...string) string {
			if i+1 >= len(tokens) {
				return ""
			}
			switch next := tokens[i+1]; {
			case next.Kind == sqltext.String:
				i++
				return next.Value()
			case next.Kind == sqltext.Word && (len(words) == 0 || slices.ContainsFunc(words, next.Is)):
				i++
				return strings.ToLower(next.Text)
			}
			return ""
		})
		if err != nil {
			return nil, err
		}
	}
	if f.csv && !f.delimiterSet {
		f.delimiter = ','
	}
	if f.csv && !f.nullSet {
		f.null = ""
	}
	return f, nil
}

// forces is the list that an option names columns for; nil for any other.
func (f *copyForm) forces(name sqltext.Token) *[]string {
	switch {
	case name.Is("FORCE_NULL"):
		return &f.forceNull
	case name.Is("FORCE_NOT_NULL"):
		return &f.forceNotNull
	}
	return nil
}

// listOf reads (a, b) or *, and returns the place of its last token.
func listOf(tokens []sqltext.Token, from int, into *[]string) int {
	if from >= len(tokens) || !tokens[from].Is("(") {
		*into = []string{"*"}
		return from
	}
	for at := from + 1; at < len(tokens); at++ {
		switch {
		case tokens[at].Is(")"):
			return at
		case !tokens[at].Is(","):
			*into = append(*into, tokens[at].Name())
		}
	}
	return len(tokens)
}

// option takes one option. value reads what follows it, if that is a text or one of some words, any for none.
func (f *copyForm) option(name sqltext.Token, value func(words ...string) string) (err error) {
	switch {
	case name.Is("FORMAT"):
		return f.format(value())
	case name.Is("CSV"), name.Is("BINARY"):
		return f.format(strings.ToLower(name.Text))
	case name.Is("HEADER"):
		v := value("TRUE", "FALSE", "ON", "OFF", "MATCH")
		f.header, f.match = v != "false" && v != "off", v == "match"
	case name.Is("DELIMITER"):
		f.delimiterSet = true
		f.delimiter, err = oneByte(value())
	case name.Is("NULL"):
		f.null, f.nullSet = value(), true
	case name.Is("QUOTE"):
		f.quote, err = oneByte(value())
	case name.Is("ESCAPE"):
		f.escape, err = oneByte(value())
	case name.Is("ENCODING"), name.Is("FREEZE"):
		value()
	default:
		return fault.Newf(fault.Invalid, "FORMAT, HEADER, DELIMITER, NULL, QUOTE, ESCAPE, FORCE_NULL and FORCE_NOT_NULL are", "COPY option %q is not there", name.Text)
	}
	return err
}

func (f *copyForm) format(name string) error {
	f.csv, f.binary = name == "csv", name == "binary"
	if !f.csv && !f.binary && name != "text" {
		return fault.Newf(fault.Invalid, "text, csv or binary", "COPY format %q not recognized", name)
	}
	return nil
}

func oneByte(value string) (byte, error) {
	if len(value) != 1 {
		return 0, fault.Newf(fault.Invalid, "such as ',' or ';'", "COPY wants a single byte, not %q", value)
	}
	return value[0], nil
}

// start is what comes before the first row.
func (f *copyForm) start(r *running) []byte {
	switch {
	case f.binary:
		f.head = append([]byte("PGCOPY\n\xff\r\n\x00"), 0, 0, 0, 0, 0, 0, 0, 0)
	case f.header:
		var line []byte
		for i, field := range r.result.Schema.Fields() {
			if i > 0 {
				line = append(line, f.delimiter)
			}
			line = f.appendValue(line, []byte(field.Name))
		}
		return appendData(nil, append(line, '\n'))
	}
	return nil
}

// end is what comes behind the last row.
func (f *copyForm) end() []byte {
	if f.binary {
		return appendData(nil, append(f.head, 0xff, 0xff))
	}
	return nil
}

// appendData writes a CopyData message.
func appendData(b, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, 'd'), uint32(len(data)+4)) //nolint:gosec // of a row
	return append(b, data...)
}

// appendRow writes the next row of an answer.
func (f *copyForm) appendRow(b []byte, r *running) []byte {
	start := len(b)
	b = append(b, 'd', 0, 0, 0, 0)
	if f.binary {
		b = append(b, f.head...)
		f.head = nil
		b = r.appendValues(b, []int16{1})
	} else {
		for i, column := range r.batch.Columns() {
			if i > 0 {
				b = append(b, f.delimiter)
			}
			if column.IsNull(r.next) {
				b = append(b, f.null...)
				continue
			}
			r.cell = appendText(r.cell[:0], &r.kinds[i], column, r.next)
			b = f.appendValue(b, r.cell)
		}
		b = append(b, '\n')
	}
	binary.BigEndian.PutUint32(b[start+1:], uint32(len(b)-start-1)) //nolint:gosec // of a row
	return b
}

func (f *copyForm) appendValue(b, value []byte) []byte {
	if f.csv {
		if string(value) != f.null && !bytes.ContainsAny(value, string([]byte{f.delimiter, f.quote, '\r', '\n'})) && string(value) != `\.` {
			return append(b, value...)
		}
		b = append(b, f.quote)
		for _, c := range value {
			if c == f.quote || c == f.escape {
				b = append(b, f.escape)
			}
			b = append(b, c)
		}
		return append(b, f.quote)
	}
	for _, c := range value {
		switch c {
		case '\\':
			b = append(b, '\\', '\\')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\v':
			b = append(b, '\\', 'v')
		default:
			if c == f.delimiter {
				b = append(b, '\\')
			}
			b = append(b, c)
		}
	}
	return b
}
