// Package rows cuts what comes in, JSON, JSON lines or CSV, into records, each the bytes of one
// JSON object. It knows no connection and no file, and guesses nothing: the cells of CSV are texts.
package rows

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"tarn/embedded/fault"
	"tarn/embedded/record/jsonscan"
)

// RecordsMax bounds the records of one text.
const RecordsMax = 100_000

// BytesMax bounds their bytes: with their headers they are one batch of the log.
const BytesMax = 20 << 20

// columnsMax bounds the columns of one CSV.
const columnsMax = 10_000

// bom is the mark that some programs put before UTF-8.
var bom = []byte("\xef\xbb\xbf")

// text is what is cut, and how much of it.
type text struct {
	b     []byte
	out   [][]byte
	bytes int // of out
}

// bad is the fault of a record, n counting from 1, at a byte of the text.
func (t *text) bad(n, at int, hint, what string) error {
	at = min(max(at, 0), len(t.b))
	line := bytes.LastIndexByte(t.b[:at], '\n') + 1
	f := fault.Newf(fault.Invalid, hint, "record %d: %s", n, what)
	f.Line, f.Column = 1+bytes.Count(t.b[:at], []byte("\n")), 1+utf8.RuneCount(t.b[line:at])
	return f
}

func (t *text) add(record []byte) error {
	if t.bytes += len(record); t.bytes > BytesMax {
		return fault.Newf(fault.TooLarge, "send it in parts", "the records have more than %d bytes", BytesMax)
	}
	if len(t.out) >= RecordsMax {
		return fault.Newf(fault.TooLarge, "send it in parts", "more than %d records at once", RecordsMax)
	}
	t.out = append(t.out, record)
	return nil
}

// blank tells whether a byte is white space of JSON.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skip goes over white space.
func (t *text) skip(i int) int {
	for i < len(t.b) && blank(t.b[i]) {
		i++
	}
	return i
}

// object takes the object at i and returns where it ends.
func (t *text) object(scan *jsonscan.Scanner, i, end int) (int, error) {
	n := len(t.out) + 1
	if i >= end || t.b[i] != '{' {
		return 0, t.bad(n, i, "each record is a JSON object: {…}", "want '{'")
	}
	rest := t.b[i:end]
	scan.Reset(rest)
	v := scan.Value()
	if what, at := scan.Fault(); what != "" {
		return 0, t.bad(n, i+at, "mend the JSON of this record", what)
	}
	if !utf8.Valid(v.Raw) {
		return 0, t.bad(n, i+invalidAt(v.Raw), "send UTF-8", "a text is not UTF-8")
	}
	return i + len(v.Raw), t.add(v.Raw)
}

// invalidAt is the first byte that is not UTF-8.
func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// JSON cuts one object, or an array of objects. The records share the text's bytes.
func JSON(b []byte) ([][]byte, error) {
	t := &text{b: b}
	var scan jsonscan.Scanner
	i := t.skip(len(b) - len(bytes.TrimPrefix(b, bom)))
	array := i < len(b) && b[i] == '['
	if array {
		i = t.skip(i + 1)
	}
	if array && i < len(b) && b[i] == ']' {
		return nil, t.rest(i + 1)
	}
	for {
		end, err := t.object(&scan, i, len(b))
		if err != nil {
			return nil, err
		}
		i = t.skip(end)
		if !array {
			return t.out, t.rest(i)
		}
		switch {
		case i < len(b) && b[i] == ',':
			i = t.skip(i + 1)
		case i < len(b) && b[i] == ']':
			return t.out, t.rest(i + 1)
		default:
			return nil, t.bad(len(t.out), i, "mend the array behind this record", "want ',' or ']'")
		}
	}
}

// rest is the fault of what stands behind all records.
func (t *text) rest(i int) error {
	if i = t.skip(i); i < len(t.b) {
		return t.bad(len(t.out)+1, i, "send one object, an array of objects, or application/x-ndjson", "more than one value")
	}
	return nil
}

// Object is the object that a text holds, without the white space around it; what is wrong otherwise.
func Object(b []byte) (object []byte, what string) {
	b = bytes.Trim(b, " \t\r\n")
	if len(b) == 0 || b[0] != '{' {
		return nil, "no JSON object"
	}
	var scan jsonscan.Scanner
	scan.Reset(b)
	v := scan.Value()
	if what, at := scan.Fault(); what != "" {
		return nil, fmt.Sprintf("%s at byte %d", what, at+1)
	}
	if err := scan.End(); err != nil {
		return nil, err.Error()
	}
	return v.Raw, ""
}

// Lines cuts JSON lines: one object a line; empty lines are passed over. The records share the
// text's bytes.
func Lines(b []byte) ([][]byte, error) {
	t := &text{b: b}
	var scan jsonscan.Scanner
	for i := len(b) - len(bytes.TrimPrefix(b, bom)); i < len(b); {
		end := len(b)
		if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
			end = i + n
		}
		for i < end && blank(b[i]) {
			i++
		}
		if i < end {
			next, err := t.object(&scan, i, end)
			if err != nil {
				return nil, err
			}
			for next < end && blank(b[next]) {
				next++
			}
			if next < end {
				return nil, t.bad(len(t.out), next, "write one object a line", "more than one value in a line")
			}
		}
		i = end + 1
	}
	return t.out, nil
}

// CSV cuts a text of RFC 4180 whose first line names the columns. Each record becomes an object
// of texts; a number in CSV may be a number or a name, which only the reader knows.
func CSV(b []byte) ([][]byte, error) {
	t := &text{b: b}
	i := len(b) - len(bytes.TrimPrefix(b, bom))
	table := Table{Comma: ','}
	for i < len(b) {
		n, fields, err := table.cut(b[i:], true)
		if err != nil {
			return nil, t.badRow(&table, i, err)
		}
		if len(fields) > 0 {
			object, err := table.take(fields)
			if err != nil {
				return nil, t.badRow(&table, i, err)
			}
			if object != nil {
				if err := t.add(object); err != nil {
					return nil, err
				}
			}
		}
		i += n
	}
	return t.out, nil
}

func (t *text) badRow(table *Table, i int, err error) error {
	wrong, ok := err.(*rowError) //nolint:errorlint // made here, never wrapped
	if !ok {
		return err
	}
	if table.names == nil {
		f := t.bad(0, i+wrong.at, "name each column once in the first line", wrong.what).(*fault.Error) //nolint:errorlint,forcetypeassert // bad makes it
		f.Message = "the line of column names: " + wrong.what
		return f
	}
	return t.bad(len(t.out)+1, i+wrong.at, fmt.Sprintf("write %d cells, in quotes where they hold a comma, a quote or a line's end", len(table.names)), wrong.what)
}
